"""Recorded events → Kafka: keyed, paced, bounded, and accounted for."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from kafka.errors import KafkaError

from stream.errors import AgosError, ConfigurationError
from stream.replay.history import Recorded
from stream.topics import partitions_of

#: Records whose partitions are computed, and whose acknowledgements are awaited, together.
_CHUNK = 1_000
#: Chunks that may be under way: kafka-python's own buffer has no bound.
_CHUNKS_IN_FLIGHT = 50
_NAP_SECONDS = 0.1
_TIMEOUT_SECONDS = 130.0


class SendError(AgosError):
    """Kafka did not take a record."""


@dataclass
class Summary:
    """What a replay did. `sent` counts acknowledged records per topic."""

    sent: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def total(self) -> int:
        """Acknowledged records of all topics."""
        return sum(self.sent.values())

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.total / self.seconds if self.seconds else 0.0


def parse_speed(text: str) -> float:
    """Factor on the recorded pace: `1000x` → 1000.0, `max` → infinity.

    Raises
    ------
    ConfigurationError
        If it is neither.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ConfigurationError(f"speed is {text!r}, expected a factor as in 1000x, or max")
    return speed


#: Called with the records handed over so far and the event time reached, in ms.
Progress = Callable[[int, int], None]


def replay(
    records: Iterable[Recorded],
    producer: Any,
    partitions: int,
    speed: float = math.inf,
    progress: Progress = lambda handed, at_ms: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Summary:
    """Send `records` and wait until Kafka has acknowledged them.

    With an idempotent producer a retry duplicates nothing; order per customer is kept. Ctrl-C
    (KeyboardInterrupt) stops it: what was handed over is flushed and counted. A second one
    during that gives up at once.

    Parameters
    ----------
    producer
        KafkaProducer, as from `stream.producer.producer`; not closed here.
    partitions
        Of each event topic; records go to the partition that owns their key.
    speed
        Factor on the recorded pace; infinity: as fast as Kafka takes them.

    Raises
    ------
    SendError
        If Kafka refuses a record or does not answer.
    ConfigurationError
        If a topic is missing or has another number of partitions.
    """
    run = _Run(producer, partitions, speed, progress, clock, sleep)
    try:
        iterator = iter(records)
        while chunk := list(islice(iterator, _CHUNK)):
            run.send(chunk)
    except KeyboardInterrupt:
        run.summary.interrupted = True
    run.finish()
    return run.summary


class _Run:
    """State of one replay."""

    def __init__(
        self,
        producer: Any,
        partitions: int,
        speed: float,
        progress: Progress,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self.summary = Summary()
        self._producer = producer
        self._partitions = partitions
        self._speed = speed
        self._progress = progress
        self._clock = clock
        self._sleep = sleep
        self._begun = clock()
        self._first_ms: int | None = None
        self._handed = 0
        self._in_flight: deque[list[tuple[str, Any]]] = deque()
        self._checked: set[str] = set()

    def send(self, chunk: list[Recorded]) -> None:
        owners = partitions_of([record.key for record in chunk], self._partitions).tolist()
        futures: list[tuple[str, Any]] = []
        self._in_flight.append(futures)
        for record, partition in zip(chunk, owners, strict=True):
            if self._speed < math.inf:
                self._wait(record.at_ms)
            if record.topic not in self._checked:
                self._check(record.topic)
            futures.append((record.topic, self._hand_over(record, partition)))
            self._handed += 1
        self._progress(self._handed, chunk[-1].at_ms)
        while len(self._in_flight) > _CHUNKS_IN_FLIGHT:
            self._settle()

    def finish(self) -> None:
        self._producer.flush(timeout=_TIMEOUT_SECONDS)
        while self._in_flight:
            self._settle()
        self.summary.seconds = self._clock() - self._begun

    def _hand_over(self, record: Recorded, partition: int) -> Any:
        try:
            return self._producer.send(
                record.topic, value=record.value, key=record.key, partition=partition
            )
        except KafkaError as error:
            raise self._failed(record.topic, error) from None

    def _settle(self) -> None:
        """Wait for the oldest chunk's acknowledgements."""
        for topic, future in self._in_flight.popleft():
            try:
                future.get(timeout=_TIMEOUT_SECONDS)
            except KafkaError as error:
                raise self._failed(topic, error) from None
            self.summary.sent[topic] += 1

    def _failed(self, topic: str, error: KafkaError) -> SendError:
        return SendError(
            f"{topic}: Kafka did not take a record ({error!r}); "
            f"{self.summary.total} were acknowledged before"
        )

    def _wait(self, at_ms: int) -> None:
        if self._first_ms is None:
            self._first_ms = at_ms
        due = self._begun + (at_ms - self._first_ms) / 1000 / self._speed
        while (left := due - self._clock()) > 0:
            self._progress(self._handed, at_ms)
            self._sleep(min(left, _NAP_SECONDS))

    def _check(self, topic: str) -> None:
        try:
            found = self._producer.partitions_for(topic)
        except KafkaError:
            found = None
        if not found:
            raise ConfigurationError(f"topic {topic} does not exist, expected `agos topics` first")
        if len(found) != self._partitions:
            raise ConfigurationError(
                f"topic {topic} has {len(found)} partitions, expected {self._partitions} "
                "(AGOS_PARTITIONS)"
            )
        self._checked.add(topic)
