"""Challengers learn beside the model in force, so that a change of clusterer can be decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import ModelError
from models.learner import Learner
from models.lineage import matched, overlap
from models.lloyd import Partition, partition
from models.measures import churn, silhouette
from models.registry import learner
from models.space import F64, Ints
from models.trainer import Trainer

#: A challenger learns in the shadow for so many rounds before it can be promoted.
SHADOW_ROUNDS = 20
#: Weight of the newest round in the means that are shown.
RECENT = 0.1
#: A customer is covered by a segment that has at least this share of all.
COVERING = 0.01
#: New vectors that a challenger learns per round: some of River's take milliseconds for each.
ROWS = 300


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clusterer does on the panel; recent means.

    Attributes
    ----------
    silhouette
        Simplified, -1..1.
    inertia
        Against the model in force (1.0); smaller is tighter, more segments make it smaller.
    churn
        Share of customers whose segment changed since the round before, ids matched by overlap.
    coverage
        Share of customers in segments of at least one percent.
    """

    name: str
    rounds: int
    segments: int
    silhouette: float
    inertia: float
    churn: float
    coverage: float


class _Record:
    """The standing of one clusterer, brought up to date round by round."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.standing: Standing | None = None
        self._before: dict[str, int] = {}

    def take(self, Z: F64, found: Partition, customers: Sequence[str], reference: float) -> None:
        """One round's partition of the panel; `reference` is the inertia of the one in force."""
        measured = np.array(
            [
                silhouette(Z, found.centroids, found.labels),
                found.inertia / max(reference, 1e-12),
                self._churn(found, customers),
                float((found.counts[found.labels] >= COVERING * len(Z)).mean()),
            ]
        )
        old = self.standing
        if old is not None:
            past = np.array([old.silhouette, old.inertia, old.churn, old.coverage])
            measured = past + RECENT * (measured - past)
        rounds = old.rounds + 1 if old else 1
        self.standing = Standing(self.name, rounds, found.k, *measured.tolist())

    def _churn(self, found: Partition, customers: Sequence[str]) -> float:
        """After the new labels are called by the old ones that they share most customers with."""
        before, now = self._before, dict(zip(customers, found.labels.tolist(), strict=True))
        self._before = now
        both = [name for name in customers if name in before]
        if not both:
            return 0.0
        old = np.array([before[name] for name in both])
        new = np.array([now[name] for name in both])
        called = np.full(found.k, -1)
        for row, label in matched(overlap(old, new, int(old.max()) + 1, found.k)).items():
            called[row] = label
        return churn(old, called[new])


class _Challenger:
    """A learner in the shadow, and which vector of each customer it has learned."""

    def __init__(self, name: str, made: Learner) -> None:
        self.learner, self.record = made, _Record(name)
        #: Row in `_X`, the vectors learned, of each customer.
        self._rows: dict[str, int] = {}
        self._X: F64 = np.empty((0, 0))
        self._turn = 0

    def changed(self, customers: Sequence[str], X: F64) -> Ints:
        """Rows that are new or have another vector than the one learned, `ROWS` at most."""
        before = np.array([self._rows.get(name, -1) for name in customers], dtype=np.int64)
        learned = np.full(X.shape, np.inf)
        if self._rows:
            learned[before >= 0] = self._X[before[before >= 0]]
        alike = (learned == X) | (np.isnan(learned) & np.isnan(X))
        rows = np.flatnonzero((before < 0) | ~alike.all(axis=1))
        # Everybody gets a turn where there are too many.
        start = self._turn % len(rows) if len(rows) > ROWS else 0
        chosen = np.sort(np.roll(rows, -start)[:ROWS])
        self._turn += len(chosen)
        learned[chosen] = X[chosen]
        here = np.flatnonzero((before >= 0) | np.isin(np.arange(len(X)), chosen))
        self._X = learned[here]
        self._rows = {customers[row]: i for i, row in enumerate(here.tolist())}
        return chosen


class League:
    """Challengers that learn from a trainer's panel.

    Parameters
    ----------
    trainer
        Of the model in force; only read, until `promote`.
    names
        Of the challengers, as in `models.registry`.
    """

    def __init__(self, trainer: Trainer, names: Sequence[str] = ()) -> None:
        self.trainer = trainer
        self._challengers: dict[str, _Challenger] = {}
        self._in_force = _Record(trainer.clusterer)
        for name in names:
            self.enter(name)

    @property
    def names(self) -> list[str]:
        """The challengers."""
        return list(self._challengers)

    def enter(self, name: str) -> None:
        """Let a challenger begin, unless it is one already or in force.

        Raises
        ------
        UnknownClusterer
            Naming those that there are.
        """
        if name != self.trainer.clusterer and name not in self._challengers:
            made = learner(name, self.trainer.features, self.trainer.seed)
            self._challengers[name] = _Challenger(name, made)

    def learn(self) -> None:
        """One round: what has changed in the panel since the last one. Call it between ticks."""
        snapshot = self.trainer.snapshot
        if snapshot is None:
            return
        customers, X = self.trainer.panel()
        Z = snapshot.scaled(X)
        here = partition(Z, snapshot.centroids)
        self._in_force.take(Z, here, customers, here.inertia)
        for challenger in self._challengers.values():
            found = challenger.learner.learn(Z, challenger.changed(customers, X))
            challenger.record.take(Z, found, customers, here.inertia)

    def standings(self) -> list[Standing]:
        """The model in force, then the challengers by silhouette."""
        own = [self._in_force.standing] if self._in_force.standing else []
        others = [challenger.record.standing for challenger in self._challengers.values()]
        return own + sorted((s for s in others if s), key=lambda s: -s.silhouette)

    def rounds(self, name: str) -> int:
        """How long a challenger has been in the shadow; 0 if it is none."""
        challenger = self._challengers.get(name)
        standing = challenger.record.standing if challenger else None
        return standing.rounds if standing else 0

    def promote(self, name: str) -> None:
        """Let a challenger's model be the one in force; segments keep their ids by overlap.

        The one that was in force is a challenger from now on.

        Raises
        ------
        ModelError
            If there is no such challenger, or its shadow run has been too short.
        """
        if name not in self._challengers:
            raise ModelError(f"challenger: {name!r}, one of {sorted(self.names)} expected")
        if self.rounds(name) < SHADOW_ROUNDS:
            rounds = f"{self.rounds(name)} rounds, {SHADOW_ROUNDS} expected"
            raise ModelError(f"challenger {name}: {rounds}")
        before = self.trainer.clusterer
        self.trainer.promote(name, self._challengers.pop(name).learner)
        self._in_force = _Record(name)
        self.enter(before)
