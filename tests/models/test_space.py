"""The model space."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.space import CLIP, Space, amounts, distances, flatten

E = np.e


def test_logarithm_standardised_by_hand() -> None:
    # log1p of the column: 0, 1, 2 → mean 1, deviation sqrt(2/3).
    X = np.array([[0.0], [E - 1], [E**2 - 1]])
    space = Space.of(X)
    assert space.mean[0] == pytest.approx(1.0)
    assert space.scale[0] == pytest.approx(np.sqrt(2 / 3))
    assert space.project(X)[:, 0] == pytest.approx([-np.sqrt(1.5), 0.0, np.sqrt(1.5)])


def test_negative_values_keep_their_sign() -> None:
    assert flatten(np.array([[-(E - 1)]]), np.array([True]))[0, 0] == pytest.approx(-1.0)


def test_features_that_are_not_logged_stay() -> None:
    assert flatten(np.array([[7.0, 7.0]]), np.array([False, True]))[0, 0] == 7.0


def test_unknown_lies_at_the_mean_and_does_not_shift_it() -> None:
    X = np.array([[0.0], [np.nan], [E**2 - 1]])
    space = Space.of(X)
    assert space.mean[0] == pytest.approx(1.0)
    assert space.project(X)[1, 0] == 0.0


def test_constant_feature_is_not_blown_up() -> None:
    space = Space.of(np.full((5, 1), 3.0))
    assert space.project(np.array([[3.0]]))[0, 0] == 0.0
    assert abs(space.project(np.array([[4.0]]))[0, 0]) < 1.0


def test_a_column_without_any_value() -> None:
    space = Space.of(np.full((4, 2), np.nan))
    assert (space.project(np.array([[1.0, np.nan]])) <= CLIP).all()


@given(arrays(np.float64, (4, 3), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_points_are_finite_and_clipped_whatever_comes(X: np.ndarray) -> None:
    space = Space.of(np.array([[0.0, 5.0, -3.0], [9.0, 5.0, 1e12], [2.0, 5.0, 4.0]]))
    Z = space.project(X)
    assert np.isfinite(Z).all()
    assert (np.abs(Z) <= CLIP).all()


@given(arrays(np.float64, 3, elements=st.floats(0.0, 50.0)))
def test_raw_undoes_project(x: np.ndarray) -> None:
    space = Space(np.array([1.0, 2.0, 0.0]), np.array([2.0, 1.0, 3.0]), np.ones(3, dtype=bool))
    assert space.raw(space.project(x[None, :])[0]) == pytest.approx(x, abs=1e-6)


def test_a_point_moved_to_another_space_is_the_same_customer() -> None:
    one = Space(np.array([1.0]), np.array([2.0]), np.array([True]))
    other = Space(np.array([0.5]), np.array([1.0]), np.array([True]))
    x = np.array([[6.0]])
    assert one.moved(one.project(x), other) == pytest.approx(other.project(x))


def test_distances_by_hand() -> None:
    D = distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [3.0, 0.0]]))
    assert D == pytest.approx(np.array([[0.0, 9.0], [25.0, 16.0]]))


def test_what_has_both_signs_is_no_amount() -> None:
    rng = np.random.default_rng(1)
    spread = rng.uniform(0.0, 1.0, 1000)
    balance, spend = rng.normal(0.0, 40.0, 1000), rng.lognormal(3.0, 1.0, 1000)
    debts, wild = -spend, rng.standard_t(1.5, 1000)
    refunded = np.where(np.arange(1000) < 50, -spend, spend)
    X = np.column_stack([balance, spend, debts, wild, refunded, np.full(1000, np.nan)])
    assert amounts(X).tolist() == [False, True, True, True, True, True]
    # What was taken as it is stays so until hardly any value has the rarer sign.
    for count, logged in [(50, False), (15, True)]:
        few = np.where(np.arange(1000) < count, -spread, spread)
        assert amounts(few[:, None], np.array([False])).tolist() == [logged]
        assert amounts(few[:, None]).tolist() == [True]


def test_a_point_moves_to_and_from_a_space_of_logarithms() -> None:
    plain = Space(np.array([1.0]), np.array([2.0]), np.array([False]))
    logged = Space(np.array([0.5]), np.array([1.0]), np.array([True]))
    x = np.array([[-3.0], [6.0]])
    for one, other in ((plain, logged), (logged, plain)):
        assert one.moved(one.project(x), other) == pytest.approx(other.project(x))
        assert one.at(flatten(x, np.array([True]))) == pytest.approx(one.project(x))
