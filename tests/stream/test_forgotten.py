"""Who is forgotten stays away, whatever is still on its way."""

import time

import pytest
from redis import Redis

from stream.store.forget import Forgetter
from stream.topics import INTERACTIONS, PURCHASES
from tests.stream.fake_log import Log, Worker, names
from tests.stream.shop import PARTITIONS, counted, figures, interaction, purchase, settings_for


async def test_who_is_forgotten_does_not_come_back_with_what_was_sent_before(redis: Redis) -> None:
    log = Log(PARTITIONS)
    maria, other = names(0, PARTITIONS, 2)
    config = settings_for(redis)
    log.publish(INTERACTIONS, interaction(maria, 1))
    log.publish(PURCHASES, purchase(other, 2, 9.0))
    async with Worker(log, config) as worker:
        await worker.assign()
        await worker.drain()
        with Forgetter(config) as forgetter:
            forgetter.forget(maria)
        later = int(time.time() * 1000) + 1_000
        # Of before, in the log or sent late; and of after.
        log.publish(INTERACTIONS, interaction(maria, 3))
        log.publish(PURCHASES, purchase(maria, 4, 5.0))
        log.publish(INTERACTIONS, interaction(maria, 5, later))
        log.publish(INTERACTIONS, interaction(other, 6))
        await worker.drain()
        assert worker.pipeline.meter.misses == 1
    found = figures(redis)
    assert found[maria] == (1, 0, 0, later, later)
    assert found[other][:3] == (2, 1, 900)
    assert counted(redis) == {"applied": 4, "forgotten": 2}


@pytest.mark.parametrize("written_before", [True, False])
async def test_a_replay_from_the_beginning_leaves_the_forgotten_out(
    redis: Redis, written_before: bool
) -> None:
    log = Log(PARTITIONS)
    (maria,) = names(0, PARTITIONS, 1)
    log.publish(INTERACTIONS, interaction(maria, 1))
    config = settings_for(redis)
    async with Worker(log, config) as worker:
        if written_before:
            await worker.assign()
            await worker.drain()
        with Forgetter(config) as forgetter:
            forgetter.forget(maria)
        redis.hdel("agos:{0}:offsets", INTERACTIONS, f"{INTERACTIONS}:id")
        await worker.assign()
        await worker.drain()
    assert figures(redis) == {}
    assert not redis.exists("agos:{0}:states")
    assert counted(redis)["forgotten"] == 1


async def test_who_is_pardoned_is_counted_again(redis: Redis) -> None:
    log = Log(PARTITIONS)
    (maria,) = names(0, PARTITIONS, 1)
    config = settings_for(redis)
    with Forgetter(config) as forgetter:
        forgetter.forget(maria, for_ever=True)
        log.publish(INTERACTIONS, interaction(maria, 1))
        async with Worker(log, config) as worker:
            await worker.assign()
            await worker.drain()
            assert forgetter.pardon(maria)
            await worker.pipeline.read_forgotten()
            log.publish(INTERACTIONS, interaction(maria, 2))
            await worker.drain()
    assert figures(redis)[maria][0] == 1
    assert counted(redis) == {"applied": 1, "forgotten": 1}
