"""Times as people read them, in this machine's time zone."""

import time
from datetime import datetime

_DAY_MS = 86_400_000
_UNITS = (("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60))


def moment(at_ms: int) -> str:
    """`2026-11-22 00:24:27`."""
    return _local(at_ms).strftime("%Y-%m-%d %H:%M:%S")


def day(at_ms: int) -> str:
    """`2026-11-22`."""
    return _local(at_ms).strftime("%Y-%m-%d")


def clock(at_ms: int) -> str:
    """`00:24:27`."""
    return _local(at_ms).strftime("%H:%M:%S")


def when(at_ms: int, now_ms: int) -> str:
    """The time of day, or the day if that is another one than about now."""
    return clock(at_ms) if abs(now_ms - at_ms) < _DAY_MS else day(at_ms)


def span(milliseconds: float) -> str:
    """`2 y`, `3 d`, `5 h`, `12 min`, `7 s`: the largest unit that fits."""
    seconds = abs(milliseconds) / 1000
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def ago(at_ms: int, now_ms: int | None = None) -> str:
    """`5 h ago`, `in 3 d`."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    distance = now_ms - at_ms
    return f"{span(distance)} ago" if distance >= 0 else f"in {span(distance)}"


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()
