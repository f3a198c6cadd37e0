"""Another number of partitions: everything goes on as if it had been that one from the start."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
import redis.client
import redis.exceptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from stream.backfilling import Backfilling
from stream.conditions import Definitions, Ranks, parse
from stream.customer import Link, Table, is_link, stored_link
from stream.decoding import category_code
from stream.defined import Defined
from stream.errors import OffsetError, StoreError
from stream.extra import Extra
from stream.recall import recall
from stream.relocation import relocated
from stream.settings import Settings
from stream.store import keys, repartition
from stream.store.forget import Forgetter
from stream.store.marks import digest_of
from stream.store.repartition import Repartitioner
from stream.store.scan import StateScan
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES, partition_of
from tests.stream.fake_log import Log, Worker, names
from tests.stream.shop import settings_for, url_of
from tests.stream.test_backfilling import Source

BEGIN_MS = 1_700_000_000_000
DAY = 86_400_000
CATEGORY_NAMES = ("books", "toys", "shoes", "tea")
SEGMENTS = """
version: 1
segments:
  buyers: {when: {did: Order Completed, within: 30d}}
  fans: {when: {did: Product Viewed, at_least: 3, within: 10d}}
  adults: {when: {trait: age, at_least: 18}}
"""


def seen(customer: str, event_id: str, day: int, name: str = "X") -> dict[str, Any]:
    at_ms = BEGIN_MS + day * DAY
    return {"event_id": event_id, "customer_id": customer, "timestamp": at_ms, "name": name}


def defined() -> Defined:
    return Defined(parse(SEGMENTS, "test.yaml"), Ranks())


def ids_of(log: Log) -> dict[str, str]:
    """What Kafka would say of topics with so many partitions: other ones, other ids."""
    return {topic: f"{topic}-of-{log.partitions}" for topic in EVENT_TOPICS}


def move(redis: Redis, log: Log, ids: Mapping[str, str] | None = None) -> int | None:
    """Customers moved to where the log's number of partitions wants them; None: nothing to do."""
    config = settings_for(redis, partitions=log.partitions)
    with Repartitioner(config, ids_of(log) if ids is None else ids) as mover:
        total = mover.begin()
        if total is None:
            return None
        assert sum(mover.move()) == total
        return mover.moved


@dataclass
class Book:
    """Events and merges, and what they add up to: by plain counting."""

    rng: random.Random
    number: Iterator[int] = field(default_factory=count)
    now: Mapping[str, str] = field(default_factory=dict)
    events: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def tell(self, log: Log, topic: str, customer: str, at_ms: int, **fields: Any) -> None:
        number = next(self.number)
        one = {"event_id": f"e{number}", "customer_id": customer, "timestamp": at_ms + number}
        self.events[f"e{number}"] = (topic, one | fields)
        log.publish(topic, one | fields)

    def anything(self, log: Log, customer: str, from_day: int, to_day: int) -> None:
        at_ms = BEGIN_MS + self.rng.randrange(from_day * DAY, to_day * DAY - DAY // 2)
        category = self.rng.choice(CATEGORY_NAMES)
        what = self.rng.choice([INTERACTIONS, INTERACTIONS, PURCHASES, PROFILES])
        if what == INTERACTIONS:
            properties = {"category": category}
            self.tell(log, what, customer, at_ms, name="Product Viewed", properties=properties)
        elif what == PURCHASES:
            amount = self.rng.randint(-20, 50)
            self.tell(log, what, customer, at_ms, order_id="o", total=amount, currency="USD")
        else:
            self.tell(log, what, customer, at_ms, traits={"age": self.rng.randint(10, 30)})

    def merge(self, log: Log, old: str, new: str, day: int) -> None:
        self.now = {**self.now, old: new}
        at_ms = BEGIN_MS + day * DAY
        self.tell(log, PROFILES, new, at_ms, traits={"plan": "gold"}, anonymous_id=old)

    def tick(self, log: Log, day: int) -> int:
        """An event in every partition sets its clock; to when."""
        for partition in range(log.partitions):
            (name,) = names(partition, log.partitions, 1)
            self.tell(log, INTERACTIONS, name, BEGIN_MS + day * DAY - 10_000, name="Tick")
        at_ms = BEGIN_MS + day * DAY
        for partition in range(log.partitions):
            (name,) = names(partition, log.partitions, 1)
            number = next(self.number)
            one = {
                "event_id": f"e{number}",
                "customer_id": name,
                "timestamp": at_ms,
                "name": "Tick",
            }
            self.events[f"e{number}"] = (INTERACTIONS, one)
            log.publish(INTERACTIONS, one)
        return at_ms

    def people(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """Customer that it is in the end → events."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for topic, event in self.events.values():
            name = event["customer_id"]
            found[self.now.get(name, name)].append((topic, event))
        return found

    def figures(self) -> dict[str, tuple[int, int, int]]:
        return {
            name: (
                len(events),
                sum(e["total"] >= 0 for t, e in events if t == PURCHASES),
                sum(100 * e["total"] for t, e in events if t == PURCHASES),
            )
            for name, events in self.people().items()
        }

    def traits(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, events in self.people().items():
            facts = sorted((e["timestamp"], e["traits"]) for t, e in events if t == PROFILES)
            found[name] = {}
            for _, some in facts:
                found[name] |= some
        return found

    def ends(self, now_ms: int) -> dict[str, dict[str, int | None]]:
        """Customer → segment that it is in → when that ends if nothing happens."""
        found: dict[str, dict[str, int | None]] = {}
        for name, events in self.people().items():
            inside: dict[str, int | None] = {}
            orders = [e["timestamp"] for t, e in events if t == PURCHASES and e["total"] >= 0]
            if orders and max(orders) + 30 * DAY > now_ms:
                inside["buyers"] = max(orders) + 30 * DAY
            views = sorted(e["timestamp"] for _, e in events if e.get("name") == "Product Viewed")
            if len(views) >= 3 and views[-3] + 10 * DAY > now_ms:
                inside["fans"] = views[-3] + 10 * DAY
            if self.traits()[name].get("age", 0) >= 18:
                inside["adults"] = None
            found[name] = inside
        return found


class World:
    """A shop whose workers go on with another number of partitions."""

    def __init__(self, redis: Redis, customers: int, seed: int = 1) -> None:
        self.redis, self.book = redis, Book(random.Random(seed))
        self.customers = [f"c{number}" for number in range(customers)]
        self.day, self.now_ms = 0, 0

    async def live(self, log: Log, merges: int = 0) -> None:
        """Twenty days."""
        book, chosen = self.book, self.book.rng.sample(self.customers, len(self.customers) // 2)
        for customer in [*chosen, *self.customers[:5]] * 4:
            book.anything(log, customer, self.day, self.day + 20)
        # Ids that are merged into others keep clear of those who turn the clocks.
        free = [n for n in self.customers[40:] if n not in {*book.now, *book.now.values()}]
        for old, new in zip(free[:merges], free[merges : 2 * merges], strict=True):
            book.merge(log, old, new, self.day + 19)
        self.day += 20
        self.now_ms = book.tick(log, self.day)
        config = settings_for(self.redis, partitions=log.partitions, clock="events")
        async with Worker(log, config, ids_of(log)) as worker:
            worker.pipeline.defined = defined()
            await worker.assign()
            await worker.drain()
            for partition in range(log.partitions):
                while await worker.pipeline.due(partition):
                    pass

    def check(self, partitions: int) -> None:
        """Totals, traits, memberships and due times are as counted, each in its one place."""
        client, book = self.redis, self.book
        fields = ("events", "orders", "spend")
        figures = {
            key.removeprefix("agos:customer:"): tuple(map(int, client.hmget(key, *fields)))
            for key in client.scan_iter("agos:customer:*")
        }
        assert figures == book.figures()
        ends = book.ends(self.now_ms)
        for segment in ("buyers", "fans", "adults"):
            found = set(client.zrange(keys.members(segment), 0, -1))
            assert found == {name for name, inside in ends.items() if segment in inside}
        turning = {
            name: min(at for at in inside.values() if at is not None)
            for name, inside in ends.items()
            if any(at is not None for at in inside.values())
        }
        states = states_of(client, partitions)
        links = {name for name, state in states.items() if is_link(state)}
        assert (links, states.keys() - links) == (set(book.now), figures.keys())
        known = {name: state for name, state in states.items() if name not in links}
        remembered = {
            customer.customer_id: customer.extra
            for customer in recall(list(known), list(known.values()))
        }
        traits = {
            name: {trait: value for trait, (value, _) in extra.traits.items()}
            for name, extra in remembered.items()
        }
        assert traits == book.traits()
        due: dict[str, int] = {}
        for partition in range(partitions):
            for name, at_ms in client.zrange(keys.due(partition), 0, -1, withscores=True):
                assert partition_of(name, partitions) == partition
                due[name] = int(at_ms)
        # A customer may be looked at before anything turns, never after.
        assert all(self.now_ms < due[name] <= at_ms for name, at_ms in turning.items())
        assert due == {name: extra.due_ms for name, extra in remembered.items() if extra.due_ms}

    def applied(self) -> int:
        return sum(
            int(self.redis.hget(key, "applied") or 0)
            for key in self.redis.scan_iter("agos:{*}:counters")
        )


def states_of(client: Redis, partitions: int) -> dict[str, bytes]:
    """What is remembered of each customer; of one in the wrong place or two the test fails."""
    found: dict[str, bytes] = {}
    with Redis.from_url(url_of(client)) as raw:
        for key in raw.scan_iter("agos:{*}:states"):
            for name, state in raw.hgetall(key).items():
                home = keys.states(partition_of(name.decode(), partitions))
                assert key.decode() == home and name.decode() not in found
                found[name.decode()] = state
        assert not [*raw.scan_iter("agos:state:*")]
    return found


def of_earlier_version(client: Redis, partitions: int) -> None:
    """The store as versions had it that kept a key for each customer."""
    with Redis.from_url(url_of(client)) as raw:
        for partition in range(partitions):
            for name, state in raw.hgetall(keys.states(partition)).items():
                raw.set(b"agos:state:" + name, state)
            raw.delete(keys.states(partition))
            raw.hdel(keys.offsets(partition), "partitions")


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


async def test_as_long_as_it_is_not_at_its_end_everybody_is_refused(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    log = Log(6)
    config = settings_for(redis, partitions=6)
    with Repartitioner(config, ids_of(log)) as mover:
        mover.begin()
        next(mover.move())
    for refused in (log, Log(4)):
        settings = settings_for(redis, partitions=refused.partitions)
        async with Worker(refused, settings, ids_of(refused)) as worker:
            with pytest.raises(StoreError, match="run it again"):
                await worker.assign()
        with Forgetter(settings) as forgetter, pytest.raises(StoreError, match="run it again"):
            forgetter.forget("c1")


async def test_a_worker_that_was_forgotten_is_refused_its_next_write(redis: Redis) -> None:
    world, log = World(redis, 60), Log(4)
    await world.live(log)
    (name,) = names(1, 4, 1)
    config = settings_for(redis, partitions=4, clock="events")
    async with Worker(log, config, ids_of(log)) as worker:
        await worker.assign()
        world.book.tell(log, INTERACTIONS, name, BEGIN_MS, name="Tick")
        await worker.drain()
        move(redis, Log(6))
        states = states_of(redis, 6)
        log.publish(INTERACTIONS, seen(name, "x", 0))
        with pytest.raises(StoreError, match="6 partitions, AGOS_PARTITIONS is 4"):
            await worker.drain()
    assert states_of(redis, 6) == states


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("age_ms", [0, 9_000, 11_000])
async def test_a_running_worker_is_refused(redis: Redis, age_ms: int) -> None:
    await World(redis, 60).live(Log(4))
    at_ms = repartition.time.time_ns() // 1_000_000 - age_ms
    report = {"worker": "w", "host": "shop-1", "pid": 77, "at_ms": at_ms}
    redis.hset(keys.WORKERS, "w", msgspec.json.encode(report))
    if age_ms > 10_000:
        assert move(redis, Log(6)) is not None
        return
    with pytest.raises(StoreError, match=r"workers are running \(shop-1:77\): stop them first"):
        move(redis, Log(6))
    assert redis.hget(keys.offsets(0), "partitions") == "of 4"


@pytest.mark.parametrize("earlier", [False, True])
async def test_topics_whose_partitions_were_changed_in_place_are_refused(
    redis: Redis, earlier: bool
) -> None:
    await World(redis, 60).live(Log(4))
    if earlier:
        of_earlier_version(redis, 4)
    with pytest.raises(StoreError, match=r"counted twice\. Delete interactions, purchases, "):
        move(redis, Log(3), ids_of(Log(4)))
    assert redis.hget(keys.offsets(0), "partitions") == (None if earlier else "of 4")
    # A broker that gives topics no ids cannot tell.
    assert move(redis, Log(3), dict.fromkeys(EVENT_TOPICS, "")) is not None


async def test_other_topics_of_a_store_that_does_not_say_its_number_are_refused(
    redis: Redis,
) -> None:
    await World(redis, 60).live(Log(4))
    of_earlier_version(redis, 4)
    with pytest.raises(StoreError, match="nothing says that the number of partitions was"):
        move(redis, Log(6))
    for partition in range(4):
        for topic in EVENT_TOPICS:
            redis.hdel(keys.offsets(partition), topic, f"{topic}:id")
    assert move(redis, Log(6)) is not None
    states_of(redis, 6)


async def test_a_wrong_number_is_refused_with_what_to_do(redis: Redis) -> None:
    await World(redis, 60).live(Log(4))
    for partitions in (3, 6):
        config, log = settings_for(redis, partitions=partitions), Log(partitions)
        told = f"4 partitions, AGOS_PARTITIONS is {partitions}.*`agos repartition`"
        async with Worker(log, config, ids_of(log)) as worker:
            with pytest.raises(StoreError, match=told):
                await worker.assign()
        with Forgetter(config) as forgetter, pytest.raises(StoreError, match=told):
            forgetter.forget("c1")
        with StateScan(config) as scan, pytest.raises(StoreError, match=told):
            list(scan.batches())


async def test_nothing_is_to_be_done(redis: Redis) -> None:
    assert move(redis, Log(4)) is None
    await World(redis, 60).live(Log(4))
    with Redis.from_url(url_of(redis)) as raw:
        before = {key: raw.dump(key) for key in raw.keys()}
        # Not even where workers run or topics are others: that is the workers' matter.
        assert move(redis, Log(4), {INTERACTIONS: "another"}) is None
        assert {key: raw.dump(key) for key in raw.keys()} == before
    async with Worker(Log(4), settings_for(redis, partitions=4), {INTERACTIONS: "x"}) as worker:
        with pytest.raises(OffsetError, match="created anew"):
            await worker.assign()


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
