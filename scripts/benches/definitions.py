"""What segment definitions cost: CPU per event with 10 of them and with 100.

Run as `python -m scripts.benches.definitions`. One worker's work without Kafka and Redis: records
are decoded, customers folded, conditions judged, and the write is put together. `conditions` is
the difference to the same work without any definitions. All three sizes take turns, so that a
busy machine slows all of them.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

from stream.conditions import Changed, Definitions, Ranks, parse

BEGIN_MS = 1_790_000_000_000
DAY_MS = 86_400_000
CATEGORIES = [f"category-{i}" for i in range(40)]
COUNTRIES = ["NO", "PH", "DE", "US", "GB", "FR", "JP", "BR", "IN", "CA"]
#: One of each kind; {i} tells apart those of the same kind. Ten of them are ten kinds of
#: segment, a hundred ten kinds with ten categories, countries, numbers and windows each.
TEMPLATES = [
    "{{did: Order Completed, at_least: {n}, within: {days}d}}",
    "{{all: [{{did: Order Completed, at_least: {n}}}, {{did_not: Order Completed, within: {days}d}}]}}",
    "{{all: [{{did: Product Added, within: {n}h}}, {{did_not: Order Completed, within: {n}h}}]}}",
    "{{did: Product Viewed, where: {{category: category-{i}}}, at_least: {n}, within: {days}d}}",
    "{{trait: age, between: [{low}, {high}]}}",
    "{{all: [{{trait: country, in: [{country}]}}, {{did: Product Viewed, within: {days}d}}]}}",
    "{{sum: total, of: Order Completed, within: {days}d, at_least: {money}}}",
    "{{sequence: [{{did: Product Viewed, where: {{category: category-{i}}}}}, "
    "{{did: Order Completed}}], within: {days}d}}",
    "{{affinity: category-{i}, at_least: 0.4}}",
    "{{did: Products Searched, at_least: {n}, within: {n}d}}",
]


def definitions(count: int) -> Definitions:
    """`count` segments, of all kinds alike."""
    lines = ["version: 1", "segments:"]
    for number in range(count):
        i = number // len(TEMPLATES)
        when = TEMPLATES[number % len(TEMPLATES)].format(
            i=i, n=2 + i, days=7 * (1 + i), low=18 + 5 * i, high=24 + 5 * i,
            country=COUNTRIES[i % len(COUNTRIES)], money=50 * (1 + i),
        )  # fmt: skip
        lines.append(f"  s{number}: {{when: {when}}}")
    return parse("\n".join(lines), f"{count} definitions")


def traffic(events: int, customers: int, seed: int) -> Iterator[tuple[str, str, int, Any, Any]]:
    """Customer, event name, time, properties, amount: a shop's mix over thirty days."""
    rng = random.Random(seed)
    for i in range(events):
        customer, at_ms = f"c{int(customers * rng.random() ** 2)}", BEGIN_MS + i * 30 * DAY_MS // events
        kind = rng.random()
        category = CATEGORIES[int(len(CATEGORIES) * rng.random() ** 2)]
        if kind < 0.72:
            properties = {"category": category, "price": rng.randrange(5, 200)}
            yield customer, "Product Viewed", at_ms, properties, None
        elif kind < 0.82:
            yield customer, "Products Searched", at_ms, {"query": category}, None
        elif kind < 0.94:
            yield customer, "Product Added", at_ms, {"category": category}, None
        elif kind < 0.95:
            yield customer, "Newsletter Opened", at_ms, {}, None
        else:
            yield customer, "Order Completed", at_ms, {"category": [category]}, rng.randrange(9_999)


class _Facts:
    """A customer's facts, of which nothing changes but what the traffic changes."""

    def __init__(self, rng: random.Random) -> None:
        self.traits = {"age": rng.randrange(18, 80), "country": rng.choice(COUNTRIES)}
        self.events = self.orders = self.spend_minor = 0
        self.first_seen_ms = self.last_seen_ms = BEGIN_MS
        self.affinities = {category: 0.1 for category in CATEGORIES[:6]}
        self.cluster = "cluster-1"
        self.percentiles = Ranks()


def conditions_alone(found: Definitions, stream: list[Any], seed: int) -> tuple[float, int]:
    """CPU seconds of observing and evaluating each event, and the changes found."""
    rng = random.Random(seed)
    memories: dict[str, dict[str, Any]] = {}
    members: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    changes = 0
    for customer, *_ in stream:
        facts.setdefault(customer, _Facts(rng))
    started = time.process_time()
    for customer, name, at_ms, properties, total in stream:
        memory = memories.setdefault(customer, {})
        due = found.due(memory)
        if due is not None and due <= at_ms:
            verdict = found.evaluate(
                memory, facts[customer], at_ms, members.get(customer, {}), Changed.NOTHING
            )
            members[customer] = verdict.memberships
            changes += len(verdict.changes)
        found.observe(memory, name, at_ms, properties, total)
        changed = Changed.ACTIVITY | Changed.AFFINITIES | (Changed.ORDERS if total else 0)
        verdict = found.evaluate(memory, facts[customer], at_ms, members.get(customer, {}), changed)
        members[customer] = verdict.memberships
        changes += len(verdict.changes)
    return time.process_time() - started, changes


def measure(events: int, customers: int, seed: int, repeats: int) -> dict[str, Any]:
    """Microseconds of CPU per event with 10 and 100 definitions, and their ratio."""
    stream = list(traffic(events, customers, seed))
    times: dict[int, list[float]] = {10: [], 100: []}
    changes: dict[int, int] = {}
    for _ in range(repeats):
        for count, found in times.items():
            seconds, changes[count] = conditions_alone(definitions(count), stream, seed)
            found.append(seconds / events * 1e6)
    ten, hundred = (statistics.median(times[count]) for count in (10, 100))
    ratios = [b / a for a, b in zip(times[10], times[100], strict=True)]
    return {
        "events": events,
        "customers": customers,
        "conditions_us_per_event": {"10": round(ten, 2), "100": round(hundred, 2)},
        "conditions_ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "changes": changes,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--customers", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.events, chosen.customers, chosen.seed, chosen.repeats), indent=2))


if __name__ == "__main__":
    main()
