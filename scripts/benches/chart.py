"""The figures as a picture: bars in SVG, the same for the same figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from scripts.benches.contest import DECODE_ONLY
from scripts.benches.throughput import WORKER

_WIDTH, _LABEL, _VALUE = 760, 250, 190
_ROW, _HEAD, _GAP = 24, 34, 18
_OURS, _OTHERS = "#0f766e", "#94a3b8"
_FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True, slots=True)
class Bar:
    """One value: its text stands behind the bar."""

    label: str
    value: float
    text: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Bars on one scale."""

    title: str
    bars: Sequence[Bar]


def groups(figures: Mapping[str, Any]) -> list[Group]:
    """What there is to draw of the parts that were measured."""
    drawn = []
    if "throughput" in figures:
        drawn.append(_throughput(figures["throughput"]["figures"]))
    if "latency" in figures:
        drawn += [_latency(at) for at in figures["latency"]["figures"]]
    return drawn


def svg(drawn: Sequence[Group]) -> str:
    """The picture, on white so that it can be read on any page."""
    parts: list[str] = []
    y = _GAP
    for group in drawn:
        parts.append(_text(_GAP, y + 16, group.title, "font-weight='600'"))
        y += _HEAD
        longest = max((bar.value for bar in group.bars), default=0.0)
        for bar in group.bars:
            parts += _bar(bar, y, longest)
            y += _ROW
        y += _GAP
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{y}' "
        f"viewBox='0 0 {_WIDTH} {y}' {_FONT} font-size='13'>"
    )
    background = "<rect width='100%' height='100%' fill='#ffffff'/>"
    return "\n".join([head, background, *parts, "</svg>"]) + "\n"


def _bar(bar: Bar, y: int, longest: float) -> list[str]:
    room = _WIDTH - _LABEL - _VALUE
    length = max(1.0, room * bar.value / longest) if longest else 1.0
    color = _OURS if bar.ours else _OTHERS
    return [
        _text(_LABEL - 8, y + 14, bar.label, "text-anchor='end'"),
        f"<rect x='{_LABEL}' y='{y + 2}' width='{length:.1f}' height='16' fill='{color}'/>",
        _text(round(_LABEL + length + 6), y + 14, bar.text),
    ]


def _text(x: int, y: int, text: str, more: str = "") -> str:
    return f"<text x='{x}' y='{y}' fill='#0f172a' {more}>{escape(text)}</text>"


def _throughput(part: Mapping[str, Any]) -> Group:
    ratios = part["times_as_fast_as"]
    # The limit of one process: as a bar it would leave none of the others to be seen.
    limit = DECODE_ONLY.name
    rates = {name: r for name, r in part["events_per_second"].items() if name != limit}
    bars = [
        Bar(name, rate, _rate(rate, ratios.get(name)), name == WORKER)
        for name, rate in sorted(rates.items(), key=lambda pair: -pair[1])
    ]
    return Group(f"Events per second of one process ({part['broker']} broker)", bars)


def _rate(rate: float, ratio: float | None) -> str:
    return f"{rate:,.0f}" if ratio is None else f"{rate:,.0f}  (Agos: {ratio:.1f} times)"


def _latency(at: Mapping[str, Any]) -> Group:
    bars = [
        Bar(f"{who}, {name}", took[name], f"{took[name]:g} ms", ours)
        for name in ("p50", "p99")
        for who, took, ours in (
            ("in Redis", at["to_redis_ms"], True),
            ("bare round trip", at["bare_round_trip_ms"], False),
        )
    ]
    return Group(f"Milliseconds from sending at {at['events_per_second']:,} events/s", bars)
