"""Every kind of fault: how it begins, how long it lasts, how it ends."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from redis.exceptions import RedisError

from scripts.fault_parts.crew import Crew
from scripts.fault_parts.meter import Meter
from scripts.fault_parts.proxy import Proxy
from scripts.fault_parts.servers import Disk, FragileRedis, Kafka, client_of, until
from scripts.fault_parts.traffic import Source, invalid
from stream.local import Process
from stream.topics import MODEL_SAMPLES

#: How often each kind is drawn, where every kind has had its turn.
WEIGHTS: Mapping[str, int] = {
    "worker killed": 6,
    "worker paused beyond its session": 3,
    "worker added": 2,
    "worker removed": 2,
    "trainer's worker killed": 2,
    "redis killed": 4,
    "redis rolled back": 4,
    "redis replica promoted, writes lost": 4,
    "redis disk full": 2,
    "redis empty": 0,
    "redis cut off": 3,
    "redis slow": 2,
    "kafka restarted": 2,
    "kafka cut off": 3,
    "kafka slow": 2,
    "invalid events": 2,
}
#: With the embedded broker: it forgets everything when it ends, and names only its own port.
NEEDS_APACHE = frozenset({"kafka restarted", "kafka cut off", "kafka slow"})
LOSES_WRITES = frozenset(
    {"redis rolled back", "redis replica promoted, writes lost", "redis empty"}
)
_CUTS = ("hang", "half", "closed")


@dataclass
class World:
    """The system under test, as accidents see it."""

    crew: Crew
    source: Source
    meter: Meter
    redis: FragileRedis
    redis_door: Proxy
    kafka: Kafka | None
    kafka_door: Proxy
    kafka_address: str
    disk: Disk
    group: str
    session_seconds: float
    start_ms: int
    happened: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    spare: list[FragileRedis] = field(default_factory=list)


def schedule(seed: int, count: int, kinds: list[str]) -> list[str]:
    """`count` kinds in random order: each once if there is room, then by weight."""
    draw = random.Random(seed)
    chosen = draw.sample(kinds, min(count, len(kinds)))
    weights = [WEIGHTS[kind] for kind in kinds]
    chosen += draw.choices(kinds, weights, k=count - len(chosen)) if count > len(chosen) else []
    draw.shuffle(chosen)
    return chosen


class Accidents:
    """Lets faults happen to a world; those of one server wait for each other."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.draw = random.Random(seed)
        self._redis, self._broker = asyncio.Lock(), asyncio.Lock()
        self._redis_net, self._kafka_net = asyncio.Lock(), asyncio.Lock()
        self._begun = time.monotonic()
        self._kinds: dict[str, tuple[asyncio.Lock | None, Callable[[], Awaitable[Any]]]] = {
            "worker killed": (None, self._kill),
            "worker paused beyond its session": (None, self._pause),
            "worker added": (None, self._add),
            "worker removed": (None, self._remove),
            "trainer's worker killed": (None, self._kill_trainer),
            "redis killed": (self._redis, self._redis_killed),
            "redis rolled back": (self._redis, self._redis_rolled_back),
            "redis replica promoted, writes lost": (self._redis, self._redis_promoted),
            "redis disk full": (self._redis, self._redis_full),
            "redis empty": (self._redis, self._redis_empty),
            "redis cut off": (self._redis_net, lambda: self._cut(self.world.redis_door)),
            "redis slow": (self._redis_net, lambda: self._slow(self.world.redis_door, 0.02)),
            "kafka restarted": (self._broker, self._kafka_restarted),
            "kafka cut off": (self._kafka_net, lambda: self._cut(self.world.kafka_door)),
            "kafka slow": (self._kafka_net, lambda: self._slow(self.world.kafka_door, 0.05)),
            "invalid events": (None, self._flood),
        }
        assert self._kinds.keys() == WEIGHTS.keys()

    async def happen(self, kind: str) -> None:
        """One fault from its beginning to its end."""
        lock, work = self._kinds[kind]
        async with lock or asyncio.Lock():
            began = time.monotonic() - self._begun
            self.world.meter.begin()
            try:
                detail = await work()
            finally:
                self.world.meter.end()
            self.world.happened[kind] += 1
            ended = time.monotonic() - self._begun
            self.world.log.append(f"{began:7.1f}-{ended:.1f} s {kind} {detail or ''}")

    async def _victim(self) -> Process:
        await until(lambda: bool(self.world.crew.active()), 120, "a worker that runs")
        worker = self.world.crew.victim(self.draw)
        assert worker is not None
        return worker

    async def _kill(self) -> None:
        (await self._victim()).kill()

    async def _pause(self) -> str:
        worker, crew = await self._victim(), self.world.crew
        crew.paused.append(worker)
        worker.signal(signal.SIGSTOP)
        seconds = self.world.session_seconds + self.draw.uniform(1, 6)
        await asyncio.sleep(seconds)
        worker.signal(signal.SIGCONT)
        if worker in crew.paused:
            crew.paused.remove(worker)
        return f"{seconds:.1f} s"

    async def _add(self) -> None:
        crew = self.world.crew
        if len(crew.active()) < crew.wanted + 2:
            crew.start()

    async def _remove(self) -> None:
        self.world.crew.leave(await self._victim())

    async def _kill_trainer(self) -> str:
        """The one that owns the samples; somebody else if the group is just being formed."""
        for _ in range(40):
            pid = self._trainer_pid()
            for worker in self.world.crew.active():
                if worker.pid == pid:
                    worker.kill()
                    return ""
            await asyncio.sleep(0.5)
        await self._kill()
        return "(not known who it was; another one)"

    def _trainer_pid(self) -> int:
        """By the partitions that the group gave it, and that its report names."""
        owned = _partitions_with_samples(self.world.kafka_address, self.world.group)
        client = client_of(self.world.redis.port, 1)
        try:
            reports = [msgspec.json.decode(text) for text in client.hvals("agos:workers")]
        except (RedisError, OSError):
            return 0
        finally:
            client.close()
        newest = sorted(reports, key=lambda report: report["at_ms"])
        pids = [report["pid"] for report in newest if set(report["partitions"]) == owned]
        return int(pids[-1]) if pids and owned else 0

    async def _redis_killed(self) -> None:
        self.world.redis.process.kill()
        await asyncio.sleep(self.draw.uniform(0, 4))
        await self.world.redis.come_back()

    async def _redis_rolled_back(self) -> str:
        redis, copy = self.world.redis, self.world.redis.files / "copy"
        copy.write_bytes(redis.aof.read_bytes())
        seconds = self.draw.uniform(1, 6)
        await asyncio.sleep(seconds)
        redis.process.kill()
        copy.replace(redis.aof)
        await asyncio.sleep(self.draw.uniform(0, 1))
        await redis.come_back()
        return f"by {seconds:.1f} s"

    async def _redis_empty(self) -> None:
        self.world.redis.process.kill()
        self.world.redis.aof.unlink(missing_ok=True)
        await self.world.redis.come_back()

    async def _redis_promoted(self) -> str:
        """A replica becomes primary; what the old one took after the last copy is lost."""
        world, old = self.world, self.world.redis
        new = FragileRedis(old.files.with_name(f"redis-{world.happened.total()}-{old.port}"))
        new.start()
        await new.follow(old)
        await asyncio.sleep(self.draw.uniform(0, 2))
        new.promote()
        seconds = self.draw.uniform(0.2, 4)
        await asyncio.sleep(seconds)
        old.process.kill()
        await asyncio.sleep(self.draw.uniform(0, 2))
        world.redis, world.redis_door.upstream = new, new.port
        world.spare.append(new)
        _remove(old.files)
        return f"{seconds:.1f} s lost"

    async def _redis_full(self) -> str:
        seconds = self.draw.uniform(2, 6)
        self.world.disk.fill()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.world.disk.empty()
        return f"{seconds:.1f} s"

    async def _kafka_restarted(self) -> str:
        kafka, hard = self.world.kafka, self.draw.random() < 0.7
        assert kafka is not None
        kafka.process.signal(signal.SIGKILL if hard else signal.SIGTERM)
        await until(lambda: not kafka.process.running, 60, "Kafka's end")
        await asyncio.sleep(self.draw.uniform(0, 6))
        await kafka.come_back()
        return "after KILL" if hard else "after TERM"

    async def _cut(self, door: Proxy) -> str:
        mode, seconds = self.draw.choice(_CUTS), self.draw.uniform(1, 12)
        door.set(mode, door.delay_seconds)
        await asyncio.sleep(seconds)
        door.set("open", door.delay_seconds)
        return f"{mode} for {seconds:.1f} s"

    async def _slow(self, door: Proxy, delay_seconds: float) -> str:
        seconds = self.draw.uniform(3, 10)
        door.set(door.mode, delay_seconds)
        await asyncio.sleep(seconds)
        door.set(door.mode)
        return f"{seconds:.1f} s"

    async def _flood(self) -> str:
        count = self.draw.randrange(500, 4_000)
        self.world.source.flood(
            list(invalid(count, self.draw.randrange(1 << 30), self.world.start_ms))
        )
        return f"{count} records"


def _partitions_with_samples(kafka: str, group: str) -> set[int]:
    """Event partitions of the member that owns `model-samples`."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=kafka, bootstrap_timeout_ms=2_000)
    except (KafkaError, OSError):
        return set()
    try:
        described: Any = admin.describe_groups([group])
        for member in described[group]["members"]:
            given = {
                topic["topic"]: set(topic["partitions"])
                for topic in member["member_assignment"]["assigned_partitions"]
            }
            if MODEL_SAMPLES in given:
                return given.get("interactions", set())
    # The embedded broker's answer has rights that kafka-python does not know: a ValueError.
    except (KafkaError, OSError, KeyError, TypeError, ValueError):
        return set()
    finally:
        admin.close()
    return set()


def _remove(files: Path) -> None:
    for path in files.glob("*"):
        path.unlink(missing_ok=True)
