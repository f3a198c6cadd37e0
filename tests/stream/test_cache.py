"""Answers from memory: given while the stream is read, never after a change that was read."""

import asyncio
import time
from collections.abc import Callable

import pytest
from redis import Redis

from stream.errors import StoreError
from stream.local import EmbeddedRedis
from stream.store import keys
from stream.store.cache import KEEP_SECONDS, AsyncCachedReader, CachedReader, Kept
from stream.store.reader import PAGE

DEADLINE_SECONDS = 20.0


def entry(position: str, customer: str) -> tuple[str, dict[str, str]]:
    return position, {"customer": customer}


def kept(*customers: str, now: float) -> Kept:
    """Read until `now`, with an answer for each customer."""
    made = Kept(1.0, 3)
    made.position = "5-0"
    made.changed((), "0-0", now)
    for customer in customers:
        made.keep(customer, made.ask(customer), ("loyal",))
    return made


def test_an_answer_is_given_while_the_stream_is_read():
    now = time.monotonic()
    memory = kept("ada", now=now)
    assert memory.get("ada", now + 1.0) == ("loyal",)
    assert memory.get("ada", now + 1.001) is None
    assert memory.get("bob", now) is None


def test_nothing_counts_before_the_first_reading():
    memory = Kept(1.0, 3)
    memory.keep("ada", memory.ask("ada"), ("loyal",))
    assert memory.get("ada", time.monotonic()) is None


def test_a_change_ends_the_customer_s_answer_only():
    now = time.monotonic()
    memory = kept("ada", "bob", now=now)
    memory.changed([entry("6-0", "ada")], "4-0", now)
    assert memory.get("ada", now) is None
    assert memory.get("bob", now) == ("loyal",)
    assert memory.position == "6-0"


def test_what_redis_said_before_a_change_is_not_kept_after_it():
    now = time.monotonic()
    memory = kept(now=now)
    question = memory.ask("ada")
    memory.changed([entry("6-0", "ada")], "4-0", now)
    memory.keep("ada", question, ("loyal",))
    assert memory.get("ada", now) is None


def test_of_two_questions_the_later_one_counts():
    now = time.monotonic()
    memory = kept(now=now)
    first, second = memory.ask("ada"), memory.ask("ada")
    memory.keep("ada", second, ("new",))
    memory.keep("ada", first, ("old",))
    assert memory.get("ada", now) == ("new",)


def test_no_answer_is_kept_where_redis_gave_none():
    now = time.monotonic()
    memory = kept(now=now)
    memory.keep("ada", memory.ask("ada"), None)
    assert memory.get("ada", now) is None


def test_a_stream_that_was_trimmed_over_what_was_not_read_ends_all_answers():
    now = time.monotonic()
    memory = kept("bob", now=now)
    memory.changed([entry("9-0", "ada")], "8-0", now)
    assert memory.get("bob", now) is None


def test_a_full_page_does_not_say_that_all_is_read():
    now = time.monotonic()
    memory = kept("bob", now=now)
    memory.changed([entry(f"6-{i}", "ada") for i in range(PAGE)], "4-0", now + 0.8)
    assert memory.get("bob", now + 1.2) is None
    memory.changed([entry("7-0", "ada")], "4-0", now + 0.9)
    assert memory.get("bob", now + 1.2) == ("loyal",)


def test_a_reading_that_comes_too_late_ends_all_answers():
    now = time.monotonic()
    memory = kept("bob", now=now)
    memory.changed((), "0-0", now + 1.5)
    assert memory.get("bob", now + 1.5) is None


def test_the_oldest_answer_makes_room():
    now = time.monotonic()
    memory = kept("ada", "bob", "carl", "dora", now=now)
    assert [memory.get(name, now) for name in ("ada", "bob", "dora")] == [
        None,
        ("loyal",),
        ("loyal",),
    ]


def test_an_answer_is_asked_for_again_in_the_end():
    now = time.monotonic()
    memory = kept("ada", now=now)
    for step in range(int(KEEP_SECONDS) + 2):
        memory.changed((), "0-0", now + step)
    later = now + KEEP_SECONDS
    assert memory.get("ada", later - 1) == ("loyal",)
    assert memory.get("ada", later + 1) is None


@pytest.mark.parametrize(("stale", "size"), [(0.0, 1), (1.0, 0)])
def test_limits_must_be_more_than_zero(stale: float, size: int):
    with pytest.raises(ValueError, match="expected more than zero"):
        Kept(stale, size)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def remembered(redis: Redis, ask: Callable[[], tuple[str, ...]]) -> bool:
    """Whether the answer comes from memory: what no change tells of is not seen."""
    redis.hset("agos:customer:ada", "segments", "one")
    before = ask()
    redis.hset("agos:customer:ada", "segments", "two")
    if before == ask() == ("one",):
        return True
    # Whatever was kept is asked for again.
    redis.xadd("agos:changes", {"customer": "ada", "segment": "two"})
    return False


def test_a_reader_is_told_of_changes(redis: Redis, redis_url: str):
    with CachedReader(redis_url) as reader:
        until(lambda: remembered(redis, lambda: reader.segments("ada")))
        redis.xadd("agos:changes", {"customer": "ada", "segment": "two"})
        until(lambda: reader.segments("ada") == ("two",))


def test_an_id_that_became_another_one_has_no_answer_of_its_own(redis: Redis, redis_url: str):
    redis.set(keys.link("visitor"), "ada")
    with CachedReader(redis_url) as reader:
        until(lambda: remembered(redis, lambda: reader.segments("ada")))
        assert reader.segments("visitor") == ("one",)
        assert reader.segments("nobody") == ()
        redis.xadd("agos:changes", {"customer": "ada", "segment": "two"})
        until(lambda: reader.segments("ada") == ("two",))
        assert reader.segments("visitor") == ("two",)


async def test_an_asyncio_reader_is_told_of_changes(redis: Redis, redis_url: str):
    async with AsyncCachedReader(redis_url) as reader:
        deadline = time.monotonic() + DEADLINE_SECONDS
        before: tuple[str, ...] = ()
        while not (before == await reader.segments("ada") == ("one",)):
            assert time.monotonic() < deadline
            redis.xadd("agos:changes", {"customer": "ada", "segment": "two"})
            await asyncio.sleep(0.01)
            redis.hset("agos:customer:ada", "segments", "one")
            before = await reader.segments("ada")
            redis.hset("agos:customer:ada", "segments", "two")
        redis.xadd("agos:changes", {"customer": "ada", "segment": "two"})
        while await reader.segments("ada") != ("two",):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        redis.set(keys.link("visitor"), "ada")
        assert await reader.segments("visitor") == ("two",)
        assert await reader.segments("nobody") == ()


def test_without_redis_memory_does_not_answer_for_long():
    with EmbeddedRedis() as server, Redis.from_url(server.address) as redis:
        reader = CachedReader(server.address)
        try:
            until(lambda: remembered(redis, lambda: reader.segments("ada")))
            server.process.stop()
            until(lambda: refused(reader))
        finally:
            reader.close()


def refused(reader: CachedReader) -> bool:
    try:
        reader.segments("ada")
    except StoreError:
        return True
    return False
