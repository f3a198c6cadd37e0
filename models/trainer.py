"""The trainer: panel in, published snapshots out; deterministic for a seed, bounded in memory."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from models.ancestry import Ancestry
from models.errors import InvalidState
from models.former import Former
from models.languages import LANGUAGES
from models.learner import Learner
from models.lineage import Memory
from models.lloyd import Partition, means, partition
from models.naming import effects, names, sentence
from models.panel import PANEL_SIZE, Panel, panel_hash
from models.registry import learner as make_learner
from models.snapshot import HYSTERESIS, Segment, Snapshot
from models.space import F64, Space, amounts

__all__ = ["Trainer", "panel_hash"]

#: Fewer customers than this are no basis for segments.
LEAST_CUSTOMERS = 12
#: A tick works when this share of the panel has a new vector; structure is judged per such tick.
FRESH = 0.05
#: The published snapshot must be worse than the newest by this share of its inertia.
GATE = 0.002
#: So is one of which a feature, known of so many customers, varies by so many times as much or as
#: little: one that has come later weighs nothing until it is published.
KNOWN, OUTGROWN = 0.5, 1.5
#: Share of the customers of an adopted model that there must be to replace it.
ADOPTED = 0.7
_MAGIC = b"agos-trainer-1\n"


class _State(msgspec.Struct, frozen=True):
    """What `to_bytes` writes, as MessagePack."""

    features: tuple[str, ...]
    seed: int
    clusterer: str
    panel_size: int
    language: str
    hysteresis: float
    rate: float
    customers: list[str]
    pending: list[str]
    vectors: bytes
    next_id: int
    generation: int
    memory_ticks: int
    then: dict[str, int]
    lately: dict[str, int]
    heirs: dict[int, tuple[int, int]]
    snapshot: str
    learner: dict[str, object]
    least: int = LEAST_CUSTOMERS
    origins: dict[str, tuple[int, int]] = {}
    former: dict[str, Any] = {}


class Trainer:
    """Learns segments from the latest vectors of a panel of customers.

    Parameters
    ----------
    features
        Names of the columns.
    seed
        Of everything random; the same updates give the same snapshots.
    clusterer
        A name of `models.registry`.
    panel_size
        Customers to learn from, about.
    language
        Of names and explanations, a key of `models.languages.LANGUAGES`.
    hysteresis
        See `Snapshot.assign`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> trainer = Trainer(("orders", "views"), seed=1)
    >>> for i in range(200):
    ...     often = i % 2
    ...     trainer.update(f"c{i}", rng.poisson((30, 2) if often else (1, 40)).astype(float))
    >>> snapshot = trainer.tick()
    >>> sorted(segment.name for segment in snapshot.segments)
    ['frequent buyers', 'window shoppers']
    """

    def __init__(
        self,
        features: Sequence[str],
        seed: int,
        clusterer: str = "default",
        panel_size: int = PANEL_SIZE,
        language: str = "en",
        hysteresis: float = HYSTERESIS,
    ) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"language: {language!r}, one of {sorted(LANGUAGES)} expected")
        self.features = tuple(features)
        self.seed, self.clusterer, self.language = seed, clusterer, language
        self.panel_size, self.hysteresis = panel_size, hysteresis
        self.snapshot: Snapshot | None = None
        self._panel = Panel(len(self.features), panel_size)
        self._learner: Learner = make_learner(clusterer, self.features, seed)
        self._ancestry = Ancestry()
        self._former = Former(len(self.features))
        self._least = LEAST_CUSTOMERS
        self._generation = 0

    @property
    def in_panel_rate(self) -> float:
        """Share of the hash space that is in the panel: customers with `panel_hash` under it."""
        return self._panel.rate

    @property
    def customers(self) -> int:
        """How many customers are in the panel."""
        return len(self._panel)

    def update(self, customer: str, x: F64) -> None:
        """Take `x` (raw, shape (d,), copied) as the customer's latest vector."""
        self._panel.put(customer, x)

    def update_many(self, customers: Sequence[str], X: F64) -> None:
        """The same for many; the last row of a customer counts."""
        if len(customers) != len(X):
            raise ValueError(f"customers: {len(customers)}, {len(X)} expected, one of each row")
        self._panel.put_many(customers, X)

    def forget(self, *customers: str) -> None:
        """Keep nothing of these customers; without effect where nothing is kept."""
        for customer in customers:
            self._panel.drop(customer)
        self._former.drop(set(customers))
        self._ancestry.memory.drop(customers)

    def known_customers(self) -> set[str]:
        """Everybody of whom something is kept."""
        return {*self._panel, *self._former.customers(), *self._ancestry.memory.customers()}

    def widened(self, features: Sequence[str]) -> "Trainer":
        """The same trainer with further features, unknown (NaN) for everybody so far."""
        more = sorted(set(features) - set(self.features))
        wider = Trainer(
            (*self.features, *more),
            self.seed, self.clusterer, self.panel_size, self.language, self.hysteresis,
        )  # fmt: skip
        gap = np.full((len(self._panel), len(more)), np.nan)
        X = np.hstack([self._panel.X, gap])
        wider._panel.restore(list(self._panel), X, self._panel.rate, self._panel.pending)
        wider._former = self._former.widened(len(more))
        wider._ancestry, wider._generation = self._ancestry, self._generation
        if self.snapshot is not None:
            wider.snapshot = self.snapshot.widened(more)
            wider._learner.restore(
                wider._learner.widened(self._learner.state(), len(more)),
                wider.snapshot.space.project(X),
            )
        return wider

    def panel(self) -> tuple[list[str], F64]:
        """Customers and a copy of their raw vectors, shape (n, d)."""
        return list(self._panel), self._panel.X.copy()

    def speak(self, language: str) -> None:
        """Name segments in another language from the next publication on."""
        if language not in LANGUAGES:
            raise ValueError(f"language: {language!r}, one of {sorted(LANGUAGES)} expected")
        self.language = language

    def resize(self, panel_size: int) -> None:
        """Learn from another number of customers; a larger panel fills up as vectors come."""
        self.panel_size = panel_size
        self._panel.resize(panel_size)

    def adopt(self, snapshot: Snapshot | None, next_id: int) -> None:
        """Go on from what others have published, where this trainer's own state was lost.

        Nothing is published before there are about as many customers as that was learned from.

        Parameters
        ----------
        snapshot
            In force, of the same features; its segments keep their ids where they are found again.
        next_id
            Lower ids are never given to new segments.
        """
        self._ancestry.next_id = max(self._ancestry.next_id, next_id)
        if snapshot is None:
            return
        self._ancestry.next_id = max(self._ancestry.next_id, int(snapshot.ids.max()) + 1)
        self.snapshot = snapshot
        self._panel.rate = snapshot.panel_rate
        self._least = max(LEAST_CUSTOMERS, int(ADOPTED * min(snapshot.trained_on, self.panel_size)))

    @property
    def next_id(self) -> int:
        """The first id that no segment has ever had."""
        return self._ancestry.next_id

    def promote(self, clusterer: str, learner: Learner) -> None:
        """Learn with another learner from now on; the next tick publishes its segments."""
        self.clusterer, self._learner, self._generation = clusterer, learner, -1

    def tick(self) -> Snapshot | None:
        """Learn from what has changed; the snapshot to publish, if there is one.

        Cheap when little has changed, bounded always; safe to run in a thread as long as nothing
        else touches this object meanwhile.
        """
        n = len(self._panel)
        if n < self._least or self._panel.changed < max(1.0, FRESH * n):
            return None
        X = self._panel.X
        space = self.snapshot.space if self.snapshot else Space.of(X, amounts(X))
        Z = space.project(X)
        if self.snapshot is not None:
            now = self.snapshot.ids[partition(Z, self.snapshot.centroids).labels]
            self._ancestry.tick(list(self._panel), now)
        self._former.tick(list(self._panel), X)
        self._learner.recall(
            *self._former.places(list(self._panel), X, space),
            self._former.seen(list(self._panel), X),
        )
        found = self._learner.learn(Z, self._panel.take_changed())
        if self.snapshot is not None and not self._worth_publishing(self.snapshot, Z, found):
            return None
        moved_space = Space.of(X, amounts(X, space.logged))
        Z = moved_space.project(X)
        moved = space.moved(found.centroids, moved_space)
        centroids = means(Z, found.labels, found.k, moved)
        centroids[self._learner.held] = moved[self._learner.held]
        found = self._learner.move(space, moved_space, partition(Z, centroids))
        self._generation, self._least = self._learner.generation, LEAST_CUSTOMERS
        self.snapshot = self._published(moved_space, Z, found)
        return self.snapshot

    def _worth_publishing(self, published: Snapshot, Z: F64, found: Partition) -> bool:
        """The gate: another structure or language, or centroids that have left their customers.

        Workers send samples of the share that is published, so a larger one is said at once.
        """
        if published.language != self.language or published.panel_rate < self._panel.rate:
            return True
        if found.k != len(published.segments) or self._learner.generation != self._generation:
            return True
        in_force = partition(Z, published.centroids)
        if in_force.inertia > (1.0 + GATE) * found.inertia:
            return True
        return self._outgrown(published.space)

    def _outgrown(self, space: Space) -> bool:
        """Whether a feature of most customers varies by far more or less than it did."""
        X = self._panel.X
        known = np.isfinite(X).mean(axis=0) >= KNOWN
        ratio = Space.of(X, space.logged).scale / space.scale
        return bool((known & ((ratio > OUTGROWN) | (ratio < 1.0 / OUTGROWN))).any())

    def _published(self, space: Space, Z: F64, found: Partition) -> Snapshot:
        before = self.snapshot
        version = before.version + 1 if before else 1
        lineage = self._ancestry.trace(list(self._panel), before, space, Z, found)
        words = LANGUAGES[self.language]
        kept = [before.segment(i) if before else None for i in lineage.ids]
        called = names(
            self.features, found.centroids, words, [s.terms if s else None for s in kept]
        )
        weights = found.counts / max(1, found.counts.sum())
        segments = tuple(
            Segment(
                id=lineage.ids[row],
                centroid=tuple(found.centroids[row].tolist()),
                name=called[row].text,
                sentence=sentence(
                    self.features, found.centroids[row], float(weights[row]), space, words
                ),
                weight=float(weights[row]),
                effects=effects(self.features, found.centroids[row]),
                parents=old.parents if (old := kept[row]) else lineage.parents[row],
                born_version=old.born_version if old else version,
                terms=called[row].terms,
            )
            for row in range(found.k)
        )
        return Snapshot(
            version=version, features=self.features, mean=space.mean, scale=space.scale,
            logged=tuple(space.logged.tolist()),
            segments=segments, trained_on=len(Z), hysteresis=self.hysteresis,
            panel_rate=self._panel.rate, natural=self._learner.natural, language=self.language,
            changes=lineage.changes if before else (),
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """Everything needed to go on elsewhere; the same bytes for the same trainer."""
        ticks, then, lately, origins = self._ancestry.memory.parts()
        state = _State(
            self.features, self.seed, self.clusterer, self.panel_size, self.language,
            self.hysteresis, self._panel.rate, list(self._panel), self._panel.pending,
            self._panel.X.tobytes(),
            self._ancestry.next_id, self._generation, ticks, then, lately,
            self._ancestry.heirs,
            self.snapshot.to_json() if self.snapshot else "",
            self._learner.state(), self._least, origins, self._former.state(),
        )  # fmt: skip
        return _MAGIC + msgspec.msgpack.encode(state)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Trainer":
        """The trainer that `to_bytes` wrote.

        Raises
        ------
        InvalidState
            A ValueError: other bytes, or of another format.
        """
        if not data.startswith(_MAGIC):
            raise InvalidState(f"trainer: starts with {data[:16]!r}, {_MAGIC!r} expected")
        try:
            state = msgspec.msgpack.decode(data[len(_MAGIC) :], type=_State)
        except msgspec.MsgspecError as error:
            raise InvalidState(f"trainer: {error}") from None
        trainer = cls(
            state.features, state.seed, state.clusterer, state.panel_size, state.language,
            state.hysteresis,
        )  # fmt: skip
        size = len(state.customers) * len(state.features) * 8
        if len(state.vectors) != size:
            raise InvalidState(f"trainer: {len(state.vectors)} bytes of vectors, {size} expected")
        X = np.frombuffer(state.vectors, dtype=np.float64)
        trainer._panel.restore(state.customers, X, state.rate, state.pending)
        memory = Memory(state.memory_ticks, state.then, state.lately, state.origins)
        trainer._ancestry = Ancestry(state.next_id, memory, state.heirs)
        trainer._former = Former.restored(state.former, len(state.features))
        trainer._generation, trainer._least = state.generation, state.least
        if state.snapshot:
            trainer.snapshot = Snapshot.from_json(state.snapshot)
            trainer._learner.restore(
                state.learner, trainer.snapshot.space.project(trainer._panel.X)
            )
        return trainer
