"""Charts of the page Clusters as options of ECharts; pure. As in `charts`, names from outside are
values only."""

from collections.abc import Mapping, Sequence
from typing import Any

from stream.dashboard import text
from stream.dashboard.charts import (
    COLORS,
    FONT,
    GRID_LINES,
    names_on_axes,
    on_phones,
    over_time,
    unique_names,
)
from stream.scatter import Scatter
from stream.store.lookup import Centroids
from stream.store.records import Segment


def centroids(model: Centroids, known: Mapping[str, Segment]) -> dict[str, Any]:
    """Coordinates of the clusters, one row each, as colors."""
    ids = list(model.centroids)
    segments = [known.get(name, Segment(name, name)) for name in ids]
    cells = [
        [column, row, round(value, 2)]
        for row, name in enumerate(ids)
        for column, value in enumerate(model.centroids[name])
    ]
    widest = max((abs(cell[2]) for cell in cells), default=1.0)
    names = {"type": "category", "axisLabel": {"fontFamily": FONT, "fontSize": 12}}
    return {
        "animation": False,
        "textStyle": {"fontFamily": FONT},
        "grid": {"left": 8, "right": 16, "top": 8, "bottom": 48, "containLabel": True},
        "tooltip": {"confine": True},
        "xAxis": {
            **names,
            "data": [text.feature(name) for name in model.features],
            "axisLabel": {"rotate": 35, "interval": 0, "fontFamily": FONT, "fontSize": 11},
        },
        "yAxis": {**names, "data": unique_names(segments), "inverse": True},
        "visualMap": {
            "min": -widest,
            "max": widest,
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "precision": 1,
            "text": ["above the average", "below"],
            "inRange": {"color": ["#2166ac", "#9db6cc", "#e3e3e3", "#d8a28c", "#b2182b"]},
        },
        "series": [{"type": "heatmap", "data": cells, "name": "coordinate"}],
        "media": on_phones(names_on_axes(80, 90, 9), names_on_axes(260, 35, 11)),
    }


def scattered(
    found: Scatter, known: Mapping[str, Segment], colors: Mapping[str, str]
) -> dict[str, Any]:
    """Customers as dots, and each cluster's centroid with its name."""
    ids = sorted({*found.customers, *found.centroids}, key=lambda name: (len(name), name))
    segments = [known.get(name, Segment(name, name, kind="discovered")) for name in ids]
    dots = [
        {
            "type": "scatter", "name": name, "symbolSize": 5, "silent": True,
            "itemStyle": {"color": colors.get(segment.id, COLORS[-1]), "opacity": 0.55},
            "data": list(found.customers.get(segment.id, ())),
        }
        for name, segment in zip(unique_names(segments), segments, strict=True)
    ]  # fmt: skip
    centres = [
        {
            "name": name, "value": list(found.centroids[segment.id]),
            "itemStyle": {"color": colors.get(segment.id, COLORS[-1])},
        }
        for name, segment in zip(unique_names(segments), segments, strict=True)
        if segment.id in found.centroids
    ]  # fmt: skip
    named = {
        "type": "scatter", "name": "centroids", "symbol": "diamond", "symbolSize": 18, "z": 5,
        "itemStyle": {"borderColor": "#ffffff", "borderWidth": 2},
        "label": {"show": True, "position": "top", "formatter": "{b}", "fontSize": 12,
                  "fontWeight": 600, "fontFamily": FONT},
        "labelLayout": {"moveOverlap": "shiftY", "hideOverlap": True},
        "data": centres,
    }  # fmt: skip
    axis = {
        "type": "value", "scale": True, "nameLocation": "middle", "axisLabel": {"show": False},
        "axisTick": {"show": False}, "splitLine": GRID_LINES,
    }  # fmt: skip
    return {
        "animation": False,
        "textStyle": {"fontFamily": FONT},
        "grid": {"left": 36, "right": 16, "top": 20, "bottom": 36},
        "tooltip": {"confine": True, "formatter": "{b}"},
        "xAxis": {**axis, "name": _words(found.meanings[0]), "nameGap": 14},
        "yAxis": {**axis, "name": _words(found.meanings[1]), "nameGap": 14},
        "series": [*dots, named],
        "media": on_phones(_labels(len(dots), 80, 10), _labels(len(dots), 320, 12)),
    }


def _labels(before: int, width: int, size: int) -> dict[str, Any]:
    """Of the series that comes after so many others."""
    label = {"width": width, "overflow": "truncate", "fontSize": size}
    return {"series": [*({} for _ in range(before)), {"label": label}]}


def _words(meaning: str) -> str:
    parts = [
        f"{'more' if part[0] == '+' else 'less'} {part[1:].replace('_', ' ')}"
        for part in meaning.split()
    ]
    return f"{', '.join(parts)} \u2192" if parts else ""


def timeline(rows: Mapping[str, Sequence[tuple[int, str]]]) -> dict[str, Any]:
    """What happened when: kind → moments (ms) with what to say of each; one line per kind."""
    kinds = list(rows)
    series = [
        {
            "type": "scatter", "name": kind, "symbolSize": 12,
            "itemStyle": {"color": COLORS[place], "opacity": 0.8},
            "data": [{"name": said, "value": [at_ms, kind]} for at_ms, said in rows[kind]],
        }
        for place, kind in enumerate(kinds)
    ]  # fmt: skip
    base = over_time("")
    return {
        **base,
        "grid": {**base["grid"], "top": 12},
        "tooltip": {"trigger": "item", "confine": True, "formatter": "{b}"},
        "xAxis": {**base["xAxis"], "boundaryGap": ["3%", "3%"]},
        "yAxis": {
            "type": "category", "data": kinds, "inverse": True, "splitLine": {"show": True,
            **GRID_LINES}, "axisLabel": {"fontFamily": FONT, "fontSize": 12},
        },
        "series": series,
    }  # fmt: skip
