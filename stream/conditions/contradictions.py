"""Conditions that can never hold, or always do, found before they run.

Knows pairs of conditions side by side under `all` and `any`; it does not solve formulas.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from stream.conditions.conditions import All, AnyOf, Condition, Not
from stream.conditions.occurrences import CountEver, CountWithin, EventAge
from stream.conditions.standing import Affinity, Cluster, Total, Trait
from stream.conditions.values import Among, Both, Bounds, Exists, Test


def contradictions(condition: Condition) -> Iterator[tuple[int, str]]:
    """Index of the offending part, and what is wrong, of the parts of one condition."""
    if isinstance(condition, All):
        for (i, one), (j, other) in combinations(_flat(condition.parts), 2):
            if exclude(one, other):
                yield max(i, j), "a part that is never true together with another part"
    if isinstance(condition, AnyOf):
        for (i, one), (j, other) in combinations(enumerate(condition.parts), 2):
            if _opposite(one, other):
                yield max(i, j), "the opposite of another part, so that any is always true"


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
        return _ages_exclude(one, other) or _ages_exclude(other, one)
    if isinstance(one, CountWithin | CountEver) and isinstance(other, CountWithin | CountEver):
        return _counts_exclude(one, other) or _counts_exclude(other, one)
    return False


def _ages_exclude(one: EventAge, other: EventAge) -> bool:
    same = (one.which, one.selection) == (other.which, other.selection)
    return same and other.younger_ms is not None and one.older_ms >= other.younger_ms


def _counts_exclude(more: CountWithin | CountEver, less: CountWithin | CountEver) -> bool:
    """More in a shorter time than may be in the longer."""
    if more.selection.canonical() != less.selection.canonical() or less.high is None:
        return False
    longer = isinstance(less, CountEver) or (
        isinstance(more, CountWithin) and more.within_ms <= less.within_ms
    )
    return longer and more.low > less.high


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
