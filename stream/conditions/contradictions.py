"""Conditions that can never hold, or always do, found before they run.

Knows pairs of conditions side by side under `all` and `any`; it does not solve formulas.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from stream.conditions.conditions import All, AnyOf, Condition, Not
from stream.conditions.occurrences import CountEver, CountWithin, EventAge
from stream.conditions.occurrences import Sequence as Steps
from stream.conditions.selection import ANY_EVENT, ORDER_COMPLETED, Selection
from stream.conditions.standing import ORDERS, Affinity, Cluster, Total, Trait
from stream.conditions.values import Among, Both, Bounds, Exists, Test


def contradictions(condition: Condition) -> Iterator[tuple[int, int, str]]:
    """Of the parts of one condition: index of the offending part, of the other one, and what is
    wrong, in words with {} for the other one's name."""
    found: set[int] = set()
    if isinstance(condition, All):
        for (i, one), (j, other) in combinations(_flat(condition.parts), 2):
            if max(i, j) not in found and exclude(one, other):
                found.add(max(i, j))
                yield max(i, j), min(i, j), "never true together with {}"
    if isinstance(condition, AnyOf):
        for (i, one), (j, other) in combinations(enumerate(condition.parts), 2):
            if max(i, j) not in found and _cover(one, other):
                found.add(max(i, j))
                yield max(i, j), min(i, j), "any is always true: one of this and {} always holds"


def _flat(parts: tuple[Condition, ...]) -> list[tuple[int, Condition]]:
    """Parts, and the parts of an `all` inside an `all`, with the index of the outer part."""
    found = []
    for i, part in enumerate(parts):
        inner = _flat(part.parts) if isinstance(part, All) else [(i, part)]
        found += [(i, one) for _, one in inner]
    return found


def _opposite(one: Condition, other: Condition) -> bool:
    if isinstance(one, Not) and one.part.canonical() == other.canonical():
        return True
    return isinstance(other, Not) and other.part.canonical() == one.canonical()


def exclude(one: Condition, other: Condition) -> bool:
    """Whether both can never hold at once."""
    if _opposite(one, other):
        return True
    if isinstance(one, Trait) and isinstance(other, Trait) and one.name == other.name:
        return _tests_exclude(one.test, other.test)
    if isinstance(one, Total) and isinstance(other, Total) and one.measure == other.measure:
        return _disjoint(one.bounds, other.bounds)
    if isinstance(one, Affinity) and isinstance(other, Affinity):
        return one.category == other.category and _disjoint(one.bounds, other.bounds)
    if isinstance(one, Cluster) and isinstance(other, Cluster):
        return not set(one.clusters) & set(other.clusters)
    if isinstance(one, EventAge) and isinstance(other, EventAge):
        if _ages_exclude(one, other) or _ages_exclude(other, one):
            return True
    pairs = [(a, b) for a in _implied(one) for b in _implied(other)]
    return any(_counts_exclude(a, b) or _counts_exclude(b, a) for a, b in pairs)


def _ages_exclude(one: EventAge, other: EventAge) -> bool:
    same = (one.which, one.selection) == (other.which, other.selection)
    return same and other.younger_ms is not None and one.older_ms >= other.younger_ms


class _Count(NamedTuple):
    """`low` to `high` events of a selection, within a time (None: a whole life)."""

    selection: Selection
    low: int
    high: int | None
    within_ms: int | None


def _implied(condition: Condition) -> list[_Count]:
    """Counts that hold wherever the condition does."""
    if isinstance(condition, CountWithin):
        return [_Count(condition.selection, condition.low, condition.high, condition.within_ms)]
    if isinstance(condition, CountEver):
        return [_Count(condition.selection, condition.low, condition.high, None)]
    if isinstance(condition, Not):
        return _negated(condition.part)
    if isinstance(condition, EventAge):
        found = [_Count(condition.selection, 1, None, None)]
        if condition.which == "last" and condition.older_ms:
            found.append(_Count(condition.selection, 0, 0, condition.older_ms))
        if condition.which == "last" and condition.younger_ms is not None:
            found.append(_Count(condition.selection, 1, None, condition.younger_ms))
        return found
    if isinstance(condition, Steps):
        return [_Count(step, 1, None, condition.within_ms) for step in condition.steps]
    if isinstance(condition, Total) and condition.measure == ORDERS:
        return _orders(condition.bounds)
    return []


def _negated(part: Condition) -> list[_Count]:
    """Of one count that is open to one side the opposite is a count."""
    if not isinstance(part, CountWithin | CountEver):
        return []
    (count,) = _implied(part)
    if count.high is None:
        return [count._replace(low=0, high=count.low - 1)]
    return [count._replace(low=count.high + 1, high=None)] if count.low == 0 else []


def _orders(bounds: Bounds) -> list[_Count]:
    """`measure: orders` counts what `did: Order Completed` counts."""
    low = (
        0
        if bounds.low is None
        else -(-bounds.low // 1) + (bounds.low_open and bounds.low.denominator == 1)
    )
    high = None
    if bounds.high is not None:
        high = int(bounds.high // 1) - (bounds.high_open and bounds.high.denominator == 1)
    return [_Count(Selection((ORDER_COMPLETED,)), max(int(low), 0), high, None)]


def _counts_exclude(more: _Count, less: _Count) -> bool:
    """More of the same or fewer events in a shorter time than may be in the longer."""
    if less.high is None or more.low <= less.high:
        return False
    return _part_of(more.selection, less.selection) and _longer(less, more)


def _longer(one: _Count, other: _Count) -> bool:
    """Whether the time of `one` holds that of `other`."""
    if one.within_ms is None or other.within_ms is None:
        return one.within_ms is None
    return one.within_ms >= other.within_ms


def _part_of(part: Selection, of: Selection) -> bool:
    """Whether every event that `part` takes `of` takes as well."""
    if ANY_EVENT not in of.names and not set(part.names) <= set(of.names):
        return False
    tests = {repr((name, test.canonical())) for name, test in part.where}
    return all(repr((name, test.canonical())) in tests for name, test in of.where)


def _cover(one: Condition, other: Condition) -> bool:
    """Whether one of both always holds."""
    if _opposite(one, other):
        return True
    if isinstance(one, Trait) and isinstance(other, Trait) and one.name == other.name:
        return _tests_cover(one.test, other.test) or _tests_cover(other.test, one.test)
    counts = (CountWithin, CountEver)
    if not (isinstance(one, counts) and isinstance(other, counts)):
        return False
    (a,), (b,) = _implied(one), _implied(other)
    return _counts_cover(a, b) or _counts_cover(b, a)


def _counts_cover(most: _Count, least: _Count) -> bool:
    """At least so many in the longer time, or at most one fewer of them in the shorter."""
    if most.low or most.high is None or least.high is not None or most.high < least.low - 1:
        return False
    return _part_of(most.selection, least.selection) and _longer(least, most)


def _tests_cover(one: Test, other: Test) -> bool:
    if isinstance(one, Exists) and isinstance(other, Exists):
        return one.wanted is not other.wanted
    if isinstance(one, Among) and isinstance(other, Among) and one.negated and not other.negated:
        return {repr(value) for value in one.values} <= {repr(value) for value in other.values}
    return False


def _disjoint(one: Bounds, other: Bounds) -> bool:
    low = max((b for b in (one, other) if b.low is not None), key=lambda b: b.low or 0, default=one)
    high = min(
        (b for b in (one, other) if b.high is not None), key=lambda b: b.high or 0, default=one
    )
    # The tighter end wins; between equal ends the one that leaves its number out.
    low_open = any(b.low_open for b in (one, other) if b.low == low.low)
    high_open = any(b.high_open for b in (one, other) if b.high == high.high)
    return Bounds(low.low, high.high, low_open, high_open).empty()


def _tests_exclude(one: Test, other: Test) -> bool:
    """Of one value; a trait may be a list, so two wanted values do not exclude each other."""
    pairs = [(a, b) for a in _single(one) for b in _single(other)]
    return any(_pair_excludes(a, b) or _pair_excludes(b, a) for a, b in pairs)


def _single(test: Test) -> tuple[Test, ...]:
    return test.tests if isinstance(test, Both) else (test,)


def tests_contradict(tests: Sequence[Test]) -> bool:
    """Whether no value passes all of the tests."""
    return any(_tests_exclude(one, other) for one, other in combinations(tests, 2))


def _pair_excludes(one: Test, other: Test) -> bool:
    if isinstance(one, Exists) and not one.wanted:
        positive = isinstance(other, Bounds) or (isinstance(other, Among) and not other.negated)
        return positive or (isinstance(other, Exists) and other.wanted)
    if isinstance(one, Among) and isinstance(other, Among):
        kept = {repr(value) for value in one.values} <= {repr(value) for value in other.values}
        return kept and not one.negated and other.negated
    return isinstance(one, Bounds) and isinstance(other, Bounds) and _disjoint(one, other)
