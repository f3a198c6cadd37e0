"""One worker and two on one backlog."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import redis

from scripts.benches.costs import counters, per_event
from scripts.benches.ground import applied, fill, ground, worker
from stream.store import keys

_LIMIT_SECONDS = 300.0
#: Until so much is done everybody has work; afterwards one may wait for the other.
_SHARE = 0.8


def scale(events: int, customers: int, seed: int, repeats: int, on: str) -> dict[str, Any]:
    """Events per second of one and of two workers together, in turns, while all are at work."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    costs: dict[int, Any] = {}
    for run in range(repeats):
        with ground(on) as (settings, client):
            fill(settings, events, customers, seed + run)
            for workers in (1, 2) if run % 2 == 0 else (2, 1):
                client.flushall()
                with ExitStack() as stack:
                    crew = [stack.enter_context(worker(settings)) for _ in range(workers)]
                    pids = [process.pid for process in crew]
                    begun = counters(client, *pids)
                    samples = _watch(client, settings.partitions, events)
                    costs[workers] = per_event(begun, counters(client, *pids), events)
                rates[workers].append(rate_of(samples, workers, events))
                print(f"  {workers} workers: {rates[workers][-1]:,.0f} events/s", flush=True)
    return {
        "broker": on,
        "events": events,
        "customers": customers,
        "runs": {str(workers): [round(rate) for rate in runs] for workers, runs in rates.items()},
        "two_to_one": [round(b / a, 2) for a, b in zip(rates[1], rates[2], strict=True)],
        "per_event": {str(workers): cost for workers, cost in costs.items()},
    }


Sample = tuple[float, int, int]


def rate_of(samples: Sequence[Sample], workers: int, total: int) -> float:
    """Events per second from when all were at work until they begin to run out of it.

    `samples`: seconds, events applied, workers that have written so far.

    Raises
    ------
    RuntimeError
        If not all were at work for long enough: more events are needed.
    """
    together = [(at, done) for at, done, seen in samples if seen >= workers and done > 0]
    while_busy = [(at, done) for at, done in together if done <= _SHARE * total]
    if len(while_busy) < 2 or while_busy[-1][0] == while_busy[0][0]:
        raise RuntimeError(f"{workers} workers were not at work together for long enough")
    (begun, before), (ended, after) = while_busy[0], while_busy[-1]
    return (after - before) / (ended - begun)


def _watch(client: redis.Redis, partitions: int, total: int) -> list[Sample]:
    seen: set[str] = set()
    samples: list[Sample] = []
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        seen |= {name for name, _ in writers(client, partitions).values()}
        done = applied(client, partitions)
        samples.append((time.perf_counter(), done, len(seen)))
        if done >= total:
            return samples
        time.sleep(0.02)
    raise TimeoutError(f"not all of {total} events were applied in {_LIMIT_SECONDS:.0f} s")


def writers(client: redis.Redis, partitions: int) -> dict[int, tuple[str, str]]:
    """Partition → worker and serial number of its last write, where there was one."""
    pipe = client.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.hget(keys.offsets(partition), "writer")
    tokens: list[Any] = pipe.execute()
    parts = {p: t.decode().partition(":") for p, t in enumerate(tokens) if t}
    return {p: (worker, serial) for p, (worker, _, serial) in parts.items()}
