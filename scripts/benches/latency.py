"""Event sent → readable in Redis at a steady rate, beside a bare produce → consume round trip."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from redis import Redis

from scripts.benches.ground import ground, worker
from scripts.benches.load import flowing
from scripts.benches.quantiles import quantiles
from stream.store import keys
from stream.topics import INTERACTIONS, partition_of

_ROUND_TRIP = "round-trip"
_PAUSE_SECONDS = 0.02
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_WARM_SECONDS = 60.0
#: How often Redis is asked; half of it is in the figures on average.
_POLL_SECONDS = 0.002


def latency(
    rate: int, seed: int, on: str, seconds: float = 20.0, customers: int = 5_000
) -> dict[str, Any]:
    """Milliseconds of both, measured in turn while `rate` events a second go through the worker.

    A probe is a new customer's first event, from before `send` until its record is in Redis.
    Broker, worker and load have run for a while by then: a Java broker compiles itself.
    """
    with ground(on) as (settings, _), worker(settings):
        admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
        admin.create_topics([NewTopic(_ROUND_TRIP, 1, 1)])
        admin.close()
        lasting = seconds + _WARM_SECONDS
        with flowing(settings, rate, lasting, customers, seed) as load:
            ours, bare = asyncio.run(_measure(settings, seconds))
            sent = int(load.communicate(timeout=120)[0])
    return {
        "broker": on,
        "events_per_second": round(sent / lasting),
        "to_redis_ms": _figures(ours),
        "bare_round_trip_ms": _figures(bare),
        "ratio_p50": round(statistics.median(ours) / statistics.median(bare), 2),
    }


def _figures(took: list[float]) -> dict[str, float]:
    return quantiles(took, _SHARES) | {"samples": len(took)}


async def _measure(settings: Any, seconds: float) -> tuple[list[float], list[float]]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    consumer = AIOKafkaConsumer(_ROUND_TRIP, bootstrap_servers=settings.kafka)
    client = Redis.from_url(settings.redis, protocol=2)
    await producer.start()
    await consumer.start()

    async def to_redis(name: str) -> None:
        value = json.dumps(_event(name)).encode()
        partition = partition_of(name, settings.partitions)
        await producer.send(INTERACTIONS, value, key=name.encode(), partition=partition)
        # Blocking: asked so often, an asynchronous client would take a tenth of a core.
        while not client.hexists(keys.customer(name), "events"):
            await asyncio.sleep(_POLL_SECONDS)

    async def round_trip(name: str) -> None:
        await producer.send(_ROUND_TRIP, name.encode())
        await consumer.getone()

    await _timed(to_redis, "warm-up", 60.0)
    await _timed(round_trip, "warm-up", 60.0)
    await asyncio.sleep(_WARM_SECONDS - 3.0)
    ours, bare = [], []
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        number += 1
        ours.append(await _timed(to_redis, f"probe-{number}", 10.0))
        await asyncio.sleep(_PAUSE_SECONDS)
        bare.append(await _timed(round_trip, f"probe-{number}", 10.0))
        await asyncio.sleep(_PAUSE_SECONDS)
    await consumer.stop()
    await producer.stop()
    client.close()
    return ours, bare


async def _timed(probe: Callable[[str], Awaitable[None]], name: str, limit: float) -> float:
    start = time.perf_counter()
    await asyncio.wait_for(probe(name), limit)
    return (time.perf_counter() - start) * 1000


def _event(name: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {"event_id": name, "customer_id": name, "timestamp": now_ms, "name": "Product Viewed"}
