"""What is remembered: the same in any order of arrival, mergeable, and bounded."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.conditions.keepers import AHEAD_MS, Chain, Count, First, Keeper, Times
from stream.conditions.selection import Happening, Selection, purchase_event
from stream.conditions.sums import SCALE, LifeSum, WindowSum

A, B = Selection(("A",)), Selection(("B",))
WINDOW = 1_000

KEEPERS: dict[str, Callable[[], Keeper]] = {
    "times": lambda: Times(A, 3),
    "first": lambda: First(A),
    "count": lambda: Count(A),
    "chain": lambda: Chain((A, B, A), None),
    "chain of a window": lambda: Chain((A, B), WINDOW),
    "window": lambda: WindowSum(A, "v", WINDOW),
    "life": lambda: LifeSum(A, "v"),
}


def events() -> st.SearchStrategy[list[Happening]]:
    one = st.builds(
        Happening,
        st.sampled_from(["A", "B"]),
        st.integers(1, 60).map(lambda n: n * 20_000),
        st.fixed_dictionaries({"v": st.integers(-5, 5)}),
        st.none(),
    )
    return st.lists(one, max_size=20)


def folded(keeper: Keeper, happenings: list[Happening]) -> Any:
    names = {name for selection in keeper.selections for name in selection.names}
    state = None
    for event in happenings:
        if event.name in names:
            new = keeper.fold(state, event)
            state = state if new is None else new
    return state


def meaning(keeper: Keeper, state: Any) -> Any:
    """What conditions read from a state; the order of events of one moment says nothing."""
    if isinstance(keeper, Chain):
        # A start before the window is as good as none.
        newest_ms = max((t for columns in state or () for t in columns[0]), default=0)
        oldest_ms = newest_ms - (keeper.within_ms or newest_ms) - AHEAD_MS
        start_ms = keeper.latest_start(state)
        return start_ms if start_ms > oldest_ms else 0
    if isinstance(keeper, WindowSum) and state is not None:
        return sorted(zip(*state, strict=True))
    return state


@pytest.mark.parametrize("name", KEEPERS)
@given(happenings=events(), seed=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(
    name: str, happenings: list[Happening], seed: random.Random
) -> None:
    keeper = KEEPERS[name]()
    shuffled = seed.sample(happenings, len(happenings))
    in_order = sorted(happenings, key=lambda e: e.at_ms)
    assert meaning(keeper, folded(keeper, shuffled)) == meaning(keeper, folded(keeper, in_order))


@pytest.mark.parametrize("name", KEEPERS)
@given(happenings=events(), mask=st.lists(st.booleans(), min_size=20, max_size=20))
def test_two_states_merge_into_the_state_of_both(
    name: str, happenings: list[Happening], mask: list[bool]
) -> None:
    keeper = KEEPERS[name]()
    halves = [
        [e for e, m in zip(happenings, mask, strict=False) if m is side] for side in (True, False)
    ]
    one, other = (folded(keeper, half) for half in halves)
    if one is None or other is None:
        return
    whole = folded(keeper, happenings)
    assert meaning(keeper, keeper.merge(one, other)) == meaning(keeper, whole)


def test_states_stay_bounded() -> None:
    rng = random.Random(3)
    happenings = [
        Happening(rng.choice("AB"), rng.randrange(1, 10**9), {"v": 1}, None) for _ in range(3_000)
    ]
    assert len(folded(Times(A, 5), happenings)) == 5
    chain = folded(Chain((A, B), None), happenings)
    assert all(len(times) <= Chain.DEPTH for times, *_ in chain)
    window = folded(WindowSum(A, "v", 10**9), happenings)
    assert len(window[0]) <= WindowSum.LIMIT


def test_a_window_beyond_its_bound_errs_by_no_more_than_a_part_of_it() -> None:
    """Hand-made oracle: 3,000 events of one unit each, one per ms of a window of 2,000 ms."""
    keeper = WindowSum(A, "v", 2_000_000)
    state = folded(keeper, [Happening("A", i * 1_000, {"v": 1}, None) for i in range(1, 3_001)])
    now = 3_000_000
    part = 2_000_000 // WindowSum.PARTS
    kept = sum(v for t, v in zip(state[0], state[1], strict=True) if t > now - 2_000_000) / SCALE
    assert 2_000 <= kept <= 2_000 + part / 1_000


def test_what_left_the_window_is_forgotten_but_not_before_a_clock_may_be_behind() -> None:
    keeper = WindowSum(A, None, WINDOW)
    state = folded(
        keeper, [Happening("A", 1, {}, None), Happening("A", AHEAD_MS + WINDOW, {}, None)]
    )
    assert state[0] == [1, AHEAD_MS + WINDOW]
    state = keeper.fold(state, Happening("A", AHEAD_MS + WINDOW + 1, {}, None))
    assert state[0] == [AHEAD_MS + WINDOW, AHEAD_MS + WINDOW + 1]


def test_a_chain_in_order_is_exact_however_many_events_there_are() -> None:
    keeper = Chain((A, B, Selection(("C",))), None)
    happenings = [Happening("A", 1, {}, None), Happening("B", 2, {}, None)]
    happenings += [Happening("A", 10 + i, {}, None) for i in range(500)]
    happenings += [Happening("C", 1_000, {}, None)]
    state = None
    for event in happenings:
        state = keeper.fold(state, event) or state
    assert keeper.latest_start(state) == 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [(9.99, 99_900), (10, 100_000), ("9", None), (True, None), (float("inf"), None), (None, None)],
)
def test_amounts_are_exact_ten_thousandths(value: Any, kept: int | None) -> None:
    state = LifeSum(A, "v").fold(None, Happening("A", 1, {"v": value}, None))
    assert state == (None if kept is None else [kept, 1])


def test_totals_come_from_minor_units() -> None:
    keeper = LifeSum(A, "total")
    assert keeper.fold(None, Happening("A", 1, {"total": 5}, 1_999)) == [199_900, 1]


def test_a_purchase_is_an_event_with_the_values_of_its_items() -> None:
    class Item:
        def __init__(self, category: str | None, product_id: str) -> None:
            self.category, self.product_id = category, product_id

    items = [Item("shoes", "p1"), Item(None, "p2"), Item("shoes", "p3")]
    assert purchase_event(0, "USD", items) == (
        "Order Completed",
        {"total": 0.0, "currency": "USD", "category": ["shoes"], "product_id": ["p1", "p2", "p3"]},
    )
    assert purchase_event(-1, "USD", [])[0] == "Order Refunded"
