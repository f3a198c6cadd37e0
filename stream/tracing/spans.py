"""Where spans go, and what all of them have."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.settings import Settings

#: Name of the Kafka header.
HEADER = "traceparent"
WIRE = TraceContextTextMapPropagator()


class Tracing:
    """Where spans go; `close` sends what is left."""

    def __init__(
        self, settings: Settings, service: str, exporter: SpanExporter | None = None
    ) -> None:
        resource = Resource.create({"service.name": f"agos-{service}"})
        # Which events are traced is said by whoever begins; what has begun is traced to its end.
        self._provider = TracerProvider(resource=resource, sampler=ALWAYS_ON)
        chosen = exporter or OTLPSpanExporter(endpoint=settings.traces)
        self._provider.add_span_processor(BatchSpanProcessor(chosen))
        self.tracer: Tracer = self._provider.get_tracer("agos")

    def close(self) -> None:
        """Send what is left; blocking."""
        self._provider.shutdown()


def place(topic: str, partition: int) -> dict[str, str]:
    """As OpenTelemetry's conventions for Kafka name it."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
    }
