"""The history as a Prometheus has it, which asks the dashboard and the collectors for metrics."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from stream.dashboard.history import KEPT, MAXIMA, Point
from stream.errors import AgosError, ConfigurationError

#: Figure → its value at a moment. Several dashboards may tell the same.
FIGURES = {
    "events_per_second": "max(rate(agos_events_applied_total[1m]))",
    "lag": "sum(max by (topic) (agos_lag_events))",
    "latency_p50_ms": '1000 * max(agos_latency_seconds{quantile="0.5"})',
    "latency_p99_ms": '1000 * max(agos_latency_seconds{quantile="0.99"})',
    "workers": "max(agos_workers)",
    "unowned": "max(agos_partitions_unowned)",
    "dead_per_second": "sum(max by (reason) (rate(agos_dead_letters_total[1m])))",
    "requests_per_second": "sum(rate(agos_collector_requests_total[1m]))",
    "request_errors": 'sum(rate(agos_collector_requests_total{status=~"500|503"}[1m]))',
    "model_version": "max(agos_model_version)",
    "model_age_ms": "1000 * min(agos_model_age_seconds)",
    "redis_share": "max(agos_redis_used_ratio)",
    "redis_bytes": "max(agos_redis_used_bytes)",
    "changes_per_second": "max(agos_changes_per_second)",
    "undelivered": "max(agos_undelivered_changes)",
    "segments": "sum(max by (kind) (agos_segments))",
}
#: Of each segment: customers in it; entries and exits per minute.
SIZES = "max by (segment) (agos_segment_customers)"
MOVES = (
    "max by (segment) (agos_segment_entered_per_minute)",
    "max by (segment) (agos_segment_left_per_minute)",
)

_TIMEOUT_SECONDS = 20.0
_LARGEST_ANSWER_BYTES = 100_000_000
#: How fine Prometheus looks within a point.
_FINE_SECONDS = 15


class PrometheusError(AgosError):
    """Prometheus did not answer as documented."""


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    data: _Data


#: Moment → value.
Line = Mapping[int, float]


class Prometheus:
    """Asks over its HTTP API. Blocking.

    Raises
    ------
    ConfigurationError
        If the URL is none of HTTP, or holds a login.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigurationError(
                "AGOS_PROMETHEUS: expected a URL as http://127.0.0.1:9090, and any token in "
                "AGOS_PROMETHEUS_TOKEN"
            )
        self._url = url.rstrip("/") + "/api/v1/query_range"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._opener = urllib.request.build_opener(_Stay)

    def points(self, seconds: int, now_ms: int) -> list[Point]:
        """Points of this resolution up to now, the oldest first; without flows.

        Raises
        ------
        PrometheusError
            If it does not answer, or something else than it should.
        """
        end_s = now_ms // 1000 // seconds * seconds
        span = end_s - (KEPT[seconds] - 1) * seconds, end_s, seconds
        figures: dict[int, dict[str, float]] = {}
        for name, expression in FIGURES.items():
            for line in self._ask(_within(name, expression, seconds), *span).values():
                for at_ms, value in line.items():
                    figures.setdefault(at_ms, {})[name] = value
        sizes = self._ask(SIZES, *span)
        entered, left = (
            {
                name: whole(line, seconds / 60)
                for name, line in self._ask(_within("", moved, seconds), *span).items()
            }
            for moved in MOVES
        )
        none: Line = {}
        segments: dict[int, dict[str, tuple[int, int, int]]] = {}
        for name, line in sizes.items():
            came, went = entered.get(name, none), left.get(name, none)
            for at_ms, size in line.items():
                moved = int(came.get(at_ms, 0)), int(went.get(at_ms, 0))
                segments.setdefault(at_ms, {})[name] = (round(size), *moved)
        times = sorted({*figures, *segments})
        return [Point(at, figures.get(at, {}), segments.get(at, {})) for at in times]

    def _ask(self, query: str, start_s: int, end_s: int, step_s: int) -> dict[str, Line]:
        """Segment (or nothing, where it has none) → its values."""
        form = {"query": query, "start": start_s, "end": end_s, "step": step_s}
        request = urllib.request.Request(self._url, urlencode(form).encode(), self._headers)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
                found = msgspec.json.decode(answer.read(_LARGEST_ANSWER_BYTES), type=_Answer)
        except urllib.error.HTTPError as error:
            with error:
                raise PrometheusError(f"Prometheus answers with status {error.code}") from None
        except (OSError, HTTPException) as error:
            raise PrometheusError(f"Prometheus does not answer ({error})") from None
        except msgspec.MsgspecError as error:
            raise PrometheusError(f"Prometheus does not answer as documented ({error})") from None
        return {series.metric.get("segment", ""): _line(series) for series in found.data.result}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are not followed: the token is for this server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _within(figure: str, expression: str, seconds: int) -> str:
    """Its mean over the time that a point stands for, or of some the worst."""
    if seconds <= _FINE_SECONDS:
        return expression
    over = "max_over_time" if figure in MAXIMA else "avg_over_time"
    return f"{over}(({expression})[{seconds}s:{_FINE_SECONDS}s])"


def _line(series: _Series) -> Line:
    told = ((round(at_s * 1000), float(text)) for at_s, text in series.values)
    # What is not a number is not known, and infinity is no answer either.
    return {at_ms: value for at_ms, value in told if abs(value) < float("inf")}


def whole(line: Line, minutes: float) -> Line:
    """Customers within each point, of customers per minute: what is left of one by rounding down
    counts for the next."""
    counted: dict[int, float] = {}
    exact, done = 0.0, 0
    for at_ms, per_minute in line.items():
        exact += per_minute * minutes
        # Halves and thirds that add up to a whole one are one.
        counted[at_ms] = int(exact + 1e-9) - done
        done += int(counted[at_ms])
    return counted
