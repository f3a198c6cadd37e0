"""Who has moved: the customers of the panel now, and where the same ones lay a while ago.

A new group shows itself long before it tells in how well segments fit: by chance as many customers
leave a place as come to it, so that an excess of those who come is told from few.
"""

from dataclasses import dataclass

import numpy as np

from models.lineage import SAME, overlap
from models.lloyd import Partition, partition
from models.space import F64, Ints, distances

#: A segment is of newcomers when the excess of those who came is so many standard errors, and so
#: large a part of the segment.
ARRIVED_Z, ARRIVED_SHARE = 4.5, 0.35
#: So many places are looked at to find so many where customers come together, in so many steps.
DRAWN, PLACES, STEPS = 40, 3, 3


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """The same customers twice.

    Attributes
    ----------
    rows
        Of the panel, shape (m,).
    now, then
        Points, shape (m, d).
    """

    rows: Ints
    now: F64
    then: F64

    def newcomers(self, here: Partition, found: Partition) -> bool:
        """Whether what `found` has more than `here` is segments of newcomers."""
        if found.k <= here.k or not len(self.rows):
            return False
        shared = overlap(here.labels, found.labels, here.k, found.k)
        alike = shared / np.maximum(here.counts[:, None] + found.counts[None, :] - shared, 1.0)
        new = alike.max(axis=0) < SAME
        came, left = self._counts(found)
        excess = came - left
        sure = excess >= ARRIVED_Z * np.sqrt(came + left)
        return bool(new.any() and (sure & (excess >= ARRIVED_SHARE * found.counts))[new].all())

    def gatherings(self, centroids: F64, rng: np.random.Generator) -> list[F64]:
        """Centroids with one more each, where customers have come to that were elsewhere."""
        if not len(self.rows):
            return []
        now = distances(self.now, centroids).min(axis=1)
        then = distances(self.then, centroids).min(axis=1)
        weights = np.maximum(now - then, 0.0)
        if weights.sum() <= 0.0:
            return []
        drawn = self.now[rng.choice(len(now), size=DRAWN, p=weights / weights.sum())]
        saved = np.maximum(now[:, None] - distances(self.now, drawn), 0.0)
        saved -= np.maximum(then[:, None] - distances(self.then, drawn), 0.0)
        offered = []
        for _ in range(PLACES):
            centre, near = self._gathered(drawn[[int(saved.sum(axis=0).argmax())]], now, then)
            offered.append(np.concatenate([centroids, centre]))
            saved[near] = 0.0
        return offered

    def _gathered(self, centre: F64, now: F64, then: F64) -> tuple[F64, Ints]:
        """The mean of those who have come to be nearest to a place, and who is nearest to it."""
        near = np.zeros(len(now), dtype=bool)
        for _ in range(STEPS):
            near = distances(self.now, centre)[:, 0] < now
            came = near & (distances(self.then, centre)[:, 0] >= then)
            if came.any():
                centre = self.now[came].mean(axis=0)[None, :]
        return centre, np.flatnonzero(near)

    def _counts(self, found: Partition) -> tuple[F64, F64]:
        """How many came to and left each segment, shape (k,)."""
        now = found.labels[self.rows]
        then = partition(self.then, found.centroids).labels
        moved = now != then
        came = np.bincount(now[moved], minlength=found.k).astype(np.float64)
        return came, np.bincount(then[moved], minlength=found.k).astype(np.float64)
