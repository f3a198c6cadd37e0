"""Routes for those who run the collector: is it alive, can it take events, what it counted."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from stream.collect.gate import PATIENCE_SECONDS
from stream.collect.tracking import Tracking


def service_routes(tracking: Tracking) -> APIRouter:
    """`/health`, `/ready` and `/metrics`."""
    routes = APIRouter(tags=["service"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @routes.get("/ready", responses={503: {"description": "Kafka does not answer"}})
    async def ready(response: Response) -> dict[str, str]:
        """Events would be taken."""
        gate = tracking.gate
        if gate is None or gate.silent_seconds > PATIENCE_SECONDS:
            response.status_code = 503
            return {"status": "waiting for Kafka"}
        return {"status": "ok"}

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> str:
        """Counters in Prometheus' text format."""
        return "\n".join(_lines(tracking)) + "\n"

    return routes


def _lines(tracking: Tracking) -> Iterator[str]:
    yield "# TYPE agos_collector_requests_total counter"
    for status, count in sorted(tracking.counts.items()):
        if status.isdecimal():
            yield f'agos_collector_requests_total{{status="{status}"}} {count}'
    gate = tracking.gate
    counts = {
        "without_consent": tracking.counts["without_consent"],
        "forgotten": tracking.counts["forgotten"],
        "traits_left_out": tracking.traits_left_out,
        "accepted": gate.counts["accepted"] if gate else 0,
        "duplicates": gate.counts["duplicates"] if gate else 0,
        "not_deduplicated": gate.unchecked if gate else 0,
    }
    for name, count in counts.items():
        yield f"# TYPE agos_collector_{name}_total counter"
        yield f"agos_collector_{name}_total {count}"
    yield "# TYPE agos_collector_waiting_events gauge"
    yield f"agos_collector_waiting_events {gate.waiting if gate else 0}"
