"""What runs in a worker: the segmenter and trainer agents, the relay, and the watch over them."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP, StreamT

from stream import admin
from stream.app import App, create_app
from stream.backfilling import Backfilling
from stream.continuity import recreated
from stream.definitions import DefinitionsFile
from stream.errors import AgosError
from stream.gathering import Gathering
from stream.log_reader import LogReader
from stream.pipeline import Pipeline
from stream.relay import MOST_AT_ONCE, Relay
from stream.report import Report
from stream.review import Review, Timer
from stream.sender import Sender
from stream.settings import Settings
from stream.store.model import ModelStore
from stream.store.ranks import share_ranks
from stream.store.retention import Retention
from stream.store.segments import drop_empty
from stream.store.store import Store
from stream.topics import EVENT_TOPICS, MODEL_SAMPLES, Place
from stream.training import Training
from stream.transport import KAFKA_SECONDS, Batch, Consumer, place_of
from stream.watchdog import Watchdog

log = logging.getLogger(__name__)

#: Of a worker's time, at most, for customers that have no events: after a change of model or
#: definitions, where only time went by, and where nobody has events.
_REVIEW_SHARE, _ROUTINE_SHARE, _QUIET_SHARE = 0.1, 0.03, 0.01
#: Fewer new samples than these wait so long, once there is a model.
_FEW_SAMPLES, _LEARN_SECONDS = 100, 20.0
_SAMPLES = TP(MODEL_SAMPLES, 0)

Step = Callable[[], Awaitable[Any]]


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
        self.sender = Sender(settings)
        self.app = create_app(settings)
        self.app.positions = self.positions
        self._topic_ids = topic_ids
        self.pipeline = Pipeline(
            settings, self.store, self.sender.send, self.rewind, self.first_offset, topic_ids
        )
        self.training = Training(settings, self.model_store, topic_ids.get(MODEL_SAMPLES, ""))
        self.relay = Relay(self.store, self.sender.send, settings.partitions)
        self.review = Review(self.store, self.pipeline)
        self.timer = Timer(self.store, self.pipeline)
        self.report = Report(self.store, self.pipeline)
        self.definitions = DefinitionsFile(settings.segments) if settings.segments else None
        if self.definitions is not None:
            self.pipeline.defined = self.definitions.load()
        self.log_reader = LogReader(settings)
        self.backfilling = Backfilling(
            self.store, self.pipeline, self.log_reader,
            busy=lambda: self.report.lag > settings.batch, ended=lambda: self.app.should_stop,
        )  # fmt: skip
        self.failure: BaseException | None = None
        self._described = ""
        self._model = ""
        self._gathering = Gathering(self._process, settings.batch)
        self.app.room = self._gathering.room
        self.pipeline.before_write = self._gathering.look_ahead
        #: Told of each group before it is applied, where somebody wants to know.
        self.before_group: Callable[[Sequence[Batch]], None] | None = None
        self.watchdog = Watchdog(settings, self.app, self.pipeline, self.report, self._read_again)
        self._assigning = asyncio.Lock()
        self._committed: dict[TP, int] = {}
        #: Events that had been applied when idle customers were last looked at.
        self._reviewed_at = 0
        #: Up to which sample was learned, and when a few more are enough.
        self._learned, self._learn_at = 0, 0.0

    @property
    def consumer(self) -> Consumer:
        """The transport's consumer, with its batches and rewinds."""
        return cast(Consumer, self.app.consumer)

    # -- what the transport and the pipeline ask for ----------------------------------------

    async def positions(self, assigned: set[TP]) -> Mapping[TP, int]:
        """Where to read each assigned partition from: what Redis has applied.

        Calls of two rebalances may overlap: each takes what is assigned when its turn comes.
        """
        async with self._assigning:
            now = {tp for tp in self.consumer.assignment() if tp in assigned}
            try:
                return await self._positions(now)
            except AgosError as error:
                self.fail(error)
                raise

    async def _positions(self, assigned: set[TP]) -> Mapping[TP, int]:
        async with asyncio.timeout(KAFKA_SECONDS):
            first = await self.consumer.log_starts(assigned)
        events = {place_of(tp): first[tp] for tp in assigned if tp.topic in EVENT_TOPICS}
        await self.backfilling.learn()
        places = await self.pipeline.assign(events)
        wanted = {TP(*place): offset for place, offset in places.items()}
        if _SAMPLES in assigned:
            wanted[_SAMPLES] = await self.training.assign(first[_SAMPLES])
        else:
            self.training.leave()
        if self.pipeline.snapshot is not None:
            # A pass that another worker was in the middle of may have missed these partitions.
            self.review.request()
        return wanted

    async def rewind(self, offsets: Mapping[Place, int]) -> None:
        """Read again from these offsets; a partition that has just gone is none of ours."""
        try:
            await self.consumer.rewind({TP(*place): at for place, at in offsets.items()})
        except IllegalStateError:
            log.info("partitions went away before they could be read again")

    async def first_offset(self, place: Place) -> int:
        """First offset that the log of a partition still has."""
        async with asyncio.timeout(KAFKA_SECONDS):
            return (await self.consumer.log_starts([TP(*place)]))[TP(*place)]

    # -- agents ----------------------------------------------------------------------------

    async def segmenter(self, fetches: StreamT[list[Batch]]) -> None:
        """Event batches → states, segments, changes in Redis; partitions together."""
        async for batches in fetches:
            self._gathering.add(batches)

    async def _process(self, group: Sequence[Batch]) -> None:
        if self.before_group is not None:
            self.before_group(group)
        try:
            await self.relay.keep_up(self.settings.changes)
            await self.pipeline.process(*group)
        except (KafkaError, TimeoutError) as error:
            if self.app.should_stop:
                return
            log.warning("Kafka: %r; the batches are read again", error)
            await self._read_again_quietly([batch.partition for batch in group])
        except Exception as error:
            self.fail(error)

    async def trainer(self, batches: StreamT[Batch]) -> None:
        """Sample batches → the panel that the model learns from."""
        async for batch in batches:
            if not await self.training.learn(batch):
                await self.rewind({(MODEL_SAMPLES, 0): self.training.expected})

    # -- loops -----------------------------------------------------------------------------

    async def every(self, seconds: float, step: Step) -> None:
        """Run `step` again and again until the app stops; a failure of it stops the worker."""
        while not self.app.should_stop:
            try:
                await step()
            except (KafkaError, TimeoutError, IllegalStateError) as error:
                log.warning("Kafka: %r; trying again", error)
            except Exception as error:
                self.fail(error)
                return
            # Faust's own sleep, which ends with the app, costs five times as much.
            await (asyncio.sleep(seconds) if seconds < 1 else self.app.sleep(seconds))

    async def copy_changes(self) -> None:
        """Relay what is new, as long as this worker is the one that does."""
        if self.training.active:
            await self.relay.wait()
        # A few at a time would cost as much as many: what is left over waits for the next round.
        while self.training.active and await self.relay.step() == MOST_AT_ONCE:
            pass

    async def send_samples(self) -> None:
        """Tell the trainer what customers look like; all at once as long as there is no model."""
        await self.pipeline.sampling.send(everybody=self.pipeline.snapshot is None)

    async def learn(self) -> None:
        """Let the trainer learn; if another one took over, read what it has."""
        if self.pipeline.snapshot is not None and time.monotonic() < self._learn_at:
            if self.training.expected - self._learned < _FEW_SAMPLES:
                return
        self._learn_at = time.monotonic() + _LEARN_SECONDS
        self._learned = self.training.expected
        if await self.training.tick():
            return
        # Not while an assignment is under way, which may take the samples away.
        async with self._assigning:
            if _SAMPLES in self.consumer.assignment():
                first = await self.first_offset((MODEL_SAMPLES, 0))
                await self.rewind({(MODEL_SAMPLES, 0): await self.training.assign(first)})

    async def refresh_model(self) -> None:
        """Take up the newest snapshot; after a change of structure look at idle customers."""
        token, newer = await self.model_store.snapshot(self._model)
        if newer is None:
            return
        old = self.pipeline.snapshot
        if old is None or newer.structural or newer.version != old.version + 1:
            self.review.request()
        self.pipeline.snapshot, self._model = newer, token

    async def refresh_definitions(self) -> None:
        """Take up a changed definitions file; then look at everybody."""
        if self.definitions is None:
            return
        newer = self.definitions.changed()
        if newer is not None:
            self.pipeline.defined = newer
            self.review.request("definition")
        defined = self.pipeline.defined
        if defined is not None and self._described != defined.definitions.version:
            self._described = defined.definitions.version
            if newer is None:
                # Customers from before this worker may have been judged by other definitions.
                self.review.request("definition")

    async def evaluate_due(self) -> None:
        """Customers whose conditions turn by time alone."""
        if self.pipeline.defined is not None:
            await self.timer.step()

    async def share_ranks(self) -> None:
        """Let percentiles be those of all customers, not only of this worker's."""
        if self.pipeline.defined is not None:
            await share_ranks(self.store, self.pipeline.defined.ranks)

    async def clear_segments(self) -> None:
        """Forget segments that are no longer defined once nobody is in them."""
        if self.training.active:
            defined = self.pipeline.defined
            await drop_empty(self.store, defined.definitions if defined else None)

    async def review_idle(self) -> None:
        """Look at idle customers, for a bounded share of the time; less while events wait."""
        began, routine = time.monotonic(), self.review.routine
        quiet = self.pipeline.meter.events == self._reviewed_at
        self._reviewed_at = self.pipeline.meter.events
        if await self.review.step(quiet=quiet) and self.definitions is not None:
            if self.definitions.turn_over():
                self.review.request("definition")
        share = _REVIEW_SHARE
        if routine:
            share = _QUIET_SHARE if quiet else _ROUTINE_SHARE
        await self.app.sleep((time.monotonic() - began) * (1 / share - 1))
        if self.review.under_way and self.report.lag > self.settings.batch:
            await self.app.sleep(2.0)

    async def commit(self) -> None:
        """Tell Kafka what is applied, for tools that show lag."""
        applied = {
            TP(topic, partition): end
            for partition, segmenter in self.pipeline.segmenters.items()
            for topic, end in segmenter.ends.items()
        }
        changed = {tp: end for tp, end in applied.items() if self._committed.get(tp) != end}
        if changed and not self.app.rebalancing:
            await self.consumer.commit_applied(changed)
            self._committed.update(changed)

    async def _read_again_quietly(self, partitions: list[int]) -> None:
        try:
            await self._read_again(partitions)
        except (KafkaError, TimeoutError) as error:
            # The watch finds that nothing is applied, and tries again.
            log.warning("Kafka: %r; partitions %s are not read on yet", error, partitions)
        except Exception as error:
            self.fail(error)

    async def _read_again(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            if partition in self.pipeline.segmenters:
                places = [(topic, partition) for topic in EVENT_TOPICS]
                await self.rewind({place: self.pipeline.expected(*place) for place in places})

    async def check_topics(self) -> None:
        """A topic that was deleted and created anew must not be taken for the old one."""
        ids = await asyncio.to_thread(admin.topic_ids, self.settings)
        for topic, known in self._topic_ids.items():
            if topic in ids and known and ids[topic] != known:
                raise recreated(topic, known, ids[topic])

    def fail(self, error: BaseException) -> None:
        """Stop the worker; a supervisor starts it again from what Redis has."""
        if self.failure is None:
            self.failure = error
            if not isinstance(error, AgosError):
                log.error("a bug, please report it", exc_info=error)
            log.error("stopping: %s", error)
            os.kill(os.getpid(), signal.SIGTERM)

    async def finish(self) -> None:
        """Let what is in flight end, and close what is open."""
        await self._gathering.finish(timeout_seconds=2.0)
        for close in (
            self.report.leave,
            self.log_reader.close,
            self.sender.close,
            self.store.close,
        ):
            try:
                await close()
            except Exception as error:
                # What is raised here would keep Faust's own parts from being stopped.
                log.warning("while stopping: %r", error)


def assemble(settings: Settings, topic_ids: Mapping[str, str]) -> tuple[App, Crew]:
    """The worker's app with its agents and loops."""
    crew = Crew(settings, topic_ids)
    app = crew.app
    app.agent(app.topic(*EVENT_TOPICS, acks=False), name="segmenter")(crew.segmenter)
    app.agent(app.topic(MODEL_SAMPLES, acks=False), name="trainer")(crew.trainer)
    loops: list[tuple[float, Step]] = [
        (0.1, crew.copy_changes),
        (0.25, crew.send_samples),
        (0.25, crew.pipeline.hand_on),
        (5.0, crew.learn),
        (1.0, crew.refresh_model),
        (5.0, crew.commit),
        (2.0, crew.watchdog.look),
        (10.0, crew.check_topics),
        (1.0, crew.report.send),
        (0.05, crew.review_idle),
        (0.5, crew.refresh_definitions),
        (0.1, crew.evaluate_due),
        (0.5, crew.backfilling.step),
        (15.0, crew.clear_segments),
        (15.0, crew.share_ranks),
        (1.0, Retention(crew.store, settings, lambda: crew.training.active).step),
    ]
    for seconds, step in loops:
        app.task(_loop(crew, seconds, step))
    return app, crew


def _loop(crew: Crew, seconds: float, step: Step) -> Step:
    async def loop() -> None:
        await crew.every(seconds, step)

    loop.__name__ = loop.__qualname__ = getattr(step, "__qualname__", "loop")
    return loop
