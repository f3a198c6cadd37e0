"""Sketches of what customers spend, order and do, shared between those who look at some each."""

from collections.abc import Mapping
from typing import Any

from stream.conditions import Ranks
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import client, told
from stream.store.store import Store

#: Sketches that nobody has renewed for so long go.
KEPT_SECONDS = 7 * 86_400


async def share_ranks(store: Store, ranks: Ranks) -> None:
    """Publish the partitions whose generation has ended, and take in those of all others."""
    mine: dict[Any, Any] = dict(ranks.to_share())
    if mine:
        await store.wait_out(lambda: store.redis.hset(keys.RANKS, mapping=mine))
        await store.wait_out(lambda: store.redis.expire(keys.RANKS, KEPT_SECONDS))
    ranks.take(_by_partition(await store.wait_out(lambda: store.redis.hgetall(keys.RANKS))))


def stored_ranks(settings: Settings, *, timeout_seconds: float = 5.0) -> Ranks:
    """Percentiles of all partitions, for those who only look.

    Raises
    ------
    StoreError
        If Redis does not answer.
    """
    ranks = Ranks()
    raw: Any = client(settings, timeout_seconds=timeout_seconds, decode=False)
    try:
        with told(settings.redis):
            ranks.take(_by_partition(raw.hgetall(keys.RANKS)))
    finally:
        raw.close()
    return ranks


def _by_partition(found: Mapping[bytes, bytes]) -> dict[int, bytes]:
    return {int(partition): data for partition, data in found.items()}
