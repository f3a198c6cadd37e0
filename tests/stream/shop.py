"""A log with a shop's events, and what Redis has of it."""

import json
import time
from collections import Counter
from typing import Any

from redis import Redis

from stream.settings import Settings
from stream.topics import DEAD_LETTERS, INTERACTIONS, PROFILES, PURCHASES
from tests.oracle import events as oracle
from tests.stream.fake_log import Log, names

BEGIN_MS = 1_700_000_000_000
PARTITIONS = 2


def url_of(redis: Redis) -> str:
    return f"redis://127.0.0.1:{redis.connection_pool.connection_kwargs['port']}/0"


def settings_for(redis: Redis, **more: Any) -> Settings:
    options = {"partitions": PARTITIONS, "currency": "USD", "rates": {"EUR": 2.0}, **more}
    return Settings(redis=url_of(redis), **options)


def interaction(customer: str, number: int, at_ms: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"i{number}",
        "customer_id": customer,
        "timestamp": at_ms or BEGIN_MS + number,
        "name": "Product Viewed",
        **more,
    }


def purchase(customer: str, number: int, total: float, at_ms: int = 0) -> dict[str, Any]:
    return {
        "event_id": f"p{number}",
        "customer_id": customer,
        "timestamp": at_ms or BEGIN_MS + number,
        "order_id": f"o{number}",
        "total": total,
        "currency": "USD",
    }


def figures(redis: Redis) -> dict[str, tuple[int, ...]]:
    """Customer → events, orders, spend, first and last seen."""
    fields = ("events", "orders", "spend", "first_seen", "last_seen")
    return {
        key.removeprefix("agos:customer:"): tuple(int(value) for value in redis.hmget(key, *fields))
        for key in redis.scan_iter("agos:customer:*", 1000)
    }


def counted(redis: Redis) -> Counter[str]:
    """The workers' counters over all partitions."""
    total: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        found = redis.hgetall(f"agos:{{{partition}}}:counters")
        total.update({name: int(value) for name, value in found.items()})
    return total


def wanted(log: Log) -> oracle.Expected:
    """What the log adds up to; a record that was sent on to its partition counts once."""
    return oracle.expected(log.everything(), int(time.time() * 1000), {"USD": 1.0, "EUR": 2.0})


def assert_exact(redis: Redis, log: Log) -> None:
    expected = {
        name: (c.events, c.orders, c.spend, c.first_seen, c.last_seen)
        for name, c in wanted(log).customers.items()
    }
    assert figures(redis) == expected


def letters(log: Log) -> list[dict[str, Any]]:
    return [json.loads(m.value or b"") for m in log.sent if m.topic == DEAD_LETTERS]


def shop(count: int = 60) -> Log:
    """Some customers with events of all topics, holes in the offsets."""
    log = Log(PARTITIONS)
    customers = [*names(0, PARTITIONS, 3), *names(1, PARTITIONS, 3)]
    for number in range(count):
        customer = customers[number % len(customers)]
        if number % 5 == 0:
            log.publish(PURCHASES, purchase(customer, number, number - 20.5), hole=number % 3)
        elif number % 7 == 0:
            fact = interaction(customer, number) | {"traits": {"n": number}}
            log.publish(PROFILES, fact)
        else:
            log.publish(INTERACTIONS, interaction(customer, number), hole=number % 2)
    return log
