"""Which segments are looked at again: those that what has happened can concern."""

from typing import Any

import pytest

from stream.conditions import Changed, parse
from stream.conditions.plan import Plan
from stream.conditions.view import Scope, View
from tests.stream.conditions.customers import StoredFacts

NOW = 1_790_000_000_000
CONDITIONS = {
    "norway": "{all: [{trait: country, in: ['NO', SE]}, {did: View}]}",
    "japan": "{all: [{did: View}, {trait: country, is: JP}]}",
    "adults": "{trait: age, at_least: 18}",
    "unknown": "{trait: age, exists: false}",
    "shoes": "{affinity: shoes, at_least: 0.4}",
    "not_hats": "{affinity: hats, less_than: 0.4}",
    "third": "{cluster: cluster-3}",
    "lookers": "{did: View, at_least: 3, within: 1h}",
    "buyers": "{did: Order Completed, at_least: 2}",
    "either": "{any: [{did: View}, {trait: country, is: JP}]}",
    "silent": "{did_not: View, within: 1h}",
    "spenders": "{sum: total, of: Order Completed, at_least: 10}",
    "thrifty": "{sum: total, of: Order Completed, at_most: 10}",
}
FILE = parse(
    "version: 1\nsegments:\n" + "".join(f"  {k}: {{when: {v}}}\n" for k, v in CONDITIONS.items()),
    "f",
)
SEGMENTS = list(FILE.segments.values())
KEYS = {s.id: {c.keeper.key for c in (s.when, *s.when.parts) if c.keeper} for s in SEGMENTS}
VIEWS, TIMES = (next(iter(KEYS[name])) for name in ("norway", "lookers"))
(ORDERS,) = KEYS["buyers"]


def looked_at(
    touched: list[str],
    changed: int,
    members: tuple[str, ...] = (),
    states: Any = None,
    **facts: Any,
) -> set[str]:
    scope = Scope({}, frozenset({"shoes", "hats"}))
    view = View(states or {}, StoredFacts(**facts), NOW, dict.fromkeys(members, NOW), scope)
    return {SEGMENTS[i].id for i in Plan(SEGMENTS).work(touched, changed).given(view)}


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({}, set()),
        ({"country": "JP"}, {"japan"}),
        ({"country": ["SE", "NO", "JP"]}, {"japan", "norway"}),
        ({"country": 5}, set()),
    ],
)
def test_an_event_concerns_those_whose_traits_let_them_in(
    traits: dict[str, Any], expected: set[str]
):
    found = looked_at([VIEWS], Changed.NOTHING, states={VIEWS: [1, NOW]}, traits=traits)
    assert found == {"either"} | expected


def test_members_are_not_asked_whether_they_may_enter():
    states = {VIEWS: [1, NOW]}
    traits = {"country": "JP"}
    assert looked_at([VIEWS], 0, ("japan", "either"), states, traits=traits) == set()


def test_a_changed_fact_concerns_members_and_whom_it_lets_in():
    asked = {"unknown", "either"}
    assert looked_at([], Changed.TRAITS, traits={}) == asked
    assert looked_at([], Changed.TRAITS, traits={"age": 3}) == asked
    assert looked_at([], Changed.TRAITS, traits={"age": 18}) == asked | {"adults"}
    # Members may have to leave, whatever they are now.
    assert looked_at([], Changed.TRAITS, ("adults", "norway"), traits={}) == asked | {
        "adults", "norway",
    }  # fmt: skip


def test_interests_and_clusters():
    changed = Changed.AFFINITIES | Changed.CLUSTER
    assert looked_at([], changed) == {"not_hats"}
    assert looked_at([], changed, weights={"shoes": 0.3, "hats": 0.3}) == {"not_hats"}
    assert looked_at([], changed, weights={"shoes": 0.5}) == {"not_hats", "shoes"}
    assert looked_at([], changed, cluster="cluster-3") == {"not_hats", "third"}


def test_too_few_events_let_nobody_in():
    for count, expected in ((2, set()), (3, {"lookers"})):
        states = {TIMES: [NOW] * count}
        assert looked_at([TIMES], 0, states=states) == expected
    # More events end a silence; who is not silent cannot begin to be.
    times = next(iter(KEYS["silent"]))
    assert looked_at([times], 0, ("silent",), {times: [NOW]}) == {"silent"}
    assert looked_at([times], 0, states={times: [NOW]}) == set()


def test_a_new_customer_is_asked_only_what_can_hold():
    view = View({}, StoredFacts(), NOW, {}, Scope({}, frozenset({"shoes", "hats"})))
    found = {SEGMENTS[i].id for i in Plan(SEGMENTS).everything.given(view)}
    assert found == {"unknown", "not_hats", "either", "silent", "thrifty"}
