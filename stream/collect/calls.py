"""The calls of Segment's tracking API: routes, and how bodies become calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import re2  # type: ignore[import-untyped]

from stream.collect.body import MAX_BATCH_EVENTS, MAX_EVENT_BYTES
from stream.collect.refusal import Refusal, invalid, too_large
from stream.collect.times import to_ms

KINDS = ("track", "page", "screen", "identify", "group", "alias")
_KINDS = frozenset(KINDS)
BATCH = "batch"
#: What SDKs report of themselves: answered, never read.
METRICS = "metrics"
CLOUDEVENTS = "cloudevents"

#: Path → what is called. The short ones are those of browser bundles, `import` of older SDKs.
ROUTES: Mapping[str, str] = {
    **{f"/v1/{kind}": kind for kind in KINDS},
    **{f"/v1/{kind[0]}": kind for kind in KINDS},
    "/v1/batch": BATCH,
    "/v1/b": BATCH,
    "/v1/import": BATCH,
    "/beacon/v1/batch": BATCH,
    "/v1/m": METRICS,
    "/v1/cloudevents": CLOUDEVENTS,
}

Text = str | int | float | None
Time = datetime | int | float | None
_NOTHING = msgspec.Raw(b"")
#: An object with nothing in it.
EMPTY = msgspec.Raw(b"{}")
#: Numbers that may be out of a float's range, which raw JSON is not checked for: outside of texts
#: they stand behind one of three signs. A random id has digits around an "e" often enough.
_SUSPICIOUS = re2.compile(rb"[:,\[]\s*-?(?:[\d.]+[eE]\+?\d{3}|[\d.]{200})")


class Call(msgspec.Struct, gc=False, rename="camel"):
    """One call as clients send it; what is not named here is ignored.

    Dictionaries stay raw JSON: most of them go on as they are.
    """

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
    properties: msgspec.Raw = _NOTHING
    traits: msgspec.Raw = _NOTHING
    context: msgspec.Raw = _NOTHING
    timestamp: Time = None
    original_timestamp: Time = None
    sent_at: Time = None
    write_key: str | None = None


class _LenientCall(Call, gc=False, rename="camel"):
    """The same with times that only `times.to_ms` understands, or nobody."""

    timestamp: Any = None
    original_timestamp: Any = None
    sent_at: Any = None


class _Envelope(msgspec.Struct, gc=False, rename="camel"):
    batch: list[msgspec.Raw]
    context: msgspec.Raw = _NOTHING
    sent_at: Any = None
    write_key: str | None = None


class _Calls(msgspec.Struct, gc=False, rename="camel"):
    batch: list[Call]
    context: msgspec.Raw = _NOTHING
    sent_at: Any = None
    write_key: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The calls of one request, and what it says about all of them."""

    calls: list[Call]
    write_key: str | None
    #: Epoch ms of the device's clock; None where it does not say.
    sent_ms: int | None


_read_call = msgspec.json.Decoder(Call).decode
_read_lenient_call = msgspec.json.Decoder(_LenientCall).decode
_read_envelope = msgspec.json.Decoder(_Envelope).decode
_read_calls = msgspec.json.Decoder(_Calls).decode
_read_any = msgspec.json.Decoder().decode


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
        call = _read(body)
        call.type = kind
        return Request([call], call.write_key, None)
    envelope = _plain(body)
    if envelope is None:
        envelope = _careful(body)
    calls = envelope.batch
    common = dictionary(envelope.context, "context")
    if common:
        for call in calls:
            call.context = as_raw({**common, **dictionary(call.context, "context")})
    key = envelope.write_key or (calls[0].write_key if calls else None)
    return Request(calls, key, to_ms(envelope.sent_at))


def check_text(body: bytes) -> None:
    """What raw JSON is not checked for while it is read: its encoding and its numbers."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise _no_json() from None
    if _SUSPICIOUS.search(body):
        decoded(_read_any, body)


def _plain(body: bytes) -> _Calls | None:
    """A batch in which nothing is unusual, as nearly all are; None for any other."""
    try:
        envelope: _Calls = _read_calls(body)
        if len(body) > MAX_EVENT_BYTES:
            sizes = map(len, _read_envelope(body).batch)
            if max(sizes, default=0) > MAX_EVENT_BYTES:
                return None
    except (msgspec.DecodeError, RecursionError):
        return None
    if len(envelope.batch) > MAX_BATCH_EVENTS:
        return None
    return envelope if _KINDS.issuperset([call.type for call in envelope.batch]) else None


def _careful(body: bytes) -> _Calls:
    """The same for any batch, call by call: who is refused hears why."""
    envelope: _Envelope = decoded(_read_envelope, body)
    if len(envelope.batch) > MAX_BATCH_EVENTS:
        raise too_large(f"the batch has more than {MAX_BATCH_EVENTS} events")
    calls = [_batched(i, raw) for i, raw in enumerate(envelope.batch)]
    return _Calls(calls, envelope.context, envelope.sent_at, envelope.write_key)


def _batched(place: int, raw: msgspec.Raw) -> Call:
    if len(raw) > MAX_EVENT_BYTES:
        raise too_large(f"batch[{place}] is larger than {MAX_EVENT_BYTES} bytes")
    try:
        call = _read(raw)
    except Refusal as refusal:
        raise invalid(f"batch[{place}]: {refusal.message}") from None
    if call.type is None:
        call.type = call.action
    if call.type not in KINDS:
        raise invalid(f"batch[{place}].type: expected one of {', '.join(KINDS)}")
    return call


def _read(body: bytes | msgspec.Raw) -> Call:
    try:
        return _read_call(body)
    except (msgspec.DecodeError, RecursionError):
        call: Call = decoded(_read_lenient_call, body)
        return call


def decoded(decode: Any, body: Any) -> Any:
    """Result of a msgspec decoder; Refusal 400 where it raises."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        raise invalid(_without_content(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _no_json() from None
    except RecursionError:
        raise invalid("the body is nested too deeply") from None


def _no_json() -> Refusal:
    return invalid("the body is no JSON object in UTF-8")


def _without_content(sentence: str) -> str:
    """msgspec names types and the path; keys of the client's own show as `[...]` in it."""
    return sentence if len(sentence) < 200 else "unexpected type"


def raw_object(raw: msgspec.Raw, name: str) -> msgspec.Raw:
    """JSON of an object; of the empty one for nothing, null and PHP's empty list.

    Raises
    ------
    Refusal
        400 for anything else.
    """
    if raw is _NOTHING:
        return EMPTY
    # The copy costs less than a view of it.
    text = bytes(raw)
    if text.startswith(b"{"):
        return raw
    if not text or text == b"null":
        return EMPTY
    if text.startswith(b"[") and not _read_any(raw):
        return EMPTY
    raise invalid(f"{name}: expected an object")


def dictionary(raw: msgspec.Raw, name: str) -> dict[str, Any]:
    """Content of `raw_object`."""
    found: dict[str, Any] = _read_any(raw_object(raw, name))
    return found


def as_raw(content: dict[str, Any]) -> msgspec.Raw:
    """JSON of `content`."""
    return msgspec.Raw(msgspec.json.encode(content))


def identifier(value: Text) -> str:
    """An id as text; empty for null, blank text and what is no id."""
    if isinstance(value, str):
        return "" if value.isspace() else value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ""
