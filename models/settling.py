"""Which segment a customer is in, given its distances and the segment it was in: hysteresis."""

import numpy as np

from models.space import F32, F64, Ints

#: Two segments in one place are equally near.
TINY = 1e-12
#: Up to so many customers, going through them one by one is faster than NumPy's calls.
FEW = 32


def settle(D: F64, here: list[int] | Ints, nearer: list[float]) -> tuple[list[int] | Ints, F32]:
    """Rows of the segments that customers belong to, and how sure that is.

    Parameters
    ----------
    D
        Squared distances of customers from centroids, shape (n, k); may be overwritten.
    here
        Row of the segment each customer is in, -1 for none; a list if n is at most `FEW`.
    nearer
        A customer moves to a segment only when its squared distance is less than this part of
        the old one, one for each segment.

    Returns
    -------
    rows, confidence
        See `Snapshot.assign`.
    """
    if isinstance(here, list):
        return _one_by_one(D.tolist(), here, nearer)
    return _at_once(D, here, nearer)


def _one_by_one(
    D: list[list[float]], here: list[int], nearer: list[float]
) -> tuple[list[int], F32]:
    rows, sure = [], []
    for distances, own in zip(D, here, strict=True):
        best = min(distances)
        if best < distances[own] or own < 0:
            nearest = distances.index(best)
            if own < 0 or best < nearer[nearest] * distances[own]:
                own = nearest
        rows.append(own)
        own_d, distances[own] = distances[own], np.inf
        other = min(distances)
        alone = other == np.inf
        sure.append(1.0 if alone else (other + TINY) / (own_d + other + 2.0 * TINY))
    return rows, np.array(sure, dtype=np.float32)


def _at_once(D: F64, here: Ints, nearer: list[float]) -> tuple[Ints, F32]:
    every = np.arange(len(D))
    nearest = D.argmin(axis=1)
    own = np.where(here >= 0, here, nearest)
    own_d, best = D[every, own], D[every, nearest]
    moves = best < np.array(nearer)[nearest] * own_d
    rows = np.where(moves, nearest, own)
    if D.shape[1] == 1:
        return rows, np.ones(len(D), dtype=np.float32)
    own_d = np.where(moves, best, own_d)
    D[every, rows] = np.inf
    other = D.min(axis=1)
    confidence = (other + TINY) / (own_d + other + 2.0 * TINY)
    return rows, confidence.astype(np.float32)
