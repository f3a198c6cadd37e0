"""Alerts over moments that are made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stream.dashboard.alerts import RULES, Alert, Alerts
from stream.dashboard.figures import DEFAULTS
from stream.dashboard.history import History, Point
from stream.dashboard.moment import Moment
from stream.dashboard.reporters import WorkerView
from stream.store.records import Segment, WorkerStatus
from stream.store.watching import Seen
from tests.test_docs import ROOT, rows_below, unquoted

BEGIN_MS = 1_795_219_200_000
FINE: Mapping[str, float | None] = {
    "events_per_second": 100.0, "lag": 0, "latency_p99_ms": 50.0, "dead_per_second": 0.0,
    "redis_share": 0.1, "undelivered": 0, "workers": 1,
}  # fmt: skip


def moment(at_s: int, *, worker_lag: int = 0, **changed: Any) -> Moment:
    """A moment at which all is well but for what is given."""
    at_ms = BEGIN_MS + at_s * 1000
    more = {name: changed.pop(name) for name in ("unowned", "kafka_problem") if name in changed}
    segments = tuple(changed.pop("segments", ()))
    worker = WorkerView(WorkerStatus("w", lag=worker_lag), 0, 1.0)
    return Moment(
        at_ms, Seen(segments=segments), {**FINE, **changed}, (worker,), {},
        more.get("kafka_problem", ""), {}, tuple(more.get("unowned", ())), False,
    )  # fmt: skip


def run(
    moments: Sequence[Moment | None], problem: str = "", history: History | None = None
) -> list[Alert]:
    """Alerts of moments five seconds apart."""
    alerts, found = Alerts(DEFAULTS), []
    for number, one in enumerate(moments):
        at_ms = BEGIN_MS + 5_000 * number
        found += alerts.add(at_ms, one, problem, history or History())
    return found


def test_when_all_is_well_nothing_is_raised():
    assert run([moment(5 * i) for i in range(60)]) == []


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("no_worker", {"unowned": (1, 2)}),
        ("kafka_away", {"kafka_problem": "Kafka does not answer"}),
        ("no_progress", {"worker_lag": 5, "lag": 5, "events_per_second": 0.0}),
        ("latency", {"latency_p99_ms": 60_000.0}),
        ("memory", {"redis_share": 0.95}),
        ("dead_letters", {"dead_per_second": 0.2}),
        ("undelivered", {"undelivered": 3}),
    ],
)
def test_a_condition_that_stays_is_raised_once_and_one_that_goes_is_over(
    rule: str, changed: dict[str, Any]
):
    bad = [moment(5 * i, **changed) for i in range(6)]
    good = [moment(30 + 5 * i) for i in range(12)]
    raised, over = run(bad + good)
    assert (raised.rule, raised.since_ms, raised.until_ms) == (rule, BEGIN_MS, None)
    assert (over.rule, over.since_ms, over.until_ms) == (rule, BEGIN_MS, BEGIN_MS + 25_000)


def test_what_passes_in_a_moment_is_no_alert():
    bad, good = moment(0, unowned=(1,)), moment(5)
    assert run([bad, good, bad, good, bad, good]) == []


def test_lag_that_grows_is_told_and_lag_that_falls_is_not():
    growing = [moment(5 * i, lag=20_000 + 2_000 * i) for i in range(20)]
    assert [alert.rule for alert in run(growing)] == ["lag_growing"]
    falling = [moment(5 * i, lag=90_000 - 2_000 * i) for i in range(20)]
    assert run(falling) == []
    small = [moment(5 * i, lag=10 * i) for i in range(20)]
    assert run(small) == []


def test_markers_at_the_end_of_kafkas_logs_are_no_standstill():
    assert run([moment(5 * i, lag=3, worker_lag=0, events_per_second=0.0) for i in range(20)]) == []


def test_without_redis_what_was_raised_stays():
    alerts, history = Alerts(DEFAULTS), History()
    for number in range(6):
        alerts.add(BEGIN_MS + 5_000 * number, moment(5 * number, unowned=(1,)), "", history)
    for number in range(6, 30):
        alerts.add(BEGIN_MS + 5_000 * number, None, "no Redis answers", history)
    assert {alert.rule for alert in alerts.active} == {"no_worker", "redis_away"}


def test_a_size_that_jumps():
    history = History()
    for i in range(1, 130):
        history.add(Point(BEGIN_MS + 5_000 * i, {}, {"a": (1_000, 0, 0), "b": (50, 0, 0)}))
    jumped = [Segment("a", "Loyal", size=1_301), Segment("b", "Few", size=120)]
    moments = [moment(5 * i, segments=jumped) for i in range(6)]
    (alert,) = run(moments, history=history)
    assert (alert.rule, alert.subject) == ("size_jump", "a")
    assert "1,000" in alert.text
    assert "1,301" in alert.text
    calm = [Segment("a", "Loyal", size=1_299), Segment("b", "Few", size=149)]
    assert run([moment(5 * i, segments=calm) for i in range(6)], history=history) == []


def test_at_the_beginning_growth_is_no_jump():
    history = History()
    for i in range(1, 20):
        history.add(Point(BEGIN_MS + 5_000 * i, {}, {"a": (100 * i, 100, 0)}))
    grown = [Segment("a", "Loyal", size=2_000)]
    assert run([moment(5 * i, segments=grown) for i in range(6)], history=history) == []


def test_customers_that_come_and_go():
    history = History()
    for i in range(1, 130):
        # In ten minutes 120 points: 1,200 entries and exits of 500 customers.
        history.add(Point(BEGIN_MS + 5_000 * i, {}, {"a": (500, 5, 5), "b": (900, 5, 5)}))
    segments = [Segment("a", "Hot cart", size=500), Segment("b", "Calm", size=900)]
    (alert,) = run([moment(5 * i, segments=segments) for i in range(6)], history=history)
    assert (alert.rule, alert.subject) == ("flapping", "a")


def test_every_rule_is_documented():
    document = (ROOT / "docs" / "dashboard.md").read_text()
    assert {unquoted(row[0])[0] for row in rows_below(document, "## Alerts")} == set(RULES)
