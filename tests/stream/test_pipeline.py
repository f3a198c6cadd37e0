"""The pipeline on a real Redis and a log of lists: exactly once in effect, whatever happens."""

import asyncio
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from stream.errors import OffsetError, StoreError
from stream.topics import INTERACTIONS, MODEL_SAMPLES, PURCHASES
from stream.transport import Batch
from tests.oracle import events as oracle
from tests.stream.fake_log import Killed, Log, Worker, names
from tests.stream.shop import (
    BEGIN_MS,
    PARTITIONS,
    assert_exact,
    counted,
    figures,
    interaction,
    letters,
    purchase,
    settings_for,
    shop,
    url_of,
)


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("together", [False, True])
async def test_totals_are_those_of_one_plain_pass(redis: Redis, most: int, together: bool) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(most, together=together)
    assert_exact(redis, log)
    assert counted(redis) == {"applied": 60}


async def test_spend_is_exact_where_a_double_is_not(redis: Redis) -> None:
    log, each = Log(PARTITIONS), 99_999_999_999_999
    for number in range(91):
        log.publish(PURCHASES, purchase("c0", number, each / 100))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    assert 91 * each > 2**53
    assert 91 * each % 2 == 1
    assert redis.hget("agos:customer:c0", "spend") == str(91 * each)


async def test_the_next_worker_goes_on_where_the_last_one_stopped(redis: Redis) -> None:
    log = shop(30)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    for number in range(100, 130):
        log.publish(INTERACTIONS, interaction("c0", number))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = next(p for p in worker.positions if worker.fetch(p) is not None)
        assert place[0] == INTERACTIONS
        await worker.assign()
        await worker.drain()
    assert_exact(redis, log)


@pytest.mark.parametrize(
    "step",
    ["kill_at_load", "kill_at_send", "kill_after_send", "kill_before_apply", "kill_after_apply"],
)
@pytest.mark.parametrize("when", range(4))
@pytest.mark.parametrize("together", [False, True])
async def test_a_worker_killed_at_any_step_loses_and_doubles_nothing(
    redis: Redis, step: str, when: int, together: bool
) -> None:
    log = shop()
    stranger = interaction(names(1, PARTITIONS, 9)[-1], 900)
    log.append(INTERACTIONS, 0, json.dumps(stranger).encode(), None)
    log.append(PURCHASES, 1, b"no json", None)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        fetched = [worker.fetch(p, 4) for p in sorted(worker.positions)]
        batches = [batch for batch in fetched if batch is not None]
        for batch in batches[:when]:
            await worker.pipeline.process(batch)
        target = worker if "send" in step else worker.store
        setattr(target, step, True)
        try:
            await worker.drain(3, together=together)
        except Killed:
            pass
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(3, together=together)
    originals = {(r.topic, r.value) for records in log.records.values() for r in records}
    expected = oracle.expected(originals, int(time.time() * 1000), {"USD": 1.0})
    assert {c: f[:3] for c, f in figures(redis).items()} == {
        name: (c.events, c.orders, c.spend) for name, c in expected.customers.items()
    }
    assert {letter["letter_id"] for letter in letters(log)} == {
        f"purchases-1@{log.records[PURCHASES, 1][-1].offset}"
    }


async def test_a_paused_owner_is_fenced_and_starts_again_from_redis(redis: Redis) -> None:
    log = shop()
    config = settings_for(redis)
    async with Worker(log, config) as zombie, Worker(log, config) as heir:
        await zombie.assign()
        place = (INTERACTIONS, 0)
        first, second = zombie.fetch(place, 3), zombie.fetch(place, 3)
        assert first is not None and second is not None
        await zombie.pipeline.process(first)
        await heir.assign()
        await heir.drain(5)
        await zombie.pipeline.process(second)
        assert zombie.pipeline.meter.misses == 1
        assert_exact(redis, log)
        await zombie.drain()
        assert_exact(redis, log)


async def test_a_partition_may_go_while_a_batch_of_it_is_under_way(redis: Redis) -> None:
    log = shop()
    config = settings_for(redis)
    async with Worker(log, config) as loser, Worker(log, config) as heir:
        await loser.assign()
        batch = loser.fetch((INTERACTIONS, 0), 3)
        assert batch is not None

        async def taken_over() -> None:
            await loser.assign([1])
            await heir.assign([0])
            await heir.drain()

        loser.store.before_apply = taken_over
        await loser.pipeline.process(batch)
        await loser.drain()
    assert_exact(redis, log)


async def test_two_owners_at_once_apply_each_event_once(redis: Redis) -> None:
    log = shop(200)
    config = settings_for(redis)
    async with Worker(log, config) as one, Worker(log, config) as two:
        await one.assign()
        await two.assign()
        await asyncio.gather(one.drain(3), two.drain(2))
        await asyncio.gather(one.drain(5), two.drain(5))
    assert_exact(redis, log)
    assert counted(redis) == {"applied": 200}


def backup(redis: Redis) -> dict[str, bytes]:
    with Redis.from_url(url_of(redis)) as raw:
        return {key: raw.dump(key) for key in raw.scan_iter("*", 1000)}


def restore(redis: Redis, keys: dict[Any, bytes]) -> None:
    with Redis.from_url(url_of(redis)) as raw:
        raw.flushall()
        for key, value in keys.items():
            raw.restore(key, 0, value)


async def test_a_redis_that_went_back_is_brought_forward_again(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        for place in sorted(worker.positions):
            batch = worker.fetch(place, 4)
            if batch is not None:
                await worker.pipeline.process(batch)
        earlier = backup(redis)
        await worker.drain(4)
        restore(redis, earlier)
        for number in range(500, 520):
            log.publish(INTERACTIONS, interaction("c0", number))
            log.publish(INTERACTIONS, interaction("c1", number))
        await worker.drain(4)
        for partition in range(PARTITIONS):
            await worker.pipeline.verify(partition)
        await worker.drain(4)
    assert_exact(redis, log)


async def test_a_redis_that_lost_everything_is_filled_again(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(4)
        redis.flushall()
        # Nothing new comes: the regular look at Redis notices.
        for partition in range(PARTITIONS):
            await worker.pipeline.verify(partition)
        await worker.drain()
        assert_exact(redis, log)
        assert counted(redis) == {"applied": 60}
        redis.script_flush()
        log.publish(INTERACTIONS, interaction("c0", 700))
        await worker.drain()
    assert_exact(redis, log)


async def test_a_quiet_redis_is_left_alone(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
        before = dict(worker.positions)
        for partition in range(PARTITIONS):
            await worker.pipeline.verify(partition)
        assert worker.positions == before
        assert len(worker.pipeline.segmenters[0].table) > 0


async def test_a_batch_that_begins_too_early_is_trimmed(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        first = worker.fetch(place, 5)
        assert first is not None
        records = [r for r in log.records[place] if r.offset < first.end + 6]
        longer = Batch(*place, 0, records[-1].offset + 1, records)
        await worker.pipeline.process(first)
        await worker.pipeline.process(longer)
        await worker.pipeline.process(first)
        await worker.pipeline.process(longer)
        assert worker.pipeline.segmenters[0].ends[INTERACTIONS] == longer.end
        await worker.assign()
        await worker.drain()
    assert_exact(redis, log)
    # Not even read twice: nothing had to be told from its event id.
    assert counted(redis) == {"applied": 60}


@pytest.mark.parametrize("start", [None, 4])
async def test_a_batch_with_something_missing_before_it_is_read_again(
    redis: Redis, start: int | None
) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        records = [r for r in log.records[place] if r.offset >= 4]
        await worker.pipeline.process(Batch(*place, start, records[-1].offset + 1, records))
        assert worker.positions[place] == 0
        assert worker.pipeline.segmenters[0].ends == {}
        await worker.drain()
    assert_exact(redis, log)


async def test_holes_in_the_log_are_no_gaps(redis: Redis) -> None:
    log = Log(PARTITIONS)
    for number in range(20):
        log.publish(INTERACTIONS, interaction("c0", number), hole=number * 3)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(3)
        assert worker.pipeline.meter.misses == 0
    assert_exact(redis, log)


async def test_a_write_that_failed_leaves_nothing_behind_in_memory(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        batch = worker.fetch(place, 10)
        assert batch is not None
        worker.store.fail_apply = StoreError("Redis did not answer")
        with pytest.raises(StoreError):
            await worker.pipeline.process(batch)
        # Before the worker has stopped Redis is back, and the same records come once more.
        await worker.pipeline.process(batch)
        await worker.drain()
    assert_exact(redis, log)


async def test_a_cancelled_write_leaves_nothing_behind_in_memory(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        batch = worker.fetch((INTERACTIONS, 0), 10)
        assert batch is not None
        worker.store.fail_apply = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            await worker.pipeline.process(batch)
        await worker.pipeline.process(batch)
        await worker.drain()
    assert_exact(redis, log)


async def test_samples_are_sent_after_the_write(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    await worker.pipeline.sampling.send()
    (sample,) = [json.loads(m.value or b"") for m in log.sent if m.topic == MODEL_SAMPLES]
    assert sample["customer"] == "c0"
    # In order of features.FEATURES: days since the event, and since an order that never was.
    idle_days = (sample["at"] - interaction("c0", 1)["timestamp"]) / 86_400_000
    assert sample["x"][0] == pytest.approx(idle_days, abs=1e-3)
    assert sample["x"][1] == 730.0


async def test_offsets_of_a_namesake_topic_are_refused(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis), {INTERACTIONS: "one"}) as worker:
        await worker.assign()
        await worker.drain()
    async with Worker(log, settings_for(redis), {INTERACTIONS: "two"}) as worker:
        with pytest.raises(OffsetError, match="created anew"):
            await worker.assign()


async def test_offsets_that_have_expired_are_refused(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        batch = worker.fetch(place, 3)
        assert batch is not None
        await worker.pipeline.process(batch)
        log.expire(place, batch.end + 1)
        with pytest.raises(OffsetError, match="expired"):
            await worker.assign()


async def test_events_that_expire_while_the_worker_runs_are_no_hole(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        batch = worker.fetch(place, 3)
        assert batch is not None
        await worker.pipeline.process(batch)
        # The consumer goes on at the new beginning of the log by itself.
        log.expire(place, batch.end + 3)
        after = worker.fetch(place)
        assert after is not None
        with pytest.raises(OffsetError, match="expired"):
            await worker.pipeline.process(after)


async def test_a_log_that_begins_anew_while_the_worker_runs_is_refused(redis: Redis) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        place = (INTERACTIONS, 0)
        batch = worker.fetch(place, 5)
        assert batch is not None
        await worker.pipeline.process(batch)
        # Deleted and created: the consumer is at its end again and reads from the start.
        anew = Batch(*place, batch.end, 2, batch.records[:2])
        with pytest.raises(OffsetError, match="anew"):
            await worker.pipeline.process(anew)


async def test_memory_stays_within_the_cache_and_figures_stay_right(redis: Redis) -> None:
    log = Log(PARTITIONS)
    for number in range(6_000):
        log.publish(INTERACTIONS, interaction(f"c{number * 31 % 2_500}", number))
    config = settings_for(redis, cache=1_000, batch=50)
    async with Worker(log, config) as worker:
        await worker.assign()
        await worker.drain(50)
        assert all(len(s.table) <= 500 for s in worker.pipeline.segmenters.values())
    assert_exact(redis, log)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[str, int, int]]]:
    """Events with repeats and late ones, and what happens to the workers meanwhile."""
    events = []
    for number in range(draw(st.integers(1, 40))):
        again = draw(st.integers(0, 9)) == 0 and events
        if again:
            events.append(events[draw(st.integers(0, len(events) - 1))])
            continue
        customer = f"c{draw(st.integers(0, 5))}"
        at_ms = BEGIN_MS + draw(st.integers(-3, 3)) * 3_600_000 + number
        total = draw(st.none() | st.integers(-9999, 9999))
        if total is None:
            events.append(interaction(customer, number, at_ms))
        else:
            events.append(purchase(customer, number, total / 100, at_ms))
    accidents = st.tuples(
        st.sampled_from(
            ["kill_at_load", "kill_before_apply", "kill_after_apply", "zombie", "back", "flush"]
        ),
        st.integers(1, 8),
        st.integers(1, 5),
    )
    return events, draw(st.lists(accidents, max_size=5))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stories())
def test_no_story_loses_or_doubles_an_event(redis: Redis, story: Any) -> None:
    events, accidents = story
    redis.flushall()
    log = Log(PARTITIONS)
    for event in events:
        log.publish(PURCHASES if "total" in event else INTERACTIONS, event)
    asyncio.run(live_through(redis, log, accidents))
    assert_exact(redis, log)


async def live_through(redis: Redis, log: Log, accidents: list[tuple[str, int, int]]) -> None:
    config = settings_for(redis)
    workers = [Worker(log, config)]
    earlier = backup(redis)
    try:
        await workers[-1].assign()
        for kind, steps, most in accidents:
            await some_steps(workers[-1], steps, most)
            if kind == "back":
                restore(redis, earlier)
            elif kind == "flush":
                redis.flushall()
            else:
                if kind != "zombie":
                    setattr(workers[-1].store, kind, True)
                    try:
                        await some_steps(workers[-1], 2, most)
                    except Killed:
                        pass
                    setattr(workers[-1].store, kind, False)
                earlier = backup(redis)
                workers.append(Worker(log, config))
                await workers[-1].assign()
                if kind == "zombie":
                    await some_steps(workers[-2], 2, most)
        for _ in range(2):
            for worker in (
                workers[-2:] if accidents and accidents[-1][0] == "zombie" else workers[-1:]
            ):
                for partition in range(PARTITIONS):
                    await worker.pipeline.verify(partition)
                await worker.drain(3)
    finally:
        for worker in workers:
            await worker.store.close()


async def some_steps(worker: Worker, steps: int, most: int) -> None:
    places = sorted(worker.positions)
    for step in range(steps):
        batch = worker.fetch(places[step % len(places)], most)
        if batch is not None:
            await worker.pipeline.process(batch)


async def test_a_partition_that_goes_while_another_is_looked_at_is_counted_once(
    redis: Redis,
) -> None:
    log = Log(PARTITIONS)
    here, there = names(0, PARTITIONS, 1)[0], names(1, PARTITIONS, 1)[0]
    # More than the event ids that a customer's state remembers.
    for number in range(60):
        log.publish(INTERACTIONS, interaction(here, number))
    log.publish(INTERACTIONS, interaction(there, 100), hole=3)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        read = worker.fetch((INTERACTIONS, 0), 55)
        assert read is not None
        await worker.pipeline.process(read)
        records = log.records[INTERACTIONS, 0]
        again = Batch(INTERACTIONS, 0, 0, records[-1].offset + 1, records)
        other = worker.fetch((INTERACTIONS, 1))
        assert other is not None
        leaving: list[asyncio.Task[Any]] = []

        async def partition_goes() -> None:
            leaving.append(asyncio.create_task(worker.pipeline.assign(log.first([1]))))
            while 0 in worker.pipeline.segmenters:
                await asyncio.sleep(0)

        worker.at_first = partition_goes
        await worker.pipeline.process(again, other)
        await asyncio.gather(*leaving)
    assert_exact(redis, log)
