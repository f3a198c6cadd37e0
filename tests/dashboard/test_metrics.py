"""Metrics and health: what is named is there, what is there is named, and health means it."""

import json
import re
import urllib.error
import urllib.request
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stream.cli.main import COMMANDS
from stream.dashboard.exposition import SystemMetrics
from stream.errors import ConfigurationError
from stream.metrics.endpoint import Endpoint, registry
from stream.metrics.names import NAMES, SYSTEM, WORKER
from stream.metrics.worker import Vitals, WorkerMetrics
from tests.dashboard.test_alerts import moment
from tests.test_docs import ROOT, rows_below, unquoted

DOCUMENT = (ROOT / "docs" / "dashboard.md").read_text()
GRAFANA = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "agos.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
#: Of Prometheus itself and of its client.
OTHERS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}


def known() -> set[str]:
    """Every metric that some process of ours has."""
    plain = {name.name for name in NAMES if name.kind != "histogram"}
    parts = ("_bucket", "_sum", "_count")
    counted = {name.name + part for name in NAMES if name.kind == "histogram" for part in parts}
    return plain | counted | OTHERS


def used(expression: str) -> set[str]:
    """Metrics in an expression of PromQL."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", expression)
    bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    words = re.findall(r"[a-zA-Z_][\w:]*", bare)
    functions = set(re.findall(r"([a-z_]+)\s*\(", bare))
    return {w for w in words if w not in functions | {"and", "or", "unless", "bool", "offset"}}


def test_names_follow_the_convention():
    for name in NAMES:
        assert re.fullmatch(r"agos_[a-z_]+", name.name)
        assert name.name.endswith("_total") == (name.kind == "counter")


def test_every_metric_is_documented_and_no_other():
    rows = rows_below(DOCUMENT, "## Metrics and health")
    documented = [(unquoted(row[0])[0], row[1], row[3]) for row in rows]
    expected = [
        (n.name, n.kind, ", ".join(f"`{label}`" for label in n.labels) or "-") for n in NAMES
    ]
    assert [(n, k, labels) for n, k, labels in documented] == expected


def test_every_command_that_runs_for_ever_has_health_and_the_rest_is_ended_by_a_person():
    rows = rows_below(DOCUMENT, "| | live | ready |")
    forever = {unquoted(row[0])[0].removeprefix("agos ") for row in rows}
    assert forever == {"worker", "collect", "dashboard", "webhooks"}
    # Whoever adds a command says here which of the two it is.
    assert COMMANDS.keys() - forever == {
        "demo", "up", "watch", "customer", "segments", "check", "preview", "analyze", "why",
        "evaluate", "model", "topics", "replay", "simulate", "dead-letters", "forget", "export",
        "repartition", "schema", "settings",
    }  # fmt: skip


def test_every_metric_of_grafanas_dashboard_exists():
    expressions = [t["expr"] for p in GRAFANA["panels"] for t in p.get("targets", [])]
    assert len(expressions) > 10
    for expression in expressions:
        assert used(expression), expression
        assert used(expression) <= known(), expression


def test_every_metric_of_the_rules_exists():
    rules = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len(rules) > 5
    for rule in rules:
        assert used(rule["expr"]) <= known(), rule
        assert {"summary", "description"} <= rule["annotations"].keys()


def test_the_parser_of_expressions_finds_metrics():
    found = used('sum by (topic) (rate(agos_x_total{a="b"}[5m])) > 3 and on (job) agos_y == 0')
    assert found == {"agos_x_total", "agos_y"}


def families(text: str) -> dict[str, Any]:
    """Name as it is asked for → the metric."""
    found = {}
    for one in text_string_to_metric_families(text):
        found[f"{one.name}_total" if one.type == "counter" else one.name] = one
    return found


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_tells_all_of_its_metrics_over_http():
    vitals = Vitals(events=1_234, batches=7, lag=5, partitions=3, model_version=9, joined=True)
    metrics = WorkerMetrics(lambda: vitals, 30.0)
    endpoint = Endpoint("127.0.0.1:0", registry(metrics), metrics.live, metrics.ready)
    try:
        status, text = get(endpoint.port, "/metrics")
        assert status == 200
        found = families(text)
        assert {name.name for name in WORKER} <= found.keys()
        assert found["agos_worker_events_total"].samples[0].value == 1_234
        assert found["agos_worker_lag_events"].samples[0].value == 5
        assert "process_resident_memory_bytes" in found
        metrics.note()
        assert get(endpoint.port, "/health/live") == (200, "ok\n")
        assert get(endpoint.port, "/health/ready") == (200, "ok\n")
        assert get(endpoint.port, "/nothing")[0] == 404
    finally:
        endpoint.close()


def test_a_worker_that_stalls_is_not_live():
    clock, now = Clock(), [Vitals(batches=1, lag=10, joined=True)]
    metrics = WorkerMetrics(lambda: now[0], 30.0, clock=clock)
    metrics.note()
    for _ in range(29):
        clock.now += 1
        metrics.note()
    assert metrics.live() == ""
    for _ in range(3):
        clock.now += 1
        metrics.note()
    assert "none was applied for 32 s" in metrics.live()
    assert metrics.ready() == metrics.live()
    now[0] = Vitals(batches=2, lag=10, joined=True)
    metrics.note()
    assert metrics.live() == ""


def test_a_worker_without_lag_may_rest():
    clock = Clock()
    metrics = WorkerMetrics(lambda: Vitals(joined=True), 30.0, clock=clock)
    for _ in range(200):
        clock.now += 1
        metrics.note()
    assert metrics.live() == metrics.ready() == ""


def test_an_event_loop_that_hangs_is_not_live():
    clock = Clock()
    metrics = WorkerMetrics(lambda: Vitals(joined=True), 30.0, clock=clock)
    metrics.note()
    clock.now += 16
    assert "event loop" in metrics.live()


def test_ready_comes_after_the_join_and_not_in_between():
    now = [Vitals()]
    metrics = WorkerMetrics(lambda: now[0], 30.0)
    metrics.note()
    assert "joined" in metrics.ready()
    now[0] = Vitals(joined=True, partitions=2)
    metrics.note()
    assert metrics.ready() == ""
    now[0] = Vitals(joined=True, rebalancing=True)
    assert "given out" in metrics.ready()


@pytest.mark.parametrize("where", ["nowhere", "127.0.0.1:", "127.0.0.1:99999", "256.0.0.1:1"])
def test_a_wrong_address_is_named(where: str):
    metrics = WorkerMetrics(Vitals, 30.0)
    with pytest.raises(ConfigurationError, match="AGOS_METRICS"):
        Endpoint(where, registry(metrics), metrics.live, metrics.ready)


class Looking:
    """As much of Live as the metrics need."""

    def __init__(self, one: Any, problem: str = "") -> None:
        self.moment, self.problem, self.looked_ms = one, problem, 0
        self.alerts = self
        self.active = ()


def test_the_dashboard_tells_of_the_whole():
    figures = {
        "latency_p50_ms": 20.0, "changes_per_second": 3.0, "model_version": 4,
        "model_age_ms": 2_000.0, "redis_bytes": 1e6,
    }  # fmt: skip
    one = moment(0, **figures)
    told = {m.name for m in SystemMetrics(Looking(one)).collect()}  # type: ignore[arg-type]
    assert told == {name.name.removesuffix("_total") for name in SYSTEM}


def test_without_redis_it_says_only_that():
    metrics = SystemMetrics(Looking(moment(0), "no Redis"))  # type: ignore[arg-type]
    values = {m.name: [s.value for s in m.samples] for m in metrics.collect()}
    assert values == {"agos_redis_up": [0.0], "agos_alert": []}
    assert metrics.ready() == "no Redis"
