"""`scripts/faults` in short; its judge must see what is wrong, and its schedule be a seed's."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from scripts.fault_parts import memberships, recreated, run, verdict
from scripts.fault_parts.accidents import WEIGHTS, schedule
from scripts.fault_parts.meter import Meter
from stream.customer import Table
from tests.oracle.events import Customer
from tests.servers import apache_kafka_missing

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.json"))
#: Kinds that need no Kafka of their own making.
EMBEDDED = (
    "worker killed",
    "worker paused beyond its session",
    "redis killed",
    "redis rolled back",
    "redis replica promoted, writes lost",
    "redis cut off",
    "invalid events",
)
#: kafka-python and aiokafka leave the sockets of a broker that was killed to the collector.
LEFT_SOCKETS = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    client.close()


def stored(redis: Redis, customer: str, events: int, segments: str = "") -> None:
    """A customer's hash and state, without orders."""
    table = Table(10)
    table.load([customer], [None])
    table.rows["events"][0] = events
    (state,) = table.dump(np.array([0]))
    redis.hset("agos:{0}:states", customer, state)
    figures = {"events": events, "orders": 0, "spend": 0, "segments": segments}
    redis.hset(f"agos:customer:{customer}", mapping=figures)


def change(redis: Redis, customer: str, kind: str, version: int) -> None:
    record = {"customer": customer, "segment": "vip", "change": kind, "version": version}
    redis.xadd("agos:changes", {**record, "change_id": f"{customer}{kind}{version}"})


def test_lost_and_doubled_events_are_told_apart(redis: Redis) -> None:
    stored(redis, "short", 2)
    stored(redis, "long", 7)
    stored(redis, "right", 4)
    found = verdict.Verdict()
    wanted = {
        "short": Customer(events=3),
        "long": Customer(events=5),
        "right": Customer(events=4),
        "away": Customer(events=6),
    }
    verdict.compare_customers(found, redis, wanted)
    assert found.deviations == {
        "customers wrong": 2,
        "customers missing": 1,
        "events lost": 1 + 6,
        "events doubled": 2,
    }


def test_a_trait_that_is_not_there_is_seen(redis: Redis) -> None:
    stored(redis, "one", 1)
    found = verdict.Verdict()
    verdict.compare_customers(found, redis, {"one": Customer(events=1, facts={"age": 30})})
    assert found.deviations == {"traits wrong": 1}


def test_members_hashes_and_changes_must_agree(redis: Redis) -> None:
    change(redis, "agrees", "entered", 1)
    redis.zadd("agos:segment:vip:members", {"agrees": 1, "no-change": 1})
    found = verdict.Verdict()
    inside = {"agrees": {"vip"}, "no-change": {"vip"}, "no-member": {"vip"}}
    verdict.compare_segments(found, redis, inside)
    assert found.deviations == {"memberships differ": 2}


def test_changes_must_come_in_order_and_once(redis: Redis) -> None:
    change(redis, "back", "entered", 5)
    change(redis, "back", "left", 4)
    change(redis, "twice", "entered", 1)
    change(redis, "twice", "entered", 2)
    redis.zadd("agos:segment:vip:members", {"twice": 1})
    found = verdict.Verdict()
    verdict.compare_segments(found, redis, {"back": set(), "twice": {"vip"}})
    assert found.deviations == {"changes out of order": 1, "changes repeated or missing": 1}


def test_a_schedule_has_every_kind_and_depends_on_its_seed_alone() -> None:
    kinds = list(WEIGHTS)
    assert set(schedule(3, 16, kinds)) == set(kinds)
    assert schedule(3, 100, kinds) == schedule(3, 100, kinds) != schedule(4, 100, kinds)
    assert len(schedule(3, 100, kinds)) == 100


def test_clockless_segments_are_judged_by_a_plain_look() -> None:
    """Three orders, 249.99 spent, 18 years: in for orders and age, not for spend or `never`."""
    one = Customer(events=39, orders=3, spend=249_99, facts={"age": 18, "country": "NO"})
    assert memberships.wanted(one) == {"faults_orders", "faults_age"}
    found = verdict.Verdict()
    verdict.compare_defined(found, {"one": {"faults_orders", "hot_cart"}}, {"one": one})
    assert found.deviations == {"defined memberships wrong": 1}


def test_a_stall_counts_from_the_end_of_the_last_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("scripts.fault_parts.meter.time.monotonic", lambda: now[0])
    meter, place = Meter(), ("purchases", 0)
    meter.look({place: 1}, {place: 9})
    meter.begin()
    now[0] = 20.0
    assert meter.look({place: 1}, {place: 9}) == 0
    meter.end()
    now[0] = 27.0
    assert meter.look({place: 1}, {place: 9}) == 7
    assert meter.look({place: 2}, {place: 9}) == 0
    now[0] = 90.0
    assert meter.look({place: 9}, {place: 9}) == 0
    assert meter.longest_seconds == 7


def clean(report: dict[str, Any]) -> None:
    assert report["clean"], json.dumps(
        {name: report[name] for name in ("deviations", "examples", "log")}, indent=2
    )


@pytest.mark.slow
def test_faults_on_the_embedded_broker(tmp_path: Path) -> None:
    plan = run.Plan(
        20_000, 1_000, 7, seed=1, broker="embedded", gap_seconds=2.0, settle_seconds=90.0,
        kinds=EMBEDDED, logs=tmp_path,
    )  # fmt: skip
    clean(run.run(plan))


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.stem)
def test_seeds_that_failed_before(seed: Path, tmp_path: Path) -> None:
    """The same seed with fewer events, customers and faults, so that it takes minutes.

    The file says with which it failed; `scripts/faults` runs that.
    """
    needs_kafka()
    known = json.loads(seed.read_text())
    most = {"events": 100_000, "customers": 5_000, "faults": 40}
    few = {name: min(known[name], most[name]) for name in most}
    clean(run.run(run.Plan(**{**known, **few, "kinds": tuple(known["kinds"]), "logs": tmp_path})))


@pytest.mark.kafka
@pytest.mark.slow
def test_every_kind_of_fault_on_apache_kafka(tmp_path: Path) -> None:
    needs_kafka()
    plan = run.Plan(
        60_000, 3_000, len(WEIGHTS), seed=1, gap_seconds=3.0, settle_seconds=120.0, logs=tmp_path
    )
    report = run.run(plan)
    clean(report)
    assert report["faults in all"] == len(WEIGHTS) - len(report["not possible here"])


@pytest.mark.kafka
@pytest.mark.slow
def test_a_topic_created_anew_stops_the_workers(tmp_path: Path) -> None:
    needs_kafka()
    clean(recreated.run(run.Plan(logs=tmp_path)))


@pytest.mark.slow
def test_a_worker_that_stops_while_redis_is_loading_ends(tmp_path: Path) -> None:
    """Found with seed 5: Faust's stop broke off, and its thread stayed a member of the group."""
    with ExitStack() as stack:
        world = run.world_of(run.Plan(broker="embedded"), tmp_path, stack)
        redis = Redis(port=world.redis.port)
        stack.callback(redis.close)
        worker = world.crew.start()
        worker.wait_until(lambda: bool(redis.hvals("agos:workers")), 40)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=_always_loading, args=(listener,), daemon=True).start()
        world.redis_door.set("closed")
        world.redis_door.upstream = listener.getsockname()[1]
        world.redis_door.set("open")
        time.sleep(1)
        worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + 12
        while worker.running and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not worker.running, worker.log_tail()
        listener.shutdown(socket.SHUT_RDWR)


def _always_loading(listener: socket.socket) -> None:
    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(65_536):
                connection.sendall(b"-LOADING Redis is loading the dataset in memory\r\n")

    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def needs_kafka() -> None:
    if missing := apache_kafka_missing():
        pytest.skip(missing)


for _test in (
    test_faults_on_the_embedded_broker,
    test_seeds_that_failed_before,
    test_every_kind_of_fault_on_apache_kafka,
    test_a_topic_created_anew_stops_the_workers,
    test_a_worker_that_stops_while_redis_is_loading_ends,
):
    for _mark in LEFT_SOCKETS:
        _mark(_test)
