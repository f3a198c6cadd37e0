"""Event sent → readable in Redis at a steady rate, beside a bare produce → consume round trip."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from redis.asyncio import Redis

from scripts.benches.ground import ground, worker
from scripts.benches.load import flowing
from scripts.benches.quantiles import quantiles
from stream.store import keys
from stream.topics import INTERACTIONS, partition_of

_ROUND_TRIP = "round-trip"
_PAUSE_SECONDS = 0.02
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_WARM_SECONDS = 60.0
_PREFIX = "probe-"
_ME = "bench-latency"


def latency(
    rate: int, seed: int, on: str, seconds: float = 45.0, customers: int = 5_000
) -> dict[str, Any]:
    """Milliseconds of both, measured in turn while `rate` events a second go through the worker.

    A probe is a new customer's first event, from before `send` until Redis has told a client that
    tracks the key that its record was written.
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
    await producer.start()
    await consumer.start()
    written = await _Written.of(settings.redis)

    async def to_redis(name: str) -> None:
        value = json.dumps(_event(name)).encode()
        partition = partition_of(name, settings.partitions)
        await producer.send(INTERACTIONS, value, key=name.encode(), partition=partition)
        await written.wait(keys.customer(name))

    async def round_trip(name: str) -> None:
        await producer.send(_ROUND_TRIP, name.encode())
        await consumer.getone()

    await _timed(to_redis, _PREFIX + "warm-up", 60.0)
    await _timed(round_trip, "warm-up", 60.0)
    await asyncio.sleep(_WARM_SECONDS - 3.0)
    ours, bare = [], []
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        number += 1
        ours.append(await _timed(to_redis, f"{_PREFIX}{number}", 10.0))
        await asyncio.sleep(_PAUSE_SECONDS)
        bare.append(await _timed(round_trip, f"{_PREFIX}{number}", 10.0))
        await asyncio.sleep(_PAUSE_SECONDS)
    await consumer.stop()
    await producer.stop()
    await written.close()
    return ours, bare


class _Written:
    """Tells when keys of probes are written: Redis pushes it, so that nobody has to ask.

    See https://redis.io/docs/latest/develop/reference/client-side-caching (broadcasting mode, two
    connections); a push is sent after the command or script that wrote has ended.
    """

    def __init__(self, tracking: Any, told: Any) -> None:
        self._tracking, self._told = tracking, told

    @classmethod
    async def of(cls, url: str) -> "_Written":
        client: Any = Redis.from_url(
            url, protocol=2, single_connection_client=True, client_name=_ME
        )
        told = client.pubsub()
        await told.subscribe("__redis__:invalidate")
        ours = [one for one in await client.client_list() if one["name"] == _ME]
        listening = next(one for one in ours if one["sub"] == "1")
        prefix = keys.customer(_PREFIX)
        redirect = ("REDIRECT", listening["id"], "BCAST", "PREFIX", prefix)
        await client.execute_command("CLIENT", "TRACKING", "ON", *redirect)
        return cls(client, told)

    async def wait(self, key: str) -> None:
        """Return once `key` was written; those of other keys are passed over."""
        while True:
            message = await self._told.get_message(ignore_subscribe_messages=True, timeout=None)
            if message and key.encode() in message["data"]:
                return

    async def close(self) -> None:
        await self._told.aclose()
        await self._tracking.aclose()


async def _timed(probe: Callable[[str], Awaitable[None]], name: str, limit: float) -> float:
    start = time.perf_counter()
    await asyncio.wait_for(probe(name), limit)
    return (time.perf_counter() - start) * 1000


def _event(name: str) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {"event_id": name, "customer_id": name, "timestamp": now_ms, "name": "Product Viewed"}
