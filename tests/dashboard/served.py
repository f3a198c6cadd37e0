"""A dashboard as a process of its own, a Redis that says what a test wants, and workers that
only report."""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis import Redis

from stream.local import Process, free_port

TOKEN = "a-token-of-the-tests"


class Served:
    """`agos dashboard` with these settings; use it as a context manager."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "AGOS_DASHBOARD": f"127.0.0.1:{self.port}",
            **{f"AGOS_{name.upper()}": value for name, value in settings.items()},
        }
        command = [sys.executable, "-P", "-W", "ignore", "-m", "stream.cli", "dashboard"]
        self.process = Process(
            "dashboard", command, directory / f"dashboard-{self.port}.log", environment
        )

    def __enter__(self) -> "Served":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def start(self) -> None:
        """Start it, again after it was stopped or not."""
        self.process.start()
        self.process.wait_until(self._answers, 30)

    def _answers(self) -> bool:
        try:
            return self.get("/login")[0] == 200
        except OSError:
            return False

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers (lower case) and text of an answer; redirects are not followed."""
        request = urllib.request.Request(f"{self.url}{path}", body, dict(headers or {}))
        opener = urllib.request.build_opener(_Stay)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, _lower(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _lower(error.headers), error.read().decode()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class ReportingWorker:
    """Reports as a worker does, and does nothing else."""

    def __init__(self, redis: Redis, name: str, partitions: list[int], **fields: Any) -> None:
        self._redis, self._name = redis, name
        self._report = {
            "worker": name, "host": "host-of-tests", "pid": 7, "started_ms": now_ms() - 60_000,
            "partitions": partitions, "events": 0, "batches": 0, "rejected": 0, "misses": 0,
            "lag": 0, "model_version": 3, **fields,
        }  # fmt: skip
        self._dead = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ReportingWorker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._redis.hdel("agos:workers", self._name)

    def kill(self) -> None:
        """Say nothing any more, and leave the last report."""
        self._dead.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._dead.is_set():
            report = json.dumps({**self._report, "at_ms": now_ms()})
            self._redis.hset("agos:workers", self._name, report)
            self._dead.wait(0.5)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def describe(redis: Redis, segment: str, name: str, origin: str = "defined", **more: Any) -> None:
    """Make a segment known."""
    kind = "discovered" if origin == "discovered" else "value"
    text = json.dumps({"name": name, "kind": kind, "origin": origin, "description": "", **more})
    redis.hset("agos:segments", segment, text)


def join(redis: Redis, segment: str, *customers: str) -> None:
    """Let customers enter a segment."""
    redis.zadd(f"agos:segment:{segment}:members", {name: now_ms() for name in customers})


def change(redis: Redis, customer: str, segment: str, kind: str = "entered", **more: Any) -> None:
    """Record an entry or exit, caused by an event of half a second ago."""
    redis.xadd("agos:changes", change_fields(customer, segment, kind, **more))


def change_fields(
    customer: str, segment: str, kind: str = "entered", **more: Any
) -> dict[Any, Any]:
    """Of an entry or exit, caused by an event of half a second ago."""
    return {
        "change_id": f"{customer}-{segment}-{kind}-{now_ms()}", "customer": customer,
        "segment": segment, "change": kind, "at": now_ms() - 500, "cause": "event",
        "reason": "spent much", "version": 1, **more,
    }  # fmt: skip
