"""Keeps commands running: restarts what fails, gives up on what keeps failing, stops all."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from stream.local.process import Process, ProcessError, stop_all
from stream.local.servers import Server

_POLL_SECONDS = 0.1


@dataclass
class _Child:
    process: Process
    fast_failures: int = 0
    restart_at_s: float | None = None
    done: bool = False


class Supervisor:
    """Runs commands beside the servers they need; leaving its `with` stops the commands.

    A command that ends with 0 is done. One that fails is started again after a pause that
    doubles from `backoff_seconds` to `backoff_cap_seconds`; `max_fast_failures` failures in a
    row, each within `fast_seconds` of its start, are given up with a ProcessError.

    Parameters
    ----------
    logs
        Directory that gets `<name>.log` of every command; None: they write to the console.
    servers
        They hold what the commands work on: the end of one is an error, not a restart.
    on_restart
        Called with a sentence about each restart.
    """

    def __init__(
        self,
        logs: Path | None = None,
        servers: Sequence[Server] = (),
        on_restart: Callable[[str], None] = lambda message: None,
        backoff_seconds: float = 0.5,
        backoff_cap_seconds: float = 10.0,
        fast_seconds: float = 10.0,
        max_fast_failures: int = 5,
    ) -> None:
        self._logs = logs
        self._servers = servers
        self._on_restart = on_restart
        self._backoff_seconds = backoff_seconds
        self._backoff_cap_seconds = backoff_cap_seconds
        self._fast_seconds = fast_seconds
        self._max_fast_failures = max_fast_failures
        self._children: dict[str, _Child] = {}

    def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a command under a name of its own; `env` is added to our environment."""
        if name in self._children:
            raise ProcessError(f"there is a command named {name!r} already")
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        log = None if self._logs is None else self._logs / f"{name}.log"
        process = Process(name, command, log, env)
        self._children[name] = _Child(process)
        process.start()
        return process

    def check(self) -> bool:
        """Restart what is due; whether anything still runs or will. Call it a few times a second.

        Raises
        ------
        ProcessError
            A server ended, or a command failed too often.
        """
        for server in self._servers:
            if not server.running:
                raise ProcessError(f"{server.name} has ended{server.process.log_tail()}")
        now_s = time.monotonic()
        for child in self._children.values():
            self._check_child(child, now_s)
        return any(not child.done for child in self._children.values())

    def run(self) -> None:
        """Check until every command is done. Within `terminable()`: or until a signal."""
        while self.check():
            time.sleep(_POLL_SECONDS)

    def stop(self, grace_seconds: float = 4.8) -> None:
        """TERM to all at once, KILL after `grace_seconds`; they are not started again."""
        for child in self._children.values():
            child.done = True
        stop_all((child.process for child in self._children.values()), grace_seconds)

    def _check_child(self, child: _Child, now_s: float) -> None:
        process = child.process
        if child.done or process.running:
            return
        if child.restart_at_s is None:
            self._note_end(child, now_s)
        elif now_s >= child.restart_at_s:
            child.restart_at_s = None
            process.start()

    def _note_end(self, child: _Child, now_s: float) -> None:
        process = child.process
        if process.returncode == 0:
            child.done = True
            return
        fast = now_s - process.started_s < self._fast_seconds
        child.fast_failures = child.fast_failures + 1 if fast else 0
        if child.fast_failures >= self._max_fast_failures:
            child.done = True
            raise ProcessError(
                f"{process.name} failed {child.fast_failures} times in a row, each within"
                f" {self._fast_seconds:g} s of its start, last with {process.returncode}"
                f"{process.log_tail()}"
            )
        pause_s = min(
            self._backoff_seconds * 2 ** max(child.fast_failures - 1, 0), self._backoff_cap_seconds
        )
        child.restart_at_s = now_s + pause_s
        self._on_restart(f"{process.name} ended with {process.returncode}; again in {pause_s:g} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def terminable() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does; the second is ignored.

    So one `with` unwinds for all three, and an impatient second Ctrl-C cannot leave a process
    behind: stopping is bounded. To be entered once, first, in the main thread:
    `with terminable(), EmbeddedBroker() as broker, EmbeddedRedis() as redis, Supervisor() as s:`.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def interrupt(number: int, frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
