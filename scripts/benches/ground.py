"""Broker, Redis, backlog and workers for a measurement."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import redis

from scripts.benches.costs import counters, per_event
from stream import admin
from stream.local import EmbeddedBroker, EmbeddedRedis, Server
from stream.settings import Settings
from stream.settings import load as load_settings
from stream.simulator import Simulator
from stream.simulator.load import load
from stream.store import keys
from stream.topics import EVENT_TOPICS
from tests.servers import ApacheKafka

ROOT = Path(__file__).resolve().parent.parent.parent
NOOP = Path(__file__).with_name("noop.py")


#: Events and customers that a first model is learned from.
_LESSON, PUPILS = 20_000, 4_000
_LESSON_SECONDS = 120.0
#: Added to the seed of the measurement: the lesson is of other events.
_TEACHER = 500
#: Workers look for a newer model once a second.
_TAKEN_UP_SECONDS = 2.0

#: Brokers that a figure can be measured on.
BROKERS: dict[str, type[Server]] = {"embedded": EmbeddedBroker, "apache": ApacheKafka}


@contextmanager
def ground(on: str = "embedded", **settings: Any) -> Iterator[tuple[Settings, redis.Redis]]:
    """A fresh broker and an embedded Redis with topics.

    The embedded broker lets events wait for a part of the fetch that they come into; Apache
    Kafka answers at once, and workers have the wait that they have by default.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(BROKERS[on]())
        server = stack.enter_context(EmbeddedRedis())
        chosen = load_settings(
            kafka=broker.address,
            redis=server.address,
            kafka_session_timeout=6.0,
            **({"kafka_fetch_wait": 0.01} if on == "embedded" else {}),
            **settings,
        )
        admin.create(chosen)
        client = redis.Redis.from_url(chosen.redis, protocol=2)
        stack.callback(client.close)
        yield chosen, client


def backlog(events: int, customers: int, seed: int) -> Iterator[tuple[str, bytes, bytes]]:
    """A simulated history that ends now: topic, key, value."""
    shop = Simulator.backlog(customers, seed, events, time.time_ns() // 1_000_000)
    return islice(shop.encoded(), events)


def fill(settings: Settings, events: int, customers: int, seed: int) -> None:
    """Put a simulated backlog into the event topics."""
    load(settings.kafka, backlog(events, customers, seed), settings.partitions)


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """Environment of a worker of these settings."""
    return {
        **os.environ,
        "AGOS_KAFKA": settings.kafka,
        "AGOS_REDIS": settings.redis,
        "AGOS_KAFKA_SESSION_TIMEOUT": str(settings.kafka_session_timeout),
        "AGOS_KAFKA_FETCH_WAIT": str(settings.kafka_fetch_wait),
        "AGOS_PARTITIONS": str(settings.partitions),
        "AGOS_LOG": "warning",
        **extra,
    }


@contextmanager
def worker(settings: Settings, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of these settings."""
    code = "import sys, stream.worker as w, stream.settings as s; sys.exit(w.run(s.load()))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(settings, **extra),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, if need be by force."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def applied(client: redis.Redis, partitions: int) -> int:
    """Events whose offsets Redis has applied, of all topics."""
    pipe = client.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.hmget(keys.offsets(partition), *EVENT_TOPICS)
    return sum(int(value) for row in pipe.execute() for value in row if value)


@dataclass(frozen=True, slots=True)
class Drained:
    """How a backlog was worked off, from its first applied batch to its last."""

    events_per_second: float
    per_event: dict[str, float]


def drain(
    client: redis.Redis,
    process: subprocess.Popen[bytes],
    partitions: int,
    total: int,
    before: int = 0,
    limit_seconds: float = 300.0,
) -> Drained:
    """Wait until `total` events are applied, of which `before` were when the worker began."""
    deadline = time.monotonic() + limit_seconds
    first: tuple[float, int, dict[str, float]] | None = None
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
        now, done = time.perf_counter(), applied(client, partitions)
        if first is None and done > before:
            first = (now, done, counters(client, process.pid))
        if first is not None and done >= total:
            begun, already, counted = first
            events = max(done - already, 1)
            costs = per_event(counted, counters(client, process.pid), events)
            return Drained((done - already) / (now - begun or 1.0), costs)
        time.sleep(0.02)
    raise TimeoutError(f"{applied(client, partitions)} of {total} events in {limit_seconds} s")


def teach(settings: Settings, client: redis.Redis, seed: int) -> int:
    """Let a small shop's events lead to a first model; how many there were.

    Without a model customers are not compared with centroids, and in no segment: cheaper than
    what a worker does on any other day.
    """
    fill(settings, _LESSON, PUPILS, seed + _TEACHER)
    with worker(settings) as process:
        drain(client, process, settings.partitions, _LESSON)
        deadline = time.monotonic() + _LESSON_SECONDS
        while not client.hexists(keys.MODEL, "version"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no model came in {_LESSON_SECONDS:.0f} s")
            time.sleep(0.1)
        time.sleep(_TAKEN_UP_SECONDS)
    return applied(client, settings.partitions)


def machine(python: str = sys.executable) -> dict[str, Any]:
    """What the figures were measured on; `python` has the packages to compare with."""
    packages = ("faust-streaming", "aiokafka", "redis", "river", "numpy")
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in packages} | _versions(python),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def _versions(python: str) -> dict[str, str]:
    """Versions of what is compared with, as that interpreter has them."""
    code = (
        "import json, importlib.metadata as m\n"
        "has = {d.metadata['Name']: d.version for d in m.distributions()}\n"
        "print(json.dumps({n: has[n] for n in ('quixstreams', 'bytewax') if n in has}))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
