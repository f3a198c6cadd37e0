"""Dead letters on the embedded broker: listed by reason, sent back once, byte for byte."""

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, TopicPartition

from stream import admin
from stream.events import DeadLetter
from stream.local import EmbeddedBroker
from stream.producer import producer
from stream.settings import Settings
from stream.topics import DEAD_LETTERS, PURCHASES, partition_of
from tests.conftest import remove_topics

PARTITIONS = 4
BAD = b'{"currency": "XXX", "broken": \xff}'


def letter(number: int, reason: str, topic: str = PURCHASES, value: bytes | None = BAD) -> bytes:
    """A dead letter as the worker writes it, of a record that lay in a wrong partition."""
    content = DeadLetter.model_construct(
        letter_id=f"{topic}-0@{number}",
        topic=topic,
        partition=0,
        offset=number,
        reason=reason,
        detail=f"detail {number}",
        rejected_at=time.time_ns() // 1_000_000,
        key=f"c{number}".encode(),
        value=value,
    )
    return content.model_dump_json().encode()


@pytest.fixture
def kafka(embedded_broker: EmbeddedBroker, redis_url, monkeypatch) -> Settings:
    """Empty topics, and the environment of the commands."""
    remove_topics(embedded_broker)
    monkeypatch.setenv("AGOS_KAFKA", embedded_broker.address)
    monkeypatch.setenv("AGOS_REDIS", redis_url)
    monkeypatch.setenv("AGOS_PARTITIONS", str(PARTITIONS))
    settings = Settings()
    admin.create(settings)
    return settings


def put(settings: Settings, *letters: bytes) -> None:
    sender = producer(settings)
    for value in letters:
        sender.send(DEAD_LETTERS, value=value)
    sender.flush()
    sender.close()


def records(settings: Settings, topic: str, expected: int) -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of all records of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    found: list[tuple[int, bytes, bytes]] = []
    deadline = time.monotonic() + 10
    while len(found) < expected and time.monotonic() < deadline:
        for batch in consumer.poll(timeout_ms=300).values():
            found += [(record.partition, record.key, record.value) for record in batch]
    for batch in consumer.poll(timeout_ms=300).values():
        found += [(record.partition, record.key, record.value) for record in batch]
    consumer.close()
    return sorted(found)


def waiting(said: str) -> Iterator[list[str]]:
    """Rows of the list: waiting, sent back, reason."""
    for text in said.splitlines():
        words = text.split()
        if len(words) > 3 and all(word.replace(",", "").isdigit() for word in words[:2]):
            yield words[:3]


def test_none(agos, kafka):
    result = agos("dead-letters")
    assert (result.code, result.said) == (0, "No dead letters.\n")


def test_the_missing_topic_is_said(agos, kafka, embedded_broker):
    remove_topics(embedded_broker)
    result = agos("dead-letters")
    assert result.code == 1
    assert "topic dead-letters does not exist" in result.told
    assert "agos topics" in result.told


def test_listed_by_reason_with_a_sample_and_each_once(agos, kafka):
    put(kafka, letter(1, "invalid"), letter(2, "unknown-currency"), letter(3, "unknown-currency"))
    put(kafka, letter(3, "unknown-currency"), b"no letter", letter(4, "invalid", "elsewhere"))
    result = agos("dead-letters")
    assert list(waiting(result.said)) == [
        ["2", "0", "unknown-currency"],
        ["1", "0", "invalid"],
    ]
    assert "2 records of the topic could not be read as dead letters" in result.said
    assert "purchases-0@3  key c3" in result.said, "the newest is the sample"
    assert "detail 3" in result.said and "detail 2" not in result.said
    assert '"currency": "XXX"' in result.said
    only = agos("dead-letters", "--reason", "invalid", "--samples", "0").said
    assert list(waiting(only)) == [["1", "0", "invalid"]]
    assert "detail" not in only


def test_as_json_lines(agos, kafka):
    put(kafka, letter(1, "invalid"), letter(2, "tombstone", value=None))
    lines = agos("dead-letters", "--json").said.splitlines()
    found = [DeadLetter.model_validate_json(text) for text in lines]
    assert [(one.reason, one.key, one.value) for one in found] == [
        ("invalid", b"c1", BAD),
        ("tombstone", b"c2", None),
    ]


def test_sent_back_once_with_the_original_bytes_to_the_right_partition(agos, kafka):
    put(kafka, letter(1, "unknown-currency"), letter(2, "unknown-currency"), letter(3, "invalid"))
    result = agos("dead-letters", "--redrive", "--yes", "--reason", "unknown-currency")
    assert result.code == 0
    assert "Sent 2 records back (purchases 2)." in result.said
    expected = sorted((partition_of(name, PARTITIONS), name.encode(), BAD) for name in ("c1", "c2"))
    assert records(kafka, PURCHASES, 2) == expected
    again = agos("dead-letters", "--redrive", "--yes", "--reason", "unknown-currency")
    assert "Nothing waits to be sent back." in again.said
    assert list(waiting(again.said)) == [["0", "2", "unknown-currency"]]
    assert "Sent 1 record back (purchases 1)." in agos("dead-letters", "--redrive", "-y").said
    assert len(records(kafka, PURCHASES, 3)) == 3


def test_it_asks_first_and_no_answer_means_no(agos, kafka, monkeypatch):
    put(kafka, letter(1, "invalid"))
    monkeypatch.setattr("typer.confirm", lambda question: False)
    result = agos("dead-letters", "--redrive")
    assert result.code == 1
    assert "Nothing was sent" in result.said
    assert records(kafka, PURCHASES, 0) == []


def test_many_letters_are_all_sent(agos, kafka):
    put(kafka, *(letter(number, "invalid") for number in range(1_234)))
    said = agos("dead-letters", "--redrive", "--yes").said
    assert "Sent 1,234 records back" in said
    found = records(kafka, PURCHASES, 1_234)
    assert {key.decode() for _, key, _ in found} == {f"c{number}" for number in range(1_234)}
    assert len(found) == 1_234
    assert list(waiting(agos("dead-letters").said)) == [["0", "1,234", "invalid"]]
