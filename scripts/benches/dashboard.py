"""What the dashboard costs: its own processor time, and what it adds to Redis' work."""

import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import redis

from scripts.benches.going import Going
from scripts.benches.ground import drain, end, environment, fill, ground, teach, worker
from scripts.screenshots_parts.chromium import Chromium, browser
from stream.local import free_port
from stream.settings import Settings
from stream.store import keys

#: The load that Redis' work is compared at.
EVENTS_PER_SECOND = 20_000
_SEGMENTS, _MEMBERS = 200, 500
_CHANGES_PER_SECOND = 300
_TABS = 10
_SETTLE_SECONDS = 10.0
_START_SECONDS = 60.0


def dashboard(
    events: int, customers: int, seed: int, on: str, seconds: float = 15.0
) -> dict[str, Any]:
    """A worker drains a backlog: what that costs Redis. Then counters and changes go on as if it
    did so for ever, without a dashboard, with one, and with browsers that look at it."""
    with ground(on) as (settings, client):
        before = teach(settings, client, seed)
        fill(settings, events, customers, seed)
        with worker(settings) as process:
            drained = drain(client, process, settings.partitions, before + events, before)
        describe(client, random.Random(seed))
        with Going(
            settings.redis, _change,
            events_per_second=EVENTS_PER_SECOND, changes_per_second=_CHANGES_PER_SECOND,
        ):  # fmt: skip
            shares = measured(settings, client, seconds)
    at_load = drained.per_event["redis_cpu_us"] * EVENTS_PER_SECOND / 1e6
    return {
        "broker": on,
        "segments": _SEGMENTS,
        "events_per_second": round(drained.events_per_second),
        "redis_cpu_us_per_event": drained.per_event["redis_cpu_us"],
        "redis_core_at_20000": round(at_load, 3),
        "rows": shares,
        "redis_added": {
            name: round((row["redis_core"] - shares["no dashboard"]["redis_core"]) / at_load, 4)
            for name, row in shares.items()
            if name != "no dashboard"
        },
    }


def measured(
    settings: Settings, client: redis.Redis, seconds: float
) -> dict[str, dict[str, float]]:
    """Situation → cores of Redis and of the dashboard, and Redis' commands a second."""
    rows = {"no dashboard": window(client, None, seconds)}
    found = browser()
    with served(settings) as (process, url), ExitStack() as stack:
        time.sleep(_SETTLE_SECONDS)
        rows["nobody looks"] = window(client, process.pid, seconds)
        if found is None:
            return rows
        chromium = stack.enter_context(Chromium(found))
        tabs = [chromium.tab() for _ in range(_TABS)]
        for number, tab in enumerate(tabs):
            tab.open(url + ("/segments" if number % 2 else "/"))
            tab.wait("document.querySelector('tbody tr')")
        time.sleep(_SETTLE_SECONDS)
        rows[f"{_TABS} browsers"] = window(client, process.pid, seconds)
        for tab in tabs:
            tab.close()
    return rows


def window(client: redis.Redis, pid: int | None, seconds: float) -> dict[str, float]:
    """What was used in so many seconds from now on."""
    begun, before = time.monotonic(), used(client, pid)
    time.sleep(seconds)
    after, took = used(client, pid), time.monotonic() - begun
    names = ("redis_core", "redis_commands_per_second", "dashboard_core")
    return {name: round((b - a) / took, 4) for name, a, b in zip(names, before, after, strict=True)}


def used(client: redis.Redis, pid: int | None) -> tuple[float, float, float]:
    """Processor seconds of Redis, commands, processor seconds of the dashboard."""
    info: Any = client.info()
    times = psutil.Process(pid).cpu_times() if pid else None
    return (
        info["used_cpu_user"] + info["used_cpu_sys"],
        info["total_commands_processed"],
        times.user + times.system if times else 0.0,
    )


def describe(client: redis.Redis, dice: random.Random) -> None:
    """Segments with members, as many as a large shop has."""
    pipe = client.pipeline(transaction=False)
    for number in range(_SEGMENTS):
        said = {"name": f"Segment {number}", "kind": "value", "origin": "defined"}
        pipe.hset(keys.SEGMENTS, f"s{number}", json.dumps(said))
        members = {f"c{dice.randrange(10**6)}": number for _ in range(dice.randrange(_MEMBERS))}
        pipe.zadd(keys.members(f"s{number}"), {"c": 1, **members})
    pipe.execute()


def _change(number: int) -> dict[Any, Any]:
    return {
        "change_id": f"{number}", "customer": f"c{number % 10_000}",
        "segment": f"s{number % _SEGMENTS}", "change": "left" if number % 2 else "entered",
        "at": time.time_ns() // 1_000_000, "cause": "event", "reason": "a reason in some words",
        "version": number,
    }  # fmt: skip


@contextmanager
def served(settings: Settings) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A dashboard that answers, and its address."""
    where = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "stream.cli", "dashboard", "--listen", where],
        env=environment(settings) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"http://{where}/health/ready"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the dashboard does not answer")
            time.sleep(0.2)
        yield process, f"http://{where}"
    finally:
        end(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
