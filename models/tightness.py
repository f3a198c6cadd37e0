"""The tightest partitions known: what those in force and proposed are measured against."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from models.lloyd import Partition, lloyd, spread_out
from models.space import F64, Space

#: A fresh start learns on for so many ticks, as it takes some 20 of Lloyd's steps to tell whether
#: it is tighter.
RIVAL_TICKS = 4


class Tightness:
    """Keeps looking for the tightest partition of about as many segments as are in force.

    Attributes
    ----------
    known
        Centroids of the tightest, by number of segments.
    """

    def __init__(self) -> None:
        self.known: dict[int, F64] = {}
        self._inertia: dict[int, float] = {}
        self._rival: F64 | None = None

    def rival(self, Z: F64, k: int, steps: int, tick: int, rng: np.random.Generator) -> Partition:
        """Once per tick: a fresh start with k segments, learned on over several ticks."""
        if self._rival is None or len(self._rival) != k or tick % RIVAL_TICKS == 0:
            self._rival = spread_out(Z, k, rng)
        found = lloyd(Z, self._rival, steps)
        self._rival = found.centroids
        return found

    def climb(self, partitions: Iterable[Partition], rungs: Iterable[int]) -> None:
        """Keep the tightest of these, with as many segments as one of `rungs`."""
        best: dict[int, Partition] = {}
        for found in partitions:
            known = best.get(found.k)
            if known is None or found.inertia < known.inertia:
                best[found.k] = found
        self.known = {k: best[k].centroids for k in rungs if k in best}
        self._inertia = {k: one.inertia for k, one in best.items()}

    def lack(self, found: Partition) -> float:
        """By how much it is less tight than the tightest of as many segments; see `looser`."""
        return looser(found, self._inertia.get(found.k, found.inertia))

    def move(self, old: Space, new: Space) -> None:
        """The space has moved."""
        self.known = {k: old.moved(centroids, new) for k, centroids in self.known.items()}
        if self._rival is not None:
            self._rival = old.moved(self._rival, new)

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        rival = [] if self._rival is None else self._rival.tolist()
        return {"tightest": [one.tolist() for one in self.known.values()], "rival": rival}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.known = {len(rows): np.array(rows) for rows in state["tightest"]}
        rival = state.get("rival")
        self._rival = np.array(rival) if rival else None


def looser(found: Partition, inertia: float) -> float:
    """By how much it is less tight than that (nats per customer; of round groups)."""
    ratio = max(found.inertia, 1e-12) / max(inertia, 1e-12)
    return 0.5 * int(found.centroids.shape[1]) * float(np.log(ratio))
