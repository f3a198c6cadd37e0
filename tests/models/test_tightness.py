"""The tightest partitions known, by hand."""

import numpy as np
import pytest

from models.lloyd import best_of, partition
from models.space import F64, Space
from models.tightness import RIVAL_TICKS, Tightness, looser

X = np.array([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]])
#: Inertia 4, and 100.
NARROW, WIDE = np.array([[0.0, 1.0], [10.0, 1.0]]), np.array([[5.0, 0.0], [5.0, 2.0]])
ONE = np.array([[5.0, 1.0]])


def climbed() -> Tightness:
    tightness = Tightness()
    tightness.climb([partition(X, one) for one in (WIDE, NARROW, ONE)], [2, 3])
    return tightness


def test_the_tightest_is_kept_and_what_others_lack() -> None:
    tightness = climbed()
    assert list(tightness.known) == [2]
    assert tightness.known[2].tolist() == NARROW.tolist()
    # Half of the coordinates, by the logarithm of how many times as wide.
    assert tightness.lack(partition(X, WIDE)) == pytest.approx(np.log(100 / 4))
    assert tightness.lack(partition(X, NARROW)) == 0.0
    assert tightness.lack(partition(X, np.array([[0.0, 1.0], [10.0, 0.0], [10.0, 2.0]]))) == 0.0


def test_looser_than_an_inertia() -> None:
    # Inertia 100 against 1: half of two coordinates, by the logarithm of a hundred.
    assert looser(partition(X, WIDE), 1.0) == pytest.approx(np.log(100.0))


def many() -> F64:
    rng = np.random.default_rng(1)
    return np.concatenate([rng.normal(place, 1.0, (60, 3)) for place in (0.0, 3.0, 5.0, 9.0)])


def test_a_rival_learns_on_and_another_begins() -> None:
    Z, rng, tightness = many(), np.random.default_rng(2), Tightness()
    inertias = [tightness.rival(Z, 4, 1, 1, rng).inertia]
    inertias += [tightness.rival(Z, 4, 1, tick, rng).inertia for tick in range(2, RIVAL_TICKS)]
    assert inertias == sorted(inertias, reverse=True)
    assert tightness.rival(Z, 3, 1, 2, rng).k == 3


def test_rivals_find_what_batch_k_means_finds() -> None:
    Z, rng, tightness = many(), np.random.default_rng(3), Tightness()
    for tick in range(10 * RIVAL_TICKS):
        rival = tightness.rival(Z, 4, 5, tick, rng)
        known = [partition(Z, one) for one in tightness.known.values()]
        tightness.climb([rival, *known], [4])
    best = best_of(Z, 4, 20, np.random.default_rng(4))
    assert partition(Z, tightness.known[4]).inertia == pytest.approx(best.inertia)


def test_moves_with_the_space_and_goes_on_where_its_state_was_taken() -> None:
    flags = np.zeros(2, dtype=bool)
    old, new = Space(np.zeros(2), np.ones(2), flags), Space(np.ones(2), np.ones(2), flags)
    tightness, again = climbed(), Tightness()
    tightness.rival(X, 2, 1, 1, np.random.default_rng(1))
    tightness.known[2] = np.array([[0.0, 1.0], [2.0, 1.0]])
    tightness.move(old, new)
    assert tightness.known[2].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    again.restore(tightness.state())
    assert again.state() == tightness.state()
    again.restore({"tightest": []})
    assert again.state() == {"tightest": [], "rival": []}
