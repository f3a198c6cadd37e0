"""A moment as a person types it."""

import re
from datetime import datetime

from stream.cli.common import UsageError
from stream.conditions.words import parse_duration

#: Plain numbers from here on are epoch milliseconds.
_LEAST_EPOCH_MS = 10**11
EXPECTED = "a time as 2026-11-21T14:00Z or 2026-11-21 (this machine's time zone), or 2h for 2 h ago"


def parse_moment(text: str, now_ms: int) -> int:
    """Epoch ms of `text`.

    Raises
    ------
    UsageError
        If it is no moment, or one that is still to come.
    """
    at_ms = _parsed(text.strip(), now_ms)
    if at_ms is None:
        raise UsageError(f"--at is {text!r}, expected {EXPECTED}")
    if at_ms > now_ms:
        raise UsageError(f"--at is {text!r}, which is still to come")
    return at_ms


def _parsed(text: str, now_ms: int) -> int | None:
    ago_ms = parse_duration(re.sub(r"\s*ago$", "", text))
    if ago_ms is not None:
        return now_ms - ago_ms
    if text.isdecimal() and int(text) >= _LEAST_EPOCH_MS:
        return int(text)
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
