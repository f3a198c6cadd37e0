"""A worker under a constant load for a long time: does its memory stay, is every event counted?"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psutil
import redis
from kafka import KafkaConsumer, TopicPartition

from scripts.benches.ground import ROOT, applied, ground, worker
from stream.settings import Settings
from stream.store import keys
from stream.topics import EVENT_TOPICS

_SAMPLE_SECONDS = 10.0
#: Samples from one line on the terminal to the next.
_TOLD_EVERY = 12
#: Of the time; at first caches fill and models are learned.
_PART = 1 / 6
_CATCH_UP_SECONDS = 120.0
_STOP_SECONDS = 30.0
_AGOS = "from stream.cli.main import main; main()"
_MB = 2**20


class Sample(NamedTuple):
    """A moment of the soak."""

    worker_mb: float
    redis_mb: float


def soak(minutes: float, rate: int, customers: int, seed: int, on: str) -> dict[str, Any]:
    """Figures of one worker that gets `rate` events a second for so long.

    Memory: medians of the second sixth of the time, and of the last one. `sent` is how many
    events the log has, `counted` what the customers' records add up to.
    """
    with ground(on) as (settings, client), worker(settings) as process:
        load = _load(settings, rate, customers, seed, minutes * 60)
        try:
            samples = _watch(client, process, load)
        finally:
            load.kill()
            load.wait()
        sent = _sent(settings)
        _catch_up(client, settings.partitions, sent)
        stopped_seconds, code = _stop(process)
        counted, found = _counted(client)
    part = max(1, int(len(samples) * _PART))
    return {
        "broker": on,
        "minutes": minutes,
        "events_per_second": round(sent / minutes / 60),
        "customers": found,
        "sent": sent,
        "counted": counted,
        "worker_mb": _compared([sample.worker_mb for sample in samples], part),
        "redis_mb": _compared([sample.redis_mb for sample in samples], part),
        "stop_seconds": round(stopped_seconds, 2),
        "exit_code": code,
    }


def _load(
    settings: Settings, rate: int, customers: int, seed: int, seconds: float
) -> subprocess.Popen[bytes]:
    options = {"rate": rate, "customers": customers, "seed": seed, "seconds": seconds, "history": 0}
    given = [f"--{name}={value}" for name, value in options.items()]
    where = [f"--kafka={settings.kafka}", f"--partitions={settings.partitions}"]
    command = [sys.executable, "-c", _AGOS, "simulate", *given, *where]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def _watch(
    client: redis.Redis, process: subprocess.Popen[bytes], load: subprocess.Popen[bytes]
) -> list[Sample]:
    """Samples until the load has ended."""
    samples: list[Sample] = []
    watched = psutil.Process(process.pid)
    while load.poll() is None:
        if process.poll() is not None:
            raise RuntimeError(f"the worker ended with {process.returncode}")
        info: Any = client.info("memory")
        samples.append(Sample(watched.memory_info().rss / _MB, info["used_memory"] / _MB))
        if len(samples) % _TOLD_EVERY == 0:
            print(f"  worker {samples[-1].worker_mb:.0f} MB, Redis {samples[-1].redis_mb:.0f} MB")
        time.sleep(_SAMPLE_SECONDS)
    if load.returncode:
        raise RuntimeError(f"the load ended with {load.returncode}")
    return samples


def _sent(settings: Settings) -> int:
    """How far the logs of the events go, and thus how many there are."""
    places = [TopicPartition(t, p) for t in EVENT_TOPICS for p in range(settings.partitions)]
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    try:
        return sum(consumer.end_offsets(places).values())
    finally:
        consumer.close()


def _catch_up(client: redis.Redis, partitions: int, sent: int) -> None:
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    while (done := applied(client, partitions)) < sent:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {sent} events after {_CATCH_UP_SECONDS:.0f} s")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    began = time.monotonic()
    process.terminate()
    code = process.wait(_STOP_SECONDS)
    return time.monotonic() - began, code


def _counted(client: redis.Redis) -> tuple[int, int]:
    """Events in all customers' records, and how many customers there are."""
    names = list(client.scan_iter(keys.customer("*"), 1000))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.hget(name, "events")
    return sum(map(int, pipe.execute())), len(names)


def _compared(values: Sequence[float], part: int) -> dict[str, float]:
    """Medians of the second part and of the last one."""
    begun, ended = values[part : 2 * part] or values, values[-part:]
    return {"begun": round(statistics.median(begun)), "ended": round(statistics.median(ended))}
