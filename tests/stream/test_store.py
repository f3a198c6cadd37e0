"""The store on a real Redis: a batch is written once and whole, or not at all."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from stream.errors import StoreError
from stream.local import EmbeddedRedis, free_port
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.store import Applied, Store
from stream.store.write import Group, Move, Write

PURCHASES, INTERACTIONS = "purchases", "interactions"


def url_of(redis: Redis) -> str:
    return f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}/0"


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(Settings(redis=redis_url))
    yield store
    await store.close()


def a_write(**more: Any) -> Write:
    """One customer bought something: partition 3, from the beginning to offset 5."""
    move: dict[str, Any] = {"topic": PURCHASES, "start": None, "end": 5, "topic_id": "id-1"}
    move |= {name: more.pop(name) for name in move if name in more}
    source = "purchases-3@4"
    fields: dict[str, Any] = {
        "partition": 3,
        "writer": "w:1",
        "moves": [Move(**move)] if move["topic"] else [],
        "constants": {"updated_at": 77},
        "groups": [Group(("events", "spend"), 1, ["c1", b"\0\xffstate", 5, -250, source])],
        "counters": {"applied": 5},
    }
    return Write(**(fields | more))


def everything(redis: Redis) -> dict[bytes, bytes]:
    """All keys, as Redis dumps them."""
    with Redis.from_url(url_of(redis)) as raw:
        return {key: raw.dump(key) for key in raw.scan_iter("*")}


async def apply(store: Store, write: Write) -> Applied:
    (applied,) = await store.apply([write])
    return applied


async def test_a_batch_is_written_as_documented(store: Store, redis: Redis) -> None:
    change = {"change_id": "x", "customer": "c1", "segment": "s", "change": "entered", "at": 9}
    subscriber = redis.pubsub(ignore_subscribe_messages=True)
    subscriber.subscribe("agos:changes")
    subscriber.get_message(timeout=2)
    applied = await apply(
        store,
        a_write(
            groups=[
                Group(("events", "spend"), 1, ["c1", b"\0\xffstate", 5, -250, "purchases-3@4"]),
                Group(("segments",), 2, ["c2", b"two", "a,b", "c3", b"three", ""], sourced=False),
            ],
            memberships=["c1", "s", 9, "c2", "t", 8, "c2", "t", ""],
            changes=[(change, json.dumps(change).encode())],
            due=["c1", 1234, "c2", ""],
            categories=[17, "shoes"],
        ),
    )
    assert applied.ok
    assert redis.hgetall("agos:customer:c1") == {
        "events": "5",
        "spend": "-250",
        "source": "purchases-3@4",
        "updated_at": "77",
    }
    assert redis.hgetall("agos:customer:c2") == {"segments": "a,b", "updated_at": "77"}
    assert redis.hgetall("agos:customer:c3") == {"segments": "", "updated_at": "77"}
    assert await store.load([(3, ["c1", "nobody", "c3"])]) == [[b"\0\xffstate", None, b"three"]]
    assert redis.zrange("agos:segment:s:members", 0, -1, withscores=True) == [("c1", 9.0)]
    assert not redis.exists("agos:segment:t:members")
    (entry,) = redis.xrange("agos:changes")
    assert entry[1] == {name: str(value) for name, value in change.items()}
    heard = subscriber.get_message(timeout=2)
    subscriber.close()
    assert heard is not None and json.loads(heard["data"]) == change
    assert redis.zrange("agos:{3}:due", 0, -1, withscores=True) == [("c1", 1234.0)]
    assert redis.hgetall("agos:{3}:categories") == {"17": "shoes"}
    assert redis.hgetall("agos:{3}:counters") == {"applied": "5"}
    assert redis.hget("agos:{3}:offsets", PURCHASES) == "5"
    positions = await store.positions(3)
    assert (positions.offsets, positions.topic_ids) == ({PURCHASES: 5}, {PURCHASES: "id-1"})
    assert positions.writer == "w:1"


async def test_every_value_comes_to_redis_as_it_is(store: Store, redis_url: str) -> None:
    # Whole numbers below 2**53, text of any kind and length, and every byte.
    names = [f"n{i}" for i in range(40)]
    text = ["", "0", "0.29", "1e5", "ümläut 顧客 \0\n", "9007199254740993", "x" * 70_000]
    numbers = [0, -1, 127, 128, -129, 65_536, -(2**31) - 1, 1_763_842_000_123, 2**53 - 1]
    values = [*text, *numbers, *range(1000, 1000 + len(names) - len(text) - len(numbers))]
    states = [bytes(range(256)) * 300, b"", b"\xc1\xff\x00"]
    customers = ["a" * 256, 'it\'s "c"\t', "é顧\U0001f600"]
    flat = [x for c, state in zip(customers, states, strict=True) for x in (c, state, *values, "e")]
    assert (await apply(store, a_write(groups=[Group(names, 3, flat)]))).ok
    assert await store.load([(3, customers)]) == [states]
    with Redis.from_url(redis_url) as raw:
        for customer in customers:
            assert raw.hgetall(f"agos:customer:{customer}") == {
                **{n.encode(): str(v).encode() for n, v in zip(names, values, strict=True)},
                b"source": b"e",
                b"updated_at": b"77",
            }


@pytest.mark.parametrize(
    "claims",
    [
        {"start": None, "expected_writer": "w:1"},
        {"start": 4, "expected_writer": "w:1"},
        {"start": 6, "expected_writer": "w:1"},
        {"start": 5, "expected_writer": ""},
        {"start": 5, "expected_writer": "other"},
        {"topic": INTERACTIONS, "start": 5, "expected_writer": "w:1"},
        {"topic": "", "expected_writer": "other"},
    ],
)
async def test_a_write_from_another_position_changes_nothing(
    store: Store, redis: Redis, claims: dict[str, Any]
) -> None:
    assert (await apply(store, a_write())).ok
    before = everything(redis)
    refused = await apply(
        store,
        a_write(
            **({"writer": "v:1", "end": 9} | claims),
            memberships=["c1", "s", 1],
            due=["c1", 1],
            categories=[1, "x"],
        ),
    )
    assert not refused.ok
    assert refused.writer == "w:1"
    topic = claims.get("topic", PURCHASES)
    stored = {PURCHASES: "purchases@5", INTERACTIONS: "interactions@"}.get(topic)
    assert refused.stored == (stored if claims["expected_writer"] == "w:1" else "")
    assert everything(redis) == before


@pytest.mark.parametrize("start", [4, None, 6])
async def test_all_topics_of_a_write_move_or_none(store: Store, redis: Redis, start: Any) -> None:
    assert (await apply(store, a_write())).ok
    before = everything(redis)
    moves = [Move(INTERACTIONS, None, 7), Move(PURCHASES, start, 9, "id-1")]
    refused = await apply(store, a_write(moves=moves, writer="w:2", expected_writer="w:1"))
    assert not refused.ok and refused.stored == "purchases@5"
    assert everything(redis) == before
    moves = [Move(INTERACTIONS, None, 7), Move(PURCHASES, 5, 9, "id-1")]
    assert (await apply(store, a_write(moves=moves, writer="w:2", expected_writer="w:1"))).ok
    assert (await store.positions(3)).offsets == {INTERACTIONS: 7, PURCHASES: 9}


async def test_of_several_writes_each_is_applied_or_refused(store: Store, redis: Redis) -> None:
    assert (await apply(store, a_write())).ok
    records = [Group(("events",), 1, [f"d{n}", b"s", 1, "x"]) for n in range(3)]
    writes = [
        a_write(partition=4, writer="a:1", groups=records[:1]),
        a_write(partition=3, writer="a:2", groups=records[1:2]),
        a_write(partition=5, writer="a:3", groups=records[2:]),
    ]
    assert [applied.ok for applied in await store.apply(writes)] == [True, False, True]
    stored = await store.load([(4, ["d0"]), (3, ["d1"]), (5, ["d2", "d0"])])
    assert stored == [[b"s"], [None], [b"s", None]]
    assert [(await store.positions(p)).writer for p in (3, 4, 5)] == ["w:1", "a:1", "a:3"]
    # Sent again, as after a lost answer.
    assert [applied.ok for applied in await store.apply(writes)] == [True, False, True]
    assert redis.hget("agos:{4}:counters", "applied") == "5"


@pytest.mark.parametrize(("customers", "calls"), [(1, 1), (250, 2), (400, 3), (600, 3)])
async def test_small_writes_share_a_call_and_large_ones_let_readers_in_between(
    store: Store, redis: Redis, customers: int, calls: int
) -> None:
    writes = [
        a_write(
            partition=partition,
            writer=f"a:{partition}",
            groups=[
                Group(
                    ("events",),
                    customers,
                    [v for n in range(customers) for v in (f"{partition}-{n}", b"s", 1, "x")],
                )
            ],
        )
        for partition in range(3)
    ]
    redis.config_resetstat()
    assert all(applied.ok for applied in await store.apply(writes))
    assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] == calls
    for partition in range(3):
        assert (await store.positions(partition)).offsets == {PURCHASES: 5}
        assert await store.load([(partition, [f"{partition}-{customers - 1}"])]) == [[b"s"]]


async def test_topics_of_a_partition_go_on_side_by_side(store: Store, redis: Redis) -> None:
    assert (await apply(store, a_write())).ok
    other = a_write(topic=INTERACTIONS, topic_id="", writer="w:2", expected_writer="w:1", end=8)
    assert (await apply(store, other)).ok
    next_one = a_write(start=5, end=6, writer="w:3", expected_writer="w:2")
    assert (await apply(store, next_one)).ok
    assert redis.hgetall("agos:{3}:offsets") == {
        "purchases": "6",
        "purchases:id": "id-1",
        "interactions": "8",
        "interactions:id": "",
        "writer": "w:3",
        "partitions": "of 8",
    }
    # Another partition knows nothing of it.
    assert (await store.positions(4)).offsets == {}


async def test_a_timed_write_moves_no_offset_but_the_writer(store: Store, redis: Redis) -> None:
    assert (await apply(store, a_write())).ok
    timed = a_write(topic="", topic_id="", writer="w:2", expected_writer="w:1", end=0)
    timed.groups = [Group(("segments",), 1, ["c1", b"s", "x"], sourced=False)]
    assert (await apply(store, timed)).ok
    assert redis.hgetall("agos:{3}:offsets") == {
        "purchases": "5",
        "purchases:id": "id-1",
        "writer": "w:2",
        "partitions": "of 8",
    }
    assert redis.hget("agos:customer:c1", "source") == "purchases-3@4"


async def test_the_same_write_again_is_done_already(store: Store, redis: Redis) -> None:
    write = a_write()
    assert (await apply(store, write)).ok
    assert (await apply(store, write)).ok
    assert redis.hget("agos:{3}:counters", "applied") == "5"
    # Somebody else wrote in between: nobody can tell any more whether ours was there.
    assert (await apply(store, a_write(start=5, end=6, writer="v:1", expected_writer="w:1"))).ok
    assert not (await apply(store, write)).ok


async def test_cached_scripts_may_go(store: Store, redis: Redis) -> None:
    assert (await apply(store, a_write())).ok
    redis.script_flush()
    assert (await apply(store, a_write(start=5, end=6, writer="w:2", expected_writer="w:1"))).ok


@contextlib.asynccontextmanager
async def losing_the_first_answers(port: int, lost: int) -> AsyncIterator[int]:
    """A proxy before Redis that breaks the connection instead of answering an EVALSHA."""
    left = lost

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while data := await reader.read(1 << 20):
                up_writer.write(data)
                answer = await up_reader.read(1 << 20)
                if b"EVALSHA" in data and left and not answer.startswith(b"-NOSCRIPT"):
                    left -= 1
                    break
                writer.write(answer)
        finally:
            for stream in (up_writer, writer):
                stream.close()
                with contextlib.suppress(ConnectionError):
                    await stream.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
        assert left == 0
    finally:
        server.close()


async def test_a_write_whose_answer_was_lost_is_known_to_be_done(redis: Redis) -> None:
    port = redis.connection_pool.connection_kwargs["port"]
    async with losing_the_first_answers(port, 2) as proxy:
        store = Store(Settings(redis=f"redis://127.0.0.1:{proxy}/0"))
        try:
            applied = await apply(store, a_write())
        finally:
            await store.close()
    assert applied.ok
    assert redis.hget("agos:{3}:counters", "applied") == "5"


async def test_a_restarting_redis_is_waited_for() -> None:
    class Mortal(EmbeddedRedis):
        def restart(self) -> None:
            self._wanted_port = self.port
            self._start_once()

    with Mortal() as server:
        store = Store(Settings(redis=server.address))
        assert (await apply(store, a_write())).ok
        await asyncio.sleep(1.1)  # the append-only file is synced every second
        server.process.kill()
        again = asyncio.create_task(
            apply(store, a_write(start=5, end=6, writer="w:2", expected_writer="w:1"))
        )
        await asyncio.sleep(0.3)
        assert not again.done()
        await asyncio.to_thread(server.restart)
        assert (await again).ok
        await store.close()


async def test_patience_ends() -> None:
    store = Store(Settings(redis=f"redis://127.0.0.1:{free_port()}/0", stall_seconds=0.3))
    begun = time.monotonic()
    with pytest.raises(StoreError, match="did not answer"):
        await store.positions(0)
    assert time.monotonic() - begun < 3
    await store.close()


async def test_a_server_that_closes_every_connection_is_told_of() -> None:
    # As Redis does in protected mode, which another machine only could show.
    def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    store = Store(Settings(redis=url, stall_seconds=0.3))
    with pytest.raises(StoreError, match=r"did not answer.* protected mode"):
        await store.positions(0)
    await store.close()
    with Reader(url) as reader, pytest.raises(StoreError, match=r"no Redis answers.* rediss://"):
        await asyncio.to_thread(reader.segments, "ada")
    server.close()


async def test_an_error_that_will_not_pass_is_raised_at_once(store: Store, redis: Redis) -> None:
    redis.set("agos:{3}:offsets", "not a hash")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await apply(store, a_write())
    assert not redis.exists("agos:customer:c1")


async def test_a_redis_that_would_drop_customers_is_refused(store: Store, redis: Redis) -> None:
    assert await store.check() == []
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(StoreError, match="noeviction"):
            await store.check()
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("appendonly", "no")
    try:
        (warning,) = await store.check()
    finally:
        redis.config_set("appendonly", "yes")
    assert "append-only" in warning


async def test_a_full_redis_is_waited_for_and_nothing_is_half_written(redis: Redis) -> None:
    store = Store(Settings(redis=url_of(redis)))
    redis.config_set("maxmemory", "1")
    try:
        write = asyncio.create_task(apply(store, a_write()))
        await asyncio.sleep(0.3)
        assert not write.done()
        assert list(redis.scan_iter("*")) == []
    finally:
        redis.config_set("maxmemory", "0")
    assert (await write).ok
    await store.close()


async def test_a_batch_of_the_largest_size_fits_in_one_call(store: Store, redis: Redis) -> None:
    count = 5_000
    values = [v for n in range(count) for v in (f"c{n}", b"s" * 500, 1, 2, f"@{n}")]
    record = {f"f{i}": i for i in range(9)}
    write = a_write(
        groups=[Group(("events", "spend"), count, values)],
        memberships=[v for n in range(count) for v in (f"c{n}", "s", n + 1)],
        changes=[(record, b"{}")] * (2 * count),
    )
    assert (await apply(store, write)).ok
    assert redis.zcard("agos:segment:s:members") == count
    assert redis.hget("agos:customer:c4999", "source") == "@4999"
