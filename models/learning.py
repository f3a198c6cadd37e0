"""Everything that learns, as one: the model in force, its challengers, the watch on drift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from models.drift import HOUR_MS, DriftAlert, DriftWatch
from models.errors import InvalidState
from models.league import SHADOW_ROUNDS, League, Standing
from models.snapshot import Snapshot
from models.space import F64, Ints
from models.trainer import Trainer

_MAGIC = b"agos-learning-1\n"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a tick brought: a snapshot to publish, if any, and what has moved."""

    snapshot: Snapshot | None
    alerts: tuple[DriftAlert, ...]


class Learning:
    """Learns from samples of customers; challengers do in the shadow, drift is watched.

    Parameters
    ----------
    trainer
        Of the model in force.
    challengers
        Names of `models.registry`.
    watch
        Goes on with what was usual; None begins anew.
    """

    def __init__(
        self, trainer: Trainer, challengers: Sequence[str] = (), watch: DriftWatch | None = None
    ) -> None:
        self.trainer = trainer
        self.league = League(trainer, challengers)
        self._watch = watch or DriftWatch(trainer.features)
        self._alerts: list[DriftAlert] = []

    def take(self, customers: Sequence[str], X: F64, at_ms: Ints) -> None:
        """Samples: the newest vectors of customers, shape (n, d), and when they were, (n,)."""
        self.trainer.update_many(customers, X)
        snapshot = self.trainer.snapshot
        if snapshot is None:
            return
        hours = at_ms // HOUR_MS
        for hour in np.unique(hours).tolist():
            self._alerts += self._watch.observe(snapshot, X[hours == hour], hour * HOUR_MS)

    def tick(self) -> Lesson:
        """Learn from what has changed; the cost is bounded by the panel's size."""
        snapshot = self.trainer.tick()
        alerts, self._alerts = tuple(self._alerts), []
        return Lesson(snapshot, alerts)

    def compete(self, wanted: str) -> bool:
        """One round of the challengers; whether it ended with another clusterer in force.

        Parameters
        ----------
        wanted
            The clusterer that people want in force: it is promoted when it has been in the
            shadow for long enough.
        """
        self.league.enter(wanted)
        self.league.learn()
        if self.league.rounds(wanted) < SHADOW_ROUNDS:
            return False
        self.league.promote(wanted)
        return True

    def standings(self) -> list[Standing]:
        """The model in force, then the challengers by silhouette."""
        return self.league.standings()

    def to_bytes(self) -> bytes:
        """The trainer's and the watch's state; challengers learn anew after a restart."""
        parts = {"trainer": self.trainer.to_bytes(), "watch": self._watch.state()}
        return _MAGIC + msgspec.msgpack.encode(parts)

    @classmethod
    def from_bytes(cls, data: bytes, challengers: Sequence[str] = ()) -> "Learning":
        """What `to_bytes` wrote, or what `Trainer.to_bytes` did.

        Raises
        ------
        InvalidState
            A ValueError: other bytes, or of another format.
        """
        if not data.startswith(_MAGIC):
            return cls(Trainer.from_bytes(data), challengers)
        try:
            parts: dict[str, Any] = msgspec.msgpack.decode(data[len(_MAGIC) :], type=dict)
            watch = DriftWatch.restored(parts["watch"])
            trainer = Trainer.from_bytes(parts["trainer"])
        except InvalidState:
            raise
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise InvalidState(f"learning: {error!r}") from None
        if watch.features[:-1] != trainer.features:
            raise InvalidState(f"learning: watches {watch.features}, has {trainer.features}")
        return cls(trainer, challengers, watch)
