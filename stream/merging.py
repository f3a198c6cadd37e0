"""Two ids turn out to be one customer: their states become one, and the old id a link. Pure.

docs/identity.md is the whole design. Messages between the owners of two ids come at least once
and in any order; totals move exactly once all the same.
"""

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from stream.conditions.keepers import Keeper
from stream.conditions.memory import (
    LACKING,
    LOST,
    NEW,
    NEW_DEFINITIONS,
    STATES,
    TAG,
    Memory,
    lacking_of,
    lost_of,
)
from stream.customer import (
    CATEGORIES,
    CATEGORY_HALF_LIFE_DAYS,
    DAY_MS,
    HALF_LIFE_DAYS,
    IDS,
    MAX_TRAITS,
    Link,
    Table,
    stored_forms,
)
from stream.errors import InvalidEvent, StoreError
from stream.extra import Extra, Taken

#: Ids that a message may pass; the one after keeps it. No state is ever lost to the limit.
MAX_HOPS = 32
#: Transfers that an id recognises when they come again, the newest.
MAX_TAKEN = 64
#: What a transfer that was merged has passed: the same one once more comes by the same way, one
#: that has been round a circle by a longer one, and neither by one as long as this.
MERGED = MAX_HOPS + 1
#: Ids that a customer is known to have had, the newest.
MAX_ASKED = 32
_MAX_ID = 256
#: Bytes of a state that a record may bring.
_MOST_STATE = 8 * 2**20
_MOST_EVENTS = 2**32 - 1
_HALF_LIVES_MS = np.array(list(HALF_LIFE_DAYS.values())) * DAY_MS
_ADDED = ("events", "orders")
_FIRST = ("first_seen_ms", "first_order_ms")
_LAST = ("last_seen_ms", "last_order_ms", "version")

_pack = msgspec.msgpack.Encoder().encode


class Request(msgspec.Struct, frozen=True):
    """To the owner of `source`: hand your customer over to `target`."""

    source: str
    target: str
    path: tuple[str, ...] = ()


class Transfer(msgspec.Struct, frozen=True):
    """To the owner of `target`: take this state in, once."""

    target: str
    #: The same whenever it is sent again, another for every hand-over.
    transfer_id: int
    state: bytes
    taken: Taken
    #: The ids that it came through, the first one is where it is from.
    path: tuple[str, ...]
    #: Of the record that it comes with; the number is made of it.
    event_id: str = ""


class Kept(msgspec.Struct, frozen=True):
    """One id as its owner keeps it: a state, a link, or nothing.

    The transfers that were here stay known to the id, and go with its state besides.
    """

    stored: bytes | None = None
    taken: Taken = ()
    #: Where the id leads, None where it is a customer of its own.
    link: Link | None = None


def wanted(customer_id: str, event: Any) -> list[Request]:
    """The merges that a profile event of `customer_id` asks for."""
    earlier = dict.fromkeys((event.previous_id, event.anonymous_id))
    return [Request(a, customer_id) for a in earlier if is_id(a) and a != customer_id]


def is_id(value: Any) -> bool:
    """Whether a value may be a customer's id."""
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID


def message_of(event: Any) -> Request | Transfer | None:
    """What a worker says with a profile record; None for an event of a customer.

    Raises
    ------
    InvalidEvent
        If it cannot be read: no worker wrote it.
    """
    if event.merge_into is None and event.merged_state is None:
        return None
    path = () if event.via is None else event.via
    if not isinstance(path, list | tuple) or not all(is_id(name) for name in path):
        raise InvalidEvent("broken-merge", "via: expected a list of ids")
    if event.merge_into is not None:
        if not is_id(event.merge_into):
            raise InvalidEvent("broken-merge", "merge_into: expected an id")
        return Request(event.customer_id, event.merge_into, tuple(path))
    if not path:
        raise InvalidEvent("broken-merge", "via: expected whom merged_state is from")
    state = _unpacked(event.merged_state)
    number = xxhash.xxh3_64_intdigest(event.event_id.encode())
    taken = _loaded(state)[1].taken
    return Transfer(event.customer_id, number, state, taken, tuple(path), event.event_id)


def packed(state: bytes) -> str:
    """A state as `merged_state` has it."""
    return base64.b64encode(zlib.compress(state, 1)).decode()


def _unpacked(text: Any) -> bytes:
    try:
        state = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MOST_STATE)
        # Unpacked now, so that broken ones are found here.
        _ = _loaded(state)[1].traits
    except (TypeError, ValueError, LookupError, zlib.error, struct.error) as error:
        raise InvalidEvent("broken-merge", f"merged_state: {error}") from None
    except (StoreError, msgspec.MsgspecError) as error:
        raise InvalidEvent("broken-merge", f"merged_state: {error}") from None
    return state


def _loaded(state: bytes) -> tuple[NDArray[Any], Extra]:
    table = Table(1)
    table.load([""], [state])
    if table.links:
        raise ValueError("a link is no state")
    return table.rows[0], table.extra.get(0) or Extra()


def hand_over(
    kept: Kept, request: Request, transfer_id: int
) -> tuple[Kept, Request | Transfer | None]:
    """The source becomes a link, and its state goes on its way. The first link of an id stays:
    a later request goes on to where that leads.

    Parameters
    ----------
    transfer_id
        Made of where the request stands in its topic, so that a replay makes the same.
    """
    source, target, link = request.source, request.target, kept.link
    if link is not None:
        path = (*request.path, source)
        if link.to in (target, *path) or len(path) >= MAX_HOPS:
            return kept, None
        return kept, Request(link.to, target, path)
    if source == target:
        return kept, None
    state = kept.stored or b""
    version, ids = _seen(state)
    after = Kept(None, kept.taken, Link(target, version, ids, kept.taken))
    if not state:
        return after, None
    return after, Transfer(target, transfer_id, state, kept.taken, (source,))


def take_in(
    kept: Kept, transfer: Transfer, keepers: Mapping[str, Keeper]
) -> tuple[Kept, Transfer | None]:
    """Merge a transfer into its target, or send it on along the target's link."""
    name, number, passed = transfer.target, transfer.transfer_id, len(transfer.path)
    if dict(kept.taken).get(number, -1) >= passed:
        return kept, None
    goes_to = next_hop(name, kept, transfer.path)
    if goes_to is not None:
        path = (*transfer.path, name)
        taken = _with(kept.taken, ((number, passed),))
        return Kept(kept.stored, taken, kept.link), msgspec.structs.replace(
            transfer, target=goes_to, path=path
        )
    state = merged(unlinked(kept).stored, transfer.state, keepers)
    return Kept(state, _with(kept.taken, (*transfer.taken, (number, MERGED)))), None


def _with(taken: Taken, more: Taken) -> Taken:
    found = dict(taken)
    for number, passed in more:
        found[number] = max(passed, found.pop(number, 0))
    return tuple(found.items())[-MAX_TAKEN:]


def next_hop(name: str, kept: Kept, path: Sequence[str]) -> str | None:
    """Where what is meant for `name` goes on to, having come along `path`; None: it stays.

    It stays where there is no link. On a way that leads back to where it was, the smallest id of
    the circle is the one that it stays at, whoever asks: that one's link ends (`unlinked`).
    """
    link = kept.link
    if link is None or len(path) >= MAX_HOPS:
        return None
    if name in path and name == min(path[path.index(name) :]):
        return None
    return link.to


def unlinked(kept: Kept) -> Kept:
    """A link that ends: an empty state, which knows what was taken in and counts on."""
    link = kept.link
    if link is None:
        return kept
    rows = Table(1)
    rows.load([""], [None])
    rows.rows["version"][0] = link.version
    rows.rows["ids"][0, : len(link.ids)] = link.ids
    rows.rows["id_slot"][0] = len(link.ids) % IDS
    return Kept(stored_forms(rows.rows[:1], [None])[0], kept.taken)


def merged(known: bytes | None, other: bytes, keepers: Mapping[str, Keeper]) -> bytes:
    """Stored state of one customer of two.

    Whatever counts events or money is exact. The cluster and the memberships are those of
    `known`; the ring of event ids has the newest half of both where not all fit.

    Parameters
    ----------
    keepers
        Of the conditions in force, by their keys.
    """
    both = Table(2)
    both.load(["known", "other"], [known, other])
    row = _row(both.rows[:2])
    # Of an empty state, after a link's end, nothing is known either.
    mine = both.extra.get(0)
    new = not both.rows["events"][0] and (mine is None or not mine.memory)
    extra = _extra(mine, both.extra.get(1), keepers, new)
    return stored_forms(row, [extra])[0]


def _seen(state: bytes) -> tuple[int, tuple[int, ...]]:
    """Version of a state, and the ids of its events in the order in which they came."""
    if not state:
        return 0, ()
    row = _loaded(state)[0]
    ids = np.roll(row["ids"], -int(row["id_slot"])).tolist()
    return int(row["version"]), tuple(number for number in ids if number)


def _row(both: NDArray[Any]) -> NDArray[Any]:
    row = both[:1].copy()
    newest = both["last_seen_ms"].max()
    for name in _ADDED:
        row[name] = min(int(both[name].astype(np.int64).sum()), _MOST_EVENTS)
    row["spend_minor"] = both["spend_minor"].sum()
    for name in _FIRST:
        times = both[name][both[name] > 0]
        row[name] = times.min() if len(times) else 0
    for name in _LAST:
        row[name] = both[name].max()
    elapsed_ms = (newest - both["last_seen_ms"])[:, None]
    row["counters"] = (both["counters"] * np.exp2(-elapsed_ms / _HALF_LIVES_MS)).sum(axis=0)
    faded = both["weights"] * np.exp2(-elapsed_ms / (CATEGORY_HALF_LIFE_DAYS * DAY_MS))
    row["categories"], row["weights"] = _affinities(both["categories"], faded)
    row["ids"], row["id_slot"] = _ring(both["ids"], both["id_slot"])
    return row


def _affinities(
    codes: NDArray[np.uint32], weights: NDArray[np.float64]
) -> tuple[NDArray[np.uint32], NDArray[np.float64]]:
    """The heaviest categories of both, the heaviest first."""
    sums: dict[int, float] = {}
    for code, weight in zip(codes.ravel().tolist(), weights.ravel().tolist(), strict=True):
        if weight > 0:
            sums[code] = sums.get(code, 0.0) + weight
    kept = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))[:CATEGORIES]
    kept += [(0, 0.0)] * (CATEGORIES - len(kept))
    return np.array([code for code, _ in kept], np.uint32), np.array([w for _, w in kept])


def _ring(ids: NDArray[np.uint64], slots: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], int]:
    """Ids of both, no more than fit: half of each where both have more."""
    known, other = (
        [found for found in np.roll(ring, -int(slot)).tolist() if found]
        for ring, slot in zip(ids, slots, strict=True)
    )
    other = [found for found in other if found not in known]
    most = min(len(other), max(IDS - len(known), IDS // 2))
    together = other[len(other) - most :] + known[max(0, len(known) - (IDS - most)) :]
    ring = np.zeros(IDS, np.uint64)
    ring[: len(together)] = together
    return ring, len(together) % IDS


def _extra(
    known: Extra | None, other: Extra | None, keepers: Mapping[str, Keeper], new: bool
) -> Extra | None:
    if known is None and other is None:
        return None
    one, two = known or Extra(), other or Extra()
    memory = _memory(two.memory if new else one.memory, two.memory, keepers, new)
    traits = _traits(one.traits, two.traits)
    asked = list(dict.fromkeys([*two.asked, *one.asked]))[-MAX_ASKED:]
    return Extra(traits, one.memberships, memory, one.due_ms, asked=asked)


def _traits(
    one: Mapping[str, tuple[Any, int]], other: Mapping[str, tuple[Any, int]]
) -> dict[str, tuple[Any, int]]:
    """Of each trait the fact set last, however they met; of the same moment the larger in bytes."""
    newest = dict(one)
    for name, fact in other.items():
        if name not in newest or _age(fact) > _age(newest[name]):
            newest[name] = fact
    in_order = sorted(newest.items(), key=lambda item: (item[1][1], item[0]))
    return dict(in_order[-MAX_TRAITS:])


def _age(fact: tuple[Any, int]) -> tuple[int, bytes]:
    return fact[1], _pack(fact[0])


def _memory(known: Memory, other: Memory, keepers: Mapping[str, Keeper], new: bool) -> Memory:
    """What conditions remember of both, to be evaluated as a whole.

    What one of them lacks of its past cannot be found under one id any more: it is lost.
    """
    if not known and not other:
        return {}
    states = dict(known.get(STATES, {}))
    lost = {*lost_of(known), *lacking_of(known)}
    if not new:
        theirs: Mapping[str, Any] = other.get(STATES, {})
        lost |= {*lost_of(other), *lacking_of(other)}
        if known.get(TAG) != other.get(TAG):
            lost |= {key for key in keepers if key not in states or key not in theirs}
        for key, state in theirs.items():
            if key in states and key in keepers:
                states[key] = keepers[key].merge(states[key], state)
            else:
                states.setdefault(key, state)
    memory = {TAG: known.get(TAG, ""), STATES: states, NEW: NEW_DEFINITIONS}
    if lost:
        memory[LOST] = sorted(lost)
    memory.pop(LACKING, None)
    return memory
