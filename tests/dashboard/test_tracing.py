"""One event's way as a trace: the collector begins it, a worker goes on, changes are below."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stream.metrics.collecting import traced
from stream.settings import Settings
from stream.store.store import Applied
from stream.store.write import Move, Write
from stream.tracing.applying import WorkerTraces
from stream.tracing.collecting import TracedProducer
from stream.tracing.spans import HEADER, Tracing
from stream.transport import Batch

DONE = Applied(True, "", "w")
SECOND_NS = 1_000_000_000
NOW_NS = 1_795_219_200 * SECOND_NS


class Sent:
    """A batch and a producer like aiokafka's; remembers what was sent."""

    def __init__(self, room: int = 10) -> None:
        self.room, self.records = room, list[Any]()
        self.acknowledgement: asyncio.Future[None] | None = None
        self.stopped = False

    def create_batch(self) -> "Sent":
        return self

    def append(self, *, timestamp: Any, key: Any, value: Any, headers: Any = ()) -> object | None:
        if len(self.records) == self.room:
            return None
        record = SimpleNamespace(key=key, value=value, headers=headers, offset=len(self.records))
        self.records.append(record)
        return record

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        assert batch is self
        self.acknowledgement = asyncio.get_running_loop().create_future()
        return self.acknowledgement

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(Settings(), "test", exporter)


def by_name(tracing: Tracing, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    tracing.close()
    spans = exporter.get_finished_spans()
    found = {span.name: span for span in spans}
    assert len(found) == len(spans)
    return found


def place(span: ReadableSpan) -> tuple[Any, Any]:
    told = span.attributes or {}
    return told["messaging.destination.name"], told["messaging.destination.partition.id"]


async def collected(tracing: Tracing, kafka: Sent, fails: bool = False) -> None:
    producer = TracedProducer(kafka, tracing, 1.0)
    batch = producer.create_batch()
    assert batch.append(timestamp=1, key=b"ada", value=b"{}") is not None
    acknowledgement = await producer.send_batch(batch, "purchases", partition=3)
    if fails:
        acknowledgement.set_exception(OSError("away"))
    else:
        acknowledgement.set_result(None)
    await asyncio.wait([acknowledgement])
    await asyncio.sleep(0)


async def test_one_event_is_one_trace_from_collector_to_change(
    tracing: Tracing, exporter: InMemorySpanExporter
):
    kafka = Sent()
    await collected(tracing, kafka)
    traces = WorkerTraces(tracing)
    traces.take([Batch("purchases", 3, 0, 1, kafka.records)])
    changes = [
        ({"customer": "ada", "segment": "loyal", "change": "entered", "cause": "event"}, b""),
        ({"customer": "bob", "segment": "loyal", "change": "left", "cause": "event"}, b""),
    ]
    write = Write(3, moves=[Move("purchases", 0, 1)], changes=changes)
    traces.applied([write], [DONE], NOW_NS, 0.25)
    found = by_name(tracing, exporter)
    assert found.keys() == {"collect", "apply", "write", "entered"}
    assert len({span.context.trace_id for span in found.values()}) == 1
    assert found["collect"].parent is None
    assert found["apply"].parent is not None
    assert found["apply"].parent.span_id == found["collect"].context.span_id
    for name in ("write", "entered"):
        parent = found[name].parent
        assert parent is not None
        assert parent.span_id == found["apply"].context.span_id
    assert place(found["collect"]) == place(found["apply"]) == ("purchases", "3")
    assert (found["write"].start_time, found["write"].end_time) == (NOW_NS - SECOND_NS // 4, NOW_NS)
    assert found["entered"].attributes == {"agos.segment": "loyal", "agos.cause": "event"}
    # Nothing says who it was.
    assert not any("ada" in span.to_json() for span in found.values())


async def test_what_kafka_does_not_take_is_an_error(
    tracing: Tracing, exporter: InMemorySpanExporter
):
    await collected(tracing, Sent(), fails=True)
    assert by_name(tracing, exporter)["collect"].status.description == "Kafka did not take it"


async def test_what_does_not_fit_or_is_not_chosen_has_no_trace(
    tracing: Tracing, exporter: InMemorySpanExporter
):
    full = TracedProducer(Sent(room=0), tracing, 1.0).create_batch()
    assert full.append(timestamp=1, key=b"k", value=b"v") is None
    kafka = Sent()
    batch = TracedProducer(kafka, tracing, 1e-12).create_batch()
    assert batch.append(timestamp=1, key=b"k", value=b"v") is not None
    assert list(kafka.records[0].headers) == []
    assert by_name(tracing, exporter) == {}


async def test_the_producer_is_stopped_and_asked_through(tracing: Tracing):
    kafka = Sent()
    kafka.client = "its client"  # type: ignore[attr-defined]
    producer = TracedProducer(kafka, tracing, 0.5)
    assert producer.client == "its client"
    await producer.stop()
    assert kafka.stopped


TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(offset: int, *headers: tuple[str, bytes]) -> Any:
    return SimpleNamespace(key=b"ada", value=b"{}", offset=offset, headers=headers)


def test_a_trace_that_others_began_is_gone_on_with(
    tracing: Tracing, exporter: InMemorySpanExporter
):
    traces = WorkerTraces(tracing)
    batch = Batch("interactions", 0, 5, 8, [
        record(5), record(6, ("other", b"x")), record(7, ("a", b"b"), (HEADER, TRACEPARENT)),
    ])  # fmt: skip
    traces.take([batch])
    # Once more after a rewind, and refused by Redis at first.
    traces.take([batch])
    write = Write(0, moves=[Move("interactions", 5, 8)])
    traces.applied([write], [Applied(False, "x", "other")], NOW_NS, 0.1)
    traces.applied([write], [DONE], NOW_NS, 0.1)
    traces.applied([write], [DONE], NOW_NS, 0.1)
    found = by_name(tracing, exporter)
    assert found.keys() == {"apply", "write"}
    assert f"{found['apply'].context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert found["apply"].parent is not None
    assert f"{found['apply'].parent.span_id:016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize("given", [b"", b"nonsense", b"\xff\x00", TRACEPARENT[:-1]])
def test_a_wrong_header_begins_a_trace_of_its_own(
    tracing: Tracing, exporter: InMemorySpanExporter, given: bytes
):
    traces = WorkerTraces(tracing)
    traces.take([Batch("interactions", 0, 0, 1, [record(0, (HEADER, given))])])
    traces.applied([Write(0, moves=[Move("interactions", 0, 1)])], [DONE], NOW_NS, 0.1)
    assert by_name(tracing, exporter)["apply"].parent is None


def test_no_more_than_some_are_open_at_a_time(tracing: Tracing, exporter: InMemorySpanExporter):
    traces = WorkerTraces(tracing)
    records = [record(n, (HEADER, TRACEPARENT)) for n in range(1_500)]
    traces.take([Batch("interactions", 0, 0, 1_500, records)])
    traces.applied([Write(0, moves=[Move("interactions", 0, 1_500)])], [DONE], NOW_NS, 0.1)
    traces.take([Batch("interactions", 0, 1_500, 1_501, [record(1_500, (HEADER, TRACEPARENT))])])
    traces.applied([Write(0, moves=[Move("interactions", 1_500, 1_501)])], [DONE], NOW_NS, 0.1)
    tracing.close()
    applied = [s for s in exporter.get_finished_spans() if s.name == "apply"]
    assert len(applied) == 1_001


async def test_without_the_setting_the_producer_is_the_plain_one():
    async def connect(_: Settings) -> Any:
        return Sent()

    assert traced(connect, Settings()) is connect
    chosen = traced(connect, Settings(traces="http://127.0.0.1:1/v1/traces", traces_share=0.5))
    producer = await chosen(Settings(traces="http://127.0.0.1:1/v1/traces"))
    assert isinstance(producer, TracedProducer)
    await producer.stop()
