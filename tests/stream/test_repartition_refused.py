"""When nothing may be moved to another number of partitions, and who is refused meanwhile."""

import msgspec
import pytest
from redis import Redis

from stream.errors import OffsetError, StoreError
from stream.store import keys, repartition
from stream.store.forget import Forgetter
from stream.store.repartition import Repartitioner
from stream.store.scan import StateScan
from stream.topics import EVENT_TOPICS, INTERACTIONS
from tests.stream.divided_world import (
    BEGIN_MS,
    World,
    ids_of,
    move,
    of_earlier_version,
    seen,
    states_of,
)
from tests.stream.fake_log import Log, Worker, names
from tests.stream.shop import settings_for, url_of


async def test_as_long_as_it_is_not_at_its_end_everybody_is_refused(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    log = Log(6)
    config = settings_for(redis, partitions=6)
    with Repartitioner(config, ids_of(log)) as mover:
        mover.begin()
        next(mover.move())
    for refused in (log, Log(4)):
        settings = settings_for(redis, partitions=refused.partitions)
        async with Worker(refused, settings, ids_of(refused)) as worker:
            with pytest.raises(StoreError, match="run it again"):
                await worker.assign()
        with Forgetter(settings) as forgetter, pytest.raises(StoreError, match="run it again"):
            forgetter.forget("c1")


async def test_a_worker_that_was_forgotten_is_refused_its_next_write(redis: Redis) -> None:
    world, log = World(redis, 60), Log(4)
    await world.live(log)
    (name,) = names(1, 4, 1)
    config = settings_for(redis, partitions=4, clock="events")
    async with Worker(log, config, ids_of(log)) as worker:
        await worker.assign()
        world.book.tell(log, INTERACTIONS, name, BEGIN_MS, name="Tick")
        await worker.drain()
        move(redis, Log(6))
        states = states_of(redis, 6)
        log.publish(INTERACTIONS, seen(name, "x", 0))
        with pytest.raises(StoreError, match="6 partitions, AGOS_PARTITIONS is 4"):
            await worker.drain()
    assert states_of(redis, 6) == states


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("age_ms", [0, 9_000, 11_000])
async def test_a_running_worker_is_refused(redis: Redis, age_ms: int) -> None:
    await World(redis, 60).live(Log(4))
    at_ms = repartition.time.time_ns() // 1_000_000 - age_ms
    report = {"worker": "w", "host": "shop-1", "pid": 77, "at_ms": at_ms}
    redis.hset(keys.WORKERS, "w", msgspec.json.encode(report))
    if age_ms > 10_000:
        assert move(redis, Log(6)) is not None
        return
    with pytest.raises(StoreError, match=r"workers are running \(shop-1:77\): stop them first"):
        move(redis, Log(6))
    assert redis.hget(keys.offsets(0), "partitions") == "of 4"


@pytest.mark.parametrize("earlier", [False, True])
async def test_topics_whose_partitions_were_changed_in_place_are_refused(
    redis: Redis, earlier: bool
) -> None:
    await World(redis, 60).live(Log(4))
    if earlier:
        of_earlier_version(redis, 4)
    with pytest.raises(StoreError, match=r"counted twice\. Delete interactions, purchases, "):
        move(redis, Log(3), ids_of(Log(4)))
    assert redis.hget(keys.offsets(0), "partitions") == (None if earlier else "of 4")
    # A broker that gives topics no ids cannot tell.
    assert move(redis, Log(3), dict.fromkeys(EVENT_TOPICS, "")) is not None


async def test_other_topics_of_a_store_that_does_not_say_its_number_are_refused(
    redis: Redis,
) -> None:
    await World(redis, 60).live(Log(4))
    of_earlier_version(redis, 4)
    with pytest.raises(StoreError, match="nothing says that the number of partitions was"):
        move(redis, Log(6))
    for partition in range(4):
        for topic in EVENT_TOPICS:
            redis.hdel(keys.offsets(partition), topic, f"{topic}:id")
    assert move(redis, Log(6)) is not None
    states_of(redis, 6)


async def test_a_wrong_number_is_refused_with_what_to_do(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    for partitions in (3, 6):
        config, log = settings_for(redis, partitions=partitions), Log(partitions)
        told = f"4 partitions, AGOS_PARTITIONS is {partitions}.*`agos repartition`"
        async with Worker(log, config, ids_of(log)) as worker:
            with pytest.raises(StoreError, match=told):
                await worker.assign()
        with Forgetter(config) as forgetter, pytest.raises(StoreError, match=told):
            forgetter.forget("c1")
        with StateScan(config) as scan, pytest.raises(StoreError, match=told):
            list(scan.batches())


async def test_nothing_is_to_be_done(redis: Redis) -> None:
    assert move(redis, Log(4)) is None
    await World(redis, 60).live(Log(4))
    with Redis.from_url(url_of(redis)) as raw:
        before = {key: raw.dump(key) for key in raw.keys()}
        # Not even where workers run or topics are others: that is the workers' matter.
        assert move(redis, Log(4), {INTERACTIONS: "another"}) is None
        assert {key: raw.dump(key) for key in raw.keys()} == before
    async with Worker(Log(4), settings_for(redis, partitions=4), {INTERACTIONS: "x"}) as worker:
        with pytest.raises(OffsetError, match="created anew"):
            await worker.assign()
