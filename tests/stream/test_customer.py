"""What is remembered of a customer, against one plain pass event by event."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.customer import IDS, MAX_TRAITS, UNASSIGNED, Table
from stream.decoding import CategoryCodes
from stream.errors import StoreError
from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import feed

DAY_MS = 24 * 60 * 60 * 1000
BEGIN_MS = 1_700_000_000_000
#: Days in which a counter halves, in the order in which they are stored.
HALF_LIVES = {
    "activity": 7,
    "views": 30,
    "searches": 30,
    "carts": 30,
    "other_actions": 30,
    "intent": 1,
    "recent_orders": 90,
    "recent_spend": 90,
}
NAMES = {
    "Product Viewed": ("activity", "views"),
    "Product List Viewed": ("activity", "views"),
    "Products Searched": ("activity", "searches"),
    "Product Added": ("activity", "carts", "intent"),
    "Checkout Started": ("activity", "other_actions", "intent"),
    "Newsletter Read": ("activity", "other_actions"),
}


@dataclass
class Plain:
    """One customer, updated event by event with nothing but sums over all events so far."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def add(self, topic: str, event: dict[str, Any]) -> None:
        if event["event_id"] not in {known["event_id"] for _, known in self.events}:
            self.events.append((topic, event))

    @property
    def times(self) -> list[int]:
        return [event["timestamp"] for _, event in self.events]

    @property
    def orders(self) -> list[int]:
        purchases = [e for topic, e in self.events if topic == PURCHASES]
        return [e["timestamp"] for e in purchases if e["total"] >= 0]

    @property
    def spend(self) -> int:
        return sum(round(e["total"] * 100) for topic, e in self.events if topic == PURCHASES)

    def counters(self) -> dict[str, float]:
        sums = dict.fromkeys(HALF_LIVES, 0.0)
        for topic, event in self.events:
            for name, worth in worths(topic, event):
                age_days = (max(self.times) - event["timestamp"]) / DAY_MS
                sums[name] += worth * 0.5 ** (age_days / HALF_LIVES[name])
        return sums

    def categories(self) -> list[float]:
        sums: dict[str, float] = {}
        for topic, event in self.events:
            for category in categories_of(topic, event):
                age_days = (max(self.times) - event["timestamp"]) / DAY_MS
                sums[category] = sums.get(category, 0.0) + 0.5 ** (age_days / 30)
        return sorted(sums.values())

    def traits(self) -> dict[str, Any]:
        facts: dict[str, tuple[int, Any]] = {}
        for topic, event in self.events:
            if topic == PROFILES:
                for name, value in event["traits"].items():
                    if name not in facts or event["timestamp"] >= facts[name][0]:
                        facts[name] = (event["timestamp"], value)
        return {name: value for name, (_, value) in facts.items()}


def worths(topic: str, event: dict[str, Any]) -> list[tuple[str, float]]:
    if topic == INTERACTIONS:
        return [(name, 1.0) for name in NAMES[event["name"]]]
    if topic == PURCHASES:
        ordered = [("recent_orders", 1.0)] if event["total"] >= 0 else []
        return [("activity", 1.0), ("recent_spend", event["total"]), *ordered]
    return []


def categories_of(topic: str, event: dict[str, Any]) -> set[str]:
    if topic == INTERACTIONS:
        return {event["properties"]["category"]} - {None}
    if topic == PURCHASES and event["total"] >= 0:
        return {item["category"] for item in event["items"]}
    return set()


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """Events of a few customers, late ones and repeats (also in another topic) among them."""
    history: list[tuple[str, dict[str, Any]]] = []
    for number in range(draw(st.integers(1, 40))):
        customer = f"c{draw(st.integers(0, 2))}"
        repeated = [e for _, e in history if e["customer_id"] == customer]
        event_id = f"e{number}"
        at_ms = BEGIN_MS + draw(st.integers(0, 120 * DAY_MS))
        if repeated and draw(st.integers(0, 5)) == 0:
            event_id = draw(st.sampled_from(repeated))["event_id"]
        event = {"event_id": event_id, "customer_id": customer, "timestamp": at_ms}
        category = draw(st.sampled_from([None, "shoes", "hats", "coats"]))
        topic = draw(st.sampled_from([INTERACTIONS, INTERACTIONS, PURCHASES, PROFILES]))
        if topic == INTERACTIONS:
            name = draw(st.sampled_from(sorted(NAMES)))
            event |= {"name": name, "properties": {"category": category}}
        elif topic == PURCHASES:
            total = draw(st.integers(-20_000, 90_000)) / 100
            items = [{"category": category}, {"category": category}] if category else []
            event |= {"order_id": event_id, "total": total, "currency": "USD", "items": items}
        else:
            value = draw(
                st.none()
                | st.booleans()
                | st.integers().filter(lambda n: abs(n) < 2**63)
                | st.text(max_size=5)
            )
            event |= {"traits": {draw(st.sampled_from("abc")): value}}
        history.append((topic, event))
    return history


def batches(
    history: list[tuple[str, dict[str, Any]]], cuts: set[int]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The history as batches of one topic each: cut where the topic changes and at `cuts`."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for number, (topic, event) in enumerate(history):
        if not found or found[-1][0] != topic or number in cuts:
            found.append((topic, []))
        found[-1][1].append(event)
    return found


def assert_same(table: Table, plain: dict[str, Plain]) -> None:
    assert set(table.index) == set(plain)
    for customer, expected in plain.items():
        row = table.rows[table.index[customer]]
        assert int(row["events"]) == len(expected.events)
        assert int(row["orders"]) == len(expected.orders)
        assert int(row["spend_minor"]) == expected.spend
        assert int(row["first_seen_ms"]) == min(expected.times)
        assert int(row["last_seen_ms"]) == max(expected.times)
        assert int(row["first_order_ms"]) == min(expected.orders, default=0)
        assert int(row["last_order_ms"]) == max(expected.orders, default=0)
        turnover = sum(abs(e.get("total", 1.0)) for _, e in expected.events)
        assert row["counters"].tolist() == pytest.approx(
            list(expected.counters().values()), rel=1e-4, abs=1e-5 * turnover
        )
        weights = sorted(row["weights"][row["categories"] != 0].tolist())
        assert weights == pytest.approx(expected.categories(), rel=1e-4)
        extra = table.extra.get(table.index[customer])
        known = {name: value for name, (value, _) in extra.traits.items()} if extra else {}
        assert known == expected.traits()


@settings(deadline=None)
@given(histories(), st.sets(st.integers(0, 40)), st.booleans())
def test_any_batches_add_up_to_one_plain_pass(
    history: list[tuple[str, dict[str, Any]]], cuts: set[int], reload: bool
) -> None:
    table, codes, plain = Table(1_000), CategoryCodes(), {}
    applied = 0
    for topic, events in batches(history, cuts):
        applied += int(feed(table, topic, events, codes).fresh.sum())
        if reload:
            table = stored_and_loaded(table)
    for topic, event in history:
        plain.setdefault(event["customer_id"], Plain()).add(topic, event)
    assert_same(table, plain)
    assert applied == sum(len(customer.events) for customer in plain.values())


def stored_and_loaded(table: Table) -> Table:
    customers = list(table.names)
    other = Table(1_000)
    other.load(customers, table.dump(np.arange(len(customers))))
    return other


def view(customer: str, number: int, at_ms: int = BEGIN_MS, **properties: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "customer_id": customer,
        "timestamp": at_ms,
        "name": "Product Viewed",
        "properties": properties,
    }


def test_a_stored_state_is_the_same_state() -> None:
    table, codes = Table(100), CategoryCodes()
    feed(table, INTERACTIONS, [view("a", 1, category="x"), view("b", 2)], codes)
    traits = {"s": "é", "i": -(2**63), "f": 0.5, "b": True, "l": ["x", "y"], "gone": None}
    fact = {"event_id": "f", "customer_id": "b", "timestamp": BEGIN_MS, "traits": traits}
    feed(table, PROFILES, [fact], codes)
    other = stored_and_loaded(table)
    assert other.names == ["a", "b"]
    assert other.rows[:2].tobytes() == table.rows[:2].tobytes()
    assert 0 not in other.extra
    assert other.extra[1].traits == {name: (v, BEGIN_MS) for name, v in traits.items()}
    assert other.panel[:2].tolist() == table.panel[:2].tolist()


def test_a_new_customer_is_in_no_cluster() -> None:
    table = Table(100)
    feed(table, INTERACTIONS, [view("a", 1)], CategoryCodes())
    assert int(table.rows["cluster"][0]) == UNASSIGNED


def test_a_state_of_another_layout_is_refused() -> None:
    table, codes = Table(100), CategoryCodes()
    feed(table, INTERACTIONS, [view("a", 1)], codes)
    (blob,) = table.dump(np.array([0]))
    # The layout is the first three bits.
    changed = bytes([blob[0] + (1 << 5)]) + blob[1:]
    with pytest.raises(StoreError, match="'a'"):
        Table(100).load(["a"], [changed])


def test_a_stored_state_is_small() -> None:
    table, codes = Table(100), CategoryCodes()
    feed(table, INTERACTIONS, [view("a", 1, category="x")], codes)
    (blob,) = table.dump(np.array([0]))
    # A header of 2, a bitmap of 4, the version, a moment of 5, nobody's cluster in 4; two counters,
    # a weight of 1.0 in 2 each and the category's code in 4; an id of 6.
    assert len(blob) <= 2 + 4 + 1 + 5 + 4 + 3 * 2 + 4 + 6


@pytest.mark.parametrize("split", [1, 3, IDS + 20])
def test_repeats_are_known_as_long_as_an_id_is_remembered(split: int) -> None:
    table, codes = Table(100), CategoryCodes()
    events = [view("a", number, BEGIN_MS + number) for number in range(IDS + 20)]
    for begin in range(0, len(events), split):
        feed(table, INTERACTIONS, events[begin : begin + split], codes)
    assert int(table.rows["events"][0]) == IDS + 20
    # The newest `IDS` are remembered, those before them are not.
    again = feed(table, INTERACTIONS, events[-IDS:], codes)
    assert not again.fresh.any()
    forgotten = feed(table, INTERACTIONS, events[:20], codes)
    assert forgotten.fresh.all()


def test_a_batch_of_nothing_but_repeats_changes_nothing() -> None:
    table, codes = Table(100), CategoryCodes()
    feed(table, INTERACTIONS, [view("a", 1, category="x")], codes)
    before = table.rows[:1].tobytes()
    folded = feed(table, INTERACTIONS, [view("a", 1, category="x")] * 3, codes)
    assert not folded.fresh.any()
    assert len(folded.cohort) == 0
    assert table.rows[:1].tobytes() == before


def test_the_same_id_of_two_customers_is_two_events() -> None:
    table, codes = Table(100), CategoryCodes()
    folded = feed(table, INTERACTIONS, [view("a", 1), view("b", 1)], codes)
    assert folded.fresh.all()
    assert table.rows["events"][:2].tolist() == [1, 1]


def test_folded_tells_who_was_seen_earlier_than_known() -> None:
    table, codes = Table(100), CategoryCodes()
    first = feed(table, INTERACTIONS, [view("a", 1), view("b", 2)], codes)
    assert first.older.tolist() == [True, True]
    later = feed(
        table, INTERACTIONS, [view("a", 3, BEGIN_MS - 1), view("b", 4, BEGIN_MS + 1)], codes
    )
    assert [table.names[row] for row in later.cohort.rows] == ["a", "b"]
    assert later.older.tolist() == [True, False]


def test_only_so_many_categories_are_kept_and_the_strongest_stay() -> None:
    table, codes = Table(100), CategoryCodes()
    feed(table, INTERACTIONS, [view("a", n, category="love") for n in range(50)], codes)
    events = [view("a", 100 + n, category=f"fling {n}") for n in range(40)]
    for event in events:
        feed(table, INTERACTIONS, [event], codes)
    row = table.rows[0]
    assert row["weights"].max() == pytest.approx(50)
    assert (row["weights"] > 0).sum() == len(row["weights"])


def test_only_so_many_traits_are_kept_and_the_newest_stay() -> None:
    table, codes = Table(100), CategoryCodes()
    for number in range(MAX_TRAITS + 5):
        fact = {"event_id": f"f{number}", "customer_id": "a", "timestamp": BEGIN_MS + number}
        feed(table, PROFILES, [fact | {"traits": {f"t{number}": number}}], codes)
    traits = table.extra[0].traits
    assert len(traits) == MAX_TRAITS
    assert "t4" not in traits and f"t{MAX_TRAITS + 4}" in traits


def test_a_full_table_forgets_those_seen_longest_ago() -> None:
    table, codes = Table(10), CategoryCodes()
    for number in range(10):
        table.make_room(1)
        folded = feed(table, INTERACTIONS, [view(f"c{number}", number)], codes)
        table.touch(folded.cohort.rows)
    fact = {"event_id": "f", "customer_id": "c9", "timestamp": BEGIN_MS, "traits": {"x": 1}}
    table.make_room(0)
    table.touch(feed(table, PROFILES, [fact], codes).cohort.rows)
    table.make_room(0)
    table.touch(feed(table, INTERACTIONS, [view("c0", 50)], codes).cohort.rows)
    states = dict(zip(table.names, table.dump(np.arange(10)), strict=True))
    table.make_room(1)
    assert set(table.names) == {"c0", "c6", "c7", "c8", "c9"}
    assert {name: table.names[row] for name, row in table.index.items()} == {
        name: name for name in table.names
    }
    kept = dict(zip(table.names, table.dump(np.arange(5)), strict=True))
    assert kept == {name: states[name] for name in kept}
    # A newcomer in the place of a forgotten one inherits nothing.
    feed(table, INTERACTIONS, [view("new", 60)], codes)
    assert int(table.rows["events"][table.index["new"]]) == 1
    assert table.index["new"] not in table.extra


def test_category_codes_are_bounded() -> None:
    codes = CategoryCodes(limit=3)
    long = [codes.code(letter * 1_000) for letter in "abcde"]
    assert len(set(long)) == 5
    assert 0 not in long
    assert sorted(codes.fresh.values()) == [letter * 128 for letter in "abc"]
    assert codes.code("a" * 1_000) == long[0] == codes.code("a" * 128)
    assert [codes.code(nothing) for nothing in (None, "", 5, ["x"])] == [0, 0, 0, 0]
    codes.fresh = {}
    codes.code("a" * 1_000)
    assert codes.fresh == {}
    codes.forget()
    codes.code("a" * 1_000)
    assert list(codes.fresh.values()) == ["a" * 128]
