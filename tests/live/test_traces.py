"""A real worker goes on with the trace that a record brings, and tells an OTLP receiver."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stream.local import Server
from stream.topics import partition_of
from tests.live.harness import KafkaProducer, System
from tests.servers import remove_topics

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def receiver() -> Iterator[tuple[str, list[Any]]]:
    """An OTLP/HTTP receiver: its URL, and the spans that came."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = trace_service.ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
    finally:
        server.shutdown()
        server.server_close()


def test_a_worker_goes_on_with_a_trace_and_logs_as_json(
    embedded_broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    remove_topics(embedded_broker)
    record = {
        "event_id": "e-1", "customer_id": "ada", "timestamp": int(time.time() * 1000),
        "name": "Product Viewed", "properties": {},
    }  # fmt: skip
    header = ("traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    with (
        receiver() as (url, spans),
        System(
            embedded_broker.address,
            redis_url,
            tmp_path,
            group=unique,
            traces=url,
            log_format="json",
        ) as system,
    ):
        producer = KafkaProducer(bootstrap_servers=system.kafka)
        producer.send(
            "interactions", json.dumps(record).encode(), b"ada",
            partition=partition_of("ada", system.partitions), headers=[header],
        ).get(timeout=30)  # fmt: skip
        producer.close()
        worker = system.worker()
        system.wait(lambda: system.applied() == 1, 60, "the event is applied")
        system.wait(lambda: len(spans) >= 2, 30, "its spans are told")
        worker.stop()
    found = {span.name: span for span in spans}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert found["apply"].parent_span_id.hex() == PARENT
    assert found["write"].parent_span_id == found["apply"].span_id
    assert not any(b"ada" in span.SerializeToString() for span in spans)
    log = (tmp_path / "worker-0.log").read_text()
    lines = [line for line in log.splitlines() if line.startswith("{")]
    for line in lines:
        assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
    assert lines, log
