"""The default learner: warm-started k-means on the panel that finds the number of segments."""

from typing import Any

import numpy as np

from models.lloyd import Partition, best_of, lloyd, spread_out
from models.space import F64, Ints, Space
from models.structure import Moments, Scored, proposals, quality

#: More segments than this nobody keeps apart.
MOST_SEGMENTS = 10
#: So many where the customers do not fall into groups by themselves: people want some division.
USEFUL_SEGMENTS = 4
#: A new segment has at least this share of the customers, and this many; one that sinks under the
#: lower share is retired.
NEW_SHARE, NEW_COUNT = 0.015, 6
RETIRED_SHARE = 0.01
#: Another structure must be better by this (nats per customer), in so many ticks in a row.
MARGIN = 0.006
CONFIRMATIONS = 4
#: While the panel grows by more than this per tick there is nothing to wait for.
GROWTH = 1.05
LLOYD_STEPS = 5
#: The first search looks at so many customers.
SEARCHED = 600


class PanelKMeans:
    """Lloyd's steps from where the last call left off; structure changes when it keeps paying.

    Another structure (a split, a merge, both at once, a fresh start) is a challenger: it learns
    beside the one in force, and replaces it when it has been better by a margin several ticks in
    a row.

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
        self._wins = 0
        self._ticks = 0
        self._size = 0

    def learn(self, Z: F64, changed: Ints) -> Partition:
        rng = np.random.default_rng([self.seed, self._ticks])
        self._ticks += 1
        growing = len(Z) > GROWTH * self._size
        self._size = len(Z)
        if self._centroids is None:
            return self._take(Z, self._searched(Z, rng))
        here = self._in_force(Z)
        best = self._best_challenger(Z, here.found, rng)
        if best is None or best.score < here.score + MARGIN:
            self._challenger, self._wins = None, 0
            self._centroids = here.found.centroids
            return here.found
        self._challenger, self._wins = best.found.centroids, self._wins + 1
        if growing or self._wins >= CONFIRMATIONS:
            return self._take(Z, best.found)
        self._centroids = here.found.centroids
        return here.found

    def move(self, old: Space, new: Space, found: Partition) -> Partition:
        self._centroids = found.centroids
        if self._challenger is not None:
            self._challenger = old.moved(self._challenger, new)
        return found

    def state(self) -> dict[str, Any]:
        return {
            "centroids": _listed(self._centroids),
            "challenger": _listed(self._challenger),
            "wins": self._wins,
            "ticks": self._ticks,
            "size": self._size,
            "natural": self.natural,
            "generation": self.generation,
        }

    def widened(self, state: dict[str, Any], more: int) -> dict[str, Any]:
        zeros = [0.0] * more
        return state | {
            name: [[*row, *zeros] for row in state[name]] for name in ("centroids", "challenger")
        }

    def restore(self, state: dict[str, Any], Z: F64) -> None:
        self._centroids = _array(state["centroids"])
        self._challenger = _array(state["challenger"])
        self._wins, self._ticks, self._size = state["wins"], state["ticks"], state["size"]
        self.natural, self.generation = state["natural"], state["generation"]

    def _in_force(self, Z: F64) -> Scored:
        """The structure in force, learned on; what is no natural one is worth as much as none."""
        centroids = self._centroids
        assert centroids is not None
        found = lloyd(Z, centroids, LLOYD_STEPS)
        large = found.counts >= RETIRED_SHARE * len(Z)
        if not large.all():
            found = lloyd(Z, found.centroids[large], LLOYD_STEPS)
            self.generation += 1
        judged = found.labels if self.natural else np.zeros(len(Z), dtype=np.int64)
        groups = Moments.of(Z, judged, found.k if self.natural else 1)
        return Scored(found, quality(groups))

    def _best_challenger(self, Z: F64, found: Partition, rng: np.random.Generator) -> Scored | None:
        smallest = max(NEW_COUNT, round(NEW_SHARE * len(Z)))
        offered = proposals(Z, found, rng, smallest, MOST_SEGMENTS)
        offered.append(Z.mean(axis=0)[None, :])
        if not self.natural:
            offered.append(found.centroids)
        k = int(rng.integers(max(2, found.k - 1), min(MOST_SEGMENTS, found.k + 1) + 1))
        offered.append(spread_out(Z, k, rng))
        if self._challenger is not None:
            offered.append(self._challenger)
        scored = [Scored.of(Z, centroids, LLOYD_STEPS) for centroids in offered]
        fine = [s for s in scored if s.found.k == 1 or s.found.counts.min() >= smallest]
        return max(fine, key=lambda s: s.score, default=None)

    def _searched(self, Z: F64, rng: np.random.Generator) -> Partition:
        """The first structure, from nothing."""
        part = Z if len(Z) <= SEARCHED else Z[rng.choice(len(Z), SEARCHED, replace=False)]
        most = min(MOST_SEGMENTS, max(1, len(part) // (2 * NEW_COUNT)))
        found = [best_of(part, k, 2, rng, steps=15) for k in range(1, most + 1)]
        best = max(found, key=lambda f: quality(Moments.of(part, f.labels, f.k)))
        return lloyd(Z, best.centroids, LLOYD_STEPS)

    def _take(self, Z: F64, found: Partition) -> Partition:
        """Put a structure in force."""
        self._challenger, self._wins = None, 0
        self.generation += 1
        self.natural = found.k > 1
        if not self.natural:
            rng = np.random.default_rng([self.seed, len(Z)])
            found = best_of(Z, max(1, min(USEFUL_SEGMENTS, len(Z) // NEW_COUNT)), 2, rng, 30)
        self._centroids = found.centroids
        return found


def _listed(centroids: F64 | None) -> list[list[float]]:
    return [] if centroids is None else centroids.tolist()


def _array(rows: list[list[float]]) -> F64 | None:
    return np.array(rows, dtype=np.float64) if rows else None
