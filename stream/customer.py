"""What is remembered of one customer, and how a batch of events changes it.

Customers of one partition are the rows of one structured array, so that a whole batch is
folded in with a few vector operations. A stored customer is its row in bytes without the
zeros at the end, and behind it, where there are any, the parts of variable size.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.panel import panel_hash
from stream.errors import StoreError

#: Version of the layout below; a change of it invalidates stored states.
LAYOUT = 1
#: No cluster yet.
UNASSIGNED = -1
#: Event ids remembered per customer: a duplicate that comes later than this many events of the
#: same customer after its original is counted again.
IDS = 48
#: Categories remembered per customer.
CATEGORIES = 6
#: Traits remembered per customer; the ones set longest ago go first.
MAX_TRAITS = 100
DAY_MS = 86_400_000

#: Decayed counters and their half-lives in days.
HALF_LIFE_DAYS: Mapping[str, float] = {
    "activity": 7.0,
    "views": 30.0,
    "searches": 30.0,
    "carts": 30.0,
    "other_actions": 30.0,
    "intent": 1.0,
    "recent_orders": 90.0,
    "recent_spend": 90.0,
}
CATEGORY_HALF_LIFE_DAYS = 30.0
_HALF_LIVES_MS = np.array(list(HALF_LIFE_DAYS.values())) * DAY_MS
_COUNTERS = tuple(HALF_LIFE_DAYS)

ROW = np.dtype(
    [
        ("layout", "u1"),
        ("id_slot", "u1"),
        ("cluster", "<i4"),
        ("version", "<u4"),
        ("events", "<u4"),
        ("orders", "<u4"),
        ("spend_minor", "<i8"),
        ("first_seen_ms", "<i8"),
        ("last_seen_ms", "<i8"),
        ("first_order_ms", "<i8"),
        ("last_order_ms", "<i8"),
        ("cluster_since_ms", "<i8"),
        ("counters", "<f4", (len(_COUNTERS),)),
        ("weights", "<f4", (CATEGORIES,)),
        ("categories", "<u4", (CATEGORIES,)),
        ("ids", "<u8", (IDS,)),
    ]
)

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
_HEADER = struct.Struct("<H")


class Extra(msgspec.Struct, array_like=True, omit_defaults=True):
    """The parts of variable size: traits as name → (value, set at ms), memberships as
    segment → entered ms, and the memory of the segment definitions' conditions."""

    traits: dict[str, tuple[Any, int]] = {}
    memberships: dict[str, int] = {}
    memory: dict[str, Any] = {}
    #: When to evaluate next though nothing happens, epoch ms; 0: never.
    due_ms: int = 0


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Extra).decode


@dataclass(slots=True)
class Columns:
    """One batch of events of one partition, as columns of length n, in the order of offsets."""

    rows: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    ids: NDArray[np.uint64]
    #: What each event adds to each counter, shape (n, number of counters).
    adds: NDArray[np.float64]
    #: Orders have a total of zero or more; a refund is negative; None in a batch without money.
    total_minor: NDArray[np.int64] | None = None
    #: Categories: event index, category code, weight; any number per event.
    category_event: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    category_code: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    #: Traits of each event, or None in a batch without any.
    traits: Sequence[Mapping[str, Any]] | None = None


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


class Table:
    """Customers of one partition that are in memory; bounded, least recently used go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        """Forget everybody: the stored states are the truth."""
        self.index: dict[str, int] = {}
        self.names: list[str] = []
        self.rows = np.zeros(64, ROW)
        self.extra: dict[int, Extra] = {}
        #: Place of each customer in the hash space that the model's panel is drawn from.
        self.panel = np.zeros(64)
        self._used = np.zeros(64, np.int64)
        self._tick = 0

    def __len__(self) -> int:
        return len(self.names)

    def load(
        self, customers: Sequence[str], stored: Sequence[bytes | None], *, idle: bool = False
    ) -> None:
        """Take in customers that are not in the table; None is a new customer.

        `idle` ones are the first to be forgotten when room is needed.

        Raises
        ------
        StoreError
            If a stored state has another layout.
        """
        start = len(self.names)
        self._reserve(start + len(customers))
        fixed: list[bytes] = []
        for i, blob in enumerate(stored):
            if blob is None:
                fixed.append(b"")
                continue
            if blob[2] != LAYOUT:
                raise StoreError(
                    f"state of customer {customers[i]!r} has layout {blob[2]}, expected {LAYOUT}"
                )
            size = _HEADER.unpack_from(blob)[0]
            fixed.append(blob[2 : 2 + size])
            if len(blob) > 2 + size:
                self.extra[start + i] = _unpack(blob[2 + size :])
        padded = b"".join(part.ljust(ROW.itemsize, b"\0") for part in fixed)
        self.rows[start : start + len(fixed)] = np.frombuffer(padded, ROW)
        new = np.flatnonzero(self.rows["layout"][start : start + len(fixed)] == 0) + start
        self.rows["layout"][new] = LAYOUT
        self.rows["cluster"][new] = UNASSIGNED
        self._used[start : start + len(fixed)] = -1 if idle else self._tick
        self.panel[start : start + len(fixed)] = [panel_hash(name) for name in customers]
        self.names.extend(customers)
        self.index.update(zip(customers, range(start, start + len(customers)), strict=True))

    def dump(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Stored form of these rows."""
        size = ROW.itemsize
        everything = self.rows[rows].tobytes()
        stored = []
        extra = self.extra
        for i, row in enumerate(rows.tolist()):
            fixed = everything[i * size : (i + 1) * size].rstrip(b"\0")
            more = extra.get(row)
            stored.append(
                _HEADER.pack(len(fixed)) + fixed + (_pack(more) if more is not None else b"")
            )
        return stored

    def make_room(self, needed: int) -> None:
        """Before a batch: forget the least recently used half if `needed` more do not fit."""
        self._tick += 1
        count = len(self.names)
        if count + needed <= self.limit or count == 0:
            return
        keep = np.sort(np.argsort(self._used[:count], kind="stable")[count // 2 :])
        extra = self.extra
        rows, used, panel = self.rows[keep], self._used[keep], self.panel[keep]
        self.names = [self.names[i] for i in keep.tolist()]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.extra = {i: extra[old] for i, old in enumerate(keep.tolist()) if old in extra}
        self.rows[: len(keep)], self._used[: len(keep)] = rows, used
        self.panel[: len(keep)] = panel

    def touch(self, rows: NDArray[np.int64]) -> None:
        """Mark these rows as used by the current batch."""
        self._used[rows] = self._tick

    def _reserve(self, size: int) -> None:
        if size > len(self.rows):
            grown = np.zeros(max(size, 2 * len(self.rows)), ROW)
            grown[: len(self.rows)] = self.rows
            self.rows = grown
            self._used = np.resize(self._used, len(grown))
            self.panel = np.resize(self.panel, len(grown))


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch changed.

    Attributes
    ----------
    rows
        Rows that changed, sorted.
    older
        For each of them, whether the customer is new or was seen earlier than was known.
    fresh
        For each event, whether it was applied (False: a duplicate).
    """

    rows: NDArray[np.int64]
    older: NDArray[np.bool_]
    fresh: NDArray[np.bool_]


def fold(table: Table, batch: Columns) -> Folded:
    """Fold a batch into the table's rows."""
    fresh = _fresh(table.rows, batch)
    if not fresh.all():
        batch = _select(batch, fresh)
    touched, group = np.unique(batch.rows, return_inverse=True)
    state = table.rows[touched]
    count = len(touched)
    before_ms = state["last_seen_ms"].copy()
    newest = before_ms.copy()
    np.maximum.at(newest, group, batch.at_ms)
    _fold_counters(state, batch, group, newest)
    if len(batch.category_event):
        _fold_categories(state, batch, group, newest)
    else:
        state["weights"] *= _decay(newest - before_ms, CATEGORY_HALF_LIFE_DAYS * DAY_MS)[:, None]
    state["events"] += np.bincount(group, minlength=count).astype(np.uint32)
    first = np.where(state["first_seen_ms"] == 0, np.iinfo(np.int64).max, state["first_seen_ms"])
    np.minimum.at(first, group, batch.at_ms)
    older = first != state["first_seen_ms"]
    state["first_seen_ms"], state["last_seen_ms"] = first, newest
    if batch.total_minor is not None:
        _fold_money(state, batch, group, batch.total_minor)
    _remember_ids(state, batch, group)
    state["version"] += 1
    table.rows[touched] = state
    if batch.traits is not None:
        _fold_traits(table, batch)
    return Folded(touched, older, fresh)


def _decay(elapsed_ms: NDArray[Any], half_life_ms: Any) -> NDArray[np.float64]:
    return np.asarray(np.exp2(-np.maximum(elapsed_ms, 0) / half_life_ms))


def _fresh(rows: NDArray[Any], batch: Columns) -> NDArray[np.bool_]:
    # Rows far apart in value, so that one key tells both customer and event id.
    keys = batch.ids ^ (batch.rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    fresh = np.zeros(len(keys), bool)
    fresh[np.unique(keys, return_index=True)[1]] = True
    known = rows["ids"][batch.rows] == batch.ids[:, None]
    fresh[known.any(axis=1)] = False
    return fresh


def _select(batch: Columns, keep: NDArray[np.bool_]) -> Columns:
    position = np.cumsum(keep) - 1
    categories = keep[batch.category_event]
    chosen = np.flatnonzero(keep).tolist()
    return Columns(
        batch.rows[keep],
        batch.at_ms[keep],
        batch.ids[keep],
        batch.adds[keep],
        None if batch.total_minor is None else batch.total_minor[keep],
        position[batch.category_event[categories]],
        batch.category_code[categories],
        None if batch.traits is None else [batch.traits[i] for i in chosen],
    )


def _fold_counters(
    state: NDArray[Any], batch: Columns, group: NDArray[np.int64], newest: NDArray[np.int64]
) -> None:
    # A late event counts as if it had come in time: it is decayed to the newest event's time.
    worth = batch.adds * _decay((newest[group] - batch.at_ms)[:, None], _HALF_LIVES_MS)
    aged = state["counters"] * _decay((newest - state["last_seen_ms"])[:, None], _HALF_LIVES_MS)
    for i in np.flatnonzero(batch.adds.any(axis=0)).tolist():
        aged[:, i] += np.bincount(group, worth[:, i], minlength=len(state))
    state["counters"] = aged


def _fold_money(
    state: NDArray[Any],
    batch: Columns,
    group: NDArray[np.int64],
    total_minor: NDArray[np.int64],
) -> None:
    np.add.at(state["spend_minor"], group, total_minor)
    ordered = total_minor >= 0
    group, at_ms = group[ordered], batch.at_ms[ordered]
    state["orders"] += np.bincount(group, minlength=len(state)).astype(np.uint32)
    first = np.where(state["first_order_ms"] == 0, np.iinfo(np.int64).max, state["first_order_ms"])
    np.minimum.at(first, group, at_ms)
    state["first_order_ms"] = np.where(first == np.iinfo(np.int64).max, 0, first)
    last = state["last_order_ms"].copy()
    np.maximum.at(last, group, at_ms)
    state["last_order_ms"] = last


def _fold_categories(
    state: NDArray[Any], batch: Columns, group: NDArray[np.int64], newest: NDArray[np.int64]
) -> None:
    half_life_ms = CATEGORY_HALF_LIFE_DAYS * DAY_MS
    aged = newest - state["last_seen_ms"]
    state["weights"] *= _decay(aged, half_life_ms)[:, None].astype(np.float32)
    owner = group[batch.category_event]
    worth = _decay(newest[owner] - batch.at_ms[batch.category_event], half_life_ms)
    pairs = owner.astype(np.uint64) << np.uint64(32) | batch.category_code
    pair, inverse = np.unique(pairs, return_inverse=True)
    weight = np.bincount(inverse, worth).astype(np.float32)
    owner = (pair >> np.uint64(32)).astype(np.int64)
    code = (pair & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    # Pairs are sorted by owner: round r takes the r-th pair of each, so no row appears twice.
    rank = _rank(owner, np.bincount(owner, minlength=len(state)))
    for r in range(int(rank.max()) + 1):
        chosen = np.flatnonzero(rank == r)
        _add_category(state, owner[chosen], code[chosen], weight[chosen])


def _add_category(
    state: NDArray[Any],
    owner: NDArray[np.int64],
    code: NDArray[np.uint32],
    weight: NDArray[np.float32],
) -> None:
    """Add to the category's slot, else take the lightest slot (its weight is given up)."""
    codes, weights = state["categories"][owner], state["weights"][owner]
    same = codes == code[:, None]
    slot = np.where(same.any(axis=1), same.argmax(axis=1), weights.argmin(axis=1))
    kept = np.where(same.any(axis=1), weights[np.arange(len(owner)), slot], 0)
    state["weights"][owner, slot] = kept + weight
    state["categories"][owner, slot] = code


def _remember_ids(state: NDArray[Any], batch: Columns, group: NDArray[np.int64]) -> None:
    # Position of each event among its customer's events in this batch, in order of offsets.
    order = np.argsort(group, kind="stable")
    owner = group[order]
    counts = np.bincount(group, minlength=len(state))
    slot = (state["id_slot"][owner].astype(np.int64) + _rank(owner, counts)) % IDS
    state["ids"][owner, slot] = batch.ids[order]
    state["id_slot"] = (state["id_slot"].astype(np.int64) + counts) % IDS


def _rank(owner: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each among those of the same owner; `owner` is sorted, `counts` per owner."""
    starts = np.cumsum(counts) - counts
    return np.arange(len(owner)) - starts[owner]


def _fold_traits(table: Table, batch: Columns) -> None:
    traits = batch.traits or ()
    for row, at, facts in zip(batch.rows.tolist(), batch.at_ms.tolist(), traits, strict=True):
        extra = table.extra.get(row)
        if extra is None:
            extra = table.extra[row] = Extra()
        known = extra.traits
        for name, value in facts.items():
            if name in known and known[name][1] > at:
                continue
            known.pop(name, None)
            # A removed trait stays as None, so that a late older fact cannot raise it again.
            known[name] = (value, at)
        while len(known) > MAX_TRAITS:
            del known[next(iter(known))]
