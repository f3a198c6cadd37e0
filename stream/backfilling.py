"""The worker's backfill: notes where definitions come into force, reads what was before, and
lets the customers who lack it have it. Idle work, a partition at a time."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence

from stream.backfill import Earlier, Log, replay, slices_for, stretch_of
from stream.conditions import Definitions, copied
from stream.events import Money
from stream.pipeline import Pipeline
from stream.recall import recall
from stream.store import keys
from stream.store.backfill import Boundary, boundaries, drop_boundary, write_boundary
from stream.store.store import Store
from stream.topics import partitions_of

log = logging.getLogger(__name__)
_PAGE = 1_000
#: Customers written at once.
_CHUNK = 200

#: Customer → key of a state that it lacks → version of the definitions that asked first.
Lacking = dict[str, dict[str, str]]


class Backfilling:
    """One worker's backfill. `step` may be broken off and begun again at any point: a customer
    is given what it lacks in the same write that says that it lacks it no longer."""

    def __init__(
        self, store: Store, pipeline: Pipeline, source: Log, pause_seconds: float = 0.05
    ) -> None:
        self._store, self._pipeline, self._source = store, pipeline, source
        self._money = Money(pipeline.settings.exchange_rates())
        self._pause_seconds = pause_seconds

    async def assigned(self, positions: Mapping[int, Mapping[str, int]]) -> None:
        """Partitions were taken over at these next offsets, where the definitions in force begin
        unless an earlier point is noted: another worker, or this one, began with them before."""
        await self._begin(positions, anew=False)

    async def taken_up(self, positions: Mapping[int, Mapping[str, int]]) -> None:
        """The definitions in force have changed at these next offsets."""
        await self._begin(positions, anew=True)

    async def _begin(self, positions: Mapping[int, Mapping[str, int]], *, anew: bool) -> None:
        defined = self._pipeline.defined
        if defined is None:
            return
        version = defined.definitions.version
        for partition, offsets in positions.items():
            if anew or version not in await boundaries(self._store, partition):
                await write_boundary(self._store, partition, Boundary(version, offsets))

    async def step(self, now_ms: int) -> int:
        """See to every partition that is not done; how many customers were filled in."""
        defined = self._pipeline.defined
        if defined is None:
            return 0
        definitions, pending = defined.definitions, {}
        for partition in sorted(self._pipeline.segmenters):
            known = await boundaries(self._store, partition)
            if not all(boundary.done for boundary in known.values()):
                pending[partition] = known
        if not pending:
            return 0
        lacking = await self._lacking(definitions, set(pending))
        filled = 0
        for partition, known in pending.items():
            filled += await self._fill(partition, known, lacking[partition], definitions, now_ms)
        return filled

    async def _lacking(self, definitions: Definitions, partitions: set[int]) -> dict[int, Lacking]:
        found: dict[int, Lacking] = defaultdict(dict)
        cursor, pattern = 0, keys.STATE_PREFIX + "*"
        while True:
            at = cursor
            cursor, page = await self._store.wait_out(
                lambda at=at: self._store.redis.scan(at, pattern, _PAGE)  # type: ignore[misc]
            )
            await self._look_at(page, definitions, partitions, found)
            if cursor == 0:
                return found
            # Decoding a page takes the time of some hundred events, which come first.
            await asyncio.sleep(self._pause_seconds)

    async def _look_at(
        self,
        page: Sequence[bytes],
        definitions: Definitions,
        partitions: set[int],
        found: dict[int, Lacking],
    ) -> None:
        customers = [key.removeprefix(keys.STATE_PREFIX.encode()) for key in page]
        if not customers:
            return
        owners = partitions_of(customers, self._pipeline.settings.partitions).tolist()
        pairs = zip(customers, owners, strict=True)
        mine = {name.decode(): owner for name, owner in pairs if owner in partitions}
        stored = await self._store.load(list(mine)) if mine else []
        known = {name: state for name, state in zip(mine, stored, strict=True) if state}
        for customer in recall(list(known), list(known.values())):
            since = definitions.lacking_since(copied(customer.memory))
            if since:
                found[mine[customer.customer_id]][customer.customer_id] = since

    async def _fill(
        self,
        partition: int,
        known: Mapping[str, Boundary],
        lacking: Lacking,
        definitions: Definitions,
        now_ms: int,
    ) -> int:
        """Fill in what a partition's customers lack; it is done when nothing is left to fill."""
        total = 0
        for version, boundary in known.items():
            names = [name for name, since in lacking.items() if version in since.values()]
            filled = await self._fill_version(
                partition, boundary, names, lacking, definitions, now_ms
            )
            total += filled
            if filled or not self._in_force(partition, definitions):
                continue
            if version == definitions.version:
                done = Boundary(version, boundary.offsets, done=True)
                await write_boundary(self._store, partition, done)
            else:
                await drop_boundary(self._store, partition, version)
        return total

    async def _fill_version(
        self,
        partition: int,
        boundary: Boundary,
        names: Sequence[str],
        lacking: Lacking,
        definitions: Definitions,
        now_ms: int,
    ) -> int:
        if not names:
            return 0
        wanted = {
            key for name in names for key, version in lacking[name].items()
            if version == boundary.version
        }  # fmt: skip
        stretch = await stretch_of(
            self._source, partition, definitions, wanted, boundary.offsets, now_ms
        )
        if lost := wanted - stretch.covered:
            log.warning(
                "partition %d: the log no longer has all that %d conditions of definitions %s "
                "need; they stay incomplete", partition, len(lost), boundary.version,
            )  # fmt: skip
        names = [name for name in names if stretch.covered & lacking[name].keys()]
        filled, slices = 0, slices_for(len(names))
        for number in range(slices if names else 0):
            earlier = Earlier(
                definitions, partition, self._pipeline.settings.partitions, stretch.covered,
                boundary.version, slices, number,
            )  # fmt: skip
            records = await replay(self._source, stretch, earlier, self._money)
            mine = [name for name in names if earlier.holds(name)]
            log.info(
                "partition %d: %d events before definitions %s read again for %d customers",
                partition, records, boundary.version, len(mine),
            )  # fmt: skip
            for begin in range(0, len(mine), _CHUNK):
                if not self._in_force(partition, definitions):
                    return filled
                chunk = mine[begin : begin + _CHUNK]
                await self._pipeline.review({partition: chunk}, "definition", earlier)
                filled += len(chunk)
                await asyncio.sleep(self._pause_seconds)
        return filled

    def _in_force(self, partition: int, definitions: Definitions) -> bool:
        defined = self._pipeline.defined
        mine = partition in self._pipeline.segmenters
        return mine and defined is not None and defined.definitions is definitions
