"""Dashboards that are left open all day: many come and go, Redis goes and comes back."""

import time
from pathlib import Path

import psutil
import pytest
from redis import Redis

from scripts.screenshots_parts.chromium import Chromium, Tab
from stream.local import EmbeddedRedis, free_port
from tests.dashboard.conftest import PARTITIONS
from tests.dashboard.served import ReportingWorker, Served, describe, join
from tests.dashboard.test_pages import banner_says, everybody, worker_seen

#: Minutes in a browser: run with `scripts/test -m slow`.
pytestmark = pytest.mark.slow

PAGES = ("/", "/segments", "/flows", "/clusters", "/segment?id=s1", "/customers?id=c1", "/alerts")
_VISITS = 100
#: What may come with use, as pages that are made for the first time; 100 that stay are far more.
_MOST_MB = 25.0


def rss_mb(served: Served) -> float:
    """Memory of the dashboard's process."""
    return psutil.Process(served.process.pid).memory_info().rss / 2**20


def visits(served: Served, tab: Tab, count: int) -> None:
    """Pages that are opened, one after the other, and left at once."""
    for number in range(count):
        tab.open(served.url + PAGES[number % len(PAGES)])
        tab.wait("document.querySelector('#banner')")


def test_a_hundred_visits_leave_nothing(served: Served, redis: Redis, tab: Tab):
    pipe = redis.pipeline(transaction=False)
    for number in range(200):
        describe(pipe, f"s{number}", f"Segment {number}", "discovered" if number % 2 else "defined")
        join(pipe, f"s{number}", *(f"c{n}" for n in range(1 + number)))
    pipe.execute()
    with everybody(redis):
        # What is made once for all is there after the first of them.
        visits(served, tab, _VISITS)
        tab.open("about:blank")
        settled = lowest(served)
        visits(served, tab, _VISITS)
        tab.open("about:blank")
        grown = lowest(served) - settled
    assert grown < _MOST_MB, grown


def lowest(served: Served) -> float:
    """Memory once those who left are forgotten: ten seconds after they did, or soon after."""
    found = []
    for _ in range(16):
        time.sleep(1)
        found.append(rss_mb(served))
    return min(found)


def test_tabs_that_stay_open_see_redis_go_and_come_back(
    own_redis: EmbeddedRedis, redis: Redis, served: Served, chromium: Chromium
):
    tabs = [chromium.tab() for _ in range(5)]
    try:
        with everybody(redis):
            for number, tab in enumerate(tabs):
                tab.open(served.url + PAGES[number])
                worker_seen(tab)
        before = rss_mb(served)
        own_redis.stop()
        try:
            for tab in tabs:
                banner_says(tab, "no Redis answers")
            time.sleep(20)
        finally:
            own_redis.start()
        with everybody(redis):
            for tab in tabs:
                worker_seen(tab)
        assert rss_mb(served) - before < _MOST_MB
        assert [tab.problems for tab in tabs] == [[]] * len(tabs)
    finally:
        for tab in tabs:
            tab.close()


def test_one_that_is_started_before_redis_waits_for_it(tmp_path: Path, tab: Tab):
    port = free_port()
    there = {"redis": f"redis://127.0.0.1:{port}/0", "kafka": "127.0.0.1:1", "partitions": "4"}
    with Served(tmp_path, **there) as early:
        for path in PAGES:
            tab.open(early.url + path)
            banner_says(tab, "no Redis answers")
        assert early.get("/health/ready")[0] == 503
        assert early.get("/health/live")[0] == 200
        tab.open(early.url)
        with EmbeddedRedis(port) as server, Redis.from_url(server.address) as client:
            with ReportingWorker(client, "w1", list(range(PARTITIONS))):
                worker_seen(tab)
                assert tab.text("#figure-workers .value") == "1"
                assert early.get("/health/ready")[0] == 200


def test_of_two_one_writes_the_history_and_the_other_takes_over(
    served: Served, redis: Redis, embedded_broker, tmp_path: Path, tab: Tab
):
    settings = {
        "kafka": embedded_broker.address, "redis": redis_url(redis), "partitions": str(PARTITIONS)
    }  # fmt: skip
    with everybody(redis), Served(tmp_path, **settings) as other:
        deadline = time.monotonic() + 60
        while not (first := redis.get("agos:history:writer")) or redis.llen("agos:history:5") < 4:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        # Two would write two points for each five seconds.
        begun, points = time.monotonic(), redis.llen("agos:history:5")
        time.sleep(20)
        written = redis.llen("agos:history:5") - points
        assert written <= (time.monotonic() - begun) / 5 + 2
        assert redis.get("agos:history:writer") == first
        for url in (served.url, other.url):
            tab.open(url)
            worker_seen(tab)
            assert tab.text("#figure-workers .value") == "1"
        served.process.stop()
        try:
            points, deadline = redis.llen("agos:history:5"), time.monotonic() + 60
            while redis.llen("agos:history:5") <= points:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        finally:
            served.start()


def redis_url(redis: Redis) -> str:
    where = redis.connection_pool.connection_kwargs
    return f"redis://{where['host']}:{where['port']}/0"
