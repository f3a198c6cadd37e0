"""What new conditions do not know of the past, read again from the log.

A memory says of each state that lacks its past at which offsets it begins (`Definitions.lacking`).
`Earlier` folds what happened before into states of its own, out of a bounded replay;
`Definitions.complete` puts both together. Nothing is written here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import xxhash

from stream.conditions import Definitions, Happening, Listening, Memory, Point, States
from stream.defined import POINT_TOPICS, seen_as
from stream.errors import InvalidEvent
from stream.events import Money, read

#: Clocks of those who write events may differ by so much.
SLACK_MS = 3_600_000
_NEVER_MS = 1 << 62
#: States that one pass over the log fills: about 100 MB.
MOST_STATES = 400_000

#: Where a state begins → keys of the states that begin there, all of one customer.
Lacking = Mapping[Point, Collection[str]]
#: Whether an event of a customer (id, epoch ms) is wanted: not of one who is forgotten.
Wanted = Callable[[str, int], bool]


class Log(Protocol):
    """The log of event topics, read apart from the worker's own consumer."""

    async def first(self, topic: str, partition: int) -> int:
        """First offset that is still there."""

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        """Offset of the first record that was written at or after a time; the end if none was."""

    def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        """Records (`value`, `offset`, `timestamp`) of the offsets from `begin` up to `end`."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is to be read of one partition: from `begin` to `end`, in the order of
    `POINT_TOPICS`.

    `lost`: keys of the states that look back further than the log reaches.
    """

    begin: Point
    end: Point
    lost: frozenset[str]


async def stretch_of(
    log: Log,
    partition: int,
    definitions: Definitions,
    lacking: Collection[Lacking],
    now_ms: int,
) -> Stretch:
    """How much of the log these customers' states need."""
    keys = {key for one in lacking for states in one.values() for key in states}
    reaches = {key: definitions.reaches[key] for key in keys}
    longest_ms = max((reach for reach in reaches.values() if reach is not None), default=0)
    begin, end, lost = [], [], set()
    for number, topic in enumerate(POINT_TOPICS):
        first = await log.first(topic, partition)
        start = first
        if None not in reaches.values():
            since_ms = now_ms - longest_ms - SLACK_MS
            start = max(first, await log.offset_at(topic, partition, since_ms))
        begin.append(start)
        end.append(max((point[number] for one in lacking for point in one), default=0))
        for key, reach_ms in reaches.items() if first else ():
            # What was cut off would have been at the first offset that is there, or before.
            if reach_ms is None:
                lost.add(key)
                continue
            needed_ms = now_ms - reach_ms - SLACK_MS
            if await log.offset_at(topic, partition, needed_ms) <= first:
                lost.add(key)
    return Stretch(tuple(begin), tuple(end), frozenset(lost))


@dataclass
class Earlier:
    """What happened to some customers before their states begin.

    Parameters
    ----------
    wanted
        Customer → what it lacks.
    lost
        Of which states the log has not everything: they stay incomplete.
    """

    definitions: Definitions
    wanted: Mapping[str, Lacking]
    lost: frozenset[str]
    #: Whether the customers are still as they were found.
    stays: Callable[[], bool]
    _listening: Listening = field(init=False)
    #: Customer → states of the events before each point.
    _states: dict[str, list[tuple[Point, States]]] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        lacking = (states for one in self.wanted.values() for states in one.values())
        self._listening = self.definitions.listening({key for some in lacking for key in some})

    def see(self, number: int, record: Any, money: Money, wanted: Wanted) -> None:
        """Take in one record of the topic of this number, as it was when it first came."""
        topic = POINT_TOPICS[number]
        try:
            event = read(topic, record.value, record.timestamp, money)
        except InvalidEvent:
            return
        customer = event.customer_id
        lacking = self.wanted.get(customer)
        if lacking is None or not wanted(customer, event.timestamp):
            return
        event_id = xxhash.xxh3_64_intdigest(f"{customer}\0{event.event_id}".encode())
        if event_id in self._seen:
            return
        self._seen.add(event_id)
        states = self._states.get(customer)
        if states is None:
            states = self._states[customer] = [(point, {}) for point in lacking]
        happening = Happening(*seen_as(topic, event))
        for point, earlier in states:
            if record.offset < point[number]:
                self._listening.fold(earlier, happening)

    def complete(self, customer_id: str, memory: Memory, definitions: Definitions) -> bool:
        """Give a memory what it lacks; whether it lacked anything that is known here."""
        if customer_id not in self.wanted or not self.stays():
            return False
        states = dict(self._states.get(customer_id, ()))
        changed = False
        for point, keys in self.wanted[customer_id].items():
            earlier = states.get(point, {})
            changed |= definitions.complete(memory, earlier, keys, self.lost)
        return changed


async def replay(
    log: Log,
    partition: int,
    stretch: Stretch,
    earlier: Earlier,
    money: Money,
    wanted: Wanted,
    breathe: Callable[[], Awaitable[None]],
) -> int:
    """Let `earlier` see the stretch in the order of time; how many records it had."""
    count = 0
    async for number, records in _in_order(log, partition, stretch):
        for record in records:
            earlier.see(number, record, money, wanted)
        count += len(records)
        await breathe()
    return count


async def _in_order(
    log: Log, partition: int, stretch: Stretch
) -> AsyncIterator[tuple[int, Sequence[Any]]]:
    """Records of all topics, merged by when they were written: sequences go across topics, and
    a step that comes much too late is not found."""
    sources = [
        log.records(topic, partition, begin, end)
        for topic, begin, end in zip(POINT_TOPICS, stretch.begin, stretch.end, strict=True)
    ]
    waiting = [await _next(source) for source in sources]
    while any(waiting):
        heads = [records[0].timestamp if records else _NEVER_MS for records in waiting]
        number = heads.index(min(heads))
        until_ms = min((head for i, head in enumerate(heads) if i != number), default=_NEVER_MS)
        records = waiting[number]
        count = next(
            (i for i, record in enumerate(records) if record.timestamp > until_ms), len(records)
        )
        yield number, records[:count]
        waiting[number] = records[count:] or await _next(sources[number])


async def _next(source: AsyncIterator[Sequence[Any]]) -> Sequence[Any]:
    async for records in source:
        return records
    return ()


def slices_of(lacking: Mapping[str, Lacking]) -> list[dict[str, Lacking]]:
    """Customers in parts with a bounded number of states: each is a pass over the log."""
    parts: list[dict[str, Lacking]] = []
    room = 0
    for name, one in lacking.items():
        states = sum(map(len, one.values()))
        if states > room:
            parts.append({})
            room = max(MOST_STATES, states)
        parts[-1][name] = one
        room -= states
    return parts
