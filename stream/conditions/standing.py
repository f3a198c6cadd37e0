"""Conditions on facts: traits, totals, affinities, the cluster."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from stream.conditions import words
from stream.conditions.conditions import Leaf
from stream.conditions.occurrences import age_text, age_turn
from stream.conditions.selection import MINOR_PER_UNIT
from stream.conditions.values import Bounds, Test, lookup
from stream.conditions.view import NEVER, Changed, Facts, View

SPEND = "spend"
ORDERS = "orders"
EVENTS = "events"
FIRST_SEEN = "first_seen"
LAST_SEEN = "last_seen"
TOTALS = (SPEND, ORDERS, EVENTS)
AGES = (FIRST_SEEN, LAST_SEEN)
TOTALS_CHANGED = {SPEND: Changed.ORDERS, ORDERS: Changed.ORDERS, EVENTS: Changed.ACTIVITY}


@dataclass(frozen=True, slots=True)
class Trait(Leaf):
    """`trait`: a test of a profile's fact."""

    name: str
    test: Test

    @property
    def facts(self) -> int:
        return Changed.TRAITS

    def turn(self, view: View) -> int:
        return NEVER if self.test.passes(lookup(view.traits, self.name)) else -NEVER

    def reason(self, view: View) -> str:
        found = lookup(view.traits, self.name)
        known = (
            f"{self.name} is not known" if found is None else f"{self.name} is {words.value(found)}"
        )
        return known if self.turn(view) > 0 else f"{known}, wanted: {self.test.text()}"

    def canonical(self) -> tuple[Any, ...]:
        return ("trait", self.name, self.test.canonical())


def total(facts: Facts, measure: str) -> Fraction:
    """A measure over a customer's whole life; spend in units of the base currency."""
    if measure == SPEND:
        return Fraction(facts.spend_minor, MINOR_PER_UNIT)
    return Fraction(facts.orders if measure == ORDERS else facts.events)


@dataclass(frozen=True, slots=True)
class Total(Leaf):
    """`measure` of a whole life within bounds."""

    measure: str
    bounds: Bounds

    @property
    def facts(self) -> int:
        return TOTALS_CHANGED[self.measure]

    def turn(self, view: View) -> int:
        return NEVER if self.bounds.holds(total(view.facts, self.measure)) else -NEVER

    def reason(self, view: View) -> str:
        found = f"{self.measure} is {words.number(total(view.facts, self.measure))} in all"
        return found if self.turn(view) > 0 else f"{found}, wanted: {self.bounds.range_text()}"

    def canonical(self) -> tuple[Any, ...]:
        return ("total", self.measure, self.bounds.canonical())


@dataclass(frozen=True, slots=True)
class Seen(Leaf):
    """`measure: first_seen` or `last_seen`, older or younger than a duration."""

    measure: str
    older_ms: int
    younger_ms: int | None

    @property
    def facts(self) -> int:
        return Changed.ACTIVITY

    def _at(self, facts: Facts) -> int:
        return facts.first_seen_ms if self.measure == FIRST_SEEN else facts.last_seen_ms

    def turn(self, view: View) -> int:
        return age_turn(self._at(view.facts), self.older_ms, self.younger_ms, view.now_ms)

    def reason(self, view: View) -> str:
        found = f"{self.measure.replace('_', ' ')} on {words.date(self._at(view.facts))}"
        if self.turn(view) > 0:
            return found
        return f"{found}, wanted: {age_text(self.older_ms, self.younger_ms)}"

    def canonical(self) -> tuple[Any, ...]:
        return ("seen", self.measure, self.older_ms, self.younger_ms)


@dataclass(frozen=True, slots=True)
class Affinity(Leaf):
    """`affinity`: the weight (0-1) of a category among a customer's interests."""

    category: str
    bounds: Bounds

    @property
    def facts(self) -> int:
        return Changed.AFFINITIES

    def turn(self, view: View) -> int:
        weight = view.affinities.get(self.category, 0.0)
        return NEVER if self.bounds.inside(weight) else -NEVER

    def reason(self, view: View) -> str:
        weight = view.affinities.get(self.category, 0.0)
        found = f"affinity to {words.value(self.category)} is {weight:.2f}"
        return found if self.turn(view) > 0 else f"{found}, wanted: {self.bounds.range_text()}"

    def canonical(self) -> tuple[Any, ...]:
        return ("affinity", self.category, self.bounds.canonical())


@dataclass(frozen=True, slots=True)
class Cluster(Leaf):
    """`cluster`: the discovered segment is one of these."""

    clusters: tuple[str, ...]

    @property
    def facts(self) -> int:
        return Changed.CLUSTER

    def turn(self, view: View) -> int:
        return NEVER if view.facts.cluster in self.clusters else -NEVER

    def reason(self, view: View) -> str:
        found = f"cluster is {view.facts.cluster or 'not assigned'}"
        return found if self.turn(view) > 0 else f"{found}, wanted: {words.value(self.clusters)}"

    def canonical(self) -> tuple[Any, ...]:
        return ("cluster", sorted(self.clusters))
