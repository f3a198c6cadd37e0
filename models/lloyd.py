"""Lloyd's steps on points held in memory, and the sums they need."""

from dataclasses import dataclass

import numpy as np

from models.space import F64, Ints, distances


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Points divided among centroids.

    Attributes
    ----------
    centroids
        Shape (k, d).
    labels
        Row of the nearest centroid, shape (n,).
    counts
        Points of each centroid, shape (k,).
    sse
        Sum of squared distances of each centroid's points from it, shape (k,).
    """

    centroids: F64
    labels: Ints
    counts: Ints
    sse: F64

    @property
    def k(self) -> int:
        return len(self.centroids)

    @property
    def inertia(self) -> float:
        return float(self.sse.sum())


def partition(Z: F64, centroids: F64) -> Partition:
    """Every point to its nearest centroid."""
    D = distances(Z, centroids)
    labels = D.argmin(axis=1)
    nearest = D[np.arange(len(Z)), labels]
    k = len(centroids)
    counts = np.bincount(labels, minlength=k)
    sse = np.bincount(labels, weights=nearest, minlength=k).astype(np.float64)
    return Partition(centroids, labels, counts, sse)


def means(Z: F64, labels: Ints, k: int, fallback: F64) -> F64:
    """Mean of each label's points, shape (k, d); `fallback`'s row where there are none."""
    counts = np.bincount(labels, minlength=k)
    member = np.zeros((k, len(Z)))
    member[labels, np.arange(len(Z))] = 1.0
    sums = member @ Z
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], fallback)


def lloyd(Z: F64, centroids: F64, steps: int) -> Partition:
    """At most `steps` of Lloyd's steps, fewer when nothing moves any more."""
    current = partition(Z, centroids)
    for _ in range(steps):
        moved = means(Z, current.labels, current.k, current.centroids)
        following = partition(Z, moved)
        still = np.array_equal(following.labels, current.labels)
        current = following
        if still:
            break
    return current


def spread_out(Z: F64, k: int, rng: np.random.Generator) -> F64:
    """k points far from each other (k-means++, Arthur and Vassilvitskii 2007)."""
    chosen = Z[rng.integers(len(Z), size=1)]
    while len(chosen) < k:
        chosen = np.concatenate([chosen, far_point(Z, chosen, rng)])
    return chosen


def far_point(Z: F64, centroids: F64, rng: np.random.Generator) -> F64:
    """One more centroid, shape (1, d).

    Of a few points drawn with a chance in proportion to the squared distance from the nearest
    centroid, the one that leaves the least inertia.
    """
    nearest = distances(Z, centroids).min(axis=1)
    total = float(nearest.sum())
    if total <= 0.0:
        return Z[rng.integers(len(Z), size=1)]
    drawn = rng.choice(len(Z), size=2 + int(np.log(len(centroids) + 1)), p=nearest / total)
    left = np.minimum(nearest[:, None], distances(Z, Z[drawn])).sum(axis=0)
    return Z[drawn[[int(left.argmin())]]]


def swapped(Z: F64, centroids: F64, rng: np.random.Generator) -> F64:
    """A centroid taken out at random, another put in (random swap, Fränti 2018)."""
    kept = np.delete(centroids, rng.integers(len(centroids)), axis=0)
    if not len(kept):
        return centroids
    return np.concatenate([kept, far_point(Z, kept, rng)])


def best_of(Z: F64, k: int, starts: int, rng: np.random.Generator, steps: int = 100) -> Partition:
    """Batch k-means: the least inertia of several starts."""
    found = [lloyd(Z, spread_out(Z, k, rng), steps) for _ in range(starts)]
    return min(found, key=lambda result: result.inertia)
