"""What a collector says of itself: whether it is alive and ready, by HTTP, Prometheus and Redis."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka.errors import KafkaError
from redis import Redis

from stream.collect.tracking import Tracking
from stream.local import EmbeddedBroker, free_port
from stream.metrics.collecting import Watch, asking
from stream.metrics.collector import CollectorMetrics, serve_collector
from stream.metrics.names import COLLECTOR
from stream.settings import Settings
from stream.store import keys
from stream.store.collectors import CollectorReport, CollectorReports, CollectorWatcher
from tests.collect.harness import running
from tests.collect.live import Collector
from tests.dashboard.test_metrics import Clock, families, get

TRACK = {"userId": "ada", "event": "Product Viewed", "type": "track"}


@dataclass
class Kafka:
    """Answers questions as it is told, and acknowledges what a test says it has."""

    clock: Clock = field(default_factory=Clock)
    answers: Any = True
    asked: int = 0
    silent_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    async def ask(self) -> bool:
        self.asked += 1
        if isinstance(self.answers, Exception):
            raise self.answers
        return bool(self.answers)

    def watch(self) -> Watch:
        tracking = cast(Tracking, SimpleNamespace(gate=self))
        return Watch(tracking, self.ask, self.clock)


async def looks(watch: Watch, kafka: Kafka, seconds: int) -> None:
    for _ in range(seconds):
        kafka.clock.now += 1
        await watch.look()


async def test_kafka_is_asked_only_where_it_acknowledges_nothing():
    kafka = Kafka()
    watch = kafka.watch()
    for _ in range(20):
        kafka.counts["accepted"] += 3
        await looks(watch, kafka, 1)
    assert kafka.asked == 0
    await looks(watch, kafka, 20)
    # Every five seconds.
    assert kafka.asked == 4
    assert watch.ready() == watch.live() == ""


@pytest.mark.parametrize("answer", [False, KafkaError(), OSError(), TimeoutError()])
async def test_one_question_may_go_unanswered_and_no_more(answer: Any):
    kafka = Kafka(answers=answer)
    watch = kafka.watch()
    await looks(watch, kafka, 9)
    assert (kafka.asked, watch.ready()) == (1, "")
    await looks(watch, kafka, 8)
    assert watch.ready() == "Kafka has not answered for 17 s"
    # To start it again would not bring Kafka back.
    assert watch.live() == ""
    kafka.answers = True
    await looks(watch, kafka, 5)
    assert watch.ready() == ""


async def test_events_that_wait_too_long_make_it_unready_and_then_dead():
    kafka = Kafka(silent_seconds=9.0)
    watch = kafka.watch()
    await looks(watch, kafka, 1)
    assert watch.ready() == "Kafka has not acknowledged events for 9 s"
    assert watch.live() == ""
    kafka.silent_seconds = 61.0
    await looks(watch, kafka, 5)
    assert "Kafka answers, but events have waited for it for 61 s" in watch.live()
    kafka.answers = False
    await looks(watch, kafka, 20)
    assert watch.live() == ""


async def test_an_event_loop_that_hangs_is_not_live():
    kafka = Kafka()
    watch = kafka.watch()
    kafka.clock.now += 16
    assert watch.live() == "the event loop has not turned for 16 s"


async def test_brokers_are_asked_through_the_producer():
    async def updated() -> bool:
        return False

    producer = SimpleNamespace(client=SimpleNamespace(force_metadata_update=updated))
    assert await asking(producer)() is False
    assert await asking(object())() is True


async def test_health_of_a_collector_that_begins_runs_and_ends():
    async with running() as site:
        for path in ("/health/live", "/health/ready"):
            answer = await site.send(path, b"", {}, "GET")
            assert (answer.status, answer.body) == (200, b"ok\n")
        app = site.app
    assert app.health.live() == ""
    assert app.health.ready() == "the collector is starting or stopping"
    answer = await site.send("/health/ready", b"", {}, "GET")
    assert answer.status == 503


async def test_a_collector_tells_all_of_its_metrics_and_those_at_its_own_address():
    async with running() as site:
        await site.send("/v1/track", TRACK)
        await site.send("/v1/track", b"")
        metrics = CollectorMetrics(site.app.tracking, site.app.health)
        told = {
            m.name: {tuple(s.labels.values()): s.value for s in m.samples}
            for m in metrics.collect()
        }
        plain = (await site.send("/metrics", b"", {}, "GET")).body.decode()
    assert told.keys() == {name.name.removesuffix("_total") for name in COLLECTOR}
    assert told["agos_collector_requests"] == {("200",): 1, ("400",): 1}
    assert told["agos_collector_accepted"] == {(): 1}
    assert told["agos_collector_ready"] == {(): 1}
    alike = {name.name for name in COLLECTOR} - {"agos_collector_ready"}
    assert alike == families(plain).keys()


async def test_its_metrics_are_served_beside_it():
    async with running() as site:
        settings = Settings(metrics="127.0.0.1:0")
        with serve_collector(settings, site.app.tracking, site.app.health) as endpoint:
            status, text = await asyncio.to_thread(get, endpoint.port, "/metrics")
            assert status == 200
            assert "process_cpu_seconds_total" in families(text)
            ready = await asyncio.to_thread(get, endpoint.port, "/health/ready")
            assert ready == (200, "ok\n")


def report(name: str, at_ms: int, **more: Any) -> CollectorReport:
    return CollectorReport(name, "host", 1, at_ms, at_ms - 1_000, **more)


async def test_reports_are_read_as_they_were_written_and_dead_ones_swept(redis_url: str):
    settings = Settings(redis=redis_url)
    now_ms = time.time_ns() // 1_000_000
    first, second = CollectorReports(settings), CollectorReports(settings)
    watcher = CollectorWatcher(settings)
    await first.send(report("old", now_ms - 60_001))
    await first.send(report("a", now_ms, requests={"200": 3}, kafka_problem="away"))
    with Redis.from_url(redis_url) as redis:
        redis.hset(keys.COLLECTORS, "of another version", "{}")
        found = {r.collector: r for r in await watcher.look()}
        assert found.keys() == {"old", "a"}
        assert found["a"] == report("a", now_ms, requests={"200": 3}, kafka_problem="away")
        await second.send(report("b", now_ms))
        assert {r.collector for r in await watcher.look()} == {"a", "b"}
        await first.leave("a")
        await second.leave("b")
        assert redis.hlen(keys.COLLECTORS) == 0
    await watcher.close()


async def test_a_collector_without_redis_goes_on():
    reports = CollectorReports(Settings(redis=f"redis://127.0.0.1:{free_port()}/0"))
    began = time.monotonic()
    for _ in range(100):
        await reports.send(report("a", 0))
    await reports.leave("a")
    # Redis is asked once, and then left alone for a while.
    assert time.monotonic() - began < 5


def test_a_real_one_is_ready_reports_and_takes_its_report_away(redis_url: str, tmp_path: Path):
    where = f"127.0.0.1:{free_port()}"
    settings = {"redis": redis_url, "metrics": where}
    with (
        EmbeddedBroker() as broker,
        Collector(broker, tmp_path, "a-key-of-the-tests", **settings) as site,
        Redis.from_url(redis_url, decode_responses=True) as redis,
    ):
        port = int(where.rpartition(":")[2])
        assert get(site.port, "/health/ready") == get(port, "/health/ready") == (200, "ok\n")
        assert "agos_collector_ready 1.0" in get(port, "/metrics")[1]
        told = wait_for(lambda: redis.hvals(keys.COLLECTORS))
        assert msgspec.json.decode(told[0], type=CollectorReport).kafka_problem == ""
        site.process.stop()
        assert redis.hvals(keys.COLLECTORS) == []


@pytest.mark.slow
def test_a_real_one_says_that_kafka_is_away(redis_url: str, tmp_path: Path):
    with (
        EmbeddedBroker() as broker,
        Collector(broker, tmp_path, "a-key-of-the-tests", redis=redis_url) as site,
    ):
        assert get(site.port, "/health/ready") == (200, "ok\n")
        broker.stop()
        wait_for(lambda: get(site.port, "/health/ready")[0] == 503)
        assert get(site.port, "/health/live") == (200, "ok\n")
        with Redis.from_url(redis_url, decode_responses=True) as redis:
            wait_for(lambda: any("Kafka has not" in text for text in redis.hvals(keys.COLLECTORS)))


def wait_for(there: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := there()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found
