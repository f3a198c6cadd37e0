"""The KafkaProducer of everything that sends events with kafka-python."""

from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from stream.errors import ConfigurationError
from stream.kafka_options import kafka_options
from stream.settings import Settings

_MAX_REQUEST_BYTES = 4 * 1024 * 1024
#: Per partition; large enough that a fast replay sends few, full requests.
_BATCH_BYTES = 256 * 1024


def producer(settings: Settings, **overrides: Any) -> KafkaProducer:
    """Connected producer: acknowledged by all replicas, idempotent (a retry duplicates nothing).

    Topics are never created by it: a misspelt one is an error. kafka-python bounds neither its
    buffer nor the number of unsent records; whoever sends much must wait for acknowledgements
    (`stream.replay.send` does).

    Raises
    ------
    ConfigurationError
        If no broker of `settings.kafka` can be reached.
    """
    clients: list[KafkaNetClient] = []

    def remembered(**given: Any) -> KafkaNetClient:
        clients.append(KafkaNetClient(**given))
        return clients[0]

    options = {
        **kafka_options(settings),
        "kafka_client": remembered,
        "acks": "all",
        "enable_idempotence": True,
        "allow_auto_create_topics": False,
        "max_request_size": _MAX_REQUEST_BYTES,
        "batch_size": _BATCH_BYTES,
        "linger_ms": 20,
        "bootstrap_timeout_ms": 10_000,
        "max_block_ms": 15_000,
        **overrides,
    }
    try:
        return KafkaProducer(**options)
    except (KafkaError, OSError) as error:
        # A constructor that fails leaves its sockets open.
        for client in clients:
            client.close()
        raise ConfigurationError(
            f"AGOS_KAFKA: no broker answers at {settings.kafka} ({error!r}), expected a Kafka "
            f"broker that speaks {settings.kafka_security}"
        ) from None
