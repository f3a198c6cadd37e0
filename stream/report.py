"""What a worker says of itself in Redis, for live views; internal and short-lived."""

import os
import socket
import time

import msgspec

from stream.pipeline import Pipeline
from stream.store import keys
from stream.store.store import Store

_SWEEP_EVERY = 30
_DEAD_MS = 60_000


class WorkerReport(msgspec.Struct):
    """One worker, as of `at_ms`. Counts are since its start."""

    worker: str
    host: str
    pid: int
    at_ms: int
    started_ms: int
    partitions: list[int]
    events: int
    batches: int
    rejected: int
    misses: int
    lag: int
    model_version: int


class Report:
    """Writes the worker's report once a second; readers ignore old ones."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self._store, self._pipeline = store, pipeline
        self._started_ms = time.time_ns() // 1_000_000
        self.lag = 0
        self._sent = 0

    async def send(self) -> None:
        """Write the report."""
        pipeline, meter = self._pipeline, self._pipeline.meter
        report = WorkerReport(
            worker=pipeline.worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            at_ms=time.time_ns() // 1_000_000,
            started_ms=self._started_ms,
            partitions=sorted(pipeline.segmenters),
            events=meter.events,
            batches=meter.batches,
            rejected=meter.rejected,
            misses=meter.misses,
            lag=self.lag,
            model_version=pipeline.snapshot.version if pipeline.snapshot else 0,
        )
        text = msgspec.json.encode(report)
        await self._store.wait_out(
            lambda: self._store.redis.hset(keys.WORKERS, pipeline.worker, text)
        )

        if self._sent % _SWEEP_EVERY == 0:
            await self._sweep(report.at_ms)
        self._sent += 1

    async def _sweep(self, now_ms: int) -> None:
        """Take away the reports of workers that died without a word."""
        reports = await self._store.wait_out(lambda: self._store.redis.hgetall(keys.WORKERS))
        gone = [
            name
            for name, text in reports.items()
            if now_ms - msgspec.json.decode(text, type=WorkerReport).at_ms > _DEAD_MS
        ]
        if gone:
            await self._store.wait_out(lambda: self._store.redis.hdel(keys.WORKERS, *gone))

    async def leave(self) -> None:
        """Take the report away."""
        await self._store.redis.hdel(keys.WORKERS, self._pipeline.worker)
