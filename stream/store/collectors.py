"""What collectors say of themselves in Redis, for live views; internal and short-lived."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client
from stream.store.connect import told

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 0.5
#: After an error Redis is not asked again for so long.
_PAUSE_SECONDS = 5.0
_SWEEP_EVERY = 30
_DEAD_MS = 60_000


class CollectorReport(msgspec.Struct, frozen=True):
    """One collector, as of `at_ms`. Counts are since its start.

    Attributes
    ----------
    requests
        Status → answers of the tracking routes.
    accepted
        Events that Kafka has acknowledged; `waiting` are those that it has not yet.
    kafka_problem
        Why events would not be taken now; empty if they would.
    """

    collector: str
    host: str
    pid: int
    at_ms: int
    started_ms: int
    requests: Mapping[str, int] = {}
    accepted: int = 0
    duplicates: int = 0
    waiting: int = 0
    kafka_problem: str = ""


class CollectorReports:
    """Writes one collector's report. A Redis that is away is no reason to take no events."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Any = client(settings, timeout_seconds=_TIMEOUT_SECONDS, decode=True)
        self._silent_until = 0.0
        self._sent = 0

    async def send(self, report: CollectorReport) -> None:
        """Write it in the place of the one before; now and then sweep up after the dead."""
        if time.monotonic() < self._silent_until:
            return
        try:
            await self._redis.hset(keys.COLLECTORS, report.collector, msgspec.json.encode(report))
            if self._sent % _SWEEP_EVERY == 0:
                await self._sweep(report.at_ms)
            self._sent += 1
        except redis.exceptions.RedisError as error:
            self._silent_until = time.monotonic() + _PAUSE_SECONDS
            log.warning("Redis does not take the collector's report: %s", error)

    async def leave(self, collector: str) -> None:
        """Take the report away, and disconnect."""
        try:
            await self._redis.hdel(keys.COLLECTORS, collector)
        except redis.exceptions.RedisError as error:
            log.debug("the report stays: %s", error)
        finally:
            await self._redis.aclose()

    async def _sweep(self, now_ms: int) -> None:
        texts = await self._redis.hgetall(keys.COLLECTORS)
        gone = [name for name, text in texts.items() if now_ms - _at_ms(text) > _DEAD_MS]
        if gone:
            await self._redis.hdel(keys.COLLECTORS, *gone)


class CollectorWatcher:
    """Reads the reports of all; each look may raise StoreError."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        self._redis: Any = client(settings, timeout_seconds=timeout_seconds, decode=True)
        self._told = told(settings.redis)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def look(self) -> tuple[CollectorReport, ...]:
        """Every report that is kept, also of collectors that are gone; unreadable ones are not."""
        with self._told:
            texts = await self._redis.hvals(keys.COLLECTORS)
        return tuple(report for text in texts if (report := _report(text)) is not None)


def _report(text: str) -> CollectorReport | None:
    try:
        return msgspec.json.decode(text, type=CollectorReport)
    except msgspec.MsgspecError:
        # Of another version.
        return None


def _at_ms(text: str) -> int:
    report = _report(text)
    return report.at_ms if report else 0
