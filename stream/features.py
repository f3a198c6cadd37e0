"""The feature vector of a customer: what the model sees, with names and units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.customer import DAY_MS, HALF_LIFE_DAYS

#: Raised when a feature is added, dropped or changes its meaning.
VERSION = 1
#: Days that stand for "never ordered".
NEVER_DAYS = 730.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One dimension of the vector."""

    name: str
    unit: str
    meaning: str


FEATURES = (
    Feature("recency_days", "days", "since the last event"),
    Feature("order_recency_days", "days", f"since the last order; {NEVER_DAYS:.0f} without one"),
    Feature("tenure_days", "days", "since the first event"),
    Feature("activity", "events", "all interactions and orders, half-life 7 days"),
    Feature("views", "events", "products and lists viewed, half-life 30 days"),
    Feature("searches", "events", "searches, half-life 30 days"),
    Feature("carts", "events", "products added to the cart, half-life 30 days"),
    Feature("other_actions", "events", "all other interactions, half-life 30 days"),
    Feature("intent", "events", "added to cart and steps of checkout, half-life 1 day"),
    Feature("orders", "orders", "orders, half-life 90 days"),
    Feature("spend", "currency units", "money spent less refunds, half-life 90 days"),
    Feature("order_value", "currency units", "money spent less refunds, per order, lifetime"),
    Feature("category_focus", "0 to 1", "share of the favourite category among the top ones"),
    Feature("order_rhythm_days", "days", "mean time between orders; 0 below two orders"),
)
NAMES = tuple(feature.name for feature in FEATURES)


def vectors(rows: NDArray[Any], now_ms: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Feature vectors at `now_ms` of customer rows (dtype `customer.ROW`), shape (n, 14)."""
    last_seen = rows["last_seen_ms"]
    now = np.maximum(now_ms, last_seen)
    idle_days = (now - last_seen) / DAY_MS
    counters = rows["counters"] * np.exp2(-idle_days[:, None] / _HALF_LIVES)
    orders = rows["orders"].astype(np.float64)
    weights = rows["weights"]
    x = np.empty((len(rows), len(FEATURES)))
    x[:, 0] = idle_days
    x[:, 1] = np.where(orders > 0, (now - rows["last_order_ms"]) / DAY_MS, NEVER_DAYS)
    x[:, 2] = (now - rows["first_seen_ms"]) / DAY_MS
    x[:, 3:11] = counters
    x[:, 11] = rows["spend_minor"] / 100.0 / np.maximum(orders, 1)
    total = weights.sum(axis=1)
    x[:, 12] = np.divide(weights.max(axis=1), total, out=np.zeros(len(rows)), where=total > 1e-6)
    span_days = (rows["last_order_ms"] - rows["first_order_ms"]) / DAY_MS
    x[:, 13] = np.where(orders > 1, span_days / np.maximum(orders - 1, 1), 0.0)
    return x


_HALF_LIVES = np.array(list(HALF_LIFE_DAYS.values()))
