"""Kafka and Redis that can be killed, cut off, rolled back, replaced and filled up."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from stream.local import EmbeddedRedis, ProcessError, Server, free_port, kafka_answers
from stream.settings import Settings
from stream.store import connect

ROOT = Path(__file__).resolve().parent.parent.parent
_DISK_MB = 2_000
_POLL_SECONDS = 0.1


async def until(ready: Callable[[], bool], timeout_seconds: float, what: str) -> None:
    """Wait until `ready()`; ProcessError if that takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    while not ready():
        if loop.time() > deadline:
            raise ProcessError(f"{what}: not within {timeout_seconds:g} s")
        await asyncio.sleep(_POLL_SECONDS)


class Kafka(Server):
    """One node of Apache Kafka with two doors: its own port, and one that workers reach by proxy.

    Parameters
    ----------
    advertised
        Port that clients of the second door are told to come to.
    """

    name = "kafka"
    timeout_seconds = 120.0

    def __init__(self, advertised: int, inner: int) -> None:
        super().__init__()
        self._advertised, self._inner, self._controller = advertised, inner, free_port()

    def command(self) -> list[str]:
        subprocess.run([ROOT / "scripts" / "kafka", "fetch"], check=True)
        java = ["java", "-Xms128m", "-Xmx768m", "-cp", f"{_newest_libs()}/*"]
        properties = self.directory / "server.properties"
        if not properties.exists():
            properties.write_text(self._properties())
            form = ["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qk", "--config", str(properties)]
            subprocess.run(
                [*java, "kafka.tools.StorageTool", *form], check=True, capture_output=True
            )
        return [*java, "kafka.Kafka", str(properties)]

    def answers(self) -> bool:
        return kafka_answers(self.port)

    async def come_back(self) -> None:
        """Start it again with its topics, at its ports."""
        self.process.start()
        await until(self.answers, self.timeout_seconds, "Kafka's restart")

    def _properties(self) -> str:
        doors = {"OWN": (self.port, self.port), "WORKERS": (self._inner, self._advertised)}
        listen = [f"{name}://127.0.0.1:{port}" for name, (port, _) in doors.items()]
        told = [f"{name}://127.0.0.1:{port}" for name, (_, port) in doors.items()]
        options = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": ",".join([*listen, f"CONTROLLER://127.0.0.1:{self._controller}"]),
            "advertised.listeners": ",".join(told),
            "listener.security.protocol.map": (
                "OWN:PLAINTEXT,WORKERS:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "OWN",
            "log.dirs": self.directory / "topics",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3000,
            "log.cleaner.dedupe.buffer.size": 16_777_216,
        }
        return "".join(f"{name}={value}\n" for name, value in options.items())


def _newest_libs() -> Path:
    return max(path for path in (ROOT / ".cache" / "kafka").iterdir() if (path / "").is_dir()
               and list(path.glob("kafka_*.jar")))  # fmt: skip


class FragileRedis(EmbeddedRedis):
    """A Redis whose files lie in a given directory and survive its death."""

    def __init__(self, files: Path) -> None:
        super().__init__()
        self.files = files
        self._port_then = 0

    def command(self) -> list[str]:
        self.files.mkdir(parents=True, exist_ok=True)
        command = super().command()
        command[command.index("--dir") + 1] = str(self.files)
        return [*command, "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]

    @property
    def aof(self) -> Path:
        """Its append-only file."""
        return self.files / "appendonly.aof"

    async def come_back(self) -> None:
        """Start it again at its port with what its files hold."""
        self.process.start()
        await until(self.answers, 60, "Redis' restart")

    async def follow(self, primary: Server) -> None:
        """Copy everything of another one, and go on copying."""
        client = client_of(self.port, 5, decode=True)
        try:
            client.replicaof("127.0.0.1", primary.port)

            def synced() -> bool:
                return bool(client.info("replication").get("master_link_status") == "up")

            await until(synced, 60, "the replica's first copy")
        finally:
            client.close()

    def promote(self) -> None:
        """Be a primary from now on."""
        client = client_of(self.port, 5)
        try:
            client.replicaof("NO", "ONE")
        finally:
            client.close()


class Disk:
    """Where Redis' files lie: a small file system of its own if this user may mount one."""

    def __init__(self, path: Path, small: bool) -> None:
        self.path, self.small = path, small
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Take all that is free, while others write."""
        block = bytes(1 << 20)
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            # A short write is the last one that succeeds.
            while ballast.write(block):
                pass

    def empty(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def disk() -> Iterator[Disk]:
    """A directory for Redis' files; unmounted and removed in the end."""
    path = Path(tempfile.mkdtemp(prefix="agos-faults-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(path)]
    try:
        small = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        small = False
    try:
        yield Disk(path, small)
    finally:
        if small:
            subprocess.run(["umount", "-l", str(path)], capture_output=True)
        shutil.rmtree(path, ignore_errors=True)


def client_of(port: int, timeout_seconds: float, *, decode: bool = False) -> Redis:
    """A client of the Redis at this port of 127.0.0.1. It never tries again by itself: what
    waits here holds up all that looks, and a Redis that is away would make workers seem slow."""
    settings = Settings(redis=f"redis://127.0.0.1:{port}/0")
    return connect.client(settings, timeout_seconds=timeout_seconds, decode=decode)


def offsets(port: int, partitions: int, topics: tuple[str, ...]) -> dict[tuple[str, int], int]:
    """What Redis has applied of each topic and partition; empty while it does not answer."""
    client = client_of(port, 1)
    try:
        pipe = client.pipeline(transaction=False)
        for partition in range(partitions):
            pipe.hmget(f"agos:{{{partition}}}:offsets", *topics)
        rows = pipe.execute()
    except RedisError:
        return {}
    finally:
        client.close()
    return {
        (topic, partition): int(value or 0)
        for partition, row in enumerate(rows)
        for topic, value in zip(topics, row, strict=True)
    }
