"""What runs in a worker: the segmenter and trainer agents, the relay, and the watch over them."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

import psutil
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP, StreamT

from stream.app import App, create_app
from stream.errors import AgosError, StoreError
from stream.pipeline import Message, Pipeline, Place
from stream.relay import Relay
from stream.report import Report
from stream.review import Review
from stream.settings import Settings
from stream.store.model import ModelStore
from stream.store.store import Store
from stream.topics import EVENT_TOPICS, MODEL_SAMPLES
from stream.training import Training
from stream.transport import Batch, Consumer

log = logging.getLogger(__name__)

#: Batches that are decoded, computed or written at the same time.
_IN_FLIGHT = 4
_TICK_SECONDS = 2.0
_WATCH_SECONDS = 2.0
_COMMIT_SECONDS = 5.0
_RELAY_PAUSE_SECONDS = 0.05
_SEND_SECONDS = 60.0
_SAMPLES = TP(MODEL_SAMPLES, 0)


class Crew:
    """Everything that works inside one worker process.

    Attributes
    ----------
    failure
        Why the worker stopped by itself, or None.
    """

    def __init__(self, settings: Settings, topic_ids: Mapping[str, str]) -> None:
        self.settings = settings
        self.store = Store(settings)
        self.model_store = ModelStore(self.store)
        self.app = create_app(settings)
        self.app.positions = self.positions
        self.pipeline = Pipeline(settings, self.store, self.send, self.rewind, topic_ids)
        self.training = Training(settings, self.model_store, topic_ids.get(MODEL_SAMPLES, ""))
        self.relay = Relay(self.store, self.send, settings.partitions)
        self.review = Review(self.store, self.pipeline)
        self.report = Report(self.store, self.pipeline)
        self.failure: BaseException | None = None
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._running: set[asyncio.Task[None]] = set()
        self._ends: Mapping[TP, tuple[int, int]] = {}
        self._committed: dict[TP, int] = {}

    # -- what the transport and the pipeline ask for ----------------------------------------

    async def positions(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Where to read each assigned partition from: what Redis has applied."""
        try:
            return await self._positions(assigned)
        except AgosError as error:
            self.fail(error)
            raise

    async def _positions(self, assigned: set[TP]) -> Mapping[TP, int]:
        ends = await asyncio.wait_for(self.consumer.log_ends(assigned), 20.0)
        events = {(tp.topic, tp.partition): ends[tp] for tp in assigned if tp.topic in EVENT_TOPICS}
        wanted = {TP(*place): at for place, at in (await self.pipeline.assign(events)).items()}
        if _SAMPLES in assigned:
            wanted[_SAMPLES] = await self.training.assign(*ends[_SAMPLES])
            await self.relay.start()
        else:
            self.training.leave()
        self._ends = ends
        return wanted

    async def send(self, messages: Sequence[Message]) -> None:
        """Send to Kafka; returns when every broker concerned has acknowledged."""
        producer = self.app.producer
        sent = [
            await producer.send(m.topic, m.key, m.value, m.partition, None, None) for m in messages
        ]
        await asyncio.wait_for(asyncio.gather(*sent), _SEND_SECONDS)

    async def rewind(self, offsets: Mapping[Place, int]) -> None:
        """Read again from these offsets; a partition that has just gone is none of ours."""
        try:
            await self.consumer.rewind({TP(*place): at for place, at in offsets.items()})
        except IllegalStateError:
            log.info("partitions went away before they could be read again")

    @property
    def consumer(self) -> Consumer:
        """The transport's consumer, with its batches and rewinds."""
        return cast(Consumer, self.app.consumer)

    # -- agents ----------------------------------------------------------------------------

    async def segmenter(self, batches: StreamT[Batch]) -> None:
        """Event batches → states, segments, changes in Redis; partitions side by side."""
        async for batch in batches:
            await self._slots.acquire()
            task = asyncio.create_task(self._process(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _process(self, batch: Batch) -> None:
        try:
            await self.pipeline.process(batch)
        except Exception as error:
            self.fail(error)
        finally:
            self._slots.release()

    async def trainer(self, batches: StreamT[Batch]) -> None:
        """Sample batches → the panel that the model learns from."""
        async for batch in batches:
            if not await self.training.learn(batch):
                await self.rewind({(MODEL_SAMPLES, 0): self.training.expected})

    # -- loops -----------------------------------------------------------------------------

    async def every(self, seconds: float, step: Callable[[], Awaitable[Any]]) -> None:
        """Run `step` again and again until the app stops; a failure of it stops the worker."""
        while not self.app.should_stop:
            try:
                await step()
            except (KafkaError, TimeoutError) as error:
                log.warning("Kafka: %r; trying again", error)
            except Exception as error:
                self.fail(error)
                return
            await self.app.sleep(seconds)

    async def copy_changes(self) -> None:
        """Relay what is new, as long as this worker is the one that does."""
        while self.training.active and await self.relay.step():
            pass

    async def learn(self) -> None:
        """Let the trainer learn; if another one took over, read what it has."""
        if not await self.training.tick() and _SAMPLES in self.consumer.assignment():
            first, end = (await self.consumer.log_ends([_SAMPLES]))[_SAMPLES]
            await self.rewind({(MODEL_SAMPLES, 0): await self.training.assign(first, end)})

    async def refresh_model(self) -> None:
        """Take up the newest snapshot; after a change of structure look at idle customers."""
        pipeline = self.pipeline
        version = pipeline.snapshot.version if pipeline.snapshot else 0
        newer = await self.model_store.snapshot(version)
        if newer is not None:
            if pipeline.snapshot is None or newer.structural:
                self.review.request()
            pipeline.snapshot = newer

    async def commit(self) -> None:
        """Tell Kafka what is applied, for tools that show lag."""
        applied = {
            TP(topic, partition): end
            for partition, segmenter in self.pipeline.segmenters.items()
            for topic, end in segmenter.ends.items()
        }
        changed = {tp: end for tp, end in applied.items() if self._committed.get(tp) != end}
        if changed and not self.app.rebalancing:
            try:
                await self.consumer.commit_applied(changed)
            except IllegalStateError:
                return
            self._committed.update(changed)

    async def watch(self) -> None:
        """See that there is progress where there is lag, and that memory stays in bounds."""
        resident_mb = psutil.Process().memory_info().rss / 2**20
        if resident_mb > self.settings.memory_mb:
            raise StoreError(
                f"{resident_mb:.0f} MB resident, AGOS_MEMORY_MB allows {self.settings.memory_mb}"
            )
        if self.app.rebalancing or self.app.unassigned:
            self.pipeline.meter.last_applied = time.monotonic()
            return
        mine = [TP(t, p) for p in list(self.pipeline.segmenters) for t in EVENT_TOPICS]
        try:
            self._ends = await asyncio.wait_for(self.consumer.log_ends(mine), 10.0)
        except (KafkaError, TimeoutError, IllegalStateError) as error:
            log.warning("brokers do not answer: %r", error)
            self.pipeline.meter.last_applied = time.monotonic()
            return
        lag = self.lag()
        idle_seconds = time.monotonic() - self.pipeline.meter.last_applied
        if lag and idle_seconds > self.settings.stall_seconds:
            raise StoreError(f"{lag} events wait and none was applied for {idle_seconds:.0f} s")
        if lag and idle_seconds > self.settings.stall_seconds / 3:
            log.warning("%d events wait, none applied for %.0f s: reading again", lag, idle_seconds)
            await self._read_again()
        for partition in list(self.pipeline.segmenters):
            await self.pipeline.verify(partition)
        self.report.lag = lag

    async def _read_again(self) -> None:
        for partition, segmenter in list(self.pipeline.segmenters.items()):
            expected = {
                (topic, partition): self.pipeline.expected(segmenter, topic)
                for topic in EVENT_TOPICS
            }
            await self.rewind(expected)

    def lag(self) -> int:
        """Events that are in Kafka and not yet applied, in this worker's partitions."""
        return sum(
            max(0, self._ends.get(TP(topic, partition), (0, 0))[1] - expected)
            for partition, segmenter in self.pipeline.segmenters.items()
            for topic in EVENT_TOPICS
            if (expected := self.pipeline.expected(segmenter, topic)) is not None
        )

    def fail(self, error: BaseException) -> None:
        """Stop the worker; a supervisor starts it again from what Redis has."""
        if self.failure is None:
            self.failure = error
            if not isinstance(error, AgosError):
                log.error("a bug, please report it", exc_info=error)
            log.error("stopping: %s", error)
            os.kill(os.getpid(), 15)

    async def finish(self) -> None:
        """Let what is in flight end, and close what is open."""
        if self._running:
            await asyncio.wait(self._running, timeout=3.0)
        await self.report.leave()
        await self.store.close()


def assemble(settings: Settings, topic_ids: Mapping[str, str]) -> tuple[App, Crew]:
    """The worker's app with its agents and loops."""
    crew = Crew(settings, topic_ids)
    app = crew.app
    app.agent(app.topic(*EVENT_TOPICS, acks=False), name="segmenter")(crew.segmenter)
    app.agent(app.topic(MODEL_SAMPLES, acks=False), name="trainer")(crew.trainer)
    loops: list[tuple[float, Callable[[], Awaitable[Any]]]] = [
        (_RELAY_PAUSE_SECONDS, crew.copy_changes),
        (_TICK_SECONDS, crew.learn),
        (1.0, crew.refresh_model),
        (_COMMIT_SECONDS, crew.commit),
        (_WATCH_SECONDS, crew.watch),
        (1.0, crew.report.send),
        (0.2, crew.review.step),
    ]
    for seconds, step in loops:
        app.task(_loop(crew, seconds, step))
    return app, crew


def _loop(
    crew: Crew, seconds: float, step: Callable[[], Awaitable[Any]]
) -> Callable[[], Awaitable[None]]:
    async def loop() -> None:
        await crew.every(seconds, step)

    loop.__name__ = loop.__qualname__ = getattr(step, "__qualname__", "loop")
    return loop
