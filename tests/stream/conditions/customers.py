"""A customer as the worker would keep it: facts, memory, memberships, and a timer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stream.conditions import Changed, Definitions, Percentiles, Verdict
from tests.stream.conditions.oracle import Rank, Record, no_rank


@dataclass
class Ranks(Percentiles):
    function: Rank = no_rank

    def rank(self, measure: str, within_ms: int | None, value: float) -> float | None:
        return self.function(measure, within_ms, value)


@dataclass
class StoredFacts:
    percentiles: Percentiles = field(default_factory=Ranks)
    traits: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    orders: int = 0
    spend_minor: int = 0
    first_seen_ms: int = 1 << 60
    last_seen_ms: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    cluster: str | None = None

    def affinities(self, categories: frozenset[str]) -> Mapping[str, float]:
        return {name: w for name, w in self.weights.items() if name in categories}

    def apply(self, record: Record) -> int:
        """Take the record in; which facts changed."""
        self.events += 1
        self.first_seen_ms = min(self.first_seen_ms, record.at)
        self.last_seen_ms = max(self.last_seen_ms, record.at)
        changed: int = Changed.ACTIVITY
        if record.minor is not None:
            self.orders += record.minor >= 0
            self.spend_minor += record.minor
            changed |= Changed.ORDERS
        if record.traits is not None:
            merged = {**self.traits, **record.traits}
            self.traits = {name: value for name, value in merged.items() if value is not None}
            changed |= Changed.TRAITS
        if record.affinities is not None:
            self.weights, self.cluster = record.affinities, record.cluster
            changed |= Changed.AFFINITIES | Changed.CLUSTER
        return changed


class Customer:
    """Feeds records in order of arrival; between them the timer fires when due.

    A `sleepy` customer's timer never fires: it is evaluated just before the next arrival.
    """

    def __init__(
        self,
        definitions: Definitions,
        percentiles: Percentiles | None = None,
        sleepy: bool = False,
    ) -> None:
        self.definitions = definitions
        self.sleepy = sleepy
        self.memory: dict[str, Any] = {}
        self.facts = StoredFacts(percentiles or Ranks())
        self.members: Mapping[str, int] = {}
        self.changes: list[tuple[int, str, str]] = []
        self.verdicts: list[Verdict] = []

    def receive(self, records: list[Record]) -> None:
        """Records that arrive at one moment."""
        now = records[0].seen
        self.wait(now)
        changed: int = Changed.NOTHING
        for record in records:
            changed |= self.facts.apply(record)
            if record.name:
                self.definitions.observe(
                    self.memory, record.name, record.at, record.properties, record.minor
                )
        self.evaluate(now, changed)

    def wait(self, until: int) -> None:
        """Let time go on; each timer fires at its due moment."""
        if self.sleepy and self.memory:
            self.evaluate(until, Changed.NOTHING)
        while (due := self.definitions.due(self.memory)) is not None and due <= until:
            self.evaluate(due, Changed.NOTHING)

    def evaluate(self, now: int, changed: int) -> Verdict:
        # As stored and loaded again: nothing may depend on object identity.
        self.memory = msgspec.msgpack.decode(msgspec.msgpack.encode(self.memory))
        verdict = self.definitions.evaluate(self.memory, self.facts, now, self.members, changed)
        self.members = verdict.memberships
        self.verdicts.append(verdict)
        self.changes += [(c.at_ms, c.segment, c.change) for c in verdict.changes]
        return verdict
