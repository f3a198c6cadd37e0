"""The pipeline on a real Redis and a log of lists: exactly once in effect, whatever happens."""

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from stream.errors import OffsetError, StoreError
from stream.settings import Settings
from stream.store.forget import Forgetter
from stream.topics import DEAD_LETTERS, INTERACTIONS, MODEL_SAMPLES, PROFILES, PURCHASES
from stream.transport import Batch
from tests.oracle import events as oracle
from tests.stream.fake_log import Killed, Log, Worker, names

BEGIN_MS = 1_700_000_000_000
PARTITIONS = 2


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def url_of(redis: Redis) -> str:
    return f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}/0"


def settings_for(redis: Redis, **more: Any) -> Settings:
    options = {"partitions": PARTITIONS, "currency": "USD", "rates": {"EUR": 2.0}, **more}
    return Settings(redis=url_of(redis), **options)


def interaction(customer: str, number: int, at_ms: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"i{number}",
        "customer_id": customer,
        "timestamp": at_ms or BEGIN_MS + number,
        "name": "Product Viewed",
        **more,
    }


def purchase(customer: str, number: int, total: float, at_ms: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"p{number}",
        "customer_id": customer,
        "timestamp": at_ms or BEGIN_MS + number,
        "order_id": f"o{number}",
        "total": total,
        "currency": "USD",
    }


def figures(redis: Redis) -> dict[str, tuple[int, ...]]:
    """Customer → events, orders, spend, first and last seen."""
    fields = ("events", "orders", "spend", "first_seen", "last_seen")
    return {
        key.removeprefix("agos:customer:"): tuple(int(value) for value in redis.hmget(key, *fields))
        for key in redis.scan_iter("agos:customer:*", 1000)
    }


def counted(redis: Redis) -> Counter[str]:
    """The workers' counters over all partitions."""
    total: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        found = redis.hgetall(f"agos:{{{partition}}}:counters")
        total.update({name: int(value) for name, value in found.items()})
    return total


def wanted(log: Log) -> oracle.Expected:
    """What the log adds up to; a record that was sent on to its partition counts once."""
    return oracle.expected(log.everything(), int(time.time() * 1000), {"USD": 1.0, "EUR": 2.0})


def assert_exact(redis: Redis, log: Log) -> None:
    expected = {
        name: (c.events, c.orders, c.spend, c.first_seen, c.last_seen)
        for name, c in wanted(log).customers.items()
    }
    assert figures(redis) == expected


def letters(log: Log) -> list[dict[str, Any]]:
    return [json.loads(m.value or b"") for m in log.sent if m.topic == DEAD_LETTERS]


def shop(count: int = 60) -> Log:
    """Some customers with events of all topics, holes in the offsets."""
    log = Log(PARTITIONS)
    customers = [*names(0, PARTITIONS, 3), *names(1, PARTITIONS, 3)]
    for number in range(count):
        customer = customers[number % len(customers)]
        if number % 5 == 0:
            log.publish(PURCHASES, purchase(customer, number, number - 20.5), hole=number % 3)
        elif number % 7 == 0:
            fact = interaction(customer, number) | {"traits": {"n": number}}
            log.publish(PROFILES, fact)
        else:
            log.publish(INTERACTIONS, interaction(customer, number), hole=number % 2)
    return log


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("together", [False, True])
async def test_totals_are_those_of_one_plain_pass(redis: Redis, most: int, together: bool) -> None:
    log = shop()
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(most, together=together)
    assert_exact(redis, log)
    assert counted(redis) == {"applied": 60}


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


async def test_a_customer_in_the_wrong_partition_is_sent_home(redis: Redis) -> None:
    log = Log(PARTITIONS)
    stranger, native = names(1, PARTITIONS, 1)[0], names(0, PARTITIONS, 1)[0]
    lost = json.dumps(interaction(stranger, 1)).encode()
    log.append(INTERACTIONS, 0, lost, b"some other key")
    log.publish(INTERACTIONS, interaction(native, 2))
    log.publish(INTERACTIONS, interaction(stranger, 3))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
        await worker.drain()
    assert [r.value for r in log.records[INTERACTIONS, 1]][-1] == lost
    assert log.records[INTERACTIONS, 1][-1].key == b"some other key"
    assert {name: f[0] for name, f in figures(redis).items()} == {stranger: 2, native: 1}
    assert counted(redis) == {"applied": 3, "misplaced": 1}


async def test_dead_letters_are_safe_before_the_offset_moves(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.append(INTERACTIONS, 0, b"{", None)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        worker.kill_at_send = True
        with pytest.raises(Killed):
            await worker.drain()
    assert redis.hgetall("agos:{0}:offsets") == {}
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        worker.kill_after_send = True
        with pytest.raises(Killed):
            await worker.drain()
    assert redis.hgetall("agos:{0}:offsets") == {}
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    assert redis.hget("agos:{0}:offsets", INTERACTIONS) == "1"
    assert [letter["letter_id"] for letter in letters(log)] == ["interactions-0@0"] * 2
    assert counted(redis) == {"rejected:not-json": 1}


BAD = {
    "not JSON": (INTERACTIONS, b"{no", "not-json"),
    "not UTF-8": (INTERACTIONS, b'{"event_id": "\xff\xfe"}', "not-json"),
    "NaN": (
        INTERACTIONS,
        json.dumps(interaction("c", 1) | {"properties": {"price": float("nan")}}).encode(),
        "not-json",
    ),
    "infinite total": (PURCHASES, json.dumps(purchase("c", 1, float("inf"))).encode(), "invalid"),
    "wrong type": (PURCHASES, json.dumps(purchase("c", 1, 1) | {"total": "1"}).encode(), "invalid"),
    "missing field": (
        INTERACTIONS,
        b'{"event_id": "1", "customer_id": "c", "timestamp": 1700000000000}',
        "missing-field",
    ),
    "negative quantity": (
        PURCHASES,
        json.dumps(purchase("c", 1, 5) | {"items": [{"quantity": -1}]}).encode(),
        "negative-quantity",
    ),
    "future": (
        INTERACTIONS,
        json.dumps(interaction("c", 1, 4_000_000_000_000)).encode(),
        "timestamp-in-future",
    ),
    "before 1990": (
        INTERACTIONS,
        json.dumps(interaction("c", 1, 631_151_999_999)).encode(),
        "timestamp-too-old",
    ),
    "1 MB": (INTERACTIONS, b'{"x": "' + b"x" * 1_000_000 + b'"}', "too-large"),
    "currency": (
        PURCHASES,
        json.dumps(purchase("c", 1, 1) | {"currency": "XXX"}).encode(),
        "unknown-currency",
    ),
    "empty customer": (INTERACTIONS, json.dumps(interaction("", 1)).encode(), "invalid"),
    "long customer": (INTERACTIONS, json.dumps(interaction("c" * 300, 1)).encode(), "invalid"),
    "tombstone": (INTERACTIONS, None, "tombstone"),
    "huge trait": (
        PROFILES,
        json.dumps(interaction("c", 1) | {"traits": {"n": 2**70}}).encode(),
        "invalid",
    ),
    "half a surrogate": (
        INTERACTIONS,
        b'{"event_id": "1", "customer_id": "\\ud800", "timestamp": 1700000000000, "name": "x"}',
        "not-json",
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_input_becomes_a_dead_letter_and_nothing_else(redis: Redis, kind: str) -> None:
    topic, value, reason = BAD[kind]
    log = Log(PARTITIONS)
    good = names(1, PARTITIONS, 1)[0]
    event = purchase(good, 7, 3.25)
    if topic == INTERACTIONS:
        event = interaction(good, 7)
    elif topic == PROFILES:
        event = interaction(good, 7) | {"traits": {"age": 3}}
    log.append(topic, 1, value, b"key \xff")
    log.publish(topic, event)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
        assert worker.pipeline.meter.rejected == 1
    (letter,) = letters(log)
    assert (letter["topic"], letter["partition"], letter["offset"]) == (topic, 1, 0)
    assert letter["reason"] == reason
    assert letter["detail"]
    assert base64.b64decode(letter["key"]) == b"key \xff"
    original = None if letter["value"] is None else base64.b64decode(letter["value"])
    assert original == value
    assert {name: f[0] for name, f in figures(redis).items()} == {good: 1}
    assert counted(redis) == {"applied": 1, f"rejected:{reason}": 1}
    assert redis.hget("agos:{1}:offsets", topic) == "2"


async def test_unknown_fields_and_repeated_ids_are_no_errors(redis: Redis) -> None:
    log = Log(PARTITIONS)
    for _ in range(3):
        log.publish(INTERACTIONS, interaction("c0", 1) | {"extra": [1, {"deep": None}]})
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(2)
    assert figures(redis)["c0"][0] == 1
    assert counted(redis) == {"applied": 1, "duplicates": 2}
    assert letters(log) == []


async def test_a_repeated_id_with_a_newer_time_is_counted_once(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    log.publish(INTERACTIONS, interaction("c0", 1, BEGIN_MS + 60_000))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(1)
    assert figures(redis)["c0"][0] == 1


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


async def test_a_late_event_moves_first_seen_everywhere(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    log.publish(INTERACTIONS, interaction("c0", 2, BEGIN_MS - 5_000))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(1)
    assert figures(redis)["c0"][3:] == (BEGIN_MS - 5_000, BEGIN_MS + 1)


async def test_samples_are_sent_after_the_write(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    await worker.pipeline.send_samples()
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
    assert not redis.exists(f"agos:state:{maria}")
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
