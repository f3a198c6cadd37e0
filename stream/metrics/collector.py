"""A collector's counts as metrics at `AGOS_METRICS`, beside those at its own address."""

import contextlib
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.collect.tracking import Tracking
from stream.metrics.collecting import CollectorHealth
from stream.metrics.endpoint import Endpoint, registry
from stream.metrics.names import family, labelled
from stream.settings import Settings


class CollectorMetrics(Collector):
    """Read when Prometheus asks; nothing is counted twice."""

    def __init__(self, tracking: Tracking, health: CollectorHealth) -> None:
        self._tracking, self._health = tracking, health

    def collect(self) -> Iterator[Metric]:
        """Every metric of a collector."""
        tracking, gate = self._tracking, self._tracking.gate
        answers = {status: n for status, n in tracking.counts.items() if status.isdecimal()}
        yield labelled("agos_collector_requests_total", answers)
        for name, count in (
            ("accepted", gate.counts["accepted"] if gate else 0),
            ("duplicates", gate.counts["duplicates"] if gate else 0),
            ("not_deduplicated", gate.unchecked if gate else 0),
            ("without_consent", tracking.counts["without_consent"]),
            ("forgotten", tracking.counts["forgotten"]),
            ("traits_left_out", tracking.traits_left_out),
        ):
            yield family(f"agos_collector_{name}_total", count)
        yield family("agos_collector_waiting_events", gate.waiting if gate else 0)
        yield family("agos_collector_ready", 0 if self._health.ready() else 1)


@contextlib.contextmanager
def serve_collector(
    settings: Settings, tracking: Tracking, health: CollectorHealth
) -> Iterator[Endpoint]:
    """Serve at `AGOS_METRICS`.

    Raises
    ------
    ConfigurationError
        If the address is none, or taken.
    """
    metrics = CollectorMetrics(tracking, health)
    endpoint = Endpoint(settings.metrics, registry(metrics), health.live, health.ready)
    with contextlib.closing(endpoint):
        yield endpoint
