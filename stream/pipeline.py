"""One batch at a time per partition: decode, load, compute, apply; and what to do on a miss.

No Kafka client here: what must be sent, read again or looked up goes through callables.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream.decoding import decode
from stream.defined import Defined
from stream.errors import OffsetError
from stream.events import Money
from stream.membership import Cause
from stream.outbox import Send, sample, turned_away
from stream.segmenter import Samples, Segmenter
from stream.settings import Settings
from stream.store.store import Store
from stream.store.write import Write
from stream.topics import EVENT_TOPICS
from stream.transport import Batch

log = logging.getLogger(__name__)

#: Samples that wait to be sent, at most.
_MOST_SAMPLES = 5_000
#: Topic and partition.
Place = tuple[str, int]
#: Reads partitions again from these offsets.
Rewind = Callable[[Mapping[Place, int]], Awaitable[None]]
#: First offset that the log of a partition still has.
FirstOffset = Callable[[Place], Awaitable[int]]


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
        self._samples: dict[str, tuple[int, NDArray[np.float64]]] = {}
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
            _check_kept(place, position, first[place])
        return positions

    async def process(self, batch: Batch) -> None:
        """Apply one batch, exactly once in effect."""
        async with self._lock(batch.partition):
            segmenter = self.segmenters.get(batch.partition)
            if segmenter is None:
                return
            await self._check_log(batch)
            expected = self.expected(batch.topic, batch.partition)
            if batch.end <= expected:
                return
            if batch.start is None or batch.start > expected:
                await self._rewind({(batch.topic, batch.partition): expected})
                return
            with _distrusted_on_error(segmenter):
                await self._apply(segmenter, batch, expected)

    async def review(self, partition: int, customers: Sequence[str], cause: Cause) -> int:
        """Evaluate customers that had no event; how many changed."""
        customers = list(dict.fromkeys(customers))
        async with self._lock(partition):
            segmenter = self.segmenters.get(partition)
            if segmenter is None or not customers:
                return 0
            with _distrusted_on_error(segmenter):
                table = segmenter.table
                table.make_room(len(customers))
                unknown = [name for name in customers if name not in table.index]
                await self._load(segmenter, unknown, idle=True)
                now_ms, wall_ms = self._now_ms(), _wall_ms()
                write, samples = segmenter.review(
                    customers, now_ms, wall_ms, self.snapshot, cause, self.defined
                )
                if write.groups:
                    await self._commit(segmenter, write)
                self._learn_from(samples, wall_ms)
                return sum(group.customers for group in write.groups)

    async def due(self, partition: int) -> int:
        """Evaluate customers whose conditions turn by time alone; how many were due."""
        segmenter = self.segmenters.get(partition)
        if segmenter is None:
            return 0
        customers = await self.store.due(partition, self._now_ms() or segmenter.newest_ms)
        if customers:
            await self.review(partition, customers, "time")
        return len(customers)

    def rank(self, partition: int, customers: Sequence[str]) -> None:
        """Let customers that are in memory count in the percentiles."""
        segmenter = self.segmenters.get(partition)
        if segmenter is not None and self.defined is not None:
            segmenter.rank(customers, self._now_ms(), self.defined)

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
        begin = self._begin.get((topic, partition), 0)
        return segmenter.ends.get(topic, begin) if segmenter else begin

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())

    def _now_ms(self) -> int | None:
        return _wall_ms() if self.settings.clock == "wall" else None

    async def _apply(self, segmenter: Segmenter, batch: Batch, expected: int) -> None:
        records = batch.records
        if batch.start != expected:
            records = [record for record in records if record.offset >= expected]
        segmenter.table.make_room(len(records))
        home = (segmenter.partition, self.settings.partitions)
        known = segmenter.table.index.__contains__
        wall_ms = _wall_ms()
        decoded = decode(batch.topic, records, wall_ms, self._money, known, home)
        await self._load(segmenter, decoded.unknown)
        if away := turned_away(decoded):
            await self._send(away)
        write, samples = segmenter.compute(
            decoded, self._now_ms(), wall_ms, self.snapshot, self.defined
        )
        write.topic, write.topic_id = batch.topic, self._topic_ids.get(batch.topic, "")
        write.start, write.end = segmenter.ends.get(batch.topic), batch.end
        if await self._commit(segmenter, write):
            segmenter.ends[batch.topic] = batch.end
            self.meter.events += len(decoded.events)
            self.meter.rejected += len(decoded.rejected)
            self._learn_from(samples, wall_ms)

    async def send_samples(self) -> None:
        """Send what has come together to learn from; a crash before it loses only samples."""
        waiting, self._samples = self._samples, {}
        if waiting:
            await self._send([sample(name, at, x) for name, (at, x) in waiting.items()])

    def _learn_from(self, samples: Samples, wall_ms: int) -> None:
        """Keep the newest vector of each; no batch waits for a broker because of them."""
        for name, x in samples:
            if len(self._samples) < _MOST_SAMPLES or name in self._samples:
                self._samples[name] = wall_ms, x

    async def _load(
        self, segmenter: Segmenter, customers: Sequence[str], *, idle: bool = False
    ) -> None:
        if customers:
            segmenter.load(customers, await self.store.load(customers), idle=idle)

    async def _commit(self, segmenter: Segmenter, write: Write) -> bool:
        write.writer = f"{self.worker}:{next(self._serial)}"
        applied = await self.store.apply(write)
        if not applied.ok:
            log.warning(
                "partition %d: Redis stands at %s by %s, expected %s by %s; starting from there",
                segmenter.partition, applied.stored, applied.writer, write.start,
                write.expected_writer,
            )  # fmt: skip
            self.meter.misses += 1
            await self._resync(segmenter)
            return False
        segmenter.writer = write.writer
        self.meter.batches += 1
        return True

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
        segmenter.reset(dict(positions.offsets), positions.writer)

    async def _check_log(self, batch: Batch) -> None:
        """Holes are fine; a log that begins later or earlier than where we were is not.

        The consumer silently begins anew at the log's start when its position is outside.
        """
        if batch.start is None or batch.records[0].offset == batch.start:
            return
        place = (batch.topic, batch.partition)
        if batch.records[0].offset < batch.start:
            raise OffsetError(
                f"{place[0]}-{place[1]}: offset {batch.start} was to be read next and the log "
                f"began again at {batch.records[0].offset}: the topic was created anew or "
                "Kafka lost events"
            )
        _check_kept(place, batch.start, await self._first_offset(place))


def recreated(topic: str, stored_id: str, known_id: str) -> OffsetError:
    """The error for a topic that is another one than the stored offsets are of."""
    return OffsetError(
        f"topic {topic!r} was deleted and created anew: Redis has offsets of {stored_id}, Kafka "
        f"has {known_id}. To go on with the customers as they are, stop the workers and do "
        f"HDEL agos:{{p}}:offsets {topic} {topic}:id for every partition p: the new topic is then "
        "read from its beginning"
    )


@contextmanager
def _distrusted_on_error(segmenter: Segmenter) -> Iterator[None]:
    """Whatever breaks off between computing and writing leaves states that Redis may not have."""
    try:
        yield
    except BaseException:
        segmenter.distrust()
        raise


def _check_kept(place: Place, position: int, first: int) -> None:
    if position < first:
        raise OffsetError(
            f"{place[0]}-{place[1]}: the next offset to apply is {position}, and the log begins "
            f"at {first}: {first - position} events expired before they were applied"
        )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
