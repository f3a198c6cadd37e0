"""Reads stretches of the event topics beside the worker's consumer, and belongs to no group."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.kafka_options import kafka_options
from stream.settings import Settings

#: Small, so that live events wait for no more than a few milliseconds of work.
_BATCH = 250
_WAIT_MS = 1_000
#: Waits without a record after which there is something wrong.
_MOST_WAITS = 20


class LogReader:
    """One stretch of a topic at a time; connects when it is first asked. Calls raise KafkaError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumers: dict[str, AIOKafkaConsumer] = {}

    async def close(self) -> None:
        """Disconnect."""
        consumers, self._consumers = self._consumers, {}
        for consumer in consumers.values():
            await consumer.stop()

    async def first(self, topic: str, partition: int) -> int:
        """First offset that is still there."""
        place = TopicPartition(topic, partition)
        return int((await (await self._started(topic)).beginning_offsets([place]))[place])

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        """Offset of the first record that was written at or after a time; the end if none was."""
        place, consumer = TopicPartition(topic, partition), await self._started(topic)
        found = (await consumer.offsets_for_times({place: max(at_ms, 0)}))[place]
        if found is not None:
            return int(found.offset)
        return int((await consumer.end_offsets([place]))[place])

    async def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        """Records of the offsets from `begin` up to `end`, in batches.

        Raises
        ------
        TimeoutError
            If the log does not go on.
        """
        if begin >= end:
            return
        place, consumer = TopicPartition(topic, partition), await self._started(topic)
        consumer.assign([place])
        consumer.seek(place, begin)
        waits = 0
        try:
            while (position := await consumer.position(place)) < end:
                found = await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=_BATCH)
                records = [record for record in found.get(place, ()) if record.offset < end]
                waits = 0 if records else waits + 1
                if waits == _MOST_WAITS:
                    raise TimeoutError(f"{topic}-{partition}: no record of {position} to {end}")
                if records:
                    yield records
        finally:
            consumer.unsubscribe()

    async def _started(self, topic: str) -> AIOKafkaConsumer:
        if topic not in self._consumers:
            # What expires meanwhile is an error, and no gap that nobody sees.
            consumer = AIOKafkaConsumer(
                **kafka_options(self._settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="none",
            )  # fmt: skip
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumers[topic] = consumer
        return self._consumers[topic]
