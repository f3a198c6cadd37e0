"""After a backfill a customer is what it would be had the definitions always been in force."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.backfill import MOST_STATES, SLACK_MS, Earlier, replay, slices_of, stretch_of
from stream.conditions import Definitions, Point, parse
from stream.defined import POINT_TOPICS, seen_as
from stream.events import Money, read
from stream.topics import INTERACTIONS, PURCHASES
from tests.stream.conditions.customers import StoredFacts

MONEY = Money({"USD": 1.0})
BEGIN = 1_790_000_000_000
HOUR = 3_600_000
DAY = 24 * HOUR
NOW = BEGIN + 100 * DAY
OLD = parse("version: 1\nsegments: {buyers: {when: {did: Order Completed}}}", "old")
MIDDLE = """
version: 1
segments:
  buyers: {when: {did: Order Completed}}
  fans: {when: {did: View, where: {category: shoes}, at_least: 2, within: 30d}}
  chains: {when: {sequence: [{did: View}, {did: Order Completed}], within: 20d}}
  ever: {when: {sequence: [{did: View}, {did: Order Completed}]}}
"""
SECOND = parse(MIDDLE, "middle").after(OLD)
THIRD = parse(
    MIDDLE
    + """
  firsts: {when: {first: View, older_than: 1d}}
  spenders: {when: {sum: total, of: Order Completed, within: 60d, at_least: 20}}
  averages: {when: {average: total, of: Order Completed, at_least: 11}}
  quiet: {when: {did_not: View, within: 10d}}
  many: {when: {did: "*", at_least: 5}}
""",
    "new",
).after(SECOND)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    value: bytes


class Lists:
    """A log of one partition, whose first records may have expired."""

    def __init__(self, expired: int = 0) -> None:
        self.topics: dict[str, list[Record]] = {topic: [] for topic in POINT_TOPICS}
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

    @property
    def point(self) -> Point:
        return tuple(len(self.topics[topic]) for topic in POINT_TOPICS)


def event(number: int, customer: str, day: float, **fields: Any) -> dict[str, Any]:
    at_ms = BEGIN + round(day * DAY)
    return {"event_id": str(number), "customer_id": customer, "timestamp": at_ms, **fields}


def view(number: int, customer: str, day: float, category: str = "shoes") -> dict[str, Any]:
    return event(number, customer, day, name="View", properties={"category": category})


def order(number: int, customer: str, day: float, total: float) -> dict[str, Any]:
    return event(number, customer, day, order_id="o", total=total, currency="USD")


async def breathe() -> None:
    pass


def everybody(customer: str, at_ms: int) -> bool:
    return True


async def filled(
    log: Lists,
    definitions: Definitions,
    memories: dict[str, dict[str, Any]],
    wanted: Any = everybody,
) -> int:
    """Backfill all of them; how many records were read."""
    lacking: dict[str, dict[Point, list[str]]] = {}
    for customer, memory in memories.items():
        definitions.adopt(memory, log.point)
        for key, point in definitions.lacking(memory, ()).items():
            lacking.setdefault(customer, {}).setdefault(point, []).append(key)
    stretch = await stretch_of(log, 0, definitions, list(lacking.values()), NOW)
    earlier = Earlier(definitions, lacking, stretch.lost, lambda: True)
    count = await replay(log, 0, stretch, earlier, MONEY, wanted, breathe)
    for customer in lacking:
        assert earlier.complete(customer, memories[customer], definitions)
        assert not earlier.complete(customer, memories[customer], definitions)
    return count


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
    decoded = read(topic, json.dumps(one).encode(), NOW, MONEY)
    definitions.observe(memory, *seen_as(topic, decoded))


def members(memory: dict[str, Any], now_ms: int = NOW) -> set[str]:
    return set(THIRD.evaluate(memory, StoredFacts(), now_ms, {}).memberships)


@settings(max_examples=60, deadline=None)
@given(happenings, st.integers(0, 25), st.integers(0, 25))
async def test_as_if_always_in_force(history: list[Happening], one: int, another: int):
    """Two files come into force after so many events, before anything is filled in."""
    second, third = min(one, another), max(one, another)
    log = Lists()
    memories: dict[str, dict[str, Any]] = {}
    always: dict[str, dict[str, Any]] = {}
    for i, (customer, day, bought, what) in enumerate(sorted(history, key=lambda h: h[1])):
        topic = PURCHASES if bought else INTERACTIONS
        category = "shoes" if what else "hats"
        made = order(i, customer, day, 9.0 + what) if bought else view(i, customer, day, category)
        definitions = OLD if i < second else SECOND if i < third else THIRD
        memory = memories.setdefault(customer, {})
        definitions.adopt(memory, log.point)
        log.add(topic, made)
        observe(definitions, memory, topic, made)
        observe(THIRD, always.setdefault(customer, {}), topic, made)
    await filled(log, THIRD, memories)
    for customer, memory in memories.items():
        assert THIRD.incomplete(memory) == frozenset()
        assert members(memory) == members(always[customer])


async def test_only_what_the_windows_need_is_read():
    text = "version: 1\nsegments: {fans: {when: {did: View, at_least: 2, within: 30d}}}"
    definitions = parse(text, "w")
    log = Lists()
    for i in range(100):
        log.add(INTERACTIONS, view(i, "a", i))
    memory: dict[str, Any] = {"v": "", "s": {}}
    assert await filled(log, definitions, {"a": memory}) == 30
    assert SLACK_MS == HOUR
    # 100 days less 30 and an hour: the first is that of day 70.
    assert log.read[0] == (INTERACTIONS, 70)


async def test_topics_are_read_in_the_order_of_time():
    log = Lists()
    # Forty views after the order: a chain that saw them first would have no room for the first.
    log.add(INTERACTIONS, view(0, "a", 1))
    log.add(PURCHASES, order(1, "a", 2, 5))
    for i in range(40):
        log.add(INTERACTIONS, view(2 + i, "a", 3 + i))
    memory: dict[str, Any] = {"v": "", "s": {}}
    await filled(log, THIRD, {"a": memory})
    assert "ever" in members(memory)


async def test_what_the_log_has_is_filled_in_and_what_it_has_lost_is_said():
    log = Lists(expired=40)
    for i in range(100):
        log.add(INTERACTIONS, view(i, "a", i))
    memory: dict[str, Any] = {}
    observe(OLD, memory, INTERACTIONS, view(0, "a", 0))
    await filled(log, THIRD, {"a": memory})
    # Thirty and ten days are there, a whole life is not.
    assert {"firsts", "many", "ever"} <= THIRD.incomplete(memory)
    assert not {"fans", "quiet", "buyers"} & THIRD.incomplete(memory)
    assert {"fans", "many"} <= members(memory)


async def test_duplicates_strangers_the_forgotten_and_what_was_rejected_do_not_count():
    log = Lists()
    for one in (view(1, "a", 99), view(1, "a", 99), view(2, "stranger", 99), view(3, "f", 50)):
        log.add(INTERACTIONS, one)
    log.topics[INTERACTIONS].append(Record(4, BEGIN + 99 * DAY, b"not json"))
    ahead = view(5, "a", 99.5)
    # Written ten minutes before it is said to have happened.
    value = json.dumps(ahead).encode()
    log.topics[INTERACTIONS].append(Record(5, ahead["timestamp"] - 600_000, value))
    log.add(INTERACTIONS, view(6, "f", 90))

    def wanted(customer: str, at_ms: int) -> bool:
        return customer != "f" or at_ms > BEGIN + 60 * DAY

    memories: dict[str, dict[str, Any]] = {name: {"v": "", "s": {}} for name in "af"}
    assert await filled(log, THIRD, memories, wanted) == 7
    assert "fans" not in members(memories["a"])
    assert "fans" not in members(memories["f"])
    for customer, day in (("a", 99.9), ("f", 99.9)):
        observe(THIRD, memories[customer], INTERACTIONS, view(9, customer, day))
        assert "fans" in members(memories[customer])


def test_slices_hold_each_customer_once():
    few, many = {(1, 1): ["k"]}, {(1, 1): ["k"] * 7, (2, 2): ["k"] * 3}
    lacking: dict[str, Any] = {f"c{i}": few for i in range(MOST_STATES)}
    lacking |= {f"d{i}": many for i in range(MOST_STATES // 10 + 1)}
    parts = slices_of(lacking)
    assert [len(part) for part in parts] == [MOST_STATES, MOST_STATES // 10, 1]
    assert slices_of({}) == []
    assert {name: one for part in parts for name, one in part.items()} == lacking
