"""A worker's part: it goes on with every trace that a record brings."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from stream.metrics.applying import watch_writes
from stream.pipeline import Pipeline
from stream.settings import Settings
from stream.store.store import Applied
from stream.store.write import Write
from stream.topics import Place
from stream.tracing.spans import HEADER, WIRE, Tracing, place
from stream.transport import Batch

#: Events whose traces are open at the same time, at most.
_MOST_OPEN = 1_000


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
        self._open: dict[Place, deque[_Open]] = {}
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
        parent = WIRE.extract({HEADER: given.decode("latin-1")}, Context())
        span = self._tracer.start_span(
            "apply", parent, SpanKind.CONSUMER,
            {**place(batch.topic, batch.partition), "messaging.kafka.offset": record.offset},
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


def trace_worker(settings: Settings, pipeline: Pipeline) -> WorkerTraces:
    """Traces of this pipeline's writes; `take` is still to be told what comes in."""
    traces = WorkerTraces(Tracing(settings, "worker"))
    watch_writes(pipeline, settings, traces.applied)
    return traces
