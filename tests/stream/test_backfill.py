"""After a backfill a customer is what it would be had the definitions always been in force."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.backfill import LATE_MS, Earlier, replay, slices_for, stretch_of
from stream.conditions import Definitions, parse, purchase_event
from stream.events import Money
from stream.topics import INTERACTIONS, PURCHASES, partition_of
from tests.stream.conditions.customers import StoredFacts

MONEY = Money({"USD": 1.0})
BEGIN = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
OLD = parse("version: 1\nsegments: {buyers: {when: {did: Order Completed}}}", "old")
NEW = parse(
    """
version: 1
segments:
  buyers: {when: {did: Order Completed}}
  fans: {when: {did: View, where: {category: shoes}, at_least: 2, within: 30d}}
  firsts: {when: {first: View, older_than: 1d}}
  spenders: {when: {sum: total, of: Order Completed, within: 60d, at_least: 20}}
  averages: {when: {average: total, of: Order Completed, at_least: 11}}
  chains: {when: {sequence: [{did: View}, {did: Order Completed}], within: 20d}}
  quiet: {when: {did_not: View, within: 10d}}
  many: {when: {did: "*", at_least: 5}}
""",
    "new",
).after(OLD)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    value: bytes


class Lists:
    """A log of one partition, whose first records may have expired."""

    def __init__(self, expired: int = 0) -> None:
        self.topics: dict[str, list[Record]] = {INTERACTIONS: [], PURCHASES: []}
        self.expired = expired
        self.read: list[tuple[str, int]] = []

    def add(self, topic: str, event: dict[str, Any]) -> None:
        log = self.topics[topic]
        log.append(Record(len(log), event["timestamp"], json.dumps(event).encode()))

    async def first(self, topic: str, partition: int) -> int:
        return min(self.expired, len(self.topics[topic]))

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        kept = self.topics[topic][self.expired :]
        return next((r.offset for r in kept if r.timestamp >= at_ms), len(self.topics[topic]))

    async def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Record]]:
        for start in range(begin, end, 3):
            batch = self.topics[topic][start : min(start + 3, end)]
            self.read += [(topic, record.offset) for record in batch]
            yield batch


def event(number: int, customer: str, day: float, **fields: Any) -> dict[str, Any]:
    at_ms = BEGIN + round(day * DAY)
    return {"event_id": str(number), "customer_id": customer, "timestamp": at_ms, **fields}


Happening = tuple[str, float, bool, int]
happenings = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 400).map(lambda n: n / 4),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=25,
)


def observe(definitions: Definitions, memory: dict[str, Any], topic: str, one: Any) -> None:
    if topic == PURCHASES:
        minor = round(one["total"] * 100)
        name, properties = purchase_event(minor, "USD", [])
        definitions.observe(memory, name, one["timestamp"], properties, minor)
    else:
        definitions.observe(memory, one["name"], one["timestamp"], one["properties"])


async def live(
    history: list[Happening], boundary: int, now_ms: int
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], Lists, dict[str, int]]:
    """Memories under OLD until `boundary` and NEW from there, and under NEW all the while."""
    log = Lists()
    memories: dict[str, dict[str, Any]] = {}
    always: dict[str, dict[str, Any]] = {}
    ends = {INTERACTIONS: 0, PURCHASES: 0}
    for i, (customer, day, bought, what) in enumerate(sorted(history, key=lambda h: h[1])):
        topic = PURCHASES if bought else INTERACTIONS
        if bought:
            one = event(i, customer, day, order_id="o", total=9.0 + what, currency="USD")
        else:
            properties = {"category": "shoes"} if what else {}
            one = event(i, customer, day, name="View", properties=properties)
        log.add(topic, one)
        if i < boundary:
            ends[topic] += 1
        observe(OLD if i < boundary else NEW, memories.setdefault(customer, {}), topic, one)
        observe(NEW, always.setdefault(customer, {}), topic, one)
    return memories, always, log, ends


def members(memory: dict[str, Any], now_ms: int) -> set[str]:
    return set(NEW.evaluate(memory, StoredFacts(), now_ms, {}).memberships)


@settings(max_examples=60, deadline=None)
@given(happenings, st.integers(0, 25), st.integers(1, 3))
async def test_as_if_always_in_force(history: list[Happening], boundary: int, slices: int):
    now_ms = BEGIN + 100 * DAY
    memories, always, log, ends = await live(history, boundary, now_ms)
    for memory in memories.values():
        NEW.missing(memory)
    missing = set().union(*(NEW.missing(memory) for memory in memories.values()))
    for number in range(slices):
        stretch = await stretch_of(log, 0, NEW, missing, ends, now_ms)
        assert stretch.covered == missing
        earlier = Earlier(NEW, 0, 1, stretch.covered, NEW.version, slices, number)
        await replay(log, stretch, earlier, MONEY)
        for customer, memory in memories.items():
            earlier.complete(customer, memory)
    for customer, memory in memories.items():
        assert NEW.incomplete(memory) == frozenset()
        assert members(memory, now_ms) == members(always[customer], now_ms)


async def test_only_what_the_windows_need_is_read():
    only_window = parse(
        "version: 1\nsegments: {fans: {when: {did: View, at_least: 2, within: 30d}}}", "w"
    )
    log = Lists()
    for i in range(100):
        log.add(INTERACTIONS, event(i, "a", i, name="View", properties={}))
    missing = only_window.conditions_needed
    now_ms = BEGIN + 100 * DAY
    stretch = await stretch_of(log, 0, only_window, missing, {INTERACTIONS: 90}, now_ms)
    assert LATE_MS == 2 * DAY
    # 100 days less 30 of the window and 2 for what came late.
    assert (stretch.begin[INTERACTIONS], stretch.end[INTERACTIONS]) == (68, 90)
    earlier = Earlier(only_window, 0, 1, stretch.covered, only_window.version)
    assert await replay(log, stretch, earlier, MONEY) == 22
    assert log.read[0] == (INTERACTIONS, 68)


async def test_what_the_log_has_lost_stays_incomplete():
    log = Lists(expired=40)
    for i in range(100):
        log.add(INTERACTIONS, event(i, "a", i, name="View", properties={"category": "shoes"}))
    memory: dict[str, Any] = {}
    observe(OLD, memory, INTERACTIONS, event(0, "a", 0, name="View", properties={}))
    missing = NEW.missing(memory)
    now_ms = BEGIN + 100 * DAY
    stretch = await stretch_of(log, 0, NEW, missing, {INTERACTIONS: 100}, now_ms)
    earlier = Earlier(NEW, 0, 1, stretch.covered, NEW.version)
    await replay(log, stretch, earlier, MONEY)
    assert earlier.complete("a", memory)
    # Thirty and ten days are there, a whole life is not; of orders nothing was lost.
    assert {"firsts", "many"} <= NEW.incomplete(memory)
    assert not {"fans", "quiet"} & NEW.incomplete(memory)
    assert {"fans"} <= members(memory, now_ms)
    assert not earlier.complete("a", memory)


async def test_duplicates_strangers_and_what_was_rejected_do_not_count():
    home = next(c for c in "abcdefgh" if partition_of(c, 4) == 1)
    stranger = next(c for c in "abcdefgh" if partition_of(c, 4) == 2)
    log = Lists()
    shoes = {"category": "shoes"}
    log.add(INTERACTIONS, event(1, home, 99, name="View", properties=shoes))
    log.add(INTERACTIONS, event(1, home, 99, name="View", properties=shoes))
    log.add(INTERACTIONS, event(2, stranger, 99, name="View", properties=shoes))
    log.topics[INTERACTIONS].append(Record(3, BEGIN + 99 * DAY, b"not json"))
    ahead = event(4, home, 99.5, name="View", properties=shoes)
    # Written ten minutes before it is said to have happened.
    value = json.dumps(ahead).encode()
    log.topics[INTERACTIONS].append(Record(4, ahead["timestamp"] - 600_000, value))
    stretch = await stretch_of(
        log, 1, NEW, NEW.conditions_needed, {INTERACTIONS: 5}, BEGIN + 100 * DAY
    )
    earlier = Earlier(NEW, 1, 4, stretch.covered, NEW.version)
    assert await replay(log, stretch, earlier, MONEY) == 5
    assert earlier.memories.keys() == {home}
    assert "fans" not in members(earlier.memories[home], BEGIN + 100 * DAY)
    again = event(5, home, 99, name="View", properties=shoes)
    observe(NEW, earlier.memories[home], INTERACTIONS, again)
    assert "fans" in members(earlier.memories[home], BEGIN + 100 * DAY)


@pytest.mark.parametrize(("customers", "slices"), [(0, 1), (50_000, 1), (50_001, 2)])
def test_slices(customers: int, slices: int):
    assert slices_for(customers) == slices


def test_slices_hold_each_customer_once():
    parts = [Earlier(NEW, 0, 1, frozenset(), NEW.version, 3, number) for number in range(3)]
    for i in range(100):
        assert sum(part.holds(f"c{i}") for part in parts) == 1
