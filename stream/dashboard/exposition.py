"""The whole system as metrics, and the dashboard's own health."""

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from stream.dashboard.live import Live
from stream.dashboard.moment import Moment
from stream.dashboard.text import now_ms
from stream.metrics.endpoint import registry
from stream.metrics.names import family, labelled

_STUCK_MS = 15_000
_MOST_SEGMENTS = 500


class SystemMetrics(Collector):
    """What the dashboard last saw; nothing is read when Prometheus asks."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        """Every metric of the system; what is not known is left out."""
        live, moment = self._live, self._live.moment
        away = bool(live.problem) or moment is None
        yield family("agos_redis_up", 0 if away else 1)
        yield labelled("agos_alert", {alert.rule: 1.0 for alert in live.alerts.active})
        if moment is not None and not away:
            yield from _of(moment)

    def live(self) -> str:
        """Why the dashboard should be started again; empty if it should not."""
        silent_ms = now_ms() - self._live.looked_ms
        return f"it has not looked for {silent_ms // 1000} s" if silent_ms > _STUCK_MS else ""

    def ready(self) -> str:
        """Why it cannot show the present; empty if it can."""
        if self._live.problem:
            return self._live.problem
        return "" if self._live.moment else "Redis was not read yet"


def exposition_routes(metrics: SystemMetrics) -> APIRouter:
    """`/metrics`, `/health/live` and `/health/ready`."""
    routes, shown = APIRouter(), registry(metrics)

    @routes.get("/metrics")
    def scraped() -> Response:
        return Response(generate_latest(shown), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @routes.get("/health/live")
    def live() -> Response:
        return _health(metrics.live())

    @routes.get("/health/ready")
    def ready() -> Response:
        return _health(metrics.ready())

    return routes


def _health(problem: str) -> Response:
    return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200)


def _of(moment: Moment) -> Iterator[Metric]:
    counters = moment.seen.counters
    yield family("agos_kafka_up", 1 if moment.lags else 0)
    yield family("agos_workers", len(moment.alive))
    yield family("agos_collectors", sum(view.alive for view in moment.collectors))
    yield family("agos_partitions_unowned", len(moment.unowned))
    yield labelled("agos_lag_events", moment.lags)
    yield family("agos_events_applied_total", counters.get("applied", 0))
    yield family("agos_duplicates_total", counters.get("duplicates", 0))
    yield family("agos_misplaced_total", counters.get("misplaced", 0))
    dead = {
        name.partition(":")[2] or "unknown": n
        for name, n in counters.items()
        if name.startswith("rejected")
    }
    yield labelled("agos_dead_letters_total", dead)
    yield from _measured(moment)
    yield from _segments(moment)


def _measured(moment: Moment) -> Iterator[Metric]:
    figures = moment.figures
    quantiles = {"0.5": figures.get("latency_p50_ms"), "0.99": figures.get("latency_p99_ms")}
    known = {quantile: ms / 1000 for quantile, ms in quantiles.items() if ms is not None}
    yield labelled("agos_latency_seconds", known)
    for name, figure, scale in (
        ("agos_changes_per_second", "changes_per_second", 1.0),
        ("agos_undelivered_changes", "undelivered", 1.0),
        ("agos_model_version", "model_version", 1.0),
        ("agos_model_age_seconds", "model_age_ms", 0.001),
        ("agos_redis_used_bytes", "redis_bytes", 1.0),
        ("agos_redis_used_ratio", "redis_share", 1.0),
    ):
        value = figures.get(figure)
        if value is not None:
            yield family(name, value * scale)


def _segments(moment: Moment) -> Iterator[Metric]:
    shown = moment.segments[:_MOST_SEGMENTS]
    discovered = sum(segment.discovered for segment in moment.segments)
    kinds = {"discovered": discovered, "defined": len(moment.segments) - discovered}
    yield labelled("agos_segments", kinds)
    yield labelled("agos_segment_customers", {s.id: s.size for s in shown})
    for place, name in enumerate(
        ("agos_segment_entered_per_minute", "agos_segment_left_per_minute")
    ):
        moved = {s.id: moment.per_minute.get(s.id, (0, 0))[place] for s in shown}
        yield labelled(name, moved)
