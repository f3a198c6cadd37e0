"""CloudEvents 1.0 in JSON become calls: structured, in batches, or binary (attributes in headers).

The subject is the customer, `source` and `id` together make the event's id, and `type` is its
name. `data` are the properties, or the traits where the type's last part is `identify`.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec

from stream.collect.body import MAX_BATCH_EVENTS, MAX_EVENT_BYTES
from stream.collect.calls import Call, Request, Text, decoded, raw_object
from stream.collect.refusal import Refusal, invalid, too_large

_PREFIX = b"ce-"
_VERSION = "1.0"
_IDENTIFY = "identify"


class _CloudEvent(msgspec.Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: Text = None
    time: Any = None
    data: msgspec.Raw = msgspec.Raw(b"")


_read_one = msgspec.json.Decoder(_CloudEvent).decode
_read_many = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_data = msgspec.json.Decoder(msgspec.Raw).decode


def read_cloudevents(body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Request:
    """Calls of one event or of a batch; checked as JSON by the caller.

    Raises
    ------
    Refusal
        400 or 413; for a batch with the place of the first event that is wrong.
    """
    attributes = _attributes(headers)
    if attributes:
        _check_size(body, "the event")
        return Request([_call(_binary(attributes, body))], None, None)
    if body.lstrip()[:1] != b"[":
        _check_size(body, "the event")
        return Request([_call(decoded(_read_one, body))], None, None)
    raws: list[msgspec.Raw] = decoded(_read_many, body)
    if len(raws) > MAX_BATCH_EVENTS:
        raise too_large(f"the batch has more than {MAX_BATCH_EVENTS} events")
    return Request([_placed(i, raw) for i, raw in enumerate(raws)], None, None)


def _placed(place: int, raw: msgspec.Raw) -> Call:
    _check_size(memoryview(raw), f"batch[{place}]")
    try:
        return _call(decoded(_read_one, raw))
    except Refusal as refusal:
        raise invalid(f"batch[{place}]: {refusal.message}") from None


def _check_size(event: bytes | memoryview, what: str) -> None:
    if len(event) > MAX_EVENT_BYTES:
        raise too_large(f"{what} is larger than {MAX_EVENT_BYTES} bytes")


def _attributes(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Source: CloudEvents' HTTP binding 1.0.2, section 3.1.3 (values are percent-encoded)."""
    return {
        name.removeprefix(_PREFIX).decode("latin-1"): unquote(value.decode("latin-1"))
        for name, value in headers
        if name.startswith(_PREFIX)
    }


def _binary(attributes: dict[str, str], body: bytes) -> _CloudEvent:
    known = {name: attributes[name] for name in _CloudEvent.__struct_fields__ if name in attributes}
    try:
        event = msgspec.convert(known, _CloudEvent)
    except msgspec.ValidationError:
        raise invalid("expected ce-specversion, ce-id, ce-source and ce-type") from None
    if body:
        event.data = decoded(_read_data, body)
    return event


def _call(event: _CloudEvent) -> Call:
    if event.specversion != _VERSION:
        raise invalid(f"specversion: expected {_VERSION}")
    if not event.id or not event.source:
        raise invalid("id and source: expected both")
    data = raw_object(event.data, "data")
    call = Call(
        type="track",
        message_id=f"{event.source}#{event.id}",
        user_id=event.subject,
        event=event.type,
        timestamp=event.time,
    )
    if event.type.rpartition(".")[2] == _IDENTIFY:
        call.type, call.traits = _IDENTIFY, data
    else:
        call.properties = data
    return call
