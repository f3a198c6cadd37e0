"""Effects against cases worked out by hand and against scipy on the plain values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kruskal

from stream.analysis.effects import adjusted, binned, crossed, effect_of, gini


def effect(table: list[list[int]]):
    return effect_of(np.array(table), np.random.default_rng(1))


def test_two_groups_two_outcomes_is_phi():
    # phi = (30*30 - 10*10) / 40² = 0.5, so 0.25 of the variance; corrected 1 - 0.75 * 79/78.
    found = effect([[30, 10], [10, 30]])
    assert found.size == pytest.approx((1 - 0.75 * 79 / 78) ** 0.5)
    # The chi-square of 80 * 0.25, by the Kruskal-Wallis test's n - 1 in place of n.
    assert found.p == pytest.approx(chi2.sf(79 * 0.25, 1))
    assert found.low < found.size < found.high


def test_groups_that_tell_everything_have_effect_one():
    found = effect([[50, 0, 0], [0, 50, 0], [0, 0, 50]])
    assert (found.size, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.p < 1e-30


def test_groups_that_are_alike_have_none():
    found = effect([[30, 60], [10, 20], [20, 40]])
    assert (found.size, found.low, found.p) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("table", [[[5, 5]], [[5], [5]], [[0, 0], [4, 5]], [[1, 0], [0, 1]]])
def test_what_cannot_be_compared_has_no_effect(table: list[list[int]]):
    found = effect(table)
    assert (found.size, found.p) == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=8, max_size=60))
def test_the_p_value_is_that_of_kruskal_and_wallis(pairs: list[tuple[int, int]]):
    groups = sorted({group for group, _ in pairs})
    samples = [[value for group, value in pairs if group == g] for g in groups]
    if len(groups) < 2 or len({value for _, value in pairs}) < 2:
        return
    rows = np.array([groups.index(group) for group, _ in pairs])
    columns = np.unique([value for _, value in pairs], return_inverse=True)[1]
    found = effect_of(crossed(rows, columns), np.random.default_rng(1))
    assert found.p == pytest.approx(kruskal(*samples).pvalue)


def test_the_interval_holds_the_truth_nineteen_times_of_twenty():
    rng = np.random.default_rng(7)
    # Rates of 0.3 and 0.5, half and half: phi = 0.1 / sqrt(0.4 * 0.6).
    truth = 0.1 / 0.24**0.5
    inside = 0
    for _ in range(200):
        bought = rng.binomial([400, 400], [0.3, 0.5])
        found = effect_of(np.stack([bought, 400 - bought], axis=1), rng)
        inside += found.low <= truth <= found.high
    # 95 % of 200 is 190, give or take three standard deviations of 3.1.
    assert 181 <= inside <= 199


def test_under_chance_alone_intervals_begin_at_zero_nearly_always():
    rng = np.random.default_rng(8)
    above = 0
    for _ in range(200):
        table = rng.multinomial(500, np.full(20, 1 / 20)).reshape(5, 4)
        above += effect_of(table, rng).low > 0
    # One side of the interval is 2.5 %: 5 of 200, give or take three standard deviations of 2.2.
    assert above <= 12


def test_holm():
    # 0.01 * 3, then max(0.03, 0.02 * 2), then max(0.04, 0.04 * 1).
    assert adjusted([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert adjusted([0.9, 0.8]) == [1.0, 1.0]
    assert adjusted([]) == []


def test_bins_are_of_equal_size_and_keep_equal_values_together():
    assert binned(np.array([3.0, 1.0, 3.0]), 5).tolist() == [1, 0, 1]
    codes = binned(np.arange(100.0), 5)
    assert np.bincount(codes).tolist() == [20] * 5
    many_zeros = binned(np.array([0.0] * 90 + list(range(1, 11))), 5)
    assert set(many_zeros[:90].tolist()) == {0}


def test_gini():
    assert gini(np.array([5.0, 5.0])) == pytest.approx(0)
    # All of one among four: (n - 1) / n.
    assert gini(np.array([0.0, 0.0, 0.0, 8.0])) == pytest.approx(0.75)
    # Mean difference of 1 and 3 is 2, over twice the mean of 2, halved over both orders.
    assert gini(np.array([1.0, 3.0])) == pytest.approx(0.25)
    assert gini(np.array([-1.0, 3.0])) is None
    assert gini(np.array([])) is None
