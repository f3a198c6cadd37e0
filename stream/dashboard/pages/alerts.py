"""Alerts: what is raised now, and what was."""

from nicegui import ui

from stream.dashboard.alerts import RULES, Alert
from stream.dashboard.elements import Listing, Row, section
from stream.dashboard.frame import frame
from stream.dashboard.live import Live
from stream.dashboard.pages.segments import there
from stream.watch.times import moment, span

_SHOWN = 100
_COLUMNS = [
    ("alert", "text"),
    ("state", "text"),
    ("what", "text"),
    ("about", "text"),
    ("since", "when"),
    ("for", "number"),
]


def alerts_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/alerts")
    def alerts() -> None:
        with frame(live, "/alerts", "Alerts"):
            with section("Now"):
                now = Listing("Alerts now", _COLUMNS, "None: all is as it should be.")
            with section("Lately"):
                past = Listing("Alerts that are over", _COLUMNS, "None that is remembered.")

        def draw() -> None:
            at_ms = live.looked_ms
            urgent = sorted(live.alerts.active, key=lambda alert: alert.state != "act")
            now.show([_row(alert, at_ms) for alert in urgent])
            over = [alert for alert in live.told if alert.until_ms is not None]
            past.show([_row(alert, at_ms) for alert in over[:_SHOWN]])

        draw()
        live.changed.subscribe(draw)


def _row(alert: Alert, at_ms: int) -> Row:
    over = alert.until_ms is not None
    return {
        "key": f"{alert.rule}-{alert.subject}-{alert.since_ms}",
        "cells": [
            RULES.get(alert.rule, alert.rule),
            "over" if over else {"text": alert.state, "state": alert.state},
            alert.text,
            {"text": alert.subject, "href": there(alert.subject)} if alert.subject else "the whole",
            moment(alert.since_ms),
            span((alert.until_ms or at_ms) - alert.since_ms),
        ],
    }
