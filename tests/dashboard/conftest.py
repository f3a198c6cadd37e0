"""A browser, and a dashboard on a Redis and a broker that nobody else uses."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from scripts.screenshots_parts.chromium import Chromium, Tab, browser
from stream.admin import create
from stream.local import EmbeddedBroker, EmbeddedRedis, free_port
from stream.settings import Settings
from tests.dashboard.served import Served

PARTITIONS = 4


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """The browser of all tests here."""
    found = browser()
    if found is None:
        pytest.skip("the dashboard's tests need Chromium on the PATH (apt install chromium)")
    with Chromium(found) as started:
        yield started


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Tab]:
    """A new tab; at the end nothing must have gone wrong in it, and nobody else been asked."""
    made = chromium.tab()
    yield made
    assert made.problems == []
    strangers = [url for url in made.requests if "//127.0.0.1:" not in url and url[:5] != "data:"]
    assert [url for url in strangers if url != "about:blank"] == []
    made.close()


@pytest.fixture(scope="package")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """A broker of their own: elsewhere topics have other numbers of partitions."""
    with EmbeddedBroker() as server:
        yield server


@pytest.fixture(scope="package")
def own_redis() -> Iterator[EmbeddedRedis]:
    """Redis of the dashboards here."""
    # At a port of its own, so that it can be started again where it was.
    with EmbeddedRedis(free_port()) as server:
        yield server


@pytest.fixture
def redis(own_redis: EmbeddedRedis) -> Iterator[Redis]:
    """It, emptied."""
    with Redis.from_url(own_redis.address, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="package")
def served(
    own_redis: EmbeddedRedis,
    embedded_broker: EmbeddedBroker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """An open dashboard."""
    create(Settings(kafka=embedded_broker.address, partitions=PARTITIONS))
    settings = {
        "kafka": embedded_broker.address,
        "redis": own_redis.address,
        "partitions": str(PARTITIONS),
    }
    with Served(tmp_path_factory.mktemp("dashboard"), **settings) as started:
        yield started


class Receiver:
    """Takes what a webhook sends."""

    def __init__(self) -> None:
        got: list[Any] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.got = got
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()
