"""One child process: started in a session of its own, stopped for certain."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from stream.errors import AgosError

_LAUNCH = Path(__file__).with_name("launch.py")
_LOG_TAIL_LINES = 15
_POLL_SECONDS = 0.02


class ProcessError(AgosError):
    """A process did not start, did not answer in time or ended too often."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A child process and, if `log` is given, the file its output is appended to.

    It gets a session of its own: Ctrl-C in the terminal reaches only the parent, which stops its
    children in order. On Linux it is killed when its parent ends in whatever way; the kernel
    means the *thread* that started it, so start it from one that lives as long.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self.started_s = 0.0
        self._env = env
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id; raises ProcessError before the first start."""
        if self._popen is None:
            raise ProcessError(f"{self.name} has not been started")
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs and before it was started; negative: ended by that signal."""
        return None if self._popen is None else self._popen.poll()

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it; `env` is added to the environment of this process."""
        launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid())]
        environment = {**os.environ, **(self._env or {})}
        self.started_s = time.monotonic()
        if self.log is None:
            self._popen = self._spawn([*launcher, *self.command], environment, None)
            return
        with self.log.open("ab") as output:
            self._popen = self._spawn([*launcher, *self.command], environment, output.fileno())

    def stop(self, grace_seconds: float = 4.8) -> None:
        """TERM, and KILL after `grace_seconds`. Returns when it has ended."""
        stop_all([self], grace_seconds)

    def kill(self) -> None:
        """KILL it and everything in its process group, and wait for its end."""
        self.signal(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait()

    def signal(self, number: int) -> None:
        """Send a signal to its process group; nothing happens if it has ended."""
        if self._popen is None or self._popen.poll() is not None:
            return
        try:
            os.killpg(self._popen.pid, number)
        except (ProcessLookupError, PermissionError):
            # It has just ended (macOS refuses to signal a process that nobody has waited for).
            self._popen.poll()

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Wait until `ready()`; ProcessError with the log's last lines if it ends or is late."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise ProcessError(f"{self.name} ended with {self.returncode}{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.name} did not answer within {timeout_seconds:g} s{self.log_tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def log_tail(self) -> str:
        """The last lines of its log, for an error message; empty without a log."""
        if self.log is None or not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "".join(f"\n  {line}" for line in ["its last lines:", *lines])

    def _spawn(
        self, command: list[str], environment: dict[str, str], output: int | None
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessError(f"{self.name} cannot be started: {error}") from error


def stop_all(processes: Iterable[Process], grace_seconds: float) -> None:
    """TERM to all at once, KILL to those still running after `grace_seconds`."""
    running = [process for process in processes if process.running]
    for process in running:
        process.signal(signal.SIGTERM)
        # One that is stopped (SIGSTOP) would not see the TERM.
        process.signal(signal.SIGCONT)
    deadline = time.monotonic() + grace_seconds
    while any(process.running for process in running) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for process in running:
        process.kill()
