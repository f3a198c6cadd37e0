"""A system under test: topics, real worker processes, and what plain clients see of it."""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from stream.admin import create
from stream.local import Process
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, partitions_of

with warnings.catch_warnings():
    # kafka-python reads its protocol with functions that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

_RUN = "import sys; from stream.worker import run; from stream.settings import load; " + (
    "sys.exit(run(load()))"
)
#: (topic, customer, value)
Sent = tuple[str, str, bytes]


class System:
    """Workers of one group on one broker and one Redis; use it as a context manager.

    Parameters
    ----------
    settings
        Further `AGOS_*` variables of the workers, without the prefix, in lower case.
    """

    def __init__(self, kafka: str, redis_url: str, directory: Path, **settings: str) -> None:
        self.kafka, self.redis_url, self.directory = kafka, redis_url, directory
        self.partitions = int(settings.setdefault("partitions", "4"))
        settings.setdefault("kafka_session_timeout", "6")
        self.environment = {
            "AGOS_KAFKA": kafka,
            "AGOS_REDIS": redis_url,
            **{f"AGOS_{name.upper()}": value for name, value in settings.items()},
        }
        self.redis: Redis = Redis.from_url(redis_url, decode_responses=True, socket_timeout=5)
        self.workers: list[Process] = []

    def __enter__(self) -> "System":
        create(Settings(kafka=self.kafka, partitions=self.partitions))
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        self.redis.close()

    def worker(self, **settings: str) -> Process:
        """Start another worker; it is killed in the end."""
        more = {f"AGOS_{name.upper()}": value for name, value in settings.items()}
        log = self.directory / f"worker-{len(self.workers)}.log"
        command = [sys.executable, "-c", _RUN]
        process = Process("worker", command, log, {**self.environment, **more})
        process.start()
        self.workers.append(process)
        return process

    def send(self, records: Iterable[Sent]) -> None:
        """Send records, each to the partition of its customer, and wait for the broker."""
        chosen = list(records)
        owners = partitions_of([key.encode() for _, key, _ in chosen], self.partitions).tolist()
        producer = KafkaProducer(
            bootstrap_servers=self.kafka, linger_ms=5, batch_size=64 * 1024, acks="all"
        )
        try:
            futures = [
                producer.send(topic, value, key.encode(), partition=owner)
                for (topic, key, value), owner in zip(chosen, owners, strict=True)
            ]
            producer.flush(timeout=60)
            for future in futures:
                future.get(timeout=10)
        finally:
            producer.close()

    def figures(self) -> dict[str, dict[str, int]]:
        """Customer → events, orders and spend, from the public hashes."""
        names = list(self.redis.scan_iter("agos:customer:*", 1000))
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hmget(name, "events", "orders", "spend")
        fields = ("events", "orders", "spend")
        return {
            name.removeprefix("agos:customer:"): {
                field: int(value) for field, value in zip(fields, row, strict=True)
            }
            for name, row in zip(names, pipe.execute(), strict=True)
        }

    def applied(self) -> int:
        """Events applied since the beginning, from the workers' own counters."""
        total = 0
        for partition in range(self.partitions):
            counters = self.redis.hgetall(f"agos:{{{partition}}}:counters")
            total += int(counters.get("applied", 0))
        return total

    def wait_figures(
        self, wanted: Mapping[str, Mapping[str, int]], timeout_seconds: float = 60
    ) -> None:
        """Wait until the events add up, then compare every figure of every customer."""
        events = sum(figures["events"] for figures in wanted.values())

        def settled() -> bool:
            return sum(figures["events"] for figures in self.figures().values()) >= events

        self.wait(settled, timeout_seconds, f"{events} events applied")
        found = self.figures()
        wrong = {c: (found.get(c), w) for c, w in wanted.items() if found.get(c) != w}
        assert not wrong, f"{len(wrong)} customers wrong, as {next(iter(wrong.items()))}"
        assert found.keys() == wanted.keys()

    def wait(self, reached: Callable[[], bool], timeout_seconds: float, what: str) -> None:
        """Wait until `reached()`, Redis being away meanwhile or not."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                if reached():
                    return
            except RedisError:
                pass
            dead = self.workers and not any(worker.running for worker in self.workers)
            if dead or time.monotonic() > deadline:
                logs = "\n".join(w.log_tail() for w in self.workers)
                late = "every worker ended" if dead else f"{timeout_seconds} s are over"
                raise AssertionError(f"{late} before: {what}\n{logs}")
            time.sleep(0.1)

    def wait_end(self, worker: Process, timeout_seconds: float) -> None:
        """Wait until this worker has ended."""
        deadline = time.monotonic() + timeout_seconds
        while worker.running:
            assert time.monotonic() < deadline, f"still running{worker.log_tail()}"
            time.sleep(0.1)

    def messages(self, topic: str) -> list[Any]:
        """All records of a topic, partition by partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            consumer_timeout_ms=3000,
        )
        try:
            found = sorted(consumer.partitions_for_topic(topic) or ())
            consumer.assign([TopicPartition(topic, partition) for partition in found])
            return list(consumer)
        finally:
            consumer.close()


def interaction(customer: str, number: int, at_ms: int, name: str = "Product Viewed") -> Sent:
    """An interaction with a unique id."""
    return _sent("interactions", customer, number, at_ms, name=name)


def purchase(customer: str, number: int, at_ms: int, total: float, currency: str = "USD") -> Sent:
    """A purchase with a unique id."""
    more = {"order_id": f"o{number}", "total": total, "currency": currency}
    return _sent("purchases", customer, number, at_ms, **more)


def profile(customer: str, number: int, at_ms: int, **traits: Any) -> Sent:
    """Facts with a unique id."""
    return _sent("profiles", customer, number, at_ms, traits=traits)


def _sent(topic: str, customer: str, number: int, at_ms: int, **more: Any) -> Sent:
    record = {"event_id": f"{topic}-{number}", "customer_id": customer, "timestamp": at_ms, **more}
    return topic, customer, json.dumps(record).encode()


def traffic(count: int, customers: int, begin_ms: int, first: int = 0) -> list[Sent]:
    """`count` events of all topics, one millisecond apart; every seventh is a purchase."""
    sent = []
    for number in range(first, first + count):
        customer, at_ms = f"customer-{number * 7919 % customers}", begin_ms + number
        if number % 7 == 0:
            total = (number % 13 - 2) * 10 + (number % 100) / 100
            sent.append(purchase(customer, number, at_ms, total))
        elif number % 11 == 0:
            sent.append(profile(customer, number, at_ms, level=number % 5))
        else:
            sent.append(interaction(customer, number, at_ms))
    return sent


def add_up(records: Iterable[Sent]) -> dict[str, dict[str, int]]:
    """Customer → events, orders, spend of `traffic`, by plain sums."""
    wanted: dict[str, dict[str, int]] = {}
    for topic, customer, value in records:
        figures = wanted.setdefault(customer, {"events": 0, "orders": 0, "spend": 0})
        figures["events"] += 1
        if topic == "purchases":
            total = json.loads(value)["total"]
            figures["orders"] += total >= 0
            figures["spend"] += round(total * 100)
    return wanted


assert set(EVENT_TOPICS) == {"interactions", "purchases", "profiles"}
