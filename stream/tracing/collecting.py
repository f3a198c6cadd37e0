"""The collector's part: a trace begins with a record and goes with it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from stream.settings import Settings
from stream.tracing.spans import HEADER, WIRE, Tracing, place


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
            span.set_attributes(place(topic, partition))
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
        WIRE.inject(carrier, set_span_in_context(span, Context()))
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


def traced(
    connect: Callable[[Settings], Awaitable[Any]],
) -> Callable[[Settings], Awaitable[Any]]:
    """A producer of `connect` that begins traces, for the collector."""

    async def connected(settings: Settings) -> Any:
        producer = await connect(settings)
        return TracedProducer(producer, Tracing(settings, "collector"), settings.traces_share)

    return connected
