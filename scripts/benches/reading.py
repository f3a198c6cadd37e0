"""Reading one customer with `stream.store.reader` against a bare GET, in turns."""

import random
import time
from collections.abc import Callable
from typing import Any

import redis

from scripts.benches.ground import drain, fill, ground, teach, worker
from scripts.benches.quantiles import quantiles
from stream.store import connect, keys
from stream.store.reader import Reader

_GET_PREFIX = "bench:get:"
_WARM_UP = 2_000
_TIMEOUT_SECONDS = 5.0


def reading(customers: int, seed: int, samples: int, on: str) -> dict[str, Any]:
    """Microseconds of each call, one customer chosen by chance per round.

    The bare GET has a client of its own with the reader's connection settings, and gets a
    string of the same text as the segments.
    """
    draw = random.Random(seed)
    with ground(on) as (settings, client):
        taught = teach(settings, client, seed)
        fill(settings, 5 * customers, customers, seed)
        with worker(settings) as process:
            drain(client, process, settings.partitions, taught + 5 * customers, taught)
        names = copy_for_get(client)
        with Reader(settings) as reader:
            bare: Any = connect.client(settings, timeout_seconds=_TIMEOUT_SECONDS)
            calls: dict[str, Callable[[str], object]] = {
                "GET": lambda name: bare.get(_GET_PREFIX + name),
                "segments": reader.segments,
                "customer": reader.customer,
            }
            took: dict[str, list[float]] = {name: [] for name in calls}
            for number in range(_WARM_UP + samples):
                name = draw.choice(names)
                # In another order each time: what runs second finds warmer caches.
                for call in draw.sample(list(calls), len(calls)):
                    begun = time.perf_counter_ns()
                    calls[call](name)
                    if number >= _WARM_UP:
                        took[call].append((time.perf_counter_ns() - begun) / 1000)
            bare.close()
    return {"customers": len(names), "samples": samples, "seed": seed, **compared(took)}


def copy_for_get(client: redis.Redis) -> list[str]:
    """Names of the customers; the text of their segments is there for GET as well."""
    prefix = keys.CUSTOMER_PREFIX
    names = [key.decode()[len(prefix) :] for key in client.scan_iter(prefix + "*", count=5_000)]
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.hget(keys.customer(name), "segments")
    segments = dict(zip(names, pipe.execute(), strict=True))
    for name, text in segments.items():
        pipe.set(_GET_PREFIX + name, text or b"")
    pipe.execute()
    return sorted(names)


def compared(took: dict[str, list[float]]) -> dict[str, Any]:
    """Quantiles in microseconds, and each reader call as a multiple of GET."""
    us = {name: quantiles(values, digits=1) for name, values in took.items()}
    ratios = {
        name: {at: round(figures[at] / us["GET"][at], 2) for at in figures}
        for name, figures in us.items()
        if name != "GET"
    }
    return {"us": us, "times_a_get": ratios}
