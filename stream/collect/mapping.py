"""Calls become records of the three event topics, in the wire formats of `stream.events`.

Beside its model's fields a record says where it is from: `type` (what was called), `source` (of
the write key), `anonymous_id` and `previous_id` where the call named them.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec
from xxhash import xxh3_64_intdigest

from stream.collect.calls import Call, as_raw, dictionary, identifier, raw_object
from stream.collect.commerce import purchase_fields, sign_of
from stream.collect.refusal import invalid
from stream.collect.times import happened_ms, to_ms
from stream.collect.traits import flat_traits, group_traits
from stream.topics import INTERACTIONS, PROFILES, PURCHASES

MAX_ID = 256
_HALF = 2**63
#: Names of interactions that have none of their own.
_VIEWS = {"page": "Page Viewed", "screen": "Screen Viewed"}

_encode = msgspec.json.Encoder().encode


class Record(msgspec.Struct, gc=False):
    """What goes to Kafka for one call."""

    topic: str
    key: bytes
    value: bytes
    #: The same for the same event sent again, different for any other: 64 bits, signed.
    identity: int
    name: str
    customer_id: str
    at_ms: int


class _Interaction(msgspec.Struct, gc=False):
    """An interaction on its way: dictionaries go through as the client wrote them."""

    event_id: str
    customer_id: str
    timestamp: int
    name: str
    properties: msgspec.Raw
    context: msgspec.Raw
    type: str | None
    source: str
    anonymous_id: str | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class Mapper:
    """Makes records of the calls of one collector.

    Parameters
    ----------
    currency
        Of orders that name none.
    """

    currency: str
    counts: Counter[str] = field(default_factory=Counter)

    def record(self, call: Call, sent_ms: int | None, received_ms: int, source: str) -> Record:
        """Record of one call.

        Raises
        ------
        Refusal
            400, with the field and what was expected.
        """
        customer_id, anonymous_id = _who(call)
        message_id = identifier(call.message_id)
        event_id = _short(message_id) if message_id else str(uuid4())
        at_ms = _when(call, sent_ms, received_ms)
        key = customer_id.encode()
        identity = identity_of(key, event_id)
        named = anonymous_id if anonymous_id and anonymous_id != customer_id else msgspec.UNSET
        found = None if _is_plain(call) else self._fields(call, customer_id, event_id)
        if found is None:
            view = _Interaction(
                event_id, customer_id, at_ms, *_interaction(call), call.type, source, named
            )
            return Record(INTERACTIONS, key, _encode(view), identity, view.name, customer_id, at_ms)
        topic, fields = found
        record = {"event_id": event_id, "customer_id": customer_id, "timestamp": at_ms, **fields}
        record |= {"type": call.type, "source": source}
        if named is not msgspec.UNSET:
            record["anonymous_id"] = named
        # Only a track has a name; whatever `event` says elsewhere must not pass a key's list.
        name = (call.event or "") if call.type == "track" else ""
        return Record(topic, key, _encode(record), identity, name, customer_id, at_ms)

    def _fields(
        self, call: Call, customer_id: str, event_id: str
    ) -> tuple[str, dict[str, Any]] | None:
        """Topic and fields; None for an interaction after all."""
        if call.type == "track":
            return self._order(call, event_id)
        if call.type == "alias":
            return PROFILES, {"traits": {}, "previous_id": _previous(call, customer_id)}
        return PROFILES, {"traits": self._traits(call)}

    def _order(self, call: Call, event_id: str) -> tuple[str, dict[str, Any]] | None:
        properties = dictionary(call.properties, "properties")
        fields = purchase_fields(sign_of(call.event or ""), properties, event_id, self.currency)
        return None if fields is None else (PURCHASES, fields)

    def _traits(self, call: Call) -> dict[str, Any]:
        traits = dictionary(call.traits, "traits")
        if call.type == "group":
            group_id = identifier(call.group_id)
            if not group_id:
                raise invalid("groupId: expected the group's id")
            kept, left_out = group_traits(group_id, traits)
        else:
            inner = dictionary(call.context, "context").get("traits")
            kept, left_out = flat_traits({**inner, **traits} if isinstance(inner, dict) else traits)
        if left_out:
            self.counts["traits_left_out"] += left_out
        return kept


def identity_of(key: bytes, event_id: str) -> int:
    """64 bits of XXH3 of the customer and its event's id: event ids are unique per customer."""
    return xxh3_64_intdigest(key + b"\0" + event_id.encode()) - _HALF


def _is_plain(call: Call) -> bool:
    """Whether the call is an interaction by its type and name."""
    if call.type == "track":
        return call.event is None or not sign_of(call.event)
    return call.type in _VIEWS


def _who(call: Call) -> tuple[str, str]:
    """Id of the customer, and its anonymous id ("" for none)."""
    anonymous_id = "" if call.anonymous_id is None else identifier(call.anonymous_id)
    customer_id = "" if call.user_id is None else identifier(call.user_id)
    if not customer_id:
        if call.type == "alias":
            raise invalid("userId: expected the customer's new id")
        if not anonymous_id:
            raise invalid("userId or anonymousId: expected one of them")
        customer_id = anonymous_id
    if len(customer_id) > MAX_ID or len(anonymous_id) > MAX_ID:
        raise invalid(f"userId and anonymousId: expected at most {MAX_ID} characters")
    return customer_id, anonymous_id


def _when(call: Call, sent_ms: int | None, received_ms: int) -> int:
    # RudderStack's SDKs send both: `timestamp` is then what the caller gave.
    given = call.timestamp if call.timestamp is not None else call.original_timestamp
    original_ms = to_ms(given)
    if original_ms is None and given not in (None, ""):
        raise invalid("timestamp: expected RFC 3339, or epoch milliseconds as a number")
    if call.sent_at is not None:
        sent_ms = to_ms(call.sent_at)
    return happened_ms(original_ms, sent_ms, received_ms)


def _interaction(call: Call) -> tuple[str, msgspec.Raw, msgspec.Raw]:
    """Name, properties and context."""
    properties = raw_object(call.properties, "properties")
    context = raw_object(call.context, "context")
    if call.type == "track":
        return _event_name(call.event), properties, context
    own = {name: v for name, v in (("name", call.name), ("category", call.category)) if v}
    if own:
        properties = as_raw({**dictionary(properties, "properties"), **own})
    return _VIEWS[call.type or ""], properties, context


def _event_name(name: str | None) -> str:
    if not name or name.isspace():
        raise invalid("event: expected the event's name")
    if len(name) > MAX_ID:
        raise invalid(f"event: expected at most {MAX_ID} characters")
    return name


def _previous(call: Call, customer_id: str) -> str:
    previous_id = identifier(call.previous_id) or identifier(call.anonymous_id)
    if not previous_id or len(previous_id) > MAX_ID:
        raise invalid(f"previousId: expected an id of at most {MAX_ID} characters")
    return previous_id


def _short(event_id: str) -> str:
    if len(event_id) <= MAX_ID:
        return event_id
    return hashlib.sha256(event_id.encode()).hexdigest()
