"""From assignment to the first applied batch, when a worker joins another under load."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from scripts.benches.ground import ROOT, applied, end, environment
from scripts.benches.grown import Grown
from scripts.benches.load import flowing
from stream.settings import Settings
from stream.store import keys

#: How often Redis is asked; up to so much is in the figures.
_POLL_SECONDS = 0.002
_JOIN_SECONDS = 60.0
_SETTLE_SECONDS = 5.0
_LOAD_SEED = 1_000

Assignment = Mapping[str, Any]


def rebalance(there: Grown, rate: int, joins: int) -> dict[str, Any]:
    """`joins` times a second worker joins the first one while `rate` events a second come.

    `first_ms` and `last_ms`: from when Kafka gave the new worker its partitions until the first,
    and the last, of them had a batch of the new worker's in Redis. `stood_ms`: the longest time
    that one of them had nothing applied, from the old owner's last batch to the new one's first;
    Kafka's own group protocol is in it.
    """
    measured = []
    with _load(there, rate, joins), _watched(there.settings) as first:
        _assigned(first)
        _flowing(there)
        for _ in range(joins):
            measured.append(_join(there))
            time.sleep(_SETTLE_SECONDS)
    there.events = applied(there.client, there.settings.partitions)
    return {
        "customers": there.customers,
        "events_per_second": rate,
        "joins": measured,
        **{name: max(m[name] for m in measured) for name in ("first_ms", "last_ms", "stood_ms")},
    }


def judged(
    assigned_at: float,
    partitions: Sequence[int],
    old: Mapping[int, float],
    new: Mapping[int, float],
) -> dict[str, Any]:
    """Milliseconds of one join, from the moments (seconds) that were seen.

    `old` and `new`: partition → last batch of the old owner, first batch of the new one.
    """
    took = [1000 * (new[p] - assigned_at) for p in partitions]
    stood = [1000 * (new[p] - old[p]) for p in partitions]
    return {
        "partitions": len(partitions),
        "first_ms": round(min(took)),
        "last_ms": round(max(took)),
        "stood_ms": round(max(stood)),
    }


def _join(there: Grown) -> dict[str, Any]:
    client, count = there.client, there.settings.partitions
    before = {name for name, _ in _writers(client, count).values()}
    old: dict[int, float] = {}
    new: dict[int, float] = {}
    seen: dict[int, tuple[str, str]] = {}
    deadline = time.monotonic() + _JOIN_SECONDS
    with _watched(there.settings) as second:
        given: Assignment | None = None
        while time.monotonic() < deadline:
            given = _latest(second) or given
            now, positions = time.time(), _writers(client, count)
            for partition, position in positions.items():
                if position == seen.get(partition):
                    continue
                seen[partition] = position
                moments = old if position[0] in before else new
                if moments is old or partition not in new:
                    moments[partition] = now
            if given and all(partition in new for partition in given["partitions"]):
                return judged(given["at"], given["partitions"], old, new)
            time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the second worker had no batch of each partition in {_JOIN_SECONDS:.0f} s")


def _writers(client: redis.Redis, partitions: int) -> dict[int, tuple[str, str]]:
    """Partition → worker and serial number of its last write, where there was one."""
    pipe = client.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.hget(keys.offsets(partition), "writer")
    tokens: list[Any] = pipe.execute()
    parts = {p: t.decode().partition(":") for p, t in enumerate(tokens) if t}
    return {p: (worker, serial) for p, (worker, _, serial) in parts.items()}


Watched = tuple[subprocess.Popen[str], "queue.Queue[Assignment]"]


@contextmanager
def _watched(settings: Settings) -> Iterator[Watched]:
    command = [sys.executable, "-m", "scripts.benches.watched_worker"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(settings), stdout=subprocess.PIPE, text=True
    )
    told: queue.Queue[Assignment] = queue.Queue()

    def listen() -> None:
        for line in process.stdout or ():
            if line.startswith("{"):
                told.put(json.loads(line))

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield process, told
    finally:
        end(process)


def _latest(watched: Watched) -> Assignment | None:
    """The assignment that came since it was last asked, if there is one with partitions."""
    process, told = watched
    if process.poll() is not None:
        raise RuntimeError(f"the worker ended with {process.returncode}")
    found = None
    while not told.empty():
        found = told.get()
    return found if found and found["partitions"] else None


def _assigned(watched: Watched) -> None:
    deadline = time.monotonic() + _JOIN_SECONDS
    while _latest(watched) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the first worker got no partitions in {_JOIN_SECONDS:.0f} s")
        time.sleep(0.1)


def _flowing(there: Grown) -> None:
    """Wait until the load comes through."""
    deadline = time.monotonic() + 2 * _JOIN_SECONDS
    while applied(there.client, there.settings.partitions) <= there.events:
        if time.monotonic() > deadline:
            raise TimeoutError("no event of the load was applied")
        time.sleep(0.1)
    time.sleep(_SETTLE_SECONDS)


@contextmanager
def _load(there: Grown, rate: int, joins: int) -> Iterator[None]:
    seconds = (joins + 2) * _JOIN_SECONDS
    with flowing(there.settings, rate, seconds, there.customers, _LOAD_SEED):
        yield
