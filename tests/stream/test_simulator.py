"""The simulated shop: its events are valid, in order, the same for a seed, and mean something."""

import json
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import KafkaConsumer

from stream import admin
from stream.errors import InvalidEvent
from stream.events import Money, read
from stream.local import Server
from stream.settings import Settings
from stream.simulator import FAULTS, PERSONAS, Faulty, Simulator, with_faults
from stream.simulator.catalog import CATEGORIES, PRODUCTS
from stream.simulator.load import load
from stream.timestamps import rfc3339
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES, partition_of
from tests.oracle import events as oracle
from tests.servers import remove_topics

DAY_MS = 86_400_000
#: 2026-11-22T06:00:00Z, a Sunday.
NOW_MS = 1_795_327_200_000
START_MS = NOW_MS - 90 * DAY_MS
RATES = {"USD": 1.0}


def history(customers: int, events: int, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    shop = Simulator(customers, 5, START_MS - START_MS % DAY_MS, **options)
    return [(event.topic, event.record) for event in islice(shop.events(), events)]


def at_ms(record: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(record["timestamp"]).timestamp() * 1000)


@settings(deadline=None)
@given(st.integers(0, 4_102_444_800_000))
def test_timestamps_are_those_of_datetime(at: int) -> None:
    seconds, milli = divmod(at, 1000)
    clock = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert rfc3339(at) == f"{clock}.{milli:03d}Z"


class TestEvents:
    def test_the_same_seed_gives_the_same_events(self) -> None:
        first = list(islice(Simulator(50, 7, START_MS).encoded(), 2000))
        assert first == list(islice(Simulator(50, 7, START_MS).encoded(), 2000))
        other = list(islice(Simulator(50, 8, START_MS).encoded(), 2000))
        assert not {value for *_, value in first} & {value for *_, value in other}

    def test_encoded_events_are_the_events(self) -> None:
        events = islice(Simulator(50, 7, START_MS).events(), 2000)
        encoded = islice(Simulator(50, 7, START_MS).encoded(), 2000)
        for event, (topic, key, value) in zip(events, encoded, strict=True):
            assert (event.topic, event.key) == (topic, key.decode())
            assert event.record == json.loads(value)
            assert event.key == event.record["customer_id"]

    def test_all_are_valid_in_time_order_with_ids_of_their_own(self) -> None:
        records = history(200, 20_000)
        found = oracle.expected(
            ((topic, json.dumps(record).encode()) for topic, record in records), NOW_MS, RATES
        )
        assert not found.dead
        assert len({record["event_id"] for _, record in records}) == 20_000
        times = [at_ms(record) for _, record in records]
        assert times == sorted(times)
        assert len(found.customers) == 200

    def test_every_event_of_a_shop_appears(self) -> None:
        records = history(300, 20_000)
        assert {record["name"] for topic, record in records if topic == INTERACTIONS} == {
            "Products Searched", "Product List Viewed", "Product Viewed", "Product Added",
            "Cart Viewed", "Checkout Started",
        }  # fmt: skip
        assert {topic for topic, _ in records} == set(EVENT_TOPICS)

    def test_first_comes_the_profile(self) -> None:
        first: dict[str, str] = {}
        for topic, record in history(300, 5000):
            first.setdefault(record["customer_id"], topic)
        assert len(first) == 300
        assert set(first.values()) == {PROFILES}

    def test_orders_are_what_was_added_to_the_cart(self) -> None:
        carts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        orders = 0
        for topic, record in history(300, 20_000):
            cart = carts[record["customer_id"]]
            if record.get("name") == "Product Added":
                cart.append(record["properties"])
            elif topic == PURCHASES and record["total"] >= 0:
                orders += 1
                cents = sum(round(line["price"] * 100) * line["quantity"] for line in cart)
                assert record["items"] == cart
                assert round(record["total"] * 100) == cents
                cart.clear()
        assert orders > 100

    def test_refunds_follow_their_orders(self) -> None:
        bought: dict[str, tuple[int, float]] = {}
        refunds = 0
        for topic, record in history(300, 60_000):
            if topic != PURCHASES:
                continue
            if record["total"] >= 0:
                bought[record["order_id"]] = (at_ms(record), record["total"])
                continue
            refunds += 1
            at, total = bought[record["order_id"]]
            assert DAY_MS <= at_ms(record) - at <= 15 * DAY_MS
            assert 0 < -record["total"] <= total
            assert all(line["quantity"] < 0 for line in record["items"])
        assert refunds > 20

    def test_visits_start_by_day_and_companies_work_on_weekdays(self) -> None:
        last: dict[str, int] = {}
        companies: set[str] = set()
        starts = 0
        for topic, record in history(300, 20_000, change=0.0):
            customer, at = record["customer_id"], at_ms(record)
            if topic == PROFILES and "company_size" in record["traits"]:
                companies.add(customer)
            started = at - last.get(customer, 0) > 6 * 3_600_000
            last[customer] = at
            if not started or topic == PURCHASES:
                continue
            starts += 1
            clock = datetime.fromtimestamp(at / 1000, UTC)
            assert 7 <= clock.hour < (17 if customer in companies else 23)
            assert customer not in companies or clock.weekday() < 5
        assert companies
        assert starts > 1000

    def test_only_companies_have_firmographic_traits(self) -> None:
        shop = Simulator(400, 5, START_MS, change=0.0)
        for event in islice(shop.events(), 10_000):
            if event.topic == PROFILES:
                company = shop.persona_of(event.key) == "business buyer"
                assert ("industry" in event.record["traits"]) == company
                assert {"age", "country", "interests"} <= event.record["traits"].keys()


class TestPersonas:
    def test_there_are_at_least_seven_and_all_appear(self) -> None:
        shop = Simulator(400, 5, START_MS)
        assert len(PERSONAS) >= 7
        assert {shop.persona_of(f"c{n:06d}") for n in range(400)} == set(PERSONAS)

    def test_shares_add_up_and_changes_lead_to_personas(self) -> None:
        assert sum(persona.share for persona in PERSONAS.values()) == pytest.approx(1.0)
        for persona in PERSONAS.values():
            assert set(persona.becomes) <= set(PERSONAS) - {persona.name}

    def test_they_behave_as_they_are_called(self) -> None:
        spent: Counter[str] = Counter()
        views: Counter[str] = Counter()
        shop = Simulator(400, 5, START_MS, change=0.0)
        for event in islice(shop.events(), 60_000):
            who = shop.persona_of(event.key)
            if event.topic == PURCHASES:
                spent[who] += event.record["total"]
            else:
                views[who] += event.record.get("name") == "Product Viewed"
        assert spent["researcher"] == 0
        assert views["researcher"] > 1000
        per_view = {name: spent[name] / views[name] for name in PERSONAS}
        assert per_view["loyal big spender"] > 5 * per_view["bargain hunter"]
        assert per_view["bargain hunter"] > 5 * per_view["window shopper"]
        assert per_view["business buyer"] > per_view["loyal big spender"]

    def test_customers_change(self) -> None:
        shop = Simulator(100, 5, START_MS)
        names = [f"c{n:06d}" for n in range(100)]
        before = [shop.persona_of(name) for name in names]
        for _ in islice(shop.events(), 20_000):
            pass
        changed = sum(shop.persona_of(n) != b for n, b in zip(names, before, strict=True))
        assert 20 < changed < 100

    def test_the_catalogue_is_complete(self) -> None:
        assert set(PRODUCTS) == set(CATEGORIES)
        products = [product for shelf in PRODUCTS.values() for product in shelf]
        assert len({product.product_id for product in products}) == len(products)
        assert all(product.price_minor > 0 for product in products)


class TestBacklog:
    @pytest.mark.parametrize(("customers", "events"), [(20_000, 30_000), (50, 8000), (1, 300)])
    def test_it_ends_before_now_and_not_long_before(self, customers: int, events: int) -> None:
        shop = Simulator.backlog(customers, 3, events, NOW_MS)
        records = [event.record for event in islice(shop.events(), events)]
        first, last = at_ms(records[0]), at_ms(records[-1])
        assert first < last <= NOW_MS
        assert NOW_MS - last < max(3 * DAY_MS, 0.5 * (last - first))

    def test_twenty_thousand_customers_in_two_hundred_thousand_events(self) -> None:
        shop = Simulator.backlog(2_000, 3, 20_000, NOW_MS)
        assert len({key for _, key, _ in islice(shop.encoded(), 20_000)}) > 1_900

    def test_nothing_is_ever_stamped_after_the_end(self) -> None:
        shop = Simulator.backlog(20, 3, 100, NOW_MS)
        times = [at_ms(event.record) for event in islice(shop.events(), 3000)]
        assert times == sorted(times)
        assert max(times) == NOW_MS


class TestLive:
    def test_rate_and_timestamps_follow_the_clock(self) -> None:
        now = [float(NOW_MS)]

        def sleep(seconds: float) -> None:
            now[0] += seconds * 1000

        shop = Simulator(100, 5, START_MS)
        live = shop.live(20.0, clock_ms=lambda: round(now[0]), sleep=sleep)
        times = [at_ms(event.record) for event in islice(live, 41)]
        assert times[0] == NOW_MS
        assert times[-1] == pytest.approx(NOW_MS + 2000, abs=2)
        assert all(40 <= later - earlier <= 60 for earlier, later in pairwise(times))

    def test_events_may_come_together(self) -> None:
        shop, now = Simulator.backlog(50, 5, 1000, NOW_MS), [float(NOW_MS)]

        def sleep(seconds: float) -> None:
            now[0] += 1000 * seconds

        live = shop.live(20.0, lambda: round(now[0]), sleep, together_ms=500)
        times = [at_ms(event.record) - NOW_MS for event in islice(live, 31)]
        # The first at once, then those of each half second at its end, the one of its end too.
        assert times == [0, *[500] * 10, *[1000] * 10, *[1500] * 10]

    def test_it_continues_a_backlog(self) -> None:
        shop = Simulator.backlog(50, 5, 1000, NOW_MS)
        before = [event.record["event_id"] for event in islice(shop.events(), 1000)]
        live = shop.live(1e9, clock_ms=lambda: NOW_MS + 1, sleep=lambda _: None)
        # A clock that stands still lets through what is due: the first event.
        event = next(live)
        assert event.record["event_id"] not in before
        assert at_ms(event.record) == NOW_MS + 1


class TestFaults:
    def faulty(self, count: int = 10_000, **options: Any) -> list[Faulty]:
        shop = Simulator.backlog(100, 5, 10_000, NOW_MS)
        return list(with_faults(islice(shop.encoded(), count), 9, NOW_MS, **options))

    def test_every_kind_is_refused_for_its_reason(self) -> None:
        for kind, (reason, _) in FAULTS.items():
            records = self.faulty(500, invalid=0.2, duplicates=0, kinds=[kind])
            broken = [record for record in records if record.reason]
            assert len(broken) > 50
            for record in broken[:3]:
                assert record.reason == reason
                with pytest.raises(InvalidEvent) as refused:
                    read(record.topic, record.value, NOW_MS, Money(RATES))
                assert refused.value.reason == reason, kind

    def test_the_oracle_counts_what_was_mixed_in(self) -> None:
        records = self.faulty(invalid=0.05, duplicates=0.05)
        mixed = Counter(record.reason for record in records)
        found = oracle.expected(((r.topic, r.value) for r in records), NOW_MS, RATES)
        assert mixed.pop(None) == 10_000
        assert found.duplicates == mixed.pop("duplicate") > 300
        assert found.dead == mixed
        assert sum(c.events for c in found.customers.values()) == 10_000

    def test_the_good_records_stay_as_they_were(self) -> None:
        shop = Simulator.backlog(100, 5, 10_000, NOW_MS)
        good = [(r.topic, r.key, r.value) for r in self.faulty() if r.reason is None]
        assert good == list(islice(shop.encoded(), 10_000))

    def test_seeds(self) -> None:
        assert self.faulty() == self.faulty()


@pytest.mark.slow
def test_it_is_fast_enough_for_load_generators() -> None:
    shop = Simulator.backlog(20_000, 1, 200_000, NOW_MS)
    begun = time.process_time()
    count = sum(1 for _ in islice(shop.encoded(), 200_000))
    # The goal is 100,000/s; the bound leaves room for slow and busy machines.
    assert count / (time.process_time() - begun) > 30_000


def test_a_load_arrives_in_full_and_in_order_per_customer(embedded_broker: Server) -> None:
    chosen = Settings(kafka=embedded_broker.address, partitions=4)
    remove_topics(embedded_broker)
    admin.create(chosen)
    # More than the half megabyte of one batch per partition.
    records = list(islice(Simulator(300, 5, START_MS).encoded(), 20_000))
    assert load(chosen.kafka, records, 4) == 20_000
    consumer = KafkaConsumer(
        INTERACTIONS, bootstrap_servers=chosen.kafka, auto_offset_reset="earliest",
        consumer_timeout_ms=15_000,
    )  # fmt: skip
    sent: dict[bytes, list[bytes]] = defaultdict(list)
    for topic, key, value in records:
        if topic == INTERACTIONS:
            sent[key].append(value)
    expected = sum(map(len, sent.values()))
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for message in islice(consumer, expected):
        assert message.partition == partition_of(message.key.decode(), 4)
        found[message.key].append(message.value)
    consumer.close()
    assert found == sent
