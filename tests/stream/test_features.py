"""Feature vectors, worked out by hand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.customer import Table
from stream.decoding import CategoryCodes
from stream.features import FEATURES, NAMES, vectors
from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import feed

DAY_MS = 86_400_000
T0 = 1_700_000_000_000


def interaction(days: float, name: str, category: str | None = None) -> dict[str, Any]:
    return {
        "event_id": f"{days} {name} {category}",
        "customer_id": "a",
        "timestamp": T0 + int(days * DAY_MS),
        "name": name,
        "properties": {"category": category},
    }


def purchase(days: float, total: float) -> dict[str, Any]:
    return {
        "event_id": f"{days} {total}",
        "customer_id": "a",
        "timestamp": T0 + int(days * DAY_MS),
        "order_id": "o",
        "total": total,
        "currency": "USD",
    }


def vector(table: Table, days: float) -> dict[str, float]:
    x: NDArray[np.float64] = vectors(table.rows[: len(table)], T0 + int(days * DAY_MS))
    assert x.shape == (len(table), len(NAMES))
    return dict(zip(NAMES, x[0].tolist(), strict=True))


def test_every_feature_has_a_name_a_unit_and_a_meaning() -> None:
    assert len(set(NAMES)) == len(FEATURES) == 14
    assert all(feature.unit and feature.meaning for feature in FEATURES)


def test_a_browser_who_never_ordered() -> None:
    table, codes = Table(10), CategoryCodes()
    events = [
        interaction(0, "Product Viewed", "shoes"),
        interaction(0, "Product Viewed", "hats"),
        interaction(30, "Product Viewed", "shoes"),
        interaction(30, "Products Searched"),
        interaction(30, "Product Added"),
        interaction(30, "Checkout Started"),
        interaction(30, "Song Played"),
    ]
    feed(table, INTERACTIONS, events, codes)
    # One day later: what halves in a day is halved, what halves in 30 days is 2^(-1/30) of it.
    month = 0.5 ** (1 / 30)
    assert vector(table, 31) == pytest.approx(
        {
            "recency_days": 1,
            "order_recency_days": 730,
            "tenure_days": 31,
            "activity": 5 * 0.5 ** (1 / 7) + 2 * 0.5 ** (31 / 7),
            # Two views of 30 days ago count one half each.
            "views": 2 * month,
            "searches": month,
            "carts": month,
            "other_actions": 2 * month,
            "intent": 1,
            "orders": 0,
            "spend": 0,
            "order_value": 0,
            # Shoes 1.5, hats .5.
            "category_focus": 0.75,
            "order_rhythm_days": 0,
        },
        rel=1e-5,
    )


def test_a_customer_who_orders_every_ten_days_and_gives_some_back() -> None:
    table, codes = Table(10), CategoryCodes()
    events = [purchase(0, 10), purchase(10, 20), purchase(20, 30), purchase(90, -15)]
    feed(table, PURCHASES, events, codes)
    found = vector(table, 110)
    quarter = 0.5 ** (1 / 90)
    assert found == pytest.approx(
        {
            "recency_days": 20,
            # A refund is no order.
            "order_recency_days": 90,
            "tenure_days": 110,
            "activity": sum(quarter ** (day * 90 / 7) for day in (110, 100, 90, 20)),
            "views": 0,
            "searches": 0,
            "carts": 0,
            "other_actions": 0,
            "intent": 0,
            "orders": quarter**110 + quarter**100 + quarter**90,
            "spend": 10 * quarter**110 + 20 * quarter**100 + 30 * quarter**90 - 15 * quarter**20,
            "order_value": 15,
            "category_focus": 0,
            "order_rhythm_days": 10,
        },
        rel=1e-5,
    )


def test_facts_are_no_activity() -> None:
    table, codes = Table(10), CategoryCodes()
    fact = {"event_id": "f", "customer_id": "a", "timestamp": T0, "traits": {"age": 3}}
    feed(table, PROFILES, [fact], codes)
    found = vector(table, 2)
    assert found["activity"] == 0
    assert found["recency_days"] == found["tenure_days"] == 2


def test_an_evaluation_before_the_last_event_is_one_at_it() -> None:
    table, codes = Table(10), CategoryCodes()
    feed(table, INTERACTIONS, [interaction(5, "Product Viewed")], codes)
    assert vector(table, 0) == vector(table, 5)
