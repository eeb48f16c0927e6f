"""Strategies and the luck of the best against closed forms, the paper's example, brute force and limits."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from skpapers.comparison._backtest import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe_ratio,
    overfitting_probability,
    probabilistic_sharpe_ratio,
    probability_above,
    sharpe_ratio,
    strategy_returns,
)


def test_ranked_weights_by_hand():
    dates = np.array([0, 1, 0, 0, 1, 3, 3])
    prediction = np.array([5.0, 1, 7, 6, 1, 2, 9])
    target = np.array([0.1, 0.5, 0.4, 0.2, 0.7, -1.0, 1.0])
    # date 0: weights -1/2, +1/2, 0; date 1: equal predictions, no position; date 2 has no row; date 3: -1/2, +1/2
    ours = strategy_returns(prediction, target, dates, ranked=True)
    np.testing.assert_allclose(ours, [0.15, 0.0, np.nan, 1.0])


def test_ranked_weights_are_neutral_to_the_market():
    rng = np.random.default_rng(0)
    dates = np.repeat(np.arange(20), 7)
    prediction = rng.integers(4, size=140).astype(float)
    target = rng.normal(size=140)
    market = rng.normal(size=20)[dates]
    with_market = strategy_returns(prediction, target + market, dates, ranked=True)
    np.testing.assert_allclose(with_market, strategy_returns(prediction, target, dates, ranked=True), atol=1e-12)


def test_signs_by_hand():
    dates = np.array([0, 1, 2, 2])
    ours = strategy_returns(np.array([0.3, -2.0, 0.0, 1.0]), np.array([0.1, 0.5, 9.0, 0.2]), dates, ranked=False)
    np.testing.assert_allclose(ours, [0.1, -0.5, 0.1])


def test_sharpe_ratio():
    assert sharpe_ratio(np.array([0.1, np.nan, 0.3])) == pytest.approx(0.2 / math.sqrt(0.02))
    assert sharpe_ratio(np.zeros(4)) == 0.0
    assert np.isnan(sharpe_ratio(np.array([0.1, 0.1, 0.1])))
    assert np.isnan(sharpe_ratio(np.array([0.1])))
    assert np.isnan(sharpe_ratio(np.array([np.nan])))


def test_example_of_the_paper():
    # 100 trials of annual variance 1/2; annual ratio 2.5 over 1250 days, skewness -3, kurtosis 10: 0.1132 and 0.9004
    threshold = expected_maximum_sharpe_ratio(0.5 / 250, 100)
    assert threshold == pytest.approx(0.1132, abs=5e-5)
    assert probability_above(2.5 / math.sqrt(250), threshold, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_expected_maximum_is_that_of_normal_draws():
    rng = np.random.default_rng(0)
    maxima = rng.normal(scale=0.2, size=(20000, 50)).max(axis=1)
    assert expected_maximum_sharpe_ratio(0.04, 50) == pytest.approx(maxima.mean(), rel=0.02)
    assert expected_maximum_sharpe_ratio(0.04, 1) == 0.0


def test_one_trial_is_not_deflated():
    returns = np.random.default_rng(0).standard_t(5, size=200) + 0.1
    alone = probabilistic_sharpe_ratio(returns)
    assert deflated_sharpe_ratio(returns, np.array([sharpe_ratio(returns)])) == alone
    assert deflated_sharpe_ratio(returns, np.array([sharpe_ratio(returns), np.nan])) == alone
    tried = np.array([sharpe_ratio(returns), 0.0, -0.1, 0.05])
    threshold = expected_maximum_sharpe_ratio(np.var(tried, ddof=1), 4)
    assert deflated_sharpe_ratio(returns, tried) == probabilistic_sharpe_ratio(returns, threshold) < alone


def test_probability_of_normal_returns():
    # two equal halves: skewness 0, kurtosis 1, so that the variance is 1
    returns = np.array([0.3, -0.1] * 20)
    ratio = 0.1 / (0.2 * math.sqrt(40 / 39))
    assert probabilistic_sharpe_ratio(returns) == pytest.approx(stats.norm.cdf(ratio * math.sqrt(39)))
    assert probabilistic_sharpe_ratio(returns, threshold=ratio) == pytest.approx(0.5)
    assert probabilistic_sharpe_ratio(returns, horizon=4) == pytest.approx(stats.norm.cdf(ratio * math.sqrt(9)))
    assert np.isnan(probabilistic_sharpe_ratio(np.zeros(10)))
    assert np.isnan(probabilistic_sharpe_ratio(returns, horizon=40))


def test_probability_is_calibrated():
    """Without skill the probability is uniform; returns are skewed and have fat tails."""
    rng = np.random.default_rng(0)
    draws = rng.exponential(size=(400, 250)) - 1
    found = [probabilistic_sharpe_ratio(-draw) for draw in draws]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def brute_force(returns, n_blocks):
    """Combinatorially symmetric cross-validation, loop by loop."""
    blocks = np.array_split(np.arange(len(returns)), n_blocks)
    below = []
    for half in itertools.combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[i] for i in half])
        outside = np.concatenate([blocks[i] for i in range(n_blocks) if i not in half])
        best = np.argmax([sharpe_ratio(column) for column in returns[inside].T])
        later = np.array([sharpe_ratio(column) for column in returns[outside].T])
        rank = stats.rankdata(later)[best]
        logit = math.log(rank / (returns.shape[1] + 1 - rank))
        below.append(1.0 if logit < 0 else 0.5 * (logit == 0))
    return np.mean(below)


@pytest.mark.parametrize(("n_periods", "n_strategies", "n_blocks"), [(8, 3, 4), (23, 4, 6), (40, 7, 8)])
def test_overfitting_is_brute_force(n_periods, n_strategies, n_blocks):
    returns = np.random.default_rng(n_periods).normal(0.1, 1e-3, size=(n_periods, n_strategies))
    assert overfitting_probability(returns, n_blocks) == pytest.approx(brute_force(returns, n_blocks))


def test_overfitting_in_the_limits():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 200, 5))
    assert np.mean([overfitting_probability(each, 8) for each in noise]) == pytest.approx(0.5, abs=0.08)
    skilled = noise[0] + np.array([0, 0, 1.0, 0, 0])
    assert overfitting_probability(skilled) == 0.0
    assert overfitting_probability(np.repeat(noise[0][:, :1], 4, axis=1)) == 0.5
    without_position = np.zeros((200, 2))
    assert overfitting_probability(without_position) == 0.5


def test_overfitting_needs_periods_and_strategies():
    returns = np.random.default_rng(0).normal(size=(40, 3))
    assert np.isnan(overfitting_probability(returns[:, :1]))
    assert np.isnan(overfitting_probability(returns[:3]))
    for n_periods in (5, 7):
        assert overfitting_probability(returns[:n_periods]) == pytest.approx(brute_force(returns[:n_periods], 2))
    holes = np.insert(returns, [0, 9], np.nan, axis=0)
    assert overfitting_probability(holes) == overfitting_probability(returns)
