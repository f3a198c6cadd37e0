"""The collector on one core beside a bare uvicorn that reads the body and returns 200.

The server has one core to itself; sender, broker and Redis share the other. `events_per_s` is what
came through while that lasted, by the clock. Where the other core is the slower part, the server
waits for it: `events_per_core_s` is what its own core does, events that were answered with 200 by
the CPU seconds of the server's process (user and system, as the kernel counts them) in that time.
`us_elsewhere` says what the other core was busy with, per event.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from scripts.benches.ground import BROKERS
from stream.admin import create
from stream.local import EmbeddedRedis, Process, free_port
from stream.settings import Settings

_KEY = "key-of-the-bench"
_SECONDS = 5.0
_WARM_SECONDS = 1.0
_BATCH = 250
#: Name → events per request, connections.
_RUNS: Mapping[str, tuple[int, int]] = {"single": (1, 128), "batched": (_BATCH, 16)}
_ANSWER = b'{"success":true}'
_BARE = "import uvicorn; from scripts.benches.collect import bare; " + (
    "uvicorn.run(bare, port={port}, access_log=False, log_level='error')"
)
_COLLECTOR = ["-m", "stream.cli", "collect"]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """What uvicorn can do at most."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-length", str(len(_ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _ANSWER})


def collect(repeats: int = 3, on: str = "embedded") -> dict[str, Any]:
    """Requests and events a second; the best of `repeats` runs of each."""
    figures: dict[str, Any] = {"broker": on, "events_per_batch": _BATCH}
    with BROKERS[on]() as broker, EmbeddedRedis() as redis:
        create(Settings(kafka=broker.address))
        others = {"broker": broker.process.pid, "redis": redis.process.pid}
        for pid in others.values():
            _pin(pid, 1)
        for name, settings in {
            "bare uvicorn": None,
            "collector": {"AGOS_KAFKA": broker.address, "AGOS_REDIS": redis.address},
        }.items():
            figures[name] = {
                run: max(
                    (_measured(settings, others, *shape) for _ in range(repeats)),
                    key=lambda found: found["events_per_core_s"],
                )
                for run, shape in _RUNS.items()
            }
    return figures


def _measured(
    settings: Mapping[str, str] | None, others: Mapping[str, int], batch: int, connections: int
) -> dict[str, Any]:
    port = free_port()
    program = ["-c", _BARE.format(port=port)] if settings is None else _COLLECTOR
    environment = {
        "AGOS_COLLECTOR": f"127.0.0.1:{port}", "AGOS_WRITE_KEYS": _KEY, **(settings or {}),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="agos-bench-") as directory:
        command = [sys.executable, "-W", "ignore", *program]
        server = Process("server", command, Path(directory, "log"), environment)
        server.start()
        try:
            _pin(server.pid, 0)
            server.wait_until(lambda: _answers(port), 30)
            _load(port, batch, connections, _WARM_SECONDS)
            pids = {"server": server.pid, **others}
            before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
            found = _load(port, batch, connections, _SECONDS)
            spent = {name: _cpu_seconds(pid) - before[name] for name, pid in pids.items()}
            used, spent["sender"] = spent.pop("server"), found["cpu_seconds"]
        finally:
            server.stop()
    if found["wrong"]:
        raise RuntimeError(f"{found['wrong']} requests were not answered with 200")
    return {
        "requests_per_s": round(found["requests"] / found["seconds"]),
        "events_per_s": round(found["events"] / found["seconds"]),
        "cpu_us_per_request": round(1e6 * used / found["requests"], 1),
        "cpu_us_per_event": round(1e6 * used / found["events"], 1),
        "events_per_core_s": round(found["events"] / used),
        "us_elsewhere": {
            name: round(1e6 * seconds / found["events"], 1) for name, seconds in spent.items()
        },
        "core_used": round(used / found["seconds"], 2),
        "p50_ms": round(found["p50_ms"], 2),
        "p99_ms": round(found["p99_ms"], 2),
    }


def _load(port: int, batch: int, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "scripts.benches.collect_load"]
    arguments = [f"127.0.0.1:{port}", _KEY, str(batch), str(connections), str(seconds)]
    done = subprocess.run(
        [*command, *arguments],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: _pin(0, 1),
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _pin(pid: int, core: int) -> None:
    """To one core, where the system can and there is another."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


if __name__ == "__main__":
    print(json.dumps(collect(), indent=2))
