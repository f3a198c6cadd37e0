"""Now: is it running, is it keeping up."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from stream.dashboard import charts, text
from stream.dashboard.elements import Board, Chart, Listing, Packed, Row, section
from stream.dashboard.figures import FIGURES, Figure
from stream.dashboard.frame import frame
from stream.dashboard.live import Live
from stream.dashboard.moment import Moment
from stream.dashboard.reporters import SILENT_MS, CollectorView, WorkerView
from stream.watch.times import span

_HOUR_SECONDS = 3_600
_RATES = {"events_per_second": "events/s", "changes_per_second": "changes/s"}
_LAGS = {"lag": "lag"}
_LATENCIES = {"latency_p50_ms": "median", "latency_p99_ms": "99 %"}


def now_page(live: Live) -> None:
    """Make the page known."""

    @ui.page("/")
    def now() -> None:
        with frame(live, "/", "Now"):
            board = Board("Figures of now")
            with section("Last hour"), ui.element("div").classes("pair"):
                rates = Chart("Events and changes per second over the last hour")
                lags = Chart("Events that wait over the last hour")
                times = Chart("Latency over the last hour")
            with section("Workers", id="workers"):
                workers = Listing(
                    "Workers",
                    [
                        ("worker", "text"), ("state", "text"), ("partitions", "text"),
                        ("events/s", "number"), ("lag", "number"), ("events", "number"),
                        ("refused writes", "number"), ("model", "number"), ("up for", "number"),
                    ],
                    "No worker reports. Start one: agos worker",
                )  # fmt: skip
            with section("Collectors"):
                collectors = Listing(
                    "Collectors",
                    [
                        ("collector", "text"), ("state", "text"), ("requests/s", "number"),
                        ("errors/s", "number"), ("accepted", "number"), ("waiting", "number"),
                        ("answers", "text"), ("up for", "number"),
                    ],
                    "No collector reports. Where websites send events over HTTP: agos collect",
                )  # fmt: skip
            halves = ui.element("div").classes("pair")
            with halves, section("Topics"):
                topics = Listing(
                    "Lag by topic", [("topic", "text"), ("events that wait", "number")],
                    "Kafka does not answer: see AGOS_KAFKA.",
                )  # fmt: skip
            with halves, section("Counters"):
                counters = Listing(
                    "Counters since the beginning",
                    [("counter", "text"), ("since the beginning", "number")],
                    "Nothing was applied yet. Send events, for example with agos simulate.",
                )

        drawn = [0]

        def draw() -> None:
            moment = live.moment
            if moment is None:
                return
            board.show(live.once(("now",), lambda: cards(live, moment)))
            workers.show([_worker(view, moment.at_ms) for view in moment.workers])
            collectors.show([_collector(view, moment.at_ms) for view in moment.collectors])
            topics.show(
                [{"key": name, "cells": [name, text.count(n)]} for name, n in moment.lags.items()]
            )
            counters.show(_counters(moment))
            if live.history.newest_ms != drawn[0]:
                drawn[0] = live.history.newest_ms
                for chart, figures, unit, scale in (
                    (rates, _RATES, "per second", 1.0),
                    (lags, _LAGS, "events", 1.0),
                    (times, _LATENCIES, "seconds", 0.001),
                ):
                    chart.show(drawn_once(live, figures, unit, scale))

        draw()
        live.changed.subscribe(draw)


def drawn_once(live: Live, figures: Mapping[str, str], unit: str, scale: float) -> Packed:
    """A chart of the last hour, made once for all who look."""
    return live.once(
        ("hour", *figures),
        lambda: charts.lines(live.history.points(_HOUR_SECONDS), figures, unit, scale),
    )


def cards(live: Live, moment: Moment) -> list[dict[str, Any]]:
    """A card for every figure."""
    unused = () if moment.collectors else ("requests_per_second", "request_errors")
    return [_card(live, moment, figure) for figure in FIGURES if figure.id not in unused]


def _card(live: Live, moment: Moment, figure: Figure) -> dict[str, Any]:
    value = _value(figure, moment)
    return {
        "id": figure.id,
        "title": figure.title,
        "value": value,
        "state": "unknown" if value == "-" else moment.state(figure.id, live.limits),
        "detail": _detail(figure, moment),
        "trend": [_short(value) for value in live.history.trend(figure.id)],
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _value(figure: Figure, moment: Moment) -> str:
    value = moment.figures.get(figure.id)
    if figure.id == "redis_share":
        return text.size(moment.figures.get("redis_bytes"))
    if figure.id == "model_age_ms":
        version = moment.seen.model_version
        return f"v{version:,}" if version else "none yet"
    return figure.shown(value)


def _detail(figure: Figure, moment: Moment) -> str:
    value = moment.figures.get(figure.id)
    if figure.id == "redis_share":
        commands = text.count(moment.figures.get("redis_commands"))
        whole = figure.meaning if moment.limited else "of the machine's, without a maxmemory"
        return f"{text.share(value)} {whole}; {commands} commands/s"
    if figure.id == "model_age_ms" and value is not None:
        return f"last learned {span(value)} ago; {moment.seen.trained_on:,} customers in the panel"
    if figure.id == "unowned" and moment.unowned:
        return ", ".join(str(partition) for partition in moment.unowned[:20])
    if figure.id == "segments":
        found = sum(segment.discovered for segment in moment.segments)
        return f"{len(moment.segments) - found:,} defined, {found:,} discovered"
    if figure.id == "lag" and moment.kafka_problem:
        return "as the workers last said: Kafka does not answer"
    if figure.id.startswith("latency") and value is None:
        if moment.replaying:
            return "not known: events of long ago are being sent"
        return "not known: no event of the last minute has moved a customer"
    if figure.id == "changes_per_second" and moment.seen.skipped:
        return "more than are counted here"
    return figure.meaning


def _reporting(view: WorkerView | CollectorView) -> dict[str, str]:
    state = "fine" if view.silent_ms < SILENT_MS else "watch" if view.alive else "act"
    said = {"fine": "reports", "watch": "silent", "act": "gone"}[state]
    silent = "" if state == "fine" else f" for {span(view.silent_ms)}"
    return {"text": said + silent, "state": state}


def _collector(view: CollectorView, at_ms: int) -> Row:
    report = view.report
    state = _reporting(view)
    if state["state"] == "fine" and report.kafka_problem:
        state = {"text": report.kafka_problem, "state": "act"}
    answers = ", ".join(f"{n:,} of {status}" for status, n in sorted(report.requests.items()))
    return {
        "key": report.collector,
        "cells": [
            {"text": f"{report.host} {report.pid}", "note": report.collector},
            state,
            text.count(view.requests_per_second if view.alive else None),
            text.count(view.errors_per_second if view.alive else None),
            text.count(report.accepted),
            text.count(report.waiting),
            answers or "none yet",
            span(at_ms - report.started_ms),
        ],
    }


def _worker(view: WorkerView, at_ms: int) -> Row:
    status = view.status
    return {
        "key": status.worker,
        "cells": [
            {"text": f"{status.host} {status.pid}", "note": status.worker},
            _reporting(view),
            ranges(status.partitions),
            text.count(view.per_second if view.alive else None),
            text.count(status.lag),
            text.count(status.events),
            text.count(status.misses),
            text.count(status.model_version),
            span(at_ms - status.started_ms) if status.started_ms else "-",
        ],
    }


def ranges(numbers: tuple[int, ...]) -> str:
    """`0-3, 7` for 0, 1, 2, 3, 7; `none` for none."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in runs) or "none"


def _counters(moment: Moment) -> list[Row]:
    return [
        {"key": name, "cells": [name, text.count(number)]}
        for name, number in sorted(moment.seen.counters.items())
    ]
