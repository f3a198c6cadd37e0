"""When something happened, by the collector's clock."""

from datetime import UTC, datetime
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 3600 * 1000
#: Numbers below are seconds since 1970, numbers from here on milliseconds (1973 or later).
_LEAST_MS = 1e11
_MOST_MS = 1e15


def to_ms(value: Any) -> int | None:
    """Epoch ms of what clients send as a time; None for nothing or what is no time.

    RFC 3339 with any number of digits, ISO 8601 without an offset (taken as UTC), epoch seconds
    or milliseconds as a number.
    """
    if isinstance(value, datetime):
        return datetime_to_ms(value)
    if isinstance(value, str):
        return _text_to_ms(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        milliseconds = value * 1000 if abs(value) < _LEAST_MS else value
        return int(milliseconds) if abs(milliseconds) < _MOST_MS else None
    return None


def _text_to_ms(text: str) -> int | None:
    try:
        at = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    return datetime_to_ms(at)


def datetime_to_ms(at: datetime) -> int:
    """Epoch ms; without an offset it is UTC."""
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    since = at - _EPOCH
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def happened_ms(original_ms: int | None, sent_ms: int | None, received_ms: int) -> int:
    """When it happened: `received - (sent - original)`, which cancels the device's clock error.

    Source: Segment's spec of common fields, "Timestamps". Without a time of sending the
    device's clock is taken for right; without an original time it happened just now.
    """
    if original_ms is None:
        return received_ms
    if sent_ms is None:
        return original_ms
    return received_ms - (sent_ms - original_ms)
