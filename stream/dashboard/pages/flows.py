"""Flows: who went from where to where, and which segments have customers in common."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nicegui import ui

from stream.dashboard import charts, text
from stream.dashboard.elements import Chart, Listing, Row, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.history import Point
from stream.dashboard.live import Live
from stream.dashboard.pages.segments import PERIODS, periods
from stream.errors import AgosError
from stream.store.records import Segment

#: Moves of one kind that are drawn, and those in the table, and segments whose overlap is
#: estimated; the largest.
MOST_MOVES = 30
MOST_ROWS = 12
MOST_OVERLAPS = 16
_SAMPLE = 200


def flows_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/flows")
    def flows(period: str = "hour") -> None:
        chosen = period if period in PERIODS else "hour"
        with frame(live, "/flows", "Flows"):
            periods("/flows", chosen)
            parts = [_part("discovered", True), _part("defined", False)]
            with section("Overlap"):
                Words(
                    "p",
                    f"Share of the row's customers who are in the column's segment too, estimated "
                    f"from {_SAMPLE} drawn by chance; the {MOST_OVERLAPS} largest segments.",
                    **{"class": "note"},
                )
                overlap = Chart("Overlap of segments", "tall")
        drawn = [0]

        def draw() -> None:
            points = live.history.points(PERIODS[chosen])
            if live.moment is None or not points or points[-1].at_ms == drawn[0]:
                return
            drawn[0] = points[-1].at_ms
            # Those that are gone are known by their last names.
            gone = {
                turn.segment: Segment(turn.segment, turn.name, kind="discovered")
                for turn in live.structure.turns
            }
            known = gone | {segment.id: segment for segment in live.moment.segments}
            for part in parts:
                part.show(busiest(points, known, part.discovered), known)

        async def estimate() -> None:
            if live.moment is None:
                return
            shown = [s for s in live.moment.segments if s.size][:MOST_OVERLAPS]
            pairs = [(a.id, b.id) for a in shown for b in shown if a.id != b.id]
            try:
                shares = await asyncio.to_thread(live.lookup.shared, pairs, _SAMPLE)
            except AgosError:
                # The frame says that Redis is away.
                return
            overlap.show(charts.overlap(shares, shown))

        draw()
        live.changed.subscribe(draw)
        ui.timer(0.1, estimate, once=True)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is shown of the moves within one kind of segments."""

    discovered: bool
    chart: Chart
    listing: Listing

    def show(self, moved: Sequence[tuple[str, str, int]], known: Mapping[str, Segment]) -> None:
        self.chart.show(charts.sankey(moved, known))
        self.listing.show(
            [_row(origin, target, n, known) for origin, target, n in moved[:MOST_ROWS]]
        )


def _part(kind: str, discovered: bool) -> _Part:
    with section(f"Between {kind} segments"):
        chart = Chart(f"Moves between {kind} segments", "tall")
        listing = Listing(
            f"Moves between {kind} segments",
            [("from", "text"), ("to", "text"), ("customers", "number")],
            f"Nobody moved from one {kind} segment to another in this period.",
        )
    return _Part(discovered, chart, listing)


def busiest(
    points: Sequence[Point], known: Mapping[str, Segment], discovered: bool
) -> list[tuple[str, str, int]]:
    """The moves of a period that most customers made, within one kind of segments."""
    counted: Counter[tuple[str, str]] = Counter()
    for point in points:
        for origin, target, number in point.flows:
            ends = (known[name] for name in (origin, target) if name in known)
            if discovered == any(segment.discovered for segment in ends):
                counted[origin, target] += number
    return [(origin, target, n) for (origin, target), n in counted.most_common(MOST_MOVES)]


def _row(origin: str, target: str, number: int, known: Mapping[str, Segment]) -> Row:
    def name(segment: str) -> str:
        return known[segment].name if segment in known else segment

    return {
        "key": f"{origin} {target}",
        "cells": [name(origin), name(target), text.count(number)],
    }
