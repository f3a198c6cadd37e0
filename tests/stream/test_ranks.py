"""Two workers with half of the partitions each know the percentiles of all customers."""

import pytest
from redis import Redis

from stream.conditions import Ranks
from stream.settings import Settings
from stream.store import keys
from stream.store.ranks import KEPT_SECONDS, share_ranks, stored_ranks
from stream.store.store import Store

SPEND = ("spend", None)


def worker(partition: int, values: range) -> Ranks:
    ranks = Ranks()
    for value in values:
        ranks.add([(SPEND, value)], partition)
    ranks.turn_over()
    return ranks


async def test_each_learns_what_the_other_has(redis_url: str):
    settings = Settings(redis=redis_url)
    store = Store(settings)
    try:
        poor, rich = worker(0, range(100)), worker(1, range(100, 200))
        assert poor.rank(*SPEND, 99) == 100
        await share_ranks(store, poor)
        await share_ranks(store, rich)
        await share_ranks(store, poor)
        for ranks in (poor, rich, stored_ranks(settings)):
            assert ranks.rank(*SPEND, 99) == pytest.approx(50)
            assert ranks.rank(*SPEND, 149) == pytest.approx(75)
        # A worker that starts anew knows it before it has looked at anybody.
        fresh = Ranks()
        await share_ranks(store, fresh)
        assert fresh.rank(*SPEND, 149) == pytest.approx(75)
    finally:
        await store.close()
    with Redis.from_url(redis_url) as client:
        assert client.hlen(keys.RANKS) == 2
        assert 0 < client.ttl(keys.RANKS) <= KEPT_SECONDS
        assert client.hlen(keys.RANKS) == 2


async def test_nothing_to_share(redis_url: str):
    store = Store(Settings(redis=redis_url))
    try:
        await share_ranks(store, Ranks())
        assert await store.redis.exists(keys.RANKS) == 0
    finally:
        await store.close()
