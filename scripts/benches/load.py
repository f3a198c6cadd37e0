"""A steady stream of simulated events, in a process of its own.

python -m scripts.benches.load SERVERS PARTITIONS RATE SECONDS CUSTOMERS SEED
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.simulator import Simulator
from stream.topics import partitions_of

_TICK_SECONDS = 0.01


async def run(servers: str, partitions: int, rate: float, seconds: float, shop: Simulator) -> int:
    """Send `rate` events a second for so long; how many were sent."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=1 << 19)
    await producer.start()
    events = ((e.topic, e.key, e.record) for e in shop.events())
    begun, sent = time.perf_counter(), 0
    under_way: list[Any] = []
    while (elapsed := time.perf_counter() - begun) < seconds:
        due = int(elapsed * rate) - sent
        if due > 0:
            under_way += await _send(producer, islice(events, due), partitions)
            sent += due
        under_way = [future for future in under_way if not future.done()]
        await asyncio.sleep(_TICK_SECONDS)
    await asyncio.gather(*under_way)
    await producer.stop()
    return sent


async def _send(
    producer: Any, events: Iterator[tuple[str, str, dict[str, Any]]], partitions: int
) -> list[Any]:
    now_ms = time.time_ns() // 1_000_000
    chunk = [(t, k.encode(), json.dumps(r | {"timestamp": now_ms}).encode()) for t, k, r in events]
    owners = partitions_of([key for _, key, _ in chunk], partitions).tolist()
    batches: dict[tuple[str, int], Any] = defaultdict(producer.create_batch)
    for (topic, key, value), partition in zip(chunk, owners, strict=True):
        batches[topic, partition].append(timestamp=None, key=key, value=value)
    return [await producer.send_batch(b, t, partition=p) for (t, p), b in batches.items()]


if __name__ == "__main__":
    brokers, count, per_second, lasting, people, seed = sys.argv[1:]
    simulated = Simulator(int(people), int(seed), time.time_ns() // 1_000_000)
    print(asyncio.run(run(brokers, int(count), float(per_second), float(lasting), simulated)))
