"""What segment definitions cost: CPU per event with 10 of them and with 100.

Run as `python -m scripts.benches.definitions`. The simulated shop's events go through the
conditions as a worker lets them, every event judged by itself (a worker that is behind judges a
customer once per batch: less). What the measurement itself costs is measured and left out. Both
numbers of definitions take turns, so that a busy machine slows both.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from stream.conditions import Changed, Definitions, Ranks, parse
from stream.customer import Extra, Table
from stream.decoding import category_code
from stream.defined import CustomerFacts
from stream.simulator import Simulator
from stream.simulator.catalog import CATEGORIES as CATALOGUE
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


def definitions(count: int) -> Definitions:
    """`count` segments, of all kinds alike."""
    lines = ["version: 1", "segments:"]
    for number in range(count):
        i = number // len(TEMPLATES)
        when = TEMPLATES[number % len(TEMPLATES)].format(
            category=CATEGORIES[i], n=2 + i, days=7 * (1 + i), low=18 + 5 * i, high=24 + 5 * i,
            country=COUNTRIES[i % len(COUNTRIES)], money=50 * (1 + i),
        )  # fmt: skip
        lines.append(f"  s{number}: {{when: {when}}}")
    return parse("\n".join(lines), f"{count} definitions")


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


def measure(events: int, customers: int, seed: int, repeats: int) -> dict[str, Any]:
    """Microseconds of CPU per event with 10 and 100 definitions, and their ratio."""
    stream = list(traffic(events, customers, seed))
    _, facts = shop_of(customers, seed)
    files = {count: definitions(count) for count in (10, 100)}
    times: dict[int, list[float]] = {count: [] for count in files}
    changes: dict[int, int] = {}
    for _ in range(repeats):
        for count, found in files.items():
            empty, _ = run(None, stream, facts)
            seconds, changes[count] = run(found, stream, facts)
            times[count].append((seconds - empty) / events * 1e6)
    ratios = [b / a for a, b in zip(times[10], times[100], strict=True)]
    return {
        "events": events,
        "customers": customers,
        "days": round((stream[-1][3] - stream[0][3]) / 86_400_000, 1),
        "conditions_us_per_event": {n: round(statistics.median(t), 2) for n, t in times.items()},
        "changes_per_event": {n: round(number / events, 3) for n, number in changes.items()},
        "ratio_of_conditions": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    figures = measure(chosen.events, chosen.customers, chosen.seed, chosen.repeats)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
