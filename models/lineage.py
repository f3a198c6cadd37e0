"""Which new segment is which old one: ids by overlap, and what became of the others."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.snapshot import Change
from models.space import F64, Ints

#: An id goes on when old and new share so much of their union (Jaccard), else it is a new one.
SAME = 1 / 3
#: A share of a segment's customers from which on it came from, or went into, another.
FROM = 0.25


@dataclass(frozen=True, slots=True)
class Lineage:
    """Ids of the new rows, their parents, and the changes."""

    ids: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    changes: tuple[Change, ...]


def overlap(old: Ints, new: Ints, olds: int, news: int) -> F64:
    """Customers in each pair of an old and a new segment, shape (olds, news)."""
    flat = np.bincount(old * news + new, minlength=olds * news)
    return flat.reshape(olds, news).astype(np.float64)


def trace(old_ids: tuple[int, ...], shared: F64, next_id: int) -> Lineage:
    """Ids for new segments, matched with the old ones so that the shared customers are most.

    Parameters
    ----------
    old_ids
        Of the rows of `shared`.
    shared
        Customers in each pair, shape (old, new), of the same customers divided twice.
    next_id
        The first id never used.
    """
    news = shared.shape[1]
    sizes_old, sizes_new = shared.sum(axis=1), shared.sum(axis=0)
    union = sizes_old[:, None] + sizes_new[None, :] - shared
    jaccard = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    ids: list[int] = [0] * news
    for i, j in zip(*linear_sum_assignment(-jaccard), strict=True):
        if jaccard[i, j] >= SAME:
            ids[j] = old_ids[i]
    fresh = [j for j in range(news) if not ids[j]]
    for offset, j in enumerate(fresh):
        ids[j] = next_id + offset
    parents = tuple(_sources(old_ids, shared[:, j]) if j in fresh else () for j in range(news))
    changes = [_arrived(ids[j], parents[j], old_ids, ids) for j in fresh]
    changes += [
        _gone(old_ids[i], shared[i], ids) for i in range(len(old_ids)) if old_ids[i] not in ids
    ]
    return Lineage(tuple(ids), parents, tuple(changes))


def _sources(old_ids: tuple[int, ...], column: F64) -> tuple[int, ...]:
    total = column.sum()
    return tuple(old_ids[i] for i in range(len(old_ids)) if total and column[i] >= FROM * total)


def _arrived(
    new: int, parents: tuple[int, ...], old_ids: tuple[int, ...], ids: list[int]
) -> Change:
    """A new segment whose customers were mostly in one that goes on is split off from it."""
    split = len(parents) == 1
    return Change("split" if split else "born", new, parents)


def _gone(old: int, row: F64, ids: list[int]) -> Change:
    """A segment whose customers are now in others was merged; an empty one died."""
    total = row.sum()
    heirs = tuple(ids[j] for j in range(len(ids)) if total and row[j] >= FROM * total)
    return Change("merged" if heirs else "died", old, heirs)
