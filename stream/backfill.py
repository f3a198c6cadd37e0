"""What new conditions do not know of the past, read again from the log.

From the offsets at which definitions came into force in a partition on, its customers' memories
hold what happens. `Earlier` holds the same of what happened before, out of a bounded replay, for
the states that memories lack; `Definitions.complete` puts both together. Nothing is written here.
"""

import zlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import xxhash

from stream.conditions import Definitions, Memory, purchase_event
from stream.errors import InvalidEvent
from stream.events import Money, read
from stream.topics import INTERACTIONS, PURCHASES, partition_of

#: Profile facts leave no trace in memories.
TOPICS = (INTERACTIONS, PURCHASES)
#: A record may be written so much later than its event happened.
LATE_MS = 2 * 86_400_000
#: Customers that one pass over the log remembers.
SLICE = 50_000


class Log(Protocol):
    """The log of event topics, read apart from the worker's own consumer."""

    async def first(self, topic: str, partition: int) -> int:
        """First offset that is still there."""

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        """Offset of the first record that was written at or after a time; the end if none was."""

    def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        """Records (with `value` and `timestamp`) of the offsets from `begin` up to `end`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be read of one partition: from `begin` to `end`, by topic.

    `covered`: keys of the states of which that holds all that they need; the log has lost what
    the others need, for they look back further than it reaches.
    """

    begin: Mapping[str, int]
    end: Mapping[str, int]
    covered: frozenset[str]


async def stretch_of(
    log: Log,
    partition: int,
    definitions: Definitions,
    missing: Collection[str],
    boundary: Mapping[str, int],
    now_ms: int,
) -> Stretch:
    """How much of the log the missing states need.

    Parameters
    ----------
    boundary
        Topic → offset at which the definitions came into force; nothing was applied of a topic
        that is not there.
    """
    reaches = {key: definitions.reaches[key] for key in missing}
    whole = None in reaches.values()
    longest_ms = max((reach for reach in reaches.values() if reach is not None), default=0)
    first = {topic: await log.first(topic, partition) for topic in TOPICS}
    begin, covered = dict(first), set(reaches)
    for topic in TOPICS:
        if not whole:
            since_ms = now_ms - longest_ms - LATE_MS
            begin[topic] = max(first[topic], await log.offset_at(topic, partition, since_ms))
        if first[topic] == 0:
            continue
        # What was cut off would have been at the first offset that is there, or before.
        for key, reach_ms in reaches.items():
            lost = reach_ms is None
            if reach_ms is not None:
                needed_ms = now_ms - reach_ms - LATE_MS
                lost = await log.offset_at(topic, partition, needed_ms) <= first[topic]
            if lost:
                covered.discard(key)
    end = {topic: max(boundary.get(topic, 0), begin[topic]) for topic in TOPICS}
    return Stretch(begin, end, frozenset(covered))


@dataclass
class Earlier:
    """Memories of some customers of one partition, of what happened before the boundary.

    Parameters
    ----------
    since
        Version of the definitions at whose coming into force it ends.
    slices, slice
        The customers are those of one of so many parts of about the same size: a pass over the
        log for each keeps memory bounded.
    """

    definitions: Definitions
    partition: int
    partitions: int
    covered: frozenset[str]
    since: str
    slices: int = 1
    slice: int = 0
    memories: dict[str, Memory] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def holds(self, customer_id: str) -> bool:
        """Whether this is the customer's slice."""
        return zlib.crc32(customer_id.encode()) % self.slices == self.slice

    def see(self, topic: str, record: Any, money: Money) -> None:
        """Take one record in, unless it was turned away when it first came."""
        try:
            event = read(topic, record.value, record.timestamp, money)
        except InvalidEvent:
            return
        customer = event.customer_id
        if not self.holds(customer) or partition_of(customer, self.partitions) != self.partition:
            return
        event_id = xxhash.xxh3_64_intdigest(f"{customer}\0{event.event_id}".encode())
        if event_id in self._seen:
            return
        self._seen.add(event_id)
        memory = self.memories.setdefault(customer, {})
        if topic == PURCHASES:
            name, properties = purchase_event(event.total, event.currency, event.items)
            self.definitions.observe(memory, name, event.timestamp, properties, event.total)
        else:
            self.definitions.observe(memory, event.name, event.timestamp, event.properties)

    def complete(self, customer_id: str, memory: Memory) -> bool:
        """Give a memory what it lacks; whether it lacked any of what is covered."""
        if not self.holds(customer_id):
            return False
        return self.definitions.complete(memory, self.memories.get(customer_id, {}), self.covered)


async def replay(log: Log, stretch: Stretch, earlier: Earlier, money: Money) -> int:
    """Let `earlier` see the stretch; how many records it had. Gives way between batches."""
    count = 0
    for topic in TOPICS:
        begin, end = stretch.begin[topic], stretch.end[topic]
        if begin >= end:
            continue
        async for records in log.records(topic, earlier.partition, begin, end):
            for record in records:
                earlier.see(topic, record, money)
            count += len(records)
    return count


def slices_for(customers: int) -> int:
    """In how many slices so many customers are gone through."""
    return max(1, -(-customers // SLICE))
