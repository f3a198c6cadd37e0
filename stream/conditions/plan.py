"""Worked out once per file: who listens to which event, and what to look at again when."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.conditions.conditions import Condition, Not, walk
from stream.conditions.keepers import Chain, Keeper
from stream.conditions.occurrences import CountWithin
from stream.conditions.segments import Segment, needs
from stream.conditions.selection import ANY_EVENT, Happening, Selection
from stream.conditions.values import Among
from stream.conditions.view import Changed

#: Key of the state, its fold, and the test of an event's properties if there is one to make.
Listener = tuple[str, Callable[[Any, Happening], Any], Callable[[Happening], bool] | None]

_MAX_REMEMBERED = 4_096


def keepers_of(segments: Iterable[Segment]) -> dict[str, Keeper]:
    """Every keeper that the segments need, once, by its key."""
    found: dict[str, Keeper] = {}
    for segment in segments:
        for condition in walk(segment.when):
            if condition.keeper is not None:
                found.setdefault(condition.keeper.key, condition.keeper)
    return found


@dataclass(slots=True)
class Audience:
    """Who listens to one event; those that want one text of a property are found by it."""

    plain: list[Listener] = field(default_factory=list)
    by_text: dict[str, dict[str, list[Listener]]] = field(default_factory=dict)

    def add(self, keeper: Keeper, name: str) -> None:
        """Let a keeper listen to events of this name."""
        wanted = [s for s in keeper.selections if {name, ANY_EVENT} & {*s.names}]
        indexed = _indexed(wanted)
        # A chain tests by itself which of its steps an event is.
        untested = 0 if isinstance(keeper, Chain) else len(wanted[0].where) - bool(indexed)
        takes = wanted[0].takes if untested else None
        if indexed is None:
            self.plain.append((keeper.key, keeper.fold, takes))
            return
        property_name, texts = indexed
        buckets = self.by_text.setdefault(property_name, {})
        for text in texts:
            buckets.setdefault(text, []).append((keeper.key, keeper.fold, takes))

    def of(self, event: Happening) -> list[Listener]:
        """Listeners that the event may concern."""
        if not self.by_text:
            return self.plain
        found = list(self.plain)
        for name, buckets in self.by_text.items():
            value = event.get(name)
            if type(value) is str:
                found += buckets.get(value, ())
            elif type(value) is list:
                hits = (hit for v in value if type(v) is str for hit in buckets.get(v, ()))
                found += {hit[0]: hit for hit in hits}.values()
        return found


def _indexed(wanted: Sequence[Selection]) -> tuple[str, tuple[str, ...]] | None:
    """Property of which just these texts can pass the test of any selection, if there is one."""
    first = wanted[0]
    for name, _ in first.where:
        texts = [_texts(selection, name) for selection in wanted]
        if all(found is not None for found in texts):
            return name, tuple(dict.fromkeys(text for found in texts for text in found or ()))
    return None


def _texts(selection: Selection, name: str) -> tuple[str, ...] | None:
    """Texts of which a property must be one; None if others pass as well."""
    for tested, test in selection.where:
        if tested == name and isinstance(test, Among) and not test.negated:
            texts = tuple(value for value in test.values if isinstance(value, str))
            if len(texts) == len(test.values):
                return texts
    return None


def audiences_of(keepers: Iterable[Keeper]) -> tuple[dict[str, Audience], Audience | None]:
    """Who listens to each named event, and who to all others."""
    every = list(keepers)
    names = {keeper.key: _names(keeper) for keeper in every}
    named: dict[str, Audience] = {}
    for name in {name for wanted in names.values() for name in wanted} - {ANY_EVENT}:
        listening = (k for k in every if names[k.key] & {name, ANY_EVENT})
        named[name] = _audience(listening, name)
    others = [keeper for keeper in every if ANY_EVENT in names[keeper.key]]
    return named, _audience(others, ANY_EVENT) if others else None


def _names(keeper: Keeper) -> set[str]:
    return {name for selection in keeper.selections for name in selection.names}


def _audience(keepers: Iterable[Keeper], name: str) -> Audience:
    audience = Audience()
    for keeper in keepers:
        audience.add(keeper, name)
    return audience


def _leaves(condition: Condition, sign: int) -> Iterator[tuple[Condition, int]]:
    """Conditions without parts; the sign tells whether a `not` turns them round."""
    if not condition.parts:
        yield condition, sign
    for part in condition.parts:
        yield from _leaves(part, -sign if isinstance(condition, Not) else sign)


def growth_of(segment: Segment) -> dict[str, int]:
    """Key → what more events of it do: 1 only let in, -1 only let out, 0 may do either."""
    growth: dict[str, int] = {}
    for leaf, sign in _leaves(segment.when, 1):
        if leaf.keeper is not None:
            key, towards = leaf.keeper.key, leaf.growth * sign
            growth[key] = towards if growth.get(key, towards) == towards else 0
    return growth


@dataclass(frozen=True, slots=True)
class Work:
    """Segments to look at, by index: all of `always`, and of the others only those where it
    can matter, non-members of `letting_in` and members of `letting_out` (index, id).

    `counting` are those of `letting_in` that also need a number of events (index, id, key,
    number).
    """

    always: tuple[int, ...]
    letting_in: tuple[tuple[int, str], ...]
    letting_out: tuple[tuple[int, str], ...]
    counting: tuple[tuple[int, str, str, int], ...]

    def given(self, members: Mapping[str, int], states: Mapping[str, Any]) -> list[int]:
        """Indexes in ascending order, so that each segment comes after those it needs."""
        work = [*self.always]
        work += [i for i, name in self.letting_in if name not in members]
        for i, name, key, needed in self.counting:
            if name not in members and len(states.get(key, ())) >= needed:
                work.append(i)
        work += [i for i, name in self.letting_out if name in members]
        work.sort()
        return work


class Plan:
    """Which segments to look at again when states or facts changed."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._ids = [segment.id for segment in segments]
        self._by_key: dict[str, dict[int, int]] = {}
        self._by_fact: dict[int, set[int]] = {fact: set() for fact in Changed.EACH}
        self._counting = {
            i: (leaf.keeper.key, leaf.low)
            for i, segment in enumerate(segments)
            if isinstance(leaf := segment.when, CountWithin) and leaf.low > 1
        }
        self._remembered: dict[tuple[Any, ...], Work] = {}
        for i, segment in enumerate(segments):
            for key, growth in growth_of(segment).items():
                self._by_key.setdefault(key, {})[i] = growth
            for condition in walk(segment.when):
                for fact in Changed.EACH:
                    if condition.facts & fact:
                        self._by_fact[fact].add(i)

    def work(self, touched: Sequence[str], changed: int) -> Work:
        """What to look at after the states of these keys and these facts changed."""
        asked = (changed, *touched)
        work = self._remembered.get(asked)
        if work is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            work = self._remembered[asked] = self._work(touched, changed)
        return work

    def _work(self, touched: Sequence[str], changed: int) -> Work:
        towards: dict[int, int] = {}
        for key in touched:
            for i, growth in self._by_key.get(key, {}).items():
                towards[i] = growth if towards.get(i, growth) == growth else 0
        for fact, indexes in self._by_fact.items():
            if fact & changed:
                towards |= dict.fromkeys(indexes, 0)
        chosen = {sign: sorted(i for i in towards if towards[i] == sign) for sign in (-1, 0, 1)}
        counting = {i: self._counting[i] for i in chosen[1] if i in self._counting}
        return Work(
            tuple(chosen[0]),
            tuple((i, self._ids[i]) for i in chosen[1] if i not in counting),
            tuple((i, self._ids[i]) for i in chosen[-1]),
            tuple((i, self._ids[i], *needed) for i, needed in counting.items()),
        )


def dependents_of(segments: Sequence[Segment]) -> list[tuple[int, ...]]:
    """For each segment the indexes of those that ask about it."""
    index = {segment.id: i for i, segment in enumerate(segments)}
    found: list[list[int]] = [[] for _ in segments]
    for i, segment in enumerate(segments):
        for needed in needs(segment):
            found[index[needed]].append(i)
    return [tuple(indexes) for indexes in found]


def upstream_of(segments: Sequence[Segment]) -> dict[str, tuple[int, ...]]:
    """For each segment the indexes of all that it needs and its own, in order."""
    index = {segment.id: i for i, segment in enumerate(segments)}
    found: dict[str, tuple[int, ...]] = {}
    for i, segment in enumerate(segments):
        above = {j for needed in needs(segment) for j in (*found[needed], index[needed])}
        found[segment.id] = (*sorted(above), i)
    return found


def asked_of(segments: Sequence[Segment]) -> dict[str, frozenset[str]]:
    """For each segment the keys of the states that it asks about, also through others."""
    above = upstream_of(segments)
    own = [keepers_of((segment,)).keys() for segment in segments]
    return {s.id: frozenset().union(*(own[i] for i in above[s.id])) for s in segments}


def reaches_of(segments: Iterable[Segment]) -> dict[str, int | None]:
    """Key → how far back (ms) the events reach that its state needs; None: a whole life."""
    found: dict[str, int | None] = {}
    for segment in segments:
        for condition in walk(segment.when):
            if condition.keeper is not None:
                key = condition.keeper.key
                reach_ms: int | None = getattr(condition, "within_ms", None)
                before_ms = found.get(key, 0)
                if reach_ms is None or before_ms is None:
                    found[key] = None
                else:
                    found[key] = max(before_ms, reach_ms)
    return found
