"""`/metrics`, `/health/live` and `/health/ready` beside what a process does, in a thread."""

import functools
import logging
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from stream.errors import ConfigurationError
from stream.settings import host_and_port

log = logging.getLogger(__name__)

#: Says what is wrong; empty if nothing is.
Check = Callable[[], str]


def registry(collector: Collector) -> CollectorRegistry:
    """What this collector tells, and what the process needs of the machine."""
    made = CollectorRegistry()
    made.register(collector)
    ProcessCollector(registry=made)
    return made


class Endpoint:
    """Serves until `close`. `port` is the one that was taken where 0 was asked for.

    Raises
    ------
    ConfigurationError
        If the address cannot be listened on.
    """

    def __init__(self, where: str, shown: CollectorRegistry, live: Check, ready: Check) -> None:
        checks = {"/health/live": live, "/health/ready": ready}
        handler = functools.partial(_Handler, shown, checks)
        place = host_and_port("AGOS_METRICS", where)
        try:
            self._server = ThreadingHTTPServer(place, handler)
        except OSError as error:
            raise ConfigurationError(f"AGOS_METRICS: {where}: {error}") from None
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        log.info(
            "metrics and health at http://%s:%d", host_and_port("AGOS_METRICS", where)[0], self.port
        )

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_version = "agos"
    sys_version = ""
    timeout = 10

    def __init__(self, shown: CollectorRegistry, checks: Mapping[str, Check], *rest: Any) -> None:
        self._registry, self._checks = shown, checks
        # It answers within its constructor.
        super().__init__(*rest)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry))
        elif path in self._checks:
            problem = self._checks[path]()
            said = (problem or "ok").encode() + b"\n"
            self._answer(503 if problem else 200, "text/plain; charset=utf-8", said)
        else:
            self._answer(404, "text/plain; charset=utf-8", b"see /metrics and /health/live\n")

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
