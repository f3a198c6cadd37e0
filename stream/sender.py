"""Sends a worker's own records to Kafka: whole batches, acknowledged by all replicas."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.kafka_options import kafka_options
from stream.outbox import Message
from stream.settings import Settings

_BATCH_BYTES = 512 * 1024
_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_SEND_SECONDS = 60.0


class Sender:
    """Records of one partition keep their order, also over retries: at least once.

    Not idempotent: what is sent carries an id of its own, and not every broker has it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, messages: Sequence[Message]) -> None:
        """Send; returns when the brokers have every record.

        Raises
        ------
        KafkaError
            If a record was refused, or the brokers were away for too long.
        """
        producer = await self._started()
        places: dict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            places[message.topic, message.partition].append(message)
        sends = [self._send(producer, place, those) for place, those in places.items()]
        async with asyncio.timeout(_SEND_SECONDS):
            await _all(sends)

    async def close(self) -> None:
        """Send what is left and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**_options(self._settings))
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _send(
        self, producer: AIOKafkaProducer, place: tuple[str, int], messages: Sequence[Message]
    ) -> None:
        topic, partition = place
        acknowledged: list[Awaitable[Any]] = []
        batch = producer.create_batch()
        try:
            for message in messages:
                fields = {"timestamp": None, "key": message.key, "value": message.value}
                if batch.append(**fields) is None:
                    sent = await producer.send_batch(batch, topic, partition=partition)
                    acknowledged.append(sent)
                    batch = producer.create_batch()
                    batch.append(**fields)
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
        finally:
            await _all(acknowledged)


async def _all(sends: Iterable[Awaitable[Any]]) -> None:
    """Wait for all of them, whatever becomes of some; then raise the first error."""
    for result in await asyncio.gather(*sends, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _options(settings: Settings) -> dict[str, Any]:
    return {
        **kafka_options(settings),
        "acks": "all",
        "max_batch_size": _BATCH_BYTES,
        "max_request_size": _MAX_REQUEST_BYTES,
    }
