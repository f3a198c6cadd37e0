"""Customers as Redis keeps them, without a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from redis import Redis

from stream.conditions import Changed, Definitions, Ranks
from stream.customer import Table
from stream.defined import CustomerFacts
from stream.extra import Extra
from stream.recall import Recalled, recall
from stream.store import keys
from stream.topics import partition_of

#: 2026-11-21 12:00:00 UTC
NOON = 1_795_219_200_000 + 43_200_000
DAY = 86_400_000


@dataclass
class Person:
    """What is known of a customer; `orders` are (days ago, minor units)."""

    orders: list[tuple[float, int]] = field(default_factory=list)
    views: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    cluster: int = -1
    row: dict[str, Any] = field(default_factory=dict)


def states(
    people: Mapping[str, Person], definitions: Definitions | None = None, now_ms: int = NOON
) -> list[bytes]:
    """Stored states of people who were evaluated under `definitions` at `now_ms`."""
    table = Table(len(people))
    table.load(list(people), [None] * len(people))
    for row, person in enumerate(people.values()):
        record = table.rows[row]
        moments = [now_ms - round(days * DAY) for days, _ in [*person.orders, *person.views]]
        record["events"] = len(moments) + bool(person.traits)
        record["orders"] = sum(minor >= 0 for _, minor in person.orders)
        record["spend_minor"] = sum(minor for _, minor in person.orders)
        record["first_seen_ms"] = min(moments, default=now_ms)
        record["last_seen_ms"] = max(moments, default=now_ms)
        record["cluster"] = person.cluster
        for name, value in person.row.items():
            record[name] = value
        extra = Extra({name: (value, now_ms) for name, value in person.traits.items()})
        if definitions is not None:
            _live(definitions, person, extra, record, now_ms)
        table.extra[row] = extra
    return table.dump(np.arange(len(people)))


def _live(definitions: Definitions, person: Person, extra: Extra, record: Any, now_ms: int) -> None:
    for days, minor in person.orders:
        name = "Order Completed" if minor >= 0 else "Order Refunded"
        definitions.observe(extra.memory, name, now_ms - round(days * DAY), {}, minor)
    for days, properties in person.views:
        at_ms = now_ms - round(days * DAY)
        definitions.observe(extra.memory, "Product Viewed", at_ms, properties)
    if not extra.memory:
        definitions.observe(extra.memory, "anything else", now_ms, {})
    facts = CustomerFacts(record, extra, Ranks())
    verdict = definitions.evaluate(extra.memory, facts, now_ms, {}, Changed.ALL)
    extra.memberships = dict(verdict.memberships)


def recalled(
    people: Mapping[str, Person], definitions: Definitions | None = None, now_ms: int = NOON
) -> list[Recalled]:
    """The same people, read back."""
    return list(recall(list(people), states(people, definitions, now_ms)))


def put(
    client: Redis,
    people: Mapping[str, Person],
    definitions: Definitions | None = None,
    now_ms: int = NOON,
    partitions: int = 8,
) -> None:
    """Store their states in Redis."""
    for name, state in zip(people, states(people, definitions, now_ms), strict=True):
        client.hset(keys.states(partition_of(name, partitions)), name, state)
