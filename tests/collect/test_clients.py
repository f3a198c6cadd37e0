"""Real, unmodified clients: every event in Kafka once, with the right customer, type and time, and
in the customer's segments."""

import functools
import http.server
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from segment.analytics.client import Client

from stream.local import EmbeddedBroker, Process
from tests.collect.engine import Engine
from tests.collect.live import Collector, doubled, environment, wait_kept
from tests.collect.node import browser, clients
from tests.collect.shop import AT_MS, SEGMENTS, SENT, SLACK_MS, check_shop

KEY = "key-of-the-clients"
NODE_SCRIPTS = [
    "segment.mjs",
    "rudderstack.mjs",
    "segment-legacy.cjs",
    "rudderstack-legacy.cjs",
]


@pytest.fixture(scope="module")
def collector(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    with Collector(embedded_broker, tmp_path_factory.mktemp("collect"), KEY) as started:
        yield started


def test_segment_analytics_python(collector: Collector, engine: Engine, unique: str):
    failures: list[Any] = []
    client = Client(
        KEY,
        host=collector.url,
        on_error=lambda error, batch: failures.append(error),
        upload_size=7,
        upload_interval=0.1,
        gzip=True,
    )
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    for i in range(50):
        client.track(
            unique,
            "Product Viewed",
            {"product_id": f"p-{i}", "category": "shoes"},
            timestamp=at,
            message_id=f"{unique}-view-{i}",
        )
    order = {
        "order_id": "o-1",
        "total": 25,
        "currency": "USD",
        "products": [{"product_id": "p-7", "price": 12.5, "quantity": 2}],
    }
    client.track(unique, "Order Completed", order, timestamp=at, message_id=f"{unique}-order")
    traits = {"age": 34, "address": {"city": "Manila"}}
    client.identify(unique, traits, timestamp=at, message_id=f"{unique}-identify")
    client.page(
        anonymous_id=f"{unique}-anonymous",
        name="Home",
        timestamp=at,
        message_id=f"{unique}-page",
    )
    client.group(
        unique, "g-1", {"industry": "logistics"}, timestamp=at, message_id=f"{unique}-group"
    )
    client.flush()
    client.join()
    assert failures == []
    check_shop(wait_kept(collector.broker, unique, SENT), unique)
    engine.check(unique, SENT - 1, SEGMENTS)


@pytest.mark.parametrize("script", NODE_SCRIPTS)
def test_node(collector: Collector, engine: Engine, unique: str, script: str):
    place = clients()
    done = subprocess.run(
        ["node", script, collector.url, KEY, unique],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    check_shop(wait_kept(collector.broker, unique, SENT), unique)
    engine.check(unique, SENT - 1, SEGMENTS)


def test_cloudevents_of_node(collector: Collector, unique: str):
    place = clients()
    done = subprocess.run(
        ["node", "cloudevents.cjs", collector.url, KEY, unique],
        cwd=place,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    events = wait_kept(collector.broker, unique, 2)
    assert sorted(event["event_id"] for _, event in events) == [
        f"/shop#{unique}-binary",
        f"/shop#{unique}-structured",
    ]
    for topic, event in events:
        assert (topic, event["name"], event["customer_id"], event["timestamp"]) == (
            "interactions",
            "Product Viewed",
            unique,
            AT_MS,
        )
        assert event["properties"] == {"product_id": "p-7"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[tuple[str, Path]]:
    """Address of a local website that has the pages, and where they are."""
    place = clients()
    handler = functools.partial(Quiet, directory=str(place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", place
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("page", ["segment.html", "rudderstack.html", "rudderstack-legacy.html"])
def test_browser(
    collector: Collector,
    engine: Engine,
    unique: str,
    pages: tuple[str, Path],
    tmp_path: Path,
    page: str,
):
    query = urlencode({"writeKey": KEY, "cdnURL": collector.url, "user": unique})
    command = [
        browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--remote-debugging-port=0",
        f"{pages[0]}/{page}?{query}",
    ]
    begun_ms = time.time_ns() // 1_000_000
    chromium = Process("chromium", command, tmp_path / "chromium.log", environment())
    chromium.start()
    try:
        events = wait_kept(collector.broker, unique, 22)
        # Whatever it would send twice has come by now.
        time.sleep(1)
        events = wait_kept(collector.broker, unique, 22)
        anonymous = events[0][1]["anonymous_id"]
        views = [e for e in wait_kept(collector.broker, anonymous, 0) if e not in events]
    finally:
        chromium.stop(grace_seconds=3)
    # The page was seen before it was known who came; Segment's bundle knows all the same, as it
    # begins with the identify of all that was called before it was loaded.
    events += views
    assert doubled(events) == {}
    assert {e["customer_id"] for _, e in events if e["type"] != "page"} == {unique}
    assert Counter((topic, event["type"], event.get("name")) for topic, event in events) == {
        ("profiles", "identify", None): 1,
        ("interactions", "page", "Page Viewed"): 1,
        ("interactions", "track", "Product Viewed"): 20,
        ("purchases", "track", None): 1,
    }
    viewed = [e["properties"]["product_id"] for _, e in events if e.get("name") == "Product Viewed"]
    assert sorted(viewed) == sorted(f"p-{i}" for i in range(20))
    for _, event in events:
        assert begun_ms - SLACK_MS < event["timestamp"] < time.time_ns() / 1e6 + SLACK_MS
    # The page that was seen before is the customer's, too, once it is known who came.
    engine.check(unique, len(events), ("buyers", "testers", "viewers"))
