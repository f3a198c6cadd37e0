"""One segment: what it is, who is in it, how it differs, how it went."""

import asyncio
import logging
from urllib.parse import urlencode

import yaml
from nicegui import ui

from stream.dashboard import charts, text
from stream.dashboard.elements import Chart, Facts, Listing, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.live import Live
from stream.dashboard.pages.customers import link
from stream.dashboard.pages.segments import PERIODS, periods, there
from stream.dashboard.pages.timeline import told
from stream.dashboard.profile import SAMPLE, Difference, differences, quotas
from stream.errors import AgosError
from stream.settings import Settings
from stream.store.records import Member, Segment
from stream.watch.times import ago, moment

log = logging.getLogger(__name__)

_PAGE = 50
_LARGEST_FILE_BYTES = 1_000_000


def segment_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/segment", response_timeout=10.0)
    async def segment(id: str = "", period: str = "hour", page: int = 0) -> None:
        known = _known(live, id)
        with frame(live, "/segments", known.name if known else "Segment"):
            if known is None:
                _missing(live, id)
                return
            chosen = period if period in PERIODS else "hour"
            _about(live, known)
            with section("History"):
                periods("/segment", chosen, {"id": id})
                _history(live, known, chosen)
            await _profile(live, known)
            await _members(live, known, max(page, 0))


def _missing(live: Live, name: str) -> None:
    turn = next((turn for turn in live.structure.turns if turn.segment == name), None)
    said = "No segment has this id."
    if live.moment is None:
        said = "Redis was not read yet: load this page again."
    elif turn is not None:
        said = f"{moment(turn.at_ms)}: {told(turn)}. The model no longer has it."
    Words("p", said, **{"class": "empty"})
    Words("a", "All segments", href="/segments")


def _known(live: Live, name: str) -> Segment | None:
    if live.moment is None:
        return None
    return next((segment for segment in live.moment.segments if segment.id == name), None)


def _about(live: Live, segment: Segment) -> None:
    facts = Facts()

    def draw() -> None:
        now = _known(live, segment.id)
        if now is None or live.moment is None:
            return
        entered, left = live.moment.per_minute.get(now.id, (0, 0))
        hour = live.hours().get(now.id)
        facts.show(
            [
                ("id", now.id),
                ("kind", now.kind or ("discovered" if now.discovered else "defined")),
                ("customers", text.count(now.size)),
                ("last minute", f"{entered:,} entered, {left:,} left"),
                ("turnover", f"{text.share(hour.turnover if hour else None)} in the last hour"),
                *_said(now),
            ]
        )

    draw()
    live.changed.subscribe(draw)
    if segment.explanation and segment.discovered:
        with section("What sets it apart"):
            table = Listing(
                "What sets it apart",
                [("feature", "text"), ("deviations from the average customer", "number")],
                "",
            )
            table.show(_effects(segment))
    elif not segment.discovered and (words := definition(live.settings, segment.id)):
        with section("Definition"):
            Words("pre", words)


def _said(segment: Segment) -> list[tuple[str, str]]:
    said = [("description", segment.description)] if segment.description else []
    if segment.share is not None:
        said.append(("share", f"{segment.share:.1%} of the customers the model learned from"))
    if segment.retired:
        said.append(("ending", "the model no longer has it; its customers move on"))
    return said


def _effects(segment: Segment) -> list[dict[str, object]]:
    pairs = [effect for effect in segment.explanation if isinstance(effect, list | tuple)]
    return [
        {"key": str(name), "cells": [text.feature(name), f"{float(size):+.1f}"]}
        for name, size in pairs
    ]


def definition(settings: Settings, name: str) -> str:
    """What the file of definitions says of a segment; empty where it cannot be read here."""
    path = settings.segments
    try:
        if path is None or path.stat().st_size > _LARGEST_FILE_BYTES:
            return ""
        whole = yaml.safe_load(path.read_text(encoding="utf-8"))
        part = whole["segments"][name]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        log.debug("%s: %s", path, error)
        return ""
    return str(yaml.safe_dump({name: part}, sort_keys=False, allow_unicode=True))


def _history(live: Live, segment: Segment, chosen: str) -> None:
    sizes = Chart(f"Size of {segment.name} over time")
    moved = Chart(f"Entries and exits of {segment.name} over time")
    drawn = [0]

    def draw() -> None:
        points = live.history.points(PERIODS[chosen])
        if points and points[-1].at_ms != drawn[0]:
            drawn[0] = points[-1].at_ms
            sizes.show(charts.sizes(points, [segment]))
            moved.show(charts.entries(points, segment))

    draw()
    live.changed.subscribe(draw)


async def _profile(live: Live, segment: Segment) -> None:
    if live.moment is None or not segment.size:
        return
    wanted = quotas(live.moment.segments)
    try:
        members = await asyncio.to_thread(live.lookup.sample, {segment.id: SAMPLE})
        everybody = await asyncio.to_thread(live.lookup.sample, wanted)
    except AgosError as error:
        Words("p", str(error), **{"class": "problem"})
        return
    found = differences(members, everybody, text.now_ms())
    with section("Against all customers"):
        table = Listing(
            "Profile against all customers",
            [("mean of", "text"), ("here", "number"), ("of all", "number"), ("times", "number")],
            "Needs clusters, as all customers are drawn from them.",
        )
        table.show([_difference(one, live.settings.currency) for one in found])
        if found:
            drawn = f"{len(members):,} customers of the segment and {len(everybody):,} of all"
            Words("p", f"Means of {drawn}, drawn by chance.", **{"class": "note"})


def _difference(one: Difference, currency: str) -> dict[str, object]:
    title = f"{one.measure} ({currency})" if one.measure == "spend" else one.measure
    times = "-" if one.times is None else f"{one.times:.1f}"
    return {
        "key": one.measure,
        "cells": [title, text.count(one.here), text.count(one.all), times],
    }


async def _members(live: Live, segment: Segment, page: int) -> None:
    with section("Customers"):
        try:
            rows = await asyncio.to_thread(
                lambda: live.reader.members(segment.id, offset=page * _PAGE, limit=_PAGE + 1)
            )
        except AgosError as error:
            Words("p", str(error), **{"class": "problem"})
            return
        table = Listing(
            f"Customers of {segment.name}",
            [("customer", "text"), ("entered", "when")],
            "Nobody is in it." if not page else "No more.",
        )
        table.show([_member(member) for member in rows[:_PAGE]])
        with ui.element("nav").classes("periods") as nav:
            nav.props["aria-label"] = "Customers"
            if rows:
                first = page * _PAGE
                shown = f"{first + 1:,} to {first + len(rows[:_PAGE]):,} of {segment.size:,}"
                Words("span", shown, **{"class": "note"})
            if page:
                Words("a", "newer", href=_page_link(segment, page - 1))
            if len(rows) > _PAGE:
                Words("a", "older", href=_page_link(segment, page + 1))
            if segment.size:
                csv = "/segment.csv?" + urlencode({"id": segment.id})
                Words("a", "all as CSV", href=csv, download="members.csv")


def _page_link(segment: Segment, page: int) -> str:
    return f"{there(segment.id)}&page={page}"


def _member(member: Member) -> dict[str, object]:
    name = member.customer_id
    entered = f"{moment(member.entered_ms)} ({ago(member.entered_ms)})"
    return {"key": name, "cells": [{"text": name, "href": link(name)}, entered]}
