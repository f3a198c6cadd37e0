"""Ids of segments from one publication to the next: what is remembered to tell who is who."""

from collections.abc import Collection

import numpy as np

from models.lineage import GROWN, HEIR_TICKS, MEMORY_TICKS, Lineage, Memory, trace
from models.lloyd import Partition, partition
from models.snapshot import UNASSIGNED, Snapshot
from models.space import F64, Ints, Space


class Ancestry:
    """Gives ids to new segments, and never one twice.

    Attributes
    ----------
    next_id
        The first id never used.
    memory
        What segment each customer was in some time ago.
    heirs
        Young segment → the one that most of its customers came from, and the tick when it came.
    """

    def __init__(
        self,
        next_id: int = 1,
        memory: Memory | None = None,
        heirs: dict[int, tuple[int, int]] | None = None,
    ) -> None:
        self.next_id = next_id
        self.memory = memory or Memory()
        self.heirs = heirs or {}

    def tick(self, customers: Collection[str], ids: Ints) -> None:
        """Once per tick: the segments that the customers of the panel are in now."""
        self.memory.tick(customers, ids)

    def trace(
        self, customers: Collection[str], before: Snapshot | None, space: Space, Z: F64,
        found: Partition,
    ) -> Lineage:  # fmt: skip
        """Ids of a new partition; what is remembered is brought up to date.

        Parameters
        ----------
        before
            The snapshot in force.
        space, Z
            The new space, and the customers' points in it.
        """
        lineage = self._traced(customers, before, space, Z, found)
        self.next_id = max(self.next_id, *(i + 1 for i in lineage.ids))
        return lineage

    def _traced(
        self, customers: Collection[str], before: Snapshot | None, space: Space, Z: F64,
        found: Partition,
    ) -> Lineage:  # fmt: skip
        if before is None:
            nobody, nowhere = np.full(len(Z), UNASSIGNED), np.zeros(len(Z), np.int64)
            return trace((), nowhere, nobody, found.labels, found.k, self.next_id, {})
        ticks = self.memory.ticks
        old = partition(Z, before.space.moved(before.centroids, space)).labels
        young = {c: p for c, (p, since) in self.heirs.items() if ticks - since <= HEIR_TICKS}
        past, old_ids = self.memory.past(customers), before.ids.tolist()
        origins = self.memory.origins(customers)
        lineage = trace(old_ids, old, past, found.labels, found.k, self.next_id, young, origins)
        growing = len(Z) > GROWN * before.trained_on
        self.settle(customers, np.array(lineage.ids)[found.labels], lineage, young, growing)
        return lineage

    def settle(
        self, customers: Collection[str], ids: Ints, lineage: Lineage, young: dict[int, int],
        growing: bool = False,
    ) -> None:  # fmt: skip
        """Remember the new segments as if they had always been; the children become heirs.

        Not while the panel grows: who is found to be two then has not moved.

        One that is remembered by itself is left alone: who has just moved there was not in it.
        """
        arrived = {c.segment: c for c in lineage.changes if c.kind in ("born", "split")}
        settled = {p for c in lineage.changes if c.kind == "merged" for p in c.others}
        unknown = {c for c in young if self.memory.ticks - self.heirs[c][1] < 2 * MEMORY_TICKS}
        self.memory.relabel(customers, ids, {*arrived, *unknown, *settled})
        since = {c: self.heirs[c] for c in young}
        since |= {
            i: (c.others[0], self.memory.ticks)
            for i, c in arrived.items()
            if c.kind == "split" and c.others[0] not in settled and not growing
        }
        self.heirs = {
            child: (parent, tick)
            for child, (parent, tick) in since.items()
            if child in lineage.ids and parent in lineage.ids
        }
