"""Charts as options of ECharts; pure. Names from outside are values only, never keys: a key that
begins with a colon would be run as a script."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
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

FONT = "system-ui, sans-serif"
GRID_LINES = {"lineStyle": {"color": "#8080804d"}}


def on_phones(narrow: Mapping[str, Any], wide: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What differs where a chart has no room, and what it goes back to."""
    return [{"query": {"maxWidth": 600}, "option": narrow}, {"option": wide}]


def over_time(unit: str) -> dict[str, Any]:
    return {
        "animation": False,
        "color": list(COLORS),
        "textStyle": {"fontFamily": FONT},
        "grid": {"left": 8, "right": 36, "top": 36, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "order": "valueDesc"},
        "xAxis": {
            "type": "time",
            "axisLabel": {"hideOverlap": True, "fontSize": 12, "fontFamily": FONT},
            "splitNumber": 4,
        },
        "yAxis": {
            "type": "value", "name": unit, "nameTextStyle": {"align": "left"},
            "splitLine": GRID_LINES,
        },
    }  # fmt: skip


def palette(segments: Iterable[Segment]) -> dict[str, str]:
    """A color for each, no two alike as far as there are enough.

    A cluster has the same one wherever and whenever it is drawn, unless one with a lower number
    has that color already.
    """
    own = COLORS[:-1]
    chosen: dict[str, int] = {}
    known = {segment.id: segment.discovered for segment in segments}
    for place, name in enumerate(sorted(name for name, found in known.items() if not found)):
        chosen[name] = place % len(own)
    for number, name in sorted((_number(name), name) for name, found in known.items() if found):
        free = (place % len(own) for place in range(number, number + len(own)))
        taken = set(chosen.values())
        chosen[name] = next((p for p in free if p not in taken), number % len(own))
    return {name: own[place] for name, place in chosen.items()}


def _number(cluster: str) -> int:
    number = cluster.rpartition("-")[2]
    return int(number) if number.isdecimal() else zlib.crc32(cluster.encode())


def largest(segments: Sequence[Segment]) -> list[Segment]:
    """Those that have an area of their own."""
    return sorted(segments, key=lambda segment: -segment.size)[:MOST_AREAS]


def sizes(points: Sequence[Point], segments: Sequence[Segment]) -> dict[str, Any]:
    """Sizes over time, stacked: the largest segments each, the others together."""
    shown = largest(segments)
    others = [segment for segment in segments if segment not in shown]
    colors = palette(shown)
    series = [
        _area(name, [[p.at_ms, p.segments.get(s.id, (0, 0, 0))[0]] for p in points], colors[s.id])
        for name, s in zip(unique_names(shown), shown, strict=True)
    ]
    if others:
        rest = [[p.at_ms, sum(p.segments.get(s.id, (0,))[0] for s in others)] for p in points]
        series.append(_area(f"{len(others)} others", rest, COLORS[-1]))
    return {**over_time("customers"), "series": series}


def _area(name: str, data: list[list[int]], color: str) -> dict[str, Any]:
    return {
        "color": color,
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
    legend = {"top": 0, "right": 0, "type": "scroll", "icon": "roundRect"}
    return {**over_time(unit), "legend": legend, "series": series}


def entries(points: Sequence[Point], segment: Segment) -> dict[str, Any]:
    """Entries above the line, exits below it."""
    told = [(p.at_ms, *p.segments.get(segment.id, (0, 0, 0))[1:]) for p in points]
    series = [
        {"type": "bar", "name": "entered", "stack": "all", "data": [[at, n] for at, n, _ in told]},
        {"type": "bar", "name": "left", "stack": "all", "data": [[at, -n] for at, _, n in told]},
    ]
    return {**over_time("customers"), "legend": {"top": 0, "right": 0}, "series": series}


def sankey(moved: Sequence[tuple[str, str, int]], known: Mapping[str, Segment]) -> dict[str, Any]:
    """Moves from the left to the right: a segment stands on both sides, as moves go in circles."""
    origins = {name: f"{_name(name, known)} \u25b8" for name, _, _ in moved}
    targets = {name: f"\u25b8 {_name(name, known)}" for _, name, _ in moved}
    nodes = [
        {"name": name, "depth": depth, "label": {"position": where}}
        for depth, where, names in ((0, "right", origins), (1, "left", targets))
        for name in names.values()
    ]
    links = [
        {"source": origins[origin], "target": targets[target], "value": number}
        for origin, target, number in moved
    ]
    series = {
        "type": "sankey", "data": nodes, "links": links, "draggable": False,
        "left": 8, "right": 8, "top": 12, "bottom": 12,
        # Names of segments that few moved to are not to lie on each other.
        "nodeGap": min(18, 480 // max(len(origins), len(targets), 1)),
        "lineStyle": {"color": "gradient", "opacity": 0.35}, "emphasis": {"focus": "adjacency"},
    }  # fmt: skip
    narrow = {"series": [{"label": {"width": 130, "overflow": "truncate", "fontSize": 10}}]}
    wide = {"series": [{"label": {"width": 420, "overflow": "truncate", "fontSize": 12}}]}
    return {"hidden": not moved, "animation": False, "color": list(COLORS),
            "textStyle": {"fontFamily": FONT}, "series": [series],
            "media": on_phones(narrow, wide)}  # fmt: skip


def overlap(shares: Mapping[tuple[str, str], float], shown: Sequence[Segment]) -> dict[str, Any]:
    """Share of the row's customers who are in the column's segment too."""
    ids = [segment.id for segment in shown]
    names = unique_names(shown)
    cells = [
        [ids.index(second), ids.index(first), round(share * 100)]
        for (first, second), share in shares.items()
    ]
    axis = {"type": "category", "data": names}
    label = {"interval": 0, "fontFamily": FONT, "fontSize": 11}
    narrow, wide = names_on_axes(80, 90, 9), names_on_axes(260, 35, 11)
    return {
        "animation": False,
        "textStyle": {"fontFamily": FONT},
        "grid": {"left": 8, "right": 16, "top": 8, "bottom": 48, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {**axis, "axisLabel": {**label, "rotate": 35}},
        "yAxis": {**axis, "axisLabel": label, "inverse": True},
        "visualMap": {
            "min": 0, "max": 100, "orient": "horizontal", "left": "center", "bottom": 0,
            "text": ["100 %", "0"], "inRange": {"color": ["#e3e3e3", "#5b8fd6", "#1d3f8a"]},
        },
        "series": [{"type": "heatmap", "data": cells, "name": "per cent"}],
        "media": on_phones(narrow, wide),
    }  # fmt: skip


def names_on_axes(width: int, rotate: int, size: int) -> dict[str, Any]:
    """Both axes' names, cut to so many pixels."""
    label = {"width": width, "overflow": "truncate", "fontSize": size}
    return {"xAxis": {"axisLabel": {**label, "rotate": rotate}}, "yAxis": {"axisLabel": label}}


def _name(segment: str, known: Mapping[str, Segment]) -> str:
    """Its name with its id: two nodes of one name would be one."""
    return f"{known[segment].name} ({segment})" if segment in known else segment


def unique_names(segments: Sequence[Segment]) -> list[str]:
    """Names for people; where two segments have the same one, with their ids."""
    names = [segment.name for segment in segments]
    return [
        f"{segment.name} ({segment.id})" if names.count(segment.name) > 1 else segment.name
        for segment in segments
    ]
