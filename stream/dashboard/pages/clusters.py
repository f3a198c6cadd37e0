"""Clusters: what the model found, what sets each apart, how its challengers do, what drifts."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from nicegui import ui

from stream.dashboard import charts, cluster_charts, text
from stream.dashboard.elements import Chart, Facts, Listing, Row, Words, section
from stream.dashboard.frame import frame
from stream.dashboard.learned import Learned
from stream.dashboard.live import Live
from stream.dashboard.pages.timeline import on_timeline, rows
from stream.dashboard.sampled import SAMPLE
from stream.errors import AgosError
from stream.store.learned import Alert, League
from stream.store.records import Segment
from stream.watch.times import ago, moment

_EVERY_LOOKS = 5
_STRONGEST = 4
_HOW_DRAWN = (
    f"At most {SAMPLE} customers drawn by chance, most of them the same from look to look. The "
    "plane is the one in which the centroids differ most; it stays until another shows much more."
)
_HOW_COLORED = "How far each cluster's mean lies from the mean of all customers, in deviations."
_HOW_JUDGED = (
    "Those in the shadow learn from the same customers and change nothing. Silhouette: how well "
    "apart (1 is best). Inertia: spread within clusters, against the one in force. Churn: share of "
    "customers who change cluster from round to round. Coverage: share that has a cluster."
)


def clusters_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/clusters")
    def clusters() -> None:
        with frame(live, "/clusters", "Clusters"):
            facts = Facts()
            with section("Customers in the model's space"):
                Words("p", _HOW_DRAWN, **{"class": "note"})
                dots = Chart("Customers as dots, colored by cluster, and centroids", "tall")
            with section("What became of them"):
                times = Chart("Births, splits, merges, ends and drift over time", "short")
                turns = Listing(
                    "What became of clusters",
                    [("when", "when"), ("what", "text"), ("cluster", "text"),
                     ("from or into", "text"), ("model", "number"), ("id", "id")],
                    "Nothing since the first model that a dashboard saw.",
                )  # fmt: skip
            with section("What sets them apart"):
                listing = Listing(
                    "Clusters",
                    [("cluster", "text"), ("customers", "number"), ("share", "number"),
                     ("what sets it apart, in deviations from the average", "text"),
                     ("came from", "text"), ("id", "id")],
                    "None yet: the model needs some customers first.",
                )  # fmt: skip
                Words("p", _HOW_COLORED, **{"class": "note"})
                heat = Chart("Centroids: coordinate of each cluster in each feature", "tall")
            with section("Clusterers"):
                Words("p", _HOW_JUDGED, **{"class": "note"})
                league = Listing(
                    "Clusterers",
                    [("clusterer", "text"), ("state", "text"), ("segments", "number"),
                     ("silhouette", "number"), ("inertia", "number"), ("churn", "number"),
                     ("coverage", "number"), ("rounds", "number")],
                    "The trainer has not said anything yet.",
                )  # fmt: skip
            with section("Drift"):
                drift = Listing(
                    "Drift alerts",
                    [("noticed", "when"), ("what", "text"), ("feature", "text"),
                     ("shift", "number"), ("since", "text"), ("model", "number")],
                    "Nothing has drifted as far as it is remembered.",
                )  # fmt: skip
        looks = [0]

        async def draw() -> None:
            looks[0] += 1
            if looks[0] % _EVERY_LOOKS != 1:
                return
            found = {s.id: s for s in live.moment.segments if s.discovered} if live.moment else {}
            colors = charts.palette(found.values())
            try:
                learned = await live.learned.read()
                scatter = await live.scatter.read(list(found.values()))
            except AgosError:
                # The frame says that Redis is away.
                return
            if scatter is not None:
                dots.show(cluster_charts.scattered(scatter, found, colors))
            times.show(cluster_charts.timeline(on_timeline(live.structure.turns, learned.alerts)))
            turns.show(rows(live.structure.turns))
            facts.show(_facts(learned))
            listing.show(
                [
                    _cluster(s, found, learned, colors[s.id], live.structure.name)
                    for s in found.values()
                    if s.size or not s.retired
                ]
            )
            league.show(_standings(learned.league))
            drift.show([_drift(alert) for alert in learned.alerts])
            if learned.model.centroids:
                heat.show(cluster_charts.centroids(learned.model, found))

        ui.timer(0.1, draw, once=True)
        live.changed.subscribe(draw)


def _facts(learned: Learned) -> list[tuple[str, str]]:
    model, league = learned.model, learned.league
    facts = [("model", f"version {model.version:,}" if model.version else "none yet")]
    if model.version:
        facts.append(("learned from", text.plural(model.trained_on, "customer")))
    if league is not None:
        facts.append(("last learned", ago(league.updated_ms)))
        facts.append(("in force", league.in_force))
        if league.wanted and league.wanted != league.in_force:
            facts.append(("asked for", f"{league.wanted}, after {league.shadow_rounds} rounds"))
        if league.failures:
            facts.append(("failures", f"{league.failures:,} since this trainer began"))
    return facts


def _cluster(
    segment: Segment,
    known: Mapping[str, Segment],
    learned: Learned,
    color: str,
    last: Callable[[str], str],
) -> Row:
    effects = [e for e in segment.explanation if isinstance(e, list | tuple)][:_STRONGEST]
    parents = [
        known[p].name if p in known else last(p) for p in learned.parents.get(segment.id, ())
    ]
    return {
        "key": segment.id,
        "class": "dim" if segment.retired else "",
        "cells": [
            {
                "text": segment.name,
                "color": color,
                "href": "/segment?" + urlencode({"id": segment.id}),
                "note": "ending" if segment.retired else segment.description,
            },
            text.count(segment.size),
            "-" if segment.share is None else f"{segment.share:.1%}",
            ", ".join(f"{text.feature(name)} {float(size):+.1f}" for name, size in effects) or "-",
            ", ".join(parents) or "-",
            segment.id,
        ],
    }


def _standings(league: League | None) -> list[Row]:
    if league is None:
        return []
    return [
        {
            "key": one.name,
            "cells": [
                one.name,
                "in force" if one.name == league.in_force else "in the shadow",
                text.count(one.segments),
                f"{one.silhouette:.2f}",
                f"{one.inertia:.2f}",
                f"{one.churn:.1%}",
                f"{one.coverage:.0%}",
                text.count(one.rounds),
            ],
        }
        for one in league.standings
    ]


def _drift(alert: Alert) -> Row:
    return {
        "key": f"{alert.noticed_ms}-{alert.feature}",
        "cells": [
            f"{moment(alert.noticed_ms)} ({ago(alert.noticed_ms)})",
            alert.text,
            alert.feature,
            f"{alert.shift:+.1f}",
            moment(alert.since_ms),
            text.count(alert.model_version),
        ],
    }
