"""Lloyd's steps."""

import numpy as np
import pytest

from models.lloyd import best_of, far_point, lloyd, means, partition, spread_out


def test_two_groups_by_hand() -> None:
    Z = np.array([[0.0], [1.0], [9.0], [10.0]])
    found = lloyd(Z, np.array([[0.0], [1.0]]), steps=10)
    assert found.centroids[:, 0].tolist() == [0.5, 9.5]
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert found.sse.tolist() == [0.5, 0.5]


def test_an_empty_group_keeps_its_centroid() -> None:
    Z = np.array([[0.0], [1.0]])
    found = means(Z, np.array([0, 0]), 2, np.array([[7.0], [8.0]]))
    assert found[:, 0].tolist() == [0.5, 8.0]


def test_steps_never_make_it_worse() -> None:
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(200, 3))
    centroids, before = Z[:5], np.inf
    for steps in range(6):
        inertia = lloyd(Z, centroids, steps).inertia
        assert inertia <= before + 1e-9
        before = inertia


def test_far_point_is_where_nobody_is_near() -> None:
    Z = np.array([[0.0]] * 50 + [[100.0]])
    assert far_point(Z, np.array([[0.0]]), np.random.default_rng(1)).tolist() == [[100.0]]


def test_identical_points_are_no_trouble() -> None:
    Z = np.ones((10, 2))
    assert spread_out(Z, 3, np.random.default_rng(1)).shape == (3, 2)
    assert best_of(Z, 3, 2, np.random.default_rng(1)).inertia == 0.0


def test_best_of_finds_plain_groups() -> None:
    rng = np.random.default_rng(4)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    Z = centres[np.arange(200) % 4] + rng.normal(0.0, 0.1, (200, 2))
    found = best_of(Z, 4, 5, rng)
    assert sorted(np.round(found.centroids, 0).tolist()) == sorted(centres.tolist())
    assert partition(Z, found.centroids).counts.tolist() == [50] * 4
    assert found.inertia == pytest.approx(200 * 2 * 0.1**2, rel=0.3)
