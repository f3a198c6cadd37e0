"""How many segments: a criterion for partitions, and the proposals that are tried on it."""

import numpy as np

from models.lloyd import Partition, lloyd
from models.space import F64

#: What one more segment must bring, in nats per customer.
COST = 0.1


def quality(found: Partition, d: int, cost: float = COST) -> float:
    """Nats per customer: how tight the partition is, less what it takes to say who is where.

    ``-(d/2)·ln(SSE/(N·d)) + Σ π·ln π - cost·k``: the classification likelihood of round groups of
    one width (Celeux and Govaert 1992), with a price per group.
    """
    n = int(found.counts.sum())
    shares = found.counts[found.counts > 0] / n
    spread = max(found.inertia / (n * d), 1e-9)
    return float(-0.5 * d * np.log(spread) + (shares * np.log(shares)).sum() - cost * found.k)


def halves(Z: F64) -> F64:
    """Two centroids that divide points along their longest direction, shape (2, d)."""
    centre = Z.mean(axis=0)
    centred = Z - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / len(Z))
    step = np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
    return lloyd(Z, np.stack([centre - step, centre + step]), 5).centroids


def with_split(Z: F64, found: Partition, row: int, steps: int) -> Partition:
    """Centroid `row` replaced by two."""
    two = halves(Z[found.labels == row])
    centroids = np.concatenate([found.centroids, two[1:]])
    centroids[row] = two[0]
    return lloyd(Z, centroids, steps)


def with_merge(Z: F64, found: Partition, first: int, second: int, steps: int) -> Partition:
    """Two centroids replaced by their mean."""
    a, b = found.counts[first], found.counts[second]
    merged = found.centroids.copy()
    merged[first] = (a * merged[first] + b * merged[second]) / max(a + b, 1)
    return lloyd(Z, np.delete(merged, second, axis=0), steps)
