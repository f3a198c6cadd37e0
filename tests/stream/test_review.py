"""Clusters in the write of an event, and second looks at customers without one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from redis import Redis

from models.snapshot import Segment, Snapshot
from stream.features import NAMES
from stream.review import Review
from stream.settings import Settings
from stream.topics import INTERACTIONS, PURCHASES
from tests.stream.fake_log import Log, Worker, names

BEGIN_MS = 1_700_000_000_000
PARTITIONS = 2
_ORDERS = NAMES.index("order_value")


def model(version: int, frugal: int, generous: int, border: float = 2.0) -> Snapshot:
    """Two segments that differ in the value of an order only: around 0 and 2 x `border`."""

    def segment(number: int, order_value: float) -> Segment:
        at = tuple(order_value if i == _ORDERS else 0.0 for i in range(len(NAMES)))
        return Segment(number, at, f"name {number}", f"sentence {number}", 0.5, ())

    return Snapshot(
        version=version,
        features=NAMES,
        mean=np.zeros(len(NAMES)),
        # Everything else weighs nothing.
        scale=np.array([1.0 if i == _ORDERS else 1e9 for i in range(len(NAMES))]),
        segments=(segment(frugal, 0.0), segment(generous, 2 * border)),
        trained_on=100,
        logged=(False,) * len(NAMES),
    )


@pytest.fixture
def config(redis_url: str) -> Settings:
    return Settings(redis=redis_url, partitions=PARTITIONS, clock="events")


@pytest.fixture
def log() -> Log:
    return Log(PARTITIONS)


@pytest.fixture
async def worker(log: Log, config: Settings) -> AsyncIterator[Worker]:
    async with Worker(log, config) as worker:
        await worker.assign()
        yield worker


def purchase(customer: str, number: int, total: float) -> dict[str, Any]:
    return {
        "event_id": f"p{number}",
        "customer_id": customer,
        "timestamp": BEGIN_MS + number,
        "order_id": "o",
        "total": total,
        "currency": "USD",
    }


def changes(redis: Redis, customer: str) -> list[tuple[str, str, str, int]]:
    return [
        (f["change"], f["segment"], f["cause"], int(f["at"]))
        for _, f in redis.xrange("agos:changes")
        if f["customer"] == customer
    ]


def members(redis: Redis, segment: int) -> dict[str, int]:
    found = redis.zrange(f"agos:segment:cluster-{segment}:members", 0, -1, withscores=True)
    return {customer: int(at) for customer, at in found}


async def passed(review: Review) -> int:
    steps = 0
    while review.under_way:
        await review.step()
        steps += 1
    return steps


async def test_without_a_model_a_customer_is_unassigned(
    redis: Redis, log: Log, worker: Worker
) -> None:
    log.publish(PURCHASES, purchase("c0", 1, 5))
    await worker.drain()
    found = redis.hgetall("agos:customer:c0")
    assert (found["cluster"], found["cluster_name"], found["segments"]) == ("UNASSIGNED", "", "")
    assert found["model_version"] == "0"
    assert changes(redis, "c0") == []


async def test_an_event_moves_its_customer(redis: Redis, log: Log, worker: Worker) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    log.publish(PURCHASES, purchase("c0", 1, 0.1))
    await worker.drain()
    first = redis.hgetall("agos:customer:c0")
    assert (first["cluster"], first["cluster_name"]) == ("cluster-10", "name 10")
    assert (first["segments"], first["version"]) == ("cluster-10", "1")
    log.publish(PURCHASES, purchase("c0", 2, 9))
    await worker.drain()
    second = redis.hgetall("agos:customer:c0")
    assert (second["cluster"], second["cluster_name"]) == ("cluster-20", "name 20")
    assert (second["segments"], second["version"]) == ("cluster-20", "2")
    assert 0.5 < float(second["confidence"]) <= 1
    assert changes(redis, "c0") == [
        ("entered", "cluster-10", "event", BEGIN_MS + 1),
        ("left", "cluster-10", "event", BEGIN_MS + 2),
        ("entered", "cluster-20", "event", BEGIN_MS + 2),
    ]
    assert (members(redis, 10), members(redis, 20)) == ({}, {"c0": BEGIN_MS + 2})
    assert all(f["reason"] for _, f in redis.xrange("agos:changes"))


async def test_going_back_at_the_same_time_is_another_change(
    redis: Redis, log: Log, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    for number, total in enumerate((0.1, 20, -19.9)):
        log.publish(PURCHASES, purchase("c0", number, total) | {"timestamp": BEGIN_MS})
        await worker.drain()
    assert [c[:2] for c in changes(redis, "c0")] == [
        ("entered", "cluster-10"),
        ("left", "cluster-10"),
        ("entered", "cluster-20"),
        ("left", "cluster-20"),
        ("entered", "cluster-10"),
    ]
    ids = [f["change_id"] for _, f in redis.xrange("agos:changes")]
    assert len(set(ids)) == 5


async def test_the_same_history_has_the_same_change_ids(
    redis: Redis, log: Log, config: Settings
) -> None:
    for number in range(20):
        log.publish(PURCHASES, purchase(f"c{number % 4}", number, number))
    found = []
    for _ in range(2):
        redis.flushall()
        async with Worker(log, config) as worker:
            worker.pipeline.snapshot = model(1, 10, 20)
            await worker.assign()
            await worker.drain(3)
        found.append({f["change_id"] for _, f in redis.xrange("agos:changes")})
    assert found[0] == found[1] != set()


async def test_idle_customers_are_looked_at_once_after_a_change_of_structure(
    redis: Redis, log: Log, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    customers = names(0, PARTITIONS, 300) + names(1, PARTITIONS, 300)
    for number, customer in enumerate(customers):
        log.publish(PURCHASES, purchase(customer, number, 9 if number % 2 else 0.1))
    await worker.drain()
    review = Review(worker.store, worker.pipeline)
    await review.step()
    assert not review.under_way
    worker.pipeline.snapshot = model(2, 30, 40)
    review.request()
    assert await passed(review) >= 2
    assert len(members(redis, 30)) == len(members(redis, 40)) == 300
    assert members(redis, 10) == members(redis, 20) == {}
    odd = customers[1]
    newest = max(at for _, at in members(redis, 40).items())
    assert changes(redis, odd)[1:] == [
        ("left", "cluster-20", "model", members(redis, 40)[odd]),
        ("entered", "cluster-40", "model", members(redis, 40)[odd]),
    ]
    # The clock is the newest event of the customer's partition.
    assert BEGIN_MS + 298 <= newest <= BEGIN_MS + 599
    found = redis.hgetall(f"agos:customer:{odd}")
    assert (found["cluster"], found["version"], found["events"]) == ("cluster-40", "2", "1")
    assert found["source"].startswith("purchases-")
    before = redis.xlen("agos:changes")
    review.request()
    await passed(review)
    assert redis.xlen("agos:changes") == before


async def test_a_fresh_worker_without_events_knows_the_time(
    redis: Redis, log: Log, config: Settings, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    log.publish(PURCHASES, purchase("c0", 5, 9))
    await worker.drain()
    async with Worker(log, config) as heir:
        await heir.assign()
        heir.pipeline.snapshot = model(2, 30, 40)
        review = Review(heir.store, heir.pipeline)
        review.request()
        await passed(review)
    assert members(redis, 40) == {"c0": BEGIN_MS + 5}


async def test_a_request_during_a_pass_is_another_pass(worker: Worker, log: Log) -> None:
    review = Review(worker.store, worker.pipeline)
    review.request()
    assert await passed(review) == 1
    review.request()
    review.request()
    assert await passed(review) == 2


async def test_customers_of_others_are_left_to_them(
    redis: Redis, log: Log, config: Settings, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    mine, theirs = names(0, PARTITIONS, 1)[0], names(1, PARTITIONS, 1)[0]
    for number, customer in enumerate((mine, theirs)):
        log.publish(PURCHASES, purchase(customer, number, 9))
    await worker.drain()
    await worker.assign([0])
    worker.pipeline.snapshot = model(2, 30, 40)
    review = Review(worker.store, worker.pipeline)
    review.request()
    await passed(review)
    assert set(members(redis, 40)) == {mine}
    assert set(members(redis, 20)) == {theirs}


async def test_a_customer_named_twice_changes_once(redis: Redis, log: Log, worker: Worker) -> None:
    """SCAN may give a key more than once."""
    worker.pipeline.snapshot = model(1, 10, 20)
    customer = names(0, PARTITIONS, 1)[0]
    log.publish(PURCHASES, purchase(customer, 1, 9))
    await worker.drain()
    worker.pipeline.snapshot = model(2, 30, 40)
    assert await worker.pipeline.review({0: [customer, customer]}, "model") == 1
    assert [change[:2] for change in changes(redis, customer)[1:]] == [
        ("left", "cluster-20"),
        ("entered", "cluster-40"),
    ]


async def test_who_stays_as_it_is_does_not_hold_up_its_partition(
    redis: Redis, log: Log, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    customer = names(0, PARTITIONS, 1)[0]
    log.publish(PURCHASES, purchase(customer, 1, 9))
    await worker.drain()
    async with worker.pipeline._lock(0):  # noqa: SLF001
        # As while a batch is applied.
        looking = worker.look_at({0: [customer]}, "model")
        assert await asyncio.wait_for(looking, 10) == 0
        worker.pipeline.snapshot = model(2, 30, 40)
        looking = worker.look_at({0: [customer]}, "model")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(looking, 0.2)
    assert await worker.look_at({0: [customer]}, "model") == 1
    assert set(members(redis, 40)) == {customer}


async def test_a_review_of_a_state_that_is_not_the_newest_changes_nothing(
    redis: Redis, log: Log, config: Settings, worker: Worker
) -> None:
    customer = names(0, PARTITIONS, 1)[0]
    log.publish(PURCHASES, purchase(customer, 1, 0.1))
    await worker.drain()
    async with Worker(log, config) as heir:
        await heir.assign()
        log.publish(PURCHASES, purchase(customer, 2, 9))
        await heir.drain()
        worker.pipeline.snapshot = model(1, 10, 20)
        await worker.pipeline.review({0: [customer]}, "model")
    assert redis.hget(f"agos:customer:{customer}", "events") == "2"
    assert changes(redis, customer) == []
    assert worker.pipeline.meter.misses == 1


async def test_a_new_name_of_a_segment_reaches_its_customers(
    redis: Redis, log: Log, worker: Worker
) -> None:
    worker.pipeline.snapshot = model(1, 10, 20)
    log.publish(PURCHASES, purchase("c0", 1, 9))
    await worker.drain()
    renamed = model(2, 10, 20)
    segments = tuple(
        Segment(s.id, s.centroid, f"new {s.id}", s.sentence, s.weight, ()) for s in renamed.segments
    )
    worker.pipeline.snapshot = Snapshot(
        version=2, features=NAMES, mean=renamed.mean, scale=renamed.scale, segments=segments,
        trained_on=100, logged=renamed.logged,
    )  # fmt: skip
    log.publish(INTERACTIONS, purchase("c0", 2, 9) | {"name": "Product Viewed"})
    await worker.drain()
    found = redis.hgetall("agos:customer:c0")
    assert (found["model_version"], found["cluster_name"]) == ("2", "new 20")
