"""Where Kafka's logs end: with the offsets in Redis that is the lag, workers or no workers."""

from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.errors import AgosError
from stream.kafka_options import kafka_options
from stream.settings import Settings
from stream.topics import EVENT_TOPICS

Place = tuple[str, int]
_BOOTSTRAP_MS = 3_000
_REQUEST_MS = 5_000


class LogEnds:
    """Reads the ends of the event topics; blocking, for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: Any = None
        self._begins: dict[Place, int] = {}
        self._places = [
            TopicPartition(topic, partition)
            for topic in EVENT_TOPICS
            for partition in range(settings.partitions)
        ]

    def read(self) -> dict[Place, tuple[int, int]]:
        """Topic and partition → where its log began when it was first seen, and where it ends.

        Raises
        ------
        AgosError
            If Kafka does not answer.
        """
        try:
            if self._consumer is None:
                self._consumer = KafkaConsumer(
                    **kafka_options(self._settings),
                    group_id=None,
                    enable_auto_commit=False,
                    bootstrap_timeout_ms=_BOOTSTRAP_MS,
                    request_timeout_ms=_REQUEST_MS,
                )
            if not self._begins:
                self._begins = _plain(self._consumer.beginning_offsets(self._places))
            ends = _plain(self._consumer.end_offsets(self._places))
        except (KafkaError, OSError, ValueError) as error:
            self.close()
            raise AgosError(
                f"Kafka does not answer at {self._settings.kafka} ({type(error).__name__})"
            ) from None
        return {place: (self._begins.get(place, 0), end) for place, end in ends.items()}

    def close(self) -> None:
        """Close the connection; the next read makes another one."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def lag_by_topic(
    ends: Mapping[Place, tuple[int, int]], applied: Mapping[Place, int]
) -> dict[str, int]:
    """Topic → events that wait: what lies between the next offset to apply and the log's end.

    Markers of transactions count too, as long as no event lies behind them.
    """
    lags = dict.fromkeys(EVENT_TOPICS, 0)
    for place, (begin, end) in ends.items():
        lags[place[0]] += max(end - max(applied.get(place, begin), begin), 0)
    return lags


def _plain(offsets: Mapping[Any, Any]) -> dict[Place, int]:
    return {(place.topic, place.partition): int(at) for place, at in offsets.items()}
