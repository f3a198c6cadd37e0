"""The heart: whatever the definitions and the history, the naive evaluation says the same."""

import json
from collections import Counter
from itertools import groupby
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from stream.conditions import Changed, DefinitionError, Definitions, parse
from tests.stream.conditions import oracle, strategies
from tests.stream.conditions.customers import Customer, Ranks
from tests.stream.conditions.dense import Dense
from tests.stream.conditions.oracle import Record
from tests.stream.conditions.strategies import GRIDS, SPAN, START

TAIL = 50


class Contradiction(Exception):
    """The definitions drawn are refused, rightly."""


def compiled(segments: dict[str, Any]) -> Definitions:
    # Through JSON: the same dict used twice would become an alias.
    plain = json.loads(json.dumps({"version": 1, "segments": segments}))
    try:
        return parse(yaml.safe_dump(plain), "random.yaml")
    except DefinitionError as error:
        contradictory = ("never true", "always true", "no value is both")
        if all(any(c in p.found for c in contradictory) for p in error.problems):
            raise Contradiction from error
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
    receive(customer, records)
    customer.wait(end)
    return customer


def receive(customer: Customer, records: list[Record]) -> None:
    ordered = sorted(records, key=lambda r: r.seen)
    for _, arrived in groupby(ordered, key=lambda r: r.seen):
        customer.receive(list(arrived))


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, dict[str, Any], list[Record]]:
    unit = draw(st.sampled_from(list(GRIDS)))
    grid = GRIDS[unit]
    return grid, draw(strategies.definitions(unit)), draw(strategies.histories(grid))


def check(case: tuple[int, dict[str, Any], list[Record]]) -> int:
    """How many changes there were, all of them as they should be."""
    grid, segments, records = case
    start, end = START * grid, (START + SPAN + TAIL) * grid
    expected = oracle.history(segments, records, start, end, grid, rank)
    customer = live(compiled(segments), records, end)
    assert Counter(customer.changes) == Counter(expected)
    assert [at for at, _, _ in customer.changes] == sorted(at for at, _, _ in expected)

    # Timers that fire late find the same.
    assert Counter(live(compiled(segments), records, end, sleepy=True).changes) == Counter(expected)
    check_announced_ends(customer, expected, max(r.seen for r in records), end)
    return len(expected)


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_memberships_entries_and_exits_equal_the_oracle_exactly(
    case: tuple[int, dict[str, Any], list[Record]],
) -> None:
    try:
        check(case)
    except Contradiction:
        reject()


@pytest.mark.parametrize("hundred", range(2))
def test_dense_histories_equal_the_oracle_exactly(hundred: int) -> None:
    check_dense(range(hundred * 100, hundred * 100 + 100))


@pytest.mark.parametrize("ten", range(6))
def test_new_definitions_once_backfilled_are_as_if_they_had_always_been(ten: int) -> None:
    for seed in range(ten * 10, ten * 10 + 10):
        check_switch(Dense(seed))


def check_switch(case: Dense) -> None:
    """Half of the segments under other ids, and in the middle of the history all of them."""
    half = {name: case.segments[name] for name in ("s0", "s1")}
    try:
        new = compiled(case.segments)
        renamed = json.dumps(half).replace('"s0"', '"o0"').replace('"s1"', '"o1"')
        old = compiled(json.loads(renamed))
    except Contradiction:
        return
    switch, end = (START + SPAN // 2) * case.grid, (START + SPAN + TAIL) * case.grid
    before = [r for r in case.records if r.seen < switch]
    if not before:
        return
    customer = live(old, before, switch)
    backfilled: dict[str, Any] = {}
    for r in before:
        if r.name:
            new.observe(backfilled, r.name, r.at, r.properties, r.minor)
    customer.definitions = later = new.after(old)
    later.adopt(customer.memory, (0, 0))
    later.complete(customer.memory, backfilled.get("s", {}), later.lacking(customer.memory, (0,)))
    customer.changes.clear()
    customer.evaluate(switch, Changed.NOTHING)
    assert not [name for name in customer.members if name.startswith("o")]
    receive(customer, [r for r in case.records if r.seen >= switch])
    customer.wait(end)
    expected = oracle.history(case.segments, case.records, switch, end, case.grid, rank)
    found = [change for change in customer.changes if change[1].startswith("s")]
    assert Counter(found) == Counter(expected)


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(1, 11))
def test_the_same_at_length(thousand: int) -> None:
    check_dense(range(1_000 * thousand, 1_000 * thousand + 1_000))


def check_dense(seeds: range) -> None:
    checked = changes = 0
    for seed in seeds:
        case = Dense(seed)
        try:
            changes += check((case.grid, case.segments, case.records))
            checked += 1
        except Contradiction:
            continue
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {case.segments} {case.records}") from error
    # The cases are worth something only if they are used and much happens in them.
    assert checked > 0.8 * len(seeds)
    assert changes > 5 * checked
