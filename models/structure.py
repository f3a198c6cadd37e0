"""How many segments: a criterion for partitions, and the changes of structure it is asked about."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.lloyd import Partition, far_point, lloyd, spread_out
from models.space import F64, Ints

#: What one more segment must bring, in nats per customer and feature; more in a small panel,
#: where chance alone brings something.
COST = 0.001
CHANCE = 1.2
#: More segments than so many must bring this much more each, as people do not keep them apart.
PLENTY, PLENTY_COST = 8, 0.08
#: Covariances are drawn towards the common one by so many customers per feature.
SHRINK = 4
#: Variance below which a difference is no matter: a feature that is 0 for nearly everybody in a
#: segment would otherwise count without bound.
GRAIN = 0.05
#: Of a feature with few values it is so much of the squared distance from one to the next, on
#: average: one of two values is then never worth a group of its own (p(1-p) / .1 beside p ln p).
STEP = 0.1
LOCAL_STEPS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sizes, means and scatter matrices of the groups of a partition: (k,), (k, d), (k, d, d).

    `grain` is the variance of each feature below which a difference is no matter, shape (d,).
    """

    counts: F64
    means: F64
    scatters: F64
    grain: F64

    @classmethod
    def of(cls, Z: F64, labels: Ints, k: int, grain: F64 | None = None) -> "Moments":
        groups = [Z[labels == row] for row in range(k)]
        means = [group.mean(axis=0) if len(group) else np.zeros(Z.shape[1]) for group in groups]
        centred = [group - mean for group, mean in zip(groups, means, strict=True)]
        return cls(
            np.array([len(group) for group in groups], dtype=np.float64),
            np.array(means),
            np.array([c.T @ c for c in centred]),
            np.full(Z.shape[1], GRAIN) if grain is None else grain,
        )

    def without(self, *rows: int) -> "Moments":
        keep = [row for row in range(len(self.counts)) if row not in rows]
        return Moments(self.counts[keep], self.means[keep], self.scatters[keep], self.grain)

    def joined(self, other: "Moments") -> "Moments":
        return Moments(
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.means, other.means]),
            np.concatenate([self.scatters, other.scatters]),
            self.grain,
        )

    def merged(self, a: int, b: int) -> "Moments":
        """Groups a and b as one, at the end."""
        n = self.counts[a] + self.counts[b]
        apart = self.means[a] - self.means[b]
        share = self.counts[a] * self.counts[b] / max(n, 1.0)
        scatter = self.scatters[a] + self.scatters[b] + share * np.outer(apart, apart)
        mean = (self.counts[a] * self.means[a] + self.counts[b] * self.means[b]) / max(n, 1.0)
        both = Moments(np.array([n]), mean[None, :], scatter[None, :, :], self.grain)
        return self.without(a, b).joined(both)


def grains(Z: F64) -> F64:
    """The grain of each feature, shape (d,): coarser where it has few values.

    What lies at 0 exactly is unknown, and no value of its own.
    """
    return np.maximum(GRAIN, STEP * np.array([_step(np.sort(z[z != 0.0])) for z in Z.T]))


def _step(ordered: F64) -> float:
    """The squared distance of a customer's value from the nearest other one, on average."""
    starts = np.flatnonzero(np.diff(ordered, prepend=np.nan) != 0.0)
    if len(starts) < 2:
        return 0.0
    gaps = np.diff(ordered[starts])
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    counts = np.diff(np.append(starts, len(ordered)))
    return float((counts * nearest**2).sum() / len(ordered))


def quality(groups: Moments) -> float:
    """Nats per customer: how well the groups describe the customers, less the price of each.

    ``Σ π·(ln π - ½ ln|S|) - cost·k``: the classification likelihood of normal groups with shapes
    of their own (Celeux and Govaert 1995, the general model), each covariance ``S`` drawn towards
    the common one. Groups may so be long in any direction without being taken for two.
    """
    n, d = float(groups.counts.sum()), groups.means.shape[1]
    filled = groups.counts > 0
    counts, scatters = groups.counts[filled], groups.scatters[filled]
    common = scatters.sum(axis=0) / n
    pull = SHRINK * d
    shapes = (scatters + pull * common) / (counts + pull)[:, None, None] + np.diag(groups.grain)
    shares = counts / n
    volume = np.linalg.slogdet(shapes)[1]
    k = len(groups.counts)
    price = (COST + CHANCE / n) * d * k + PLENTY_COST * max(0, k - PLENTY)
    return float((shares * (np.log(shares) - 0.5 * volume)).sum() - price)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A partition with its quality."""

    found: Partition
    score: float

    @classmethod
    def of(cls, Z: F64, found: Partition, grain: F64) -> "Scored":
        return cls(found, quality(Moments.of(Z, found.labels, found.k, grain)))

    @classmethod
    def after(cls, Z: F64, centroids: F64, steps: int, grain: F64) -> "Scored":
        """After so many of Lloyd's steps."""
        return cls.of(Z, lloyd(Z, centroids, steps), grain)


def proposals(
    Z: F64, found: Partition, rng: np.random.Generator, smallest: int, most: int, grain: F64
) -> list[F64]:
    """Centroids of the best merge, the best split and the best swap of both, by moments alone."""
    groups = Moments.of(Z, found.labels, found.k, grain)
    offered = []
    if found.k < most:
        offered.append(np.concatenate([found.centroids, far_point(Z, found.centroids, rng)]))
    split = best_split(Z, found, groups, rng, smallest) if found.k < most else None
    if split is not None:
        offered.append(_split(found.centroids, *split))
    pair = best_merge(groups)
    if pair is not None:
        merged = lloyd(Z, _merged(groups, *pair), 1)
        offered.append(merged.centroids)
        moments = Moments.of(Z, merged.labels, merged.k, grain)
        again = best_split(Z, merged, moments, rng, smallest)
        if again is not None:
            offered.append(_split(merged.centroids, *again))
    return offered


def best_merge(groups: Moments) -> tuple[int, int] | None:
    """The pair of groups that is best made one."""
    k = len(groups.counts)
    pairs = [(a, b) for a in range(k) for b in range(a)]
    if not pairs:
        return None
    return max(pairs, key=lambda pair: quality(groups.merged(*pair)))


def best_split(
    Z: F64, found: Partition, groups: Moments, rng: np.random.Generator, smallest: int
) -> tuple[int, F64] | None:
    """The group that is best made two, and their centroids (2, d)."""
    best: tuple[float, int, F64] | None = None
    for row in np.flatnonzero(found.counts >= 2 * smallest):
        mine = Z[found.labels == row]
        rest = groups.without(int(row))
        for start in _starts(mine, rng):
            two = lloyd(mine, start, LOCAL_STEPS)
            if two.counts.min() < smallest:
                continue
            score = quality(rest.joined(Moments.of(mine, two.labels, 2, groups.grain)))
            if best is None or score > best[0]:
                best = (score, int(row), two.centroids)
    return None if best is None else best[1:]


def elsewhere(Z: F64, found: Partition, row: int, rng: np.random.Generator) -> F64:
    """Centroids with one taken out, and the widest of the other groups made two."""
    rest = lloyd(Z, np.delete(found.centroids, row, axis=0), 1)
    widest = int(np.where(rest.counts > 0, rest.sse, -1.0).argmax())
    return _split(rest.centroids, widest, next(_starts(Z[rest.labels == widest], rng)))


def _starts(Z: F64, rng: np.random.Generator) -> Iterator[F64]:
    """Pairs of first centroids: along the longest direction, and two far-apart points, twice."""
    centre = Z.mean(axis=0)
    centred = Z - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / len(Z))
    step = np.sqrt(max(float(values[-1]), 0.0)) * vectors[:, -1]
    yield np.stack([centre - step, centre + step])
    yield spread_out(Z, 2, rng)
    yield spread_out(Z, 2, rng)


def _split(centroids: F64, row: int, two: F64) -> F64:
    wider = np.concatenate([centroids, two[1:]])
    wider[row] = two[0]
    return wider


def _merged(groups: Moments, a: int, b: int) -> F64:
    """Centroids with b's gone into a's row."""
    centroids = groups.means.copy()
    centroids[a] = groups.merged(a, b).means[-1]
    return np.delete(centroids, b, axis=0)
