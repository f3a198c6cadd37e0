"""Any River clusterer as a learner of the panel."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from river.base import Clusterer

from models.lloyd import Partition, means, partition
from models.space import F64, Bools, Ints, Space


class RiverLearner:
    """Feeds a River clusterer the panel's new points, and reads its partition off.

    Clusterers with `centers` are scored with these, in bulk; of the others every point is asked
    for, and a segment's centroid is the mean of its points. What River keeps inside cannot be
    stored safely (it has no format but pickle), so after a restart, and when the space moves, it
    learns the panel again.

    Parameters
    ----------
    make
        Returns a new clusterer.
    features
        Names of the columns.
    """

    def __init__(self, make: Callable[[], Clusterer], features: Sequence[str]) -> None:
        self._make, self._features = make, tuple(features)
        self._model = make()
        self._learned = 0

    natural = True
    generation = 0

    @property
    def held(self) -> list[int]:
        return []

    def recall(self, known: Ints, then: F64, seen: Bools) -> None:
        """It learns from what comes: what was does not matter."""

    def learn(self, Z: F64, changed: Ints) -> Partition:
        for row in changed:
            self._model.learn_one(self._row(Z[row]))
            self._learned += 1
        return self._partition(Z)

    def move(self, old: Space, new: Space, found: Partition) -> Partition:
        return found

    def state(self) -> dict[str, Any]:
        return {"learned": self._learned}

    def widened(self, state: dict[str, Any], more: int) -> dict[str, Any]:
        return state

    def restore(self, state: dict[str, Any], Z: F64) -> None:
        self._model = self._make()
        self.learn(Z, np.arange(len(Z)))

    def _row(self, z: F64) -> dict[Hashable, Any]:
        return dict(zip(self._features, z.tolist(), strict=True))

    def _partition(self, Z: F64) -> Partition:
        centers = getattr(self._model, "centers", None)
        if centers:
            rows = [[float(centre[name]) for name in self._features] for centre in centers.values()]
            found = partition(Z, np.array(rows))
            used = found.counts > 0
            return partition(Z, found.centroids[used])
        asked = [self._model.predict_one(self._row(z)) for z in Z]
        _, labels = np.unique(asked, return_inverse=True)
        k = int(labels.max()) + 1
        return partition(Z, means(Z, labels, k, np.zeros((k, Z.shape[1]))))
