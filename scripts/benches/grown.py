"""A store that already has so many customers, and what one of them takes in it."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import redis

from scripts.benches.ground import PUPILS, applied, drain, fill, ground, teach, worker
from stream.settings import Settings
from stream.store import keys

_FILL_SECONDS = 1_800.0
_SAMPLED = 2_000


@dataclass(slots=True)
class Grown:
    """Broker and Redis after the history of `customers` customers went through a worker.

    Attributes
    ----------
    events
        Applied so far.
    worker_mb
        Resident memory of the worker that had applied all of it.
    empty_bytes
        Memory that Redis used before.
    """

    settings: Settings
    client: redis.Redis
    customers: int
    seed: int
    events: int = 0
    worker_mb: int = 0
    empty_bytes: int = 0


@contextmanager
def grown(customers: int, per_customer: int, seed: int, on: str) -> Iterator[Grown]:
    """A store with that many customers, all through Kafka and the worker as in real life.

    (The 4,000 that the first model was learned from are among them.)
    """
    with ground(on) as (settings, client):
        there = Grown(settings, client, customers, seed)
        there.empty_bytes = used(client)
        taught = teach(settings, client, seed)
        total = per_customer * customers
        # The worker follows the load: a history of millions need not wait to be complete.
        arguments = (settings, total, customers, seed)
        load = threading.Thread(target=fill, args=arguments, daemon=True)
        load.start()
        with worker(settings) as process:
            drain(client, process, settings.partitions, taught + total, taught, _FILL_SECONDS)
            there.worker_mb = psutil.Process(process.pid).memory_info().rss // 2**20
        load.join()
        there.events = applied(client, settings.partitions)
        yield there


def used(client: redis.Redis) -> int:
    """Bytes that Redis has allocated for data, and for the records of changes none."""
    info: Any = client.info("memory")
    changes: Any = client.memory_usage(keys.CHANGES, samples=0)
    return int(info["used_memory"]) - int(changes or 0)


def bytes_per_customer(there: Grown) -> dict[str, float]:
    """Of the parts, by MEMORY USAGE, of the public hash of customers chosen by chance and
    otherwise of all; and of everything, by difference.

    In the difference is also what Redis has per server, such as the offsets and the buffers.
    """
    client: Any = there.client
    prefix = keys.CUSTOMER_PREFIX
    found = client.scan_iter(prefix + "*", count=5_000)
    # Not all of them have come by yet: the history is short, and they come for several events.
    known = sorted({key.decode()[len(prefix) :] for key in found})
    # Those whose events taught the first model have a longer history than the others.
    others = [name for name in known if name >= f"c{PUPILS:06d}"] or known
    chosen = random.Random(there.seed).sample(others, min(_SAMPLED, len(others)))
    pipe = client.pipeline(transaction=False)
    for name in chosen:
        pipe.memory_usage(keys.customer(name), samples=0)
    sizes = [int(size or 0) for size in pipe.execute()]
    partitions = range(there.settings.partitions)
    states = [keys.states(partition) for partition in partitions]
    members = [*client.scan_iter(keys.members("*"), count=5_000)]
    due = [keys.due(partition) for partition in partitions]
    parts = {
        "state": _collections(client, states) / len(known),
        "public_hash": sum(sizes) / len(chosen),
        "memberships": _collections(client, members) / len(known),
        "due": _collections(client, due) / len(known),
    }
    total = (used(client) - there.empty_bytes) / len(known)
    return {
        "customers_known": len(known),
        **{name: round(size, 1) for name, size in parts.items()},
        "sum_of_parts": round(sum(parts.values()), 1),
        "by_total": round(total, 1),
    }


def _collections(client: Any, names: list[Any]) -> int:
    return sum(int(client.memory_usage(name, samples=0) or 0) for name in names)
