"""Where customers lay a while ago, by hand."""

import numpy as np
import pytest

from models.former import FORMER_TICKS, Former
from models.space import Space

SPACE = Space(np.array([1.0, 2.0]), np.array([0.5, 2.0]), np.array([True, True]))
#: As points: (log - mean) / scale, so (0, 0) and (2, -1).
A, B = np.expm1([1.0, 2.0]), np.expm1([2.0, 0.0])


def test_nobody_is_known_at_first() -> None:
    rows, then = Former(2).places(["a"], A[None, :], SPACE)
    assert rows.tolist() == []
    assert then.shape == (0, 2)


def test_places_are_told_when_they_are_old_enough() -> None:
    former = Former(2)
    former.tick(["a", "b"], np.array([A, B]))
    for _ in range(FORMER_TICKS - 1):
        former.tick(["a", "b"], np.array([B, B]))
        assert former.places(["a"], B[None, :], SPACE)[0].tolist() == []
    former.tick(["a", "b"], np.array([B, B]))
    # In another order, with somebody who was not there.
    rows, then = former.places(["new", "b", "a"], np.array([A, B, B]), SPACE)
    assert rows.tolist() == [1, 2]
    assert then == pytest.approx(np.array([[2.0, -1.0], [0.0, 0.0]]), abs=0.01)


def test_who_has_another_vector_has_been_seen() -> None:
    former = Former(2)
    assert former.seen(["a"], A[None, :]).tolist() == [True]
    for _ in range(FORMER_TICKS + 1):
        former.tick(["a", "b", "c"], np.array([A, B, [np.nan, 1.0]]))
    X = np.array([A, [np.nan, 1.0], A, A])
    assert former.seen(["new", "c", "b", "a"], X).tolist() == [True, False, True, False]


def test_they_follow_the_space_and_the_features() -> None:
    former = Former(2)
    for _ in range(FORMER_TICKS + 1):
        former.tick(["a"], np.array([[A[0], np.nan]]))
    elsewhere = Space(np.array([0.0, 2.0]), np.array([0.5, 2.0]), np.array([True, True]))
    X = np.array([[A[0], np.nan]])
    then = former.places(["a"], X, elsewhere)[1]
    assert then == pytest.approx(np.array([[2.0, 0.0]]), abs=0.01)
    wider = Space(np.zeros(3), np.ones(3), np.array([True] * 3))
    rows, then = former.widened(1).places(["a"], np.array([[A[0], np.nan, np.nan]]), wider)
    assert rows.tolist() == [0]
    assert then == pytest.approx(np.array([[1.0, 0.0, 0.0]]), abs=0.01)


def test_what_was_unknown_tells_of_no_movement() -> None:
    former = Former(2)
    for _ in range(FORMER_TICKS + 1):
        former.tick(["a", "b", "c"], np.array([[A[0], np.nan], [A[0], B[1]], A]))
    # All move from 0 to 2 in the first feature. Of the second, a value comes, goes, and changes.
    X = np.array([B, [B[0], np.nan], B])
    then = former.places(["a", "b", "c"], X, SPACE)[1]
    assert then == pytest.approx(np.array([[0.0, -1.0], [0.0, 0.0], [0.0, 0.0]]), abs=0.01)


def test_a_stored_one_goes_on() -> None:
    former = Former(2)
    for _ in range(FORMER_TICKS + 5):
        former.tick(["a", "b"], np.array([A, B]))
    again = Former.restored(former.state(), 2)
    for one in (former, again):
        for _ in range(FORMER_TICKS):
            one.tick(["b"], np.array([A]))
    X = np.array([A, A])
    for got, expected in zip(
        again.places(["a", "b"], X, SPACE), former.places(["a", "b"], X, SPACE), strict=True
    ):
        assert np.array_equal(got, expected)
    assert Former.restored({}, 2).places(["a"], X[:1], SPACE)[0].tolist() == []
