"""A batch of records as columns: the valid events, and what cannot be applied here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from stream.columns import KINDS, OTHER, PROFILE, PURCHASE, TABLE_BITS, Columns, adds
from stream.errors import InvalidEvent
from stream.events import Money, read
from stream.merging import Request, Transfer, message_of
from stream.packing import id_number
from stream.topics import INTERACTIONS, PROFILES, PURCHASES, partitions_of

Message = Request | Transfer
_MAX_CATEGORY = 128


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record for the dead letters."""

    record: Any
    reason: str
    detail: str


@dataclass(slots=True)
class Decoded:
    """What became of a batch's records, in the order of offsets."""

    topic: str
    events: list[Any] = field(default_factory=list)
    #: Offset of each event's record.
    offsets: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    #: Records of customers that another partition owns, and that partition.
    misplaced: list[tuple[Any, int]] = field(default_factory=list)
    #: Customers that were not known beforehand; each once.
    unknown: list[str] = field(default_factory=list)
    #: Messages about merges, with their times (epoch ms) and offsets.
    merges: list[tuple[Message, int, int]] = field(default_factory=list)
    #: Events that customers had seen before they were merged into others.
    repeated: int = 0
    #: Events that went on to the customers that theirs were merged into.
    followed: int = 0
    #: Events that were dropped since their customers are forgotten.
    forgotten: int = 0

    def keep(self, wanted: Callable[[str, int], bool]) -> None:
        """Drop the events, told by customer and epoch ms, that are not wanted any more."""
        pairs = list(zip(self.events, self.offsets, strict=True))
        kept = [pair for pair in pairs if wanted(pair[0].customer_id, pair[0].timestamp)]
        merges = [merge for merge in self.merges if wanted(addressee(merge[0]), merge[1])]
        self.forgotten = len(pairs) - len(kept) + len(self.merges) - len(merges)
        if not self.forgotten:
            return
        self.events, self.offsets = [event for event, _ in kept], [at for _, at in kept]
        self.merges = merges
        left = {event.customer_id for event in self.events}
        left.update(addressee(message) for message, _, _ in merges)
        self.unknown = [name for name in self.unknown if name in left]


def decode(
    topic: str,
    records: Sequence[Any],
    now_ms: int,
    money: Money,
    known: Callable[[str], bool],
    home: tuple[int, int],
) -> Decoded:
    """Read a batch of `topic`'s records.

    Parameters
    ----------
    records
        With the attributes `value` and `offset`.
    known
        Whether a customer is in memory, and therefore known to live in this partition.
    home
        This partition, and how many there are.
    """
    decoded = Decoded(topic)
    events, offsets = decoded.events, decoded.offsets
    strangers: dict[str, None] = {}
    for record in records:
        try:
            event = read(topic, record.value, now_ms, money)
        except InvalidEvent as error:
            decoded.rejected.append(Rejected(record, error.reason, error.detail))
            continue
        if not known(event.customer_id):
            strangers[event.customer_id] = None
        events.append(event)
        offsets.append(record.offset)
    if strangers:
        _turn_away(decoded, list(strangers), home, {r.offset: r for r in records})
    if topic == PROFILES and events:
        _take_out(decoded, records)
    return decoded


def addressee(message: Message) -> str:
    """Whose owner a message is for."""
    return message.source if isinstance(message, Request) else message.target


def _take_out(decoded: Decoded, records: Sequence[Any]) -> None:
    """Messages about merges are no events."""
    events: list[tuple[Any, int]] = []
    for event, offset in zip(decoded.events, decoded.offsets, strict=True):
        try:
            message = message_of(event)
        except InvalidEvent as error:
            record = next(record for record in records if record.offset == offset)
            decoded.rejected.append(Rejected(record, error.reason, error.detail))
            continue
        if message is None:
            events.append((event, offset))
        else:
            decoded.merges.append((message, event.timestamp, offset))
    if len(events) < len(decoded.events):
        decoded.events, decoded.offsets = [e for e, _ in events], [at for _, at in events]


def _turn_away(
    decoded: Decoded, strangers: list[str], home: tuple[int, int], records: dict[int, Any]
) -> None:
    partition, partitions = home
    owners = partitions_of([name.encode() for name in strangers], partitions).tolist()
    elsewhere = {n: o for n, o in zip(strangers, owners, strict=True) if o != partition}
    decoded.unknown = [name for name in strangers if name not in elsewhere]
    if not elsewhere:
        return
    pairs = list(zip(decoded.events, decoded.offsets, strict=True))
    decoded.misplaced = [
        (records[offset], elsewhere[event.customer_id])
        for event, offset in pairs
        if event.customer_id in elsewhere
    ]
    kept = [pair for pair in pairs if pair[0].customer_id not in elsewhere]
    decoded.events = [event for event, _ in kept]
    decoded.offsets = [offset for _, offset in kept]


def category_code(category: str) -> int:
    """32-bit code of a category's name; never 0."""
    return xxhash.xxh32_intdigest(category[:_MAX_CATEGORY].encode()) or 1


class CategoryCodes:
    """Category names as 32-bit codes, and which names the store has not been told; bounded."""

    def __init__(self, limit: int = 20_000) -> None:
        self._codes: dict[str, int] = {}
        self._limit = limit
        self.fresh: dict[int, str] = {}

    def code(self, category: Any) -> int:
        """Code of a category; 0 for none or something that is no name."""
        if not isinstance(category, str) or not category:
            return 0
        name = category[:_MAX_CATEGORY]
        code = self._codes.get(name)
        if code is None:
            code = category_code(name)
            if len(self._codes) < self._limit:
                self._codes[name] = code
                self.fresh[code] = name
        return code

    def forget(self) -> None:
        """Tell the store every name again."""
        self._codes.clear()
        self.fresh.clear()


class Joint:
    """Events of several tables, put one after the other into the columns of one computation."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._at_ms: list[int] = []
        self._ids: list[int] = []
        self._kinds: list[int] = []
        self._money: list[tuple[int, int]] = []
        self._categories: list[tuple[int, int]] = []

    def add(
        self, decoded: Decoded, number: int, index: Mapping[str, int], codes: CategoryCodes
    ) -> None:
        """Add the events of table `number`; every customer must have its row in `index`."""
        high, events = number << TABLE_BITS, decoded.events
        begin = len(self._rows)
        self._rows += [high + index[event.customer_id] for event in events]
        self._at_ms += [event.timestamp for event in events]
        self._ids += [id_number(event.event_id) for event in events]
        if decoded.topic == INTERACTIONS:
            self._add_interactions(events, begin, codes)
        elif decoded.topic == PURCHASES:
            self._add_purchases(events, begin, codes)
        else:
            self._kinds += [PROFILE] * len(events)

    def _add_interactions(self, events: Sequence[Any], begin: int, codes: CategoryCodes) -> None:
        self._kinds += [KINDS.get(event.name, OTHER) for event in events]
        for i, event in enumerate(events, begin):
            if code := codes.code(event.properties.get("category")):
                self._categories.append((i, code))

    def _add_purchases(self, events: Sequence[Any], begin: int, codes: CategoryCodes) -> None:
        self._kinds += [PURCHASE] * len(events)
        for i, event in enumerate(events, begin):
            self._money.append((i, event.total))
            if event.total >= 0:
                found = {codes.code(item.category) for item in event.items} - {0}
                self._categories += [(i, code) for code in found]

    def columns(self) -> Columns:
        """All events; `rows` has their table's number in the bits from `TABLE_BITS` up."""
        money_event, total_minor = _pairs(self._money)
        category_event, category_code = _pairs(self._categories)
        return Columns(
            np.array(self._rows, np.int64),
            np.array(self._at_ms, np.int64),
            np.array(self._ids, np.uint64),
            adds(self._kinds, money_event, total_minor),
            money_event,
            total_minor,
            category_event,
            category_code.astype(np.uint32),
        )


def _pairs(pairs: list[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(pairs, np.int64).reshape(-1, 2).T
