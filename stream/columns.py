"""Events as columns: what each adds to its customer's state, ready to be folded in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.customer import HALF_LIFE_DAYS

#: What an event adds to: an interaction to one counter by its kind, and to `intent`.
VIEW, SEARCH, CART, CHECKOUT, OTHER, PURCHASE, PROFILE = range(7)
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
        # Orders and spend depend on the total; profile facts are no activity.
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.float64,
)
_ORDERS = _COUNTERS.index("recent_orders")
_SPEND = _COUNTERS.index("recent_spend")
#: Where the rows of one table end and those of the next begin, in joined columns.
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

    def part(
        self, begin: int, end: int, traits: Sequence[Mapping[str, Any]] | None = None
    ) -> "Columns":
        """Events of one table among joined ones, without their money and categories."""
        some = slice(begin, end)
        rows = self.rows[some] & ((1 << TABLE_BITS) - 1)
        return Columns(rows, self.at_ms[some], self.ids[some], self.adds[some], traits=traits)

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


def adds(
    kinds: Sequence[int], money_event: NDArray[np.int64], total_minor: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What events of these kinds add to each counter, shape (n, number of counters).

    The events at `money_event` are purchases of these totals.
    """
    added = _ADDS[np.array(kinds, np.int64)]
    if len(money_event):
        added[money_event, _ORDERS] = total_minor >= 0
        added[money_event, _SPEND] = total_minor / 100.0
    return added
