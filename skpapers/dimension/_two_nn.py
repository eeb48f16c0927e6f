r"""TwoNN: the dimension from the ratio of the distances of the two nearest neighbours.

Equations have numbers of this file; the method is that of E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the
intrinsic dimension of datasets by a minimal neighborhood information", Scientific Reports 7, 2017. For a locally
constant density, mu = T_2 / T_1 has the distribution function F(mu) = 1 - mu^(-d), hence

    -log(1 - F(mu)) = d log(mu)                                                            (1)

With the ratios in ascending order and F(mu_i) = i / n, i = 1..n, the largest tenth is left out, and d is the
slope of the line through the origin,

    d = sum_i x_i y_i / sum_i x_i^2,    x_i = log(mu_i),    y_i = -log(1 - F(mu_i))        (2)

The standard error is the jackknife of `_maximum_likelihood.py` for the linear part of d in the distribution G of x.
With q the quantile at p = 0.9 and N, D the numerator and the denominator of (2), a mass at z changes d by

    IF(z) = [ 1{z <= q} z L(G(z)) - N + a(z) + q L(p) (p - 1{z <= q})
              - d (1{z <= q} z^2 - D + q^2 (p - 1{z <= q})) ] / D,                          (3)

    L(g) = -log(1 - g),    a(z) = int_{x <= q} x (1{z <= x} - G(x)) / (1 - G(x)) dG(x).
"""

import numpy as np
from numpy.typing import NDArray

from skpapers.dimension._maximum_likelihood import jackknife_error

Floats = NDArray[np.float64]

KEPT = 0.9  # share of the ratios that enter the line


def two_nn(T: Floats) -> float:
    """Return the dimension (2) of distances of shape (n_anchors, 2 or more)."""
    x = np.sort(_log_ratios(T))
    n_kept = int(len(x) * KEPT)
    x = x[:n_kept]
    y = -np.log1p(-np.arange(1, n_kept + 1) / len(T))
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(x @ y / (x @ x))


def two_nn_error(T: Floats, neighbors: NDArray[np.intp], anchors: NDArray[np.intp], n_rows: int) -> float:
    """Return the standard error of the slope over independent draws of the rows; T has 3 columns or more."""
    if T.shape[1] < 3 or len(anchors) < 20:
        return np.nan
    x = _log_ratios(T)
    # without its first neighbour, and without its second
    without = np.log(T[:, 2:3]) - np.log(T[:, [1, 0]])
    influence = _Influence(x)
    return jackknife_error(influence(x), influence(without), neighbors[:, :2], anchors, n_rows)


class _Influence:
    """The change (3) of the slope for a small mass at z."""

    def __init__(self, x: Floats) -> None:
        self.x = np.sort(x)
        n = len(x)
        n_kept = int(n * KEPT)
        G = np.arange(1, n_kept + 1) / n
        self.q = self.x[n_kept - 1]
        kept = self.x[:n_kept]
        self.N = kept @ -np.log1p(-G) / n
        self.D = kept @ kept / n
        # a(z): what lies above z, less a constant
        weights = kept / (1.0 - G) / n
        self.above = np.append(np.cumsum(weights[::-1])[::-1], np.zeros(n - n_kept + 1))
        self.constant = weights @ G

    def __call__(self, z: Floats) -> Floats:
        place = np.searchsorted(self.x, z)
        G = np.minimum(place / len(self.x), KEPT)
        inside = np.where(z <= self.q, 1.0, 0.0)
        numerator = inside * z * -np.log1p(-G) - self.N + self.above[place] - self.constant
        numerator += self.q * -np.log1p(-KEPT) * (KEPT - inside)
        denominator = inside * z**2 - self.D + self.q**2 * (KEPT - inside)
        return (numerator - self.N / self.D * denominator) / self.D


def _log_ratios(T: Floats) -> Floats:
    return np.log(T[:, 1]) - np.log(T[:, 0])
