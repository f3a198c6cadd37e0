"""Walking back over changes gives what a plain replay of them up to the moment gives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.asof import Reach, WalkBack
from stream.events import MAX_FUTURE_MS
from stream.store.records import Change
from stream.topics import partition_of


def change(
    position: int, customer: str, segment: str, kind: Any, at_ms: int, **more: Any
) -> Change:
    cause = more.pop("cause", "event")
    return Change(f"{position}-0", "id", customer, segment, kind, at_ms, cause, "why", 1, **more)


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes in the order of time, each pair going in and out by turns."""
    inside: set[tuple[str, str]] = set()
    found = []
    moments = sorted(draw(st.lists(st.integers(1, 40), max_size=30)))
    for at_ms in moments:
        pair = (draw(st.sampled_from("ab")), draw(st.sampled_from("xyz")))
        kind = "left" if pair in inside else "entered"
        inside ^= {pair}
        found.append(change(at_ms, *pair, kind, at_ms))
    return found


def replayed(history: list[Change], at_ms: int) -> dict[tuple[str, str], int]:
    """Who is where, and since when, after the changes up to a moment."""
    members: dict[tuple[str, str], int] = {}
    for one in history:
        if one.at_ms <= at_ms:
            pair = (one.customer_id, one.segment)
            if one.change == "entered":
                members[pair] = one.at_ms
            else:
                del members[pair]
    return members


@given(histories(), st.integers(0, 45))
def test_the_past_is_found_from_the_end(history: list[Change], at_ms: int):
    now = replayed(history, 100)
    back = WalkBack(at_ms)
    for one in reversed(history):
        back.add(one)
    stayed = {pair for pair, since in now.items() if since <= at_ms}
    found = (stayed - back.entered_since()) | back.left_since().keys()
    expected = replayed(history, at_ms)
    assert found == expected.keys()
    assert {pair: back.entry(*pair).at_ms for pair in found} == expected  # type: ignore[union-attr]
    # What was left since and what stayed never count one membership twice.
    assert len(stayed) + len(back.left_since()) == len(expected)


def test_only_what_is_wanted_is_remembered():
    back = WalkBack(5, lambda change: change.segment == "x")
    for one in (change(7, "a", "y", "left", 7), change(6, "a", "x", "left", 6)):
        back.add(one)
    assert back.left_since().keys() == {("a", "x")}


def test_passed_allows_for_changes_by_events_that_are_ahead():
    back = WalkBack(10 * MAX_FUTURE_MS)
    assert not back.passed(f"{9 * MAX_FUTURE_MS}-3")
    assert back.passed(f"{9 * MAX_FUTURE_MS - 1}-3")


def test_how_far_replayed_changes_reach():
    zero = next(c for c in "abcdefgh" if partition_of(c, 2) == 0)
    one = next(c for c in "abcdefgh" if partition_of(c, 2) == 1)
    reach = Reach(2)
    reach.add(change(9, zero, "x", "entered", 90))
    assert reach.back_to_ms() is None
    # Time and the model may date a change back: they do not tell.
    reach.add(change(8, one, "x", "entered", 80, cause="time"))
    reach.add(change(8, one, "cluster-1", "entered", 80))
    assert reach.back_to_ms() is None
    reach.add(change(7, one, "x", "entered", 70))
    assert reach.back_to_ms() == 90
    reach.add(change(6, zero, "x", "left", 60))
    assert reach.back_to_ms() == 70
