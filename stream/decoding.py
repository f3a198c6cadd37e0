"""A batch of records as columns: the valid events, and what cannot be applied here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from stream.columns import (
    KINDS,
    OTHER,
    Columns,
    interaction_adds,
    profile_adds,
    purchase_adds,
)
from stream.errors import InvalidEvent
from stream.events import Money, read
from stream.topics import INTERACTIONS, PURCHASES, partitions_of

_MAX_CATEGORY = 128
_hash64 = xxhash.xxh3_64_intdigest


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
    #: Events that were dropped since their customers are forgotten.
    forgotten: int = 0

    def keep(self, wanted: Callable[[str, int], bool]) -> None:
        """Drop the events, told by customer and epoch ms, that are not wanted any more."""
        pairs = list(zip(self.events, self.offsets, strict=True))
        kept = [pair for pair in pairs if wanted(pair[0].customer_id, pair[0].timestamp)]
        if len(kept) == len(pairs):
            return
        self.forgotten = len(pairs) - len(kept)
        self.events, self.offsets = [event for event, _ in kept], [at for _, at in kept]
        left = {event.customer_id for event in self.events}
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
    return decoded


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


def columns(decoded: Decoded, index: dict[str, int], codes: CategoryCodes) -> Columns:
    """Columns of the decoded events; every customer must have its row in `index`."""
    events = decoded.events
    count = len(events)
    rows = np.fromiter((index[event.customer_id] for event in events), np.int64, count)
    at_ms = np.fromiter((event.timestamp for event in events), np.int64, count)
    ids = np.fromiter((_hash64(event.event_id.encode()) or 1 for event in events), np.uint64, count)
    if decoded.topic == INTERACTIONS:
        adds = interaction_adds([KINDS.get(event.name, OTHER) for event in events])
        code = codes.code
        found = np.fromiter((code(e.properties.get("category")) for e in events), np.uint32, count)
        which = np.flatnonzero(found)
        return Columns(rows, at_ms, ids, adds, category_event=which, category_code=found[which])
    if decoded.topic == PURCHASES:
        total_minor = np.fromiter((event.total for event in events), np.int64, count)
        pairs = [
            (i, code)
            for i, event in enumerate(events)
            if event.total >= 0
            for code in {codes.code(item.category) for item in event.items}
            if code
        ]
        which = np.array([i for i, _ in pairs], np.int64)
        found = np.array([code for _, code in pairs], np.uint32)
        adds = purchase_adds(total_minor)
        return Columns(rows, at_ms, ids, adds, np.arange(count), total_minor, which, found)
    traits = [event.traits for event in events]
    return Columns(rows, at_ms, ids, profile_adds(count), traits=traits)
