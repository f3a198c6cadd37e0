"""Backlog → Redis: one worker against other ways to read the same topics, in the same run."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.benches.contest import CONTESTANTS, SAME_JOB, absent, rate
from scripts.benches.costs import changes_since, last_change
from scripts.benches.ground import drain, fill, ground, teach, worker

WORKER = "Agos worker"


def throughput(
    events: int, customers: int, seed: int, repeats: int, on: str, python: str
) -> dict[str, Any]:
    """Events per second of everybody, `repeats` times with other events, in turns.

    Who begins changes with the seed, so that no one always has the warm or the tired machine.
    """
    missing = {c.name: why for c in CONTESTANTS if (why := absent(c, python, on))}
    took_part = {c.name: c for c in CONTESTANTS if c.name not in missing}
    rates: dict[str, list[float]] = {name: [] for name in (WORKER, *took_part)}
    costs: list[dict[str, float]] = []
    changes: list[float] = []
    for run in range(repeats):
        with ground(on) as (settings, client):
            before = teach(settings, client, seed + run)
            fill(settings, events, customers, seed + run)
            total = before + events
            for name in rotated(list(rates), seed + run):
                if name == WORKER:
                    position = last_change(client)
                    with worker(settings) as process:
                        done = drain(client, process, settings.partitions, total, before)
                    changes.append(round(changes_since(client, position) / events, 3))
                    rates[name].append(done.events_per_second)
                    costs.append(done.per_event)
                else:
                    rates[name].append(rate(took_part[name], python, settings, client, total))
                print(f"  {name}: {rates[name][-1]:,.0f} events/s", flush=True)
    return {
        "broker": on,
        "events": events,
        "customers": customers,
        "seeds": [seed + run for run in range(repeats)],
        **compared(rates),
        "worker_per_event": costs,
        "segment_changes_per_event": changes,
        "missing": missing,
    }


def rotated(names: Sequence[str], seed: int) -> list[str]:
    """The names, beginning with another one for each seed."""
    first = seed % len(names)
    return [*names[first:], *names[:first]]


def compared(rates: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Medians, and how many times as fast as each other one the worker was in each run."""
    ours = rates[WORKER]
    others = {name: runs for name, runs in rates.items() if name != WORKER}
    ratios = {
        name: [a / b for a, b in zip(ours, runs, strict=True)] for name, runs in others.items()
    }
    peers = {c.name for c in SAME_JOB} & others.keys()
    fastest = max(peers, key=lambda name: statistics.median(others[name]), default=None)
    return {
        "events_per_second": {name: round(statistics.median(runs)) for name, runs in rates.items()},
        "runs": {name: [round(rate) for rate in runs] for name, runs in rates.items()},
        "times_as_fast_as": {
            name: round(statistics.median(runs), 2) for name, runs in ratios.items()
        },
        "times_as_fast_as_runs": {
            name: [round(ratio, 2) for ratio in runs] for name, runs in ratios.items()
        },
        "fastest_of_same_job": fastest,
    }
