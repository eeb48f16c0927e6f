"""Rows needed for a score, read off a curve of scores, and how they grow with the number of columns."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def rows_needed(n_samples: ArrayLike, scores: ArrayLike, target: float) -> float:
    """Return the smallest number of rows with a score of the target or more.

    Between two numbers of rows the score is taken to be linear in the logarithm of the number.

    Parameters
    ----------
    n_samples : array-like of shape (n_sizes,)
        Numbers of rows, increasing.

    scores : array-like of shape (n_sizes,)
        A score for each.

    target : float
        The score to reach.

    Returns
    -------
    n : float
        Infinity if no number of rows reaches the target, since the curve is not extrapolated; the smallest number if
        that reaches it already, and the rows needed may then be fewer.
    """
    sizes = np.log(np.asarray(n_samples, dtype=np.float64))
    values = np.asarray(scores, dtype=np.float64)
    reached = np.flatnonzero(values >= target)
    if len(reached) == 0:
        return np.inf
    i = reached[0]
    if i == 0 or np.isneginf(values[i - 1]):
        return float(np.asarray(n_samples)[i])
    share = (target - values[i - 1]) / (values[i] - values[i - 1])
    return float(np.exp(sizes[i - 1] + share * (sizes[i] - sizes[i - 1])))


def mean_interval(values: NDArray, confidence: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return the means over the first axis with the ends of their t intervals, infinite for a single value."""
    n = len(values)
    mean = values.mean(axis=0)
    if n == 1:
        return mean, np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    half = stats.t.ppf(0.5 + confidence / 2.0, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half


def exponent_of_dimension(dims: ArrayLike, rows: NDArray, confidence: float) -> tuple[float, float, float]:
    """Return the slope of the logarithm of the rows needed on that of the dimension, with its t interval.

    Parameters
    ----------
    dims : array-like of shape (n_dims,)
        Numbers of columns.

    rows : ndarray of shape (n_repeats, n_dims)
        Rows needed in each repeat; infinity or NaN where they are not known.

    confidence : float
        Of the interval over repeats.

    Returns
    -------
    slope, low, high : float
        NaN if some rows needed are infinite or NaN, or if there is only one dimension.
    """
    if len(np.unique(dims)) < 2 or not np.isfinite(rows).all():
        return np.nan, np.nan, np.nan
    logs = np.log(np.asarray(dims, dtype=np.float64))
    logs = logs - logs.mean()
    slopes = np.log(rows) @ logs / np.sum(logs**2)
    mean, low, high = mean_interval(slopes[:, np.newaxis], confidence)
    return float(mean[0]), float(low[0]), float(high[0])
