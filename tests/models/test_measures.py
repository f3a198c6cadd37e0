"""Measures, by hand."""

import numpy as np
import pytest

from models.measures import adjusted_rand, best_f1, churn, silhouette


def test_adjusted_rand_by_hand() -> None:
    # Hubert and Arabie's formula: pairs together in both 2, expected 3·3/15 = 0.6 … of
    # a = {0,1,2},{3,4,5}: 6 pairs; b = {0,1},{2,3},{4,5}: 3 pairs; both: {0,1},{4,5} = 2.
    a, b = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    expected = 6 * 3 / 15
    assert adjusted_rand(a, b) == pytest.approx((2 - expected) / ((6 + 3) / 2 - expected))


def test_adjusted_rand_does_not_mind_names() -> None:
    assert adjusted_rand(np.array([1, 1, 2, 2]), np.array([7, 7, -1, -1])) == 1.0


def test_f1_by_hand() -> None:
    truth, labels = np.array([0, 0, 0, 1, 1]), np.array([5, 5, 6, 6, 6])
    # Segment 6 against persona 1: 2 right, of 3 and of 2.
    assert best_f1(truth, labels, 1) == (pytest.approx(2 * 2 / 5), 6)


def test_churn() -> None:
    assert churn(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])) == 0.25


def test_silhouette_by_hand() -> None:
    # Distances 1 and 3 from the centroids: (3 - 1) / 3.
    Z, centroids = np.array([[1.0], [3.0]]), np.array([[0.0], [4.0]])
    assert silhouette(Z, centroids, np.array([0, 1])) == pytest.approx(2 / 3)
