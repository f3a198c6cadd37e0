"""Forgetting leaves nothing behind, and what was forgotten does not come back."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from stream.admin import create
from stream.cli.main import run
from stream.collect import portrait
from stream.collect.keyring import digest
from stream.local import EmbeddedBroker
from stream.producer import producer
from stream.settings import Settings
from stream.store.forget import FOR_EVER_MS, Forgetter
from stream.store.keys import FORGOTTEN
from stream.store.marks import digest_of
from stream.topics import partition_of
from tests.collect.harness import AUTHORIZED, KEY, running

TOKEN = "token-of-the-tests"
ADMIN = {"authorization": f"Bearer {TOKEN}"}


POSITION = {"interactions": "7", "writer": "w:1", "partitions": "of 8"}


def remember(client: "Redis[str]", name: str) -> None:
    """A customer as workers leave it."""
    home = partition_of(name, 8)
    client.hset(f"agos:{{{home}}}:states", name, b"\x01\x02")
    client.hset(
        f"agos:customer:{name}",
        mapping={"segments": "cluster-1,loyal", "events": "3", "orders": "1", "spend": "250"},
    )
    client.zadd("agos:segment:cluster-1:members", {name: 5})
    client.zadd("agos:segment:loyal:members", {name: 6})
    # One that the record does not name.
    client.zadd("agos:segment:lost:members", {name: 7})
    client.hset("agos:segments", mapping={s: "{}" for s in ("cluster-1", "lost", "other")})
    client.zadd(f"agos:{{{home}}}:due", {name: 8})
    client.hset(f"agos:{{{home}}}:offsets", mapping=POSITION)
    change = {"customer": name, "segment": "loyal", "change": "entered", "at": 6, "cause": "event",
              "reason": "", "version": 1, "change_id": "c", "due_at": ""}  # fmt: skip
    for _ in range(3):
        client.xadd("agos:changes", {k: str(v) for k, v in change.items()})
    failed = {"hook": "mail", "problem": "HTTP 500", "change": json.dumps(change)}
    client.xadd("agos:undelivered", failed)


def everything(client: "Redis[str]") -> str:
    """Keys and values of the whole Redis."""
    found = []
    for name in client.scan_iter("*"):
        dumped = {
            "string": client.get,
            "hash": client.hgetall,
            "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            "set": client.smembers,
            "stream": client.xrange,
        }[client.type(name)](name)
        found.append(f"{name} {dumped!r}")
    return "\n".join(found)


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[str]"]:
    with Redis.from_url(redis_url, encoding_errors="replace", decode_responses=True) as made:
        yield made


def test_nothing_of_the_customer_stays_in_redis(client: "Redis[str]", redis_url: str):
    remember(client, "maria")
    remember(client, "other")
    with Forgetter(Settings(redis=redis_url)) as forgetter:
        found = forgetter.forget("maria")
    # State, record and due time.
    assert (found.keys, found.memberships, found.changes) == (3, 3, 3)
    scan = everything(client)
    assert "maria" not in scan
    assert client.hgetall("agos:customer:other")["events"] == "3"
    assert client.xlen("agos:changes") == 3
    assert client.xlen("agos:undelivered") == 1
    until_ms = int(client.hget(FORGOTTEN, digest_of("maria")) or 0)
    assert abs(until_ms - time.time() * 1000) < 10_000


def test_a_worker_that_has_the_customer_in_memory_is_refused(client: "Redis[str]", redis_url: str):
    remember(client, "maria")
    offsets = f"agos:{{{partition_of('maria', 8)}}}:offsets"
    with Forgetter(Settings(redis=redis_url)) as forgetter:
        forgetter.forget("maria")
        # Where it stands in Kafka stays; only who wrote last is another one.
        assert client.hget(offsets, "interactions") == "7"
        assert (client.hget(offsets, "writer") or "").startswith("forget:")
        client.delete(offsets)
        forgetter.forget("maria")
        # One that has not written yet must not do so without knowing of it either.
        assert client.hkeys(offsets) == ["writer", "partitions"]


def test_forgetting_can_be_undone(redis_url: str):
    with Forgetter(Settings(redis=redis_url)) as forgetter:
        forgetter.forget("maria", for_ever=True)
        assert forgetter.forgotten_until_ms("maria") == FOR_EVER_MS
        assert forgetter.pardon("maria")
        assert not forgetter.pardon("maria")
        assert forgetter.forgotten_until_ms("maria") is None


def keys_file(path: Path) -> str:
    place = path / "keys.yaml"
    place.write_text(
        f"keys:\n- {{source: web, sha256: {digest(KEY).hex()}}}\nadmin: [{digest(TOKEN).hex()}]\n"
    )
    return f"@{place}"


async def test_a_collector_takes_no_events_of_who_was_forgotten(redis_url: str):
    now_ms = time.time_ns() // 1_000_000
    with Forgetter(Settings(redis=redis_url)) as forgetter:
        forgetter.forget("maria")
        forgetter.forget("never", for_ever=True)
    async with running(redis=redis_url) as site:
        for name, at_ms in (
            ("maria", now_ms - 1000),
            ("maria", now_ms + 60_000),
            ("never", now_ms + 60_000),
            ("other", now_ms - 1000),
        ):
            call = {"userId": name, "event": "e", "timestamp": at_ms}
            assert (await site.send("/v1/track", call)).status == 200
        taken = [(e["customer_id"], e["timestamp"]) for _, e in site.kafka.events()]
    assert taken == [("maria", now_ms + 60_000), ("other", now_ms - 1000)]


async def test_looking_up_and_deleting_need_a_token(
    client: "Redis[str]", redis_url: str, tmp_path: Path
):
    remember(client, "maria")
    async with running(keys_file(tmp_path), redis=redis_url) as site:
        for method, path in (
            ("GET", "/v1/customers/maria"),
            ("GET", "/v1/customers/maria/export"),
            ("DELETE", "/v1/customers/maria"),
            ("GET", "/v1/segments"),
        ):
            for headers in ({}, AUTHORIZED, {"authorization": "Bearer wrong"}):
                answer = await site.send(path, b"", headers, method)
                assert (answer.status, answer.json["code"]) == (401, "unauthorized")
        answer = await site.send("/v1/customers/maria", b"", ADMIN, "GET")
        assert answer.json["segments"] == ["cluster-1", "loyal"]
        assert answer.json["since"] == {"cluster-1": 5, "loyal": 6}
        assert (await site.send("/v1/customers/nobody", b"", ADMIN, "GET")).status == 404
        assert (await site.send(f"/v1/customers/{'x' * 257}", b"", ADMIN, "GET")).status == 400
        answer = await site.send("/v1/segments", b"", ADMIN, "GET")
        assert {segment["id"] for segment in answer.json} == {"cluster-1", "lost", "other"}
        answer = await site.send("/v1/customers/maria", b"", ADMIN, "DELETE")
        assert answer.json == {"keys": 3, "memberships": 3, "changes": 3}
        assert (await site.send("/v1/customers/maria", b"", ADMIN, "GET")).status == 404
    assert "maria" not in everything(client)


async def test_a_redis_that_is_away_is_told(tmp_path: Path):
    async with running(keys_file(tmp_path), redis="redis://127.0.0.1:1/0") as site:
        answer = await site.send("/v1/customers/maria", b"", ADMIN, "GET")
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        # Events are taken all the same.
        answer = await site.send("/v1/track", {"userId": "a", "event": "e"})
        assert answer.status == 200


async def test_what_was_sent_before_is_not_sent_on(redis_url: str):
    call = {"userId": "maria", "event": "e", "messageId": "m-1"}
    # The second collector knows from Redis what the first one sent.
    for records in (1, 0):
        async with running(redis=redis_url) as site:
            for _ in range(2):
                assert (await site.send("/v1/track", call)).status == 200
            assert len(site.kafka.records) == records


def test_export_reads_a_log_that_grows_only_up_to_where_it_ended(
    embedded_broker: EmbeddedBroker, unique: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(portrait, "_SILENT_SECONDS", 2.0)
    settings = Settings(kafka=embedded_broker.address)
    create(settings)
    home = partition_of(unique, 8)
    with closing(producer(settings)) as connected:

        def send(key: str) -> None:
            value = json.dumps({"customer_id": key}).encode()
            connected.send("interactions", key=key.encode(), value=value, partition=home)
            connected.flush()

        for key in (unique, "other", unique):
            send(key)
        ending = threading.Event()

        def go_on() -> None:
            while not ending.wait(0.1):
                send(unique)

        growing = threading.Thread(target=go_on)
        found = portrait.kept_in_kafka(settings, unique)
        first = next(found)
        growing.start()
        try:
            # Without an end it would go on as long as the customer does.
            rest = list(itertools.islice(found, 100))
        finally:
            ending.set()
            growing.join()
    assert first["topic"] == "interactions"
    assert first["value"] == {"customer_id": unique}
    assert len(rest) == 1


def test_export_has_everything(client: "Redis[str]", redis_url: str, capsys, monkeypatch):
    remember(client, "maria")
    client.delete(f"agos:{{{partition_of('maria', 8)}}}:states")
    monkeypatch.setattr("sys.argv", ["agos", "export", "maria", "--redis", redis_url])
    assert run() == 0
    found = json.loads(capsys.readouterr().out)
    assert found["customer"]["spend_minor"] == 250
    assert found["members_since"] == {"cluster-1": 5, "loyal": 6}
    assert [change["segment"] for change in found["changes"]] == ["loyal"] * 3
    monkeypatch.setattr("sys.argv", ["agos", "forget", "maria", "--redis", redis_url])
    assert run() == 0
    assert "3 memberships" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["agos", "export", "maria", "--redis", redis_url])
    assert run() == 1
