"""Batches, one at a time per partition: decode, load, compute, apply; what to do on a miss.

No Kafka client here: what must be sent, read again or looked up goes through callables.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

from models.snapshot import Snapshot
from stream.continuity import FirstOffset, check_kept, check_log, recreated
from stream.decoding import Decoded, decode
from stream.defined import Defined, Past
from stream.events import Money
from stream.handing import Handing
from stream.identity import Merges
from stream.membership import Cause
from stream.outbox import Send, turned_away
from stream.sampling import Sampling
from stream.segmenter import Rules, Segmenter, compute, outdated, review
from stream.settings import Settings
from stream.store.marks import digest_of
from stream.store.store import Store
from stream.store.write import Move, Write
from stream.topics import EVENT_TOPICS, Place
from stream.transport import Batch

log = logging.getLogger(__name__)

#: Reads partitions again from these offsets.
Rewind = Callable[[Mapping[Place, int]], Awaitable[None]]


@dataclass(slots=True)
class Meter:
    """What this worker did since it started."""

    events: int = 0
    batches: int = 0
    rejected: int = 0
    misses: int = 0


class Pipeline:
    """All partitions of one worker.

    Parameters
    ----------
    topic_ids
        Event topic → id that Kafka gave it ("" where it gives none).

    Attributes
    ----------
    sampling
        What customers look like, for the trainer; whoever runs the pipeline sends it.
    before_write
        Called when a group of batches is computed and only Redis is left to be waited for.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        send: Send,
        rewind: Rewind,
        first_offset: FirstOffset,
        topic_ids: Mapping[str, str],
    ) -> None:
        self.settings, self.store = settings, store
        self._send, self._rewind, self._first_offset = send, rewind, first_offset
        self._topic_ids = topic_ids
        self._money = Money(settings.exchange_rates())
        self.worker = uuid.uuid4().hex[:12]
        self._serial = count(1)
        self.segmenters: dict[int, Segmenter] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._begin: dict[Place, int] = {}
        self.snapshot: Snapshot | None = None
        self.defined: Defined | None = None
        self._forgotten: Mapping[str, int] = {}
        self.sampling = Sampling(send)
        self._handing = Handing(store, send, settings.partitions)
        self.before_write: Callable[[], None] = _nothing
        self.meter = Meter()

    async def assign(self, first: Mapping[Place, int]) -> dict[Place, int]:
        """Take these topic partitions over, and no others; where each is to be read from.

        Parameters
        ----------
        first
            First offset that each one's log still has.

        Raises
        ------
        OffsetError
            If a stored offset belongs to another topic or lies before the log.
        """
        partitions = {partition for _, partition in first}
        for gone in self.segmenters.keys() - partitions:
            del self.segmenters[gone]
        share = max(self.settings.cache // max(len(partitions), 1), 2 * self.settings.batch)
        for partition in sorted(partitions):
            async with self._lock(partition):
                segmenter = self.segmenters.setdefault(partition, Segmenter(partition, share))
                segmenter.table.limit = share
                await self._read_positions(segmenter)
        self._begin.update(first)
        positions = {place: self.expected(*place) for place in first}
        for place, position in positions.items():
            check_kept(place, position, first[place])
        return positions

    async def process(self, *batches: Batch) -> None:
        """Apply batches together, each exactly once in effect; one of a topic and partition."""
        async with AsyncExitStack() as held:
            for partition in sorted({batch.partition for batch in batches}):
                await held.enter_async_context(self._lock(partition))
            # An assignment may take partitions away in between; what is computed is of these.
            ours = {batch.partition: self.segmenters.get(batch.partition) for batch in batches}
            wanted: dict[int, tuple[Segmenter, list[Batch]]] = {}
            for batch in batches:
                segmenter = ours[batch.partition]
                if segmenter is not None and await self._is_next(segmenter, batch):
                    wanted.setdefault(batch.partition, (segmenter, []))[1].append(batch)
            if wanted:
                with _distrusted_on_error([segmenter for segmenter, _ in wanted.values()]):
                    await self._apply(list(wanted.values()))

    async def _is_next(self, segmenter: Segmenter, batch: Batch) -> bool:
        """Whether it holds the events that are to be applied next; if not, they are read again."""
        await check_log(batch, self._first_offset)
        expected = self._expected(segmenter, batch.topic)
        if batch.end <= expected:
            return False
        if batch.start is None or batch.start > expected:
            await self._rewind({(batch.topic, batch.partition): expected})
            return False
        return True

    async def review(
        self, customers: Mapping[int, Sequence[str]], cause: Cause, past: Past | None = None
    ) -> int:
        """Evaluate customers, by partition, that had no event; how many changed.

        `past`: what their memories lack, if it is known.
        """
        async with AsyncExitStack() as held:
            for partition in sorted(customers):
                await held.enter_async_context(self._lock(partition))
            chosen = [
                (self.segmenters[partition], list(dict.fromkeys(names)))
                for partition, names in customers.items()
                if partition in self.segmenters and names
            ]
            if not chosen:
                return 0
            segmenters = [segmenter for segmenter, _ in chosen]
            with _distrusted_on_error(segmenters):
                for segmenter, names in chosen:
                    segmenter.table.make_room(len(names))
                await self._load(chosen, idle=True)
                chosen = [
                    (segmenter, [name for name in names if name not in segmenter.table.links])
                    for segmenter, names in chosen
                ]
                rules = self._rules()
                writes, samples = review(chosen, rules, cause, past)
                some = [i for i, write in enumerate(writes) if write.groups]
                await self._commit([segmenters[i] for i in some], [writes[i] for i in some])
                self.sampling.take(samples, rules.wall_ms)
                return sum(group.customers for write in writes for group in write.groups)

    async def due(self, partition: int) -> int:
        """Evaluate customers whose conditions turn by time alone; how many were due."""
        segmenter = self.segmenters.get(partition)
        if segmenter is None:
            return 0
        customers = await self.store.due(partition, self._now_ms() or segmenter.newest_ms)
        if customers:
            await self.review({partition: customers}, "time")
        return len(customers)

    async def look_at(self, partition: int, stored: Mapping[str, bytes], cause: Cause) -> int:
        """Evaluate customers of a partition, as they are stored, that had no event; how many
        changed.

        Events do not wait for it: first everybody's copy is judged, and then only those whom
        that would change.
        """
        segmenter = self.segmenters.get(partition)
        if segmenter is None or not stored:
            return 0
        names, rules = list(stored), self._rules()
        copy = segmenter.copy_of(names, list(stored.values()))
        changing, samples = outdated(copy, names, rules)
        self.sampling.take(samples, rules.wall_ms)
        copy.rank(names, rules)
        return await self.review({partition: changing}, cause) if changing else 0

    async def verify(self, partition: int) -> None:
        """See whether Redis still is where this worker thinks; if not, start from there."""
        async with self._lock(partition):
            segmenter = self.segmenters.get(partition)
            if segmenter is None:
                return
            positions = await self.store.positions(partition)
            if positions.writer != segmenter.writer or positions.offsets != segmenter.ends:
                await self._resync(segmenter)

    def expected(self, topic: str, partition: int) -> int:
        """Next offset to apply; where the log began if the partition is not ours."""
        segmenter = self.segmenters.get(partition)
        if segmenter is None:
            return self._begin.get((topic, partition), 0)
        return self._expected(segmenter, topic)

    def _expected(self, segmenter: Segmenter, topic: str) -> int:
        return segmenter.ends.get(topic, self._begin.get((topic, segmenter.partition), 0))

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())

    def _now_ms(self) -> int | None:
        return _wall_ms() if self.settings.clock == "wall" else None

    def _rules(self) -> Rules:
        return Rules(self._now_ms(), _wall_ms(), self.snapshot, self.defined)

    async def _apply(self, wanted: Sequence[tuple[Segmenter, Sequence[Batch]]]) -> None:
        rules = self._rules()
        pairs = [
            (segmenter, [self._decode(segmenter, batch, rules.wall_ms) for batch in batches])
            for segmenter, batches in wanted
        ]
        decoded = [part for _, parts in pairs for part in parts]
        await self._load(
            [(segmenter, [name for part in parts for name in part.unknown])
             for segmenter, parts in pairs]
        )  # fmt: skip
        merging = [Merges(segmenter, self.settings.partitions) for segmenter, _ in pairs]
        for merges, (_, batches), (_, parts) in zip(merging, wanted, pairs, strict=True):
            for part, batch in zip(parts, batches, strict=True):
                merges.follow(part, batch.records)
        writes, samples = compute(pairs, rules)
        for merges, (_, parts), write in zip(merging, pairs, writes, strict=True):
            merges.settle(parts, write, rules)
        away = [message for part in decoded for message in turned_away(part)]
        away += [message for merges in merging for message in merges.away]
        if away:
            await self._send(away)
        for (segmenter, batches), write in zip(wanted, writes, strict=True):
            write.moves = [
                Move(b.topic, segmenter.ends.get(b.topic), b.end, self._topic_ids.get(b.topic, ""))
                for b in batches
            ]
        self.before_write()
        done = await self._commit([segmenter for segmenter, _ in wanted], writes)
        if all(done):
            self.sampling.take(samples, rules.wall_ms)
            for merges in merging:
                self.sampling.take(merges.samples, rules.wall_ms)
        for (segmenter, parts), write, ok in zip(pairs, writes, done, strict=True):
            if ok:
                segmenter.ends.update((move.topic, move.end) for move in write.moves)
                self.meter.events += sum(len(part.events) for part in parts)
                self.meter.rejected += sum(len(part.rejected) for part in parts)

    def _decode(self, segmenter: Segmenter, batch: Batch, wall_ms: int) -> Decoded:
        expected, records = self._expected(segmenter, batch.topic), batch.records
        if batch.start != expected:
            records = [record for record in records if record.offset >= expected]
        segmenter.table.make_room(len(records))
        known = segmenter.table.index.__contains__
        home = (segmenter.partition, self.settings.partitions)
        decoded = decode(batch.topic, records, wall_ms, self._money, known, home)
        if self._forgotten:
            decoded.keep(self._wanted)
        return decoded

    def _wanted(self, customer: str, at_ms: int) -> bool:
        return at_ms > self._forgotten.get(digest_of(customer), -1)

    async def read_forgotten(self) -> None:
        """Learn who is forgotten. Whoever is forgotten later: the next write is refused."""
        self._forgotten = await self.store.forgotten()

    async def hand_on(self) -> int:
        """Send what merged customers had to those whom they are now; how many states."""
        return await self._handing.hand_on(self.segmenters.keys())

    async def _load(
        self, wanted: Sequence[tuple[Segmenter, Sequence[str]]], *, idle: bool = False
    ) -> None:
        """Take customers that are not in memory into their tables."""
        missing = [
            (segmenter, [n for n in dict.fromkeys(names) if n not in segmenter.table.index])
            for segmenter, names in wanted
        ]
        missing = [(segmenter, some) for segmenter, some in missing if some]
        if not missing:
            return
        stored = await self.store.load([(segmenter.partition, some) for segmenter, some in missing])
        for (segmenter, some), states in zip(missing, stored, strict=True):
            segmenter.load(some, states, idle=idle)

    async def _commit(self, segmenters: Sequence[Segmenter], writes: Sequence[Write]) -> list[bool]:
        """Write to Redis; which of the writes were applied. The others start anew from there."""
        for write in writes:
            write.writer = f"{self.worker}:{next(self._serial)}"
            if any(link.transfer for link in write.links):
                self._handing.note(write.partition)
        done = await self.store.apply(writes)
        for segmenter, write, applied in zip(segmenters, writes, done, strict=True):
            if applied.ok:
                segmenter.writer = write.writer
                self.meter.batches += 1
                continue
            log.warning(
                "partition %d: Redis stands at %s by %s, expected %s by %s; starting from there",
                segmenter.partition, applied.stored or "the same", applied.writer, write.moves,
                write.expected_writer,
            )  # fmt: skip
            self.meter.misses += 1
            await self._resync(segmenter)
        return [applied.ok for applied in done]

    async def _resync(self, segmenter: Segmenter) -> None:
        segmenter.distrust()
        await self._read_positions(segmenter)
        if self.segmenters.get(segmenter.partition) is segmenter:
            places = [(topic, segmenter.partition) for topic in EVENT_TOPICS]
            await self._rewind({place: self.expected(*place) for place in places})

    async def _read_positions(self, segmenter: Segmenter) -> None:
        positions = await self.store.positions(segmenter.partition)
        for topic, stored_id in positions.topic_ids.items():
            known = self._topic_ids.get(topic, "")
            if stored_id and known and stored_id != known:
                raise recreated(topic, stored_id, known)
        # In this order: who is forgotten in between has changed the writer.
        await self.read_forgotten()
        segmenter.reset(dict(positions.offsets), positions.writer)
        self._handing.note(segmenter.partition)


@contextmanager
def _distrusted_on_error(segmenters: Sequence[Segmenter]) -> Iterator[None]:
    """Whatever breaks off between computing and writing leaves states that Redis may not have."""
    try:
        yield
    except BaseException:
        for segmenter in segmenters:
            segmenter.distrust()
        raise


def _nothing() -> None:
    pass


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
