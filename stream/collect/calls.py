"""The calls of Segment's tracking API: routes, and how bodies become calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stream.collect.body import MAX_BATCH_EVENTS, MAX_EVENT_BYTES
from stream.collect.refusal import Refusal, invalid, too_large

KINDS = ("track", "page", "screen", "identify", "group", "alias")
BATCH = "batch"
#: What SDKs report of themselves: answered, never read.
METRICS = "metrics"

#: Path → what is called. The short ones are those of browser bundles, `import` of older SDKs.
ROUTES: Mapping[str, str] = {
    **{f"/v1/{kind}": kind for kind in KINDS},
    **{f"/v1/{kind[0]}": kind for kind in KINDS},
    "/v1/batch": BATCH,
    "/v1/b": BATCH,
    "/v1/import": BATCH,
    "/beacon/v1/batch": BATCH,
    "/v1/m": METRICS,
}

Text = str | int | float | None
#: PHP writes an empty dictionary as an empty list.
Dictionary = dict[str, Any] | list[Any] | None


class Call(msgspec.Struct, gc=False, rename="camel"):
    """One call as clients send it; what is not named here is ignored."""

    type: str | None = None
    action: str | None = None
    message_id: Text = None
    user_id: Text = None
    anonymous_id: Text = None
    previous_id: Text = None
    group_id: Text = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: Dictionary = None
    traits: Dictionary = None
    context: Dictionary = None
    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None
    write_key: str | None = None


class _Envelope(msgspec.Struct, gc=False, rename="camel"):
    batch: list[msgspec.Raw]
    context: Dictionary = None
    sent_at: Any = None
    write_key: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The calls of one request, and what it says about all of them."""

    calls: list[Call]
    write_key: str | None
    sent_at: Any


_read_call = msgspec.json.Decoder(Call).decode
_read_envelope = msgspec.json.Decoder(_Envelope).decode


def read_request(kind: str, body: bytes) -> Request:
    """Calls in a body; `kind` is what its route says. Content types are not looked at.

    Raises
    ------
    Refusal
        400 or 413; for a batch with the place of the first event that is wrong.
    """
    if kind != BATCH:
        if len(body) > MAX_EVENT_BYTES:
            raise too_large(f"the event is larger than {MAX_EVENT_BYTES} bytes")
        call: Call = _decoded(_read_call, body)
        call.type = kind
        return Request([call], call.write_key, call.sent_at)
    envelope: _Envelope = _decoded(_read_envelope, body)
    if len(envelope.batch) > MAX_BATCH_EVENTS:
        raise too_large(f"the batch has more than {MAX_BATCH_EVENTS} events")
    calls = [_batched(i, raw) for i, raw in enumerate(envelope.batch)]
    common = dictionary(envelope.context, "context")
    if common:
        for call in calls:
            call.context = {**common, **dictionary(call.context, "context")}
    key = envelope.write_key or (calls[0].write_key if calls else None)
    return Request(calls, key, envelope.sent_at)


def _batched(place: int, raw: msgspec.Raw) -> Call:
    if len(memoryview(raw)) > MAX_EVENT_BYTES:
        raise too_large(f"batch[{place}] is larger than {MAX_EVENT_BYTES} bytes")
    try:
        call: Call = _decoded(_read_call, raw)
    except Refusal as refusal:
        raise invalid(f"batch[{place}]: {refusal.message}") from None
    call.type = call.type or call.action
    if call.type not in KINDS:
        raise invalid(f"batch[{place}].type: expected one of {', '.join(KINDS)}")
    return call


def _decoded(decode: Any, body: Any) -> Any:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise invalid(_without_content(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise invalid("the body is no JSON object in UTF-8") from None
    except RecursionError:
        raise invalid("the body is nested too deeply") from None


def _without_content(sentence: str) -> str:
    """msgspec names types and the path; keys of the client's own show as `[...]` in it."""
    return sentence if len(sentence) < 200 and "`key`" not in sentence else "unexpected type"


def dictionary(value: Dictionary, name: str) -> dict[str, Any]:
    """`value`, or an empty one for null and the empty list.

    Raises
    ------
    Refusal
        400 for a list with something in it.
    """
    if not value:
        return {}
    if isinstance(value, list):
        raise invalid(f"{name}: expected an object, not a list")
    return value


def identifier(value: Text) -> str:
    """An id as text; empty for null, blank text and what is no id."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ""
