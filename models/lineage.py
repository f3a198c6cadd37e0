"""Which new segment is which old one, and what became of the others.

Ids go on by overlap of the same customers divided twice (MONIC, Spiliopoulou et al. 2006). Where a
new segment's customers came from is told by what they were some time ago, as a customer that
changes is for a while in whatever segment is nearest.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.snapshot import UNASSIGNED, Change
from models.space import F64, Ints

#: An id goes on when old and new share so much of their union (Jaccard), else it is a new one.
SAME = 1 / 3
#: A segment that supplied at least so much of a new one is a parent; so much makes it the only.
PARENT, ONLY = 0.25, 0.6
#: Share of a new segment's customers that must have come from elsewhere to tell where from.
MOVED = 0.3
#: The child of a segment that is so many times as large as what is left of it is that segment;
#: who has come to the old place from elsewhere is not left of it.
MOSTLY_MOVED = 2.5
#: Past ids are between one and two of these many ticks old.
MEMORY_TICKS = 40
#: A panel that is so many times as large as when it was last looked at has grown.
GROWN = 1.25
#: For so long the child of a segment that vanishes may turn out to be that segment, moved.
HEIR_TICKS = 240


class Memory:
    """What segment each customer of the panel was in, some time ago."""

    def __init__(
        self,
        ticks: int = 0,
        then: dict[str, int] | None = None,
        lately: dict[str, int] | None = None,
        origins: dict[str, tuple[int, int]] | None = None,
    ) -> None:
        self.ticks = ticks
        self._then, self._lately, self._origins = then or {}, lately or {}, origins or {}

    def tick(self, customers: Iterable[str], ids: Ints) -> None:
        """Once per tick: the segments now.

        They are taken in every `MEMORY_TICKS`, and when the panel has grown: what a few customers
        were does not tell what became of many.
        """
        customers = list(customers)
        if self.ticks % MEMORY_TICKS == 0 or len(customers) > GROWN * len(self._lately):
            self._then = self._lately
            self._lately = dict(zip(customers, ids.tolist(), strict=True))
            self._origins = {
                name: (i, tick)
                for name, (i, tick) in self._origins.items()
                if self.ticks - tick < MEMORY_TICKS
            }
        self.ticks += 1

    def past(self, customers: Iterable[str]) -> Ints:
        """Segments then; `UNASSIGNED` for customers that were not there."""
        source = self._then or self._lately
        return np.array([source.get(name, UNASSIGNED) for name in customers], dtype=np.int64)

    def origins(self, customers: Iterable[str]) -> Ints:
        """The same, but where customers were before they were relabelled."""
        names = list(customers)
        past = self.past(names).tolist()
        known = [self._origins.get(name, (i, 0))[0] for name, i in zip(names, past, strict=True)]
        return np.array(known, dtype=np.int64)

    def relabel(self, customers: Iterable[str], ids: Ints, young: set[int]) -> None:
        """Customers that are now in a young segment were always in it, so that it can be known."""
        for name, i in zip(customers, ids.tolist(), strict=True):
            if i in young:
                before = (self._then or self._lately).get(name, UNASSIGNED)
                if before != i:
                    self._origins.setdefault(name, (before, self.ticks))
                self._lately[name] = i
                if self._then:
                    self._then[name] = i

    def customers(self) -> set[str]:
        """Everybody of whom something is remembered."""
        return {*self._then, *self._lately, *self._origins}

    def drop(self, customers: Iterable[str]) -> None:
        """Remember nothing of these."""
        for name in customers:
            self._then.pop(name, None)
            self._lately.pop(name, None)
            self._origins.pop(name, None)

    def parts(
        self,
    ) -> tuple[int, dict[str, int], dict[str, int], dict[str, tuple[int, int]]]:
        """The arguments that make such a memory again."""
        return self.ticks, self._then, self._lately, self._origins


@dataclass(frozen=True, slots=True)
class Lineage:
    """Ids of the new rows, the parents of the new ones, and the changes."""

    ids: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    changes: tuple[Change, ...]


def overlap(old: Ints, new: Ints, olds: int, news: int) -> F64:
    """Customers in each pair of an old and a new segment, shape (olds, news)."""
    flat = np.bincount(old * news + new, minlength=olds * news)
    return flat.reshape(olds, news).astype(np.float64)


def matched(shared: F64) -> dict[int, int]:
    """New row → old row, so that the shared customers are most; unlike pairs are left out.

    Parameters
    ----------
    shared
        Customers in each pair, shape (old, new), of the same customers divided twice.
    """
    sizes_old, sizes_new = shared.sum(axis=1), shared.sum(axis=0)
    union = sizes_old[:, None] + sizes_new[None, :] - shared
    jaccard = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    pairs = zip(*linear_sum_assignment(-jaccard), strict=True)
    return {int(new): int(old) for old, new in pairs if jaccard[old, new] >= SAME}


def trace(
    old_ids: Sequence[int], old: Ints, past: Ints, now: Ints, k: int, next_id: int,
    heirs: dict[int, int], origins: Ints | None = None,
) -> Lineage:  # fmt: skip
    """Ids for new segments, and what happened.

    Parameters
    ----------
    old_ids
        Ids in force.
    old
        Row of `old_ids` that each customer's vector is nearest to.
    past
        Id of the segment that each customer was in some time ago.
    now, k
        New row of each customer, and how many rows there are.
    next_id
        The first id never used.
    heirs
        Young segment → the one most of its customers came from; if that vanishes now, or hardly
        anything is left of it, the young one is the old one, moved, and takes its id.
    origins
        Like `past`, without young segments: where customers were before these. `past` if omitted.
    """
    origins = past if origins is None else origins
    ids = _continued(old_ids, old, past, now, k)
    gone = [i for i in old_ids if i not in ids]
    changes, found_again = [], set[int]()
    for child, parent in heirs.items():
        if parent in gone and child in ids:
            ids[ids.index(child)] = parent
            gone.remove(parent)
            found_again.add(parent)
            changes.append(Change("merged", child, (parent,)))
    sizes = np.bincount(now, minlength=k)
    parents: list[tuple[int, ...]] = [()] * k
    for child, parent in heirs.items():
        if child in ids and parent in ids and parent not in found_again:
            here, left = ids.index(child), ids.index(parent)
            came = ((now == left) & (past != UNASSIGNED) & (past != parent)).sum()
            if sizes[here] >= MOSTLY_MOVED * (sizes[left] - came):
                ids[here], ids[left], parents[left] = parent, next_id, (parent,)
                found_again.add(parent)
                changes += [Change("merged", child, (parent,)), Change("split", next_id, (parent,))]
                next_id += 1
    places = np.array([*old_ids, UNASSIGNED])
    for row in [row for row, known in enumerate(ids) if not known]:
        ids[row] = next_id
        next_id += 1
        mine = now == row
        came, only = _sources(past[mine], places[old[mine]])
        if only and not _main(origins[mine][origins[mine] != UNASSIGNED])[1]:
            # Off a young segment that held the first of them, but from everywhere before that.
            only = False
        parents[row] = came
        changes.append(Change("split" if only else "born", ids[row], came))
    for i in gone:
        into, only = _main(np.array(ids)[now[past == i]], set(ids))
        changes.append(Change("merged" if only else "died", i, into if only else ()))
    return Lineage(tuple(ids), tuple(parents), tuple(changes))


def _continued(old_ids: Sequence[int], old: Ints, past: Ints, now: Ints, k: int) -> list[int]:
    """The old id of each new row, 0 for none.

    First by the customers that were in it (who was not there counts by place), then, for one that
    has lost most of them, by place.
    """
    ids = [0] * k
    if not old_ids:
        return ids
    place = {i: row for row, i in enumerate(old_ids)}
    known = np.array([i in place or i == UNASSIGNED for i in past.tolist()], dtype=bool)
    was = np.array([place.get(i, 0) for i in past.tolist()], dtype=np.int64)
    was = np.where(past == UNASSIGNED, old, was)
    by_customers = overlap(was[known], now[known], len(old_ids), k)
    for new, row in matched(by_customers).items():
        ids[new] = old_ids[row]
    by_place = overlap(old, now, len(old_ids), k)
    for row, i in enumerate(old_ids):
        by_place[row] *= i not in ids
    by_place[:, [new for new in range(k) if ids[new]]] = 0.0
    for new, row in matched(by_place).items():
        ids[new] = old_ids[row]
    return ids


def _sources(past: Ints, place: Ints) -> tuple[tuple[int, ...], bool]:
    """Where the customers of a new segment came from, and whether it was one segment.

    Many that are in it have not moved at all: they lie at the border of the segment (`place`)
    that the new one was carved out of. If enough have moved, these tell.
    """
    known = past != UNASSIGNED
    moved = known & (past != place)
    came, only = _main(past[known])
    if moved.sum() < MOVED * known.sum():
        return came, only
    movers, only = _main(past[moved])
    if only and (past[known] == movers[0]).mean() > 0.5:
        return movers, True
    return came, False


def _main(ids: Ints, known: set[int] | None = None) -> tuple[tuple[int, ...], bool]:
    """The ids that are a large part of these, and whether one is nearly all."""
    counts = Counter(i for i in ids.tolist() if known is None or i in known)
    total = sum(counts.values())
    large = [(i, n) for i, n in counts.most_common() if n >= PARENT * total]
    if large and large[0][1] >= ONLY * total:
        return (large[0][0],), True
    return tuple(i for i, _ in large), False
