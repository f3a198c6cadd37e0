"""Whether a collector does what it is there for, and what it says of that: to who asks over HTTP,
and to Redis for the dashboard. It counts nothing itself, and no request waits for it."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from aiokafka.errors import KafkaError
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from stream.collect.gate import PATIENCE_SECONDS
from stream.collect.tracking import Tracking
from stream.metrics.extras import optional
from stream.settings import Settings
from stream.store.collectors import CollectorReport, CollectorReports

log = logging.getLogger(__name__)

#: Makes a producer.
Connect = Callable[[Settings], Awaitable[Any]]
#: Asks Kafka anything; whether it has answered.
Ask = Callable[[], Awaitable[bool]]

_BEAT_SECONDS = 1.0
#: Kafka is asked when it has acknowledged nothing for so long.
_IDLE_SECONDS = 5.0
_ANSWER_SECONDS = 3.0
#: Without a sign of it for so long Kafka counts as away: one question may go unanswered.
_AWAY_SECONDS = 2 * (_IDLE_SECONDS + _ANSWER_SECONDS)
#: Longer than Kafka's client tries by itself before it gives up.
_STUCK_SECONDS = 60.0
_STOPPED_SECONDS = 15.0


class Watch:
    """Looks at one collector every second, from within its event loop."""

    def __init__(
        self, tracking: Tracking, ask: Ask, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.tracking, self._ask, self._clock = tracking, ask, clock
        self._beat_s = self._heard_s = clock()
        self._asked_s = 0.0
        self._accepted = 0

    async def beat(self) -> None:
        """Look until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_BEAT_SECONDS)

    async def look(self) -> None:
        """Note what Kafka has acknowledged; where it had nothing to, ask."""
        self._beat_s = now = self._clock()
        gate = self.tracking.gate
        accepted = gate.counts["accepted"] if gate else 0
        if accepted != self._accepted:
            self._accepted, self._heard_s = accepted, now
        if now - max(self._heard_s, self._asked_s) < _IDLE_SECONDS:
            return
        self._asked_s = now
        if await self._answered():
            self._heard_s = self._clock()

    async def _answered(self) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._ask()
        except (KafkaError, OSError, TimeoutError) as error:
            log.debug("Kafka does not answer: %r", error)
            return False

    def live(self) -> str:
        """Why the process should be started again; empty if it should not."""
        stopped = self._clock() - self._beat_s
        if stopped > _STOPPED_SECONDS:
            return f"the event loop has not turned for {stopped:.0f} s"
        gate = self.tracking.gate
        if gate and gate.silent_seconds > _STUCK_SECONDS and not self._away():
            return f"Kafka answers, but events have waited for it for {gate.silent_seconds:.0f} s"
        return ""

    def ready(self) -> str:
        """Why events would not be taken now; empty if they would."""
        gate = self.tracking.gate
        if gate is None:
            return "the collector is starting or stopping"
        if gate.silent_seconds > PATIENCE_SECONDS:
            return f"Kafka has not acknowledged events for {gate.silent_seconds:.0f} s"
        return self._away()

    def _away(self) -> str:
        silent = self._clock() - self._heard_s
        return f"Kafka has not answered for {silent:.0f} s" if silent > _AWAY_SECONDS else ""


def asking(producer: Any) -> Ask:
    """Asks the brokers of an aiokafka producer where the topics are, which it needs anyway."""
    client = getattr(producer, "client", None)

    async def ask() -> bool:
        # One that is no client of a broker has nobody to ask.
        return client is None or bool(await client.force_metadata_update())

    return ask


class Reporter:
    """Tells Redis once a second, for the dashboard."""

    def __init__(self, watch: Watch, reports: CollectorReports) -> None:
        self._watch, self._reports = watch, reports
        self.name = uuid.uuid4().hex[:12]
        self._started_ms = _now_ms()

    async def beat(self) -> None:
        """Report until it is cancelled."""
        while True:
            await self._reports.send(self.report())
            await asyncio.sleep(_BEAT_SECONDS)

    def report(self) -> CollectorReport:
        """The collector as it is now."""
        tracking, gate = self._watch.tracking, self._watch.tracking.gate
        return CollectorReport(
            collector=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            at_ms=_now_ms(),
            started_ms=self._started_ms,
            requests={s: n for s, n in tracking.counts.items() if s.isdecimal()},
            accepted=gate.counts["accepted"] if gate else 0,
            duplicates=gate.counts["duplicates"] if gate else 0,
            waiting=gate.waiting if gate else 0,
            kafka_problem=self._watch.ready(),
        )


class CollectorHealth:
    """Health of the collector of one process; it is alive before it has begun."""

    def __init__(self) -> None:
        self._watch: Watch | None = None

    def live(self) -> str:
        """Why the process should be started again; empty if it should not."""
        return self._watch.live() if self._watch else ""

    def ready(self) -> str:
        """Why events would not be taken now; empty if they would."""
        return self._watch.ready() if self._watch else "the collector is starting or stopping"

    @asynccontextmanager
    async def watched(
        self, settings: Settings, tracking: Tracking, producer: Any, *, report: bool
    ) -> AsyncIterator[None]:
        """Look and report as long as the collector runs; `report`: there is a Redis."""
        async with AsyncExitStack() as stack:
            watch = Watch(tracking, asking(producer))
            tasks = [asyncio.create_task(watch.beat())]
            if report:
                reports = CollectorReports(settings)
                reporter = Reporter(watch, reports)
                stack.push_async_callback(reports.leave, reporter.name)
                tasks.append(asyncio.create_task(reporter.beat()))
            stack.push_async_callback(_end, tasks)
            self._watch = watch
            try:
                yield
            finally:
                self._watch = None


def health_routes(health: CollectorHealth) -> APIRouter:
    """`/health/live` and `/health/ready`."""
    routes = APIRouter(tags=["service"])
    refused: dict[int | str, dict[str, Any]] = {503: {"description": "it says why"}}

    @routes.get("/health/live", response_class=PlainTextResponse, responses=refused)
    async def live() -> Response:
        """The process is not to be started again."""
        return _answer(health.live())

    @routes.get("/health/ready", response_class=PlainTextResponse, responses=refused)
    async def ready() -> Response:
        """Events would be taken: Kafka answers."""
        return _answer(health.ready())

    return routes


@contextmanager
def metrics_served(
    settings: Settings, tracking: Tracking, health: CollectorHealth
) -> Iterator[None]:
    """Metrics and health at `AGOS_METRICS`, where that is set.

    Raises
    ------
    ConfigurationError
        If the address cannot be listened on, or prometheus-client is missing.
    """
    if not settings.metrics:
        yield
        return
    serving = optional("stream.metrics.collector", "AGOS_METRICS", "dashboard")
    with serving.serve_collector(settings, tracking, health):
        yield


def traced(connect: Connect, settings: Settings) -> Connect:
    """A producer of `connect` that begins traces, where `AGOS_TRACES` is set.

    Raises
    ------
    ConfigurationError
        If OpenTelemetry is missing.
    """
    if not settings.traces:
        return connect
    chosen: Connect = optional("stream.tracing.collecting", "AGOS_TRACES", "tracing").traced(
        connect
    )
    return chosen


def _answer(problem: str) -> Response:
    return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
