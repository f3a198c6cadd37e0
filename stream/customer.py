"""What is remembered of one customer, in memory and as it is stored.

Customers of one partition are the rows of one structured array, so that a whole batch is
folded in with a few vector operations. A stored customer is its row in bytes without the
zeros at the end, and behind it, where there are any, the parts of variable size.
"""

import struct
from collections.abc import Mapping, Sequence
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
_HEADER = struct.Struct("<H")
#: Begins a stored link. Stands where a state has its layout: workers that know no links refuse it.
_LINK = b"\x01\x00\xff"

#: Transfer → ids that it had passed when it came here, or more once it was merged; see merging.
Taken = tuple[tuple[int, int], ...]


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of an id that was merged into another one."""

    to: str
    #: Of the state that was handed over; a state after the link's end has a higher one.
    version: int = 0
    #: Events that the state had seen: their repeats are not sent on.
    ids: tuple[int, ...] = ()
    taken: Taken = ()


class Extra(msgspec.Struct, array_like=True, omit_defaults=True):
    """The parts of variable size: traits as name → (value, set at ms), memberships as
    segment → entered ms, and the memory of the segment definitions' conditions."""

    traits: dict[str, tuple[Any, int]] = {}
    memberships: dict[str, int] = {}
    memory: dict[str, Any] = {}
    #: When to evaluate next though nothing happens, epoch ms; 0: never.
    due_ms: int = 0
    #: Transfers of merged customers that were here.
    taken: Taken = ()
    #: Short digests of the ids that the customer's events named as its earlier ones.
    asked: list[int] = []


_pack = msgspec.msgpack.Encoder().encode
_unpack_link = msgspec.msgpack.Decoder(Link).decode
_unpack = msgspec.msgpack.Decoder(Extra).decode


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
        fixed: list[bytes] = []
        for i, blob in enumerate(stored):
            if blob is None:
                fixed.append(b"")
                continue
            if is_link(blob):
                self.links[customers[i]] = _unpack_link(blob[len(_LINK) :])
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
        set_rows(self.rows, slice(start, start + len(fixed)), np.frombuffer(padded, ROW))
        new = np.flatnonzero(self.rows["layout"][start : start + len(fixed)] == 0) + start
        self.rows["layout"][new] = LAYOUT
        self.rows["cluster"][new] = UNASSIGNED
        self._used[start : start + len(fixed)] = -1 if idle else self._tick
        self.panel[start : start + len(fixed)] = [panel_hash(name) for name in customers]
        self.names.extend(customers)
        self.index.update(zip(customers, range(start, start + len(customers)), strict=True))

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
    size, everything = ROW.itemsize, state.tobytes()
    stored = []
    for i, extra in enumerate(extras):
        fixed = everything[i * size : (i + 1) * size].rstrip(b"\0")
        more = _pack(extra) if extra is not None else b""
        stored.append(_HEADER.pack(len(fixed)) + fixed + more)
    return stored
