"""Which segments a customer may enter at all, told by what is known of it: found by the fact's
value, so that those for others cost nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stream.conditions.amounts import Amount, Rank
from stream.conditions.conditions import All, Condition
from stream.conditions.occurrences import CountEver, CountWithin, EventAge, Sequence
from stream.conditions.standing import Affinity, Cluster, Trait
from stream.conditions.values import Among, Both, Test, lookup
from stream.conditions.view import View


class Entry(NamedTuple):
    """A segment, by place and id, that can be entered only with so much in the state of a key
    ("": whatever is there)."""

    place: int
    segment: str
    key: str
    least: int


def enterable(
    entries: Iterable[Entry], members: Mapping[str, int], states: Mapping[str, Any]
) -> list[int]:
    """Places of those that the customer is not in and has what they need of events."""
    found = []
    for place, segment, key, least in entries:
        if segment in members:
            continue
        if key:
            state = states.get(key)
            if state is None or (least > 1 and len(state) < least):
                continue
        found.append(place)
    return found


@dataclass(slots=True)
class Entries:
    """Segments that can be entered, by the state that they need: of most customers few are
    known, and those that need others cost nothing."""

    by_key: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Let a segment be found."""
        self.by_key.setdefault(entry.key, []).append(entry)

    def of(self, members: Mapping[str, int], states: Mapping[str, Any]) -> list[int]:
        """Places of those that the customer is not in and has what they need of events."""
        by_key = self.by_key
        found = enterable(by_key.get("", ()), members, states)
        for key in states if len(states) < len(by_key) else by_key:
            if key in by_key and key in states:
                found += enterable(by_key[key], members, states)
        return found


def need_of(condition: Condition) -> tuple[str, int]:
    """Key of a state, and how many timestamps must be in it (1: anything) so that the condition
    can hold; an empty key if there is none."""
    if isinstance(condition, All):
        return max(map(need_of, condition.parts), key=lambda need: need[1])
    if isinstance(condition, CountWithin) and condition.low:
        return condition.keeper.key, condition.low
    needed = isinstance(condition, EventAge | Sequence | Rank)
    needed = needed or (isinstance(condition, CountEver) and condition.low > 0)
    needed = needed or (isinstance(condition, Amount) and not condition.passes(0, 0))
    keeper = condition.keeper if needed else None
    return (keeper.key, 1) if keeper is not None else ("", 0)


def gate_of(condition: Condition) -> Condition | None:
    """A part of the condition without which it cannot hold, and which a value finds."""
    if isinstance(condition, All):
        found = [gate for gate in map(gate_of, condition.parts) if gate is not None]
        return min(found, key=_rarity, default=None)
    if isinstance(condition, Cluster):
        return condition
    if isinstance(condition, Trait):
        return None if condition.test.passes(None) else condition
    # Who has no interest in a category has a weight of zero.
    wanted = isinstance(condition, Affinity) and not condition.bounds.inside(0.0)
    return condition if wanted else None


def _rarity(gate: Condition) -> int:
    return 1 if isinstance(gate, Trait) and not texts_of(gate.test) else 0


def texts_of(test: Test) -> tuple[str, ...]:
    """Texts of which a value must be one to pass; none if others may pass as well."""
    if isinstance(test, Both):
        return next((texts for texts in map(texts_of, test.tests) if texts), ())
    if not isinstance(test, Among) or test.negated:
        return ()
    texts = tuple(value for value in test.values if isinstance(value, str))
    return texts if len(texts) == len(test.values) else ()


@dataclass(slots=True)
class Gates:
    """Segments by what a customer needs so that it can enter them."""

    _tested: dict[str, list[tuple[Callable[[Any], bool], Entry]]] = field(default_factory=dict)
    _traits: dict[str, dict[str, list[Entry]]] = field(default_factory=dict)
    _clusters: dict[str | None, list[Entry]] = field(default_factory=dict)
    _affinities: dict[str, list[tuple[Callable[[Any], bool], Entry]]] = field(default_factory=dict)

    def add(self, gate: Condition, entry: Entry) -> None:
        """Let a segment be found by a gate, as `gate_of` gives it."""
        if isinstance(gate, Trait):
            texts = dict.fromkeys(texts_of(gate.test))
            for text in texts:
                self._traits.setdefault(gate.name, {}).setdefault(text, []).append(entry)
            if not texts:
                self._tested.setdefault(gate.name, []).append((gate.test.passes, entry))
        elif isinstance(gate, Cluster):
            for cluster in dict.fromkeys(gate.clusters):
                self._clusters.setdefault(cluster, []).append(entry)
        elif isinstance(gate, Affinity):
            found = self._affinities.setdefault(gate.category, [])
            found.append((gate.bounds.inside, entry))

    def open(self, view: View) -> list[Entry]:
        """Segments whose gates the customer passes; each once."""
        found: list[Entry] = []
        members = view.members
        for name, tested in self._tested.items():
            value = lookup(view.traits, name)
            if value is not None:
                found += [e for passes, e in tested if e.segment not in members and passes(value)]
        for name, texts in self._traits.items():
            value = lookup(view.traits, name)
            if type(value) is str:
                found += texts.get(value, ())
            elif type(value) is list or type(value) is tuple:
                found += _each_once(value, texts)
        if self._clusters:
            found += self._clusters.get(view.facts.cluster, ())
        if self._affinities:
            for category, weight in view.affinities.items():
                for inside, entry in self._affinities.get(category, ()):
                    if inside(weight):
                        found.append(entry)
        return found


def _each_once(values: Iterable[Any], texts: dict[str, list[Entry]]) -> Iterable[Entry]:
    return {e: None for value in values if type(value) is str for e in texts.get(value, ())}
