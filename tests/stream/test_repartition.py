"""Another number of partitions: everything goes on as if it had been that one from the start."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import count, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import redis.client
import redis.exceptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from stream.backfilling import Backfilling
from stream.conditions import Definitions, Ranks, parse
from stream.customer import Link, Table, stored_link
from stream.decoding import category_code
from stream.defined import Defined
from stream.errors import StoreError
from stream.extra import Extra
from stream.recall import recall
from stream.relocation import relocated
from stream.settings import Settings
from stream.store import keys, repartition
from stream.store.forget import Forgetter
from stream.store.marks import digest_of
from stream.store.repartition import Repartitioner
from stream.store.scan import StateScan
from stream.topics import INTERACTIONS, partition_of
from tests.stream.divided_world import (
    CATEGORY_NAMES,
    World,
    ids_of,
    move,
    of_earlier_version,
    seen,
)
from tests.stream.fake_log import Log, Worker
from tests.stream.shop import settings_for, url_of
from tests.stream.test_backfilling import Source


async def test_more_partitions_and_fewer_again(redis: Redis) -> None:
    world = World(redis, 300)
    await world.live(Log(4), merges=15)
    world.check(4)
    for partitions, merges in ((6, 10), (3, 5)):
        log, applied = Log(partitions), world.applied()
        moved = move(redis, log)
        assert moved is not None and moved > 0
        # Nothing of it is another one, only elsewhere.
        world.check(partitions)
        assert world.applied() == applied
        assert {int(key[6]) for key in redis.scan_iter("agos:{*")} == set(range(partitions))
        codes = {str(category_code(name)): name for name in CATEGORY_NAMES}
        for partition in range(partitions):
            assert redis.hgetall(keys.categories(partition)) == codes
            offsets = redis.hgetall(keys.offsets(partition))
            assert offsets.keys() == {"partitions", "writer"}
            assert offsets["partitions"] == f"of {partitions}"
        # Repeats of what was counted before, and events under ids that are others now.
        for _, event in list(world.book.events.values())[-40:]:
            if "name" in event:
                log.publish(INTERACTIONS, event)
        for old in list(world.book.now)[:5]:
            world.book.anything(log, old, world.day, world.day + 20)
        await world.live(log, merges)
        world.check(partitions)
        assert move(redis, log) is None


async def test_a_store_of_an_earlier_version_goes_on_where_it_stood(redis: Redis) -> None:
    world, log = World(redis, 150), Log(4)
    await world.live(log, merges=5)
    before = {p: redis.hgetall(keys.offsets(p)) for p in range(4)}
    of_earlier_version(redis, 4)
    config = settings_for(redis, partitions=4)
    async with Worker(log, config, ids_of(log)) as worker:
        with pytest.raises(StoreError, match=r"another version.*`agos repartition`"):
            await worker.assign()
    with Forgetter(config) as forgetter, pytest.raises(StoreError, match="`agos repartition`"):
        forgetter.forget("c1")
    with StateScan(config) as scan, pytest.raises(StoreError, match="`agos repartition`"):
        list(scan.batches())
    assert move(redis, log) == len(world.book.figures()) + len(world.book.now)
    world.check(4)
    for partition, fields in before.items():
        found = redis.hgetall(keys.offsets(partition))
        assert found == {**fields, "writer": found["writer"]}
    # With the same log: what it has was counted.
    await world.live(log, merges=2)
    world.check(4)


# -- broken off ------------------------------------------------------------------------------


class Broken(redis.exceptions.ConnectionError):
    """The connection was lost."""


def contents(client: Redis) -> dict[bytes, Any]:
    """All that Redis has, but for the tokens of who wrote last."""
    found: dict[bytes, Any] = {}
    for key in client.scan_iter(count=1_000):
        kind = client.type(key)
        if kind == b"hash":
            fields = client.hgetall(key)
            found[key] = {n: v for n, v in fields.items() if n != b"writer"}
        elif kind == b"zset":
            found[key] = client.zrange(key, 0, -1, withscores=True)
        else:
            found[key] = client.dump(key)
    return found


def restored(client: Redis, start: Mapping[bytes, bytes]) -> None:
    """Have Redis hold this and nothing else."""
    pipe = client.pipeline()
    pipe.flushall()
    for key, dumped in start.items():
        pipe.restore(key, 0, dumped)
    pipe.execute()


def breaking(at: int, *, done: bool) -> Any:
    """The connection is lost at the so-maniest transaction, before it is done or after it."""
    real, calls = redis.client.Pipeline.execute, count()

    def execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        breaks = self.transaction and next(calls) == at
        if breaks and not done:
            raise Broken
        result = real(self, *args, **kwargs)
        if breaks:
            raise Broken
        return result

    return patch.object(redis.client.Pipeline, "execute", execute)


@pytest.mark.parametrize(
    ("before", "after", "earlier"), [(4, 6, False), (5, 3, False), (4, 4, True), (6, 4, True)]
)
async def test_wherever_it_is_broken_off_the_next_run_comes_to_the_same(
    redis: Redis, before: int, after: int, earlier: bool
) -> None:
    await World(redis, 60).live(Log(before), merges=3)
    source, on_its_way = "c7", b'{"customer_id": "c9", "via": ["c7"]}'
    number = f"moved:{digest_of(source)}:0@5"
    redis.hset(keys.transfers(partition_of(source, before)), number, on_its_way)
    if earlier:
        of_earlier_version(redis, before)
    log = Log(after)
    with Redis.from_url(url_of(redis)) as raw, patch.object(repartition, "PAGE", 15):
        start = {key: raw.dump(key) for key in raw.keys()}
        move(redis, log)
        wanted = contents(raw)
        assert wanted[keys.transfers(partition_of(source, after)).encode()] == {
            number.encode(): on_its_way
        }
        for at, done in product(range(1_000), (False, True)):
            restored(raw, start)
            try:
                with breaking(at, done=done):
                    move(redis, log)
            except StoreError:
                assert (contents(raw) == wanted) == (move(redis, log) is None)
                assert contents(raw) == wanted, (at, done)
            else:
                break
        # It was broken off in the fence, in the end and in pages between them.
        assert at > 6


# -- what depends on the log -----------------------------------------------------------------

OLD = "version: 1\nsegments:\n  buyers: {when: {did: Order Completed}}\n"
NEW = OLD + "  fans: {when: {did: View, at_least: 3, within: 30d}}\n"


@pytest.mark.parametrize(("partitions", "earlier"), [(2, True), (3, False), (3, True)])
async def test_what_was_to_be_read_again_of_the_old_log_is_not_read_in_the_new_one(
    redis: Redis, partitions: int, earlier: bool
) -> None:
    log = Log(2)
    config = settings_for(redis, partitions=2, clock="events")
    old = parse(OLD, "test.yaml")
    new = parse(NEW, "test.yaml").after(old)
    async with Worker(log, config, ids_of(log)) as worker:
        filling = await assigned(worker, old)
        await filling.step()
        for number in range(4):
            log.publish(INTERACTIONS, seen("ann", f"x{number}", 0))
        log.publish(INTERACTIONS, seen("ann", "v5", 5, "View"))
        await worker.drain()
        # These know nothing of the view, and are not filled in before the worker ends.
        await assigned(worker, new)
        log.publish(INTERACTIONS, seen("ann", "x6", 6))
        await worker.drain()
    if earlier:
        of_earlier_version(redis, 2)
    if partitions != 2:
        log = Log(partitions)
        for partition in range(2) if earlier else ():
            redis.hdel(keys.offsets(partition), INTERACTIONS, f"{INTERACTIONS}:id")
    move(redis, log)
    config = settings_for(redis, partitions=partitions, clock="events")
    async with Worker(log, config, ids_of(log)) as worker:
        filling = await assigned(worker, new)
        for day in (7, 8):
            log.publish(INTERACTIONS, seen("ann", f"v{day}", day, "View"))
        await worker.drain()
        await filling.step()
    # The old log has three views, the new one two: read again in it they would be four.
    inside = redis.zscore(keys.members("fans"), "ann") is not None
    assert inside == (partitions == 2)


async def assigned(worker: Worker, definitions: Definitions) -> Backfilling:
    """A worker that goes on under these definitions, and its backfill, which has done nothing."""
    await worker.assign()
    worker.pipeline.defined = Defined(definitions, Ranks())
    source = Source(worker.log)
    filling = Backfilling(worker.store, worker.pipeline, source, lambda: False, lambda: False)
    await filling.learn()
    return filling


def test_only_what_a_state_lacks_becomes_lost() -> None:
    memory = {"v": "tag", "s": {"a": [1]}, "l": {"b": [3, 4], "c": [5, 6]}, "x": ["d"]}
    table = Table(2)
    table.load(["lacks", "has all"], [None, None])
    table.rows["events"][:2] = 7
    table.extra[0] = Extra({"l": ("l", 5)}, {"loyal": 9}, memory, 11, ((1, 2),), [3])
    table.extra[1] = Extra({"l": ("l", 5)}, {"l": 9}, {"v": "l", "s": {"l": 1}})
    lacks, has_all = table.dump(np.arange(2))
    assert relocated(has_all) is has_all
    (one,) = recall(["lacks"], [relocated(lacks)])
    assert one.memory == {"v": "tag", "s": {"a": [1]}, "x": ["b", "c", "d"]}
    assert (one.row["events"], one.extra.due_ms, one.extra.taken) == (7, 11, ((1, 2),))
    assert (dict(one.extra.traits), one.memberships) == ({"l": ("l", 5)}, {"loyal": 9})
    link = stored_link(Link("l"))
    assert relocated(link) is link


async def test_percentiles_stay_known_and_the_past_is_looked_at_anew(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    redis.hset(keys.RANKS, mapping={str(p): "sketch" for p in range(4)})
    redis.hset(keys.BACKFILL, mapping={str(p): "done" for p in range(4)})
    move(redis, Log(3))
    assert redis.hkeys(keys.RANKS) == ["0", "1", "2"]
    assert not redis.exists(keys.BACKFILL)


# -- any numbers -----------------------------------------------------------------------------


@given(
    numbers=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    customers=st.sets(st.text(min_size=1, max_size=8), max_size=40),
)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_numbers_one_after_another(
    redis_url: str, numbers: list[int], customers: set[str]
) -> None:
    with Redis.from_url(redis_url) as raw, patch.object(repartition, "PAGE", 7):
        raw.flushall()
        first = numbers[0]
        moments = {name: 1_700_000_000_000 + i for i, name in enumerate(sorted(customers))}
        for name, at_ms in moments.items():
            home = partition_of(name, first)
            raw.hset(keys.states(home), name, f"state of {name} ".encode() * 5)
            raw.zadd(keys.due(home), {name: at_ms})
            raw.hincrby(keys.counters(home), "applied", 3)
            raw.hset(keys.offsets(home), mapping={"partitions": f"of {first}", "writer": "w"})
        for number in numbers[1:]:
            with Repartitioner(Settings(redis=redis_url, partitions=number), {}) as mover:
                if mover.begin() is not None:
                    for _ in mover.move():
                        pass
            found: Counter[str] = Counter()
            applied = 0
            for partition in range(12):
                for name, state in raw.hgetall(keys.states(partition)).items():
                    text = name.decode()
                    assert partition_of(text, number) == partition
                    assert state == f"state of {text} ".encode() * 5
                    found[text] += 1
                due = raw.zrange(keys.due(partition), 0, -1, withscores=True)
                assert {n.decode(): int(at) for n, at in due} == {
                    n: at for n, at in moments.items() if partition_of(n, number) == partition
                }
                applied += int(raw.hget(keys.counters(partition), "applied") or 0)
            assert found == dict.fromkeys(customers, 1)
            assert applied == 3 * len(customers)


# -- the user that operators are told to make ------------------------------------------------

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


async def test_the_documented_user_may_do_all_of_it(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    told = re.search(r"redis-cli ACL SETUSER (agos .*)", OPERATIONS.read_text())
    assert told is not None
    redis.execute_command("ACL", "SETUSER", *told[1].replace("'", "").split())
    try:
        login = {"redis_user": "agos", "redis_password": "secret"}
        log, config = Log(6), settings_for(redis, partitions=6, clock="events", **login)
        with Repartitioner(config, ids_of(log)) as mover:
            assert mover.begin() == sum(mover.move())
        log.publish(INTERACTIONS, seen("c1", "new", 30))
        async with Worker(log, config, ids_of(log)) as worker:
            await worker.assign()
            await worker.drain()
        with Forgetter(config) as forgetter:
            assert forgetter.forget("c1").keys > 1
    finally:
        redis.execute_command("ACL", "DELUSER", "agos")
