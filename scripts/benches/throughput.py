"""Backlog → Redis: one worker against a Faust agent that does nothing, same topics, same run."""

import json
import statistics
import subprocess
import sys
from typing import Any

from scripts.benches.ground import NOOP, drain_rate, fill, ground, worker


def noop_rate(brokers: str, events: int, codec: str = "raw") -> float:
    """Events per second of the no-op agent."""
    done = subprocess.run(
        [sys.executable, str(NOOP), brokers, str(events), codec],
        check=True,
        capture_output=True,
        timeout=300,
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    return float(figures["events"] / figures["seconds"])


def throughput(events: int, customers: int, seed: int, repeats: int) -> dict[str, Any]:
    """Medians of `repeats` alternating runs."""
    ours, noop = [], []
    for run in range(repeats):
        with ground() as (settings, client):
            fill(settings, events, customers, seed + run)
            with worker(settings) as process:
                ours.append(drain_rate(client, process, settings.partitions, events, 300))
            noop.append(noop_rate(settings.kafka, events))
    ratios = [a / b for a, b in zip(ours, noop, strict=True)]
    return {
        "events": events,
        "customers": customers,
        "seed": seed,
        "worker_events_per_second": round(statistics.median(ours)),
        "noop_faust_agent_events_per_second": round(statistics.median(noop)),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }
