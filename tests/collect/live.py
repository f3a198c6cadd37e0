"""A collector as a process of its own on a real broker, and what Kafka has afterwards."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from stream.admin import create
from stream.local import Process, Server, free_port
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, partition_of

with warnings.catch_warnings():
    # kafka-python reads its protocol with functions that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, TopicPartition

PARTITIONS = 8
#: What only workers write, to each other.
_OF_WORKERS = {"merge_into", "merged_state", "via"}


class Collector:
    """`agos collect` on this broker; use it as a context manager."""

    def __init__(self, broker: Server, directory: Path, write_keys: str, **settings: str) -> None:
        self.broker = broker
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "AGOS_KAFKA": broker.address,
            "AGOS_WRITE_KEYS": write_keys,
            "AGOS_COLLECTOR": f"127.0.0.1:{self.port}",
            **{f"AGOS_{name.upper()}": value for name, value in settings.items()},
        }
        command = [sys.executable, "-P", "-W", "ignore", "-m", "stream.cli", "collect"]
        self.process = Process(
            "collector", command, directory / f"collector-{self.port}.log", environment
        )

    def __enter__(self) -> "Collector":
        create(Settings(kafka=self.broker.address, partitions=PARTITIONS))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def start(self) -> None:
        """Start it, again after it was killed or not."""
        self.process.start()
        self.process.wait_until(self._ready, 30)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def kept(broker: Server, prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Topic and event of every record of customers whose id begins so, each checked for place."""
    consumer = KafkaConsumer(
        bootstrap_servers=broker.address, auto_offset_reset="earliest", enable_auto_commit=False
    )
    places = [TopicPartition(topic, p) for topic in EVENT_TOPICS for p in range(PARTITIONS)]
    found = []
    try:
        consumer.assign(places)
        consumer.seek_to_beginning()
        silent = 0
        while silent < 3:
            batches = consumer.poll(timeout_ms=400)
            silent = 0 if batches else silent + 1
            for place, records in batches.items():
                for record in records:
                    event = json.loads(record.value)
                    if event["customer_id"].startswith(prefix) and not _OF_WORKERS & event.keys():
                        assert record.key.decode() == event["customer_id"]
                        assert place.partition == partition_of(event["customer_id"], PARTITIONS)
                        found.append((place.topic, event))
    finally:
        consumer.close()
    return found


def wait_kept(
    broker: Server, prefix: str, count: int, timeout_seconds: float = 30
) -> list[tuple[str, dict[str, Any]]]:
    """What `kept` finds, as soon as it is so much."""
    deadline = time.monotonic() + timeout_seconds
    while len(found := kept(broker, prefix)) < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def doubled(events: list[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Ids that are there more than once."""
    counts = Counter(f"{e['customer_id']} {e['event_id']}" for _, e in events)
    return {name: count for name, count in counts.items() if count > 1}


def environment() -> dict[str, str]:
    """For Node and the browser: no settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AGOS_")}
