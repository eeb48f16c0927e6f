"""Paired differences over the folds of one cross-validation: corrected t tests, adjusted for their number.

========================================  ====================
step                                      function
========================================  ====================
variance of a mean over overlapping folds  `corrected_tests`
p-values of a family                      `holm`
levels of the intervals of a family       `holm_levels`
all three                                 `paired_family`
========================================  ====================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

# Differences whose standard deviation is below this fraction of their mean differ by rounding only.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class PairedTests:
    """Paired tests, one per row of differences; NaN where the folds cannot decide.

    Parameters
    ----------
    mean : ndarray of shape (m,)
        Mean difference over the folds that have one.
    error : ndarray of shape (m,)
        Corrected standard error of the mean.
    freedom : ndarray of shape (m,)
        Degrees of freedom, the number of differences minus 1.
    p_value : ndarray of shape (m,)
        P-values of the two-sided tests.
    """

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: NDArray[np.float64]
    p_value: NDArray[np.float64]

    def interval(self, level: NDArray[np.float64] | float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper bounds of the intervals with confidence ``1 - level``."""
        with np.errstate(invalid="ignore"):
            half = stats.t.isf(np.asarray(level) / 2, df=self.freedom) * self.error
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class Family:
    """Paired tests of one question, adjusted for their number; see :func:`paired_family`."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_value: NDArray[np.float64]


def corrected_tests(differences: NDArray[np.float64], test_train_ratio: NDArray[np.float64] | float) -> PairedTests:
    r"""Test whether mean differences over the folds of a cross-validation are zero.

    Parameters
    ----------
    differences : ndarray of shape (m, k)
        Scores of m methods minus those of what they are compared with, per fold; NaN for a fold without a difference.
    test_train_ratio : ndarray of shape (m,) or float
        Test rows per training row, averaged over the folds.

    Returns
    -------
    tests : PairedTests
        With fewer than two differences only the mean is known. Differences that are all zero have the p-value 1 and an
        interval of width zero. Equal differences other than zero have neither p-value nor interval: a variance of zero
        over a few folds shows that the metric is coarse, not that the result is certain.

    Notes
    -----
    Training sets of a cross-validation overlap, so the variance :math:`s^2 / k` of the mean of k differences is too
    small. Nadeau and Bengio replace it by :math:`(1 / k + n_{test} / n_{train}) s^2`, where :math:`s^2` is the
    unbiased variance of the differences; the quantile is Student's with k - 1 degrees of freedom. Expanding and
    rolling windows overlap less than the folds of K-fold cross-validation, for which the correction was made, but
    there are few of them, and their differences may depend on one another: read these intervals as lower bounds of
    the uncertainty.

    References
    ----------
    C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003.
    https://doi.org/10.1023/A:1024068626366
    """
    values = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    known = np.isfinite(values)
    k = known.sum(axis=1)
    filled = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=1) / k
        deviations = np.where(known, values - mean[:, None], 0.0)
        variance = (deviations**2).sum(axis=1) / (k - 1)
        error = np.sqrt((1 / k + np.asarray(test_train_ratio)) * variance)
        equal = np.sqrt(variance) <= _ROUNDING * np.abs(mean)
        error[equal & (mean != 0)] = np.nan
        p_value = 2 * stats.t.sf(np.abs(mean / error), df=k - 1)
    p_value[equal & (mean == 0)] = 1.0
    return PairedTests(mean, error, (k - 1).astype(np.float64), p_value)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm's method; a NaN stays NaN and does not count.

    Notes
    -----
    The i-th smallest of m p-values is multiplied by m - i + 1, and raised to the one before if it is smaller. If all
    tests whose adjusted p-value is at most alpha are rejected, the probability of any false rejection is at most
    alpha, however the tests depend on one another.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1.0)
    return adjusted


def holm_levels(p_values: NDArray[np.float64], alpha: float = 0.05) -> NDArray[np.float64]:
    """Return the level of each test in Holm's procedure; after the first test that is not rejected it stays the same.

    An interval at this level excludes zero exactly where Holm's method rejects.
    """
    levels = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = alpha / np.arange(len(order), 0, -1)
    accepted = np.flatnonzero(p_values[order] > steps)
    if len(accepted):
        steps[accepted[0] :] = steps[accepted[0]]
    levels[order] = steps
    return levels


def paired_family(
    differences: NDArray[np.float64], test_train_ratio: NDArray[np.float64] | float, alpha: float = 0.05
) -> Family:
    """Test m mean differences as one family.

    Parameters
    ----------
    differences : ndarray of shape (m, k)
        As for :func:`corrected_tests`.
    test_train_ratio : ndarray of shape (m,) or float
        Test rows per training row, averaged over the folds.
    alpha : float, default=0.05
        Largest probability of at least one false finding in the family.

    Returns
    -------
    family : Family
        Mean differences, Holm-adjusted p-values, and intervals that exclude zero exactly where the adjusted p-value is
        at most `alpha`.
    """
    tests = corrected_tests(differences, test_train_ratio)
    low, high = tests.interval(holm_levels(tests.p_value, alpha))
    return Family(tests.mean, low, high, holm(tests.p_value))
