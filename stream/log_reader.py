"""Reads stretches of the event topics beside the worker's consumer, and belongs to no group."""

import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.settings import Settings

_BATCH = 2_000
_WAIT_MS = 1_000


class LogReader:
    """One stretch at a time; connects when it is first asked. Calls raise KafkaError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def first(self, topic: str, partition: int) -> int:
        """First offset that is still there."""
        place = TopicPartition(topic, partition)
        return int((await (await self._started()).beginning_offsets([place]))[place])

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        """Offset of the first record that was written at or after a time; the end if none was."""
        place, consumer = TopicPartition(topic, partition), await self._started()
        found = (await consumer.offsets_for_times({place: max(at_ms, 0)}))[place]
        if found is not None:
            return int(found.offset)
        return int((await consumer.end_offsets([place]))[place])

    async def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        """Records of the offsets from `begin` up to `end`, in batches."""
        place, consumer = TopicPartition(topic, partition), await self._started()
        consumer.assign([place])
        consumer.seek(place, begin)
        try:
            while await consumer.position(place) < end:
                found = await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=_BATCH)
                records = [record for record in found.get(place, ()) if record.offset < end]
                if records:
                    yield records
        finally:
            consumer.unsubscribe()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**_options(self._settings))
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer


def _options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka,
        "group_id": None,
        "enable_auto_commit": False,
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        cafile = str(settings.kafka_ca) if settings.kafka_ca else None
        options["ssl_context"] = ssl.create_default_context(cafile=cafile)
    if settings.kafka_security.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options
