"""Records as broken producers send them, mixed into good ones: for tests."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from stream.simulator.visits import DAY_MS
from stream.timestamps import rfc3339
from stream.topics import INTERACTIONS, PROFILES, PURCHASES

#: Reason of a faulty record that is valid, but was sent before.
DUPLICATE = "duplicate"

_LARGE_BYTES = 300 * 1024
_NAN = b'"total":NaN'

Parts = tuple[str, bytes, bytes | None]


class Faulty(NamedTuple):
    """A record to send, and the reason for which it must be refused (None: it is good)."""

    topic: str
    key: bytes
    value: bytes | None
    reason: str | None


def _interaction(customer_id: Any, event_id: str, at: Any, **fields: Any) -> bytes:
    record = {"event_id": event_id, "customer_id": customer_id, "timestamp": at, "name": "Broken"}
    return msgspec.json.encode({**record, **fields})


def _purchase(key: bytes, event_id: str, at: str, **fields: Any) -> bytes:
    record: dict[str, Any] = {
        "event_id": event_id, "customer_id": key.decode(), "timestamp": at, "order_id": event_id,
        "total": 10.0, "currency": "USD",
    }  # fmt: skip
    return msgspec.json.encode({**record, **fields})


def _nan(key: bytes, event_id: str, at: str) -> Parts:
    return PURCHASES, key, _purchase(key, event_id, at).replace(b'"total":10.0', _NAN)


def _missing(key: bytes, event_id: str, at: str) -> Parts:
    record = {"event_id": event_id, "customer_id": key.decode(), "timestamp": at}
    return PROFILES, key, msgspec.json.encode(record)


def _long_id(key: bytes, event_id: str, at: str) -> Parts:
    customer = "x" * 300
    return INTERACTIONS, customer.encode(), _interaction(customer, event_id, at)


def _negative(key: bytes, event_id: str, at: str) -> Parts:
    return PURCHASES, key, _purchase(key, event_id, at, items=[{"price": 5.0, "quantity": -1}])


def _text(key: bytes, event_id: str, at: str, **fields: Any) -> Parts:
    return INTERACTIONS, key, _interaction(key.decode(), event_id, at, **fields)


_Maker = Callable[[bytes, str, str, int], Parts]

#: Kind of fault → (the reason that it must be refused with, how it is made).
FAULTS: Mapping[str, tuple[str, _Maker]] = {
    "not JSON": ("not-json", lambda key, _, at, ms: (INTERACTIONS, key, b"\x00\xff{oops")),
    "cut off": ("not-json", lambda key, id_, at, ms: (
        INTERACTIONS, key, _interaction(key.decode(), id_, at)[:-3])),
    "NaN": ("invalid", lambda key, id_, at, ms: _nan(key, id_, at)),
    "null value": ("tombstone", lambda key, _, at, ms: (PROFILES, key, None)),
    "missing field": ("missing-field", lambda key, id_, at, ms: _missing(key, id_, at)),
    "wrong type": ("invalid", lambda key, id_, at, ms: _text(key, id_, at, name=17)),
    "no offset": ("invalid", lambda key, id_, at, ms: _text(key, id_, at[:-1])),
    "empty customer": ("invalid", lambda key, id_, at, ms: (
        INTERACTIONS, b"", _interaction("", id_, at))),
    "long customer": ("invalid", lambda key, id_, at, ms: _long_id(key, id_, at)),
    "negative quantity": ("negative-quantity", lambda key, id_, at, ms: _negative(key, id_, at)),
    "unknown currency": ("unknown-currency", lambda key, id_, at, ms: (
        PURCHASES, key, _purchase(key, id_, at, currency="XXX"))),
    "future": ("timestamp-in-future", lambda key, id_, at, ms: (
        INTERACTIONS, key, _interaction(key.decode(), id_, rfc3339(ms + DAY_MS)))),
    "too old": ("timestamp-too-old", lambda key, id_, at, ms: (
        INTERACTIONS, key, _interaction(key.decode(), id_, "1989-12-31T23:59:59Z"))),
    "too large": ("too-large", lambda key, id_, at, ms: _text(
        key, id_, at, properties={"text": "x" * _LARGE_BYTES})),
}  # fmt: skip


def with_faults(
    records: Iterable[tuple[str, bytes, bytes]],
    seed: int,
    now_ms: int,
    *,
    invalid: float = 0.01,
    duplicates: float = 0.01,
    kinds: Iterable[str] = tuple(FAULTS),
) -> Iterator[Faulty]:
    """`records`, all of them, with additional broken ones and repetitions behind some.

    Parameters
    ----------
    now_ms
        The clock of whoever will judge them: faults of the future lie a day ahead of it.
    invalid, duplicates
        Chance after each record that a broken one, or a repetition of it, follows.
    kinds
        Keys of `FAULTS`; each is equally likely.
    """
    draw = random.Random(seed)
    chosen = list(kinds)
    for number, (topic, key, value) in enumerate(records):
        yield Faulty(topic, key, value, None)
        if draw.random() < duplicates:
            yield Faulty(topic, key, value, DUPLICATE)
        if draw.random() < invalid:
            reason, make = FAULTS[draw.choice(chosen)]
            at = rfc3339(now_ms)
            yield Faulty(*make(key, f"fault-{seed}-{number}", at, now_ms), reason)
