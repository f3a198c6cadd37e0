"""Sees that a worker makes progress where events wait, and that its memory stays in bounds."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import psutil
from aiokafka.errors import IllegalStateError, KafkaError

from stream.app import App
from stream.errors import StalledError
from stream.pipeline import Pipeline
from stream.progress import Progress, Waiting
from stream.report import Report
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, Place
from stream.transport import KAFKA_SECONDS, Consumer, place_of

log = logging.getLogger(__name__)


class Watchdog:
    """Looks at one worker now and then.

    Parameters
    ----------
    read_again
        Lets partitions be read again from what is applied.
    """

    def __init__(
        self,
        settings: Settings,
        app: App,
        pipeline: Pipeline,
        report: Report,
        read_again: Callable[[Sequence[int]], Awaitable[None]],
    ) -> None:
        self._settings, self._app, self._pipeline = settings, app, pipeline
        self._report, self._read_again = report, read_again
        self._progress = Progress()

    async def look(self) -> None:
        """Read again what stands, and verify that Redis is where the worker thinks.

        Raises
        ------
        StalledError
            If only another start is left: nothing helped for too long, or memory is over its
            bound.
        """
        resident_mb = psutil.Process().memory_info().rss / 2**20
        if resident_mb > self._settings.memory_mb:
            raise StalledError(
                f"{resident_mb:.0f} MB resident, AGOS_MEMORY_MB allows {self._settings.memory_mb}"
            )
        if self._app.rebalancing or self._app.unassigned:
            self._progress.reset()
            return
        try:
            async with asyncio.timeout(KAFKA_SECONDS):
                waiting = await self._waiting()
        except (KafkaError, TimeoutError, IllegalStateError):
            # Nobody to make progress with; count from when the brokers are back.
            self._progress.reset()
            raise
        self._report.lag = sum(found.events for found in waiting.values())
        await self._judge(waiting)
        for partition in list(self._pipeline.segmenters):
            await self._pipeline.verify(partition)
        await self._pipeline.read_forgotten()

    async def _waiting(self) -> Mapping[Place, Waiting]:
        consumer = cast(Consumer, self._app.consumer)
        mine = [tp for tp in consumer.assignment() if tp.topic in EVENT_TOPICS]
        reach = await consumer.reach(mine)
        waiting = {}
        for tp in mine:
            known = tp.partition in self._pipeline.segmenters
            applied = self._pipeline.expected(*tp) if known else 0
            if tp in reach:
                waiting[place_of(tp)] = Waiting(reach[tp].lag(applied), applied)
        return waiting

    async def _judge(self, waiting: Mapping[Place, Waiting]) -> None:
        stalled = self._progress.stalled(waiting, time.monotonic())
        longest_seconds = max(stalled.values(), default=0.0)
        if longest_seconds <= self._settings.stall_seconds / 3:
            return
        which = [place for place, seconds in stalled.items() if seconds == longest_seconds]
        what = (
            f"{waiting[which[0]].events} events wait in {which[0][0]}-{which[0][1]} and none was "
            f"applied for {longest_seconds:.0f} s"
        )
        if longest_seconds > self._settings.stall_seconds:
            raise StalledError(f"{what}; starting again is the cure")
        log.warning("%s", what)
        await self._read_again([partition for _, partition in stalled])
