"""A log as plain lists, and a worker that reads it: everything of a worker but Kafka."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.columns import Columns
from stream.customer import Table
from stream.decoding import CategoryCodes, Decoded, Joint, decode
from stream.events import Money
from stream.folding import Folded, fold, fold_traits
from stream.membership import Cause
from stream.outbox import Message
from stream.pipeline import Pipeline
from stream.settings import Settings
from stream.store.store import Applied, Store
from stream.store.write import Write
from stream.topics import EVENT_TOPICS, PROFILES, partition_of
from stream.transport import Batch

Place = tuple[str, int]
#: Later than every event of the tests.
FAR_MS = 4_000_000_000_000


def columns(decoded: Decoded, index: Mapping[str, int], codes: CategoryCodes) -> Columns:
    """Columns of one table's events."""
    joint = Joint()
    joint.add(decoded, 0, index, codes)
    batch = joint.columns()
    if decoded.topic == PROFILES:
        batch.traits = [event.traits for event in decoded.events]
    return batch


class Killed(BaseException):
    """The worker was killed at this step."""


@dataclass(frozen=True)
class Record:
    """What the consumer gives for one record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass
class Log:
    """Topic partitions, append-only; offsets may have holes. `sent` is what went elsewhere."""

    partitions: int
    records: dict[Place, list[Record]] = field(default_factory=dict)
    next_offset: dict[Place, int] = field(default_factory=dict)
    expired: dict[Place, int] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        return [(topic, p) for topic in EVENT_TOPICS for p in range(self.partitions)]

    def append(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None, hole: int = 0
    ) -> None:
        """Add a record, after `hole` offsets that hold none (compaction, transaction markers)."""
        place = (topic, partition)
        offset = self.next_offset.get(place, 0) + hole
        self.records.setdefault(place, []).append(Record(topic, partition, offset, key, value))
        self.next_offset[place] = offset + 1

    def publish(self, topic: str, event: Mapping[str, Any], hole: int = 0) -> None:
        """Add an event where its customer lives."""
        customer = event["customer_id"]
        value = json.dumps(event).encode()
        self.append(topic, partition_of(customer, self.partitions), value, customer.encode(), hole)

    def first(self, partitions: Iterable[int]) -> dict[Place, int]:
        """First offset that each log still has."""
        places = [(topic, p) for topic in EVENT_TOPICS for p in partitions]
        return {place: self.expired.get(place, 0) for place in places}

    def expire(self, place: Place, before: int) -> None:
        """Drop the records before this offset, as retention does."""
        self.expired[place] = before
        self.records[place] = [r for r in self.records.get(place, []) if r.offset >= before]

    def take(self, messages: Sequence[Message]) -> None:
        """What a producer sends."""
        for message in messages:
            if message.topic in EVENT_TOPICS:
                self.append(message.topic, message.partition, message.value, message.key)
            else:
                self.sent.append(message)

    def everything(self) -> list[tuple[str, bytes | None]]:
        """(topic, value) of all records."""
        return [(r.topic, r.value) for records in self.records.values() for r in records]


class FlakyStore(Store):
    """The real store, in which the worker can be killed before or after a call takes effect."""

    kill_before_apply = kill_after_apply = kill_at_load = False
    fail_apply: BaseException | None = None
    before_apply: Any = None

    async def load(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> list[list[bytes | None]]:
        if self.kill_at_load:
            raise Killed
        return await super().load(wanted)

    async def apply(self, writes: Sequence[Write]) -> list[Applied]:
        if self.before_apply is not None:
            hook, self.before_apply = self.before_apply, None
            await hook()
        if self.kill_before_apply:
            raise Killed
        if self.fail_apply is not None:
            error, self.fail_apply = self.fail_apply, None
            raise error
        applied = await super().apply(writes)
        if self.kill_after_apply:
            raise Killed
        return applied


class Worker:
    """One worker's pipeline, fed from a `Log` as the transport feeds it: batches in a chain."""

    def __init__(
        self, log: Log, settings: Settings, topic_ids: Mapping[str, str] | None = None
    ) -> None:
        self.log, self.settings = log, settings
        self.store = FlakyStore(settings)
        self.kill_at_send = self.kill_after_send = False
        #: Called when it is looked up where a log begins.
        self.at_first: Callable[[], Awaitable[None]] | None = None
        self.positions: dict[Place, int] = {}
        self._chain: dict[Place, int] = {}
        self.pipeline = Pipeline(
            settings, self.store, self._send, self._rewind, self._first, topic_ids or {}
        )

    async def __aenter__(self) -> "Worker":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    async def assign(self, partitions: Iterable[int] | None = None) -> None:
        """Take over these partitions (default: all) where Redis says."""
        chosen = range(self.log.partitions) if partitions is None else list(partitions)
        await self._rewind(await self.pipeline.assign(self.log.first(chosen)))
        self.positions = {p: at for p, at in self.positions.items() if p[1] in set(chosen)}

    def fetch(self, place: Place, most: int = 1_000_000) -> Batch | None:
        """The next records of a partition, as one batch."""
        position = self.positions[place]
        records = [r for r in self.log.records.get(place, []) if r.offset >= position][:most]
        if not records:
            return None
        end = records[-1].offset + 1
        batch = Batch(place[0], place[1], self._chain.get(place), end, list(records))
        self.positions[place] = self._chain[place] = end
        return batch

    async def drain(self, most: int = 1_000_000, *, together: bool = False) -> None:
        """Process until nothing is left to fetch, all partitions together or one at a time."""
        progress = True
        while progress:
            progress = False
            places = sorted(self.positions)
            for turn in [places] if together else [[place] for place in places]:
                fetched = [self.fetch(place, most) for place in turn]
                batches = [batch for batch in fetched if batch is not None]
                if batches:
                    progress = True
                    await self.pipeline.process(*batches)
            if await self.pipeline.hand_on():
                progress = True

    async def look_at(self, customers: Mapping[int, Sequence[str]], cause: Cause) -> int:
        """Look at stored customers, by partition, as a pass does; how many changed."""
        parts = list(customers.items())
        changed = 0
        for (partition, names), states in zip(parts, await self.store.load(parts), strict=True):
            stored = {n: state for n, state in zip(names, states, strict=True) if state is not None}
            changed += await self.pipeline.look_at(partition, stored, cause)
        return changed

    async def _send(self, messages: Sequence[Message]) -> None:
        if self.kill_at_send:
            raise Killed
        self.log.take(messages)
        if self.kill_after_send:
            raise Killed

    async def _first(self, place: Place) -> int:
        if self.at_first is not None:
            await self.at_first()
        return self.log.expired.get(place, 0)

    async def _rewind(self, offsets: Mapping[Place, int]) -> None:
        for place, offset in offsets.items():
            self.positions[place] = self._chain[place] = offset


def names(partition: int, partitions: int, count: int) -> list[str]:
    """The first customers `c0`, `c1`, … that live in a partition."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        if partition_of(f"c{number}", partitions) == partition:
            found.append(f"c{number}")
        number += 1
    return found


def feed(
    table: Table, topic: str, events: Sequence[Mapping[str, Any]], codes: CategoryCodes
) -> Folded:
    """Fold a batch of events into a table, taking in whoever is not there yet."""
    records = [
        Record(topic, 0, offset, None, json.dumps(event).encode())
        for offset, event in enumerate(events)
    ]
    known = table.index.__contains__
    decoded = decode(topic, records, FAR_MS, Money({"USD": 1.0}), known, (0, 1))
    assert not decoded.rejected
    table.load(decoded.unknown, [None] * len(decoded.unknown))
    batch = columns(decoded, table.index, codes)
    folded = fold([table], batch)
    fold_traits(table, batch, folded.fresh)
    return folded
