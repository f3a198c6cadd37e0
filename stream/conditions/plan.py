"""Worked out once per file: what to look at again when."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.conditions.conditions import Condition, Not, walk
from stream.conditions.evaluation import NOTHING_HELD, Held
from stream.conditions.gates import Entries, Entry, Gates, enterable, gate_of, need_of
from stream.conditions.keepers import Keeper
from stream.conditions.segments import Segment, upstream_of
from stream.conditions.view import Changed, View

_MAX_REMEMBERED = 4_096


def keepers_of(segments: Iterable[Segment]) -> dict[str, Keeper]:
    """Every keeper that the segments need, once, by its key."""
    found: dict[str, Keeper] = {}
    for segment in segments:
        for condition in walk(segment.when):
            if condition.keeper is not None:
                found.setdefault(condition.keeper.key, condition.keeper)
    return found


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


@dataclass(slots=True)
class Work:
    """Segments to look at: all of `always` (by place), and of the others only those where it
    can matter: those of `letting_in` and `gates` that can be entered, members of `letting_out`
    (place, id).
    """

    always: list[int] = field(default_factory=list)
    letting_in: Entries = field(default_factory=Entries)
    letting_out: list[tuple[int, str]] = field(default_factory=list)
    gates: Gates | None = None

    def given(self, view: View) -> list[int]:
        """Places in ascending order, so that each segment comes after those it needs."""
        members, states = view.members, view.states
        work = [*self.always]
        work += self.letting_in.of(members, states)
        if self.gates is not None:
            work += enterable(self.gates.open(view), members, states)
        if members:
            work += [i for i, name in self.letting_out if name in members]
        work.sort()
        return work


class Plan:
    """Which segments to look at again when states or facts changed."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._ids = [segment.id for segment in segments]
        self._by_key: dict[str, dict[int, int]] = {}
        self._by_fact: dict[int, set[int]] = {fact: set() for fact in Changed.EACH}
        self._needs = [need_of(segment.when) for segment in segments]
        self._gates = [gate_of(segment.when) for segment in segments]
        self._remembered: dict[tuple[Any, ...], Work] = {}
        #: For a customer of whom nothing was looked at yet.
        self.everything = Work()
        for i, segment in enumerate(segments):
            self._add(self.everything, i, 0)
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

    def held(self, lacking: Collection[str]) -> Held:
        """What waits for the past of these states: an entry, unless more events only let in, and
        an exit, unless they only let out."""
        if not lacking:
            return NOTHING_HELD
        growths: dict[int, set[int]] = {}
        for key in lacking:
            for i, growth in self._by_key.get(key, {}).items():
                growths.setdefault(i, set()).add(growth)
        return Held(
            frozenset(i for i, found in growths.items() if found != {1}),
            frozenset(i for i, found in growths.items() if found != {-1}),
        )

    def _work(self, touched: Sequence[str], changed: int) -> Work:
        towards: dict[int, int] = {}
        for key in touched:
            for i, growth in self._by_key.get(key, {}).items():
                towards[i] = growth if towards.get(i, growth) == growth else 0
        for fact, indexes in self._by_fact.items():
            if fact & changed:
                towards |= dict.fromkeys(indexes, 0)
        work = Work()
        for i, sign in towards.items():
            self._add(work, i, sign)
        return work

    def _add(self, work: Work, i: int, sign: int) -> None:
        name, gate = self._ids[i], self._gates[i]
        entry = Entry(i, name, *self._needs[i])
        found = gate is not None or entry.key
        if sign == 0 and not found:
            work.always.append(i)
            return
        if sign <= 0:
            work.letting_out.append((i, name))
        if sign >= 0 and gate is not None:
            work.gates = work.gates or Gates()
            work.gates.add(gate, entry)
        elif sign >= 0:
            work.letting_in.add(entry)


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
