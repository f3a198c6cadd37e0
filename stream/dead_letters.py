"""Reads the dead letters from Kafka, and sends their original records back."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError

from stream.errors import AgosError, ConfigurationError
from stream.events import DeadLetter
from stream.kafka_options import kafka_options
from stream.producer import producer
from stream.settings import Settings
from stream.store.redriven import Redriven
from stream.topics import DEAD_LETTERS, EVENT_TOPICS, partitions_of

_PLACE = TopicPartition(DEAD_LETTERS, 0)
_CHUNK = 500
_POLL_MS = 500
_SILENT_SECONDS = 15.0
_ACKNOWLEDGED_SECONDS = 60.0
_CLOSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, where it lies in its topic, and whether it was sent back already."""

    offset: int
    content: DeadLetter
    redriven: bool


@dataclass
class Pile:
    """Letters of one reason: those that wait by topic, and the newest of them as samples."""

    waiting: Counter[str] = field(default_factory=Counter)
    redriven: int = 0
    newest_ms: int = 0
    samples: list[DeadLetter] = field(default_factory=list)

    def add(self, letter: Letter, samples: int) -> None:
        """Count one more; letters come with the oldest first."""
        self.newest_ms = max(self.newest_ms, letter.content.rejected_at)
        if letter.redriven:
            self.redriven += 1
            return
        self.waiting[letter.content.topic] += 1
        self.samples = [*self.samples, letter.content][-samples:] if samples else []


def piled(letters: Iterable[Letter], samples: int) -> dict[str, Pile]:
    """Reason → its letters, those of which most wait first."""
    piles: dict[str, Pile] = {}
    for letter in letters:
        piles.setdefault(letter.content.reason, Pile()).add(letter, samples)
    return dict(sorted(piles.items(), key=lambda pair: -pair[1].waiting.total()))


class DeadLetters:
    """The topic of dead letters as it is now; each letter once, however often it was written.

    Raises
    ------
    ConfigurationError
        If Kafka does not answer, or has no such topic.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redriven = Redriven(settings)
        self._consumer: Any = _consumer(settings)
        self._end: int | None = None
        #: Records of the topic that are no dead letters.
        self.unreadable = 0

    def close(self) -> None:
        """Close every connection."""
        self._consumer.close()
        self._redriven.close()

    def read(self) -> Iterator[Letter]:
        """Letters up to the topic's end as of the first call, the oldest first."""
        seen: set[str] = set()
        self.unreadable = 0
        for records in self._chunks():
            found = []
            for record in records:
                content = self._content(record.value)
                if content is not None and content.letter_id not in seen:
                    seen.add(content.letter_id)
                    found.append((record.offset, content))
            done = self._redriven.among([content.letter_id for _, content in found])
            for offset, content in found:
                yield Letter(offset, content, content.letter_id in done)

    def send_back(
        self,
        wanted: Callable[[DeadLetter], bool],
        progress: Callable[[int], None] = lambda sent: None,
    ) -> Counter[str]:
        """Send the original records of the waiting letters back; topic → how many.

        Key and bytes are the original ones, the partition is the one that owns the key. At
        least once: a letter counts as sent back after Kafka has acknowledged its record.

        Raises
        ------
        AgosError
            If Kafka does not take a record; what was sent before counts as sent back.
        """
        sent: Counter[str] = Counter()
        connected = producer(self._settings)
        try:
            chunk: list[Letter] = []
            for letter in self.read():
                if not letter.redriven and wanted(letter.content):
                    chunk.append(letter)
                if len(chunk) == _CHUNK:
                    sent += self._send(connected, chunk)
                    chunk = []
                    progress(sent.total())
            sent += self._send(connected, chunk)
            progress(sent.total())
        finally:
            connected.close(timeout=_CLOSE_SECONDS)
        self._redriven.forget_before(self._first())
        return sent

    def _send(self, connected: Any, chunk: list[Letter]) -> Counter[str]:
        if not chunk:
            return Counter()
        try:
            futures = [
                connected.send(
                    letter.content.topic,
                    key=letter.content.key,
                    value=letter.content.value,
                    partition=_partition(letter.content, self._settings.partitions),
                )
                for letter in chunk
            ]
            for future in futures:
                future.get(timeout=_ACKNOWLEDGED_SECONDS)
        except KafkaError as error:
            raise AgosError(f"Kafka did not take a record back ({error!r})") from None
        self._redriven.add({letter.content.letter_id: letter.offset for letter in chunk})
        return Counter(letter.content.topic for letter in chunk)

    def _content(self, value: bytes | None) -> DeadLetter | None:
        try:
            letter = DeadLetter.model_validate_json(value or b"")
        except ValidationError:
            self.unreadable += 1
            return None
        if letter.topic not in EVENT_TOPICS:
            self.unreadable += 1
            return None
        return letter

    def _first(self) -> int:
        return int(self._consumer.beginning_offsets([_PLACE])[_PLACE])

    def _chunks(self) -> Iterator[list[Any]]:
        consumer = self._consumer
        try:
            first, end = self._first(), int(consumer.end_offsets([_PLACE])[_PLACE])
            if end <= first:
                return
            consumer.seek(_PLACE, first)
            deadline = time.monotonic() + _SILENT_SECONDS
            # The high watermark of a fetch is right where a broker's end offset is too low.
            while self._end is None or consumer.position(_PLACE) < self._end:
                records = consumer.poll(timeout_ms=_POLL_MS, max_records=_CHUNK).get(_PLACE)
                if records:
                    if self._end is None:
                        self._end = max(end, consumer.highwater(_PLACE) or 0)
                    deadline = time.monotonic() + _SILENT_SECONDS
                    yield [record for record in records if record.offset < self._end]
                elif time.monotonic() > deadline:
                    raise AgosError(f"{DEAD_LETTERS}: Kafka sent nothing for {_SILENT_SECONDS:g} s")
        except KafkaError as error:
            raise AgosError(f"{DEAD_LETTERS}: Kafka does not answer ({error!r})") from None


def _consumer(settings: Settings) -> Any:
    try:
        consumer = KafkaConsumer(
            **kafka_options(settings),
            group_id=None,
            enable_auto_commit=False,
            bootstrap_timeout_ms=10_000,
        )
        if not consumer.partitions_for_topic(DEAD_LETTERS):
            consumer.close()
            raise ConfigurationError(
                f"topic {DEAD_LETTERS} does not exist at {settings.kafka}: run `agos topics` first"
            )
    except (KafkaError, OSError) as error:
        raise ConfigurationError(
            f"AGOS_KAFKA: no broker answers at {settings.kafka} ({error!r})"
        ) from None
    consumer.assign([_PLACE])
    return consumer


def _partition(letter: DeadLetter, partitions: int) -> int:
    if letter.key is None:
        return letter.partition % partitions
    return int(partitions_of([letter.key], partitions)[0])
