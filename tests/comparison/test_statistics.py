"""Corrected tests and Holm's method against numbers worked out by hand, and under simulated null hypotheses."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from skpapers.comparison._statistics import corrected_tests, holm, holm_levels, paired_family


def test_by_hand():
    # mean 2, unbiased variance 1, k = 3, one test row to two training rows: sqrt(1/3 + 1/2); t(0.975, 2) = 4.302653
    tests = corrected_tests(np.array([[1.0, 2.0, 3.0]]), 0.5)
    low, high = tests.interval(0.05)
    assert tests.mean[0] == 2.0
    assert high[0] - 2.0 == pytest.approx(4.3026527297 * math.sqrt(5 / 6))
    assert 2.0 - low[0] == pytest.approx(high[0] - 2.0)


def test_two_folds_in_closed_form():
    # Student's distribution with one degree of freedom is Cauchy's
    a = 0.3
    b = -0.1
    tests = corrected_tests(np.array([[a, b]]), 1.0)
    error = math.sqrt((1 / 2 + 1.0) * (a - b) ** 2 / 2)
    half = math.tan(math.pi * 0.475) * error
    low, high = tests.interval(0.05)
    assert (low[0], high[0]) == pytest.approx((0.1 - half, 0.1 + half))
    assert tests.p_value[0] == pytest.approx(1 - 2 / math.pi * math.atan(0.1 / error))


def test_without_correction_it_is_the_paired_t_test():
    differences = np.random.default_rng(0).normal(0.3, 1, size=(4, 7))
    ours = corrected_tests(differences, 0.0)
    theirs = stats.ttest_1samp(differences, 0.0, axis=1)
    np.testing.assert_allclose(ours.p_value, theirs.pvalue)
    interval = theirs.confidence_interval(0.9)
    np.testing.assert_allclose(ours.interval(0.1), (interval.low, interval.high))


def test_missing_folds_are_left_out():
    full = corrected_tests(np.array([[1.0, 2.0, 4.0]]), 0.25)
    holes = corrected_tests(np.array([[1.0, np.nan, 2.0, 4.0, np.nan]]), 0.25)
    for name in ("mean", "error", "freedom", "p_value"):
        np.testing.assert_array_equal(getattr(full, name), getattr(holes, name))


def test_few_folds():
    tests = corrected_tests(np.array([[np.nan, np.nan], [0.25, np.nan]]), 0.5)
    np.testing.assert_array_equal(tests.mean, [np.nan, 0.25])
    assert np.isnan([tests.p_value, *tests.interval(0.05)]).all()


def test_differences_without_spread_decide_nothing_unless_they_are_zero():
    tests = corrected_tests(np.array([[0.0] * 5, [0.1] * 5, [0.3 - 0.2, 0.1, 0.4 - 0.3, 0.1, 0.1]]), 0.25)
    low, high = tests.interval(0.05)
    np.testing.assert_array_equal(tests.p_value, [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(low, [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(high, [0.0, np.nan, np.nan])
    np.testing.assert_allclose(tests.mean, [0.0, 0.1, 0.1])
    large = corrected_tests(np.array([[1e9, 1e9 + 1e-6, 1e9], [1e9, 1e9 + 1.0, 1e9]]), 0.25)
    assert np.isnan(large.p_value).tolist() == [True, False]


def closed_holm(p_values):
    """Adjust by the closed testing principle: the largest Bonferroni p-value of all families that hold a test."""
    m = len(p_values)
    families = [f for size in range(1, m + 1) for f in itertools.combinations(range(m), size)]
    return [max(min(1.0, len(f) * min(p_values[list(f)])) for f in families if i in f) for i in range(m)]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_closed_bonferroni(seed):
    p_values = np.random.default_rng(seed).random(6) ** 4
    p_values[1] = p_values[4]
    np.testing.assert_allclose(holm(p_values), closed_holm(p_values))


def test_holm_by_hand():
    # 0.01 * 3, then 0.02 * 2, then 0.03 * 1 raised to the one before; NaN does not count
    adjusted = holm(np.array([0.03, np.nan, 0.01, 0.02]))
    np.testing.assert_allclose(adjusted, [0.04, np.nan, 0.03, 0.04])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
    assert holm(np.array([])).shape == (0,)


def test_levels_by_hand():
    # 0.01 <= 0.05 / 3 is rejected, 0.03 > 0.05 / 2 is not: this level stays for the last
    np.testing.assert_allclose(holm_levels(np.array([0.03, np.nan, 0.01, 0.04])), [0.025, np.nan, 0.05 / 3, 0.025])
    np.testing.assert_allclose(holm_levels(np.array([0.001, 0.002])), [0.025, 0.05])
    # a p-value equal to its level is rejected
    np.testing.assert_allclose(holm_levels(np.array([0.025, 0.2])), [0.025, 0.05])


def test_intervals_agree_with_the_decisions():
    rng = np.random.default_rng(0)
    n_rejected = 0
    for _ in range(50):
        differences = rng.normal(rng.normal(0, 3, size=(8, 1)), 1, size=(8, 6))
        differences[2] = np.nan
        family = paired_family(differences, 0.2)
        known = ~np.isnan(family.p_value)
        assert not known[2]
        excludes = (family.low > 0) | (family.high < 0)
        np.testing.assert_array_equal(excludes[known], family.p_value[known] <= 0.05)
        n_rejected += excludes.sum()
    assert 50 < n_rejected < 300


def test_family_wise_error_under_the_null():
    """Nine methods equal to their baselines: 5 % of the families have a finding; plain intervals have far more."""
    rng = np.random.default_rng(0)
    ratio = 0.25
    correlation = ratio / (1 + ratio)  # of two folds, by the assumption of Nadeau and Bengio
    shared = rng.normal(size=(1000, 9, 1)) * math.sqrt(correlation)
    differences = shared + rng.normal(size=(1000, 9, 5)) * math.sqrt(1 - correlation)
    adjusted = np.mean([(paired_family(family, ratio).p_value <= 0.05).any() for family in differences])
    corrected = np.mean([(corrected_tests(family, ratio).p_value <= 0.05).any() for family in differences])
    plain = np.mean([(corrected_tests(family, 0.0).p_value <= 0.05).any() for family in differences])
    assert adjusted < 0.065
    assert 0.25 < corrected < plain
