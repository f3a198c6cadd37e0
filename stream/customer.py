"""What is remembered of one customer, in memory and as it is stored.

Customers of one partition are the rows of one structured array, so that a whole batch is
folded in with a few vector operations. A stored customer is its row, packed, and behind it,
where there are any, the parts of variable size.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.panel import panel_hash
from stream.earlier_layouts import EARLIER, Read
from stream.errors import StoreError
from stream.extra import Extra, Taken
from stream.likely import stored_order, turn
from stream.packing import ID_MASK, ids_kept, layout_of, pack_rows, unpack_rows

#: Version of the stored form; those before it are still read.
LAYOUT = 3
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
#: Where the bytes of a row are that are packed, and where its ids begin.
_ORDER = stored_order(ROW)
_HEAD = ROW.itemsize - 8 * IDS
_PLACES = np.argsort(_ORDER)
#: Row of a customer of whom nothing is known.
_BLANK = np.zeros(1, ROW)
_BLANK["cluster"] = UNASSIGNED
#: Begins a stored link. No state of any layout begins so; workers that know no links refuse it.
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
        start, end = len(self.names), len(self.names) + len(customers)
        links: dict[str, Link] = {}
        layouts: defaultdict[int, dict[int, bytes]] = defaultdict(dict)
        for i, (customer, blob) in enumerate(zip(customers, stored, strict=True)):
            if blob is None:
                continue
            if is_link(blob):
                links[customer] = _read_link(blob)
            else:
                layouts[layout_of(blob)][i] = blob
        self._reserve(end)
        extra: dict[int, Extra] = {}
        set_rows(self.rows, slice(start, end), _BLANK)
        for layout, states in layouts.items():
            rows, extras = _read(layout, list(states.values()), customers[next(iter(states))])
            set_rows(self.rows, start + np.array(list(states)), rows)
            extra |= {start + i: one for i, one in zip(states, extras, strict=True) if one}
        self.rows["layout"][start:end] = LAYOUT
        self.extra |= extra
        self.links |= links
        self._used[start:end] = -1 if idle else self._tick
        self.panel[start:end] = [panel_hash(name) for name in customers]
        self.names.extend(customers)
        self.index.update(zip(customers, range(start, end), strict=True))

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
    rows = state.view(_WHOLE).copy().view(ROW)
    kept, bases = ids_kept(rows["ids"]), rows["first_seen_ms"].tolist()
    more = [
        extra.to_bytes(base_ms) if extra else b""
        for extra, base_ms in zip(extras, bases, strict=True)
    ]
    turn(rows, kept)
    head = _bytes_of(rows).take(_ORDER, axis=1)
    return pack_rows(LAYOUT, head, rows["ids"], kept, more)


def _read(layout: int, stored: Sequence[bytes], first: str) -> Read:
    """Rows and parts of variable size of states of one layout; `first` is whose the first is."""
    if layout in EARLIER:
        return EARLIER[layout](stored, ROW)
    if layout != LAYOUT:
        raise StoreError(f"state of customer {first!r} has layout {layout}, expected {LAYOUT}")
    rows = np.zeros(len(stored), ROW)
    head, kept, extras = unpack_rows(stored, len(_ORDER), rows["ids"])
    _bytes_of(rows)[:, 1:_HEAD] = head.take(_PLACES, axis=1)
    turn(rows, kept)
    bases = rows["first_seen_ms"].tolist()
    return rows, [
        Extra.from_bytes(extra, base_ms) if extra else None
        for extra, base_ms in zip(extras, bases, strict=True)
    ]


def _bytes_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    return rows.view(np.uint8).reshape(len(rows), ROW.itemsize)


def _read_link(stored: bytes) -> Link:
    link = _unpack_link(stored[len(_LINK) :])
    # Links of the first layout have ids of 64 bits.
    return msgspec.structs.replace(link, ids=tuple(number & ID_MASK for number in link.ids))
