"""Segments: are they moving as they should."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from stream.dashboard import charts, text
from stream.dashboard.elements import Chart, Listing, Row, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.history import Hour
from stream.dashboard.live import Live
from stream.dashboard.moment import Moment
from stream.store.records import Segment

#: Name → seconds of the period that the charts show.
PERIODS = {"hour": 3_600, "day": 86_400, "week": 604_800}
_NO_HOUR = Hour([], None)
_SEVERAL = (
    "A customer may be in several of them: all areas together are memberships, not customers."
)
_COLUMNS = [
    ("segment", "text"),
    ("size", "number"),
    ("last hour", "text"),
    ("entered/min", "number"),
    ("left/min", "number"),
    ("turnover/h", "number"),
    ("id", "id"),
]


def segments_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/segments")
    def segments(period: str = "hour") -> None:
        chosen = period if period in PERIODS else "hour"
        with frame(live, "/segments", "Segments"):
            periods("/segments", chosen)
            with section("Discovered by the model"):
                found_chart = Chart("Sizes of discovered segments over time")
                found = Listing(
                    "Discovered segments", _COLUMNS,
                    "None yet: the model needs some customers first.",
                )  # fmt: skip
            with section("Defined by people"):
                Words("p", _SEVERAL, **{"class": "note"})
                defined_chart = Chart("Sizes of defined segments over time")
                defined = Listing(
                    "Defined segments", _COLUMNS,
                    "None: name a file of definitions in AGOS_SEGMENTS and start the workers.",
                )  # fmt: skip
        drawn = [0]

        def draw() -> None:
            moment = live.moment
            if moment is None:
                return
            ours = [s for s in moment.segments if not s.discovered]
            theirs = [s for s in moment.segments if s.discovered and (s.size or not s.retired)]
            for listing, chart, name, shown in (
                (found, found_chart, "discovered", theirs),
                (defined, defined_chart, "defined", ours),
            ):
                listing.show(live.once(("rows", name), partial(_rows, live, moment, shown)))
                if live.history.newest_ms != drawn[0]:
                    chart.show(
                        live.once(("sizes", name, chosen), partial(_sizes, live, chosen, shown))
                    )
            drawn[0] = live.history.newest_ms

        draw()
        live.changed.subscribe(draw)


def _rows(live: Live, moment: Moment, shown: Sequence[Segment]) -> list[Row]:
    hours = live.hours()
    # The largest have an area of their own in the chart, of this color.
    colors = charts.palette(charts.largest(shown))
    return [
        row(segment, moment, hours.get(segment.id, _NO_HOUR), colors.get(segment.id))
        for segment in shown
    ]


def _sizes(live: Live, chosen: str, shown: Sequence[Segment]) -> dict[str, Any]:
    return charts.sizes(live.history.points(PERIODS[chosen]), shown)


def there(segment: str) -> str:
    """Address of a segment's page."""
    return "/segment?" + urlencode({"id": segment})


def row(segment: Segment, moment: Moment, hour: Hour, color: str | None = None) -> Row:
    """A segment in the table."""
    entered, left = moment.per_minute.get(segment.id, (0, 0))
    return {
        "key": segment.id,
        "class": "dim" if segment.retired else "",
        "cells": [
            {
                "text": segment.name,
                "color": color,
                "href": there(segment.id),
                "note": "ending: the model no longer has it" if segment.retired else segment.kind,
            },
            text.count(segment.size),
            {"spark": hour.sizes} if len(hour.sizes) > 1 else "-",
            text.count(entered),
            text.count(left),
            text.share(hour.turnover),
            segment.id,
        ],
    }


def periods(path: str, chosen: str, more: Mapping[str, str] | None = None) -> None:
    """Links to the same page with another period."""
    with ui.element("nav").classes("periods") as nav:
        nav.props["aria-label"] = "Period"
        for name in PERIODS:
            address = f"{path}?{urlencode({**(more or {}), 'period': name})}"
            link = Words("a", f"last {name}", href=address)
            if name == chosen:
                link.props["aria-current"] = "true"
