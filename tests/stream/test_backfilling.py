"""A worker that takes up new definitions fills in what their conditions lack, from the log."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import pytest
from redis import Redis

from stream.backfilling import Backfilling
from stream.conditions import Ranks, parse
from stream.defined import Defined
from stream.settings import Settings
from stream.store import keys
from stream.store.marks import digest_of
from stream.store.reader import Reader
from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import Killed, Log, Record, Worker, names

BEGIN_MS = 1_700_000_000_000
DAY = 86_400_000
PARTITIONS = 2
OLD = "version: 1\nsegments:\n  buyers: {when: {did: Order Completed}}\n"
NEW = OLD + "  fans: {when: {did: View, at_least: 3, within: 30d}}\n  ever: {when: {did: View}}\n"
NEWER = NEW + "  seekers: {when: {did: Search, at_least: 2}}\n"


class Source:
    """The fake log as the backfill reads it; a record was written when its event happened."""

    def __init__(self, log: Log) -> None:
        self.log, self.read = log, 0

    async def first(self, topic: str, partition: int) -> int:
        return self.log.expired.get((topic, partition), 0)

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        # As if all of it had been written just now: history that was replayed.
        return await self.first(topic, partition)

    async def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        stretch = [r for r in self.log.records.get((topic, partition), []) if r.offset < end]
        stretch = [r for r in stretch if r.offset >= begin]
        self.read += len(stretch)
        if stretch:
            yield [Stamped(record) for record in stretch]


class Stamped:
    def __init__(self, record: Record) -> None:
        self.value, self.offset = record.value, record.offset
        self.timestamp = json.loads(record.value or b"")["timestamp"]


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def log() -> Log:
    return Log(PARTITIONS)


@pytest.fixture
def config(redis_url: str) -> Settings:
    return Settings(redis=redis_url, partitions=PARTITIONS, clock="events")


def defined(text: str, before: Defined | None = None) -> Defined:
    found = parse(text, "test.yaml")
    return Defined(found.after(before.definitions) if before else found, Ranks())


def take_up(worker: Worker, text: str) -> None:
    worker.pipeline.defined = defined(text, worker.pipeline.defined)


def happened(log: Log, customer: str, day: float, name: str) -> None:
    number = sum(len(records) for records in log.records.values())
    one = {
        "event_id": f"e{number}", "customer_id": customer, "name": name,
        "timestamp": BEGIN_MS + round(day * DAY),
    }  # fmt: skip
    log.publish(INTERACTIONS, one)


def ordered(log: Log, customer: str, day: float) -> None:
    one = {
        "event_id": f"o{day}", "customer_id": customer, "timestamp": BEGIN_MS + round(day * DAY),
        "order_id": "o", "total": 5, "currency": "USD",
    }  # fmt: skip
    log.publish(PURCHASES, one)


async def finish(backfilling: Backfilling) -> int:
    """Steps until there is nothing more to do; customers filled in."""
    total = 0
    for _ in range(10):
        filled = await backfilling.step()
        total += filled
    return total


def members(redis: Redis, segment: str) -> set[str]:
    return set(redis.zrange(keys.members(segment), 0, -1))


def complete(redis: Redis) -> Mapping[str, float]:
    with Reader(Settings(redis=url_of(redis))) as reader:
        return {segment.id: segment.complete for segment in reader.segment_list()}


def url_of(redis: Redis) -> str:
    options = redis.connection_pool.connection_kwargs
    return f"redis://{options['host']}:{options['port']}/{options.get('db', 0)}"


def counted(worker: Worker, customer: str) -> list[int]:
    """How many timestamps each state of a customer holds, of those that hold any."""
    for segmenter in worker.pipeline.segmenters.values():
        table = segmenter.table
        if customer in table.index:
            states = table.extra[table.index[customer]].memory["s"].values()
            return sorted(len(state) for state in states if isinstance(state, list))
    raise KeyError(customer)


async def start(
    worker: Worker, text: str, source: Source | None = None
) -> tuple[Backfilling, Source]:
    await worker.assign()
    worker.pipeline.defined = defined(text)
    source = source or Source(worker.log)
    backfilling = Backfilling(worker.store, worker.pipeline, source, lambda: False, lambda: False)
    await backfilling.learn()
    return backfilling, source


async def test_a_new_condition_knows_what_happened_before_it(
    redis: Redis, log: Log, config: Settings
):
    (fan, idle), (other,) = names(0, PARTITIONS, 2), names(1, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        backfilling, source = await start(worker, OLD)
        for day in (1, 2):
            happened(log, fan, day, "View")
        for day in (0, 1, 2):
            happened(log, idle, day, "View")
        happened(log, other, 3, "Search")
        await worker.drain()
        assert await finish(backfilling) == 0
        assert (source.read, complete(redis)) == (0, {"buyers": 1.0})
        take_up(worker, NEW)
        # The third view of the one comes after the new file; the other is idle.
        happened(log, fan, 4, "View")
        await worker.drain()
        assert members(redis, "fans") == set()
        assert members(redis, "ever") == {fan}
        assert await finish(backfilling) == 3
        assert members(redis, "fans") == members(redis, "ever") == {fan, idle}
        changes = [f for _, f in redis.xrange(keys.CHANGES) if f["segment"] == "fans"]
        assert {(f["customer"], f["cause"]) for f in changes} == {
            (fan, "definition"), (idle, "definition"),
        }  # fmt: skip
        # Nothing counts twice.
        assert counted(worker, fan) == [2, 3]
        assert set(complete(redis).values()) == {1.0}
        read = source.read
        # All of the one partition, for the idle one was looked at after it, and one of the other.
        assert read == 7
        assert await finish(backfilling) == 0
        assert source.read == read


async def test_until_it_is_filled_in_segments_say_how_complete_they_are(
    redis: Redis, log: Log, config: Settings
):
    crowd = names(0, PARTITIONS, 150)
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        for customer in crowd:
            happened(log, customer, 1, "View")
        await worker.drain()
        await finish(backfilling)
        take_up(worker, NEW)
        worker.store.kill_before_apply = True
        with pytest.raises(Killed):
            await backfilling.step()
        assert complete(redis) == {"buyers": 1.0, "fans": 0.0, "ever": 0.0}
        worker.store.kill_before_apply = False
        # A hundred are written at once: the worker dies behind the first hundred.
        await worker.assign()
        worker.store.before_apply = kill_next(worker)
        with pytest.raises(Killed):
            await backfilling.step()
        assert len(members(redis, "ever")) == 100
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, NEW)
        assert await finish(backfilling) == 50
        assert members(redis, "ever") == set(crowd)
        assert complete(redis) == {"buyers": 1.0, "fans": 1.0, "ever": 1.0}
        for customer in crowd[:2]:
            happened(log, customer, 2, "View")
            happened(log, customer, 3, "View")
        await worker.drain()
        assert members(redis, "fans") == set(crowd[:2])
        assert counted(worker, crowd[0]) == [2, 3]


def kill_next(worker: Worker) -> Any:
    async def later() -> None:
        async def now() -> None:
            worker.store.kill_before_apply = True

        worker.store.before_apply = now

    return later


async def test_another_worker_goes_on_with_it(redis: Redis, log: Log, config: Settings):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        await start(worker, OLD)
        for day in (1, 2):
            happened(log, fan, day, "View")
        await worker.drain()
        take_up(worker, NEW)
        happened(log, fan, 4, "View")
        await worker.drain()
    # It stops before anything was filled in; the next one knows nothing but what is stored.
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, NEW)
        assert await finish(backfilling) == 1
        assert members(redis, "fans") == {fan}


async def test_a_second_file_before_the_first_one_is_filled_in(
    redis: Redis, log: Log, config: Settings
):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        happened(log, fan, 1, "View")
        happened(log, fan, 1, "Search")
        await worker.drain()
        for text, day in ((NEW, 2), (NEWER, 3)):
            take_up(worker, text)
            happened(log, fan, day, "View")
            await worker.drain()
        happened(log, fan, 4, "Search")
        await worker.drain()
        assert members(redis, "fans") == members(redis, "seekers") == set()
        assert await finish(backfilling) == 1
        # Three views, of which two were counted live, and two searches.
        assert members(redis, "fans") == members(redis, "seekers") == {fan}
        assert counted(worker, fan) == [2, 2, 3]


async def test_a_file_that_goes_back_and_comes_again(redis: Redis, log: Log, config: Settings):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        for day, text in enumerate((NEW, OLD, NEW), 1):
            happened(log, fan, day, "View")
            await worker.drain()
            take_up(worker, text)
        assert await finish(backfilling) == 1
        assert members(redis, "fans") == {fan}
        assert counted(worker, fan) == [2, 3]


async def test_nobody_enters_before_the_past_is_known_to_leave_again(
    redis: Redis, log: Log, config: Settings
):
    fan, silent = names(0, PARTITIONS, 2)
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        happened(log, fan, 1, "View")
        happened(log, silent, 1, "Search")
        await worker.drain()
        take_up(worker, OLD + "  quiet: {when: {did_not: View, within: 30d}}\n")
        happened(log, fan, 2, "Search")
        await worker.drain()
        await worker.pipeline.review({0: [fan, silent]}, "definition")
        assert members(redis, "quiet") == set()
        assert await finish(backfilling) == 2
        assert members(redis, "quiet") == {silent}
        changes = [f for _, f in redis.xrange(keys.CHANGES) if f["segment"] == "quiet"]
        assert [f["customer"] for f in changes] == [silent]


async def test_events_that_come_during_the_backfill_count_once(
    redis: Redis, log: Log, config: Settings
):
    fan, idle = names(0, PARTITIONS, 2)
    async with Worker(log, config) as worker:

        class Interrupted(Source):
            async def records(
                self, topic: str, partition: int, begin: int, end: int
            ) -> AsyncIterator[Sequence[Any]]:
                async for records in super().records(topic, partition, begin, end):
                    happened(log, fan, 3, "View")
                    await worker.drain()
                    yield records

        backfilling, _ = await start(worker, OLD, Interrupted(log))
        for customer in (fan, idle):
            for day in (1, 2):
                happened(log, customer, day, "View")
        await worker.drain()
        take_up(worker, NEW)
        assert await finish(backfilling) == 2
        assert members(redis, "fans") == {fan}
        assert counted(worker, fan) == [2, 3]
        assert counted(worker, idle) == [2, 2]


async def test_who_lost_the_partition_meanwhile_fills_in_nothing(
    redis: Redis, log: Log, config: Settings
):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker, Worker(log, config) as other:

        class Interrupted(Source):
            async def records(
                self, topic: str, partition: int, begin: int, end: int
            ) -> AsyncIterator[Sequence[Any]]:
                async for records in super().records(topic, partition, begin, end):
                    backfilling, _ = await start(other, NEW)
                    assert await finish(backfilling) == 1
                    yield records

        backfilling, _ = await start(worker, OLD, Interrupted(log))
        for day in (1, 2, 3):
            happened(log, fan, day, "View")
        await worker.drain()
        take_up(worker, NEW)
        await backfilling.step()
        happened(log, fan, 4, "View")
        await other.drain()
        assert counted(other, fan) == [2, 4]


async def test_what_the_log_has_lost_stays_incomplete(redis: Redis, log: Log, config: Settings):
    fan, other = names(0, PARTITIONS, 2)
    async with Worker(log, config) as worker:
        backfilling, source = await start(worker, OLD)
        for day in (1, 2, 3, 4):
            happened(log, fan, day, "View")
        await worker.drain()
        log.expire((INTERACTIONS, 0), 1)
        take_up(worker, NEW)
        assert await finish(backfilling) == 1
        # What there is is filled in.
        assert members(redis, "fans") == {fan}
        assert complete(redis) == {"buyers": 1.0, "fans": 0.0, "ever": 0.0}
        read = source.read
        assert (await finish(backfilling), source.read) == (0, read)
        happened(log, other, 5, "View")
        await worker.drain()
    # That nobody has bought is known all the same, also after a start with other definitions.
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        await finish(backfilling)
        assert complete(redis)["buyers"] == 1.0


async def test_customers_of_a_new_shop_lack_nothing(redis: Redis, log: Log, config: Settings):
    async with Worker(log, config) as worker:
        backfilling, source = await start(worker, NEW)
        one = {
            "event_id": "p", "customer_id": "bob", "timestamp": BEGIN_MS, "traits": {"age": 3},
        }  # fmt: skip
        log.publish(PROFILES, one)
        happened(log, "ann", 1, "View")
        ordered(log, "ann", 2)
        await worker.drain()
        assert await finish(backfilling) == 0
        assert members(redis, "ever") == members(redis, "buyers") == {"ann"}
        assert (source.read, set(complete(redis).values())) == (0, {1.0})


@pytest.mark.parametrize("clock", ["events", "wall"])
async def test_who_came_with_a_profile_lacks_nothing(
    redis: Redis, log: Log, redis_url: str, clock: Any
):
    config = Settings(redis=redis_url, partitions=PARTITIONS, clock=clock)
    async with Worker(log, config) as worker:
        backfilling, source = await start(worker, NEW)
        one = {
            "event_id": "p", "customer_id": "bob", "timestamp": BEGIN_MS, "traits": {"age": 3},
        }  # fmt: skip
        log.publish(PROFILES, one)
        await worker.drain()
        happened(log, "bob", 1, "View")
        await worker.drain()
        assert (await finish(backfilling), source.read) == (0, 0)
        assert members(redis, "ever") == {"bob"}


async def test_customers_from_before_there_were_any_definitions(
    redis: Redis, log: Log, config: Settings
):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        backfilling, _ = await start(worker, OLD)
        worker.pipeline.defined = None
        for day in (1, 2, 3):
            happened(log, fan, day, "View")
        ordered(log, fan, 4)
        await worker.drain()
        assert await backfilling.step() == 0
        take_up(worker, NEW)
        assert await finish(backfilling) == 1
        assert members(redis, "fans") == members(redis, "ever") == members(redis, "buyers") == {fan}


async def test_what_the_forgotten_did_before_stays_forgotten(
    redis: Redis, log: Log, config: Settings
):
    (fan,) = names(0, PARTITIONS, 1)
    async with Worker(log, config) as worker:
        for day in (1, 2):
            happened(log, fan, day, "View")
        redis.hset(keys.FORGOTTEN, digest_of(fan), BEGIN_MS + 2 * DAY)
        happened(log, fan, 3, "View")
        backfilling, source = await start(worker, OLD)
        await worker.drain()
        take_up(worker, NEW)
        happened(log, fan, 4, "View")
        await worker.drain()
        assert (await finish(backfilling), source.read) == (1, 3)
        assert counted(worker, fan) == [2, 2]
        assert (members(redis, "fans"), members(redis, "ever")) == (set(), {fan})
