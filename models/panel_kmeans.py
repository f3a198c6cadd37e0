"""The default learner: warm-started k-means on the panel that finds the number of segments."""

from typing import Any

import numpy as np

from models.fading import Fading
from models.judging import Judge, Offer, caution
from models.lloyd import Partition, best_of, lloyd, spread_out, swapped
from models.movement import Movement
from models.settlers import Settlers
from models.space import F64, Bools, Ints, Space
from models.structure import Moments, Scored, elsewhere, grains, proposals, quality
from models.tightness import Tightness, looser
from models.young import Young

#: More segments than this nobody keeps apart.
MOST_SEGMENTS = 12
#: So many where the customers do not fall into groups by themselves: people want some division.
USEFUL_SEGMENTS = 4
#: A new segment has at least this share of the customers, and this many.
NEW_SHARE, NEW_COUNT = 0.015, 6
#: Another structure replaces the one in force when it was better in so many ticks in a row; fewer
#: will do for one with newcomers, which is known by their coming.
CONFIRMATIONS, ARRIVED_TICKS = 4, 2
#: Two will do if together it was better by so much: chance hardly ever brings that.
CLEAR = 0.06
#: A segment that is only left behind is kept as long as the structure lacks no more than this
#: (.1 % of inertia; more than Lloyd's steps leave undone in a tick).
REMAINS_SLACK = 0.0005
#: While the panel grows by more than this per tick there is nothing to wait for.
GROWTH = 1.05
#: Lloyd's steps per tick, for structures that are new and for those that learn on; random swaps.
LLOYD_STEPS, WARM_STEPS, SWAPS = 5, 2, 3
#: So many tell whether the centroid of what is left behind would do better elsewhere.
SEARCH_STEPS = 20
#: The first search looks at so many customers.
SEARCHED = 600


class PanelKMeans:
    """Lloyd's steps from where the last call left off; structure changes when it keeps paying.

    Another structure (a split, a merge, both at once, a fresh start) is a challenger: it learns
    beside the one in force, and replaces it when it has been better by a margin several ticks in
    a row. One that sets newcomers apart is known by their coming, and may be worse at first.

    Parameters
    ----------
    seed
        Of everything random.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generation = 0
        self.natural = False
        self._centroids: F64 | None = None
        self._challenger: F64 | None = None
        self._challenging = -1
        self._tightness = Tightness()
        self._fading, self._settlers = Fading(), Settlers()
        self._rows: Ints = np.zeros(0, dtype=np.int64)
        self._then: F64 = np.zeros((0, 0))
        self._wins, self._gained = 0, 0.0
        self._ticks = 0
        self._since, self._young = 0, Young()
        self._lacking = False
        self._size, self._grain = 0, np.zeros(0)

    @property
    def held(self) -> list[int]:
        return [self._young.row] if self._young.row >= 0 else []

    def recall(self, rows: Ints, then: F64, seen: Bools) -> None:
        self._rows, self._then = rows, then
        self._fading.look(seen)

    def learn(self, Z: F64, changed: Ints) -> Partition:
        rng = np.random.default_rng([self.seed, self._ticks])
        self._ticks += 1
        growing = len(Z) > GROWTH * self._size
        self._size, self._grain = len(Z), grains(Z)
        if self._centroids is None:
            return self._take(Z, self._searched(Z, rng))
        movement = self._recalled(Z)
        here = self._in_force(Z, movement)
        beyond = self._beyond(Z, here.found, rng)
        offered = self._offered(Z, here.found, rng, movement, beyond)
        self._tightness.climb((one.found for one in (here, *offered)), _near(here.found.k))
        self._lacking = self._lacks(Z, here.found, beyond)
        judge = Judge(
            here, movement, self._tightness, self._young, self._settlers,
            self._ticks, self._ticks - self._since,
        )  # fmt: skip
        judged = [judge.grown(one) if growing else judge.offer(one) for one in offered]
        best = max(judged, key=lambda one: one.gain - one.margin)
        self._centroids = here.found.centroids
        if best.gain < best.margin:
            self._challenger, self._wins, self._gained = None, 0, 0.0
            return here.found
        self._challenger, self._challenging = best.found.centroids, best.newcomers
        self._wins, self._gained = self._wins + 1, self._gained + best.gain
        if growing or self._confirmed(best.newcomers >= 0, len(Z)):
            return self._replaced(Z, judge, best)
        return here.found

    def move(self, old: Space, new: Space, found: Partition) -> Partition:
        self._centroids = found.centroids
        if self._challenger is not None:
            self._challenger = old.moved(self._challenger, new)
        self._tightness.move(old, new)
        self._fading.move(old, new)
        return found

    def state(self) -> dict[str, Any]:
        return {
            "centroids": _listed(self._centroids),
            "challenger": _listed(self._challenger),
            **self._tightness.state(),
            "fading": self._fading.state(),
            "settlers": self._settlers.state(),
            "challenging": self._challenging,
            "wins": self._wins,
            "gained": self._gained,
            "ticks": self._ticks,
            "since": self._since,
            "young": self._young.state(),
            "lacking": self._lacking,
            "size": self._size,
            "natural": self.natural,
            "generation": self.generation,
        }

    def widened(self, state: dict[str, Any], more: int) -> dict[str, Any]:
        zeros = [0.0] * more

        def wider(rows: list[list[float]]) -> list[list[float]]:
            return [[*row, *zeros] for row in rows]

        return state | {
            "centroids": wider(state["centroids"]),
            "challenger": wider(state["challenger"]),
            "rival": wider(state.get("rival", [])),
            "tightest": [wider(rows) for rows in state["tightest"]],
            "fading": Fading.widened(state.get("fading", {}), more),
        }

    def restore(self, state: dict[str, Any], Z: F64) -> None:
        self._centroids = _array(state["centroids"])
        self._challenger = _array(state["challenger"])
        self._challenging = state.get("challenging", -1)
        self._tightness.restore(state)
        self._fading.restore(state.get("fading", {}))
        self._settlers.restore(state.get("settlers", {}))
        self._wins, self._gained = state["wins"], state.get("gained", 0.0)
        self._ticks, self._size = state["ticks"], state["size"]
        self._since = state.get("since", 0)
        self._young.restore(state.get("young", {}))
        self._lacking = state.get("lacking", False)
        self.natural, self.generation = state["natural"], state["generation"]

    def _recalled(self, Z: F64) -> Movement:
        """What `recall` was told, for this tick only."""
        movement = Movement(self._rows, Z[self._rows], self._then.reshape(-1, Z.shape[1]))
        self._rows, self._then = self._rows[:0], self._then[:0]
        return movement

    def _in_force(self, Z: F64, movement: Movement) -> Scored:
        """The structure in force, learned on; what is no natural one is worth as much as none."""
        centroids = self._centroids
        assert centroids is not None
        found = self._young.learned(Z, centroids, movement, WARM_STEPS, self._ticks)
        found = found or lloyd(Z, centroids, LLOYD_STEPS)
        lasting = self._fading.lasting(found, self._ticks, self._lacking)
        if not lasting.all():
            self._settlers.lasting(found, lasting)
            self._young.lasting(lasting)
            found = lloyd(Z, found.centroids[lasting], LLOYD_STEPS)
            self.generation += 1
        judged = found.labels if self.natural else np.zeros(len(Z), dtype=np.int64)
        groups = Moments.of(Z, judged, found.k if self.natural else 1, self._grain)
        return Scored(found, quality(groups))

    def _beyond(self, Z: F64, found: Partition, rng: np.random.Generator) -> list[Scored]:
        """With the centroid of what is left behind elsewhere, if there is such a segment."""
        row = self._fading.left_behind(found)
        if row is None:
            return []
        return [Scored.after(Z, elsewhere(Z, found, row, rng), SEARCH_STEPS, self._grain)]

    def _lacks(self, Z: F64, here: Partition, beyond: list[Scored]) -> bool:
        """Whether the structure in force lacks tightness, but for what newcomers are allowed.

        What is left behind is not theirs: its centroid would do better elsewhere all the same.
        """
        forgiven, most = self._young.forgiven(self._ticks), REMAINS_SLACK * int(Z.shape[1])
        if forgiven > 0.0 and beyond:
            settled = lloyd(Z, here.centroids, SEARCH_STEPS)
            return looser(settled, beyond[0].found.inertia) > most
        return self._tightness.lack(here) - forgiven > most

    def _offered(
        self, Z: F64, found: Partition, rng: np.random.Generator, movement: Movement,
        beyond: list[Scored],
    ) -> list[Scored]:  # fmt: skip
        """Other structures: proposals, fresh starts, the tightest known, none, the challenger."""
        smallest = max(NEW_COUNT, round(NEW_SHARE * len(Z)))
        fresh = proposals(Z, found, rng, smallest, MOST_SEGMENTS, self._grain)
        anywhere = rng.integers(2, MOST_SEGMENTS + 1)
        fresh += [spread_out(Z, int(k), rng) for k in (rng.choice(_near(found.k)), anywhere)]
        warm = [Z.mean(axis=0)[None, :], *self._tightness.known.values()]
        known = [found.centroids, *self._tightness.known.values()]
        fresh += [swapped(Z, known[i], rng) for i in rng.integers(len(known), size=SWAPS)]
        if not self.natural:
            warm.append(found.centroids)
        if self._challenger is not None and self._challenging < 0:
            warm.append(self._challenger)
        rival = self._tightness.rival(Z, found.k, LLOYD_STEPS, self._ticks, rng)
        scored = [Scored.of(Z, rival, self._grain), *beyond]
        scored += [Scored.after(Z, centroids, WARM_STEPS, self._grain) for centroids in warm]
        gathered = [(wider, found.k) for wider in movement.gatherings(found.centroids, rng)]
        if self._challenger is not None and self._challenging >= 0:
            gathered.append((self._challenger, self._challenging))
        if found.k < MOST_SEGMENTS:
            settled = [movement.settled(Z, wider, row, WARM_STEPS) for wider, row in gathered]
            scored += [Scored.of(Z, one, self._grain) for one in settled]
        scored += [Scored.after(Z, centroids, LLOYD_STEPS, self._grain) for centroids in fresh]
        large = [s for s in scored if s.found.k == 1 or s.found.counts.min() >= smallest]
        return [s for s in large if not self._fading.remains(s.found)]

    def _confirmed(self, newcomers: bool, n: int) -> bool:
        """Whether another structure has been better for long enough."""
        clear = self._wins > 1 and self._gained >= CLEAR * caution(n)
        return clear or self._wins >= (ARRIVED_TICKS if newcomers else CONFIRMATIONS)

    def _replaced(self, Z: F64, judge: Judge, best: Offer) -> Partition:
        """Put the best structure in force; with newcomers it may lack something."""
        here, settled = judge.here.found, -1 if best.movers else best.newcomers
        self._fading.restructured(here, best.found, self._ticks)
        self._settlers.restructured(here, best.found, settled)
        if best.newcomers < 0:
            return self._take(Z, best.found)
        newer = Scored.of(Z, best.found, self._grain)
        return self._take(Z, best.found, best.newcomers, judge.lacking(newer))

    def _searched(self, Z: F64, rng: np.random.Generator) -> Partition:
        """The first structure, from nothing."""
        part = Z if len(Z) <= SEARCHED else Z[rng.choice(len(Z), SEARCHED, replace=False)]
        most = min(MOST_SEGMENTS, max(1, len(part) // (2 * NEW_COUNT)))
        found = [best_of(part, k, 2, rng, steps=15) for k in range(1, most + 1)]
        best = max(found, key=lambda f: quality(Moments.of(part, f.labels, f.k, self._grain)))
        return lloyd(Z, best.centroids, LLOYD_STEPS)

    def _take(self, Z: F64, found: Partition, newcomers: int = -1, lack: float = 0.0) -> Partition:
        """Put a structure in force; one with newcomers is worse by `lack`."""
        if newcomers >= 0:
            self._young.came(newcomers, self._ticks, lack)
        else:
            self._young.replaced()
            self._since = self._ticks
        self._challenger, self._wins, self._gained = None, 0, 0.0
        self.generation += 1
        self.natural = found.k > 1
        if not self.natural:
            rng = np.random.default_rng([self.seed, len(Z)])
            found = best_of(Z, max(1, min(USEFUL_SEGMENTS, len(Z) // NEW_COUNT)), 2, rng, 30)
        self._centroids = found.centroids
        return found


def _near(k: int) -> range:
    """One fewer, as many, and one more; within the bounds."""
    return range(max(2, k - 1), min(MOST_SEGMENTS, k + 1) + 1)


def _listed(centroids: F64 | None) -> list[list[float]]:
    return [] if centroids is None else centroids.tolist()


def _array(rows: list[list[float]]) -> F64 | None:
    return np.array(rows, dtype=np.float64) if rows else None
