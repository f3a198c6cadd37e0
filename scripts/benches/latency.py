"""Event sent → readable in Redis, at a steady rate of other events."""

import json
import statistics
import threading
import time
from itertools import count
from typing import Any

from scripts.benches.ground import ground, worker
from stream.producer import producer
from stream.simulator import Simulator
from stream.store import keys
from stream.topics import INTERACTIONS, partition_of


def latency(rate: int, seed: int, seconds: float = 20.0, customers: int = 5_000) -> dict[str, Any]:
    """Milliseconds from `send` of a new customer's first event until its record is in Redis."""
    with ground() as (settings, client), worker(settings):
        sender = producer(settings, linger_ms=0)
        stop = threading.Event()
        load = threading.Thread(
            target=_load, args=(settings, rate, customers, seed, stop), daemon=True
        )
        _probe(sender, client, "warm-up", settings.partitions, 60.0)
        load.start()
        time.sleep(3)
        took: list[float] = []
        deadline = time.monotonic() + seconds
        for number in count():
            if time.monotonic() > deadline:
                break
            took.append(_probe(sender, client, f"probe-{number}", settings.partitions, 10.0))
            time.sleep(0.02)
        stop.set()
        load.join()
        sender.close()
    took.sort()
    return {
        "events_per_second": rate,
        "probes": len(took),
        "median_ms": round(statistics.median(took), 2),
        "p99_ms": round(took[int(len(took) * 0.99)], 2),
    }


def _probe(sender: Any, client: Any, customer: str, partitions: int, limit: float) -> float:
    now = time.time_ns() // 1_000_000
    record = {
        "event_id": customer,
        "customer_id": customer,
        "timestamp": now,
        "name": "Product Viewed",
        "properties": {},
    }
    value = json.dumps(record).encode()
    start = time.perf_counter()
    partition = partition_of(customer, partitions)
    sender.send(INTERACTIONS, value, key=customer.encode(), partition=partition)
    while not client.hget(keys.customer(customer), "events"):
        if time.perf_counter() - start > limit:
            raise TimeoutError(f"{customer} is not in Redis after {limit} s")
        time.sleep(0.0005)
    return (time.perf_counter() - start) * 1000


def _load(settings: Any, rate: int, customers: int, seed: int, stop: threading.Event) -> None:
    sender = producer(settings, linger_ms=2)
    shop = Simulator(customers, seed, time.time_ns() // 1_000_000)
    for event in shop.live(rate):
        if stop.is_set():
            break
        partition = partition_of(event.key, settings.partitions)
        value = json.dumps(event.record).encode()
        sender.send(event.topic, value, key=event.key.encode(), partition=partition)
    sender.close()
