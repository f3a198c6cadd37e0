"""Random cases in which much happens: few names, many events, windows as long as the gaps.

Drawn from a seed, faster than through hypothesis and denser, but nothing shrinks them.
"""

from random import Random
from typing import Any

from tests.stream.conditions.oracle import Record
from tests.stream.conditions.strategies import CATEGORIES, GRIDS, SPAN, START

NAMES = ("Product Viewed", "Product Added", "Order Completed", "Order Refunded", "*")

Spec = dict[str, Any]


class Dense:
    """One case: `grid` (ms), `segments` and `records`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.unit = self.random.choice(list(GRIDS))
        self.grid = GRIDS[self.unit]
        self.segments: dict[str, Spec] = {}
        for i in range(4):
            segment: Spec = {"when": self._condition(2)}
            if self.random.random() < 0.25:
                segment["stay_at_least"] = self._duration()
            self.segments[f"s{i}"] = segment
        self.records = [self._record() for _ in range(self.random.randint(5, 30))]

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _duration(self) -> str:
        return f"{self.random.randint(1, 25)}{self.unit}"

    def _within(self, share: float = 0.85) -> Spec:
        return {"within": self._duration()} if self._chance(share) else {}

    def _where(self) -> Spec:
        if self._chance(0.7):
            return {}
        tests: list[Spec] = [
            {"category": self.random.choice(CATEGORIES)},
            {"category": {"is_not": "hats"}},
            {"price": {"at_least": 10}},
            {"total": {"at_most": 20.5}},
            {"category": {"not_in": ["hats", "shoes"]}},
            {"category": {"matches": "^s", "contains": self.random.choice(["shoes", "hats"])}},
            {"price": {"exists": self._chance(0.5)}},
        ]
        return {"where": self.random.choice(tests)}

    def _counts(self) -> Spec:
        n = self.random.randint(1, 3)
        counts: list[Spec] = [
            {},
            {"at_least": n},
            {"at_least": n},
            {"at_most": n},
            {"exactly": n - 1},
            {"between": [n, n + 1]},
        ]
        return self.random.choice(counts)

    def _limits(self) -> Spec:
        limits: list[Spec] = [
            {"at_least": 15},
            {"at_most": 25.5},
            {"more_than": 5},
            {"less_than": 20},
            {"between": [10, 40]},
        ]
        return self.random.choice(limits)

    def _condition(self, depth: int) -> Spec:
        if depth and self._chance(0.4):
            kind = self.random.choice(["all", "any", "not"])
            if kind == "not":
                return {"not": self._condition(depth - 1)}
            return {kind: [self._condition(depth - 1) for _ in range(self.random.randint(2, 3))]}
        if self.segments and self._chance(0.2):
            return {"in": self.random.choice(list(self.segments))}
        leaves = [self._did, self._did, self._did_not, self._age, self._sequence, self._amount]
        leaves += [self._measure, self._fact]
        return self.random.choice(leaves)()

    def _did(self) -> Spec:
        name = self.random.choice(NAMES)
        return {"did": name, **self._where(), **self._within(), **self._counts()}

    def _did_not(self) -> Spec:
        return {"did_not": self.random.choice(NAMES), **self._where(), **self._within()}

    def _ages(self) -> Spec:
        older, longer = self.random.randint(1, 15), self.random.randint(1, 15)
        ages = {"older_than": f"{older}{self.unit}", "younger_than": f"{older + longer}{self.unit}"}
        if self._chance(0.5):
            del ages[self.random.choice(list(ages))]
        return ages

    def _age(self) -> Spec:
        which = self.random.choice(["first", "last"])
        return {which: self.random.choice(NAMES), **self._where(), **self._ages()}

    def _sequence(self) -> Spec:
        steps = [
            {"did": self.random.choice(NAMES), **self._where()}
            for _ in range(self.random.randint(2, 3))
        ]
        return {"sequence": steps, **self._within()}

    def _amount(self) -> Spec:
        what, of = self.random.choice([("total", "Order Completed"), ("price", "*")])
        form = self.random.choice(["sum", "average"])
        return {form: what, "of": of, **self._where(), **self._within(), **self._limits()}

    def _measure(self) -> Spec:
        measure = self.random.choice(["spend", "orders", "events", "first_seen", "last_seen"])
        if measure.endswith("seen"):
            return {"measure": measure, **self._ages()}
        limits = self._counts() if measure != "spend" else self._limits()
        if self._chance(0.3) or not limits:
            limits = {self.random.choice(["percentile_at_least", "percentile_at_most"]): 45}
        return {"measure": measure, **self._within(), **limits}

    def _fact(self) -> Spec:
        facts: list[Spec] = [
            {"trait": "age", "at_least": 30},
            {"trait": "country", "is_not": "PH"},
            {"trait": "country", "contains": "P", "exists": True},
            {"trait": "country", "matches": "[HN]$"},
            {"trait": "age", "exists": False},
            {"affinity": "shoes", "at_least": 0.4},
            {"cluster": ["cluster-1", "cluster-2"]},
        ]
        return self.random.choice(facts)

    def _record(self) -> Record:
        seen = self.random.randint(START, START + SPAN) * self.grid
        if self._chance(0.1):
            profiles: list[Spec] = [{"age": 20}, {"age": 40, "country": "PH"}, {"age": None}]
            return Record(seen, seen, traits=self.random.choice(profiles))
        if self._chance(0.1):
            weight, cluster = (
                self.random.choice([0.1, 0.4]),
                self.random.choice(["cluster-1", "cluster-3"]),
            )
            return Record(seen, seen, affinities={"shoes": weight}, cluster=cluster)
        at = seen
        if self._chance(0.35):
            at -= self.random.randint(1, 40) * self.grid
        elif self._chance(0.05) and self.grid <= 1_000:
            at += 2 * self.grid
        name = self.random.choice(NAMES[:-1])
        category = self.random.choice(CATEGORIES)
        if name.startswith("Order"):
            minor = self.random.randint(1, 3_000)
            signed = minor if name == "Order Completed" else -minor
            return Record(seen, at, name, {"category": [category]}, signed)
        price = self.random.choice([5, 9.99, 10, 20.5])
        return Record(seen, at, name, {"category": category, "price": price})
