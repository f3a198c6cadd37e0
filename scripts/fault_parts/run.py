"""One run: everything started, events and faults together, then the comparison."""

import asyncio
import os
import random
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from scripts.fault_parts import memberships
from scripts.fault_parts import verdict as compare
from scripts.fault_parts.accidents import (
    LOSES_WRITES,
    NEEDS_APACHE,
    WEIGHTS,
    Accidents,
    World,
    schedule,
)
from scripts.fault_parts.crew import ROOT, Crew
from scripts.fault_parts.meter import Meter
from scripts.fault_parts.proxy import Proxy
from scripts.fault_parts.servers import Disk, FragileRedis, Kafka, disk, offsets
from scripts.fault_parts.traffic import Source, events
from stream import admin
from stream.local import EmbeddedBroker, free_port
from stream.settings import Settings
from stream.topics import EVENT_TOPICS
from tests.oracle.events import Expected, expected

_LOOK_SECONDS = 0.25
_SESSION_SECONDS = 6.0
#: Every so many faults nothing new happens until there is progress again.
_BREATHER_EVERY = 10
_BREATHER_SECONDS = 60.0
_BAR_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What shall happen."""

    events: int = 1_000_000
    customers: int = 20_000
    faults: int = 100
    seed: int = 1
    workers: int = 2
    partitions: int = 8
    broker: str = "apache"
    gap_seconds: float = 4.0
    settle_seconds: float = 300.0
    stall_seconds: float = 15.0
    kinds: tuple[str, ...] = ()
    logs: Path | None = None


def run(plan: Plan) -> dict[str, Any]:
    """The report of one run."""
    with ExitStack() as stack:
        logs = plan.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs.mkdir(parents=True, exist_ok=True)
        return _Run(plan, world_of(plan, logs, stack)).report()


def world_of(plan: Plan, logs: Path, stack: ExitStack) -> World:
    """Servers, doors, workers that are not started yet; `stack` ends them."""
    loop = stack.enter_context(network())
    redis_door, kafka_door = Proxy(0, loop), Proxy(0, loop)
    for door in (redis_door, kafka_door):
        door.start()
        stack.callback(door.stop)
    apache = plan.broker == "apache"
    kafka, address, told = None, "", ""
    if apache:
        kafka_door.upstream = free_port()
        kafka = stack.enter_context(Kafka(kafka_door.port, kafka_door.upstream))
        address, told = kafka.address, f"127.0.0.1:{kafka_door.port}"
    else:
        address = told = stack.enter_context(EmbeddedBroker()).address
    place = stack.enter_context(disk())
    redis = FragileRedis(place.path / "redis")
    redis.start()
    redis_door.upstream = redis.port
    group = f"faults-{uuid.uuid4().hex[:8]}"
    settings = Settings(kafka=address, partitions=plan.partitions)
    admin.create(settings)
    definitions = logs / "segments.yaml"
    memberships.write(ROOT / "segments.yaml", definitions)
    environment = {
        "AGOS_KAFKA": told,
        "AGOS_REDIS": f"redis://127.0.0.1:{redis_door.port}/0",
        "AGOS_PARTITIONS": str(plan.partitions),
        "AGOS_GROUP": group,
        "AGOS_KAFKA_SESSION_TIMEOUT": str(_SESSION_SECONDS),
        "AGOS_STALL_SECONDS": str(plan.stall_seconds),
        "AGOS_BATCH": "1000",
        "AGOS_SEGMENTS": str(definitions),
    }
    crew = Crew(plan.workers, environment, logs)
    stack.callback(crew.kill)
    source = Source(address, plan.partitions, loop, idempotent=apache)
    world = World(
        crew, source, Meter(), redis, redis_door, kafka, kafka_door, address, place, group,
        _SESSION_SECONDS, int(time.time() * 1000), spare=[redis],
    )  # fmt: skip
    stack.callback(_stop, world)
    return world


class _Run:
    def __init__(self, plan: Plan, world: World) -> None:
        self.plan, self.world = plan, world
        self.kinds = plan.kinds or tuple(k for k in WEIGHTS if _possible(k, plan, world.disk))
        self.settled_seconds = 0.0
        self.unsettled: list[str] = []

    def report(self) -> dict[str, Any]:
        """Let everything happen, then judge."""
        begun = time.monotonic()
        asyncio.run(self._happen())
        self.world.crew.stop()
        took = time.monotonic() - begun
        found = self._judge()
        return {
            "plan": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.plan).items()},
            "clean": not found.deviations,
            "deviations": dict(found.deviations),
            "examples": dict(found.examples),
            "figures": found.figures,
            "faults": dict(sorted(self.world.happened.items())),
            "faults in all": self.world.happened.total(),
            "not possible here": sorted(set(WEIGHTS) - set(self.kinds)),
            "workers ended by themselves": dict(self.world.crew.ends),
            "seconds": round(took, 1),
            "log": self.world.log,
        }

    async def _happen(self) -> None:
        plan, world = self.plan, self.world
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.sleep(_SESSION_SECONDS + 4)
            seconds = max(plan.faults * plan.gap_seconds, 10.0)
            records = events(plan.events, plan.customers, plan.seed, world.start_ms)
            world.source.start(records, plan.events / seconds)
            await self._faults()
            await asyncio.wrap_future(world.source.done)
            await self._settle()
        finally:
            watch.cancel()

    async def _faults(self) -> None:
        plan, world = self.plan, self.world
        accidents, draw = Accidents(world, plan.seed), random.Random(plan.seed)
        await asyncio.sleep(3)
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[None]] = set()
            for number, kind in enumerate(schedule(plan.seed, plan.faults, list(self.kinds)), 1):
                print(f"  fault {number}/{plan.faults}: {kind}", file=sys.stderr, flush=True)
                task = group.create_task(accidents.happen(kind))
                running.add(task)
                task.add_done_callback(running.discard)
                await asyncio.sleep(draw.expovariate(1 / plan.gap_seconds))
                if number % _BREATHER_EVERY == 0:
                    await asyncio.gather(*running)
                    await self._breather()

    async def _breather(self) -> None:
        """Nothing new until every partition where events wait has made progress."""
        before, deadline = self._applied(), time.monotonic() + _BREATHER_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._applied()
            if now and all(
                now[place] >= end or now[place] != before.get(place)
                for place, end in list(self.world.source.ends.items())
            ):
                return

    async def _settle(self) -> None:
        """Until everything that was sent is applied and every change is copied."""
        begun = time.monotonic()
        while time.monotonic() < begun + self.plan.settle_seconds:
            now, ends = self._applied(), self.world.source.ends
            self.unsettled = [
                f"{topic}-{partition}: {now.get((topic, partition), 0)} of {end}"
                for (topic, partition), end in sorted(ends.items())
                if now.get((topic, partition), 0) != end
            ]
            if now and not self.unsettled:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        self.settled_seconds = time.monotonic() - begun
        # The relay and the last look at idle customers.
        await asyncio.sleep(5)

    async def _watch(self) -> None:
        world = self.world
        while True:
            world.crew.keep_up()
            if applied := self._applied():
                world.meter.look(applied, dict(world.source.ends))
            await asyncio.sleep(_LOOK_SECONDS)

    def _applied(self) -> dict[tuple[str, int], int]:
        return offsets(self.world.redis.port, self.plan.partitions, EVENT_TOPICS)

    def _reference(self) -> Expected:
        rates = Settings(partitions=self.plan.partitions).exchange_rates()
        records = events(self.plan.events, self.plan.customers, self.plan.seed, self.world.start_ms)
        pairs = ((record.topic, record.value) for record in records)
        return expected(pairs, self.world.start_ms, rates)

    def _judge(self) -> compare.Verdict:
        world, found = self.world, compare.Verdict()
        reference = self._reference()
        for late in self.unsettled:
            found.wrong("not applied in time", late)
        redis = Redis(port=world.redis.port, socket_timeout=30)
        try:
            inside = compare.compare_customers(found, redis, reference.customers)
            compare.compare_defined(found, inside, reference.customers)
            records = compare.compare_segments(found, redis, inside)
            lossy = bool(LOSES_WRITES & world.happened.keys())
            compare.compare_topic(found, world.kafka_address, redis, records, lossy)
        finally:
            redis.close()
        compare.compare_dead_letters(found, world.kafka_address, world.source.broken)
        if (meter := world.meter).longest_seconds > _BAR_SECONDS:
            found.wrong("stalls", f"{meter.longest_seconds:.0f} s of {meter.longest_at}")
        for line in world.crew.complaints():
            found.wrong("bugs in logs", line)
        for pid in world.crew.left_over():
            found.wrong("orphans", pid)
        found.figures |= {
            "records sent": world.source.sent,
            "repetitions sent": reference.duplicates,
            "longest stall after a fault, s": round(meter.longest_seconds, 1),
            "all applied after the last event, s": round(self.settled_seconds, 1),
            "slowest stop of a worker, s": round(world.crew.slowest_stop_seconds, 1),
            "cores": os.cpu_count(),
        }
        return found


def _stop(world: World) -> None:
    for server in world.spare:
        server.stop()


def _possible(kind: str, plan: Plan, place: Disk) -> bool:
    if kind in NEEDS_APACHE and plan.broker != "apache":
        return False
    return kind != "redis disk full" or place.small


@contextmanager
def network() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, for proxies and the source."""
    loop = asyncio.new_event_loop()
    ready: Future[None] = Future()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set_result, None)
        loop.run_forever()

    thread = threading.Thread(target=serve, name="network", daemon=True)
    thread.start()
    ready.result(10)
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result(15)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
