"""A steady stream of simulated events, in a process of its own.

Everything but the time stamps is made beforehand, so that the load takes little of the cores
that it shares with what is measured. It begins when it has printed a line.

python -m scripts.benches.load SERVERS PARTITIONS RATE SECONDS CUSTOMERS SEED
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from scripts.benches.ground import ROOT
from stream.settings import Settings
from stream.simulator import Simulator
from stream.topics import partitions_of

_TICK_SECONDS = 0.01


@contextmanager
def flowing(
    settings: Settings, rate: int, seconds: float, customers: int, seed: int
) -> Iterator[subprocess.Popen[str]]:
    """A process that sends `rate` events a second for so long, and then prints how many."""
    numbers = map(str, (settings.partitions, rate, seconds, customers, seed))
    command = [sys.executable, "-m", "scripts.benches.load", settings.kafka, *numbers]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError(f"the load ended with {process.wait()}")
        yield process
    finally:
        process.kill()
        process.communicate()


class Ready(NamedTuple):
    """A record but for its time: `before`, the milliseconds, and a closing brace."""

    place: tuple[str, int]
    key: bytes
    before: bytes


def prepare(shop: Simulator, number: int, partitions: int) -> list[Ready]:
    """The first events of a shop."""
    events = list(islice(shop.events(), number))
    owners = partitions_of([event.key.encode() for event in events], partitions).tolist()
    return [
        Ready((event.topic, owner), event.key.encode(), _before(event.record))
        for event, owner in zip(events, owners, strict=True)
    ]


def _before(record: dict[str, Any]) -> bytes:
    rest = {name: value for name, value in record.items() if name != "timestamp"}
    return json.dumps(rest).encode().removesuffix(b"}") + b', "timestamp": '


async def run(servers: str, rate: float, seconds: float, events: list[Ready]) -> int:
    """Send `rate` events a second for so long; how many were sent."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=1 << 19)
    await producer.start()
    print("begins", flush=True)
    left = iter(events)
    begun, sent = time.perf_counter(), 0
    under_way: list[Any] = []
    while (elapsed := time.perf_counter() - begun) < seconds:
        due = min(int(elapsed * rate), len(events)) - sent
        if due > 0:
            under_way += await _send(producer, islice(left, due))
            sent += due
        under_way = [future for future in under_way if not future.done()]
        await asyncio.sleep(_TICK_SECONDS)
    await asyncio.gather(*under_way)
    await producer.stop()
    return sent


async def _send(producer: Any, events: Iterator[Ready]) -> list[Any]:
    end = b"%d}" % (time.time_ns() // 1_000_000)
    batches: dict[tuple[str, int], Any] = defaultdict(producer.create_batch)
    for place, key, before in events:
        batches[place].append(timestamp=None, key=key, value=before + end)
    return [await producer.send_batch(b, t, partition=p) for (t, p), b in batches.items()]


if __name__ == "__main__":
    # It would run elsewhere: what is measured goes first.
    os.nice(10)
    brokers, count, per_second, lasting, people, seed = sys.argv[1:]
    simulated = Simulator(int(people), int(seed), time.time_ns() // 1_000_000)
    wanted = int(float(per_second) * float(lasting)) + 1
    prepared = prepare(simulated, wanted, int(count))
    print(asyncio.run(run(brokers, float(per_second), float(lasting), prepared)))
