"""What becomes of each call; expected records worked out by hand from the specs."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.collect.calls import check_text, read_request
from stream.collect.mapping import Mapper
from stream.collect.refusal import Refusal
from stream.collect.times import happened_ms, to_ms
from stream.collect.traits import flat_traits
from stream.events import Money, read
from tests.collect.harness import AUTHORIZED, Site

#: 2026-11-22T00:24:27.123Z, by `date -d … +%s%3N`.
AT_MS = 1_795_307_067_123
MONEY = Money({"USD": 1.0, "EUR": 1.25})


async def one(site: Site, path: str, call: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Topic and record of one call, without what all records have."""
    answer = await site.send(path, {"messageId": "m", "userId": "ada", "timestamp": AT_MS, **call})
    assert answer.status == 200, answer.body
    ((topic, event),) = site.kafka.events()
    for name, value in (("event_id", "m"), ("source", "default")):
        assert event.pop(name) == value
    assert event.pop("type")
    return topic, event


async def test_a_track_is_an_interaction_under_its_own_name(site: Site):
    topic, event = await one(
        site,
        "/v1/track",
        {
            "event": "Product Viewed",
            "properties": {"category": "shoes", "price": 12.5, "deep": {"a": [1, None]}},
            "context": {"ip": "10.0.0.1"},
        },
    )
    assert topic == "interactions"
    assert event == {
        "customer_id": "ada",
        "timestamp": AT_MS,
        "name": "Product Viewed",
        "properties": {"category": "shoes", "price": 12.5, "deep": {"a": [1, None]}},
        "context": {"ip": "10.0.0.1"},
    }


ORDER = {
    "order_id": "o-1",
    "revenue": 25.0,
    "currency": "eur",
    "products": [
        {"product_id": "p-1", "category": "shoes", "price": "10", "quantity": "2"},
        {"sku": "s-2", "price": 5},
    ],
}


@pytest.mark.parametrize("name", ["Order Completed", "Completed Order", "order_completed"])
async def test_an_order_is_a_purchase(site: Site, name: str):
    topic, event = await one(site, "/v1/track", {"event": name, "properties": ORDER})
    assert topic == "purchases"
    assert event == {
        "customer_id": "ada",
        "timestamp": AT_MS,
        "order_id": "o-1",
        "total": 25.0,
        "currency": "EUR",
        "items": [
            {"product_id": "p-1", "category": "shoes", "price": 10.0, "quantity": 2.0},
            {"product_id": "s-2", "price": 5.0, "quantity": 1.0},
        ],
    }


@pytest.mark.parametrize(
    ("amounts", "total"),
    [
        ({"total": 30, "revenue": 25}, 30.0),
        ({"total": "30.10"}, 30.1),
        ({"value": 7}, 7.0),
        ({"total": None, "revenue": "", "value": 7}, 7.0),
        ({"products": [{"price": 0.1, "quantity": 3}, {"price": 0.2}]}, 0.5),
        ({"total": "much"}, 0.0),
        ({"total": "nan", "revenue": 4}, 4.0),
        ({"total": True, "revenue": 4}, 4.0),
        ({}, 0.0),
    ],
)
async def test_the_amount_of_an_order(site: Site, amounts: dict[str, Any], total: float):
    call = {"event": "Order Completed", "properties": amounts}
    topic, event = await one(site, "/v1/track", call)
    assert (topic, event["total"], event["currency"]) == ("purchases", total, "USD")
    assert event["order_id"] == "m"


@pytest.mark.parametrize("name", ["Order Refunded", "Order Cancelled", "Order Canceled"])
@pytest.mark.parametrize("total", [12.5, -12.5])
async def test_what_takes_an_order_back_is_negative(site: Site, name: str, total: float):
    properties = {"order_id": "o-1", "total": total, "products": [{"product_id": "p"}]}
    topic, event = await one(site, "/v1/track", {"event": name, "properties": properties})
    assert (topic, event["total"]) == ("purchases", -12.5)
    assert event["items"] == [{"product_id": "p", "quantity": -1.0}]


async def test_a_refund_of_unknown_amount_is_no_order_of_zero(site: Site):
    call = {"event": "Order Refunded", "properties": {"order_id": "o-1"}}
    topic, event = await one(site, "/v1/track", call)
    assert (topic, event["name"]) == ("interactions", "Order Refunded")


@pytest.mark.parametrize("wrong", [{"total": 1e13}, {"currency": "US"}, {"currency": 5}])
async def test_an_order_that_no_purchase_can_be_is_refused(site: Site, wrong: dict[str, Any]):
    call = {"userId": "a", "event": "Order Completed", "properties": wrong}
    assert (await site.send("/v1/track", call)).status == 400


async def test_identify_gives_the_traits_flattened(site: Site):
    call = {
        "context": {"traits": {"plan": "free", "age": 1}},
        "traits": {"age": 34, "address": {"city": "Manila"}, "tags": ["a", 2], "gone": None},
    }
    topic, event = await one(site, "/v1/identify", {"anonymousId": "anon", **call})
    assert topic == "profiles"
    assert event == {
        "customer_id": "ada",
        "timestamp": AT_MS,
        "anonymous_id": "anon",
        "traits": {
            "plan": "free",
            "age": 34,
            "address.city": "Manila",
            "tags": ["a", "2"],
            "gone": None,
        },
    }


async def test_a_group_gives_firmographic_traits(site: Site):
    traits = {"name": "Acme", "industry": "logistics", "employees": 120}
    topic, event = await one(site, "/v1/group", {"groupId": "g-1", "traits": traits})
    assert topic == "profiles"
    assert event["traits"] == {
        "company_id": "g-1",
        "company_name": "Acme",
        "industry": "logistics",
        "company_size": 120,
    }


@pytest.mark.parametrize(
    ("path", "name"), [("/v1/page", "Page Viewed"), ("/v1/screen", "Screen Viewed")]
)
async def test_views(site: Site, path: str, name: str):
    call = {"name": "Home", "category": "Docs", "properties": {"url": "/"}}
    topic, event = await one(site, path, call)
    assert (topic, event["name"]) == ("interactions", name)
    assert event["properties"] == {"url": "/", "name": "Home", "category": "Docs"}


async def test_an_alias_keeps_the_former_id(site: Site):
    topic, event = await one(site, "/v1/alias", {"previousId": "anon"})
    assert (topic, event["previous_id"], event["traits"]) == ("profiles", "anon", {})


@pytest.mark.parametrize(
    ("ids", "customer"),
    [
        ({"userId": "u", "anonymousId": "a"}, "u"),
        ({"userId": None, "anonymousId": "a"}, "a"),
        ({"userId": "", "anonymousId": "a"}, "a"),
        ({"userId": 12, "anonymousId": "a"}, "12"),
        ({"userId": 12.0}, "12"),
    ],
)
async def test_who_it_is(site: Site, ids: dict[str, Any], customer: str):
    assert (await site.send("/v1/track", {"event": "e", **ids})).status == 200
    ((_, event),) = site.kafka.events()
    assert event["customer_id"] == customer


async def test_an_event_without_an_id_gets_one(site: Site):
    for _ in range(2):
        assert (await site.send("/v1/track", {"event": "e", "userId": "a"})).status == 200
    ids = {event["event_id"] for _, event in site.kafka.events()}
    assert len(ids) == 2
    assert all(len(name) == 36 for name in ids)


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-11-22T00:24:27.123Z", AT_MS),
        ("2026-11-22T08:24:27.123+08:00", AT_MS),
        ("2026-11-22T00:24:27.123456789Z", AT_MS),
        ("2026-11-22T00:24:27.123", AT_MS),
        ("2026-11-22 00:24:27.123Z", AT_MS),
        (AT_MS, AT_MS),
        (AT_MS / 1000, AT_MS),
        ("yesterday", None),
        ("", None),
        (1e300, None),
        (True, None),
        ([], None),
    ],
)
def test_times_as_clients_write_them(text: Any, at_ms: int | None):
    found = to_ms(text)
    assert found == at_ms if at_ms is None else found is not None and abs(found - at_ms) <= 1


@given(st.integers(0, 2**41), st.integers(-(2**35), 2**35), st.integers(0, 10**7))
def test_the_clock_of_the_device_does_not_matter(at_ms: int, off_ms: int, delay_ms: int):
    # It happened at `at_ms`, was sent after a delay, and arrived at once; the device is off.
    original, sent, received = at_ms + off_ms, at_ms + delay_ms + off_ms, at_ms + delay_ms
    assert happened_ms(original, sent, received) == at_ms


async def test_clock_correction_in_a_batch(site: Site):
    call = {"type": "track", "event": "e", "userId": "a", "timestamp": "2020-01-01T00:00:00Z"}
    batch = {"batch": [call], "sentAt": "2020-01-01T00:00:01Z"}
    before_ms = time.time_ns() // 1_000_000
    assert (await site.send("/v1/batch", batch)).status == 200
    after_ms = time.time_ns() // 1_000_000
    ((_, event),) = site.kafka.events()
    # A second before it was received.
    assert before_ms <= event["timestamp"] + 1000 <= after_ms


def test_traits_that_do_not_fit_are_left_out_and_counted():
    kept, left_out = flat_traits({"long": "x" * 1021, "fits": "x" * 1020})
    assert (list(kept), left_out) == (["fits"], 1)
    kept, left_out = flat_traits({f"t{i}": i for i in range(101)})
    assert (len(kept), left_out) == (100, 1)


CLOUD = {
    "specversion": "1.0",
    "id": "7",
    "source": "/shop",
    "type": "Product Viewed",
    "subject": "ada",
    "time": "2026-11-22T00:24:27.123Z",
    "data": {"product_id": "p-7"},
}


@pytest.mark.parametrize("batched", [False, True])
async def test_cloudevents(site: Site, batched: bool):
    answer = await site.send("/v1/cloudevents", [CLOUD] if batched else CLOUD)
    assert answer.status == 200
    ((topic, event),) = site.kafka.events()
    assert (topic, event["name"], event["timestamp"]) == ("interactions", "Product Viewed", AT_MS)
    assert (event["customer_id"], event["event_id"]) == ("ada", "/shop#7")
    assert event["properties"] == {"product_id": "p-7"}


async def test_cloudevents_in_headers(site: Site):
    headers = {f"ce-{k}": v for k, v in CLOUD.items() if isinstance(v, str)} | AUTHORIZED
    headers["ce-type"] = "com.example.identify"
    assert (await site.send("/v1/cloudevents", {"plan": "free"}, headers)).status == 200
    ((topic, event),) = site.kafka.events()
    assert (topic, event["traits"], event["timestamp"]) == ("profiles", {"plan": "free"}, AT_MS)


async def test_cloudevents_headers_are_percent_encoded_and_data_is_optional(site: Site):
    headers = {f"ce-{k}": v for k, v in CLOUD.items() if isinstance(v, str)} | AUTHORIZED
    headers["ce-subject"] = "Jos%C3%A9%20%25"
    assert (await site.send("/v1/cloudevents", b"", headers)).status == 200
    ((_, event),) = site.kafka.events()
    assert (event["customer_id"], event["properties"]) == ("José %", {})


@pytest.mark.parametrize(
    "change",
    [{"specversion": "0.3"}, {"id": ""}, {"type": None}, {"subject": ""}, {"data": [1]}],
)
async def test_what_is_no_cloudevent_is_refused(site: Site, change: dict[str, Any]):
    for body in ({**CLOUD, **change}, [CLOUD, {**CLOUD, **change}]):
        assert (await site.send("/v1/cloudevents", body)).status == 400
    assert site.kafka.records == []


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(["Order Completed", "Order Refunded", "Product Viewed", "Ünïcode"])
KEYS = st.sampled_from(
    ["total", "revenue", "value", "products", "order_id", "price", "quantity", "category", "x"]
)
PRODUCTS = st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=3)


@given(
    st.sampled_from(["track", "identify", "group", "page", "alias"]),
    NAMES,
    st.dictionaries(KEYS, JSON | PRODUCTS, max_size=5),
    JSON,
)
def test_what_is_taken_is_never_a_dead_letter(
    kind: str, name: str, properties: dict[str, Any], user: Any
):
    call = {
        "userId": user if isinstance(user, str | int) else "ada",
        "event": name,
        "properties": properties,
        "traits": properties,
        "groupId": "g",
        "previousId": "p",
        "timestamp": AT_MS,
    }
    mapper = Mapper("USD")
    body = json.dumps(call).encode()
    try:
        check_text(body)
        (found,) = read_request(kind, body).calls
        record = mapper.record(found, None, AT_MS, "web")
    except Refusal:
        return
    assert len(record.value) <= 256 * 1024
    read(record.topic, record.value, AT_MS, MONEY)


@pytest.mark.parametrize("kind", ["track", "order", "page", "screen", "identify", "group", "alias"])
async def test_nobody_outside_speaks_as_a_worker(site: Site, kind: str):
    words = {"merge_into": "eve", "merged_state": "AAAA", "via": ["bob"]}
    call = {**words, "traits": words, "context": {"traits": words, **words}, "groupId": "g"}
    call |= {"previousId": "old", "properties": words, "event": "Seen", "anonymousId": "anon"}
    if kind == "order":
        call |= {"event": "Order Completed", "properties": {**words, **ORDER}}
    _, event = await one(site, f"/v1/{'track' if kind == 'order' else kind}", call)
    assert event["anonymous_id"] == "anon"
    assert not words.keys() & event.keys()


async def test_nor_with_a_cloudevent(site: Site):
    words = {"merge_into": "eve", "merged_state": "AAAA", "via": ["bob"]}
    for kind in ("seen", "identify"):
        event = {"specversion": "1.0", "id": kind, "source": "s", "type": kind, "subject": "ada"}
        answer = await site.send("/v1/cloudevents", {**event, **words, "data": words})
        assert answer.status == 200, answer.body
    sent = site.kafka.events()
    assert len(sent) == 2
    assert not any(words.keys() & event.keys() for _, event in sent)
