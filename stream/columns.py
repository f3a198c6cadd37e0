"""Events as columns: what each adds to its customer's state, ready to be folded in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.customer import HALF_LIFE_DAYS

#: What an interaction adds to: one counter by its kind, and to `intent`.
VIEW, SEARCH, CART, CHECKOUT, OTHER = range(5)
KINDS: Mapping[str, int] = {
    "Product Viewed": VIEW,
    "Product Clicked": VIEW,
    "Product List Viewed": VIEW,
    "Products Searched": SEARCH,
    "Product Added": CART,
    "Checkout Started": CHECKOUT,
    "Checkout Step Viewed": CHECKOUT,
    "Checkout Step Completed": CHECKOUT,
    "Payment Info Entered": CHECKOUT,
}
_COUNTERS = tuple(HALF_LIFE_DAYS)
# Kind → what one event of it adds to each counter, in the order of `_COUNTERS`.
_ADDS = np.array(
    [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 0, 0],
    ],
    dtype=np.float64,
)
_PURCHASE_ADDS = np.array([1, 0, 0, 0, 0, 0, 0, 0], dtype=np.float64)
_ORDERS = _COUNTERS.index("recent_orders")
_SPEND = _COUNTERS.index("recent_spend")
#: Where the rows of one table end and those of the next begin, in the keys of `joined`.
TABLE_BITS = 32

_NO_EVENTS = np.zeros(0, np.int64)
_NO_CODES = np.zeros(0, np.uint32)


@dataclass(slots=True)
class Columns:
    """Events as columns of length n; those of one partition are in the order of offsets."""

    #: Row of each event's customer in its table; in joined columns, the table's number before it.
    rows: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    ids: NDArray[np.uint64]
    #: What each event adds to each counter, shape (n, number of counters).
    adds: NDArray[np.float64]
    #: Orders and refunds: event index, total; an order's is zero or more, a refund's negative.
    money_event: NDArray[np.int64] = field(default_factory=lambda: _NO_EVENTS)
    total_minor: NDArray[np.int64] = field(default_factory=lambda: _NO_EVENTS)
    #: Categories: event index, category code; any number per event.
    category_event: NDArray[np.int64] = field(default_factory=lambda: _NO_EVENTS)
    category_code: NDArray[np.uint32] = field(default_factory=lambda: _NO_CODES)
    #: Traits of each event, or None in a batch without any.
    traits: Sequence[Mapping[str, Any]] | None = None

    def only(self, keep: NDArray[np.bool_]) -> "Columns":
        """The events where `keep`, shape (n,), is true; without traits."""
        position = np.cumsum(keep) - 1
        money, categories = keep[self.money_event], keep[self.category_event]
        return Columns(
            self.rows[keep],
            self.at_ms[keep],
            self.ids[keep],
            self.adds[keep],
            position[self.money_event[money]],
            self.total_minor[money],
            position[self.category_event[categories]],
            self.category_code[categories],
        )


def joined(parts: Sequence[Columns], tables: Sequence[int]) -> Columns:
    """Events of several tables one after the other, without traits.

    `rows` then tells the table too: each part's number in `tables` is in the bits from
    `TABLE_BITS` up.
    """
    if len(parts) == 1:
        return parts[0]
    begin = np.cumsum([0, *(len(part.rows) for part in parts[:-1])]).tolist()
    numbered = [(table << TABLE_BITS, part) for table, part in zip(tables, parts, strict=True)]
    pairs = list(zip(begin, parts, strict=True))
    return Columns(
        np.concatenate([part.rows + high for high, part in numbered]),
        np.concatenate([part.at_ms for part in parts]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.adds for part in parts]),
        np.concatenate([part.money_event + at for at, part in pairs]),
        np.concatenate([part.total_minor for part in parts]),
        np.concatenate([part.category_event + at for at, part in pairs]),
        np.concatenate([part.category_code for part in parts]),
    )


def interaction_adds(kinds: Sequence[int]) -> NDArray[np.float64]:
    """Counters that interactions of these kinds add to, shape (n, number of counters)."""
    return _ADDS[np.asarray(kinds, np.int64)]


def purchase_adds(total_minor: NDArray[np.int64]) -> NDArray[np.float64]:
    """Counters that purchases of these totals add to, shape (n, number of counters)."""
    adds = np.tile(_PURCHASE_ADDS, (len(total_minor), 1))
    adds[:, _ORDERS] = total_minor >= 0
    adds[:, _SPEND] = total_minor / 100.0
    return adds


def profile_adds(count: int) -> NDArray[np.float64]:
    """Profile facts are no activity: zeros, shape (count, number of counters)."""
    return np.zeros((count, len(_COUNTERS)))
