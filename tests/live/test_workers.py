"""Worker processes on real brokers and a real Redis: exact through every accident."""

import asyncio
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from stream.admin import create
from stream.local import EmbeddedRedis, Server
from stream.producer import producer
from stream.replay import open_history, replay
from stream.settings import Settings
from tests.live.harness import Sent, System, add_up, interaction, traffic
from tests.oracle import online_retail as retail_oracle
from tests.servers import ApacheKafka, remove_topics

DATA = Path(os.environ.get("AGOS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
RETAIL = DATA / "online_retail" / "online_retail_even_customers.csv.gz"
BEGIN_MS = int(time.time() * 1000) - 30 * 86_400_000


class MortalRedis(EmbeddedRedis):
    """A Redis of one test, that can be killed and comes back with its append-only file."""

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        self._wanted_port = self.port
        self._start_once()


@pytest.fixture
def mortal_redis() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


@pytest.fixture
def embedded(embedded_broker: Server) -> Server:
    """The embedded broker without topics."""
    remove_topics(embedded_broker)
    return embedded_broker


@pytest.fixture
def kafka(apache_kafka: ApacheKafka) -> ApacheKafka:
    """Apache Kafka without topics."""
    remove_topics(apache_kafka)
    return apache_kafka


def half_applied(system: System, count: int) -> None:
    system.wait(lambda: system.applied() >= count, 60, f"{count} events applied")


@pytest.mark.skipif(not RETAIL.exists(), reason=f"{RETAIL} is not there")
def test_online_retail_is_exact_with_a_worker_killed_half_way(
    broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    expected = retail_oracle.expected(str(RETAIL))
    events = sum(figures["events"] for figures in expected.values())
    # Small batches, so that half way is there to be seen.
    config = {"currency": "GBP", "clock": "events", "group": unique, "batch": "60"}
    with System(broker.address, redis_url, tmp_path, **config) as system:
        history = open_history(RETAIL, "online-retail")
        sender = producer(Settings(kafka=broker.address))
        replay(history.records, sender, system.partitions)
        sender.close()
        first = system.worker()
        half_applied(system, events // 3)
        first.kill()
        assert system.applied() < events
        system.worker()
        system.wait_figures(expected, 90)


def test_a_worker_stops_within_seconds_and_the_next_one_goes_on(
    embedded: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(5_000, 300, BEGIN_MS)
    with System(embedded.address, redis_url, tmp_path, group=unique) as system:
        system.send(sent)
        worker = system.worker()
        system.wait_figures(add_up(sent))
        begun = time.monotonic()
        worker.stop(grace_seconds=10)
        assert time.monotonic() - begun < 5
        assert worker.returncode == 0
        # Nothing is left to read: it has to find that out without taking the log for another.
        second = system.worker()
        system.wait(lambda: bool(reports(system)), 30, "the second worker reported")
        more = traffic(50, 300, BEGIN_MS, first=5_000)
        system.send(more)
        system.wait_figures(add_up(sent + more))
        assert second.running


def reports(system: System) -> list[dict[str, Any]]:
    """What workers say that have partitions."""
    found = [json.loads(text) for text in system.redis.hvals("agos:workers")]
    return [report for report in found if report["partitions"]]


def test_two_workers_a_third_joins_and_one_is_killed(
    broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent: list[Sent] = []
    with System(broker.address, redis_url, tmp_path, group=unique, batch="200") as system:

        def send_more() -> None:
            more = traffic(4_000, 700, BEGIN_MS, first=len(sent))
            system.send(more)
            sent.extend(more)

        first = system.worker()
        system.worker()
        send_more()
        half_applied(system, 1_000)
        system.worker()
        send_more()
        half_applied(system, 5_000)
        first.kill()
        send_more()
        system.wait_figures(add_up(sent), 90)
        assert sum(worker.running for worker in system.workers) == 2


@pytest.mark.kafka
@pytest.mark.slow
def test_a_worker_that_was_paused_for_too_long_changes_nothing(
    kafka: ApacheKafka, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(15_000, 700, BEGIN_MS)
    with System(kafka.address, redis_url, tmp_path, group=unique, batch="50") as system:
        system.send(sent)
        zombie = system.worker()
        half_applied(system, 2_000)
        zombie.signal(signal.SIGSTOP)
        time.sleep(9)
        system.worker()
        half_applied(system, 6_000)
        zombie.signal(signal.SIGCONT)
        system.wait_figures(add_up(sent), 120)
        more = traffic(2_000, 700, BEGIN_MS, first=15_000)
        system.send(more)
        system.wait_figures(add_up(sent + more), 60)


def test_a_redis_that_lost_everything_is_filled_again_by_itself(
    embedded: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(5_000, 300, BEGIN_MS)
    with System(embedded.address, redis_url, tmp_path, group=unique) as system:
        system.send(sent)
        system.worker()
        system.wait_figures(add_up(sent))
        system.redis.flushall()
        # Nothing new comes: it must notice by itself.
        system.wait_figures(add_up(sent), 30)


@pytest.mark.slow
def test_a_redis_that_was_killed_comes_back_with_its_file(
    embedded: Server, mortal_redis: MortalRedis, unique: str, tmp_path: Path
) -> None:
    sent = traffic(30_000, 500, BEGIN_MS)
    with System(
        embedded.address, mortal_redis.address, tmp_path, group=unique, batch="100"
    ) as system:
        system.send(sent)
        worker = system.worker()
        half_applied(system, 3_000)
        mortal_redis.kill()
        time.sleep(1)
        mortal_redis.restart()
        system.wait_figures(add_up(sent), 90)
        assert worker.running


def test_every_change_reaches_the_topic_in_order(
    embedded: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(20_000, 400, BEGIN_MS)
    with System(embedded.address, redis_url, tmp_path, group=unique) as system:
        system.send(sent)
        worker = system.worker()
        system.wait(lambda: system.redis.xlen("agos:changes") >= 400, 60, "segments were found")
        more = traffic(20_000, 400, BEGIN_MS + 86_400_000, first=20_000)
        system.send(more)
        system.wait_figures(add_up(sent + more))

        def relayed() -> bool:
            newest = system.redis.xrevrange("agos:changes", count=1)[0][0]
            return bool(system.redis.hget("agos:relay", "cursor") == newest)

        system.wait(relayed, 30, "the relay caught up")
        worker.stop(grace_seconds=10)
        cursor = system.redis.hget("agos:relay", "cursor")
        changes = [fields for _, fields in system.redis.xrange("agos:changes", "-", cursor)]
        in_topic = [
            (m.key.decode(), json.loads(m.value)) for m in system.messages("segment-changes")
        ]
    assert len({fields["change_id"] for fields in changes}) == len(changes)
    found: dict[str, list[str]] = defaultdict(list)
    for key, record in in_topic:
        assert key == record["customer"]
        if record["change_id"] not in found[key]:
            found[key].append(record["change_id"])
    wanted: dict[str, list[str]] = defaultdict(list)
    for fields in changes:
        wanted[fields["customer"]].append(fields["change_id"])
    # What was sent last may not be noted in Redis any more; it is there twice then, in order.
    assert {customer: found[customer][: len(ids)] for customer, ids in wanted.items()} == wanted
    for customer in wanted:
        versions = [r["version"] for key, r in in_topic if key == customer]
        assert versions == sorted(versions)


def test_a_record_of_a_megabyte_becomes_a_dead_letter(
    broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    large = ("interactions", "c1", b"x" * 1_000_000)
    good = interaction("c1", 1, BEGIN_MS)
    with System(broker.address, redis_url, tmp_path, group=unique) as system:
        system.send([large, good])
        system.worker()
        system.wait_figures({"c1": {"events": 1, "orders": 0, "spend": 0}})
        (letter,) = [json.loads(m.value) for m in system.messages("dead-letters")]
    assert letter["reason"] == "too-large"
    assert len(letter["value"]) > 1_333_000


@pytest.mark.kafka
@pytest.mark.slow
def test_the_end_of_a_transaction_is_no_event_that_waits(
    kafka: ApacheKafka, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = [interaction("c1", number, BEGIN_MS + number) for number in range(20)]
    with System(kafka.address, redis_url, tmp_path, group=unique, stall_seconds="4") as system:
        asyncio.run(send_in_transactions(kafka.address, unique, sent))
        worker = system.worker()
        system.wait_figures(add_up(sent))
        time.sleep(10)
        assert worker.running, worker.log_tail()
        more = [interaction("c1", number, BEGIN_MS + number) for number in range(20, 30)]
        system.send(more)
        system.wait_figures(add_up(sent + more))
        last = [interaction("c1", 30, BEGIN_MS)]
        asyncio.run(send_in_transactions(kafka.address, unique, last))
        system.wait_figures(add_up(sent + more + last))
        worker.stop(grace_seconds=10)
        # Only a marker is left to read.
        heir = system.worker()
        system.wait(lambda: bool(reports(system)), 30, "the heir reported")
        time.sleep(8)
        assert heir.running, heir.log_tail()


async def send_in_transactions(address: str, name: str, sent: list[Sent]) -> None:
    """Each record in a transaction of its own: a marker behind every one."""
    async with AIOKafkaProducer(bootstrap_servers=address, transactional_id=name) as sender:
        for topic, customer, value in sent:
            async with sender.transaction():
                await sender.send(topic, value, customer.encode())


@pytest.mark.kafka
@pytest.mark.slow
def test_a_topic_that_was_created_anew_stops_the_worker(
    kafka: ApacheKafka, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(2_000, 100, BEGIN_MS)
    with System(kafka.address, redis_url, tmp_path, group=unique) as system:
        system.send(sent)
        worker = system.worker()
        system.wait_figures(add_up(sent))
        remove_topics(kafka)
        create(Settings(kafka=kafka.address, partitions=system.partitions))
        again = [interaction(f"customer-{n % 100}", 10_000 + n, BEGIN_MS) for n in range(500)]
        system.send(again)
        system.wait_end(worker, 45)
        assert worker.returncode == 1
        log = worker.log.read_text() if worker.log else ""
        assert "created anew" in log
        assert system.figures() == add_up(sent)
        # Nor does the next one begin.
        second = system.worker()
        system.wait_end(second, 45)
        assert second.returncode == 1


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_was_away_is_waited_for(
    kafka: ApacheKafka, redis_url: str, unique: str, tmp_path: Path
) -> None:
    sent = traffic(20_000, 300, BEGIN_MS)
    with System(kafka.address, redis_url, tmp_path, group=unique, batch="100") as system:
        system.send(sent)
        worker = system.worker()
        half_applied(system, 4_000)
        kafka.kill()
        time.sleep(20)
        kafka.restart()
        more = traffic(1_000, 300, BEGIN_MS, first=20_000)
        system.send(more)
        restarts = 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and system.applied() < len(sent + more):
            if not worker.running:
                # As a supervisor does.
                restarts += 1
                worker = system.worker()
            time.sleep(0.5)
        system.wait_figures(add_up(sent + more), 5)
        assert restarts <= 1
