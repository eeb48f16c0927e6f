r"""GeoMLE: the maximum-likelihood dimension as a function of the radius, extrapolated to radius 0.

Equations have numbers of this file; the method is that of M. Gomtsyan, N. Mokrov, M. Panov, Y. Yanovich,
"Geometry-aware maximum likelihood estimation of intrinsic dimension", ACML 2019. A neighbourhood of positive radius
sees the curvature, the edge of the data and the change of its density, which bias the estimate. For k = k_1..k_2 and
samples b = 1..B of the rows with replacement, of which each distinct row is kept once,

    m_kb = 1 / mean_x 1 / m_k(x),    R_kb = mean_x T_k(x)                                  (1)

With means over b, and s_k the standard deviation of m_kb over b, a ridge regression with weights 1 / s_k

    m_k = beta_0 + beta_1 R_k + beta_2 R_k^2,    penalty 0.005 (beta_1^2 + beta_2^2)         (2)

gives the dimension beta_0, at least 0. R is measured in units of its mean, so that the scale of the data does not
matter.

A sample keeps a share of about 1 - 1/e of the rows. The k nearest rows of a sample are the first k of the neighbours
that it keeps, so that one search with more than k_2 / (1 - 1/e) neighbours serves all samples. Since the samples are
such shares, the variance of beta_0 between them estimates that of beta_0 after the factor r / (1 - r) of the
delete-d jackknife, where r is the share that was kept (J. Shao, C. F. J. Wu, Annals of Statistics 17, 1989).
"""

from math import ceil, exp, sqrt

import numpy as np
from numpy.typing import NDArray

from skpapers.dimension._maximum_likelihood import aggregate, inverse_dimensions

Floats = NDArray[np.float64]

N_SAMPLES = 20
PENALTY = 0.005


def largest_k(k: int) -> int:
    """Return k_2 for k_1 = k."""
    return 2 * k


def search_depth(k: int) -> int:
    """Return a number of neighbours of which a sample keeps k_2 or more, in all but one of 10 000 rows."""
    needed = largest_k(k)
    share = 1.0 - exp(-1.0)
    return ceil((needed + 6.0 * sqrt(needed * (1.0 - share))) / share)


def geo_mle(
    T: Floats,
    neighbors: NDArray[np.intp],
    anchors: NDArray[np.intp],
    n_rows: int,
    k: int,
    rng: np.random.RandomState,
) -> tuple[float, float]:
    """Return the dimension and its standard error; NaN if all neighbours of every row are equally far.

    Parameters
    ----------
    T, neighbors : ndarray of shape (n_anchors, depth)
        Distances from the nearest neighbours, ascending, and their rows. The first search_depth(k) are used. A
        neighbourhood in which a sample keeps fewer than k_2 rows is left out of that sample.

    anchors : ndarray of shape (n_anchors,)
        Rows of the estimates.

    n_rows, k : int
        Number of rows, and k_1.

    rng : RandomState
        Draws the samples.
    """
    T = T[:, : search_depth(k)]
    neighbors = neighbors[:, : search_depth(k)]
    found = []
    shares = []
    for _ in range(N_SAMPLES):
        kept = np.zeros(n_rows, dtype=bool)
        kept[rng.randint(n_rows, size=n_rows)] = True
        shares.append(kept.mean())
        found.append(_sample(T, neighbors, kept[anchors], kept, k))
    m, R = np.array(found).transpose(1, 0, 2)
    if not np.isfinite(m).all():
        return np.nan, np.nan
    unit = R.mean()
    spread = m.std(axis=0, ddof=1)
    weights = 1.0 / np.maximum(spread, 1e-12 * np.abs(m).max())
    share = float(np.mean(shares))
    each = [_intercept(one, radii / unit, weights) for one, radii in zip(m, R, strict=True)]
    error = np.std(each, ddof=1) * sqrt(share / (1.0 - share))
    return max(0.0, _intercept(m.mean(axis=0), R.mean(axis=0) / unit, weights)), float(error)


def _sample(
    T: Floats, neighbors: NDArray[np.intp], kept_anchors: NDArray[np.bool_], kept: NDArray[np.bool_], k: int
) -> tuple[Floats, Floats]:
    """Return (1) for k_1..k_2 in one sample."""
    T = T[kept_anchors]
    inside = kept[neighbors[kept_anchors]]
    last = largest_k(k)
    enough = inside.sum(axis=1) >= last
    if not enough.any():
        raise ValueError(
            f'method="geomle" with n_neighbors={k} needs {search_depth(k)} or more neighbours of a row, which X does '
            "not have: take fewer neighbours."
        )
    # stable: the rows of the sample first, each group in the order of its distances
    order = np.argsort(~inside[enough], axis=1, kind="stable")[:, :last]
    T = np.take_along_axis(T[enough], order, axis=1)
    ks = range(k, last + 1)
    m = [aggregate(inverse_dimensions(T, one), "harmonic") for one in ks]
    return np.array(m), T[:, k - 1 :].mean(axis=0)


def _intercept(m: Floats, R: Floats, weights: Floats) -> float:
    """Return beta_0 of (2)."""
    A = np.column_stack([R, R**2])
    share = weights / weights.sum()
    centre = share @ A
    A = A - centre
    gram = A.T * weights @ A + PENALTY * np.eye(2)
    beta = np.linalg.solve(gram, A.T * weights @ (m - share @ m))
    return float(share @ m - centre @ beta)
