"""Apache Kafka for tests: the same node that `scripts/kafka` runs, on free ports."""

import shutil
import time
from collections.abc import Collection
from pathlib import Path

from kafka import KafkaAdminClient

from stream.local import ProcessError, Server, free_port, kafka_answers

_SCRIPT = Path(__file__).parents[1] / "scripts" / "kafka"
_FETCHED = _SCRIPT.parents[1] / ".cache" / "kafka"


class ApacheKafka(Server):
    """One KRaft node. `kill` and `restart` keep port and topics; `stop` removes everything."""

    name = "kafka"
    # The first start copies it from Maven Central.
    timeout_seconds = 300.0

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._controller_port = free_port()

    def command(self) -> list[str]:
        return [
            str(_SCRIPT),
            "run",
            *("--port", str(self.port)),
            *("--controller-port", str(self._controller_port)),
            *("--data", str(self.directory / "data")),
        ]

    def answers(self) -> bool:
        return kafka_answers(self.port)

    def kill(self) -> None:
        """SIGKILL, as when the machine fails; the topics stay on disk."""
        self.process.kill()

    def restart(self) -> None:
        """Start it again with its topics at its old port, after `kill` or while it runs."""
        self._end_process()
        self._wanted_port = self.port
        self._start_once()


def apache_kafka_missing() -> str:
    """Why Apache Kafka cannot run on this machine; empty if it can."""
    needed = ["java"] if _FETCHED.is_dir() else ["java", "mvn"]
    missing = [name for name in needed if shutil.which(name) is None]
    if not missing:
        return ""
    return f"Apache Kafka needs {' and '.join(missing)} on the PATH (Java 17, Maven)"


def remove_topics(server: Server) -> None:
    """Delete every topic but the broker's own, and wait until the broker no longer names them."""
    admin = KafkaAdminClient(bootstrap_servers=server.address)
    try:
        topics = own_topics(admin)
        if topics:
            delete_topics(admin, topics)
    finally:
        admin.close()


def own_topics(admin: KafkaAdminClient) -> list[str]:
    """Topics but the broker's own (`__consumer_offsets`)."""
    return [name for name in admin.list_topics() if not name.startswith("__")]


def delete_topics(admin: KafkaAdminClient, topics: Collection[str]) -> None:
    """Delete topics; Apache Kafka goes on naming them for a moment, so wait for that."""
    admin.delete_topics(list(topics))
    deadline = time.monotonic() + 10
    while set(topics) & set(own_topics(admin)):
        if time.monotonic() > deadline:
            raise ProcessError(f"the broker still names {sorted(topics)} 10 s after the deletion")
        time.sleep(0.05)
