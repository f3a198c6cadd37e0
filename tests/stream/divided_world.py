"""Customers of a Redis that is divided anew, and what must have come of them."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from redis import Redis

from stream.conditions import Ranks, parse
from stream.customer import is_link
from stream.defined import Defined
from stream.recall import recall
from stream.store import keys
from stream.store.repartition import Repartitioner
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES, partition_of
from tests.stream.fake_log import Log, Worker, names
from tests.stream.shop import settings_for, url_of

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
