"""Readers against a real Redis that was filled by hand, as the contract says."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from stream.errors import StoreError
from stream.local import free_port
from stream.store.async_reader import AsyncReader
from stream.store.reader import Reader
from stream.store.records import Change, Customer, Member

ADA = {
    "segments": "cluster-2,loyal",
    "cluster": "cluster-2",
    "cluster_name": "big spenders",
    "confidence": "0.75",
    "events": "12",
    "orders": "2",
    "spend": "-150",
    "first_seen": "1000",
    "last_seen": "2000",
    "updated_at": "3000",
    "due_at": "9000",
    "version": "7",
    "model_version": "4",
    "definitions_version": "abc",
    "source": "purchases-3@41",
}
#: What a customer's hash holds before the first model.
FEW = {"events": "1", "last_seen": "5", "version": "1", "confidence": "0.00", "segments": ""}


@pytest.fixture
def reader(redis_url: str) -> Iterator[Reader]:
    with Reader(redis_url) as opened:
        yield opened


def record(redis: Redis, customer: str, number: int, change: str = "entered") -> str:
    """Write one change as the script does; its position in the stream."""
    fields = {
        "change_id": f"id-{number}",
        "customer": customer,
        "segment": "loyal",
        "change": change,
        "at": number,
        "cause": "event",
        "reason": "because",
        "version": number,
    }
    return str(redis.xadd("agos:changes", fields))


def test_segments_of_a_customer(redis, reader):
    redis.hset("agos:customer:ada", mapping=ADA)
    redis.hset("agos:customer:few", mapping=FEW)
    assert reader.segments("ada") == ("cluster-2", "loyal")
    assert reader.segments("few") == ()
    assert reader.segments("nobody") == ()


def test_a_customer_with_types_and_units(redis, reader):
    redis.hset("agos:customer:ada", mapping=ADA)
    assert reader.customer("ada") == Customer(
        "ada",
        segments=("cluster-2", "loyal"),
        cluster="cluster-2",
        cluster_name="big spenders",
        confidence=0.75,
        events=12,
        orders=2,
        spend_minor=-150,
        first_seen_ms=1000,
        last_seen_ms=2000,
        updated_at_ms=3000,
        due_at_ms=9000,
        version=7,
        model_version=4,
        definitions_version="abc",
        source="purchases-3@41",
    )
    assert reader.customer("nobody") is None


def test_missing_fields_have_their_zero(redis, reader):
    redis.hset("agos:customer:few", mapping=FEW)
    assert reader.customer("few") == Customer("few", events=1, last_seen_ms=5, version=1)


def test_members_come_newest_first_in_pages(redis, reader):
    redis.zadd("agos:segment:loyal:members", {"a": 10, "b": 30, "c": 20})
    assert reader.members("loyal", limit=2) == [Member("b", 30), Member("c", 20)]
    assert reader.members("loyal", offset=2, limit=2) == [Member("a", 10)]
    assert reader.members("loyal", limit=0) == []
    assert reader.members("unheard-of") == []


def test_all_members_of_a_large_segment_once_each(redis, reader):
    everybody = {f"c{number}": number for number in range(3_000)}
    redis.zadd("agos:segment:loyal:members", everybody)
    found = list(reader.all_members("loyal"))
    assert len(found) == 3_000
    assert {member.customer_id: member.entered_ms for member in found} == everybody


def test_segments_by_size_with_the_retired_ones_last(redis, reader):
    discovered = {"kind": "discovered", "origin": "discovered"}
    known = {
        "loyal": {"name": "Loyal", "kind": "defined"},
        "cluster-1": {"name": "old", **discovered},
        "cluster-2": {"name": "new", "share": 0.5, "explanation": [["spend", 2.0]], **discovered},
    }
    redis.hset("agos:segments", mapping={name: json.dumps(text) for name, text in known.items()})
    redis.hset("agos:model", "names", json.dumps({"cluster-2": "new"}))
    for segment, size in (("loyal", 1), ("cluster-1", 9), ("cluster-2", 4)):
        redis.zadd(f"agos:segment:{segment}:members", {f"c{i}": i for i in range(size)})
    found = reader.segment_list()
    assert [(s.id, s.size, s.discovered, s.retired) for s in found] == [
        ("cluster-2", 4, True, False),
        ("loyal", 1, False, False),
        ("cluster-1", 9, True, True),
    ]
    assert found[0].share == 0.5
    assert found[0].explanation == (["spend", 2.0],)


def test_changes_from_the_beginning_and_from_a_position(redis, reader):
    positions = [record(redis, "ada", number) for number in (1, 2, 3)]
    found = list(reader.changes("0", wait=False))
    assert found[0] == Change(
        positions[0], "id-1", "ada", "loyal", "entered", 1, "event", "because", 1, None
    )
    assert [change.position for change in found] == positions
    later = list(reader.changes(positions[1], wait=False))
    assert [change.change_id for change in later] == ["id-3"]


def test_waiting_outlasts_the_socket_timeout(redis, redis_url):
    redis.xgroup_create("agos:changes", "unused", mkstream=True)
    timer = threading.Timer(2.6, record, (redis, "ada", 1))
    timer.start()
    started_s = time.monotonic()
    with Reader(redis_url, timeout_seconds=2.0) as reader:
        assert next(reader.changes()).change_id == "id-1"
    assert time.monotonic() - started_s > 2.5
    timer.join()


def test_a_group_resumes_where_its_consumer_stopped(redis, reader):
    for number in range(1, 6):
        record(redis, "ada", number)
    changes = reader.changes("0", group="mailer", wait=False)
    assert [next(changes).change_id for _ in range(3)] == ["id-1", "id-2", "id-3"]
    # It dies over the third: only what it came back from is done.
    changes.close()
    again = [change.change_id for change in reader.changes("0", group="mailer", wait=False)]
    assert again == ["id-3", "id-4", "id-5"]
    assert list(reader.changes("0", group="mailer", wait=False)) == []
    assert redis.xpending("agos:changes", "mailer")["pending"] == 0


def test_consumers_of_a_group_share_and_groups_do_not(redis, reader):
    record(redis, "ada", 1)
    one = reader.changes("0", group="g", consumer="one", wait=False)
    assert next(one).change_id == "id-1"
    record(redis, "ada", 2)
    two = [c.change_id for c in reader.changes("0", group="g", consumer="two", wait=False)]
    assert two == ["id-2"]
    other = [c.change_id for c in reader.changes("0", group="other", wait=False)]
    assert other == ["id-1", "id-2"]
    one.close()


def test_what_a_dead_consumer_left_goes_to_another(redis, reader, monkeypatch):
    record(redis, "ada", 1)
    dead = reader.changes("0", group="g", consumer="dead", wait=False)
    next(dead)
    dead.close()
    heir = [c.change_id for c in reader.changes("0", group="g", consumer="heir", wait=False)]
    assert heir == [], "it may still be at work"
    monkeypatch.setattr("stream.store.reader.CLAIM_MS", 0)
    heir = [c.change_id for c in reader.changes("0", group="g", consumer="heir", wait=False)]
    assert heir == ["id-1"]


def test_watch_shows_the_customer_now_and_after_each_change(redis, reader):
    redis.hset("agos:customer:ada", mapping=ADA)
    record(redis, "ada", 1)
    seen = reader.watch("ada")
    first = next(seen)
    assert first is not None and first.version == 7
    record(redis, "bob", 2)
    redis.hset("agos:customer:ada", mapping={"version": "8", "segments": ""})
    record(redis, "ada", 8, "left")
    second = next(seen)
    assert second is not None and (second.version, second.segments) == (8, ())


def test_latest_changes_of_all_and_of_one(redis, reader):
    for number, customer in enumerate(["ada", "bob", "ada", "bob"], 1):
        record(redis, customer, number)
    assert [c.change_id for c in reader.latest(3)] == ["id-4", "id-3", "id-2"]
    assert [c.change_id for c in reader.latest(5, "ada")] == ["id-3", "id-1"]
    assert [c.change_id for c in reader.latest(1, "ada")] == ["id-3"]


def test_the_overview_adds_up_partitions_and_leaves_silent_workers_out(redis, reader):
    now_ms = time.time_ns() // 1_000_000
    for worker, at_ms in (("alive", now_ms), ("silent", now_ms - 60_000)):
        report = {"worker": worker, "at_ms": at_ms, "lag": 5, "partitions": [0, 1], "new": True}
        redis.hset("agos:workers", worker, json.dumps(report))
    redis.hset("agos:{0}:counters", mapping={"applied": 10, "rejected:not-json": 1})
    redis.hset("agos:{1}:counters", mapping={"applied": 5, "rejected:invalid": 2})
    redis.hset("agos:model", "version", 3)
    record(redis, "ada", 1)
    found = reader.overview(2)
    assert [worker.worker for worker in found.workers] == ["alive"]
    assert found.workers[0].partitions == (0, 1)
    assert (found.counters["applied"], found.rejected, found.lag) == (15, 3, 5)
    assert (found.model_version, found.changes_kept) == (3, 1)


def test_nobody_there_is_one_sentence_without_the_password():
    with Reader(f"redis://ada:hush@127.0.0.1:{free_port()}/0") as reader:
        with pytest.raises(StoreError, match=r"no Redis answers at redis://…@127") as caught:
            reader.segments("ada")
        assert "hush" not in str(caught.value)


async def test_the_async_reader_says_the_same(redis, redis_url, reader):
    redis.hset("agos:customer:ada", mapping=ADA)
    redis.hset("agos:segments", "loyal", json.dumps({"name": "Loyal", "kind": "defined"}))
    redis.zadd("agos:segment:loyal:members", {f"c{i}": i for i in range(1_200)})
    async with AsyncReader(redis_url) as other:
        assert await other.segments("ada") == ("cluster-2", "loyal")
        assert await other.segments("nobody") == ()
        assert await other.customer("ada") == reader.customer("ada")
        assert await other.customer("nobody") is None
        assert await other.members("loyal", offset=1, limit=2) == [
            Member("c1198", 1198),
            Member("c1197", 1197),
        ]
        assert len([member async for member in other.all_members("loyal")]) == 1_200
        assert await other.segment_list() == reader.segment_list()


async def test_the_async_reader_resumes_too(redis, redis_url):
    positions = [record(redis, "ada", number) for number in (1, 2, 3)]
    async with AsyncReader(redis_url) as reader:
        later = [c.position async for c in reader.changes(positions[0], wait=False)]
        assert later == positions[1:]
        changes = reader.changes("0", group="g", wait=False)
        assert [(await anext(changes)).change_id for _ in range(2)] == ["id-1", "id-2"]
        await changes.aclose()
    async with AsyncReader(redis_url) as reader:
        again = [c.change_id async for c in reader.changes("0", group="g", wait=False)]
        assert again == ["id-2", "id-3"]
        assert redis.xpending("agos:changes", "g")["pending"] == 0


async def test_async_watch_wakes_up(redis, redis_url):
    redis.hset("agos:customer:ada", mapping=ADA)
    async with AsyncReader(redis_url) as reader:
        seen = reader.watch("ada")
        first = await anext(seen)
        assert first is not None and first.version == 7
        waiting = asyncio.ensure_future(anext(seen))
        redis.hset("agos:customer:ada", "version", "8")
        record(redis, "ada", 8)
        second = await asyncio.wait_for(waiting, 5)
        assert second is not None and second.version == 8
        await seen.aclose()


async def test_async_nobody_there_is_a_sentence():
    async with AsyncReader(f"redis://127.0.0.1:{free_port()}/0") as reader:
        with pytest.raises(StoreError, match="no Redis answers"):
            await reader.segments("ada")
