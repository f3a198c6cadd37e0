"""What was sent before is known for a day, within a bound of memory."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from stream.settings import Settings
from stream.store import seen as module
from stream.store.seen import SeenEvents

HOUR_NS = 3_600_000_000_000
NUMBERS = [-(2**63), -1, 0, 1, 2**63 - 1, 42]


@pytest.fixture
async def seen(redis_url: str) -> AsyncIterator[SeenEvents]:
    made = SeenEvents(Settings(redis=redis_url))
    yield made
    await made.close()


async def test_what_was_added_is_known_and_nothing_else(seen: SeenEvents):
    assert await seen.known(NUMBERS) == set()
    await seen.add(NUMBERS[:3])
    assert await seen.known(NUMBERS) == set(NUMBERS[:3])
    dice = random.Random(1)
    many = [dice.randrange(-(2**63), 2**63) for _ in range(5_000)]
    await seen.add(many)
    assert await seen.known(many) == set(many)
    assert await seen.known([number ^ 1 for number in many]) & set(many) == set()


async def test_it_is_known_for_a_day_and_gone_after_two(
    seen: SeenEvents, redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    hours = 0
    begun_ns = 1_800_000_000_000_000_000
    monkeypatch.setattr(module.time, "time_ns", lambda: begun_ns + hours * HOUR_NS)
    await seen.add([1])
    for hours in range(1, 25):
        await seen.add([1000 + hours])
        assert await seen.known([1]) == {1}, hours
    for hours in range(25, 49):
        await seen.add([1000 + hours])
    assert await seen.known([1]) == set()
    with Redis.from_url(redis_url) as client:
        assert not any(client.sismember(key, 1) for key in client.scan_iter("agos:seen:*"))


async def test_a_full_set_ends_the_generation_and_memory_is_given_back(
    seen: SeenEvents, redis_url: str
):
    # All in one set, by their last four digits: four generations of it hold 2,000.
    for start in range(0, 6_000, 100):
        await seen.add([number * 10_000 + 7 for number in range(start, start + 100)])
    with Redis.from_url(redis_url, decode_responses=True) as client:
        sets = list(client.scan_iter("agos:seen:*"))
        assert 3 <= len(sets) <= 4
        assert all(client.scard(name) <= 500 for name in sets)
        assert {client.object("encoding", name) for name in sets} == {"intset"}
    recent = [number * 10_000 + 7 for number in range(4_600, 6_000)]
    assert await seen.known(recent) == set(recent)


async def test_a_redis_that_is_away_stops_nobody():
    seen = SeenEvents(Settings(redis="redis://127.0.0.1:1/0"))
    begun = asyncio.get_running_loop().time()
    for _ in range(100):
        assert await seen.known([1]) == set()
        await seen.add([1])
    assert asyncio.get_running_loop().time() - begun < 1
    assert seen.misses == 200
    await seen.close()
