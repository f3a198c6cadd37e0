"""What segment definitions cost: CPU per event with 10 of them and with 100.

Of the conditions alone: the simulated shop's events go through them one by one; what the
measurement itself costs is measured and left out. Of a whole event: a worker works off a backlog,
from the bytes in Kafka to the write in Redis; by the wall clock, as workers are run, it judges a
customer once per batch, and where the events are the clock every event by itself. Both numbers of
definitions take turns, so that a busy machine slows both.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import redis

from scripts.benches.costs import changes_since, last_change
from scripts.benches.ground import drain, fill, ground, teach, worker
from stream.conditions import Changed, Definitions, Ranks, parse
from stream.customer import Table
from stream.decoding import category_code
from stream.defined import CustomerFacts
from stream.extra import Extra
from stream.settings import Settings
from stream.simulator import Simulator
from stream.simulator.catalog import CATEGORIES as CATALOGUE
from stream.store import keys
from stream.topics import PROFILES, PURCHASES

BEGIN_MS = 1_790_000_000_000
CATEGORIES = list(CATALOGUE)
COUNTRIES = ["NO", "PH", "DE", "US", "GB", "FR", "JP", "BR", "IN", "CA"]
#: One of each kind. Ten definitions are ten kinds of segment, a hundred are ten kinds with ten
#: categories, countries, numbers and windows each.
TEMPLATES = [
    "{{did: Order Completed, at_least: {n}, within: {days}d}}",
    "{{all: [{{did: Order Completed, at_least: {n}}}, "
    "{{did_not: Order Completed, within: {days}d}}]}}",
    "{{all: [{{did: Product Added, within: {n}h}}, {{did_not: Order Completed, within: {n}h}}]}}",
    "{{did: Product Viewed, where: {{category: {category}}}, at_least: {n}, within: {days}d}}",
    "{{trait: age, between: [{low}, {high}]}}",
    "{{all: [{{did: Product Viewed, within: {days}d}}, {{trait: country, in: [{country}]}}]}}",
    "{{sum: total, of: Order Completed, within: {days}d, at_least: {money}}}",
    "{{sequence: [{{did: Product Viewed, where: {{category: {category}}}}}, "
    "{{did: Order Completed}}], within: {days}d}}",
    "{{affinity: {category}, at_least: 0.4}}",
    "{{did: Products Searched, at_least: {n}, within: {n}d}}",
]


#: More do not make the cost of one more exact.
_MOST_EVENTS = 100_000
#: How many definitions are compared.
COUNTS = (10, 100)


def file_of(count: int) -> str:
    """A file of `count` segments, of all kinds alike."""
    lines = ["version: 1", "segments:"]
    for number in range(count):
        i = number // len(TEMPLATES)
        when = TEMPLATES[number % len(TEMPLATES)].format(
            category=CATEGORIES[i], n=2 + i, days=7 * (1 + i), low=18 + 5 * i, high=24 + 5 * i,
            country=COUNTRIES[i % len(COUNTRIES)], money=50 * (1 + i),
        )  # fmt: skip
        lines.append(f"  s{number}: {{when: {when}}}")
    return "\n".join(lines)


#: Row, topic, event's name, moment, properties, amount.
Event = tuple[int, str, str, int, Any, int | None]


def traffic(events: int, customers: int, seed: int) -> Iterator[Event]:
    """Events of the simulated shop in the order of time."""
    shop = Simulator(customers, seed, BEGIN_MS).events()
    for _ in range(events):
        topic, key, record = next(shop)
        at_ms = round(datetime.fromisoformat(record["timestamp"]).timestamp() * 1000)
        row = int(key[1:])
        if topic == PURCHASES:
            total = round(record["total"] * 100)
            name = "Order Completed" if total >= 0 else "Order Refunded"
            categories = list(dict.fromkeys(item.get("category") for item in record["items"]))
            yield row, topic, name, at_ms, {"category": categories}, total
        else:
            yield row, topic, record.get("name", ""), at_ms, record.get("properties", {}), None


def shop_of(customers: int, seed: int) -> tuple[Table, list[Any]]:
    """Customers with tastes and traits, and their facts."""
    rng = np.random.default_rng(seed)
    table = Table(customers)
    table.load([f"c{i}" for i in range(customers)], [None] * customers)
    codes = np.array([category_code(name) for name in CATEGORIES])
    ranks, facts = Ranks(), []
    for row in range(customers):
        table.rows[row]["categories"] = rng.permutation(codes)[:6]
        table.rows[row]["weights"] = rng.exponential(size=6)
        age, country = int(rng.integers(18, 80)), str(rng.choice(COUNTRIES))
        extra = Extra(traits={"age": (age, BEGIN_MS), "country": (country, BEGIN_MS)})
        facts.append(CustomerFacts(table.rows[row], extra, ranks))
    return table, facts


def run(found: Definitions | None, stream: list[Event], facts: list[Any]) -> tuple[float, int]:
    """CPU seconds that the events take, and the changes found; None: without conditions."""
    memories: list[dict[str, Any]] = [{} for _ in facts]
    members: list[Any] = [{} for _ in facts]
    changes = 0
    started = time.process_time()
    for row, topic, name, at_ms, properties, total in stream:
        memory = memories[row]
        if found is None:
            continue
        due = found.due(memory)
        if due is not None and due <= at_ms:
            verdict = found.evaluate(memory, facts[row], at_ms, members[row], Changed.NOTHING)
            members[row] = verdict.memberships
            changes += len(verdict.changes)
        if topic == PROFILES:
            changed = Changed.ACTIVITY | Changed.TRAITS
        else:
            found.observe(memory, name, at_ms, properties, total)
            changed = Changed.ACTIVITY | Changed.AFFINITIES
            changed |= Changed.ORDERS if topic == PURCHASES else 0
        verdict = found.evaluate(memory, facts[row], at_ms, members[row], changed)
        members[row] = verdict.memberships
        changes += len(verdict.changes)
    return time.process_time() - started, changes


def definitions(events: int, customers: int, seed: int, repeats: int, on: str) -> dict[str, Any]:
    """Microseconds of CPU per event with 10 and 100 definitions, and their ratios."""
    return {
        "events": events,
        "customers": customers,
        "broker": on,
        "conditions": conditions(events, customers, seed, repeats),
        "worker": workers(events, customers, seed, repeats, on, "wall"),
        "worker_event_by_event": workers(events, customers, seed, repeats, on, "events"),
    }


def conditions(events: int, customers: int, seed: int, repeats: int) -> dict[str, Any]:
    """What the conditions take, by themselves."""
    events = min(events, _MOST_EVENTS)
    stream = list(traffic(events, customers, seed))
    _, facts = shop_of(customers, seed)
    files = {count: parse(file_of(count), f"{count} definitions") for count in COUNTS}
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    changes: dict[int, list[float]] = {count: [] for count in COUNTS}
    for turn in range(repeats):
        for count in turns(turn):
            empty, _ = run(None, stream, facts)
            seconds, found = run(files[count], stream, facts)
            times[count].append((seconds - empty) / events * 1e6)
            changes[count].append(found / events)
    return compared(times, changes)


def workers(
    events: int, customers: int, seed: int, repeats: int, on: str, clock: str
) -> dict[str, Any]:
    """What a worker takes, of everything that it does, by this clock."""
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    changes: dict[int, list[float]] = {count: [] for count in COUNTS}
    for turn in range(repeats):
        with ground(on) as (settings, client), tempfile.TemporaryDirectory() as folder:
            before = teach(settings, client, seed + turn)
            fill(settings, events, customers, seed + turn)
            for count in turns(turn):
                file = Path(folder) / f"{count}.yaml"
                file.write_text(file_of(count), encoding="utf-8")
                forget_customers(client, settings)
                position = last_change(client)
                extra = {"AGOS_SEGMENTS": str(file), "AGOS_CLOCK": clock}
                with worker(settings, **extra) as process:
                    done = drain(client, process, settings.partitions, before + events)
                times[count].append(done.per_event["worker_cpu_us"])
                changes[count].append(changes_since(client, position) / (before + events))
                print(
                    f"  {clock} clock, {count} definitions: {times[count][-1]} us/event", flush=True
                )
    return compared(times, changes)


def turns(turn: int) -> Sequence[int]:
    """The numbers of definitions; each begins every other time."""
    return COUNTS if turn % 2 == 0 else COUNTS[::-1]


def forget_customers(client: redis.Redis, settings: Settings) -> None:
    """Let a worker begin the topics anew, with the model that there is."""
    for pattern in (keys.CUSTOMER_PREFIX, keys.SEGMENT_PREFIX):
        for name in client.scan_iter(f"{pattern}*", count=5_000):
            client.delete(name)
    for partition in range(settings.partitions):
        client.delete(keys.offsets(partition), keys.states(partition), keys.due(partition))


def compared(times: dict[int, list[float]], changes: dict[int, list[float]]) -> dict[str, Any]:
    """Medians, and the ratio within each turn."""
    few, many = (times[count] for count in COUNTS)
    ratios = [b / a for a, b in zip(few, many, strict=True)]
    return {
        "us_per_event": {str(n): round(statistics.median(t), 1) for n, t in times.items()},
        "changes_per_event": {str(n): round(statistics.median(c), 3) for n, c in changes.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }
