"""The engine's user reads the contract, and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from stream.local import EmbeddedRedis
from stream.settings import Settings
from stream.store.reader import Reader

FILE = Path(__file__).parents[2] / "deploy" / "redis-acl.conf"
PASSWORD = "secret of the tests"


class Guarded(EmbeddedRedis):
    """A Redis that was started with the file."""

    def command(self) -> list[str]:
        digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
        place = self.directory / "users.acl"
        place.write_text(FILE.read_text().replace("0" * 64, digest))
        return [*super().command(), "--aclfile", str(place)]


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    with Guarded() as server:
        with Redis.from_url(server.address) as owner:
            owner.hset(
                "agos:customer:maria",
                mapping={"segments": "loyal", "events": "3", "updated_at": "5"},
            )
            owner.zadd("agos:segment:loyal:members", {"maria": 5})
            owner.hset("agos:segments", "loyal", '{"name": "Loyal"}')
            owner.hset("agos:model", "version", "1")
            owner.hset("agos:{3}:offsets", "interactions", "7")
            owner.hset("agos:{3}:states", "maria", b"x")
            fields = {"customer": "maria", "segment": "loyal", "change": "entered", "at": "5",
                      "cause": "event", "reason": "", "version": "1", "change_id": "c"}  # fmt: skip
            owner.xadd("agos:changes", fields)
        yield server.address


@pytest.fixture
def engine(guarded: str) -> Iterator["Redis[str]"]:
    with Redis.from_url(
        guarded, username="engine", password=PASSWORD, decode_responses=True
    ) as client:
        yield client


def test_the_reader_works_for_it(guarded: str):
    settings = Settings(redis=guarded, redis_user="engine", redis_password=PASSWORD)
    with Reader(settings) as reader:
        assert reader.segments("maria") == ("loyal",)
        found = reader.customer("maria")
        assert found is not None
        assert found.events == 3
        assert [m.customer_id for m in reader.members("loyal")] == ["maria"]
        assert [m.customer_id for m in reader.all_members("loyal")] == ["maria"]
        assert [segment.id for segment in reader.segment_list()] == ["loyal"]
        assert [c.segment for c in reader.changes("0", wait=False)] == ["loyal"]
        assert reader.since("maria", ["loyal"]) == {"loyal": 5}


def test_keys_of_the_contract_are_readable(engine: "Redis[str]"):
    assert engine.hgetall("agos:{3}:offsets") == {"interactions": "7"}
    assert engine.hget("agos:model", "version") == "1"
    with engine.pubsub() as channel:
        channel.subscribe("agos:changes")
        assert channel.get_message(timeout=5)


@pytest.mark.parametrize(
    "command",
    [
        ("HGET", "agos:{3}:states", "maria"),
        ("HGETALL", "agos:trainer"),
        ("HGETALL", "agos:forgotten"),
        ("HGETALL", "agos:seen"),
        ("HGETALL", "other"),
        ("KEYS", "*"),
        ("SCAN", "0"),
        ("RANDOMKEY",),
        ("SET", "agos:segments", "x"),
        ("DEL", "agos:customer:maria"),
        ("HSET", "agos:customer:maria", "events", "4"),
        ("ZADD", "agos:segment:loyal:members", "1", "eve"),
        ("XADD", "agos:changes", "*", "a", "b"),
        ("XGROUP", "CREATE", "agos:changes", "eve", "0"),
        ("EXPIRE", "agos:customer:maria", "1"),
        ("PUBLISH", "agos:changes", "x"),
        ("SUBSCRIBE", "agos:model"),
        ("EVAL", "return 1", "0"),
        ("FLUSHALL",),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("CLIENT", "LIST"),
        ("MONITOR",),
        ("DEBUG", "SLEEP", "0"),
        ("SAVE",),
        ("INFO",),
    ],
)
def test_nothing_else_is(guarded: str, command: tuple[Any, ...]):
    with (
        Redis.from_url(guarded, username="engine", password=PASSWORD) as client,
        pytest.raises(NoPermissionError),
    ):
        client.execute_command(*command)


def test_no_permitted_command_writes(engine: "Redis[str]", guarded: str):
    permitted = {word[1:].split("|")[0] for word in FILE.read_text().split() if word[0] == "+"}
    with Redis.from_url(guarded, decode_responses=True) as owner:
        for category in ("write", "admin", "scripting"):
            forbidden = {name.lower() for name in owner.execute_command("ACL", "CAT", category)}
            # Of `client` only subcommands about the own connection are permitted.
            assert permitted & forbidden - {"client"} == set()


def test_another_password_is_refused(guarded: str):
    with (
        Redis.from_url(guarded, username="engine", password="guess") as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()
