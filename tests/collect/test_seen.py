"""What was sent before is known for a day, within a bound of memory."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from stream.settings import Settings
from stream.store.seen import SeenEvents

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


async def test_numbers_are_found_only_where_they_begin(seen: SeenEvents):
    # Of one field; the last six bytes of the first two hold those of the third across them.
    first, second = 0x0001_010203040506, 0x0001_0708090A0B0C
    across = 0x0001_040506070809
    await seen.add([first, second])
    assert await seen.known([across, second, first]) == {first, second}
    await seen.add([across, across])
    assert await seen.known([across]) == {across}


async def test_a_field_keeps_its_newest_and_memory_is_bounded(seen: SeenEvents, redis_url: str):
    many = [7 * 2**48 + number for number in range(1_000)]
    for start in range(0, len(many), 100):
        await seen.add(many[start : start + 100])
    assert await seen.known(many) == set(many[-340:])
    with Redis.from_url(redis_url) as client:
        assert client.hstrlen("agos:seen", "\0\7") == 340 * 6


async def test_what_nobody_adds_to_is_kept_for_more_than_a_day_and_then_given_back(
    seen: SeenEvents, redis_url: str
):
    await seen.add([1])
    with Redis.from_url(redis_url) as client:
        assert 47 * 3600 < client.ttl("agos:seen") <= 48 * 3600


async def test_a_redis_that_is_away_stops_nobody():
    seen = SeenEvents(Settings(redis="redis://127.0.0.1:1/0"))
    begun = asyncio.get_running_loop().time()
    for _ in range(100):
        assert await seen.known([1]) == set()
        await seen.add([1])
    assert asyncio.get_running_loop().time() - begun < 1
    assert seen.misses == 200
    await seen.close()
