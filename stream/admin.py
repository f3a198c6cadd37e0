"""Topics as Kafka has them: create them, check them, and tell a topic from its namesake."""

import logging
from collections.abc import Mapping
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream.errors import ConfigurationError
from stream.kafka_options import kafka_options
from stream.settings import Settings
from stream.topics import DEAD_LETTERS, EVENT_TOPICS, MODEL_SAMPLES, SEGMENT_CHANGES

log = logging.getLogger(__name__)

_LARGEST_DEAD_LETTER_BYTES = 4 * 1024 * 1024


def wanted(settings: Settings) -> dict[str, int]:
    """Topic → number of partitions."""
    return {
        **{topic: settings.partitions for topic in EVENT_TOPICS},
        SEGMENT_CHANGES: settings.partitions,
        DEAD_LETTERS: 1,
        MODEL_SAMPLES: 1,
    }


def create(settings: Settings) -> list[str]:
    """Create the topics that are missing; their names.

    Raises
    ------
    ConfigurationError
        If Kafka cannot be reached or an existing topic has another number of partitions.
    """
    with _Admin(settings) as admin:
        existing = _describe(admin)
        _check_counts(existing, wanted(settings))
        missing = {t: n for t, n in wanted(settings).items() if t not in existing}
        if missing:
            _create(admin, missing, settings)
        return list(missing)


def check(settings: Settings) -> dict[str, str]:
    """Topic → id that Kafka gave it ("" where it gives none).

    Raises
    ------
    ConfigurationError
        If a topic is missing or has another number of partitions.
    """
    with _Admin(settings) as admin:
        existing = _describe(admin)
    missing = sorted(wanted(settings).keys() - existing.keys())
    if missing:
        raise ConfigurationError(
            f"topics {', '.join(missing)} do not exist at {settings.kafka}: run `agos topics` first"
        )
    _check_counts(existing, wanted(settings))
    return {topic: str(existing[topic].get("topic_id") or "") for topic in wanted(settings)}


def topic_ids(settings: Settings) -> dict[str, str]:
    """Topic → id that Kafka gave it, of the topics that exist; empty while no broker answers."""
    try:
        with _Admin(settings) as admin:
            existing = _describe(admin)
    except ConfigurationError as error:
        log.warning("topics cannot be looked up, trying again: %s", error)
        return {}
    return {t: str(existing[t].get("topic_id") or "") for t in wanted(settings) if t in existing}


class _Admin:
    """Admin client that says plainly when there is no broker, and closes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> Any:
        try:
            self._client = KafkaAdminClient(
                **kafka_options(self._settings), bootstrap_timeout_ms=10_000
            )
        except (KafkaError, OSError) as error:
            raise ConfigurationError(
                f"AGOS_KAFKA: no broker answers at {self._settings.kafka} ({error!r})"
            ) from None
        return self._client

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._client.close()
        if isinstance(error, KafkaError):
            raise ConfigurationError(
                f"AGOS_KAFKA: the brokers at {self._settings.kafka} did not answer ({error!r})"
            ) from error


def _describe(admin: Any) -> dict[str, Mapping[str, Any]]:
    found = admin.describe_topics()
    return {topic["name"]: topic for topic in found}


def _check_counts(existing: Mapping[str, Any], expected: Mapping[str, int]) -> None:
    wrong = [
        f"{topic} has {len(existing[topic]['partitions'])}, expected {count}"
        for topic, count in expected.items()
        if topic in existing and len(existing[topic]["partitions"]) != count
    ]
    if wrong:
        raise ConfigurationError(
            f"partition counts differ ({'; '.join(wrong)}). AGOS_PARTITIONS must be what the "
            "topics were created with: customers would change their partition"
        )


def _create(admin: Any, missing: Mapping[str, int], settings: Settings) -> None:
    topics = [
        NewTopic(
            name=topic,
            num_partitions=count,
            replication_factor=settings.replication,
            topic_configs=_configs(topic),
        )
        for topic, count in missing.items()
    ]
    try:
        admin.create_topics(topics)
    except TopicAlreadyExistsError:
        _check_counts(_describe(admin), wanted(settings))
    except KafkaError as error:
        raise ConfigurationError(f"topics {', '.join(missing)} were refused: {error}") from None


def _configs(topic: str) -> dict[str, str]:
    if topic == DEAD_LETTERS:
        return {"max.message.bytes": str(_LARGEST_DEAD_LETTER_BYTES)}
    return {}
