"""Now and Segments in a real browser: what they show is what Redis and Kafka have."""

import time
import warnings
from typing import Any

import pytest
from redis import Redis

from scripts.benches.going import Going
from scripts.screenshots_parts.chromium import Tab
from scripts.screenshots_parts.pictures import DRAWN
from stream.local import EmbeddedBroker, EmbeddedRedis
from tests.dashboard.conftest import PARTITIONS
from tests.dashboard.served import ReportingWorker, Served, change, change_fields, describe, join

with warnings.catch_warnings():
    # kafka-python reads its protocol with functions that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition

HOSTILE = [
    "<img src=x onerror=window.hacked=1>",
    "</script><script>window.hacked=1</script>",
    "{{window.hacked=1}}",
    "`${window.hacked=1}`",
    '"><svg onload=window.hacked=1>',
    ":window.hacked=1",
    "javascript:window.hacked=1",
]


def value(tab: Tab, figure: str) -> str:
    """What the card of a figure says."""
    return tab.text(f"#figure-{figure} .value")


def banner_says(tab: Tab, words: str) -> None:
    tab.wait(f"document.querySelector('#banner')?.innerText.includes({words!r})")


def worker_seen(tab: Tab) -> None:
    """Wait until the page knows the workers of this test. An alert of the test before may still
    stand in the banner: it stays for half a minute, and comes after what is wrong now."""
    told = "document.querySelector('#banner')?.innerText"
    tab.wait(f"{told} && !/Looking for|^No worker|no Redis/.test({told})")


def everybody(redis: Redis) -> ReportingWorker:
    return ReportingWorker(redis, "w1", list(range(PARTITIONS)))


EVENTS_PER_SECOND = 400


def going(redis_url: str) -> Going:
    """Events that are applied so fast, and entries that come half a second after theirs."""
    return Going(
        redis_url,
        lambda number: change_fields("ada", "loyal"),
        events_per_second=EVENTS_PER_SECOND,
        changes_per_second=20,
        step_seconds=0.05,
    )


def test_figures_are_those_of_redis_and_kafka(
    served: Served, redis: Redis, tab: Tab, embedded_broker: EmbeddedBroker
):
    producer = KafkaProducer(bootstrap_servers=embedded_broker.address, linger_ms=0)
    for number in range(5):
        producer.send("purchases", b"{}", b"c", partition=number % 2).get(10)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=embedded_broker.address)
    places = [
        TopicPartition(topic, p)
        for topic in ("interactions", "purchases", "profiles")
        for p in range(PARTITIONS)
    ]
    ends = consumer.end_offsets(places)
    consumer.close()
    # All is applied but the three newest of the first partition of purchases.
    for place, end in ends.items():
        missing = 3 if place == TopicPartition("purchases", 0) else 0
        redis.hset(f"agos:{{{place.partition}}}:offsets", place.topic, end - missing)
    redis.hset("agos:{0}:counters", mapping={"applied": 1_200, "rejected:not-json": 2})
    redis.hset("agos:{1}:counters", mapping={"applied": 34})
    redis.hset("agos:model", mapping={"version": 17, "trained_on": 2_000})
    with everybody(redis):
        tab.open(served.url)
        worker_seen(tab)
        tab.wait("document.querySelector('#figure-lag .value').innerText === '3'")
        assert value(tab, "workers") == "1"
        assert value(tab, "unowned") == "0"
        assert value(tab, "model_age_ms") == "v17"
        rows = tab.run(
            "Object.fromEntries([...document.querySelectorAll('tbody tr')].map("
            "r => [r.children[0].innerText, r.children[1].innerText]))"
        )
        assert rows["applied"] == "1,234"
        assert rows["rejected:not-json"] == "2"
        assert (rows["purchases"], rows["interactions"]) == ("3", "0")


def test_rates_and_latency_follow(own_redis: EmbeddedRedis, served: Served, redis: Redis, tab: Tab):
    with everybody(redis), going(own_redis.address):
        tab.open(served.url)
        worker_seen(tab)
        # Where the machine stalls for a moment a look is too early or too late: the next is not.
        rate = (
            "Number(document.querySelector('#figure-events_per_second .value')"
            ".innerText.replace(',', ''))"
        )
        tab.wait(f"Math.abs({rate} - {EVENTS_PER_SECOND}) < 0.2 * {EVENTS_PER_SECOND}")
        tab.wait(
            "/^5\\d\\d ms$/.test(document.querySelector('#figure-latency_p50_ms .value').innerText)"
        )


@pytest.mark.slow
def test_a_worker_that_dies_is_told_within_ten_seconds(served: Served, redis: Redis, tab: Tab):
    with ReportingWorker(redis, "w1", [0, 1]), ReportingWorker(redis, "w2", [2, 3]) as other:
        tab.open(served.url)
        worker_seen(tab)
        other.kill()
        begun = time.monotonic()
        banner_says(tab, "No worker has partition 2, 3")
        assert time.monotonic() - begun < 10
        assert value(tab, "workers") == "1"
        tab.wait("document.body.innerText.includes('gone for')")
    banner_says(tab, "No worker reports")
    assert "agos worker" in tab.text("#banner")


def test_a_new_segment_comes_by_itself(served: Served, redis: Redis, tab: Tab):
    with everybody(redis):
        tab.open(f"{served.url}/segments")
        tab.wait("document.body.innerText.includes('AGOS_SEGMENTS')")
        join(redis, "fresh", "ada", "bob")
        describe(redis, "fresh", "Fresh customers")
        tab.wait("document.body.innerText.includes('Fresh customers')")
        found = tab.run("[...document.querySelectorAll('tbody tr')].map(r => r.innerText)")
        assert len(found) == 1
        assert found[0].split("\t")[1] == "2"
        change(redis, "cora", "fresh")
        change(redis, "ada", "fresh", "left")
        tab.wait(
            "(() => {const c = document.querySelector('tbody tr').children;"
            "return c[3].innerText === '1' && c[4].innerText === '1'})()"
        )


@pytest.mark.slow
def test_a_new_segment_is_there_within_two_seconds(served: Served, redis: Redis, tab: Tab):
    took_seconds = []
    with everybody(redis):
        tab.open(f"{served.url}/segments")
        worker_seen(tab)
        # The best of three: another process may have the machine for itself meanwhile.
        for number in range(3):
            describe(redis, f"s{number}", f"Segment {number}")
            begun = time.monotonic()
            tab.wait(f"document.body.innerText.includes('Segment {number}')")
            took_seconds.append(time.monotonic() - begun)
    assert min(took_seconds) < 2, took_seconds


@pytest.mark.parametrize("page", ["/", "/segments", "/segments?period=<script>"])
def test_hostile_names_are_only_text(served: Served, redis: Redis, tab: Tab, page: str):
    for number, name in enumerate(HOSTILE):
        describe(redis, name, name, "discovered" if number % 2 else "defined")
        join(redis, name, name)
        redis.hset("agos:{0}:counters", f"rejected:{name}", 1)
    workers = [ReportingWorker(redis, name, [0, 1, 2, 3], host=name) for name in HOSTILE]
    for worker in workers:
        worker.__enter__()
    try:
        tab.open(served.url + page)
        worker_seen(tab)
        tab.wait(f"document.body.innerText.includes({HOSTILE[0]!r})")
        # Longer than the charts take to be drawn.
        tab.wait("document.querySelector('.chart svg path')")
        shown = tab.run("document.body.innerText")
        assert [name for name in HOSTILE if name not in shown] == []
        assert tab.run("window.hacked ?? null") is None
        assert tab.run("document.querySelectorAll('main img, main svg[onload]').length") == 0
        links = tab.run("[...document.querySelectorAll('a')].map(a => a.protocol)")
        assert set(links) == {"http:"}
    finally:
        for worker in workers:
            worker.__exit__()


def test_many_segments_and_customers_are_not_looked_through(served: Served, redis: Redis, tab: Tab):
    pipe = redis.pipeline(transaction=False)
    for number in range(200):
        describe(pipe, f"s{number}", f"Segment {number}")
    members = {f"c{number}": number for number in range(20_000)}
    pipe.zadd("agos:segment:s7:members", members)
    pipe.execute()
    with everybody(redis):
        redis.config_resetstat()
        tab.open(f"{served.url}/segments")
        tab.wait("document.querySelectorAll('tbody tr').length === 200")
        assert tab.text("tbody tr td") == "20,000"
        time.sleep(1.5)
        used = {name.removeprefix("cmdstat_") for name in redis.info("commandstats")}
    assert used & {"scan", "keys", "zscan", "hscan", "sscan", "zrange", "zrangebyscore"} == set()


def test_redis_that_goes_away_is_told_and_comes_back(
    own_redis: EmbeddedRedis, redis: Redis, served: Served, tab: Tab
):
    with everybody(redis):
        tab.open(served.url)
        worker_seen(tab)
    own_redis.stop()
    try:
        banner_says(tab, "no Redis answers")
        assert "AGOS_REDIS" in tab.text("#banner")
    finally:
        own_redis.start()
    with everybody(redis):
        worker_seen(tab)


def test_a_phone_and_a_keyboard_will_do(served: Served, redis: Redis, tab: Tab):
    describe(redis, "loyal", "Loyal customers " * 5)
    with everybody(redis):
        tab.size(360, 700, mobile=True)
        for page in ("/", "/segments"):
            tab.open(served.url + page)
            worker_seen(tab)
            tab.wait("document.querySelector('tbody tr')")
            wide = tab.run("document.documentElement.scrollWidth")
            assert wide <= 360, page
        tab.key("Tab")
        assert tab.run("document.activeElement.className") == "skip"
        tab.key("Tab")
        assert tab.run("document.activeElement.innerText") == "Now"
        tab.key("Enter")
        tab.wait("location.pathname === '/'")


def test_charts_are_as_wide_as_their_place(served: Served, redis: Redis, tab: Tab):
    describe(redis, "loyal", "Loyal customers")
    with everybody(redis):
        for page in ("/", "/segments"):
            tab.open(served.url + page)
            tab.wait("document.querySelector('.chart svg path')")
            for width in (1400, 700, 1000):
                tab.size(width, 800)
                tab.wait(DRAWN)
                # The head of the page is as wide as the window.
                header = "document.querySelector('header').getBoundingClientRect()"
                assert tab.run(f"[{header}.left, {header}.top, {header}.width]") == [0, 0, width]


def test_dark_follows_the_system_until_somebody_chooses(served: Served, redis: Redis, tab: Tab):
    dark = "document.body.classList.contains('body--dark')"
    tab.scheme("dark")
    tab.open(served.url)
    tab.wait(dark)
    tab.run("document.querySelector('header button').click()")
    tab.wait(f"!{dark}")
    tab.open(f"{served.url}/segments")
    tab.wait(f"document.querySelector('#banner') && !{dark}")
    tab.run("localStorage.clear()")


@pytest.mark.slow
def test_charts_survive_a_restart(served: Served, redis: Redis, tab: Tab):
    def stored() -> int:
        return int(redis.llen("agos:history:5"))

    def drawn() -> Any:
        tab.open(served.url)
        return tab.wait(
            "document.querySelector('#figure-workers path')?.getAttribute('d')?.split('L').length"
        )

    with everybody(redis):
        deadline = time.monotonic() + 20
        while stored() < 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        served.process.stop()
        before = stored()
        served.start()
        assert drawn() >= before
        while stored() <= before:
            assert time.monotonic() < deadline + 20
            time.sleep(0.2)
