"""Defined segments in the worker: written with the state, ended by time, changed by a new file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stream import review
from stream.conditions import Ranks, parse
from stream.defined import Defined
from stream.definitions import DefinitionsFile
from stream.settings import Settings
from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import Log, Worker, names

BEGIN_MS = 1_700_000_000_000
SECOND = 1_000
PARTITIONS = 2
HOT_CART = """
version: 1
segments:
  hot_cart:
    kind: intent
    when:
      all:
        - {did: Product Added, within: 3s}
        - {did_not: Order Completed, within: 3s}
  adults:
    when: {trait: age, at_least: 18}
  secret:
    shadow: true
    when: {did: Product Added, at_least: 1}
"""
OLDER = HOT_CART.replace("at_least: 18", "at_least: 40")


def defined(text: str = HOT_CART, before: Defined | None = None) -> Defined:
    definitions = parse(text, "test.yaml")
    return Defined(definitions.after(before.definitions) if before else definitions, Ranks())


@pytest.fixture
def log() -> Log:
    return Log(PARTITIONS)


@pytest.fixture
def config(redis_url: str) -> Settings:
    return Settings(redis=redis_url, partitions=PARTITIONS, clock="events")


@pytest.fixture
async def worker(log: Log, config: Settings) -> AsyncIterator[Worker]:
    async with Worker(log, config) as worker:
        await worker.assign()
        worker.pipeline.defined = defined()
        yield worker


def event(customer: str, after_ms: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"{customer}-{after_ms}-{sorted(fields)}",
        "customer_id": customer,
        "timestamp": BEGIN_MS + after_ms,
        **fields,
    }


def added(customer: str, after_ms: int) -> dict[str, Any]:
    return event(customer, after_ms, name="Product Added")


def ordered(customer: str, after_ms: int) -> dict[str, Any]:
    return event(customer, after_ms, order_id="o", total=5, currency="USD")


def turns(redis: Redis, customer: str) -> list[tuple[str, str, str, int]]:
    return [
        (f["segment"], f["change"], f["cause"], int(f["at"]) - BEGIN_MS)
        for _, f in redis.xrange("agos:changes")
        if f["customer"] == customer
    ]


async def test_an_event_enters_and_an_order_ends_it(redis: Redis, log: Log, worker: Worker) -> None:
    log.publish(INTERACTIONS, added("maria", 0))
    await worker.drain()
    found = redis.hgetall("agos:customer:maria")
    assert found["segments"] == "hot_cart"
    assert int(found["due_at"]) == BEGIN_MS + 3 * SECOND
    assert found["definitions_version"] == defined().definitions.version
    assert redis.zscore("agos:segment:hot_cart:members", "maria") == BEGIN_MS
    log.publish(PURCHASES, ordered("maria", 1_000))
    await worker.drain()
    assert turns(redis, "maria") == [
        ("hot_cart", "entered", "event", 0),
        ("hot_cart", "left", "event", 1_000),
    ]
    assert redis.hget("agos:customer:maria", "segments") == ""


async def test_time_ends_it_at_the_exact_moment_although_it_is_noticed_later(
    redis: Redis, log: Log, worker: Worker
) -> None:
    maria, other = names(0, PARTITIONS, 2)
    log.publish(INTERACTIONS, added(maria, 0))
    # Another customer of the partition moves its clock on.
    log.publish(INTERACTIONS, added(other, 2_999))
    await worker.drain()
    assert await worker.pipeline.due(0) == 0
    log.publish(INTERACTIONS, added(other, 5_500))
    await worker.drain()
    assert redis.zrange("agos:{0}:due", 0, -1) == [maria, other]
    assert await worker.pipeline.due(0) == 1
    assert turns(redis, maria)[1:] == [("hot_cart", "left", "time", 3_000)]
    assert redis.zrange("agos:{0}:due", 0, -1) == [other]
    assert await worker.pipeline.due(0) == 0


async def test_the_timer_asks_who_is_due_only_when_somebody_may_be(
    redis: Redis, log: Log, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "_ASK_SECONDS", 3_600.0)
    timer = review.Timer(worker.store, worker.pipeline)
    maria, other = names(0, PARTITIONS, 2)
    log.publish(INTERACTIONS, added(maria, 0))
    log.publish(INTERACTIONS, added(other, 2_999))
    await worker.drain()
    assert await timer.step() == 0
    asked = redis.info("commandstats")["cmdstat_zrange"]["calls"]
    assert await timer.step() == 0
    assert redis.info("commandstats")["cmdstat_zrange"]["calls"] == asked
    log.publish(INTERACTIONS, added(other, 5_500))
    await worker.drain()
    assert await timer.step() == 1
    assert turns(redis, maria)[1:] == [("hot_cart", "left", "time", 3_000)]
    assert await timer.step() == 0


async def test_the_timer_finds_what_another_worker_wrote_before(
    redis: Redis, log: Log, config: Settings, worker: Worker
) -> None:
    maria = names(0, PARTITIONS, 1)[0]
    log.publish(INTERACTIONS, added(maria, 0))
    await worker.drain()
    async with Worker(log, config) as heir:
        heir.pipeline.defined = defined()
        timer = review.Timer(heir.store, heir.pipeline)
        assert await timer.step() == 0
        await heir.assign()
        heir.pipeline.segmenters[0].newest_ms = BEGIN_MS + 3_000
        assert await timer.step() == 1
    assert turns(redis, maria)[1:] == [("hot_cart", "left", "time", 3_000)]


async def test_what_ended_before_the_next_event_ends_first(
    redis: Redis, log: Log, worker: Worker
) -> None:
    log.publish(INTERACTIONS, added("maria", 0))
    log.publish(INTERACTIONS, added("maria", 10_000))
    await worker.drain()
    assert turns(redis, "maria") == [
        ("hot_cart", "entered", "event", 0),
        ("hot_cart", "left", "time", 3_000),
        ("hot_cart", "entered", "event", 10_000),
    ]


async def test_a_shadow_segment_is_counted_and_not_published(
    redis: Redis, log: Log, worker: Worker
) -> None:
    log.publish(INTERACTIONS, added("maria", 0))
    await worker.drain()
    assert redis.zcard("agos:segment:secret:members") == 1
    assert "secret" not in redis.hget("agos:customer:maria", "segments")
    assert [segment for segment, *_ in turns(redis, "maria")] == ["hot_cart"]


async def test_another_worker_goes_on_with_the_memory(
    redis: Redis, log: Log, config: Settings, worker: Worker
) -> None:
    log.publish(INTERACTIONS, added("maria", 0))
    await worker.drain()
    async with Worker(log, config) as heir:
        await heir.assign()
        heir.pipeline.defined = defined()
        log.publish(PURCHASES, ordered("maria", 500))
        await heir.drain()
    assert turns(redis, "maria")[-1] == ("hot_cart", "left", "event", 500)


async def test_new_definitions_leave_no_old_members_behind(
    redis: Redis, log: Log, worker: Worker
) -> None:
    maria = names(0, PARTITIONS, 1)[0]
    log.publish(PROFILES, event(maria, 0, traits={"age": 30}))
    await worker.drain()
    assert redis.hget(f"agos:customer:{maria}", "segments") == "adults"
    worker.pipeline.defined = defined(OLDER, before=worker.pipeline.defined)
    await worker.pipeline.review({0: [maria]}, "definition")
    assert turns(redis, maria)[-1][:3] == ("adults", "left", "definition")
    assert redis.zcard("agos:segment:adults:members") == 0
    assert redis.hget(f"agos:customer:{maria}", "segments") == ""


async def test_a_customer_from_before_the_definitions_is_not_taken_for_a_new_one(
    redis: Redis, log: Log, worker: Worker
) -> None:
    worker.pipeline.defined = None
    log.publish(PURCHASES, ordered("maria", 0))
    await worker.drain()
    never_bought = "version: 1\nsegments:\n  browsers:\n    when: {did_not: Order Completed}\n"
    worker.pipeline.defined = defined(never_bought)
    log.publish(INTERACTIONS, added("maria", 1_000))
    await worker.drain()
    (row,) = [
        worker.pipeline.segmenters[p].table
        for p in range(PARTITIONS)
        if "maria" in worker.pipeline.segmenters[p].table.index
    ]
    memory = row.extra[row.index["maria"]].memory
    assert worker.pipeline.defined.definitions.incomplete(memory) == {"browsers"}


async def test_a_new_percentile_is_known_after_a_pass_and_followed_by_the_next(
    redis: Redis, log: Log, worker: Worker, tmp_path: Path
) -> None:
    # So few in the first one that the second finds no percentiles yet.
    everybody = [*names(0, PARTITIONS, 10), *names(1, PARTITIONS, 30)]
    for i, name in enumerate(everybody):
        log.publish(PURCHASES, event(name, i, order_id="o", total=i + 1, currency="USD"))
    await worker.drain()
    path = tmp_path / "segments.yaml"
    path.write_text(
        "version: 1\nsegments:\n  best: {when: {measure: spend, percentile_at_least: 90}}\n"
    )
    file = DefinitionsFile(path)
    worker.pipeline.defined = file.load()
    parts = {0: everybody[:10], 1: everybody[10:]}
    await worker.look_at(parts, "definition")
    assert redis.zcard("agos:segment:best:members") == 0
    assert file.turn_over()
    await worker.look_at(parts, "definition")
    # Of 40 the 36th is the first of whom 90 % spent as much or less.
    assert set(redis.zrange("agos:segment:best:members", 0, -1)) == set(everybody[35:])
    assert not file.turn_over()
    assert await worker.look_at(parts, "time") == 0
    file.turn_over()
    # Others overtake them, who do nothing themselves.
    for i, name in enumerate(everybody[:5]):
        log.publish(PURCHASES, event(name, 100 + i, order_id="o", total=100, currency="USD"))
    await worker.drain()
    await worker.look_at(parts, "time")
    file.turn_over()
    await worker.look_at(parts, "time")
    assert set(redis.zrange("agos:segment:best:members", 0, -1)) == set(everybody[:5])
    assert turns(redis, everybody[35])[-1][:3] == ("best", "left", "time")


def test_a_changed_file_is_taken_up_and_a_bad_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    path.write_text(HOT_CART)
    file = DefinitionsFile(path)
    first = file.load().definitions.version
    assert file.changed() is None
    path.write_text(HOT_CART + "  broken: {when: {didd: x}}\n")
    assert file.changed() is None
    assert file.defined is not None
    assert file.defined.definitions.version == first
    path.write_text(OLDER + "\n")
    newer = file.changed()
    assert newer is not None
    assert newer.definitions.version != first
    path.unlink()
    assert file.changed() is None
