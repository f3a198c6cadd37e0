"""States of one partition each, and who has another number of partitions in its settings."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis import Redis

from stream.errors import StoreError
from stream.settings import Settings
from stream.store.forget import Forgetter
from stream.store.reader import Reader
from stream.store.scan import StateScan
from stream.store.store import Store
from stream.store.write import Group, Write
from stream.topics import partition_of

EIGHT = 8


def state_of(customer: str) -> bytes:
    """As long as most: Redis keeps small values together and hands them over at once."""
    return customer.encode().ljust(100, b".")


def write_of(partition: int, customers: list[str], writer: str = "w:1", before: str = "") -> Write:
    values = [v for name in customers for v in (name, state_of(name), 1, "place")]
    return Write(partition, writer, before, groups=[Group(("events",), len(customers), values)])


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(Settings(redis=redis_url, partitions=EIGHT))
    yield store
    await store.close()


async def stored(store: Store, count: int) -> dict[int, list[str]]:
    """Customers, written as workers do."""
    homes: dict[int, list[str]] = {}
    for number in range(count):
        homes.setdefault(partition_of(f"c{number}", EIGHT), []).append(f"c{number}")
    applied = await store.apply([write_of(p, customers) for p, customers in homes.items()])
    assert all(one.ok for one in applied)
    return homes


async def test_more_customers_at_once_than_lua_hands_over(store: Store, redis: Redis) -> None:
    # Two arguments each; Lua has room for 8,000.
    customers = [f"c{number}" for number in range(9_001)]
    (applied,) = await store.apply([write_of(3, customers)])
    assert applied.ok
    assert redis.hlen("agos:{3}:states") == 9_001
    (states,) = await store.load([(3, customers)])
    assert states == [state_of(name) for name in customers]


async def test_a_scan_has_every_customer_of_its_partition_and_no_other(store: Store) -> None:
    homes = await stored(store, 3_000)
    for partition, customers in homes.items():
        found: dict[str, bytes] = {}
        cursor, pages = -1, 0
        while cursor != 0:
            cursor, page = await store.scan(partition, max(cursor, 0), 100)
            found |= page
            pages += 1
        assert found == {name: state_of(name) for name in customers}
        assert pages > 1
    assert await store.scan(EIGHT, 0, 100) == (0, {})


async def test_who_looks_at_all_knows_how_many_there_are(store: Store, redis_url: str) -> None:
    homes = await stored(store, 500)
    with StateScan(Settings(redis=redis_url, partitions=EIGHT)) as scan:
        assert scan.about() == 500
        found = [pair for batch in scan.batches() for pair in zip(*batch, strict=True)]
    names = [name for customers in homes.values() for name in customers]
    assert sorted(found) == sorted((name, state_of(name)) for name in names)


def all_states(settings: Settings) -> None:
    with StateScan(settings) as scan:
        list(scan.batches())


def state(settings: Settings) -> None:
    with Reader(settings) as reader:
        reader.state("c1")


def forget(settings: Settings) -> None:
    with Forgetter(settings) as forgetter:
        forgetter.forget("c1")


@pytest.mark.parametrize("partitions", [4, 20])
@pytest.mark.parametrize("look", [all_states, state, forget])
async def test_another_number_of_partitions_is_refused(
    store: Store, redis: Redis, redis_url: str, look: Callable[[Settings], None], partitions: int
) -> None:
    await stored(store, 20)
    before = {key: redis.hgetall(key) for key in redis.keys("agos:{*}:*")}
    settings = Settings(redis=redis_url, partitions=partitions)
    with pytest.raises(StoreError, match=rf"into 8 partitions, AGOS_PARTITIONS is {partitions}:"):
        look(settings)
    assert {key: redis.hgetall(key) for key in redis.keys("agos:{*}:*")} == before
    look(Settings(redis=redis_url, partitions=EIGHT))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"partitions": "of 16", "writer": "w:1"}, "into 16 partitions, AGOS_PARTITIONS is 8"),
        ({"partitions": "moving", "writer": "w:1"}, "repartition` has not come to its end"),
        # Of a version that said nothing of it.
        ({"writer": "w:1", "interactions": "5"}, "customers of another version of Agos"),
    ],
)
async def test_a_worker_is_told_before_it_reads(
    store: Store, redis: Redis, fields: dict[str, Any], said: str
) -> None:
    redis.hset("agos:{3}:offsets", mapping=fields)
    with pytest.raises(StoreError, match=said):
        await store.positions(3)


async def test_states_that_nobody_says_how_they_are_divided(store: Store, redis: Redis) -> None:
    redis.hset("agos:{3}:states", "c1", b"state")
    with pytest.raises(StoreError, match="lacks how many partitions"):
        await store.positions(3)


async def test_an_empty_redis_takes_the_number_of_its_first_write(
    store: Store, redis: Redis
) -> None:
    # As somebody sets it who wants to begin there.
    redis.hset("agos:{3}:offsets", "interactions", "7")
    assert (await store.positions(3)).offsets == {"interactions": 7}
    (applied,) = await store.apply([write_of(3, ["c1"])])
    assert applied.ok
    assert redis.hget("agos:{3}:offsets", "partitions") == "of 8"
    found = await store.positions(3)
    assert (found.offsets, found.writer) == ({"interactions": 7}, "w:1")


async def test_forgetting_in_a_store_that_is_being_moved_changes_nothing(
    store: Store, redis: Redis, redis_url: str
) -> None:
    await stored(store, 20)
    home = partition_of("c1", EIGHT)
    redis.hset(f"agos:{{{home}}}:offsets", "partitions", "moving")
    with (
        Forgetter(Settings(redis=redis_url, partitions=EIGHT)) as forgetter,
        pytest.raises(StoreError, match="run it again"),
    ):
        forgetter.forget("c1")
    assert redis.hexists(f"agos:{{{home}}}:states", "c1")
    assert redis.hget(f"agos:{{{home}}}:offsets", "writer") == "w:1"
