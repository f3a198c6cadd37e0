"""What another structure would bring, and what it must, to replace the one in force."""

from dataclasses import dataclass

from models.lloyd import Partition
from models.movement import Movement
from models.settlers import Settlers
from models.structure import COST, PLENTY, Scored
from models.tightness import Tightness
from models.young import Young

#: Another structure must be better by this (nats per customer), several ticks in a row.
MARGIN = 0.006
#: One with as many segments divides many customers anew for little: it must be better by more.
OTHERWISE = 3.0
#: One that has a segment of newcomers more (`movement.py`): how well it fits and how many have
#: come must tell so much together (nats, of all customers). Some 10^5 places are looked at in two
#: million updates; chance brings exp(20) to 1 at one in 10^8 of them.
NEWS = 20.0
#: What the structure in force may lack in tightness (nats per feature; .25 % of inertia), as
#: divisions that are nearly as good come and go.
SLACK = 0.00125
#: The longer a structure is in force, the more another must bring: after so many ticks so many
#: times as much, where it need not bring as much anyway.
TENURE_TICKS, TENURE = 80, 3.0
#: In a panel smaller than this chance brings more, so margins are raised by that power.
SETTLED, CAUTION = 2250, 1.25
#: Weight of tightness beside quality.
TIGHTNESS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """Another structure.

    Attributes
    ----------
    gain, margin
        What it would bring, and must (nats per customer).
    newcomers
        Which of its rows has newcomers; -1 for none.
    movers
        These are of a segment that was known before.
    """

    found: Partition
    gain: float
    margin: float
    newcomers: int = -1
    movers: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Of one tick.

    Attributes
    ----------
    here
        The structure in force, and `tenure`: for how many ticks it has been.
    """

    here: Scored
    movement: Movement
    tightness: Tightness
    young: Young
    settlers: Settlers
    tick: int
    tenure: int

    def grown(self, one: Scored) -> Offer:
        """While the panel grows."""
        return Offer(one.found, self.worth(one) - self.worth(self.here), MARGIN)

    def offer(self, one: Scored) -> Offer:
        """Otherwise."""
        here, n = self.here.found, len(one.found.labels)
        news = self.movement.newcomers(here, one.found) if one.found.k <= PLENTY else None
        if news is not None and news.movers:
            gain = one.score - self.worth(self.here, SLACK)
            return Offer(one.found, gain, 0.0, news.row, movers=True)
        if news is not None:
            fits = one.score + COST * int(one.found.centroids.shape[1]) - self.owed
            return Offer(one.found, fits + news.evidence / n, NEWS / n, news.row)
        doubt = caution(n) * (OTHERWISE if one.found.k == here.k else 1.0)
        margin = MARGIN * max(doubt, self._settled())
        # Newcomers' segments did not pay the price of one, so nobody saves it by ending them.
        price = COST * int(one.found.centroids.shape[1])
        margin += (NEWS / n + price) * self.settlers.ended(here, one.found)
        return Offer(one.found, self.worth(one) - self.owed, margin)

    @property
    def owed(self) -> float:
        """What the structure in force is worth, with what it is forgiven: no chain of newcomers
        may make it worse and worse."""
        return self.worth(self.here, SLACK) + self.young.forgiven(self.tick)

    def lacking(self, newer: Scored) -> float:
        """What a structure with newcomers lacks beside the one in force, and what that owes."""
        return max(0.0, self.owed - self.worth(newer, SLACK))

    def worth(self, scored: Scored, slack: float = 0.0) -> float:
        """Quality, less what it lacks in tightness but for `slack` of it (nats per feature)."""
        if scored.found.k == 1:
            return scored.score
        lack = TIGHTNESS * self.tightness.lack(scored.found)
        return scored.score - max(0.0, lack - slack * int(scored.found.centroids.shape[1]))

    def _settled(self) -> float:
        """How many times the margin another structure must bring; most while newcomers come."""
        if self.young.recent(self.tick):
            return TENURE
        return 1.0 + (TENURE - 1.0) * min(1.0, self.tenure / TENURE_TICKS)


def caution(n: int) -> float:
    """How many times as much a structure must bring where there are n customers."""
    return float(max(1.0, (SETTLED / n) ** CAUTION))
