"""Nobody hears that Kafka has what it has not, and nothing goes there twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from stream.collect import gate as gates
from stream.collect.gate import Gate
from stream.collect.mapping import Record, identity_of
from stream.collect.refusal import Refusal
from stream.topics import partition_of
from tests.collect.harness import FakeKafka


def record(name: str, customer: str = "ada") -> Record:
    key = customer.encode()
    return Record("interactions", key, name.encode(), identity_of(key, name), "e", customer, 0)


class FakeSeen:
    """Remembers in a set."""

    def __init__(self) -> None:
        self.all: set[int] = set()

    async def known(self, identities: Sequence[int]) -> set[int]:
        return self.all.intersection(identities)

    async def add(self, identities: Sequence[int]) -> None:
        self.all.update(identities)


@pytest.fixture
async def kafka() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
async def seen() -> FakeSeen:
    return FakeSeen()


@pytest.fixture
async def gate(kafka: FakeKafka, seen: FakeSeen) -> AsyncIterator[Gate]:
    made = Gate(kafka, 8, seen)
    yield made
    kafka.open.set()
    await made.close()


def names(kafka: FakeKafka) -> list[str]:
    return [value.decode() for _, _, _, value in kafka.records]


async def test_put_returns_only_after_the_acknowledgement(gate: Gate, kafka: FakeKafka):
    kafka.open.clear()
    put = asyncio.create_task(gate.put([record("a")]))
    await asyncio.sleep(0.05)
    assert not put.done()
    assert gate.waiting == 1
    kafka.open.set()
    await put
    assert names(kafka) == ["a"]
    await asyncio.sleep(0.01)
    assert gate.waiting == 0


async def test_more_than_a_batch_holds_goes_in_several_in_order(gate: Gate, kafka: FakeKafka):
    await gate.put([record(str(i)) for i in range(10)])
    assert names(kafka) == [str(i) for i in range(10)]


async def test_what_is_sent_again_waits_for_the_first(gate: Gate, kafka: FakeKafka):
    kafka.open.clear()
    puts = [asyncio.create_task(gate.put([record("a"), record("b")])) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert not any(put.done() for put in puts)
    kafka.open.set()
    await asyncio.gather(*puts)
    assert names(kafka) == ["a", "b"]
    assert gate.counts["duplicates"] == 8


async def test_what_is_sent_again_later_is_known(gate: Gate, kafka: FakeKafka):
    for _ in range(3):
        await gate.put([record("a"), record("a")])
        await asyncio.sleep(0.01)
    assert names(kafka) == ["a"]
    await gate.put([record("a", "another customer")])
    assert names(kafka) == ["a", "a"]


async def test_a_failure_is_told_to_all_and_may_be_tried_again(gate: Gate, kafka: FakeKafka):
    kafka.failing = 1
    puts = await asyncio.gather(
        gate.put([record("a")]), gate.put([record("a")]), return_exceptions=True
    )
    assert [type(end) for end in puts] == [Refusal, Refusal]
    assert isinstance(puts[0], Refusal)
    assert (puts[0].status, puts[0].retry_after_seconds) == (503, 5)
    await gate.put([record("a")])
    assert names(kafka) == ["a"]


async def test_half_a_request_that_failed_is_sent_again_by_half(gate: Gate, kafka: FakeKafka):
    both = [record("a", "ada"), record("b", "bob")]
    kafka.failing = 1
    with pytest.raises(Refusal):
        await gate.put(both)
    await asyncio.sleep(0.01)
    await gate.put(both)
    assert sorted(names(kafka)) == ["a", "b"]


async def test_a_bug_in_between_is_no_success(
    gate: Gate, seen: FakeSeen, kafka: FakeKafka, caplog: pytest.LogCaptureFixture
):
    async def broken(_: Sequence[int]) -> set[int]:
        raise ZeroDivisionError

    seen.known = broken  # type: ignore[method-assign]
    with pytest.raises(Refusal):
        await gate.put([record("a")])
    assert kafka.records == []
    assert [entry.levelname for entry in caplog.records] == ["ERROR"]
    await asyncio.sleep(0.01)
    assert gate.waiting == 0


async def test_who_waits_too_long_is_told_to_come_again(
    kafka: FakeKafka, seen: FakeSeen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(gates, "_SWEEP_SECONDS", 0.02)
    kafka.open.clear()
    gate = Gate(kafka, 8, seen)
    with pytest.raises(Refusal) as caught:
        await gate.put([record("a")])
    assert caught.value.status == 503
    # Kafka is known to be away now: nobody waits for that again.
    with pytest.raises(Refusal) as caught:
        await asyncio.wait_for(gate.put([record("b")]), 0.01)
    assert caught.value.retry_after_seconds == 5
    kafka.open.set()
    await asyncio.sleep(0.05)
    # The first got there after all: sent again, it is recognised.
    await gate.put([record("a")])
    assert names(kafka) == ["a"]
    await gate.close()


async def test_what_waits_is_bounded(gate: Gate, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gates, "MAX_WAITING_EVENTS", 3)
    kafka.open.clear()
    put = asyncio.create_task(gate.put([record("a"), record("b")]))
    await asyncio.sleep(0.01)
    with pytest.raises(Refusal) as caught:
        await gate.put([record("c"), record("d")])
    assert caught.value.status == 503
    kafka.open.set()
    await put
    await asyncio.sleep(0.01)
    await gate.put([record("c"), record("d")])
    assert names(kafka) == ["a", "b", "c", "d"]


async def test_each_record_goes_to_its_owner_however_many_are_known(
    gate: Gate, kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gates, "_OWNERS_KEPT", 3)
    for i in range(12):
        # Some that came before, and some that are new.
        await gate.put([record(f"{i}-{j}", f"customer-{i + j}") for j in range(4)])
    found = [(key.decode(), partition) for _, partition, key, _ in kafka.records]
    assert len(found) == 48
    assert found == [(customer, partition_of(customer, 8)) for customer, _ in found]
