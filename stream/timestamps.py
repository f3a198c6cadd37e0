"""Epoch milliseconds as RFC 3339, fast: a generator shares the processor with what it feeds."""

from datetime import UTC, datetime
from functools import lru_cache

_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
_SECONDS = [f"{second:02d}." for second in range(60)]
_MILLIS = [f"{milli:03d}Z" for milli in range(1000)]


@lru_cache(maxsize=1024)
def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def rfc3339(at_ms: int) -> str:
    """As in `2026-11-22T00:24:27.123Z`; from 1970 on."""
    seconds, milli = divmod(at_ms, 1000)
    minutes, second = divmod(seconds, 60)
    day, minute = divmod(minutes, 1440)
    return f"{_date(day)}{_MINUTES[minute]}{_SECONDS[second]}{_MILLIS[milli]}"
