"""Worked out once per file: who listens to which event, and what to look at again when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from stream.conditions.conditions import walk
from stream.conditions.keepers import Chain, Keeper
from stream.conditions.segments import Segment, needs
from stream.conditions.selection import ANY_EVENT, Happening
from stream.conditions.view import Changed

Listener = tuple[str, Callable[[Any, Happening], Any], Callable[[Happening], bool] | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which segments to look at again when something changed, by index in `segments`."""

    by_key: Mapping[str, frozenset[int]]
    by_fact: Mapping[Changed, frozenset[int]]
    remembered: dict[tuple[Any, ...], tuple[Segment, ...]] = field(default_factory=dict)


def keepers_of(segments: Iterable[Segment]) -> dict[str, Keeper]:
    found: dict[str, Keeper] = {}
    for segment in segments:
        for condition in walk(segment.when):
            if condition.keeper is not None:
                found.setdefault(condition.keeper.key, condition.keeper)
    return found


def listeners_of(
    keepers: Iterable[Keeper],
) -> tuple[dict[str, tuple[Listener, ...]], tuple[Listener, ...]]:
    """Who listens to each named event, and who to every event."""
    named: dict[str, list[Listener]] = {}
    everything: list[Listener] = []
    for keeper in keepers:
        filtered = not isinstance(keeper, Chain) and keeper.selections[0].where
        takes = keeper.selections[0].takes if filtered else None
        listener = (keeper.key, keeper.fold, takes)
        names = {name for selection in keeper.selections for name in selection.names}
        if ANY_EVENT in names:
            everything.append(listener)
            continue
        for name in names:
            named.setdefault(name, []).append(listener)
    return {name: (*found, *everything) for name, found in named.items()}, tuple(everything)


def plan_of(segments: Sequence[Segment]) -> Plan:
    index = {segment.id: i for i, segment in enumerate(segments)}
    dependents: list[set[int]] = [{i} for i in range(len(segments))]
    for i in reversed(range(len(segments))):
        for needed in needs(segments[i]):
            dependents[index[needed]] |= dependents[i]
    by_key: dict[str, set[int]] = {}
    by_fact: dict[Changed, set[int]] = {}
    for i, segment in enumerate(segments):
        for key in keepers_of((segment,)):
            by_key.setdefault(key, set()).update(dependents[i])
        asked = reduce(Changed.__or__, (c.facts for c in walk(segment.when)), Changed.NOTHING)
        for fact in asked:
            by_fact.setdefault(fact, set()).update(dependents[i])
    return Plan(
        {key: frozenset(which) for key, which in by_key.items()},
        {fact: frozenset(which) for fact, which in by_fact.items()},
    )


def upstream_of(segments: Sequence[Segment]) -> dict[str, tuple[Segment, ...]]:
    """Each segment with all that it needs, in order."""
    found: dict[str, tuple[Segment, ...]] = {}
    for segment in segments:
        above = {s.id for needed in needs(segment) for s in found[needed]}
        found[segment.id] = (*(s for s in segments if s.id in above), segment)
    return found
