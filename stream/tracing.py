"""Traces of some events' way by OpenTelemetry; needs the extra `tracing`.

The collector begins a trace for a share of the events and puts it into the record's Kafka header
`traceparent` (W3C Trace Context); whoever else sends events may do so too. A worker goes on with
every trace that it finds: `apply` lasts from when it has the record until Redis has what came of
it, and has the write and every entry and exit below it. No span says who the customer is.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stream.settings import Settings
from stream.store.store import Applied
from stream.store.write import Write
from stream.transport import Batch

HEADER = "traceparent"
#: Events whose traces are open in a worker at the same time, at most.
_MOST_OPEN = 1_000
_wire = TraceContextTextMapPropagator()


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


class TracedProducer:
    """A producer that begins a trace for a share of what it sends."""

    def __init__(self, producer: Any, tracing: Tracing, share: float) -> None:
        self._producer, self._tracing, self._share = producer, tracing, share

    @property
    def client(self) -> Any:
        """That of the producer."""
        return self._producer.client

    def create_batch(self) -> "_TracedBatch":
        """A batch that some records of have a trace."""
        return _TracedBatch(self._producer.create_batch(), self._tracing.tracer, self._share)

    async def send_batch(self, batch: "_TracedBatch", topic: str, *, partition: int) -> Any:
        """Send; the traces' first spans end with the acknowledgement."""
        acknowledgement = await self._producer.send_batch(batch.inner, topic, partition=partition)
        for span in batch.spans:
            span.set_attributes(_place(topic, partition))
        if batch.spans:
            acknowledgement.add_done_callback(batch.end)
        return acknowledgement

    async def stop(self) -> None:
        """Stop the producer, and send the spans that are left."""
        await self._producer.stop()
        await asyncio.to_thread(self._tracing.close)


class _TracedBatch:
    def __init__(self, inner: Any, tracer: Tracer, share: float) -> None:
        self.inner, self._tracer, self._share = inner, tracer, share
        self.spans: list[Span] = []

    def append(self, *, timestamp: Any, key: Any, value: Any) -> Any:
        fields = {"timestamp": timestamp, "key": key, "value": value}
        if random.random() >= self._share:
            return self.inner.append(**fields)
        # Not below whatever else is traced in this process.
        span = self._tracer.start_span("collect", Context(), SpanKind.PRODUCER)
        carrier: dict[str, str] = {}
        _wire.inject(carrier, set_span_in_context(span, Context()))
        added = self.inner.append(**fields, headers=[(HEADER, carrier[HEADER].encode())])
        if added is not None:
            self.spans.append(span)
        return added

    def end(self, acknowledgement: Any) -> None:
        failed = acknowledgement.cancelled() or acknowledgement.exception() is not None
        for span in self.spans:
            if failed:
                span.set_status(StatusCode.ERROR, "Kafka did not take it")
            span.end()


@dataclass(slots=True)
class _Open:
    offset: int
    customer: str
    span: Span
    context: Context


class WorkerTraces:
    """Goes on with the traces of the records that a worker applies."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracer = tracing.tracer
        self._open: dict[tuple[str, int], deque[_Open]] = {}
        self._count = 0

    def take(self, batches: Iterable[Batch]) -> None:
        """Begin with what has a trace; to be told before the batches are applied."""
        for batch in batches:
            waiting = self._open.get((batch.topic, batch.partition))
            after = waiting[-1].offset if waiting else -1
            for record in batch.records:
                # What is read again is under way already.
                if record.headers and record.offset > after and self._count < _MOST_OPEN:
                    self._begin(batch, record)

    def _begin(self, batch: Batch, record: Any) -> None:
        given = next((value for name, value in record.headers if name == HEADER), None)
        if given is None:
            return
        parent = _wire.extract({HEADER: given.decode("latin-1")}, Context())
        place = _place(batch.topic, batch.partition)
        span = self._tracer.start_span(
            "apply", parent, SpanKind.CONSUMER,
            {**place, "messaging.kafka.offset": record.offset},
        )  # fmt: skip
        customer = (record.key or b"").decode(errors="replace")
        one = _Open(record.offset, customer, span, set_span_in_context(span, Context()))
        self._open.setdefault((batch.topic, batch.partition), deque()).append(one)
        self._count += 1

    def applied(
        self, writes: Sequence[Write], done: Sequence[Applied], at_ns: int, took_seconds: float
    ) -> None:
        """End what was applied; an observer of the store's writes."""
        began_ns = at_ns - int(took_seconds * 1e9)
        for write, answer in zip(writes, done, strict=True):
            for move in write.moves if answer.ok else ():
                waiting = self._open.get((move.topic, write.partition))
                while waiting and waiting[0].offset < move.end:
                    self._end(waiting.popleft(), write, began_ns, at_ns)
                    self._count -= 1

    def _end(self, one: _Open, write: Write, began_ns: int, at_ns: int) -> None:
        self._tracer.start_span("write", one.context, start_time=began_ns).end(at_ns)
        for record, _ in write.changes:
            if record["customer"] == one.customer:
                told = {f"agos.{name}": str(record[name]) for name in ("segment", "cause")}
                name = str(record["change"])
                self._tracer.start_span(name, one.context, SpanKind.INTERNAL, told,
                                        start_time=at_ns).end(at_ns)  # fmt: skip
        one.span.end(at_ns)


def traced(
    connect: Callable[[Settings], Awaitable[Any]],
) -> Callable[[Settings], Awaitable[Any]]:
    """A producer of `connect` that begins traces, for the collector."""

    async def connected(settings: Settings) -> Any:
        producer = await connect(settings)
        return TracedProducer(producer, Tracing(settings, "collector"), settings.traces_share)

    return connected


def _place(topic: str, partition: int) -> dict[str, str]:
    """As OpenTelemetry's conventions for Kafka name it."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
    }
