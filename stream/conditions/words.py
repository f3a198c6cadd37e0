"""Durations, dates, counts and values in words."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
#: Longest window: ten years.
MAX_DURATION_MS = 3_653 * DAY_MS

UNITS_MS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": WEEK_MS}
_NAMES = (
    (DAY_MS, "day"),
    (HOUR_MS, "hour"),
    (MINUTE_MS, "minute"),
    (SECOND_MS, "second"),
    (1, "millisecond"),
)
_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d|w)")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_duration(text: str) -> int | None:
    """Milliseconds of `90d`, `1h`, `3s`; None if it is not a duration."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * UNITS_MS[match[2]] if match else None


@lru_cache(maxsize=4_096)
def duration(ms: int) -> str:
    """Longest unit that says it without a fraction: `90 days`, `1 hour`, `36 hours`."""
    for unit_ms, name in _NAMES:
        if ms % unit_ms == 0:
            return f"{ms // unit_ms} {name}{'' if ms == unit_ms else 's'}"
    raise AssertionError(ms)


@lru_cache(maxsize=4_096)
def _day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def date(at_ms: int) -> str:
    """Day in UTC: `2026-11-21`."""
    return _day(at_ms // DAY_MS)


def moment(at_ms: int) -> str:
    """Moment in UTC, to the second: `2026-11-21 14:03:09 UTC`."""
    seconds = at_ms % DAY_MS // SECOND_MS
    minutes = seconds // 60
    return f"{date(at_ms)} {minutes // 60:02}:{minutes % 60:02}:{seconds % 60:02} UTC"


def when(at_ms: int, span_ms: int | None) -> str:
    """`on` the day, or for spans under two days `at` the moment."""
    if span_ms is None or span_ms >= 2 * DAY_MS:
        return f"on {date(at_ms)}"
    return f"at {moment(at_ms)}"


def ordinal(n: int) -> str:
    """`third`, `11th`."""
    if n < len(_ORDINALS):
        return _ORDINALS[n]
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def times(n: int) -> str:
    """`1 time`, `3 times`."""
    return f"{n} time{'' if n == 1 else 's'}"


def number(value: float | Fraction) -> str:
    """A number without needless digits."""
    return f"{float(value):.12g}"


def value(found: object) -> str:
    """A value as an author would write it."""
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float | Fraction):
        return number(found)
    if isinstance(found, list | tuple):
        return ", ".join(value(item) for item in found)
    return f'"{str(found)[:80]}"'
