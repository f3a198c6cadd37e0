"""The history from a Prometheus: one that speaks its API, and a real one where there is one."""

import http.server
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from redis import Redis

from scripts.screenshots_parts.chromium import Tab
from stream.dashboard.history import History, Point
from stream.dashboard.prometheus import (
    FIGURES,
    MOVES,
    SIZES,
    Prometheus,
    PrometheusError,
    whole,
)
from stream.dashboard.remembered import Remembered, with_flows
from stream.errors import ConfigurationError
from stream.local import Process, free_port
from stream.metrics.names import BY_NAME
from stream.settings import Settings, load
from stream.store.history import HistoryStore
from tests.dashboard.served import ReportingWorker, Served, describe, join
from tests.dashboard.test_metrics import used

NOW_MS = 1_795_219_265_000
MINUTE = NOW_MS // 60_000 * 60


class Fake:
    """Answers queries of a range as Prometheus does; what is not known has no series."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], dict[str, str]]] = []
        self.series: dict[str, list[tuple[dict[str, str], list[tuple[float, str]]]]] = {}
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], bool] = lambda _: False
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: found[0] for name, found in parse_qs(body).items()}
                sent = {name.lower(): text for name, text in self.headers.items()}
                fake.asked.append((form, {**sent, ":path": self.path}))
                if not fake.answer(self):
                    fake.tell(self, form["query"])

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def tell(self, handler: http.server.BaseHTTPRequestHandler, query: str) -> None:
        result = [
            {"metric": labels, "values": values}
            for part, found in self.series.items()
            if part in query
            for labels, values in found
        ]
        content = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        say(handler, 200, json.dumps(content).encode())


def say(handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes) -> bool:
    handler.send_response(status)
    handler.send_header("location", "http://127.0.0.1:1/")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    return True


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_every_metric_that_is_asked_for_exists():
    for expression in (*FIGURES.values(), SIZES, *MOVES):
        assert used(expression)
        assert used(expression) <= BY_NAME.keys(), expression


def test_points_are_what_prometheus_has(fake: Fake):
    fake.series = {
        "agos_lag_events": [({}, [(MINUTE - 60, "5"), (MINUTE, "7.5")])],
        'quantile="0.5"': [({}, [(MINUTE, "NaN")])],
        "agos_redis_used_ratio": [({}, [(MINUTE, "+Inf")])],
        "agos_segment_customers": [
            ({"segment": "loyal"}, [(MINUTE - 60, "10"), (MINUTE, "12")]),
            ({"segment": "lost"}, [(MINUTE, "3")]),
        ],
        "agos_segment_entered_per_minute": [({"segment": "loyal"}, [(MINUTE, "4")])],
        "agos_segment_left_per_minute": [({"segment": "loyal"}, [(MINUTE, "2")])],
    }
    found = Prometheus(fake.url, "a token").points(60, NOW_MS)
    assert found == [
        Point((MINUTE - 60) * 1000, {"lag": 5.0}, {"loyal": (10, 0, 0)}),
        Point(MINUTE * 1000, {"lag": 7.5}, {"loyal": (12, 4, 2), "lost": (3, 0, 0)}),
    ]
    forms = [form for form, _ in fake.asked]
    assert {(f["start"], f["end"], f["step"]) for f in forms} == {
        (str(MINUTE - 1439 * 60), str(MINUTE), "60")
    }
    # The worst of lag, the mean of what else, sizes in the end.
    queries = [form["query"] for form in forms]
    assert f"max_over_time(({FIGURES['lag']})[60s:15s])" in queries
    assert f"avg_over_time(({FIGURES['workers']})[60s:15s])" in queries
    assert SIZES in queries
    for _, headers in fake.asked:
        assert headers["authorization"] == "Bearer a token"
        assert headers[":path"] == "/api/v1/query_range"


def test_parts_of_customers_add_up():
    # Ten a minute, every five seconds: 0.83 each time, ten within a minute.
    line = {5_000 * i: 10.0 for i in range(1, 13)}
    found = list(whole(line, 5 / 60).values())
    assert set(found) == {0, 1}
    assert sum(found) == 10


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "status 401"),
        (302, b"", "status 302"),
        (200, b"<html>", "as documented"),
        (200, b'{"status": "success"}', "as documented"),
    ],
)
def test_what_is_no_answer_is_told(fake: Fake, status: int, body: bytes, said: str):
    fake.answer = lambda handler: say(handler, status, body)
    with pytest.raises(PrometheusError, match=said):
        Prometheus(fake.url).points(60, NOW_MS)
    assert len(fake.asked) == 1


def test_nobody_there_is_told():
    with pytest.raises(PrometheusError, match="does not answer"):
        Prometheus("http://127.0.0.1:1").points(60, NOW_MS)


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:9090", "http://", "http://me:secret@host:9090", "http://me@host"]
)
def test_a_url_that_is_none_or_holds_a_login_is_refused(url: str):
    with pytest.raises(ConfigurationError, match="AGOS_PROMETHEUS") as refused:
        Prometheus(url)
    assert "secret" not in str(refused.value)


def test_flows_come_from_what_was_stored():
    stored = [Point(10, {}, {}, [("a", "b", 2)]), Point(30, {}, {}, [("b", "a", 1)])]
    found = with_flows([Point(10, {"lag": 1.0}, {}), Point(20, {"lag": 2.0}, {})], stored)
    assert found == [
        Point(10, {"lag": 1.0}, {}, [("a", "b", 2)]), Point(20, {"lag": 2.0}, {})
    ]  # fmt: skip


async def test_the_past_comes_before_what_was_seen_meanwhile(fake: Fake, redis_url: str):
    settings = Settings(redis=redis_url, prometheus=fake.url)
    fake.answer = lambda handler: say(handler, 503, b"")
    store = HistoryStore(settings)
    try:
        kept = Remembered(settings, store)
        history = History()
        minute_ms = MINUTE * 1000
        await kept.append({60: [Point(minute_ms - 60_000, {"lag": 9.0}, {}, [("a", "b", 2)])]})
        await kept.restore(history)
        await kept.fill(history, NOW_MS)
        assert "status 503" in kept.problem
        assert history.points(86_400) == []
        history.restore(60, [Point(minute_ms, {"lag": 3.0}, {})])
        fake.answer = lambda _: False
        fake.series = {"agos_lag_events": [({}, [(MINUTE - 60, "5"), (MINUTE, "7")])]}
        await kept.fill(history, NOW_MS)
        assert kept.problem == ""
        assert history.points(86_400) == [
            Point(minute_ms - 60_000, {"lag": 5.0}, {}, [("a", "b", 2)]),
            Point(minute_ms, {"lag": 3.0}, {}),
        ]
        # Once is enough.
        asked = len(fake.asked)
        await kept.fill(history, NOW_MS)
        assert len(fake.asked) == asked
        # Without a Prometheus, what was stored beside one is no point.
        alone, empty = Remembered(Settings(redis=redis_url), store), History()
        await alone.restore(empty)
        assert empty.points(86_400) == []
    finally:
        await store.close()


def test_the_token_is_not_shown():
    given = load(prometheus="http://127.0.0.1:9090", prometheus_token="a secret")
    assert "a secret" not in repr(given)


@pytest.mark.slow
def test_a_real_prometheus_gives_back_what_it_scraped(
    served: Served, redis: Redis, tab: Tab, tmp_path: Path
):
    """A dashboard beside it, on a Redis that has forgotten them, has them too."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("needs prometheus on the PATH (on Debian: apt install prometheus)")
    port = free_port()
    scrape = {"job_name": "dashboard", "static_configs": [{"targets": [served.url[7:]]}]}
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
    command = [
        binary, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    describe(redis, "loyal", "Loyal customers")
    join(redis, "loyal", "ada", "bob", "cora")
    redis.hset("agos:{0}:counters", "applied", 10)
    process = Process("prometheus", command, tmp_path / "log")
    process.start()
    try:
        with ReportingWorker(redis, "w1", [0, 1, 2, 3]):
            asked = Prometheus(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + 60
            while len(found := known(asked)) < 3:
                assert time.monotonic() < deadline, found
                time.sleep(1)
            assert {p.segments["loyal"] for p in found} == {(3, 0, 0)}
            assert {p.figures["workers"] for p in found} == {1.0}
            assert {p.figures["segments"] for p in found} == {1.0}
            redis.delete("agos:history:5")
            more = {
                "kafka": "127.0.0.1:1", "redis": redis_url_of(redis), "partitions": "4",
                "prometheus": f"http://127.0.0.1:{port}",
            }  # fmt: skip
            with Served(tmp_path, **more) as other:
                tab.open(other.url)
                drawn = "document.querySelector('#figure-workers path')?.getAttribute('d')"
                tab.wait(f"({drawn} ?? '').split('L').length >= 3")
    finally:
        process.stop()


def known(asked: Prometheus) -> list[Point]:
    """Points of five seconds that have all of it."""
    try:
        found = asked.points(5, int(time.time() * 1000))
    except PrometheusError:
        return []
    return [p for p in found if "loyal" in p.segments and "workers" in p.figures]


def redis_url_of(redis: Redis) -> str:
    where = redis.connection_pool.connection_kwargs
    return f"redis://{where['host']}:{where['port']}/0"
