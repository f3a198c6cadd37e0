"""What is remembered of one customer, in memory and as it is stored.

Customers of one partition are the rows of one structured array, so that a whole batch is
folded in with a few vector operations. A stored customer is its row, packed, and behind it,
where there are any, the parts of variable size.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.panel import panel_hash
from stream.errors import StoreError
from stream.extra import Extra, Taken
from stream.packing import ID_MASK, pack_rows, unpack_rows

#: Version of the stored form. States of the first one are still read: a row in bytes without the
#: zeros at its end, ids of 64 bits, and each trait with its own moment.
LAYOUT = 2
_FIRST_LAYOUT = 1
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
        ("counters", "<f4", (len(HALF_LIFE_DAYS),)),
        ("weights", "<f4", (CATEGORIES,)),
        ("categories", "<u4", (CATEGORIES,)),
        ("ids", "<u8", (IDS,)),
    ]
)

#: A row as bytes: copies of it cost a tenth of what copies field by field do.
_WHOLE = np.dtype((np.void, ROW.itemsize))
#: Where a row's ids begin; the byte of the layout is not packed.
_HEAD = ROW.itemsize - 8 * IDS
#: Bytes of the packed row and the layout's byte, and the layout.
_HEADER = struct.Struct("<HB")
#: Begins a stored link. Stands where a state has its layout: workers that know no links refuse it.
_LINK = b"\x01\x00\xff"


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of an id that was merged into another one."""

    to: str
    #: Of the state that was handed over; a state after the link's end has a higher one.
    version: int = 0
    #: Events that the state had seen: their repeats are not sent on.
    ids: tuple[int, ...] = ()
    taken: Taken = ()


_pack = msgspec.msgpack.Encoder().encode
_unpack_link = msgspec.msgpack.Decoder(Link).decode


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
        #: Ids in the table that are no customers any more; their rows are blank.
        self.links: dict[str, Link] = {}
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
        set_rows(self.rows, slice(start, start + len(customers)), np.zeros(len(customers), ROW))
        rows: list[int] = []
        packed: list[bytes] = []
        for row, (customer, blob) in enumerate(zip(customers, stored, strict=True), start):
            if blob is None:
                continue
            if is_link(blob):
                self.links[customer] = _read_link(blob)
                continue
            size, layout = _HEADER.unpack_from(blob)
            if layout == LAYOUT:
                rows.append(row)
                packed.append(blob[_HEADER.size : 2 + size])
                if len(blob) > 2 + size:
                    self.extra[row] = Extra.from_bytes(blob[2 + size :])
            elif layout == _FIRST_LAYOUT:
                self._load_first(row, blob[2 : 2 + size], blob[2 + size :])
            else:
                raise StoreError(
                    f"state of customer {customer!r} has layout {layout}, expected {LAYOUT}"
                )
        if packed:
            set_rows(self.rows, np.array(rows), _read_rows(packed))
        new = np.flatnonzero(self.rows["layout"][start : start + len(customers)] == 0) + start
        self.rows["layout"][new] = LAYOUT
        self.rows["cluster"][new] = UNASSIGNED
        self._used[start : start + len(customers)] = -1 if idle else self._tick
        self.panel[start : start + len(customers)] = [panel_hash(name) for name in customers]
        self.names.extend(customers)
        self.index.update(zip(customers, range(start, start + len(customers)), strict=True))

    def _load_first(self, row: int, fixed: bytes, extra: bytes) -> None:
        """Take in what the first layout stored."""
        old = np.frombuffer(fixed.ljust(ROW.itemsize, b"\0"), ROW).copy()
        old["layout"] = LAYOUT
        old["ids"] &= np.uint64(ID_MASK)
        self.rows[row] = old[0]
        if extra:
            self.extra[row] = Extra.from_first_layout(extra)

    def extra_of(self, customer: str) -> Extra:
        """The parts of variable size of a customer that is in the table."""
        return self.extra.setdefault(self.index[customer], Extra())

    def put(self, customer: str, stored: bytes | None) -> None:
        """Replace a customer that is in the table; None is a new one."""
        row, one = self.index[customer], Table(1)
        one.load([customer], [stored])
        self.rows[row] = one.rows[0]
        self.extra.pop(row, None)
        self.links.pop(customer, None)
        if one.extra:
            self.extra[row] = one.extra[0]
        self.links.update(one.links)

    def dump(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Stored form of these rows."""
        return stored_forms(
            get_rows(self.rows, rows), [self.extra.get(row) for row in rows.tolist()]
        )

    def make_room(self, needed: int) -> None:
        """Before a batch: forget the least recently used half if `needed` more do not fit."""
        self._tick += 1
        count = len(self.names)
        if count + needed <= self.limit or count == 0:
            return
        keep = np.sort(np.argsort(self._used[:count], kind="stable")[count // 2 :])
        extra = self.extra
        rows, used, panel = get_rows(self.rows, keep), self._used[keep], self.panel[keep]
        self.names = [self.names[i] for i in keep.tolist()]
        self.index = {name: i for i, name in enumerate(self.names)}
        self.extra = {i: extra[old] for i, old in enumerate(keep.tolist()) if old in extra}
        self.links = {name: link for name, link in self.links.items() if name in self.index}
        set_rows(self.rows, slice(len(keep)), rows)
        self._used[: len(keep)], self.panel[: len(keep)] = used, panel

    def touch(self, rows: NDArray[np.int64]) -> None:
        """Mark these rows as used by the current batch."""
        self._used[rows] = self._tick

    def _reserve(self, size: int) -> None:
        if size > len(self.rows):
            grown = np.zeros(max(size, 2 * len(self.rows)), ROW)
            set_rows(grown, slice(len(self.rows)), self.rows)
            self.rows = grown
            self._used = np.resize(self._used, len(grown))
            self.panel = np.resize(self.panel, len(grown))


def get_rows(rows: NDArray[Any], which: NDArray[Any]) -> NDArray[Any]:
    """Copy of the rows (dtype `ROW`) that numbers or a mask choose."""
    chosen: NDArray[Any] = rows.view(_WHOLE)[which]
    return chosen.view(ROW)


def set_rows(rows: NDArray[Any], which: NDArray[Any] | slice, values: NDArray[Any]) -> None:
    """Put `values` (dtype `ROW`, as `rows`) where numbers, a mask or a slice say."""
    rows.view(_WHOLE)[which] = values.view(_WHOLE)


def is_link(stored: bytes) -> bool:
    """Whether a stored form is a link, and no customer's state."""
    return stored.startswith(_LINK)


def stored_link(link: Link) -> bytes:
    """Stored form of a link."""
    return _LINK + _pack(link)


def stored_forms(state: NDArray[Any], extras: Sequence[Extra | None]) -> list[bytes]:
    """Stored form of customers, from their rows (dtype `ROW`) and parts of variable size."""
    rows = np.array(state)
    _turn_times(rows)
    raw = rows.view(np.uint8).reshape(len(rows), ROW.itemsize)
    return [
        _HEADER.pack(1 + len(row), LAYOUT) + row + (extra.to_bytes() if extra else b"")
        for row, extra in zip(pack_rows(raw[:, 1:_HEAD], rows["ids"]), extras, strict=True)
    ]


def _read_rows(packed: Sequence[bytes]) -> NDArray[Any]:
    """Rows (dtype `ROW`) of what `stored_forms` packed."""
    raw = np.zeros((len(packed), ROW.itemsize), np.uint8)
    raw[:, 0] = LAYOUT
    raw[:, 1:_HEAD], ids = unpack_rows(packed, _HEAD - 1, IDS)
    raw[:, _HEAD:] = ids.view(np.uint8)
    rows: NDArray[Any] = raw.view(ROW)[:, 0]
    _turn_times(rows)
    return rows


def _turn_times(rows: NDArray[Any]) -> None:
    """Times as differences in bits from the last event, and back: the upper bytes become zeros."""
    last = rows["last_seen_ms"]
    rows["first_seen_ms"] ^= last
    rows["cluster_since_ms"] ^= last
    # None stays 0. No order is later than the last event, so that no other becomes 0.
    for name in ("first_order_ms", "last_order_ms"):
        rows[name] = np.where(rows[name], rows[name] ^ (last + 1), 0)


def _read_link(stored: bytes) -> Link:
    link = _unpack_link(stored[len(_LINK) :])
    # Links of the first layout have ids of 64 bits.
    return msgspec.structs.replace(link, ids=tuple(number & ID_MASK for number in link.ids))
