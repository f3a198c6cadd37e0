"""The default learner: warm-started k-means on the panel that finds the number of segments."""

from typing import Any

import numpy as np

from models.lloyd import Partition, lloyd
from models.space import F64, Ints, Space
from models.structure import quality, with_merge, with_split

MOST_SEGMENTS = 8
SMALLEST_SHARE = 0.015
SMALLEST_COUNT = 6
MARGIN = 0.01


class PanelKMeans:
    """Lloyd's steps from where the last call left off; structure changes when it pays."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._centroids: F64 | None = None

    @property
    def natural(self) -> bool:
        return True

    def learn(self, Z: F64, changed: Ints) -> Partition:
        if self._centroids is None:
            found = lloyd(Z, Z.mean(axis=0)[None, :], 1)
        else:
            found = lloyd(Z, self._centroids, 5)
        for _ in range(MOST_SEGMENTS):
            better = self._better(Z, found)
            if better is None:
                break
            found = better
        self._centroids = found.centroids
        return found

    def move(self, old: Space, new: Space, found: Partition) -> Partition:
        self._centroids = found.centroids
        return found

    def state(self) -> dict[str, Any]:
        return {"centroids": [] if self._centroids is None else self._centroids.tolist()}

    def widened(self, state: dict[str, Any], more: int) -> dict[str, Any]:
        return state | {"centroids": [[*row, *[0.0] * more] for row in state["centroids"]]}

    def restore(self, state: dict[str, Any], Z: F64) -> None:
        if state["centroids"]:
            self._centroids = np.array(state["centroids"], dtype=np.float64)

    def _better(self, Z: F64, found: Partition) -> Partition | None:
        d = Z.shape[1]
        offers = [with_merge(Z, found, i, j, 3) for i in range(found.k) for j in range(i)]
        if found.k < MOST_SEGMENTS:
            least = max(SMALLEST_COUNT, int(SMALLEST_SHARE * len(Z)))
            rows = [row for row in range(found.k) if found.counts[row] >= 2 * least]
            splits = [with_split(Z, found, row, 5) for row in rows]
            offers += [split for split in splits if split.counts.min() >= least]
        best = max(offers, key=lambda offer: quality(offer, d), default=None)
        if best is None or quality(best, d) < quality(found, d) + MARGIN:
            return None
        return best
