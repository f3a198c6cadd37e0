"""The other pages in a real browser: one customer, one segment, clusters, dead letters, flows."""

import base64
import dataclasses
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from redis import Redis

from models.snapshot import Change, Snapshot
from scripts.screenshots_parts.chromium import Chromium, Tab
from stream.local import EmbeddedBroker, EmbeddedRedis
from stream.topics import partition_of
from tests.dashboard.conftest import PARTITIONS, Receiver
from tests.dashboard.served import (
    TOKEN,
    ReportingWorker,
    Served,
    change,
    describe,
    join,
    now_ms,
)
from tests.dashboard.test_clusters import CROSS, model, stored
from tests.dashboard.test_pages import (
    HOSTILE,
    banner_says,
    everybody,
    worker_seen,
)

#: Minutes in a browser: run with `scripts/test -m slow`.
pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    # kafka-python reads its protocol with functions that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer


def customer(redis: Redis, name: str, segments: str = "loyal") -> None:
    """A customer as a worker writes it."""
    fields = {
        "segments": segments, "cluster": "cluster-3", "cluster_name": "big spenders",
        "confidence": "0.87", "events": 41, "orders": 3, "spend": 12_345, "version": 1,
        "first_seen": 1_795_000_000_000, "last_seen": now_ms() - 5_000,
        "updated_at": now_ms() - 5_000, "source": "purchases-1@7",
    }  # fmt: skip
    redis.hset(f"agos:customer:{name}", mapping=fields)


@pytest.fixture
def shop(redis: Redis) -> Iterator[Redis]:
    """Two segments, some customers, and a worker."""
    describe(redis, "loyal", "Loyal customers", description="those who come back")
    described = {"explanation": [["orders", 2.5], ["spend", -1.25]], "share": 0.25}
    describe(redis, "cluster-3", "big spenders", "discovered", **described)
    names = {"cluster-3": "big spenders"}
    redis.hset(
        "agos:model",
        mapping={
            "version": 4, "trained_on": 2_000, "names": json.dumps(names),
            "features": json.dumps(["orders", "spend"]),
            "centroids": json.dumps({"cluster-3": [2.5, -1.25]}),
        },
    )  # fmt: skip
    for name in ("ada", "adam", "bob"):
        customer(redis, name)
        join(redis, "loyal", name)
        join(redis, "cluster-3", name)
        change(redis, name, "loyal")
    with everybody(redis):
        yield redis


def open_page(served: Served, tab: Tab, path: str) -> None:
    """Open a page once the dashboard has seen what is in Redis."""
    tab.open(f"{served.url}/segments")
    tab.wait("document.body.innerText.includes('Loyal customers')")
    tab.open(served.url + path)
    worker_seen(tab)


def test_a_customer_is_shown_live(served: Served, shop: Redis, tab: Tab):
    open_page(served, tab, "/customers?id=ada")
    tab.wait("document.querySelector('dl')?.innerText.includes('41')")
    shown = tab.text("dl")
    for words in ("123.45 USD", "big spenders (87% sure)", "purchases-1@7"):
        assert words in shown
    tab.wait("document.querySelector('main').innerText.includes('spent much')")
    # Another customer begins so, and only that one.
    links = "[...document.querySelectorAll('main a')].map(a => a.innerText)"
    tab.wait(f"{links}.includes('adam')")
    assert "bob" not in tab.run(links)
    shop.hset("agos:customer:ada", mapping={"events": 42, "segments": "loyal,cluster-3"})
    tab.wait("document.querySelector('dl').innerText.includes('42')")
    tab.wait("document.querySelector('main').innerText.includes('cluster-3')")


def test_a_customer_is_found_by_typing(served: Served, shop: Redis, tab: Tab):
    open_page(served, tab, "/customers")
    tab.wait("document.querySelector('#wanted')?.focus() || document.activeElement.id === 'wanted'")
    tab.type("ad")
    tab.key("Enter")
    tab.wait("location.search === '?id=ad' && document.body.innerText.includes('adam')")
    assert "No customer" not in tab.text("main")
    tab.open(f"{served.url}/customers?id=nobody")
    tab.wait("document.body.innerText.includes('No customer of this id')")


def test_a_segment_tells_what_it_is_and_who_is_in_it(served: Served, shop: Redis, tab: Tab):
    open_page(served, tab, "/segment?id=cluster-3")
    tab.wait("document.body.innerText.includes('Against all customers')")
    told = tab.text("main")
    for words in ("big spenders", "+2.5", "-1.2", "ada", "bob", "25.0%"):
        assert words in told
    join(shop, "cluster-3", *(f"c{number}" for number in range(60)))
    tab.open(f"{served.url}/segment?id=cluster-3&page=1")
    tab.wait("document.body.innerText.includes('newer')")
    last = "[...document.querySelectorAll('table')].at(-1).querySelectorAll('tbody tr').length"
    assert tab.run(last) == 13
    status, headers, csv = served.get("/segment.csv?id=cluster-3")
    assert status == 200
    assert "attachment" in headers["content-disposition"]
    assert len(csv.splitlines()) == 64
    assert served.get("/segment.csv?id=nothing")[0] == 404


def test_clusters_tell_what_sets_them_apart(served: Served, shop: Redis, tab: Tab):
    shop.xadd(
        "agos:model:alerts",
        {
            "feature": "spend", "shift": "1.5", "since_ms": now_ms() - 60_000,
            "noticed_ms": now_ms(), "text": "customers spend more", "model_version": 4,
        },
    )  # fmt: skip
    open_page(served, tab, "/clusters")
    tab.wait("document.body.innerText.includes('customers spend more')")
    told = tab.text("main")
    for words in ("big spenders", "orders +2.5", "version 4", "2,000 customers"):
        assert words in told
    tab.wait("document.querySelector('.chart svg text')")


def publish(redis: Redis, snapshot: Snapshot) -> None:
    """A model as the trainer publishes it."""
    redis.hset("agos:model", mapping={
        "version": snapshot.version, "trained_on": 8, "features": json.dumps(snapshot.features),
        "names": json.dumps({f"cluster-{s.id}": s.name for s in snapshot.segments}),
        "centroids": json.dumps({f"cluster-{s.id}": s.centroid for s in snapshot.segments}),
        "snapshot": snapshot.to_json(),
    })  # fmt: skip
    for segment in snapshot.segments:
        describe(redis, f"cluster-{segment.id}", segment.name, "discovered")


def test_customers_and_what_became_of_clusters_are_drawn(served: Served, redis: Redis, tab: Tab):
    first = dataclasses.replace(model(*CROSS), version=50)
    publish(redis, first)
    for number in range(40):
        redis.hset(
            f"agos:{{{partition_of(f'c{number}', PARTITIONS)}}}:states",
            f"c{number}",
            stored(cluster=number % 4 + 1, first_seen_ms=now_ms(), last_seen_ms=now_ms()),
        )
        join(redis, f"cluster-{number % 4 + 1}", f"c{number}")
    charts = "[...document.querySelectorAll('.chart')]"
    with everybody(redis):
        tab.open(f"{served.url}/clusters")
        worker_seen(tab)
        written = f"{charts}[0]?.innerHTML.includes('>n4<') && {charts}[0].innerText"
        assert "more views" in tab.wait(f"({written}) || ''")
        # A dot of each customer, a centroid of each cluster, and the axes.
        assert tab.run(f"{charts}[0].querySelectorAll('path').length") > 44
        publish(redis, dataclasses.replace(
            first, version=51, changes=(Change("split", 4, (1,)),),
        ))  # fmt: skip
        tab.wait("document.querySelector('tbody').innerText.includes('split off')")
        newest = tab.text("tbody tr").split("\t")
        assert newest[1:] == ["split off", "n4", "n1", "51", "cluster-4"]
        tab.wait(f"{charts}[1].innerText.includes('split off')")


def test_moves_are_drawn(served: Served, shop: Redis, tab: Tab):
    describe(shop, "cluster-4", "new ones", "discovered")
    # As the workers write them: at once.
    pipe = shop.pipeline()
    for number in range(3):
        change(pipe, f"mover{number}", "cluster-4", "left", version=9)
        change(pipe, f"mover{number}", "cluster-3", "entered", version=9)
    pipe.execute()
    open_page(served, tab, "/flows")
    tab.wait("document.querySelector('tbody')?.innerText.includes('new ones')")
    assert tab.text("tbody tr").split("\t") == ["new ones", "big spenders", "3"]


def test_hostile_ids_are_only_text(served: Served, redis: Redis, tab: Tab):
    for name in HOSTILE:
        describe(redis, name, name, "discovered", description=name, explanation=[[name, 1.0]])
        customer(redis, name, name)
        join(redis, name, name)
        change(redis, name, name, reason=name)
    model = {
        "version": 4, "trained_on": 1, "names": json.dumps({name: name for name in HOSTILE}),
        "features": json.dumps(HOSTILE),
        "centroids": json.dumps({name: [1.0] * len(HOSTILE) for name in HOSTILE}),
    }  # fmt: skip
    redis.hset("agos:model", mapping=model)
    alone = [(path, "") for path in ("/clusters", "/flows", "/dead-letters", "/alerts")]
    with everybody(redis):
        tab.open(f"{served.url}/segments")
        tab.wait(f"document.querySelector('main').innerText.includes({json.dumps(HOSTILE[-1])})")
        for path, name in [*((p, n) for p in ("/customers", "/segment") for n in HOSTILE), *alone]:
            tab.open(f"{served.url}{path}?id={quote(name, safe='')}")
            wanted = name or {"/clusters": HOSTILE[0]}.get(path, "")
            tab.wait(f"document.querySelector('main')?.innerText.includes({json.dumps(wanted)})")
            assert tab.run("window.hacked ?? null") is None
            assert tab.run("document.querySelectorAll('main img').length") == 0
            protocols = tab.run("[...document.querySelectorAll('a')].map(a => a.protocol)")
            assert set(protocols) == {"http:"}


def letters(broker: EmbeddedBroker, number: int, reason: str) -> None:
    """Dead letters as workers write them."""
    producer = KafkaProducer(bootstrap_servers=broker.address)
    for i in range(number):
        letter = {
            "letter_id": f"{reason}@{i}", "topic": "interactions", "partition": 0, "offset": i,
            "reason": reason, "detail": "expected one JSON object", "rejected_at": now_ms(),
            "key": base64.b64encode(b"<b>ada</b>").decode(),
            "value": base64.b64encode(b"<img src=x onerror=window.hacked=1>").decode(),
        }  # fmt: skip
        producer.send("dead-letters", json.dumps(letter).encode(), b"ada")
    producer.flush()
    producer.close()


def test_dead_letters_are_shown_and_nothing_can_be_sent(
    served: Served, redis: Redis, tab: Tab, embedded_broker: EmbeddedBroker
):
    letters(embedded_broker, 3, "not-json")
    redis.hset("agos:{2}:counters", "rejected:not-json", 1_003)
    with everybody(redis):
        tab.open(f"{served.url}/dead-letters")
        tab.wait("document.body.innerText.includes('Sending back is off')")
        tab.wait("document.querySelector('main').innerText.includes('1,003')")
        told = tab.text("main")
        assert "<img src=x onerror=window.hacked=1>" in told
        assert tab.run("window.hacked ?? null") is None
        buttons = "[...document.querySelectorAll('main button')].map(b => b.innerText)"
        assert tab.run(buttons) == ["Dark or light"]


def test_dead_letters_are_sent_back_after_two_presses(
    own_redis: EmbeddedRedis,
    redis: Redis,
    tab: Tab,
    embedded_broker: EmbeddedBroker,
    tmp_path: Path,
    served: Served,
):
    letters(embedded_broker, 2, "invalid")
    settings = {
        "kafka": embedded_broker.address, "redis": own_redis.address,
        "partitions": str(PARTITIONS), "dashboard_read_only": "false",
    }  # fmt: skip
    with everybody(redis), Served(tmp_path, **settings) as writing:
        tab.open(f"{writing.url}/dead-letters")
        button = (
            "[...document.querySelectorAll('main button')]"
            ".find(b => b.innerText.includes('invalid'))"
        )
        tab.wait(button + "?.innerText.includes('Send 2 records')")
        tab.run(button + ".click()")
        tab.wait(button + "?.innerText.includes('press again')")
        assert redis.zcard("agos:redriven") == 0
        tab.run(button + ".click()")
        tab.wait("document.body.innerText.includes('Sent 2 records of invalid back')")
        assert redis.zcard("agos:redriven") == 2
    consumer = KafkaConsumer(
        "interactions", bootstrap_servers=embedded_broker.address,
        auto_offset_reset="earliest", consumer_timeout_ms=2_000,
    )  # fmt: skip
    sent = [r for r in consumer if r.value == b"<img src=x onerror=window.hacked=1>"]
    consumer.close()
    assert len(sent) == 2


def test_who_logs_in_comes_in_and_sockets_work(
    own_redis: EmbeddedRedis, redis: Redis, chromium: Chromium, tmp_path: Path
):
    settings = {"redis": own_redis.address, "kafka": "127.0.0.1:1", "dashboard_token": TOKEN}
    with Served(tmp_path, **settings) as closed, ReportingWorker(redis, "w", list(range(8))):
        tab = chromium.tab()
        tab.open(f"{closed.url}/segments?period=day")
        assert tab.run("location.pathname") == "/login"
        tab.run("document.querySelector('#token').focus()")
        tab.type(TOKEN)
        tab.key("Enter")
        tab.wait("location.pathname === '/segments' && location.search === '?period=day'")
        # Kafka is away here: the page says so, and the socket brings it.
        banner_says(tab, "Kafka does not answer")
        assert tab.problems == []
        assert "HttpOnly" not in tab.run("document.cookie")
        assert TOKEN not in tab.run("document.documentElement.outerHTML")
        tab.close()
        assert TOKEN not in closed.process.log_tail()


def test_alerts_are_shown_kept_and_sent(
    redis_url: str, tab: Tab, tmp_path: Path, receiver: Receiver
):
    # A Redis of its own: of several dashboards at one Redis a single one sends.
    redis = Redis.from_url(redis_url, decode_responses=True)
    settings = {
        "redis": redis_url, "kafka": "127.0.0.1:1", "partitions": "2",
        "alert_webhook": receiver.url, "thresholds": "undelivered=1:2",
    }  # fmt: skip
    with Served(tmp_path, **settings) as served, ReportingWorker(redis, "w", [0, 1]):
        redis.xadd("agos:undelivered", {"hook": "h", "problem": "p", "change": "{}"})
        tab.open(f"{served.url}/alerts")
        tab.wait("document.querySelector('main').innerText.includes('webhooks do not take')")
        deadline = time.monotonic() + 30
        while not any(got["alert"] == "undelivered" for got in receiver.got):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert redis.llen("agos:history:alerts") >= 1
        metrics = served.get("/metrics")[2]
        assert 'agos_alert{alert="undelivered"} 1.0' in metrics
        assert "agos_kafka_up 0.0" in metrics
        assert served.get("/health/live")[0] == 200
        assert served.get("/health/ready")[0] == 200
    redis.close()
