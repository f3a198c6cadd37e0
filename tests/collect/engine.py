"""What a personalization engine sees of customers: a worker, its Redis, and a reader."""

import sys
import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from stream.local import EmbeddedRedis, Process, Server
from stream.store.reader import Reader
from tests.collect.live import PARTITIONS

#: Of all that the tests' clients send, whatever the year of it is.
_SEGMENTS = """version: 1
segments:
  viewers:
    when: {did: Product Viewed, at_least: 20}
  buyers:
    when: {did: Order Completed}
  manilans:
    when: {trait: address.city, is: Manila}
  testers:
    when: {trait: plan, is: free}
"""
_RUN = "import sys; from stream.worker import run; from stream.settings import load; " + (
    "sys.exit(run(load()))"
)
_SECONDS = 60.0


class Engine:
    """Applies what is in Kafka; use it as a context manager."""

    def __init__(self, broker: Server, directory: Path, group: str) -> None:
        self._stack = ExitStack()
        self._broker, self._directory, self._group = broker, directory, group

    def __enter__(self) -> Self:
        redis = self._stack.enter_context(EmbeddedRedis())
        segments = self._directory / "segments.yaml"
        segments.write_text(_SEGMENTS, encoding="utf-8")
        settings = {
            "AGOS_KAFKA": self._broker.address,
            "AGOS_REDIS": redis.address,
            "AGOS_PARTITIONS": str(PARTITIONS),
            "AGOS_GROUP": self._group,
            "AGOS_SEGMENTS": str(segments),
            "AGOS_KAFKA_SESSION_TIMEOUT": "6",
        }
        log = self._directory / "worker.log"
        self._worker = Process("worker", [sys.executable, "-c", _RUN], log, settings)
        self._worker.start()
        self._stack.callback(self._worker.stop)
        self._reader = self._stack.enter_context(Reader(redis.address))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def check(self, customer_id: str, events: int, segments: Collection[str]) -> None:
        """The customer's record has so many events, one order of 25.00, and these segments."""
        deadline = time.monotonic() + _SECONDS
        while (found := self._reader.customer(customer_id)) is None or found.events < events:
            assert time.monotonic() < deadline, f"{found}\n{self._worker.log_tail()}"
            time.sleep(0.1)
        assert (found.events, found.orders, found.spend_minor) == (events, 1, 2_500)
        assert {name for name in found.segments if not name.startswith("cluster-")} == {*segments}
