"""Who has moved: the customers of the panel now, and where the same ones lay a while ago.

A new group shows itself long before it tells in how well segments fit: by chance as many customers
leave a place as come to it, so that an excess of those who come is told from few.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.lineage import ONLY, SAME, overlap
from models.lloyd import Partition, means, partition
from models.space import F64, Bools, Ints, distances

#: A segment may be of newcomers when the excess of those who came is so many standard errors, and
#: a third of it or more: then it is more than what others gain or lose by chance.
ARRIVED_Z, ARRIVED_SHARE = 3.0, 0.35
#: With so many there is no doubt, in whatever place (one in 10^5 by chance).
CERTAIN_Z = 4.5
#: So many places are looked at to find so many where customers come together, in so many steps.
DRAWN, PLACES, STEPS = 40, 3, 3


@dataclass(frozen=True, slots=True)
class News:
    """A segment of newcomers.

    Attributes
    ----------
    row
        Of the partition that has it.
    evidence
        Log-likelihood ratio (nats) of so many who came and so many who left, as they are, to as
        many either way.
    movers
        A segment that was known before has moved, or is about to: no new group is needed to tell
        why so many have come.
    """

    row: int
    evidence: float
    movers: bool


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

    def newcomers(self, here: Partition, found: Partition) -> News | None:
        """What `found` has more than `here`, if that is one segment of newcomers."""
        if found.k != here.k + 1 or not len(self.rows):
            return None
        now, then = self._labels(found)
        came, left = _counts(_flows(then, now, found.k), found)
        z = np.where(came - left >= ARRIVED_SHARE * found.counts, _errors(came, left), 0.0)
        rows = [int(row) for row in np.argsort(-z) if z[row] >= ARRIVED_Z]
        row = next((row for row in rows if _continues(here, found, row)), None)
        if row is None:
            return None
        movers = self._explained(here, (now == row) & (then != row))
        if movers and z[row] < CERTAIN_Z:
            return None
        flow = np.array([came[row], left[row]])
        ratio = (flow * np.log(np.maximum(2.0 * flow / flow.sum(), 1e-12))).sum()
        return News(row, float(ratio), movers)

    def settled(self, Z: F64, centroids: F64, row: int, steps: int) -> Partition:
        """Lloyd's steps, but for one row: its centroid is the mean of the newcomers to it.

        While a new group shows itself, most of those nearest to its place are of others, and the
        mean of all of them would be drawn away from it. Of those who come some always did: they
        lie where those lay who have left, so these are taken off the sum.
        """
        current = partition(Z, centroids)
        for _ in range(steps):
            moved = means(Z, current.labels, current.k, current.centroids)
            moved[row] = self._newcomer(current, row)
            current = partition(Z, moved)
        return current

    def _newcomer(self, found: Partition, row: int) -> F64:
        now, then = self._labels(found)
        came, left = (now == row) & (then != row), (then == row) & (now != row)
        excess = int(came.sum()) - int(left.sum())
        mean: F64 = found.centroids[row]
        if excess > 0 and excess >= ARRIVED_SHARE * found.counts[row]:
            mean = (self.now[came].sum(axis=0) - self.then[left].sum(axis=0)) / excess
        return mean

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

    def _explained(self, here: Partition, arrivals: Bools) -> bool:
        """Whether most of these have come from where many leave, or have only just come to."""
        now, then = self._labels(here)
        flows = _flows(then, now, here.k)
        moving = np.abs(_errors(flows.sum(axis=0), flows.sum(axis=1))) >= CERTAIN_Z
        return bool(moving[then[arrivals]].sum() >= ONLY * arrivals.sum())

    def _labels(self, found: Partition) -> tuple[Ints, Ints]:
        """The segments the customers are in now, and those they would have been in."""
        return found.labels[self.rows], partition(self.then, found.centroids).labels


def _flows(then: Ints, now: Ints, k: int) -> F64:
    """How many went from one segment to another, shape (k, k)."""
    flows = overlap(then, now, k, k)
    np.fill_diagonal(flows, 0.0)
    return flows


def _counts(flows: F64, found: Partition) -> tuple[F64, F64]:
    """How many came to and left each segment, shape (k,).

    Who goes to a segment that is certainly of newcomers is no part of the balance.
    """
    came, left = flows.sum(axis=0), flows.sum(axis=1)
    many = came - left >= ARRIVED_SHARE * found.counts
    known = many & (_errors(came, left) >= CERTAIN_Z)
    return flows[~known].sum(axis=0), flows[:, ~known].sum(axis=1)


def _errors(came: F64, left: F64) -> F64:
    """The excess of those who came, in standard errors."""
    return (came - left) / np.sqrt(np.maximum(came + left, 1.0))


def _continues(here: Partition, found: Partition, row: int) -> bool:
    """Whether all but one of the new segments are the old ones, by the customers they share."""
    shared = overlap(here.labels, found.labels, here.k, found.k)
    alike = shared / np.maximum(here.counts[:, None] + found.counts[None, :] - shared, 1.0)
    others = np.delete(alike, row, axis=1)
    return bool(others[linear_sum_assignment(-others)].min() >= SAME)
