"""Change records on their way from the Redis stream to Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest
from redis import Redis

from stream.outbox import Message
from stream.relay import Relay
from stream.settings import Settings
from stream.store.store import Store
from stream.store.write import Write
from stream.topics import SEGMENT_CHANGES, partition_of

PARTITIONS = 4


class Broker:
    """Takes messages, or fails."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.away = False

    async def send(self, messages: Sequence[Message]) -> None:
        if self.away:
            raise TimeoutError
        self.got.extend(messages)

    def ids(self) -> list[str]:
        return [json.loads(m.value or b"")["change_id"] for m in self.got]


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(Settings(redis=redis_url))
    yield store
    await store.close()


@pytest.fixture
def broker_of_lists() -> Broker:
    return Broker()


def add(redis_url: str, first: int, count: int) -> None:
    with Redis.from_url(redis_url) as redis:
        for number in range(first, first + count):
            fields = {
                "change_id": str(number),
                "customer": f"kunde-é{number % 5}",
                "segment": "s",
                "change": "entered",
                "at": 1_700_000_000_000 + number,
                "cause": "event",
                "reason": "weil",
                "version": number,
                **({"due_at": 9} if number % 2 else {}),
            }
            redis.xadd("agos:changes", fields)


async def copied(relay: Relay) -> int:
    total = 0
    while count := await relay.step():
        total += count
    return total


async def test_records_are_copied_once_in_order_and_keyed(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    assert await copied(relay) == 0
    add(redis_url, 0, 7)
    assert await copied(relay) == 7
    add(redis_url, 7, 3)
    assert await copied(relay) == 3
    assert await copied(relay) == 0
    assert broker_of_lists.ids() == [str(number) for number in range(10)]
    message = broker_of_lists.got[3]
    assert message.topic == SEGMENT_CHANGES
    assert message.key == "kunde-é3".encode()
    assert message.partition == partition_of("kunde-é3", PARTITIONS)
    assert json.loads(message.value or b"") == {
        "change_id": "3",
        "customer": "kunde-é3",
        "segment": "s",
        "change": "entered",
        "at": 1_700_000_000_003,
        "cause": "event",
        "reason": "weil",
        "version": 3,
        "due_at": 9,
    }
    assert "due_at" not in json.loads(broker_of_lists.got[2].value or b"")


async def test_it_waits_in_redis_for_what_is_not_copied_yet(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    add(redis_url, 0, 3)
    await asyncio.wait_for(relay.wait(), 30)
    assert await copied(relay) == 3
    waiting = asyncio.create_task(relay.wait())
    with Redis.from_url(redis_url) as redis:
        while redis.info("clients")["blocked_clients"] == 0:
            assert not waiting.done()
            await asyncio.sleep(0.01)
    add(redis_url, 3, 1)
    await asyncio.wait_for(waiting, 30)
    assert await copied(relay) == 1
    # Nothing comes: whoever waits looks again whether it is still to copy.
    await asyncio.wait_for(relay.wait(), 30)


async def test_another_relay_goes_on_where_the_last_one_stopped(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    add(redis_url, 0, 4)
    await copied(Relay(store, broker_of_lists.send, PARTITIONS))
    add(redis_url, 4, 2)
    await copied(Relay(store, broker_of_lists.send, PARTITIONS))
    assert broker_of_lists.ids() == [str(number) for number in range(6)]


def writes(first: int, count: int) -> list[Write]:
    """One write for each change record."""
    names = range(first, first + count)
    change = {"customer": "c", "segment": "s", "change": "entered", "at": 1, "cause": "event"}
    records = [change | {"change_id": str(n), "reason": "r", "version": n} for n in names]
    return [
        Write(0, f"w:{n}", f"w:{n - 1}" if n else "", changes=[(record, b"{}")])
        for n, record in zip(names, records, strict=True)
    ]


async def test_what_is_not_copied_yet_is_never_trimmed(
    redis_url: str, redis: Redis, broker_of_lists: Broker
) -> None:
    # Redis trims whole nodes of a hundred entries: 1,000 and a little are kept.
    kept = 1_000
    store = Store(Settings(redis=redis_url, changes=kept))
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    for write in writes(0, 2_500):
        await store.apply([write])
    assert store.uncopied == redis.xlen("agos:changes") == 2_500
    assert await copied(relay) == 2_500
    for write in writes(2_500, 50):
        await store.apply([write])
    assert store.uncopied == 50
    assert kept <= redis.xlen("agos:changes") < kept + 250
    assert await copied(relay) == 50
    assert broker_of_lists.ids() == [str(number) for number in range(2_550)]
    await store.close()


async def test_events_wait_while_too_much_is_not_copied_but_not_for_ever(
    store: Store, redis: Redis, broker_of_lists: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    monkeypatch.setattr("stream.relay._LONGEST_WAIT_SECONDS", 60.0)
    for write in writes(0, 12):
        await store.apply([write])
    await asyncio.wait_for(relay.keep_up(12), 30)
    waiting = asyncio.create_task(relay.keep_up(11))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    assert await copied(relay) == 12
    await asyncio.wait_for(waiting, 30)
    assert store.uncopied == 0
    # Whoever copies may be away for long: a group is applied all the same, only later.
    monkeypatch.setattr("stream.relay._LONGEST_WAIT_SECONDS", 0.5)
    for write in writes(12, 12):
        await store.apply([write])
    await asyncio.wait_for(relay.keep_up(11), 30)
    assert store.uncopied == 12


async def test_records_that_nobody_counted_are_not_waited_for(
    store: Store, redis_url: str, redis: Redis, broker_of_lists: Broker
) -> None:
    # Forgotten before they were copied, or copied by a version that did not count.
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    for write in writes(0, 5):
        await store.apply([write])
    redis.xtrim("agos:changes", maxlen=2, approximate=False)
    add(redis_url, 0, 3)
    assert await copied(relay) == 5
    for write in writes(5, 1):
        await store.apply([write])
    assert store.uncopied == 1


async def test_what_was_not_taken_is_sent_again(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    add(redis_url, 0, 4)
    broker_of_lists.away = True
    with pytest.raises(TimeoutError):
        await relay.step()
    broker_of_lists.away = False
    assert await copied(relay) == 4


async def test_more_than_one_step_can_carry(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    add(redis_url, 0, 2_345)
    assert await copied(relay) == 2_345
    assert broker_of_lists.ids() == [str(number) for number in range(2_345)]


async def test_a_redis_that_went_back_takes_its_place_along(
    store: Store, redis_url: str, broker_of_lists: Broker
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    add(redis_url, 0, 3)
    await copied(relay)
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        # A new primary whose clock is behind gives smaller ids than those already seen.
        redis.xadd("agos:changes", {"change_id": "late", "customer": "c"}, id="5-1")
    assert await copied(relay) == 1
    assert broker_of_lists.ids() == ["0", "1", "2", "late"]


async def test_records_that_were_trimmed_too_early_are_told(
    store: Store, redis_url: str, broker_of_lists: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    relay = Relay(store, broker_of_lists.send, PARTITIONS)
    add(redis_url, 0, 3)
    await copied(relay)
    add(redis_url, 3, 10)
    assert not caplog.records
    with Redis.from_url(redis_url) as redis:
        redis.xtrim("agos:changes", maxlen=4, approximate=False)
    await copied(relay)
    assert broker_of_lists.ids()[3:] == ["9", "10", "11", "12"]
    assert "trimmed" in caplog.text
