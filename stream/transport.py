"""A Faust transport that hands over whole batches, and starts where Redis says.

Faust makes two asyncio tasks for every message; for the event topics one message is therefore
all that one fetch brought: a batch of each partition. A batch carries the offsets that it spans
as `[start, end)`; `start` is where the batch before it ended, not its first record's offset, since
compaction and transaction markers leave holes. The chain of these spans is kept in the
consumer's own thread, in the same step in which records are taken or a seek is made, so that
no rewind can be mistaken for a continuation.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiokafka
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.futures import maybe_async

from stream.app import App
from stream.topics import EVENT_TOPICS, MODEL_SAMPLES, Place

#: Topics that are delivered in batches and whose position Redis knows.
BATCHED = frozenset((*EVENT_TOPICS, MODEL_SAMPLES))
#: Who asks about partitions waits so long for the answer.
KAFKA_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition that were fetched together.

    `start` is None where the consumer does not know what came before.
    """

    topic: str
    partition: int
    start: int | None
    end: int
    records: list[Any]


@dataclass(frozen=True, slots=True)
class Reach:
    """End of a partition's log, the consumer's position, and where the last batch ended."""

    end: int
    position: int
    handed_over: int | None

    def lag(self, applied: int) -> int:
        """Events that wait, given the next offset to apply.

        Behind the last event the log may hold markers that are no events: what is read to the
        end and applied as far as it was handed over has no lag.
        """
        done = self.handed_over is not None and applied >= self.handed_over
        return 0 if done and self.position >= self.end else max(0, self.end - applied)


class _ReadOffsets(defaultdict[TP, int | None]):
    """Offsets that Faust has read; for batched topics it shall not judge by them."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __getitem__(self, tp: TP) -> int | None:
        return None if tp.topic in BATCHED else super().__getitem__(tp)


class _InLoop:
    """Runs a service of Faust's that wants a thread in the event loop of the app.

    Two threads hand the interpreter's lock to and fro for every fetch, and where cores are
    scarce one that has the lock and no core keeps the other waiting.
    """

    def __init__(self, service: "ConsumerThread") -> None:
        self._service = service
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._serving = self._service.parent_loop.create_task(self._service._serve())  # noqa: SLF001

    def stop(self) -> None:
        """Nothing to join: the service has ended when its own `stop` waited for it."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """What talks to Kafka; keeps the chain of batches of every partition.

    It has Faust's interface of a thread and runs in the app's event loop.
    """

    Worker = _InLoop  # type: ignore[assignment]

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call: there is no other thread to hand it to."""
        return await maybe_async(fun(*args, **kwargs))

    async def _gather_remaining_tasks(self) -> None:
        """The loop is the app's, and so are its other tasks."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._ends: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust has a fixed wait of 1.5 s; the embedded broker makes events wait for a part of it.
        consumer._fetch_max_wait_ms = int(1000 * cast(App, self.app).fetch_wait_seconds)  # noqa: SLF001
        return consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget what was read under the last assignment: where to go on is asked anew."""
        self._ends.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Kafka's committed offsets mean nothing for batched topics: Redis says where to start."""
        if all(tp.topic in BATCHED for tp in self.assignment()):
            return {}
        committed: Mapping[TP, int] = await super().seek_to_committed()
        return committed

    def seek(self, partition: TP, offset: int) -> None:
        raise NotImplementedError("seeks from the wrong thread: use seek_wait")

    async def _seek_wait(
        self, consumer: aiokafka.AIOKafkaConsumer, partitions: Mapping[TP, int]
    ) -> None:
        for tp, offset in partitions.items():
            consumer.seek(tp, offset)
            self._ends[TP(tp.topic, tp.partition)] = offset
        async with asyncio.timeout(self.app.conf.broker_request_timeout / 3):
            await asyncio.gather(*[consumer.position(tp) for tp in partitions])

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        take_turns(consumer, fetched)
        return {TP(tp.topic, tp.partition): self._chain(tp, got) for tp, got in fetched.items()}

    def _chain(self, tp: TP, records: list[Any]) -> list[Any]:
        if tp.topic not in BATCHED or not records:
            return records
        start, end = self._ends.get(tp), records[-1].offset + 1
        self._ends[tp] = end
        return [Batch(tp.topic, tp.partition, start, end, records)]

    async def commit_quietly(self, offsets: Mapping[TP, int]) -> None:
        """Tell Kafka the applied offsets, for tools that show lag. Redis has the truth."""
        await self.call_thread(
            self._ensure_consumer().commit,
            {TopicPartition(*tp): offset for tp, offset in offsets.items()},
        )

    async def log_starts(self, partitions: Iterable[TP]) -> Mapping[TP, int]:
        """First offset that the log of each partition still has."""
        first = await self.call_thread(self._ensure_consumer().beginning_offsets, list(partitions))
        return {TP(*tp): offset for tp, offset in first.items()}

    async def reach(self, partitions: Iterable[TP]) -> Mapping[TP, Reach]:
        """How far each log goes and how far it has been read."""
        reach: Mapping[TP, Reach] = await self.call_thread(self._reach, list(partitions))
        return reach

    async def _reach(self, partitions: list[TP]) -> Mapping[TP, Reach]:
        consumer = self._ensure_consumer()
        async with asyncio.timeout(self.app.conf.broker_request_timeout / 3):
            ends = await consumer.end_offsets(partitions)
            return {
                TP(*tp): Reach(end, await consumer.position(tp), self._ends.get(TP(*tp)))
                for tp, end in ends.items()
            }


def place_of(tp: TP) -> Place:
    """Topic and partition, as those have them who know no Faust."""
    return tp.topic, tp.partition


def take_turns(consumer: aiokafka.AIOKafkaConsumer, served: Iterable[TopicPartition]) -> None:
    """Let partitions of which more has been read wait until the others had their turn.

    aiokafka hands out all that it has of the partition that it read first, up to a megabyte,
    before the next one: of a long backlog in many partitions, one would stand for many seconds.
    """
    read = consumer._fetcher._records  # noqa: SLF001
    for tp in served:
        if tp in read:
            read.move_to_end(tp)


class Consumer(driver.Consumer):
    """Consumer whose messages of the event topics are batches."""

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _ReadOffsets()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Start each partition where Redis says; raises what stops a wrong start."""
        committed = dict(await self._thread.seek_to_committed())
        batched = {TP(tp.topic, tp.partition) for tp in self.assignment() if tp.topic in BATCHED}
        if batched:
            wanted = await cast(App, self.app).positions(batched)
            await self.seek_wait(wanted)
            committed.update(wanted)
        return committed

    async def rewind(self, offsets: Mapping[TP, int]) -> None:
        """Read these partitions again from these offsets."""
        assigned = self.assignment()
        await self.seek_wait({tp: offset for tp, offset in offsets.items() if tp in assigned})

    async def commit_applied(self, offsets: Mapping[TP, int]) -> None:
        """Tell Kafka the applied offsets of partitions that are still ours."""
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if ours:
            await self._thread.commit_quietly(ours)

    async def log_starts(self, partitions: Iterable[TP]) -> Mapping[TP, int]:
        """First offset that the log of each partition still has."""
        return await self._thread.log_starts(partitions)

    async def reach(self, partitions: Iterable[TP]) -> Mapping[TP, Reach]:
        """How far the logs of partitions that are ours go, and how far they have been read."""
        assigned = self.assignment()
        return await self._thread.reach(tp for tp in partitions if tp in assigned)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Messages of one fetch: its event batches are one message, and any other is its own."""
        room = cast(App, self.app).room
        try:
            if not room.is_set():
                async with asyncio.timeout(timeout):
                    await room.wait()
        except TimeoutError:
            return
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_again()
            return
        events: list[Batch] = []
        for tp, record in self.scheduler.iterate(records):
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # What was taken and is not handed over is read again after the seek.
                return
            if active is None or tp in active or tp in self._buffered_partitions:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                if tp.topic in EVENT_TOPICS:
                    events.append(record)
                else:
                    yield tp, self._message(tp, record)
        if events:
            first = events[0]
            tp = TP(first.topic, first.partition)
            yield tp, self._batch_message(tp, first, events)

    async def _seek_again(self) -> None:
        try:
            await self.perform_seek()
        except Exception as error:
            # A partition may just have gone; the assignment under way seeks again.
            self.log.warning("could not seek while a rebalance is under way: %r", error)

    def _message(self, tp: TP, record: Any) -> ConsumerMessage:
        if isinstance(record, Batch):
            return self._batch_message(tp, record, record)
        message: ConsumerMessage = self._to_message(tp, record)
        return message

    def _batch_message(self, tp: TP, batch: Batch, value: Batch | list[Batch]) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            batch.topic,
            batch.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            [],
            None,
            # Agents without a serializer get the value as it is.
            cast(Any, value),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )


class Transport(driver.Transport):
    """Kafka by aiokafka, in batches: broker URLs `agos://host:port`."""

    Consumer = Consumer
