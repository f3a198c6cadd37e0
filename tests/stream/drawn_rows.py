"""Rows of customers, likely ones and any others, for tests with hypothesis."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from stream.customer import IDS, LAYOUT, ROW
from stream.packing import ID_MASK

#: 2026-11-21 12:00:00 UTC
NOON = 1_795_262_400_000
VALUES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)
NAMES = st.sampled_from(["age", "country", "createdAt", "values", "x", "größe", ""]) | st.text()
MOMENTS = st.integers(0, 2**42) | st.integers(NOON - 10**6, NOON + 10**6)
TRAITS = st.dictionaries(NAMES, st.tuples(VALUES, MOMENTS), max_size=12)

_FLOATS = st.floats(width=32) | st.just(0.0)
_U32 = st.integers(0, 2**32 - 1) | st.integers(0, 50)
_I64 = st.integers(-(2**63), 2**63 - 1) | MOMENTS
_IDS = st.lists(st.integers(0, ID_MASK), max_size=IDS) | st.lists(
    st.integers(1, ID_MASK), min_size=IDS, max_size=IDS
)
_FIELDS = {
    "id_slot": st.integers(0, 255),
    "cluster": st.integers(-(2**31), 2**31 - 1) | st.integers(-1, 12),
    "version": _U32,
    "events": _U32,
    "orders": _U32,
    "spend_minor": _I64,
    "first_seen_ms": _I64,
    "last_seen_ms": _I64,
    "cluster_since_ms": _I64,
    "counters": st.lists(_FLOATS, min_size=8, max_size=8),
    "weights": st.lists(_FLOATS, min_size=6, max_size=6),
    "categories": st.lists(_U32, min_size=6, max_size=6),
    "ids": _IDS.map(lambda ids: ids + [0] * (IDS - len(ids))),
}


def row_of(**fields: Any) -> np.ndarray[Any, Any]:
    """One row, of shape (1,)."""
    row = np.zeros(1, ROW)
    row["layout"] = LAYOUT
    for name, value in fields.items():
        row[name] = value
    return row


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """One row with any values; orders are never later than the last event."""
    fields = draw(st.fixed_dictionaries({}, optional=_FIELDS))
    last = fields.get("last_seen_ms", 0)
    orders = st.just(0) | st.integers(-(2**63), last) | st.integers(max(last - 50, -(2**63)), last)
    fields["first_order_ms"], fields["last_order_ms"] = draw(orders), draw(orders)
    return row_of(**fields)
