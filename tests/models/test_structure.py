"""The criterion for the number of segments."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from models import structure
from models.lloyd import best_of, lloyd, partition
from models.structure import Moments, best_merge, elsewhere, grains, proposals, quality


def three(rng: np.random.Generator, n: int = 600, apart: float = 6.0) -> np.ndarray:
    centres = np.array([[0.0, 0.0], [apart, 0.0], [0.0, apart]])
    return centres[np.arange(n) % 3] + rng.normal(size=(n, 2))


def test_merged_moments_are_those_of_the_union() -> None:
    rng = np.random.default_rng(1)
    Z, labels = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    joined = Moments.of(Z, labels, 3).merged(0, 2)
    union = Z[labels != 1]
    assert joined.counts.tolist() == [(labels == 1).sum(), len(union)]
    assert joined.means[-1] == pytest.approx(union.mean(axis=0))
    assert joined.scatters[-1] == pytest.approx(np.cov(union.T, bias=True) * len(union))


def test_quality_is_the_classification_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without shrinking, grain and price it differs from scipy's densities by a constant."""
    for name in ("SHRINK", "GRAIN", "COST", "CHANCE"):
        monkeypatch.setattr(structure, name, 0.0)
    rng = np.random.default_rng(2)
    Z = three(rng)
    for k in (1, 2, 3):
        found = best_of(Z, k, 5, rng)
        total = 0.0
        for row in range(k):
            mine = Z[found.labels == row]
            density = multivariate_normal(mine.mean(axis=0), np.cov(mine.T, bias=True))
            total += density.logpdf(mine).sum() + len(mine) * np.log(len(mine) / len(Z))
        constant = np.log(2 * np.pi) + 1.0
        value = quality(Moments.of(Z, found.labels, k))
        assert value - constant == pytest.approx(total / len(Z))


@pytest.mark.parametrize("stretch", [1.0, 4.0])
def test_plain_groups_are_counted_even_when_they_are_long(stretch: float) -> None:
    rng = np.random.default_rng(3)
    Z = three(rng, apart=9.0)
    Z[:, 0] *= stretch
    Z /= Z.std(axis=0)
    scores = [
        quality(Moments.of(Z, f.labels, f.k)) for f in (best_of(Z, k, 8, rng) for k in range(1, 7))
    ]
    assert int(np.argmax(scores)) + 1 == 3


def test_one_cloud_is_one_group() -> None:
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(800, 6)) @ np.diag([3.0, 1.0, 1.0, 1.0, 1.0, 0.3])
    Z /= Z.std(axis=0)
    scores = [
        quality(Moments.of(Z, f.labels, f.k)) for f in (best_of(Z, k, 5, rng) for k in range(1, 6))
    ]
    assert int(np.argmax(scores)) == 0


def test_the_pair_that_is_one_group_is_merged() -> None:
    rng = np.random.default_rng(5)
    Z = three(rng, apart=10.0)
    # The first group is cut in two.
    cut = partition(Z, np.array([[-0.5, 0.0], [0.5, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    assert set(best_merge(Moments.of(Z, cut.labels, 4)) or ()) == {0, 1}


def test_proposals_offer_the_missing_split() -> None:
    rng = np.random.default_rng(6)
    Z = three(rng, apart=8.0)
    two = best_of(Z, 2, 5, rng)
    offered = proposals(Z, two, rng, smallest=10, most=8, grain=grains(Z))
    best = max(
        (partition(Z, c) for c in offered), key=lambda f: quality(Moments.of(Z, f.labels, f.k))
    )
    assert best.k == 3
    assert sorted(best.counts.tolist()) == pytest.approx([200] * 3, abs=10)


def test_a_centroid_is_put_elsewhere() -> None:
    # Two far groups of which one is long, and a few in between: the long one is made two.
    long = np.stack([np.linspace(-4.0, 4.0, 41), np.zeros(41)], axis=1)
    tight = np.tile([[20.0, 0.0]], (40, 1))
    few = np.tile([[12.0, 0.0]], (3, 1))
    Z = np.concatenate([long, tight, few])
    found = partition(Z, np.array([[0.0, 0.0], [20.0, 0.0], [12.0, 0.0]]))
    offered = elsewhere(Z, found, 2, np.random.default_rng(1))
    assert len(offered) == 3
    settled = np.sort(lloyd(Z, offered, 20).centroids[:, 0])
    # 21 at -4 to 0 and 20 above, or the other way round; the few join the tight group.
    assert settled[:2] == pytest.approx([-2.0, 2.0], abs=0.15)
    assert settled[2] == pytest.approx((40 * 20 + 3 * 12) / 43)


def test_where_all_are_in_one_place_there_is_nowhere_else() -> None:
    Z = np.ones((5, 2))
    found = partition(Z, np.array([[9.0, 9.0], [1.0, 1.0], [5.0, 5.0]]))
    assert elsewhere(Z, found, 2, np.random.default_rng(1))[1:].tolist() == [[1.0, 1.0]] * 2


def test_one_of_two_values_is_no_group() -> None:
    rng = np.random.default_rng(8)
    for share in (0.02, 0.2, 0.5):
        flags = (rng.random((2000, 3)) < share).astype(float)
        Z = np.column_stack([flags, rng.normal(size=2000)])
        Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
        grain = grains(Z)
        whole = quality(Moments.of(Z, np.zeros(2000, dtype=np.int64), 1, grain))
        apart = quality(Moments.of(Z, flags[:, 0].astype(np.int64), 2, grain))
        assert apart < whole


def test_grain_by_hand() -> None:
    # Values 1, 1, 1, 3, 4: their nearest others are 2, 2, 2, 1 and 1 away; squares 4, 4, 4, 1, 1.
    # What lies at 0 is unknown.
    few = np.array([1.0, 1.0, 1.0, 3.0, 4.0, 0.0])
    fine = np.linspace(0.0, 1.0, 6) / 10
    assert grains(np.column_stack([few, fine, np.zeros(6)])) == pytest.approx([0.28, 0.05, 0.05])
