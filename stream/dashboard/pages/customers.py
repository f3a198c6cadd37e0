"""A customer: found by its id or its beginning, live while somebody looks."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from nicegui import ui
from nicegui.element import Element

from stream.dashboard import text
from stream.dashboard.elements import Facts, Listing, Row, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.live import Live
from stream.dashboard.portrait import (
    LOOK_BACK,
    MOST_CHANGES,
    Portrait,
    latest_changes,
    portrait,
)
from stream.errors import AgosError
from stream.store.lookup import Found
from stream.store.records import Change, Segment
from stream.watch.times import ago, moment, when

_MOST_FOUND = 20
_LONGEST_ID = 256


def customers_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/customers", response_timeout=10.0)
    async def customers(id: str = "") -> None:
        wanted = id[:_LONGEST_ID]
        with frame(live, "/customers", "Customers"):
            _form(wanted)
            if wanted:
                await _answer(live, wanted)
            else:
                Words("p", "Type an id, or how it begins.", **{"class": "note"})


def link(customer_id: str) -> str:
    """Where a customer's page is."""
    return "/customers?" + urlencode({"id": customer_id})


def _form(wanted: str) -> None:
    with Element("form") as form:
        form.props.update({"action": "/customers", "method": "get", "role": "search"})
        form.classes("row")
        label = Words("label", "Customer id")
        label.props["for"] = "wanted"
        box = Element("input")
        box.props.update(
            {"id": "wanted", "name": "id", "value": wanted, "maxlength": _LONGEST_ID,
             "autocomplete": "off", "spellcheck": "false"}
        )  # fmt: skip
        Words("button", "Look up", type="submit")


async def _answer(live: Live, wanted: str) -> None:
    try:
        known = await asyncio.to_thread(portrait, live.reader, live.settings, wanted)
        changes = await asyncio.to_thread(latest_changes, live.settings, wanted) if known else []
        found = await asyncio.to_thread(live.lookup.begin_with, wanted, _MOST_FOUND + 1)
    except AgosError as error:
        Words("p", f"{error}. Start Redis, and load this page again.", **{"class": "problem"})
        return
    if known is not None:
        _show(live, known, changes)
    _others(found, wanted, known is not None)


def _show(live: Live, known: Portrait, changes: Sequence[Change]) -> None:
    name = known.customer.customer_id
    with section(name):
        facts = Facts()
    with section("In segments"):
        memberships = Listing(
            f"Segments of {name}",
            [("segment", "text"), ("since", "when"), ("why", "text"), ("until, if nothing happens",
              "when"), ("id", "id")],
            "In no segment.",
        )  # fmt: skip
    with section("Latest changes"):
        table = Listing(
            f"Latest changes of {name}",
            [("when", "when"), ("change", "text"), ("segment", "text"), ("cause", "text"),
             ("why", "text")],
            f"None among the latest {LOOK_BACK:,} changes of all customers.",
        )  # fmt: skip
    kept = list(changes)

    def draw(shown: Portrait) -> None:
        named = {segment.id: segment for segment in live.moment.segments} if live.moment else {}
        facts.show(_facts(shown, live.settings.currency))
        memberships.show(_memberships(shown, named, kept))
        # Clusters that are gone are known by their last names.
        gone = {turn.segment: Segment(turn.segment, turn.name) for turn in live.structure.turns}
        table.show([_change(change, {**gone, **named}) for change in kept])

    async def follow() -> None:
        fresh = (
            [c for c in live.moment.seen.changes if c.customer_id == name] if live.moment else []
        )
        kept[:0] = [c for c in reversed(fresh) if c.position not in {k.position for k in kept}]
        del kept[MOST_CHANGES:]
        try:
            newest = await asyncio.to_thread(portrait, live.reader, live.settings, name)
        except AgosError:
            # The frame says that Redis is away.
            return
        if newest is not None:
            draw(newest)

    draw(known)
    live.changed.subscribe(follow)


def _facts(shown: Portrait, currency: str) -> list[tuple[str, str]]:
    customer = shown.customer
    seen = [("first seen", customer.first_seen_ms), ("last seen", customer.last_seen_ms)]
    facts = [
        ("events", text.count(customer.events)),
        ("orders", text.count(customer.orders)),
        ("spend", f"{customer.spend_minor / 100:,.2f} {currency}"),
        *((title, f"{moment(at)} ({ago(at)})" if at else "-") for title, at in seen),
        (
            "cluster",
            f"{customer.cluster_name or customer.cluster} ({customer.confidence:.0%} sure)",
        ),
        ("updated", f"{moment(customer.updated_at_ms)} by {customer.source or 'the clock'}"),
    ]
    if customer.due_at_ms:
        facts.append(
            ("looked at again", f"{moment(customer.due_at_ms)} ({ago(customer.due_at_ms)})")
        )
    if shown.interests:
        likes = ", ".join(f"{name} {share:.0%}" for name, share in shown.interests.items())
        facts.append(("likes", likes))
    return facts + [(f"trait {name}", _trait(value)) for name, value in shown.traits.items()]


def _trait(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _memberships(
    shown: Portrait, named: Mapping[str, Segment], changes: Sequence[Change]
) -> list[Row]:
    entries = {c.segment: c for c in reversed(changes) if c.change == "entered"}
    rows: list[Row] = []
    for name in shown.customer.segments:
        since = shown.since.get(name)
        entry = entries.get(name)
        due = entry.due_at_ms if entry else None
        rows.append(
            {
                "key": name,
                "cells": [
                    _linked(name, named),
                    f"{moment(since)} ({ago(since)})" if since else "-",
                    entry.reason if entry else "not among the latest changes",
                    f"{moment(due)} ({ago(due)})" if due else "-",
                    name,
                ],
            }
        )
    return rows


def _change(change: Change, named: Mapping[str, Segment]) -> Row:
    return {
        "key": change.position,
        "cells": [
            when(change.at_ms, text.now_ms()),
            change.change,
            _linked(change.segment, named),
            change.cause,
            change.reason,
        ],
    }


def _linked(segment: str, named: Mapping[str, Segment]) -> dict[str, str]:
    known = named.get(segment)
    there = "/segment?" + urlencode({"id": segment})
    return {"text": known.name if known else segment, "href": there}


def _others(found: Found, wanted: str, known: bool) -> None:
    others = [name for name in found.customers if name != wanted]
    if known and not others and found.whole:
        Words("p", "No other id begins so.", **{"class": "note"})
        return
    with section("Other ids that begin so" if known else "Ids that begin so"):
        if others:
            shown = others[:_MOST_FOUND]
            table = Listing("Customers found", [("customer", "text")], "")
            table.show([{"key": n, "cells": [{"text": n, "href": link(n)}]} for n in shown])
        elif not known:
            Words("p", "No customer of this id: no event of it was applied.", **{"class": "empty"})
        more = len(others) > _MOST_FOUND
        if more or not found.whole:
            Words(
                "p",
                f"About {found.looked:,} of {found.keys:,} keys were looked at; "
                "there may be more. Type more of the id.",
                **{"class": "note"},
            )
