"""A worker to whom nothing happens, and how soon what time alone ends is written."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import redis

from scripts.benches.ground import drain, ground, teach, worker
from scripts.benches.quantiles import quantiles
from stream.settings import Settings
from stream.simulator.load import load
from stream.store import keys
from stream.topics import INTERACTIONS

_CART_SECONDS = 3
SEGMENTS = f"""version: 1
segments:
  hot_cart:
    when:
      all:
        - {{did: Product Added, within: {_CART_SECONDS}s}}
        - {{did_not: Order Completed, within: {_CART_SECONDS}s}}
"""
_READY_SECONDS = 180.0
#: The passes over all customers that a new file or model asks for are work, and are waited for;
#: the one that always goes on asks Redis no oftener than this a second for the next customers.
_SCANS, _LOOK_SECONDS, _CALM_LOOKS = 1.2, 5.0, 3
_SETTLED_SECONDS = 900.0
_CARTS, _AT_ONCE = 400, 20
_SHARES = {"p50": 0.5, "p99": 0.99, "most": 1.0}


def idle(customers: int, seed: int, on: str, seconds: float = 60.0) -> dict[str, Any]:
    """Processor time of a worker whose `customers` stored customers do nothing, over `seconds`;
    then carts, and ms from the moment at which each is no longer hot to its exit in
    `agos:changes`."""
    with ground(on) as (settings, client), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segments.yaml"
        file.write_text(SEGMENTS, encoding="utf-8")
        before = teach(settings, client, seed)
        names = [f"idle{number}" for number in range(customers)]
        load(settings.kafka, _events("Product Viewed", names), settings.partitions)
        # As workers are run; on the embedded broker the other measurements let no fetch wait.
        waiting = str(Settings.model_fields["kafka_fetch_wait"].default)
        more = {"AGOS_SEGMENTS": str(file), "AGOS_KAFKA_FETCH_WAIT": waiting}
        with worker(settings, **more) as process:
            drain(client, process, settings.partitions, before + customers, before)
            _await_ready(client)
            share = _share_of_a_core(client, process.pid, seconds)
            late = _carts(settings, client, names[:_CARTS])
    return {
        "broker": on,
        "customers": customers,
        "seconds": seconds,
        "core": round(share, 4),
        "exits": len(late),
        "exit_late_ms": quantiles(late, _SHARES),
    }


def _await_ready(client: redis.Redis) -> None:
    """Wait until the definitions are in force and know the past."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        found: Any = client.hget(keys.SEGMENTS, "hot_cart")
        if found and json.loads(found).get("complete", 1.0) == 1.0:
            return
        time.sleep(0.5)
    raise TimeoutError(f"hot_cart was not complete in {_READY_SECONDS:.0f} s")


def _share_of_a_core(client: redis.Redis, pid: int, seconds: float) -> float:
    """What the worker takes over `seconds` in which nobody goes through the customers but for the
    pass that always goes on; measured again where another pass was asked for meanwhile."""
    deadline, calm = time.monotonic() + _SETTLED_SECONDS, 0
    while time.monotonic() < deadline:
        lasting = seconds if calm >= _CALM_LOOKS else _LOOK_SECONDS
        before, begun, used = _done(client), time.monotonic(), _cpu_seconds(pid)
        time.sleep(lasting)
        took, elapsed = _cpu_seconds(pid) - used, time.monotonic() - begun
        scans, changes = (now - then for now, then in zip(_done(client), before, strict=True))
        calm = calm + 1 if scans <= _SCANS * lasting and not changes else 0
        if calm > _CALM_LOOKS:
            return took / elapsed
    raise TimeoutError(f"the customers were still gone through after {_SETTLED_SECONDS:.0f} s")


def _done(client: redis.Redis) -> tuple[int, int]:
    """Scans and changes until now."""
    stats: Any = client.info("commandstats")
    calls = (stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("scan", "xadd"))
    scans, changes = map(int, calls)
    return scans, changes


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _carts(settings: Settings, client: redis.Redis, names: list[str]) -> list[float]:
    for begin in range(0, len(names), _AT_ONCE):
        some = _events("Product Added", names[begin : begin + _AT_ONCE])
        load(settings.kafka, some, settings.partitions)
    time.sleep(2 * _CART_SECONDS)
    late = []
    entries: Any = client.xrevrange(keys.CHANGES, count=20 * _CARTS)
    for position, fields in entries:
        if (fields[b"segment"], fields[b"change"]) == (b"hot_cart", b"left"):
            written_ms = int(position.partition(b"-")[0])
            late.append(float(written_ms - int(fields[b"at"])))
    if len(late) != _CARTS:
        raise RuntimeError(f"{len(late)} exits, expected {_CARTS}")
    return late


def _events(name: str, customers: list[str]) -> Iterator[tuple[str, bytes, bytes]]:
    for customer in customers:
        now_ms = time.time_ns() // 1_000_000
        event = {
            "event_id": f"{name}-{customer}", "customer_id": customer, "name": name,
            "timestamp": now_ms,
        }  # fmt: skip
        yield INTERACTIONS, customer.encode(), json.dumps(event).encode()
