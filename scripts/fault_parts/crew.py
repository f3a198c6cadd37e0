"""Workers under a supervisor: what ends is started again, and how it ended is kept."""

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from stream.local import Process

ROOT = Path(__file__).resolve().parent.parent.parent
_RUN = "import sys; from stream.worker import run; from stream.settings import load; " + (
    "sys.exit(run(load()))"
)
_PAUSE_SECONDS = 1.0
_GRACE_SECONDS = 10.0


class Crew:
    """Keeps `wanted` workers running.

    Attributes
    ----------
    ends
        Why workers ended by themselves → how often: the last error of their logs.
    slowest_stop_seconds
        The longest that a worker took from TERM to its end.
    """

    def __init__(self, wanted: int, environment: Mapping[str, str], logs: Path) -> None:
        self.wanted = wanted
        self.workers: list[Process] = []
        self.paused: list[Process] = []
        self.ends: Counter[str] = Counter()
        self.slowest_stop_seconds = 0.0
        self._leaving: dict[int, float] = {}
        self._environment = {**environment, "PYTHONPATH": str(ROOT)}
        self._logs = logs
        for old in logs.glob("worker-*.log"):
            old.unlink()
        self._started = 0
        self._not_before = 0.0

    def keep_up(self) -> None:
        """Note who has ended, and start others in their place. Call it a few times a second."""
        now = time.monotonic()
        for worker in [worker for worker in self.workers if not worker.running]:
            self.workers.remove(worker)
            self._note_end(worker, now)
        for worker in self.workers:
            if now - self._leaving.get(worker.pid, now) > _GRACE_SECONDS:
                self.ends["killed: did not end after TERM"] += 1
                del self._leaving[worker.pid]
                worker.kill()
        if len(self.active()) < self.wanted and now >= self._not_before:
            self.start()

    def start(self) -> Process:
        """One more worker."""
        self._started += 1
        self._not_before = time.monotonic() + _PAUSE_SECONDS
        log = self._logs / f"worker-{self._started}.log"
        command = ["nice", "-n", "5", sys.executable, "-c", _RUN]
        worker = Process("worker", command, log, self._environment)
        worker.start()
        self.workers.append(worker)
        return worker

    def active(self) -> list[Process]:
        """Workers that run and are neither paused nor about to leave."""
        return [
            worker for worker in self.workers
            if worker.running and worker not in self.paused and worker.pid not in self._leaving
        ]  # fmt: skip

    def victim(self, draw: random.Random) -> Process | None:
        """Any active worker."""
        active = self.active()
        return draw.choice(active) if active else None

    def leave(self, worker: Process) -> None:
        """Ask a worker to end (TERM)."""
        self._leaving[worker.pid] = time.monotonic()
        worker.signal(signal.SIGTERM)

    def stop(self) -> None:
        """End all; they are not started again."""
        self.wanted = 0
        for worker in self.paused:
            worker.signal(signal.SIGCONT)
        self.paused.clear()
        for worker in self.active():
            self.leave(worker)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self.workers and time.monotonic() < deadline:
            self.keep_up()
            time.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End all at once."""
        for worker in self.workers:
            worker.kill()

    def complaints(self) -> list[str]:
        """Lines of the logs that speak of a bug, or of an exception that nobody caught."""
        found = []
        for log in sorted(self._logs.glob("worker-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                if "a bug, please report" in line or "never retrieved" in line:
                    found.append(f"{log.name}: {line}")
        return found

    def left_over(self) -> list[int]:
        """Processes that still have this crew's environment."""
        mark = f"AGOS_GROUP={self._environment['AGOS_GROUP']}".encode()
        found = []
        for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return [pid for pid in found if pid != os.getpid()]

    def _note_end(self, worker: Process, now: float) -> None:
        since = self._leaving.pop(worker.pid, None)
        if worker in self.paused:
            self.paused.remove(worker)
        if since is not None:
            self.slowest_stop_seconds = max(self.slowest_stop_seconds, now - since)
        if worker.returncode == -signal.SIGKILL:
            return
        if worker.returncode or since is None:
            self.ends[_reason(worker)] += 1


def _reason(worker: Process) -> str:
    """The last error in its log, without what differs each time."""
    lines = worker.log.read_text(errors="replace").splitlines() if worker.log else []
    errors = [line for line in lines if " stopping: " in line] or [
        line for line in lines if line.startswith("stream.errors.")
    ]
    told = errors[-1].rpartition("stopping: ")[2] if errors else "no error in its log"
    words = ["N" if any(c.isdigit() for c in word) else word for word in told.split()]
    return f"{worker.returncode}: {' '.join(words)[:140]}"
