"""Charts as options of ECharts; pure. Names from outside are values only, never keys: a key that
begins with a colon would be run as a script."""

from collections.abc import Mapping, Sequence
from typing import Any

from stream.dashboard.history import Point
from stream.store.records import Segment

#: Segments that get an area of their own; the rest is one.
MOST_AREAS = 12
#: Of about equal weight on white and on black (Okabe and Ito's palette, lightened and more).
COLORS = (
    "#3b82f6", "#e69f00", "#10b981", "#cc79a7", "#56b4e9", "#d55e00", "#8b5cf6", "#b8a60b",
    "#14b8a6", "#ef4444", "#6b7fd7", "#a16207", "#94a3b8",
)  # fmt: skip

_FONT = "system-ui, sans-serif"


def _base(unit: str) -> dict[str, Any]:
    return {
        "animation": False,
        "color": list(COLORS),
        "textStyle": {"fontFamily": _FONT},
        "grid": {"left": 8, "right": 24, "top": 36, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "order": "valueDesc"},
        "xAxis": {
            "type": "time",
            "axisLabel": {"hideOverlap": True, "fontSize": 12, "fontFamily": _FONT},
            "splitNumber": 4,
        },
        "yAxis": {"type": "value", "name": unit, "nameTextStyle": {"align": "left"}},
    }


def sizes(points: Sequence[Point], segments: Sequence[Segment]) -> dict[str, Any]:
    """Sizes over time, stacked: the largest segments each, the others together."""
    ranked = sorted(segments, key=lambda segment: -segment.size)
    shown, others = ranked[:MOST_AREAS], ranked[MOST_AREAS:]
    series = [
        _area(name, [[p.at_ms, p.segments.get(s.id, (0, 0, 0))[0]] for p in points])
        for name, s in zip(unique_names(shown), shown, strict=True)
    ]
    if others:
        rest = [[p.at_ms, sum(p.segments.get(s.id, (0,))[0] for s in others)] for p in points]
        series.append(_area(f"{len(others)} others", rest))
    return {**_base("customers"), "series": series}


def _area(name: str, data: list[list[int]]) -> dict[str, Any]:
    return {
        "type": "line",
        "name": name,
        "stack": "all",
        "areaStyle": {"opacity": 0.5},
        "lineStyle": {"width": 1},
        "showSymbol": False,
        "data": data,
    }


def lines(
    points: Sequence[Point], figures: Mapping[str, str], unit: str, scale: float = 1.0
) -> dict[str, Any]:
    """Figures over time: id → name."""
    series = [
        {
            "type": "line",
            "name": name,
            "showSymbol": False,
            "data": [
                [p.at_ms, round(p.figures[figure] * scale, 3) if figure in p.figures else None]
                for p in points
            ],
        }
        for figure, name in figures.items()
    ]
    legend = {"top": 0, "right": 0, "type": "scroll"}
    return {**_base(unit), "legend": legend, "series": series}


def unique_names(segments: Sequence[Segment]) -> list[str]:
    """Names for people; where two segments have the same one, with their ids."""
    names = [segment.name for segment in segments]
    return [
        f"{segment.name} ({segment.id})" if names.count(segment.name) > 1 else segment.name
        for segment in segments
    ]
