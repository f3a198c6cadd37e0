"""Everything that is kept of one customer, as JSON: for `agos export` and the look-up."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.customer import Table
from stream.errors import ConfigurationError
from stream.kafka_options import kafka_options
from stream.settings import Settings
from stream.store.forget import Forgetter
from stream.store.reader import Reader
from stream.topics import EVENT_TOPICS, SEGMENT_CHANGES, partition_of

_POLL_MS = 500
_SILENT_SECONDS = 5.0


def kept_in_redis(settings: Settings, customer_id: str) -> dict[str, Any]:
    """Record, memberships, traits, categories, the workers' memory in base64, and changes."""
    with Reader(settings) as reader, Forgetter(settings) as forgetter:
        found = reader.customer(customer_id)
        # What was merged into another customer is that one's.
        now = found.customer_id if found else customer_id
        stored = reader.state(now)
        traits, codes = _remembered(now, stored)
        names = reader.categories(partition_of(now, settings.partitions), codes)
        return {
            "customer": asdict(found) if found else None,
            "members_since": reader.since(now, found.segments) if found else {},
            "traits": traits,
            "categories": [names.get(code, str(code)) for code in codes],
            "state": base64.b64encode(stored).decode() if stored is not None else None,
            "changes": [dict(fields) for _, fields in forgetter.changes(customer_id)],
            "forgotten_until": forgetter.forgotten_until_ms(customer_id),
        }


def kept_in_kafka(settings: Settings, customer_id: str) -> Iterator[dict[str, Any]]:
    """Records of the customer in the event topics and `segment-changes`, as far as they are kept.

    Raises
    ------
    ConfigurationError
        If Kafka does not answer.
    """
    home = partition_of(customer_id, settings.partitions)
    places = [TopicPartition(topic, home) for topic in (*EVENT_TOPICS, SEGMENT_CHANGES)]
    key = customer_id.encode()
    try:
        consumer = KafkaConsumer(
            **kafka_options(settings), group_id=None, enable_auto_commit=False,
            bootstrap_timeout_ms=10_000,
        )  # fmt: skip
        try:
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            for record in _all(consumer):
                if record.key == key:
                    yield {
                        "topic": record.topic,
                        "partition": record.partition,
                        "offset": record.offset,
                        "value": _content(record.value),
                    }
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise ConfigurationError(
            f"AGOS_KAFKA: no broker answers at {settings.kafka} ({error!r})"
        ) from None


def _all(consumer: Any) -> Iterator[Any]:
    """Records up to where each log ended when it was first read, until none has come for a while.

    The high watermark of a fetch is right where a broker's end offset is too low.
    """
    ends: dict[TopicPartition, int] = {}
    deadline = time.monotonic() + _SILENT_SECONDS
    while time.monotonic() < deadline:
        for place, records in consumer.poll(timeout_ms=_POLL_MS).items():
            end = ends.setdefault(
                place, max(consumer.highwater(place) or 0, records[-1].offset + 1)
            )
            if records[0].offset < end:
                deadline = time.monotonic() + _SILENT_SECONDS
            yield from (record for record in records if record.offset < end)


def _content(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"null")
    except ValueError:
        return base64.b64encode(value or b"").decode()


def _remembered(name: str, stored: bytes | None) -> tuple[dict[str, Any], list[int]]:
    states = Table(1)
    states.load([name], [stored])
    row, extra = states.rows[0], states.extra.get(0)
    traits = {k: value for k, (value, _) in extra.traits.items()} if extra else {}
    pairs = zip(row["categories"].tolist(), row["weights"].tolist(), strict=True)
    return traits, [code for code, weight in pairs if weight > 0]
