"""One defined segment, and how segments depend on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stream.conditions.conditions import Condition, Member, walk

KINDS = (
    "engagement",
    "intent",
    "demographic",
    "psychographic",
    "firmographic",
    "value",
    "lifecycle",
)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a definitions file says of one segment."""

    id: str
    name: str
    kind: str | None
    description: str
    when: Condition
    shadow: bool = False
    stay_at_least_ms: int = 0

    def canonical(self) -> tuple[Any, ...]:
        """What the segment means; its name and description mean nothing."""
        return (self.id, self.kind, self.shadow, self.stay_at_least_ms, self.when.canonical())


def needs(segment: Segment) -> tuple[str, ...]:
    """Segments that the segment asks about."""
    found = (part.segment for part in walk(segment.when) if isinstance(part, Member))
    return tuple(dict.fromkeys(found))


def ordered(segments: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Ids so that each comes after what it needs, and a cycle if there is one.

    `segments` maps an id to the ids that it needs; unknown ids are passed over.
    """
    order: list[str] = []
    open_path: list[str] = []

    def visit(segment: str) -> list[str]:
        if segment in order or segment not in segments:
            return []
        if segment in open_path:
            return [*open_path[open_path.index(segment) :], segment]
        open_path.append(segment)
        for needed in segments[segment]:
            if cycle := visit(needed):
                return cycle
        open_path.pop()
        order.append(segment)
        return []

    for segment in segments:
        if cycle := visit(segment):
            return order, cycle
    return order, []


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
