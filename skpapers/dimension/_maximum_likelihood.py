r"""The maximum-likelihood dimension: local estimates, their aggregate, and its standard error.

Equations have numbers of this file. T_j(x) is the distance of x from its j-th nearest neighbour. If the rows near x are
a Poisson process of constant density on a manifold of dimension m, the ratios T_j / T_k for j < k are independent, of
density m u^(m-1), and the estimate of Levina and Bickel is

    1 / m_k(x) = 1 / (k - 1) sum_{j < k} log(T_k(x) / T_j(x))                              (1)

With k - 2 in the place of k - 1 the mean of m_k is unbiased. With k - 1 the mean of 1 / m_k is, which MacKay and
Ghahramani average over the n rows, or over some of them, the anchors:

    1 / m = 1 / n sum_i 1 / m_k(x_i)                                                       (2)

The standard error is a jackknife over rows. Without its neighbour j, row x has the k nearest T_1, ..., T_{k+1} less
T_j:

    1 / m_k(x; j) = 1 / (k - 1) [ sum_{l <= k} log(T_{k+1} / T_l) - log(T_{k+1} / T_j) ]   (3)

so that one search with k + 1 neighbours gives the aggregate Z_(j) without each row j, and

    Var Z <= E sum_j (Z - Z_(j))^2                                                         (4)

for independent rows, whatever the function Z (B. Efron, C. Stein, The jackknife estimate of variance, Annals of
Statistics 9, 1981). Local estimates share rows; (4) holds all the same.

| step | function |
|---|---|
| local estimates (1) | `inverse_dimensions` |
| local estimates without one neighbour (3) | `without_each_neighbor` |
| aggregate (2) | `aggregate` |
| standard error (4) | `standard_error`, `jackknife_error` |
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Aggregation = Literal["harmonic", "mean", "median"]
Floats = NDArray[np.float64]


def inverse_dimensions(T: Floats, k: int, offset: int = 1) -> Floats:
    """Return (1), with ``k - offset`` as its divisor.

    Parameters
    ----------
    T : ndarray of shape (n_rows, k or more)
        Positive distances from the nearest neighbours, ascending.

    k : int
        Number of neighbours.

    offset : {1, 2}, default=1
        What is subtracted from k.
    """
    logs = np.log(T[:, k - 1 : k]) - np.log(T[:, : k - 1])
    return logs.sum(axis=1) / (k - offset)


def without_each_neighbor(T: Floats, k: int, offset: int = 1) -> Floats:
    """Return (3) for each of the first k neighbours; T has k + 1 columns or more."""
    logs = np.log(T[:, k : k + 1]) - np.log(T[:, :k])
    return (logs.sum(axis=1, keepdims=True) - logs) / (k - offset)


def aggregate(inverse: Floats, aggregation: Aggregation) -> float:
    """Return the global dimension of local ones, given as their inverses; "harmonic" is (2)."""
    with np.errstate(divide="ignore"):
        if aggregation == "harmonic":
            return float(1.0 / inverse.mean())
        local = 1.0 / inverse
    return float(local.mean() if aggregation == "mean" else np.median(local))


def standard_error(
    T: Floats,
    neighbors: NDArray[np.intp],
    anchors: NDArray[np.intp],
    n_rows: int,
    k: int,
    offset: int,
    aggregation: Aggregation,
) -> float:
    """Return the standard error of the aggregate over independent draws of the rows, at this number of them.

    NaN if there are fewer than k + 1 neighbours, or one anchor, or if ties make it infinite.

    Parameters
    ----------
    T : ndarray of shape (n_anchors, k + 1 or more)
        Distances from the nearest neighbours, ascending.

    neighbors : ndarray of the shape of T
        The neighbours, numbered from 0 to ``n_rows - 1``.

    anchors : ndarray of shape (n_anchors,)
        Rows of the estimates.

    n_rows, k, offset, aggregation
        Number of rows, and see :func:`inverse_dimensions` and :func:`aggregate`.
    """
    if T.shape[1] <= k or len(anchors) < 2:
        return np.nan
    v = inverse_dimensions(T, k, offset)
    without = without_each_neighbor(T, k, offset)
    with np.errstate(divide="ignore", invalid="ignore"):
        if aggregation == "harmonic":
            slope = aggregate(v, aggregation) ** 2
        elif aggregation == "mean":
            slope = 1.0
            v = 1.0 / v
            without = 1.0 / without
        else:
            slope = 1.0 / _density_at_median(1.0 / v)
            middle = np.median(v)
            v = np.where(v >= middle, 1.0, 0.0)
            without = np.where(without >= middle, 1.0, 0.0)
        error = slope * jackknife_error(v, without, neighbors[:, :k], anchors, n_rows)
    return error if np.isfinite(error) else np.nan


def jackknife_error(
    h: Floats, without: Floats, neighbors: NDArray[np.intp], anchors: NDArray[np.intp], n_rows: int
) -> float:
    """Return the root of the sum in (4), where Z is the mean of h over the anchors.

    Parameters
    ----------
    h : ndarray of shape (n_anchors,)
        A function of the neighbourhood of each anchor.

    without : ndarray of shape (n_anchors, k)
        Its values without each of the neighbours.

    neighbors : ndarray of shape (n_anchors, k)
        These neighbours, numbered from 0 to ``n_rows - 1``.

    anchors : ndarray of shape (n_anchors,)
        Rows of the values.

    n_rows : int
        Number of rows.
    """
    n_anchors = len(h)
    total = h.sum()
    change = np.bincount(neighbors.ravel(), (without - h[:, np.newaxis]).ravel(), minlength=n_rows)
    deleted = (total + change) / n_anchors
    deleted[anchors] = (total + change[anchors] - h) / (n_anchors - 1)
    return float(np.sqrt(np.sum((total / n_anchors - deleted) ** 2)))


def mean_log_likelihood(T: Floats, k: int, dimension: float) -> float:
    """Return the mean logarithm of the density m u^(m-1) of the ratios u = T_j / T_k, j < k, for m = `dimension`."""
    logs = np.log(T[:, : k - 1]) - np.log(T[:, k - 1 : k])
    return float(np.log(dimension) + (dimension - 1.0) * logs.mean())


def _density_at_median(values: Floats) -> float:
    """Return the density of values at their median, from the distance of two quantiles around it."""
    half = min(0.25, len(values) ** (-1 / 3))
    low, high = np.quantile(values, [0.5 - half, 0.5 + half])
    return float(2.0 * half / (high - low)) if high > low else np.inf
