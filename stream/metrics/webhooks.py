"""What a process that delivers to webhooks tells of itself, and whether it is alive."""

import contextlib
from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.collect.webhooks import Deliverer
from stream.errors import StoreError
from stream.metrics.endpoint import Endpoint, registry
from stream.metrics.names import labelled
from stream.settings import Settings
from stream.store.reader import Reader


class WebhookMetrics(Collector):
    """Read when Prometheus asks; nothing is counted twice.

    Parameters
    ----------
    reader
        Of the metrics alone: it asks whether changes can be read.
    """

    def __init__(self, deliverers: Sequence[Deliverer], reader: Reader) -> None:
        self._deliverers, self._reader = deliverers, reader

    def collect(self) -> Iterator[Metric]:
        """Every metric of a process that delivers."""
        for kind in ("delivered", "refused", "given_up"):
            counts = {one.hook.name: float(one.counts[kind]) for one in self._deliverers}
            yield labelled(f"agos_webhook_{kind}_total", counts)
        behind = {one.hook.name: one.behind_seconds for one in self._deliverers}
        yield labelled("agos_webhook_behind_seconds", behind)

    def live(self) -> str:
        """Why the process should be started again; empty if it should not."""
        return "; ".join(filter(None, (one.stuck() for one in self._deliverers)))

    def ready(self) -> str:
        """Why it does not deliver; empty if it does. That a receiver takes nothing is no reason:
        the others are delivered to."""
        if problem := self.live():
            return problem
        try:
            self._reader.latest(1)
        except StoreError as error:
            return str(error)
        return ""


@contextlib.contextmanager
def serve_webhooks(settings: Settings, deliverers: Sequence[Deliverer]) -> Iterator[Endpoint]:
    """Serve at `AGOS_METRICS`.

    Raises
    ------
    ConfigurationError
        If the address is none, or taken.
    """
    with Reader(settings) as reader:
        metrics = WebhookMetrics(deliverers, reader)
        endpoint = Endpoint(settings.metrics, registry(metrics), metrics.live, metrics.ready)
        with contextlib.closing(endpoint):
            yield endpoint
