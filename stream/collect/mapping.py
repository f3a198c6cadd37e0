"""Calls become records of the three event topics, in the wire formats of `stream.events`.

Beside its model's fields a record says where it is from: `type` (what was called), `source` (of
the write key), `anonymous_id` and `previous_id` where the call named them.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from xxhash import xxh3_64_intdigest

from stream.collect.calls import Call, Text, as_raw, dictionary, identifier, raw_object
from stream.collect.commerce import purchase_fields, sign_of
from stream.collect.refusal import invalid
from stream.collect.times import datetime_to_ms, happened_ms, to_ms
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
        customer_id, event_id, anonymous_id = call.user_id, call.message_id, ""
        # Nearly always there is nothing to do but to ask; calls would cost more than the answers.
        if (
            type(customer_id) is not str
            or not 0 < len(customer_id) <= MAX_ID
            or customer_id.isspace()
            or call.anonymous_id is not None
        ):
            customer_id, anonymous_id = _who(call)
        if type(event_id) is not str or not 0 < len(event_id) <= MAX_ID or event_id.isspace():
            event_id = _event_id(event_id)
        at_ms = _when(call, sent_ms, received_ms)
        key = customer_id.encode()
        identity = identity_of(key, event_id)
        named = anonymous_id if anonymous_id and anonymous_id != customer_id else msgspec.UNSET
        kind = call.type
        found = None
        if sign_of(call.event or "") if kind == "track" else kind not in _VIEWS:
            found = self._fields(call, customer_id, event_id)
        if found is None:
            name, properties, context = _interaction(call)
            value = _encode(
                _Interaction(
                    event_id, customer_id, at_ms, name, properties, context, kind, source, named
                )
            )
            return Record(INTERACTIONS, key, value, identity, name, customer_id, at_ms)
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


def _who(call: Call) -> tuple[str, str]:
    """Id of the customer, and its anonymous id ("" for none)."""
    anonymous_id = identifier(call.anonymous_id)
    customer_id = identifier(call.user_id)
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
    given = call.timestamp
    if given is None:
        given = call.original_timestamp
    original_ms = datetime_to_ms(given) if type(given) is datetime else to_ms(given)
    if original_ms is None and given not in (None, ""):
        raise invalid("timestamp: expected RFC 3339, or epoch milliseconds as a number")
    if call.sent_at is not None:
        sent_ms = to_ms(call.sent_at)
    return happened_ms(original_ms, sent_ms, received_ms)


def _interaction(call: Call) -> tuple[str, msgspec.Raw, msgspec.Raw]:
    """Name, properties and context."""
    properties, context = call.properties, call.context
    if bytes(properties)[:1] != b"{":
        properties = raw_object(properties, "properties")
    if bytes(context)[:1] != b"{":
        context = raw_object(context, "context")
    if call.type == "track":
        name = call.event
        if not name or name.isspace():
            raise invalid("event: expected the event's name")
        if len(name) > MAX_ID:
            raise invalid(f"event: expected at most {MAX_ID} characters")
        return name, properties, context
    own = {name: v for name, v in (("name", call.name), ("category", call.category)) if v}
    if own:
        properties = as_raw({**dictionary(properties, "properties"), **own})
    return _VIEWS[call.type or ""], properties, context


def _previous(call: Call, customer_id: str) -> str:
    previous_id = identifier(call.previous_id) or identifier(call.anonymous_id)
    if not previous_id or len(previous_id) > MAX_ID:
        raise invalid(f"previousId: expected an id of at most {MAX_ID} characters")
    return previous_id


def _event_id(message_id: Text) -> str:
    given = identifier(message_id)
    if not given:
        return str(uuid4())
    return given if len(given) <= MAX_ID else hashlib.sha256(given.encode()).hexdigest()
