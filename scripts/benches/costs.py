"""What each event costs: processor time of worker and Redis, bytes to and from Redis."""

from collections.abc import Mapping
from typing import Any

import psutil
import redis

from stream.store import keys

_PAGE = 10_000

Counters = Mapping[str, float]


def counters(client: redis.Redis, *workers: int) -> dict[str, float]:
    """Counters that only grow: processor seconds of the workers (by pid), Redis' own, bytes."""
    info: Any = client.info()
    times = [psutil.Process(pid).cpu_times() for pid in workers]
    return {
        "worker_cpu_seconds": sum(t.user + t.system for t in times),
        "redis_cpu_seconds": info["used_cpu_user"] + info["used_cpu_sys"],
        "redis_bytes_in": info["total_net_input_bytes"],
        "redis_bytes_out": info["total_net_output_bytes"],
    }


def per_event(before: Counters, after: Counters, events: int) -> dict[str, float]:
    """Microseconds of processor and bytes for each of `events`."""
    grown = {name: (after[name] - before[name]) / events for name in before}
    return {
        "worker_cpu_us": round(1e6 * grown["worker_cpu_seconds"], 1),
        "redis_cpu_us": round(1e6 * grown["redis_cpu_seconds"], 1),
        "redis_bytes_in": round(grown["redis_bytes_in"]),
        "redis_bytes_out": round(grown["redis_bytes_out"]),
    }


def last_change(client: redis.Redis) -> str:
    """Where the stream of changes ends now."""
    newest: Any = client.xrevrange(keys.CHANGES, count=1)
    return newest[0][0].decode() if newest else "0-0"


def changes_since(client: redis.Redis, position: str) -> int:
    """Entries and exits behind `position`, of those that the stream still keeps."""
    count = 0
    while page := _page(client, position):
        count, position = count + len(page), page[-1][0].decode()
    return count


def _page(client: redis.Redis, after: str) -> Any:
    return client.xrange(keys.CHANGES, f"({after}", "+", count=_PAGE)
