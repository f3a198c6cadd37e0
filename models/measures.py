"""Measures of partitions: agreement, churn, silhouette."""

import numpy as np

from models.space import F64, Ints, distances


def contingency(a: Ints, b: Ints) -> F64:
    """How many share each pair of labels, shape (labels of a, labels of b)."""
    _, rows = np.unique(a, return_inverse=True)
    _, columns = np.unique(b, return_inverse=True)
    k = int(columns.max()) + 1
    flat = np.bincount(rows * k + columns, minlength=(int(rows.max()) + 1) * k)
    return flat.reshape(-1, k).astype(np.float64)


def adjusted_rand(a: Ints, b: Ints) -> float:
    """Adjusted Rand index of two partitions (Hubert and Arabie 1985): 1 alike, 0 by chance."""
    table = contingency(a, b)
    pairs = (table * (table - 1)).sum() / 2
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    of_rows, of_columns = (rows * (rows - 1)).sum() / 2, (columns * (columns - 1)).sum() / 2
    expected = of_rows * of_columns / (len(a) * (len(a) - 1) / 2)
    most = (of_rows + of_columns) / 2
    return 1.0 if most == expected else float((pairs - expected) / (most - expected))


def best_f1(truth: Ints, labels: Ints, persona: int) -> tuple[float, int]:
    """The segment that is nearest to a persona: its F1 and its label."""
    mine = truth == persona
    best, which = 0.0, -1
    for label in np.unique(labels):
        segment = labels == label
        f1 = 2.0 * float((mine & segment).sum()) / float(mine.sum() + segment.sum())
        if f1 > best:
            best, which = f1, int(label)
    return best, which


def churn(before: Ints, after: Ints) -> float:
    """Share of customers with another id."""
    return float((before != after).mean()) if len(before) else 0.0


def silhouette(Z: F64, centroids: F64, labels: Ints) -> float:
    """Simplified silhouette (distances from centroids, Vendramin et al. 2010), mean, -1..1."""
    if len(centroids) < 2:
        return 0.0
    D = np.sqrt(distances(Z, centroids))
    every = np.arange(len(Z))
    own = D[every, labels]
    D[every, labels] = np.inf
    other = D.min(axis=1)
    widest = np.maximum(np.maximum(own, other), 1e-12)
    return float(((other - own) / widest).mean())
