"""Ranks within dates against scipy, all orders of ties, and the closed form of the variance of a mean."""

import itertools

import numpy as np
import pytest
from scipy import stats

from skpapers.comparison._information_coefficient import (
    newey_west_lag,
    newey_west_t,
    rank_information_coefficients,
    spreads,
)


def panel(seed, n_dates=40, most=12, levels=6):
    """Return shuffled rows of dates with one to `most` assets; predictions and targets have ties."""
    rng = np.random.default_rng(seed)
    dates = np.repeat(np.arange(n_dates), rng.integers(1, most, size=n_dates))
    rng.shuffle(dates)
    prediction = rng.integers(levels, size=len(dates)) / 7
    target = np.round(prediction + rng.normal(size=len(dates)), 1)
    return prediction, target, dates


@pytest.mark.parametrize("seed", range(3))
def test_coefficients_are_spearmans(seed):
    prediction, target, dates = panel(seed)
    ours = rank_information_coefficients(prediction, target, dates)
    assert len(ours) == 40
    for date, value in enumerate(ours):
        p = prediction[dates == date]
        y = target[dates == date]
        if len(p) < 3 or np.ptp(y) == 0:
            assert np.isnan(value)
        elif np.ptp(p) == 0:
            assert value == 0.0
        else:
            assert value == pytest.approx(stats.spearmanr(p, y).statistic)


def test_edges_of_coefficients():
    dates = np.array([0] * 2 + [1] * 3 + [2] * 3 + [4] * 3 + [5] * 3)
    prediction = np.array([1, 2, 5, 5, 5, 1, 2, 3, 1, 2, 3, 5, 5, 5.0])
    target = np.array([1, 2, 1, 2, 3, 4, 4, 4, 30, 20, 10, 4, 4, 4.0])
    ours = rank_information_coefficients(prediction, target, dates)
    np.testing.assert_array_equal(ours, [np.nan, 0.0, np.nan, np.nan, -1.0, np.nan])


def spread_over_all_orders(p, y, n_quantiles):
    """Average over every order of the assets that sorts the predictions."""
    k = max(1, len(p) // n_quantiles)
    orders = [o for o in itertools.permutations(range(len(p))) if (np.diff(p[list(o)]) >= 0).all()]
    return np.mean([y[list(o[-k:])].mean() - y[list(o[:k])].mean() for o in orders])


@pytest.mark.parametrize("n_quantiles", [2, 3, 5])
def test_spreads_average_over_ties(n_quantiles):
    prediction, target, dates = panel(0, n_dates=30, most=7, levels=3)
    ours = spreads(prediction, target, dates, n_quantiles)
    for date, value in enumerate(ours):
        rows = dates == date
        if rows.sum() < 3:
            assert np.isnan(value)
        else:
            assert value == pytest.approx(spread_over_all_orders(prediction[rows], target[rows], n_quantiles))


def test_spread_by_hand():
    # ten assets, quintiles: the two highest minus the two lowest
    prediction = np.arange(10.0)
    target = prediction**2
    assert spreads(prediction, target, np.zeros(10, dtype=int)) == pytest.approx([(64 + 81) / 2 - 0.5])


def test_lag():
    assert [newey_west_lag(n) for n in (3, 100, 500, 5000)] == [1, 4, 5, 9]
    assert newey_west_lag(100, horizon=21) == 20
    assert newey_west_lag(5, horizon=21) == 4


def test_newey_west_is_the_weighted_sum_over_all_pairs():
    rng = np.random.default_rng(1)
    series = 0.3 + np.convolve(rng.normal(size=64), np.ones(5), mode="valid")
    n = len(series)
    deviations = series - series.mean()
    for lag in (0, 3, 8):
        weights = np.clip(1 - np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / (lag + 1), 0, None)
        expected = series.mean() / np.sqrt(deviations @ weights @ deviations) * n
        assert newey_west_t(series, lag) == pytest.approx(expected)
    holes = np.insert(series, [0, 7, n], np.nan)
    assert newey_west_t(holes, 3) == newey_west_t(series, 3)


def test_newey_west_of_statsmodels():
    # sm.OLS(x, ones).fit(cov_type="HAC", cov_kwds={"maxlags": 2}).tvalues[0] of statsmodels 0.15
    series = np.array([0.1, 0.3, -0.2, 0.25, 0.4, 0.05, 0.15, -0.1])
    assert newey_west_t(series, 2) == pytest.approx(2.6475854543081474)


def test_newey_west_corrects_overlapping_labels():
    """Under the null, means of five-day sums have t-values of a spread near 1, not near the square root of five."""
    rng = np.random.default_rng(0)
    window = np.ones(5)
    series = [np.convolve(rng.normal(size=504), window, mode="valid") for _ in range(200)]
    assert 1.9 < np.std([newey_west_t(x, 0) for x in series]) < 2.6
    assert 0.9 < np.std([newey_west_t(x, newey_west_lag(500, horizon=5)) for x in series]) < 1.4


def test_series_that_have_no_t_value():
    assert np.isnan(newey_west_t(np.array([0.1, np.nan, 0.2]), 1))
    assert np.isnan(newey_west_t(np.full(10, 0.1), 1))
    assert np.isnan(newey_west_t(np.zeros(10), 1))
    assert np.isnan(newey_west_t(np.array([1e9, 1e9 + 1e-6, 1e9]), 1))
    assert newey_west_t(np.array([1.0, 2.0, 3.0]), 0) == pytest.approx(2 / np.sqrt(2 / 9))
