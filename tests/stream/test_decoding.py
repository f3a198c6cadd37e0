"""A batch of records as columns."""

import json
from typing import Any

import numpy as np
import pytest

from stream.decoding import CategoryCodes, Decoded, decode
from stream.events import Money
from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import FAR_MS, Record, columns, names

BEGIN_MS = 1_700_000_000_000
USD = Money({"USD": 1.0})


def event(customer: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "customer_id": customer,
        "timestamp": BEGIN_MS + number,
        "name": "Product Viewed",
        "order_id": "o",
        "total": 1,
        "currency": "USD",
        "traits": {},
        **more,
    }


def records(topic: str, values: list[Any], first: int = 0) -> list[Record]:
    return [
        Record(topic, 0, first + 2 * i, b"k", v if isinstance(v, bytes) else json.dumps(v).encode())
        for i, v in enumerate(values)
    ]


def read(topic: str, values: list[Any], known: set[str] = frozenset()) -> Decoded:  # type: ignore[assignment]
    return decode(topic, records(topic, values, 10), FAR_MS, USD, known.__contains__, (0, 2))


def test_records_keep_their_order_and_offsets() -> None:
    mine, theirs = names(0, 2, 2), names(1, 2, 1)[0]
    values = [event(mine[1], 1), b"{", event(theirs, 2), event(mine[0], 3), event(mine[1], 4)]
    decoded = read(INTERACTIONS, values)
    assert [e.event_id for e in decoded.events] == ["e1", "e3", "e4"]
    assert decoded.offsets == [10, 16, 18]
    assert [(r.record.offset, r.reason) for r in decoded.rejected] == [(12, "not-json")]
    assert [(r.offset, partition) for r, partition in decoded.misplaced] == [(14, 1)]
    assert decoded.unknown == [mine[1], mine[0]]


def test_customers_in_memory_are_not_looked_up_again() -> None:
    mine = names(0, 2, 2)
    decoded = read(INTERACTIONS, [event(mine[0], 1), event(mine[1], 2)], {mine[0]})
    assert decoded.unknown == [mine[1]]
    assert len(decoded.events) == 2


def test_interactions_as_columns() -> None:
    (customer, other) = names(0, 2, 2)
    values = [
        event(customer, 1, name="Product Added", properties={"category": "hats"}),
        event(other, 2, name="Whatever", properties={"category": 7}),
        event(customer, 3, name="Products Searched", properties={"category": "hats"}),
    ]
    codes = CategoryCodes()
    batch = columns(read(INTERACTIONS, values), {customer: 4, other: 9}, codes)
    assert batch.rows.tolist() == [4, 9, 4]
    assert batch.at_ms.tolist() == [BEGIN_MS + 1, BEGIN_MS + 2, BEGIN_MS + 3]
    assert len(set(batch.ids.tolist())) == 3 and 0 not in batch.ids
    assert len(batch.money_event) == 0 and batch.traits is None
    assert batch.category_event.tolist() == [0, 2]
    assert batch.category_code.tolist() == [codes.code("hats")] * 2
    # activity, views, searches, carts, other actions, intent, orders, spend
    assert batch.adds.tolist() == [
        [1, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
    ]


def test_purchases_as_columns() -> None:
    (customer,) = names(0, 2, 1)
    items = [{"category": "hats"}, {"category": "hats"}, {"category": "shoes"}, {}]
    values = [
        event(customer, 1, total=12.345, items=items),
        event(customer, 2, total=-5, items=items),
        event(customer, 3, total=0),
    ]
    codes = CategoryCodes()
    batch = columns(read(PURCHASES, values), {customer: 0}, codes)
    assert batch.money_event.tolist() == [0, 1, 2]
    # 12.345 is half way: to the even cent.
    assert batch.total_minor.tolist() == [1234, -500, 0]
    # Each category once per order, none for a refund.
    assert batch.category_event.tolist() == [0, 0]
    assert set(batch.category_code.tolist()) == {codes.code("hats"), codes.code("shoes")}
    assert batch.adds[:, 6].tolist() == [1, 0, 1]
    assert batch.adds[:, 7].tolist() == pytest.approx([12.34, -5, 0])


def test_profiles_as_columns() -> None:
    (customer,) = names(0, 2, 1)
    values = [event(customer, 1, traits={"a": None}), event(customer, 2, traits={"b": [""]})]
    batch = columns(read(PROFILES, values), {customer: 0}, CategoryCodes())
    assert batch.traits == [{"a": None}, {"b": [""]}]
    assert not batch.adds.any()


def test_a_batch_without_anything_valid() -> None:
    decoded = read(PURCHASES, [b"1", b"null", b""])
    assert decoded.events == [] == decoded.unknown
    assert len(decoded.rejected) == 3
    batch = columns(decoded, {}, CategoryCodes())
    assert len(batch.rows) == 0


def test_surrogates_never_reach_the_columns() -> None:
    (customer,) = names(0, 2, 1)
    half = json.dumps(event(customer, 1, properties={"category": "\ud800"})).encode()
    decoded = read(INTERACTIONS, [half])
    assert [r.reason for r in decoded.rejected] == ["not-json"]


def test_equal_ids_are_equal_in_every_topic() -> None:
    (customer,) = names(0, 2, 1)
    ids = [
        columns(read(topic, [event(customer, 1)]), {customer: 0}, CategoryCodes()).ids
        for topic in (INTERACTIONS, PURCHASES, PROFILES)
    ]
    assert np.unique(np.concatenate(ids)).size == 1


def test_absurd_amounts_do_not_stop_the_worker() -> None:
    (customer,) = names(0, 2, 1)
    record = records(PURCHASES, [event(customer, 1, total=1e12, currency="XAU")])
    money = Money({"XAU": 1e6})
    decoded = decode(PURCHASES, record, FAR_MS, money, lambda _: False, (0, 2))
    columns(decoded, {customer: 0}, CategoryCodes())
