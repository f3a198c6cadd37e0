"""Broker, Redis, topics and workers on this machine, as `agos up` and `agos demo` run them."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from stream import admin
from stream.cli.common import quiet_clients
from stream.cli.runtime import announced
from stream.local import EmbeddedBroker, EmbeddedRedis, Supervisor
from stream.settings import Settings, load
from stream.store.reader import Reader

#: The embedded broker waits this long before a group's first join.
_SESSION_TIMEOUT_SECONDS = 6
#: It lets new events wait for a part of the time that a fetch may take.
_FETCH_WAIT_SECONDS = 0.01
_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """What runs. `environment` makes any command talk to it."""

    settings: Settings
    environment: Mapping[str, str]
    supervisor: Supervisor
    logs: Path
    _started: Iterator[int] = field(default_factory=count)

    def start(self, name: str, *arguments: str) -> None:
        """Run an `agos` command beside the workers, under their supervisor."""
        command = [sys.executable, "-P", "-m", "stream.cli", *arguments]
        metrics = _after(self.settings.metrics, next(self._started))
        self.supervisor.start(name, command, {**self.environment, "AGOS_METRICS": metrics})

    def ready(self) -> bool:
        """Whether every partition has a worker."""
        with Reader(self.settings) as reader:
            workers = reader.overview(0, changes=1).workers
        owned = {partition for worker in workers for partition in worker.partitions}
        return len(owned) == self.settings.partitions

    def wait_until_ready(self) -> bool:
        """Wait for `ready`, a minute at most; whether it is."""
        deadline = time.monotonic() + _READY_SECONDS
        while not self.ready():
            if time.monotonic() > deadline:
                return False
            self.supervisor.check()
            time.sleep(0.2)
        return True


@contextmanager
def stack(
    command: str,
    workers: int,
    say: Callable[[str], None],
    *,
    kafka_port: int = 0,
    redis_port: int = 0,
    overrides: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start everything; leaving stops everything. To be used within `terminable()`.

    Parameters
    ----------
    say
        Called with a sentence about what happens.
    overrides
        Environment of all processes beside what the servers' addresses need.
    """
    quiet_clients()
    with EmbeddedBroker(kafka_port) as broker, EmbeddedRedis(redis_port) as redis:
        environment = _environment(broker.address, redis.address, overrides or {})
        settings = load(**{k.removeprefix("AGOS_").lower(): v for k, v in environment.items()})
        admin.create(settings)
        logs = redis.directory / "logs"
        with (
            Supervisor(logs, [broker, redis], on_restart=_with_reason(say, logs)) as supervisor,
            announced(command, environment),
        ):
            running = Stack(settings, environment, supervisor, logs)
            for number in range(1, workers + 1):
                running.start(f"worker-{number}", "worker")
            yield running


def _with_reason(say: Callable[[str], None], logs: Path) -> Callable[[str], None]:
    """`say` with the last error of the log of the command that the message begins with."""

    def told(message: str) -> None:
        log = logs / f"{message.split()[0]}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        errors = [text for text in lines if " ERROR " in text or text.startswith("agos: ")]
        say(f"{message} ({errors[-1].rpartition(' ERROR ')[2]})" if errors else message)

    return told


def _environment(kafka: str, redis: str, overrides: Mapping[str, str]) -> dict[str, str]:
    given = load(**{name.removeprefix("AGOS_").lower(): value for name, value in overrides.items()})
    return {
        "AGOS_KAFKA": kafka,
        "AGOS_REDIS": redis,
        "AGOS_KAFKA_SESSION_TIMEOUT": str(_SESSION_TIMEOUT_SECONDS),
        "AGOS_KAFKA_FETCH_WAIT": str(_FETCH_WAIT_SECONDS),
        # Whatever the environment says of other servers is not for these.
        "AGOS_KAFKA_SECURITY": "PLAINTEXT",
        "AGOS_REDIS_USER": "",
        "AGOS_REDIS_PASSWORD": "",
        "AGOS_REDIS_SENTINEL": "",
        "AGOS_REPLICATION": "1",
        "AGOS_PARTITIONS": str(given.partitions),
        "AGOS_GROUP": given.group,
        "AGOS_CURRENCY": given.currency,
        "AGOS_CLOCK": given.clock,
        **({"AGOS_SEGMENTS": str(segments)} if (segments := given.segments or _starter()) else {}),
        **overrides,
    }


def _after(metrics: str, number: int) -> str:
    """Where the process of this number serves its metrics: no two can at one port."""
    host, _, port = metrics.rpartition(":")
    return f"{host}:{int(port) + number}" if port not in ("", "0") else metrics


def _starter() -> Path | None:
    """The starter definitions beside the project's sources, if that is where we run from."""
    starter = Path(__file__).resolve().parents[2] / "segments.yaml"
    return starter if starter.exists() else None
