"""What a definitions file would do to the customers as they are. Pure: nothing is changed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xxhash

from stream.conditions import Changed, Definitions, Measure, Memory, Ranks, copied
from stream.defined import Past
from stream.recall import Recalled

Fate = Literal["new", "changed", "same", "removed"]


@dataclass(frozen=True, slots=True)
class Example:
    """A customer, and why it is in, enters or leaves."""

    customer_id: str
    reason: str


class Sample:
    """A few examples, drawn by a hash of the id: the same ones at every run."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[int, Example]] = []

    def wants(self, customer_id: str) -> bool:
        """Whether it would be kept: reasons are worked out for those alone."""
        full = len(self._kept) >= self._size
        return self._size > 0 and (not full or _place(customer_id) < self._kept[-1][0])

    def add(self, customer_id: str, reason: str) -> None:
        """Keep it if it is among the first by hash."""
        self._kept.append((_place(customer_id), Example(customer_id, reason)))
        self._kept.sort(key=lambda pair: pair[0])
        del self._kept[self._size :]

    def examples(self) -> tuple[Example, ...]:
        """Those kept."""
        return tuple(example for _, example in self._kept)


def _place(customer_id: str) -> int:
    return xxhash.xxh3_64_intdigest(customer_id.encode())


@dataclass(frozen=True, slots=True)
class Overlap:
    """Customers that two segments share."""

    segment: str
    both: int
    #: Of this segment's customers, and of the other's.
    share: float
    share_of_other: float


@dataclass(slots=True)
class Count:
    """What was counted of one segment. `before` are members under the running version."""

    before: int = 0
    after: int = 0
    enter: int = 0
    leave: int = 0
    #: Customers of whom a condition does not know the past that it asks about.
    incomplete: int = 0
    missing: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one segment."""

    id: str
    name: str
    fate: Fate
    shadow: bool
    count: Count
    #: Events that its conditions ask about and that nobody has kept so far.
    lacks: tuple[str, ...]
    overlaps: tuple[Overlap, ...]
    members: tuple[Example, ...]
    entering: tuple[Example, ...]
    leaving: tuple[Example, ...]


class Preview:
    """Evaluates customers under the running definitions and under new ones.

    Feed every customer to `rank` first if `ranked`, then every customer to `add`.

    Parameters
    ----------
    running
        Definitions in force; None where there are none, or nobody knows them: then the stored
        memberships are what the new ones are compared with.
    """

    def __init__(
        self, definitions: Definitions, running: Definitions | None, examples: int = 3
    ) -> None:
        self.definitions = definitions.after(running) if running else definitions
        self.running = running
        self.ranks = Ranks()
        #: What the new definitions ask about and memories do not know, where somebody read it.
        self.past: Past | None = None
        self.customers = 0
        #: Customers who were last evaluated under other definitions than `running`.
        self.strangers = 0
        self._size = examples
        ids = [*self.definitions.segments, *(running.segments if running else ())]
        self._counts: dict[str, Count] = {name: Count() for name in dict.fromkeys(ids)}
        self._members: dict[str, Sample] = {}
        self._entering: dict[str, Sample] = {}
        self._leaving: dict[str, Sample] = {}
        self._pairs = Pairs()

    @property
    def ranked(self) -> bool:
        """Whether percentiles are asked for."""
        return self.definitions.ranked or bool(self.running and self.running.ranked)

    def rank(self, customers: Iterable[Recalled], now_ms: int) -> None:
        """Let customers count in the percentiles."""
        for customer in customers:
            facts = customer.facts(self.ranks)
            values: dict[Measure, float] = {}
            values |= self.definitions.measures(self._memory(customer), facts, now_ms)
            if self.running is not None:
                values |= self.running.measures(copied(customer.memory), facts, now_ms)
            self.ranks.add(values.items())

    def add(self, customers: Iterable[Recalled], now_ms: int) -> None:
        """Evaluate customers at `now_ms`."""
        sets = [self._add(customer, now_ms) for customer in customers]
        self._pairs.add(sets)

    def outlooks(self) -> list[Outlook]:
        """Every segment, those of the new file in its order, then those that go."""
        return [self._outlook(name) for name in self._counts]

    def _add(self, customer: Recalled, now_ms: int) -> list[str]:
        self.customers += 1
        facts, name = customer.facts(self.ranks), customer.customer_id
        before = self._before(customer, now_ms)
        memory = self._memory(customer)
        missing = self.definitions.missing(memory)
        for segment in self.definitions.incomplete(memory):
            self._counts[segment].incomplete += 1
            self._counts[segment].missing |= missing
        verdict = self.definitions.evaluate(memory, facts, now_ms, before, Changed.NOTHING)
        after = verdict.memberships
        for segment in before:
            self._count(segment).before += 1

        def why(segment: str) -> str:
            return self.definitions.why(memory, facts, now_ms, segment, after)

        def why_not(segment: str) -> str:
            return self._why_not(customer, now_ms, segment)

        for segment in after:
            self._counts[segment].after += 1
            self._draw(self._members, segment, name, why)
        for segment in after.keys() - before.keys():
            self._counts[segment].enter += 1
            self._draw(self._entering, segment, name, why)
        for segment in before.keys() - after.keys():
            self._count(segment).leave += 1
            self._draw(self._leaving, segment, name, why_not)
        return [*after, *filter(None, (facts.cluster,))]

    def _memory(self, customer: Recalled) -> Memory:
        """A copy of what is remembered, as the new definitions would have it."""
        memory = copied(customer.memory)
        if self.past is not None:
            self.definitions.adopt(memory, ())
            self.past.complete(customer.customer_id, memory, self.definitions)
        return memory

    def _draw(
        self, samples: dict[str, Sample], segment: str, name: str, why: Callable[[str], str]
    ) -> None:
        sample = samples.setdefault(segment, Sample(self._size))
        if sample.wants(name):
            sample.add(name, why(segment))

    def _before(self, customer: Recalled, now_ms: int) -> Mapping[str, int]:
        """Members under the running version now: what time has ended since is not the file's."""
        if self.running is None:
            return customer.memberships
        memory, facts = copied(customer.memory), customer.facts(self.ranks)
        self.strangers += not self.running.used_last(memory)
        verdict = self.running.evaluate(
            memory, facts, now_ms, customer.memberships, Changed.NOTHING
        )
        return verdict.memberships

    def _why_not(self, customer: Recalled, now_ms: int, segment: str) -> str:
        if segment not in self.definitions.segments:
            return "the segment is no longer defined"
        memory, facts = self._memory(customer), customer.facts(self.ranks)
        return self.definitions.why(memory, facts, now_ms, segment, {})

    def _count(self, segment: str) -> Count:
        return self._counts.setdefault(segment, Count())

    def _fate(self, segment: str) -> Fate:
        new = self.definitions.segments.get(segment)
        if new is None:
            return "removed"
        if self.running is None:
            return "changed" if self._counts[segment].before else "new"
        old = self.running.segments.get(segment)
        if old is None:
            return "new"
        return "same" if old.canonical() == new.canonical() else "changed"

    def _outlook(self, segment: str) -> Outlook:
        count = self._counts[segment]
        known = self.definitions.segments.get(segment)
        named = known or (self.running.segments.get(segment) if self.running else None)
        samples = (self._members, self._entering, self._leaving)
        members, entering, leaving = (
            kept[segment].examples() if segment in kept else () for kept in samples
        )
        return Outlook(
            segment,
            named.name if named else segment,
            self._fate(segment),
            known.shadow if known else False,
            count,
            self.definitions.events_asked(segment, count.missing) if known else (),
            tuple(self._pairs.of(segment)),
            members,
            entering,
            leaving,
        )


class Pairs:
    """How many customers each two segments share."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._both = np.zeros((0, 0))

    def add(self, sets: Sequence[Collection[str]]) -> None:
        """Take in the segments of each of some customers."""
        for name in {name for segments in sets for name in segments}:
            self._index.setdefault(name, len(self._index))
        grown = len(self._index) - len(self._both)
        if grown:
            self._both = np.pad(self._both, (0, grown))
        rows = np.zeros((len(sets), len(self._index)), np.float32)
        for i, segments in enumerate(sets):
            rows[i, [self._index[name] for name in segments]] = 1
        self._both += rows.T @ rows

    def of(self, segment: str) -> list[Overlap]:
        """Overlaps of a segment with all others, the largest share of either first."""
        i = self._index.get(segment)
        if i is None:
            return []
        sizes = np.diag(self._both)
        found = []
        for other, j in self._index.items():
            both = int(self._both[i, j])
            if both and j != i:
                found.append(Overlap(other, both, both / sizes[i], both / sizes[j]))
        return sorted(
            found, key=lambda o: (-(o.both**2) / sizes[self._index[o.segment]], o.segment)
        )
