"""The heart: whatever the definitions and the history, the naive evaluation says the same."""

import json
from collections import Counter
from itertools import groupby
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stream.conditions import DefinitionError, Definitions, parse
from tests.stream.conditions import oracle, strategies
from tests.stream.conditions.customers import Customer, Ranks
from tests.stream.conditions.oracle import Record
from tests.stream.conditions.strategies import GRIDS, SPAN, START

TAIL = 50


def compiled(segments: dict[str, Any]) -> Definitions:
    # Through JSON: the same dict used twice would become an alias.
    plain = json.loads(json.dumps({"version": 1, "segments": segments}))
    try:
        return parse(yaml.safe_dump(plain), "random.yaml")
    except DefinitionError as error:
        contradictory = ("never true", "always true", "no value is both")
        assume(not all(any(c in p.found for c in contradictory) for p in error.problems))
        raise


def rank(measure: str, within: int | None, value: float) -> float | None:
    """Any fixed distribution does: the language only compares."""
    if measure == "events" and within is None:
        return None
    return min(100.0, value * (10 if measure == "orders" else 3))


def live(
    definitions: Definitions, records: list[Record], end: int, sleepy: bool = False
) -> Customer:
    customer = Customer(definitions, Ranks(rank), sleepy)
    ordered = sorted(records, key=lambda r: r.seen)
    for _, arrived in groupby(ordered, key=lambda r: r.seen):
        customer.receive(list(arrived))
    customer.wait(end)
    return customer


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, dict[str, Any], list[Record]]:
    unit = draw(st.sampled_from(list(GRIDS)))
    grid = GRIDS[unit]
    return grid, draw(strategies.definitions(unit)), draw(strategies.histories(grid))


def check(case: tuple[int, dict[str, Any], list[Record]]) -> None:
    grid, segments, records = case
    start, end = START * grid, (START + SPAN + TAIL) * grid
    expected = oracle.history(segments, records, start, end, grid, rank)
    customer = live(compiled(segments), records, end)
    assert Counter(customer.changes) == Counter(expected)
    assert [at for at, _, _ in customer.changes] == sorted(at for at, _, _ in expected)

    # Timers that fire late find the same.
    assert Counter(live(compiled(segments), records, end, sleepy=True).changes) == Counter(expected)
    check_announced_ends(customer, expected, max(r.seen for r in records), end)


def check_announced_ends(
    customer: Customer, expected: list[tuple[int, str, str]], quiet_from: int, end: int
) -> None:
    """What is entered once nothing happens any more ends exactly when it said it would."""
    entries = [change for verdict in customer.verdicts for change in verdict.entered]
    for entry in entries:
        # What time turned at the moment of the last arrival came just before it.
        if entry.at_ms < quiet_from + (entry.cause == "time"):
            continue
        exits = [at for at, name, what in expected if (name, what) == (entry.segment, "left")]
        actual = min((at for at in exits if at > entry.at_ms), default=None)
        if actual is not None or (entry.due_ms is not None and entry.due_ms <= end):
            assert entry.due_ms == actual


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_memberships_entries_and_exits_equal_the_oracle_exactly(
    case: tuple[int, dict[str, Any], list[Record]],
) -> None:
    check(case)


@pytest.mark.slow
@settings(max_examples=3_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_the_same_at_length(case: tuple[int, dict[str, Any], list[Record]]) -> None:
    check(case)
