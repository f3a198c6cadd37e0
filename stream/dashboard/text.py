"""Numbers and times as people read them."""

import time

from stream.watch.times import span


def count(value: float | None) -> str:
    """`1,234`, `0.3`, `-` for what is not known."""
    if value is None:
        return "-"
    whole = value == int(value) or abs(value) >= 10
    return f"{value:,.0f}" if whole else f"{value:,.1f}"


def feature(name: object) -> str:
    """`order rhythm days` for `order_rhythm_days`."""
    return str(name).replace("_", " ")


def milliseconds(value: float | None) -> str:
    """`45 ms`, `1.2 s`, `3 min`."""
    if value is None:
        return "-"
    if value < 1_000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else span(value)


def size(value: float | None) -> str:
    """Bytes as `512 MB`."""
    if value is None:
        return "-"
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if value >= factor:
            shown = value / factor
            return f"{shown:,.1f} {unit}" if shown < 100 else f"{shown:,.0f} {unit}"
    return f"{value:,.0f} B"


def share(value: float | None) -> str:
    """`12 %`; `0.3 %`, where it is less than one."""
    if value is None:
        return "-"
    return f"{value:.1%}".replace("%", " %") if 0.0005 <= value < 0.01 else f"{value * 100:.0f} %"


def plural(number: int, word: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def now_ms() -> int:
    """Epoch milliseconds of this machine's clock."""
    return time.time_ns() // 1_000_000
