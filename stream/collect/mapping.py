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

from stream.collect.calls import Call, dictionary, identifier
from stream.collect.commerce import purchase_fields, sign_of
from stream.collect.refusal import invalid
from stream.collect.times import happened_ms, to_ms
from stream.collect.traits import flat_traits, group_traits
from stream.topics import INTERACTIONS, PROFILES, PURCHASES

MAX_ID = 256
#: Names of interactions that have none of their own.
_VIEWS = {"page": "Page Viewed", "screen": "Screen Viewed"}

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to Kafka for one call."""

    topic: str
    key: bytes
    value: bytes
    #: The same for the same event sent again, different for any other: 64 bits, signed.
    identity: int
    name: str


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

    def record(self, call: Call, sent_at: Any, received_ms: int, source: str) -> Record:
        """Record of one call.

        Raises
        ------
        Refusal
            400, with the field and what was expected.
        """
        customer_id, anonymous_id = _who(call)
        message_id = identifier(call.message_id)
        event_id = _short(message_id) if message_id else str(uuid4())
        head: dict[str, Any] = {
            "event_id": event_id,
            "customer_id": customer_id,
            "timestamp": _when(call, sent_at, received_ms),
        }
        topic, body = self._body(call, customer_id, event_id)
        tail = {"type": call.type, "source": source}
        if anonymous_id and anonymous_id != customer_id:
            tail["anonymous_id"] = anonymous_id
        key = customer_id.encode()
        name = body.get("name", "") or call.event or ""
        return Record(topic, key, _encode(head | body | tail), identity_of(key, event_id), name)

    def _body(self, call: Call, customer_id: str, event_id: str) -> tuple[str, dict[str, Any]]:
        if call.type == "track":
            return self._track(call, event_id)
        if call.type in _VIEWS:
            return INTERACTIONS, _view(call)
        if call.type == "alias":
            return PROFILES, {"traits": {}, "previous_id": _previous(call, customer_id)}
        return PROFILES, {"traits": self._traits(call)}

    def _track(self, call: Call, event_id: str) -> tuple[str, dict[str, Any]]:
        if not call.event or not call.event.strip():
            raise invalid("event: expected the event's name")
        if len(call.event) > MAX_ID:
            raise invalid(f"event: expected at most {MAX_ID} characters")
        properties = dictionary(call.properties, "properties")
        sign = sign_of(call.event)
        if sign:
            fields = purchase_fields(sign, properties, event_id, self.currency)
            if fields is not None:
                return PURCHASES, fields
        context = dictionary(call.context, "context")
        return INTERACTIONS, {"name": call.event, "properties": properties, "context": context}

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
    """64 bits of BLAKE2b of the customer and its event's id: event ids are unique per customer."""
    digest = hashlib.blake2b(key + b"\0" + event_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _who(call: Call) -> tuple[str, str]:
    """Id of the customer, and its anonymous id ("" for none)."""
    anonymous_id = identifier(call.anonymous_id)
    customer_id = identifier(call.user_id)
    if call.type == "alias" and not customer_id:
        raise invalid("userId: expected the customer's new id")
    customer_id = customer_id or anonymous_id
    if not customer_id:
        raise invalid("userId or anonymousId: expected one of them")
    if len(customer_id) > MAX_ID or len(anonymous_id) > MAX_ID:
        raise invalid(f"userId and anonymousId: expected at most {MAX_ID} characters")
    return customer_id, anonymous_id


def _when(call: Call, sent_at: Any, received_ms: int) -> int:
    # RudderStack's SDKs send both: `timestamp` is then what the caller gave.
    given = call.timestamp if call.timestamp is not None else call.original_timestamp
    original_ms = to_ms(given)
    if original_ms is None and given not in (None, ""):
        raise invalid("timestamp: expected RFC 3339, or epoch milliseconds as a number")
    sent_ms = to_ms(call.sent_at if call.sent_at is not None else sent_at)
    return happened_ms(original_ms, sent_ms, received_ms)


def _view(call: Call) -> dict[str, Any]:
    properties = dictionary(call.properties, "properties")
    for name, value in (("name", call.name), ("category", call.category)):
        if value:
            properties = {**properties, name: value}
    return {
        "name": _VIEWS[call.type or ""],
        "properties": properties,
        "context": dictionary(call.context, "context"),
    }


def _previous(call: Call, customer_id: str) -> str:
    previous_id = identifier(call.previous_id) or identifier(call.anonymous_id)
    if not previous_id or len(previous_id) > MAX_ID:
        raise invalid(f"previousId: expected an id of at most {MAX_ID} characters")
    return previous_id


def _short(event_id: str) -> str:
    if len(event_id) <= MAX_ID:
        return event_id
    return hashlib.sha256(event_id.encode()).hexdigest()
