"""One batch at a time per partition: decode, load, compute, apply; and what to do on a miss.

No Kafka client here: what must be sent or read again goes through two callables.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from models.snapshot import Snapshot
from stream.decoding import Decoded, decode
from stream.errors import OffsetError
from stream.events import DeadLetter, ModelSample, Money
from stream.features import VERSION as FEATURES_VERSION
from stream.membership import Cause
from stream.segmenter import Segmenter
from stream.settings import Settings
from stream.store.store import Store
from stream.store.write import Write
from stream.topics import DEAD_LETTERS, EVENT_TOPICS, MODEL_SAMPLES
from stream.transport import Batch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be sent to Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None


#: Topic and partition.
Place = tuple[str, int]
Send = Callable[[Sequence[Message]], Awaitable[None]]
Rewind = Callable[[Mapping[Place, int]], Awaitable[None]]


@dataclass(slots=True)
class Meter:
    """What this worker did since it started."""

    events: int = 0
    batches: int = 0
    rejected: int = 0
    misses: int = 0
    last_applied: float = field(default_factory=time.monotonic)


class Pipeline:
    """All partitions of one worker.

    Parameters
    ----------
    send
        Sends records to Kafka and returns when the brokers have them.
    rewind
        Reads partitions again from the given offsets.
    topic_ids
        Event topic → id that Kafka gave it ("" where it gives none).
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        send: Send,
        rewind: Rewind,
        topic_ids: Mapping[str, str],
    ) -> None:
        self.settings, self.store = settings, store
        self._send, self._rewind, self._topic_ids = send, rewind, topic_ids
        self._money = Money(settings.exchange_rates())
        self.worker = uuid.uuid4().hex[:12]
        self._serial = count(1)
        self.segmenters: dict[int, Segmenter] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._begin: dict[Place, int] = {}
        self.snapshot: Snapshot | None = None
        self.meter = Meter()

    async def assign(self, ends: Mapping[Place, tuple[int, int]]) -> dict[Place, int]:
        """Take these topic partitions over; where each is to be read from.

        Parameters
        ----------
        ends
            First offset and end of each one's log.

        Raises
        ------
        OffsetError
            If a stored offset does not belong to the topic or lies outside its log.
        """
        partitions = {partition for _, partition in ends}
        for gone in self.segmenters.keys() - partitions:
            del self.segmenters[gone]
        positions: dict[Place, int] = {}
        for partition in sorted(partitions):
            async with self._lock(partition):
                segmenter = self.segmenters.get(partition)
                if segmenter is None:
                    segmenter = Segmenter(partition, self._cache_share(len(partitions)))
                    self.segmenters[partition] = segmenter
                segmenter.table.limit = self._cache_share(len(partitions))
                await self._read_positions(segmenter)
                for place, (first, end) in ends.items():
                    if place[1] == partition:
                        self._begin[place] = first
                        stored = segmenter.ends.get(place[0])
                        _check_inside(place, stored, first, end)
                        positions[place] = first if stored is None else stored
        return positions

    async def process(self, batch: Batch) -> None:
        """Apply one batch, exactly once in effect."""
        async with self._lock(batch.partition):
            segmenter = self.segmenters.get(batch.partition)
            if segmenter is None:
                return
            expected = self.expected(segmenter, batch.topic)
            if batch.end <= expected:
                return
            if batch.start is None or batch.start > expected:
                await self._rewind({(batch.topic, batch.partition): expected})
                return
            await self._apply(segmenter, batch, expected)

    async def review(self, partition: int, customers: Sequence[str], cause: Cause) -> int:
        """Evaluate customers that had no event; how many changed."""
        async with self._lock(partition):
            segmenter = self.segmenters.get(partition)
            if segmenter is None or not customers:
                return 0
            segmenter.table.make_room(len(customers))
            await self._load(segmenter, [c for c in customers if c not in segmenter.table.index])
            write = segmenter.review(customers, self._now_ms(), _wall_ms(), self.snapshot, cause)
            if not write.groups:
                return 0
            await self._commit(segmenter, write)
            return sum(group.customers for group in write.groups)

    async def verify(self, partition: int) -> None:
        """See whether Redis still is where this worker thinks; if not, start from there."""
        async with self._lock(partition):
            segmenter = self.segmenters.get(partition)
            if segmenter is None:
                return
            positions = await self.store.positions(partition)
            if positions.writer != segmenter.writer or positions.offsets != segmenter.ends:
                await self._resync(segmenter)

    def expected(self, segmenter: Segmenter, topic: str) -> int:
        """Next offset to apply."""
        begin = self._begin.get((topic, segmenter.partition), 0)
        return segmenter.ends.get(topic, begin)

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())

    def _cache_share(self, partitions: int) -> int:
        return max(self.settings.cache // max(partitions, 1), 2 * self.settings.batch)

    def _now_ms(self) -> int | None:
        return _wall_ms() if self.settings.clock == "wall" else None

    async def _apply(self, segmenter: Segmenter, batch: Batch, expected: int) -> None:
        records = batch.records
        if batch.start != expected:
            records = [record for record in records if record.offset >= expected]
        table = segmenter.table
        table.make_room(len(records))
        home = (segmenter.partition, self.settings.partitions)
        wall_ms = _wall_ms()
        decoded = decode(batch.topic, records, wall_ms, self._money, table.index.__contains__, home)
        await self._load(segmenter, decoded.unknown)
        await self._turn_away(decoded)
        write, samples = segmenter.compute(decoded, self._now_ms(), wall_ms, self.snapshot)
        write.topic, write.topic_id = batch.topic, self._topic_ids.get(batch.topic, "")
        write.start, write.end = segmenter.ends.get(batch.topic), batch.end
        if await self._commit(segmenter, write):
            segmenter.ends[batch.topic] = batch.end
            self.meter.events += len(decoded.events)
            self.meter.rejected += len(decoded.rejected)
            if samples:
                await self._send([_sample(name, wall_ms, x.tolist()) for name, x in samples])

    async def _load(self, segmenter: Segmenter, customers: Sequence[str]) -> None:
        if customers:
            segmenter.table.load(customers, await self.store.load(customers))

    async def _turn_away(self, decoded: Decoded) -> None:
        """Records that are not applied here are safe elsewhere before the offset moves on."""
        messages = [
            Message(decoded.topic, record.key, record.value, partition)
            for record, partition in decoded.misplaced
        ]
        for rejected in decoded.rejected:
            messages.append(_dead_letter(rejected.record, rejected.reason, rejected.detail))
        if messages:
            await self._send(messages)

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
        self.meter.last_applied = time.monotonic()
        return True

    async def _resync(self, segmenter: Segmenter) -> None:
        segmenter.table.clear()
        segmenter.codes.forget()
        await self._read_positions(segmenter)
        await self._rewind(
            {
                (topic, segmenter.partition): self.expected(segmenter, topic)
                for topic in EVENT_TOPICS
            }
        )

    async def _read_positions(self, segmenter: Segmenter) -> None:
        positions = await self.store.positions(segmenter.partition)
        for topic, stored_id in positions.topic_ids.items():
            known = self._topic_ids.get(topic, "")
            if stored_id and known and stored_id != known:
                raise OffsetError(
                    f"topic {topic!r} was deleted and created anew: Redis has offsets of "
                    f"{stored_id}, Kafka has {known}. Delete agos:{{*}}:offsets to read the new "
                    "topic from its beginning on top of the customers as they are"
                )
        segmenter.reset(dict(positions.offsets), positions.writer)


def _check_inside(place: Place, stored: int | None, first: int, end: int) -> None:
    if stored is None or first <= stored <= end:
        return
    what = (
        "events have expired before they were applied"
        if stored < first
        else ("the topic was created anew, or Kafka lost events")
    )
    raise OffsetError(
        f"{place[0]}-{place[1]}: the next offset to apply is {stored}, expected {first} to {end} "
        f"({what})"
    )


def _dead_letter(record: object, reason: str, detail: str) -> Message:
    topic, partition, offset = record.topic, record.partition, record.offset  # type: ignore[attr-defined]
    letter = DeadLetter.model_construct(
        letter_id=f"{topic}-{partition}@{offset}",
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        detail=detail,
        rejected_at=_wall_ms(),
        key=record.key,  # type: ignore[attr-defined]
        value=record.value,  # type: ignore[attr-defined]
    )
    return Message(DEAD_LETTERS, record.key, letter.model_dump_json().encode())  # type: ignore[attr-defined]


def _sample(customer: str, at_ms: int, x: list[float]) -> Message:
    sample = ModelSample.model_construct(
        customer=customer, at=at_ms, features_version=FEATURES_VERSION, x=x
    )
    return Message(MODEL_SAMPLES, customer.encode(), sample.model_dump_json().encode(), 0)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
