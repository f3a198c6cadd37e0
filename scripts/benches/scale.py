"""One worker and two on the same events."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import redis

from scripts.benches.costs import counters, per_event
from scripts.benches.ground import applied, backlog, ground, teach, worker
from stream.simulator.load import load
from stream.store import keys

_LIMIT_SECONDS = 300.0
_JOIN_SECONDS = 60.0
#: Until so much is done everybody has work; afterwards one may wait for the other.
_SHARE = 0.8


def scale(events: int, customers: int, seed: int, repeats: int, on: str) -> dict[str, Any]:
    """Events per second of one and of two workers together, in turns."""
    runs: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for run in range(repeats):
        for workers in (1, 2) if run % 2 == 0 else (2, 1):
            runs[workers].append(_run(workers, events, customers, seed + run, on))
            rate = runs[workers][-1]["events_per_second"]
            print(f"  {workers} workers: {rate:,} events/s", flush=True)
    rates = {
        str(workers): [figures["events_per_second"] for figures in measured]
        for workers, measured in runs.items()
    }
    return {
        "broker": on,
        "events": events,
        "customers": customers,
        "runs": rates,
        "two_to_one": [round(b / a, 2) for a, b in zip(rates["1"], rates["2"], strict=True)],
        "per_event": {
            str(workers): measured[-1]["per_event"] for workers, measured in runs.items()
        },
    }


def _run(workers: int, events: int, customers: int, seed: int, on: str) -> dict[str, Any]:
    """The workers wait with their partitions; the events are ready and come faster than they
    are worked off, so that nobody joins in the middle and nobody waits for the load."""
    ready = list(backlog(events, customers, seed))
    with ground(on) as (settings, client), ExitStack() as stack:
        before = teach(settings, client, seed)
        crew = [stack.enter_context(worker(settings)) for _ in range(workers)]
        _await_shares(client, workers, settings.partitions)
        pids = [process.pid for process in crew]
        begun = counters(client, *pids)
        load(settings.kafka, ready, settings.partitions)
        samples = _watch(client, settings.partitions, before, events)
        costs = per_event(begun, counters(client, *pids), events)
    return {"events_per_second": round(rate_of(samples, events)), "per_event": costs}


Sample = tuple[float, int]


def rate_of(samples: Sequence[Sample], total: int) -> float:
    """Events per second of samples (seconds, events applied), until work begins to run out.

    Raises
    ------
    RuntimeError
        If that is too short to be measured: more events are needed.
    """
    busy = [(at, done) for at, done in samples if done <= _SHARE * total]
    if len(busy) < 2 or busy[-1][1] == busy[0][1]:
        raise RuntimeError(f"{total} events were worked off too fast to measure: give --events")
    (begun, before), (ended, after) = busy[0], busy[-1]
    return (after - before) / (ended - begun)


def _await_shares(client: redis.Redis, workers: int, partitions: int) -> None:
    """Wait until so many workers have all partitions among them, and each has some."""
    deadline = time.monotonic() + _JOIN_SECONDS
    while time.monotonic() < deadline:
        reports: list[Any] = client.hvals(keys.WORKERS)  # type: ignore[assignment]
        shares = [json.loads(report)["partitions"] for report in reports]
        if len(shares) == workers and all(shares):
            if sorted(p for share in shares for p in share) == list(range(partitions)):
                return
        time.sleep(0.2)
    raise TimeoutError(f"{workers} workers did not share the partitions in {_JOIN_SECONDS:.0f} s")


def _watch(client: redis.Redis, partitions: int, before: int, total: int) -> list[Sample]:
    samples: list[Sample] = []
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        done = applied(client, partitions) - before
        samples.append((time.perf_counter(), done))
        if done >= total:
            return samples
        time.sleep(0.02)
    raise TimeoutError(f"not all of {total} events were applied in {_LIMIT_SECONDS:.0f} s")
