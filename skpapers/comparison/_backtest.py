"""Returns of strategies that trade on predictions, and how far luck explains the best of many.

===========================================================  ===============================
quantity                                                     function
===========================================================  ===============================
return of each date                                          `strategy_returns`
mean return over its standard deviation                      `sharpe_ratio`
probability that the true ratio is above a threshold [1]     `probabilistic_sharpe_ratio`
largest ratio to expect of N trials without skill [1]        `expected_maximum_sharpe_ratio`
probability that the true ratio is above that one [1]        `deflated_sharpe_ratio`
probability that the best of one half of the time is below
the median in the other half [2]                             `overfitting_probability`
===========================================================  ===============================

No ratio is annualised: a period is the time between two dates, or the horizon of the labels.

References: [1] D. H. Bailey, M. López de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting, and Non-Normality", Journal of Portfolio Management 40, 2014. [2] D. H. Bailey, J. M. Borwein, M. López de
Prado, Q. J. Zhu, "The Probability of Backtest Overfitting", Journal of Computational Finance 20, 2017.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skpapers.comparison._information_coefficient import Codes, Floats, centred_ranks

_BLOCKS = 16
_FEWEST_PERIODS = 2  # in a block
# Returns whose range is below this fraction of the largest differ by rounding only.
_ROUNDING = 1e-12


def strategy_returns(prediction: Floats, target: Floats, dates: Codes, *, ranked: bool) -> Floats:
    """Return what a strategy that weights each asset by its prediction earns on each date.

    Parameters
    ----------
    prediction, target : ndarray of shape (n,)
        The target is the return of the asset over the following period.
    dates : ndarray of shape (n,)
        Whole numbers from 0; the rows may be in any order.
    ranked : bool
        If True, for a panel, the weights are the ranks of the predictions minus their mean, so that longs and shorts
        are worth the same; they add up to 1 in absolute value, or to 0 if all predictions are equal. If False the
        strategy is long where the prediction is above 0 and short where it is below, in equal parts.

    Returns
    -------
    returns : ndarray of shape (max(dates) + 1,)
        Before costs. NaN for a date without rows.
    """
    counts = np.bincount(dates)
    weights = centred_ranks(prediction, dates) if ranked else np.sign(prediction)
    gross = np.bincount(dates, weights=np.abs(weights)) if ranked else counts.astype(np.float64)
    earned = np.bincount(dates, weights=weights * target)
    returns = np.divide(earned, gross, out=np.zeros(len(counts)), where=gross > 0)
    returns[counts == 0] = np.nan
    return returns


def sharpe_ratio(returns: Floats) -> float:
    """Return the mean over the standard deviation (ddof=1); 0 without any position, NaN if it is undefined."""
    known = returns[~np.isnan(returns)]
    if len(known) and not known.any():
        return 0.0
    if len(known) < 2 or np.ptp(known) <= _ROUNDING * np.abs(known).max():
        return np.nan
    return float(known.mean() / known.std(ddof=1))


def probabilistic_sharpe_ratio(returns: Floats, threshold: float = 0.0, horizon: int = 1) -> float:
    """Return the probability that the true Sharpe ratio is above a threshold.

    Parameters
    ----------
    returns : ndarray of shape (n_periods,)
        NaN are left out.
    threshold : float, default=0.0
        A Sharpe ratio.
    horizon : int, default=1
        Returns over `horizon` periods that begin at every period overlap; n of them count as ``n / horizon``.
    """
    known = returns[~np.isnan(returns)]
    ratio = sharpe_ratio(known)
    if np.isnan(ratio) or not known.any():
        return np.nan
    kurtosis = stats.kurtosis(known, fisher=False)
    return probability_above(ratio, threshold, len(known) / horizon, stats.skew(known), kurtosis)


def probability_above(ratio: float, threshold: float, n: float, skewness: float, kurtosis: float) -> float:
    """Return the probability that the true Sharpe ratio is above a threshold, from the moments of n returns."""
    variance = 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2
    if n <= 1 or variance <= 0:
        return np.nan
    return float(stats.norm.cdf((ratio - threshold) * math.sqrt((n - 1) / variance)))


def expected_maximum_sharpe_ratio(variance: float, n_trials: int) -> float:
    """Return the Sharpe ratio to expect of the best of `n_trials` trials without skill.

    Parameters
    ----------
    variance : float
        Variance of the Sharpe ratios of the trials.
    n_trials : int
    """
    if n_trials < 2:
        return 0.0
    first = stats.norm.isf(1 / n_trials)
    second = stats.norm.isf(1 / (n_trials * math.e))
    return math.sqrt(variance) * float((1 - np.euler_gamma) * first + np.euler_gamma * second)


def deflated_sharpe_ratio(returns: Floats, ratios: Floats, horizon: int = 1) -> float:
    """Return the probability that the true Sharpe ratio is above the largest of as many trials without skill.

    Parameters
    ----------
    returns : ndarray of shape (n_periods,)
        Returns of the chosen strategy; NaN are left out.
    ratios : ndarray of shape (n_trials,)
        The Sharpe ratio of every strategy that was tried, the chosen one among them; NaN are left out. Strategies that
        resemble one another count in full, which makes the result cautious.
    horizon : int, default=1
        As for :func:`probabilistic_sharpe_ratio`.
    """
    known = ratios[~np.isnan(ratios)]
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    return probabilistic_sharpe_ratio(returns, expected_maximum_sharpe_ratio(variance, len(known)), horizon)


def _block_ratios(blocks: list[Floats], chosen: NDArray[np.intp]) -> Floats:
    """Return the Sharpe ratios (ddof=0) of every strategy over sets of blocks; one row for each set."""
    counts = np.array([len(block) for block in blocks])[chosen].sum(axis=1)[:, None]
    sums = np.array([block.sum(axis=0) for block in blocks])[chosen].sum(axis=1)
    squares = np.array([(block**2).sum(axis=0) for block in blocks])[chosen].sum(axis=1)
    mean = sums / counts
    variance = np.maximum(squares / counts - mean**2, 0)
    flat = variance <= _ROUNDING * squares / counts
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def overfitting_probability(returns: Floats, n_blocks: int = _BLOCKS) -> float:
    """Return how often the strategy that is best on one half of the time is below the median on the other.

    Parameters
    ----------
    returns : ndarray of shape (n_periods, n_strategies)
        Periods with NaN are left out.
    n_blocks : int, default=16
        The periods are cut into this number of blocks, which is even; into fewer if a block would have less than two
        periods. The best is chosen once on each half of the blocks, and judged on the other half.

    Returns
    -------
    probability : float
        One half on average for strategies without skill, 0 if the best stays above the median. A rank equal to the
        median counts half, and ties have their mean rank. NaN with fewer than two strategies or four periods.
    """
    known = returns[~np.isnan(returns).any(axis=1)]
    n_periods, n_strategies = known.shape
    n_blocks = min(n_blocks, n_periods // _FEWEST_PERIODS) // 2 * 2
    if n_blocks < 2 or n_strategies < 2:
        return np.nan
    blocks = np.array_split(known / (np.abs(known).max() or 1.0), n_blocks)
    halves = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    others = halves[::-1]  # in this order the complement of a half is as far from the end as the half is from the start
    best = _block_ratios(blocks, halves).argmax(axis=1)
    ranks = stats.rankdata(_block_ratios(blocks, others), axis=1)[np.arange(len(halves)), best]
    median = (n_strategies + 1) / 2
    return float(np.mean(ranks < median) + np.mean(ranks == median) / 2)
