"""How predictions rank the assets of a panel, date by date.

On a date with n assets let r be the ranks of the predictions and s those of the targets, both with ties averaged.

=====================================================================  ================================
quantity                                                               function
=====================================================================  ================================
rank information coefficient: the correlation of r and s (Spearman's)  `rank_information_coefficients`
mean target of the n // 5 highest predictions minus the n // 5 lowest  `spreads`
t-value of the mean of a series, by Newey and West                     `newey_west_t`
=====================================================================  ================================

A prediction that is equal for all assets of a date ranks nothing: its coefficient and its spread are 0, as the return
of a portfolio without positions is. If such dates were left out, a tree that predicts one value on most dates would be
judged by the few others. A date with fewer than three assets is NaN, and for the coefficient also a date on which all
targets are equal.

References: C. Spearman, "The Proof and Measurement of Association between Two Things", American Journal of Psychology
15, 1904; W. K. Newey, K. D. West, "A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
Covariance Matrix", Econometrica 55, 1987, Equation 5.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

N_QUANTILES = 5
_FEWEST_ASSETS = 3

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


def _places(values: Floats, dates: Codes) -> tuple[Floats, Floats]:
    """Return the first and the last place (from 0) of each value on its date; equal values share theirs."""
    order = np.lexsort((values, dates))
    sorted_values = values[order]
    sorted_dates = dates[order]
    new_date = np.append(True, sorted_dates[1:] != sorted_dates[:-1])
    new_value = new_date | np.append(True, sorted_values[1:] != sorted_values[:-1])
    start_of_date = np.flatnonzero(new_date)[np.cumsum(new_date) - 1]
    starts = np.flatnonzero(new_value)
    ends = np.append(starts[1:], len(values)) - 1
    tie = np.cumsum(new_value) - 1
    first = np.empty(len(values))
    last = np.empty(len(values))
    first[order] = starts[tie] - start_of_date
    last[order] = ends[tie] - start_of_date
    return first, last


def centred_ranks(values: Floats, dates: Codes) -> Floats:
    """Return the rank of each value on its date, ties averaged, minus the mean rank of the date."""
    return np.mean(_places(values, dates), axis=0) - (np.bincount(dates)[dates] - 1) / 2


def _sums(values: Floats, dates: Codes, n_dates: int) -> Floats:
    return np.bincount(dates, weights=values, minlength=n_dates).astype(np.float64, copy=False)


def rank_information_coefficients(prediction: Floats, target: Floats, dates: Codes) -> Floats:
    """Return Spearman's correlation of prediction and target on each date.

    Parameters
    ----------
    prediction, target : ndarray of shape (n,)
    dates : ndarray of shape (n,)
        Whole numbers from 0; the rows may be in any order.

    Returns
    -------
    coefficients : ndarray of shape (max(dates) + 1,)
        0 where all predictions are equal, NaN with fewer than three assets or with equal targets.
    """
    counts = np.bincount(dates)
    n_dates = len(counts)
    r = centred_ranks(prediction, dates)
    s = centred_ranks(target, dates)
    covariance = _sums(r * s, dates, n_dates)
    spread_r = _sums(r * r, dates, n_dates)
    spread_s = _sums(s * s, dates, n_dates)
    defined = (counts >= _FEWEST_ASSETS) & (spread_s > 0)
    ranked = defined & (spread_r > 0)
    coefficients = np.where(defined, 0.0, np.nan)
    coefficients[ranked] = covariance[ranked] / np.sqrt(spread_r[ranked] * spread_s[ranked])
    return coefficients


def spreads(prediction: Floats, target: Floats, dates: Codes, n_quantiles: int = N_QUANTILES) -> Floats:
    """Return the mean target of the highest predictions minus that of the lowest, on each date.

    Parameters
    ----------
    prediction, target : ndarray of shape (n,)
    dates : ndarray of shape (n,)
        Whole numbers from 0; the rows may be in any order.
    n_quantiles : int, default=5
        Each side holds ``n // n_quantiles`` of the n assets of a date, and at least one.

    Returns
    -------
    spreads : ndarray of shape (max(dates) + 1,)
        NaN with fewer than three assets. Equal predictions at the edge of a side belong to it in part: the result is
        the mean over all orders of the ties.
    """
    counts = np.bincount(dates)
    first, last = _places(prediction, dates)
    size = np.maximum(counts // n_quantiles, 1)[dates].astype(np.float64)
    width = last - first + 1
    n = counts[dates]
    top = np.clip(last + 1 - np.maximum(first, n - size), 0, None) / width
    bottom = np.clip(np.minimum(last + 1, size) - first, 0, None) / width
    result = _sums((top - bottom) * target / size, dates, len(counts))
    result[counts < _FEWEST_ASSETS] = np.nan
    return result


def newey_west_lag(n: int, horizon: int = 1) -> int:
    r"""Return the number of lags: :math:`4 (n / 100)^{2/9}`, and at least ``horizon - 1``.

    Labels that look `horizon` dates ahead overlap, which correlates their results over ``horizon - 1`` dates.
    """
    return min(max(math.floor(4 * (n / 100) ** (2 / 9)), horizon - 1), max(n - 1, 0))


def newey_west_t(series: Floats, lag: int) -> float:
    r"""Return the t-value of the mean of a series, by Newey and West.

    Parameters
    ----------
    series : ndarray of shape (n,)
        In the order of time. NaN are left out, as if the series had no such dates.
    lag : int
        The largest lag whose autocovariance counts.

    Returns
    -------
    t : float
        NaN for a constant series, or one with fewer than three values.

    Notes
    -----
    With :math:`\gamma_l` the autocovariances (divided by n), the variance of the mean is
    :math:`(\gamma_0 + 2 \sum_{l=1}^{lag} (1 - l / (lag + 1)) \gamma_l) / n`.
    """
    known = series[~np.isnan(series)]
    n = len(known)
    if n < 3:
        return np.nan
    mean = known.mean()
    deviations = known - mean
    variance = deviations @ deviations / n
    if math.sqrt(variance) <= 1e-12 * abs(mean):
        return np.nan
    for distance in range(1, min(lag, n - 1) + 1):
        weight = 1 - distance / (lag + 1)
        variance += 2 * weight * (deviations[distance:] @ deviations[:-distance]) / n
    return float(mean / math.sqrt(variance / n)) if variance > 0 else np.nan
