"""Whether an adapted model is better than its source, judged without labels.

The features h of the training rows, from the layer before the last, are standardised, z = (h - mu) / (sigma + 1e-6),
without units whose sigma is at most 1e-3 of the largest. With class means c_k and the covariance W within classes,
shrunken to .9 W + .1 (tr W / d) I, the distance of a row to class k is

    D_k = (z - c_k)' W^-1 (z - c_k) / d.

R is the mean over target rows of D_(1) / D_(2), the nearest and the second nearest class: if a model suits the rows,
they lie near one class, and not between two. N is the effective number of predicted classes, exp of the entropy of
their shares: under drift a model may put all rows at one class, and near to it. A is the share of rows on which two
copies agree that have each adapted to one contiguous half of the rows: copies that have followed the order of the
classes disagree. The adapted model is kept if

    log R - 0.3 log N  falls, and  A > 0.4                                                                  (1)

Of fewer than 16 rows the source is kept: their statistics, and R and A, are too noisy. The paper keeps the adapted
model always.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

FLAT = 1e-3  # of the largest standard deviation of a unit
ROUNDING = 1e-10  # of the size of a unit: below it the standard deviation is rounding
FEWEST = 16  # rows that can recommend the adapted model
SHRINKAGE = 0.1
AGREEMENT = 0.4  # of the halves
SPREAD = 0.3  # weight of log N: 0.15 to 0.4 decide alike on the tables that it was chosen on


@dataclass(frozen=True, eq=False)
class ClassGeometry:
    """The classes in the space of features.

    Parameters
    ----------
    center, scale : ndarray of shape (d,)
        Of the units that vary; the scale is sigma + 1e-6.

    units : ndarray of int of shape (d,)
        Which they are.

    whitening : ndarray of shape (d, d)
        A with A A' = W^-1.

    means : ndarray of shape (n_classes, d)
        c_k, whitened.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    units: NDArray[np.intp]
    whitening: NDArray[np.float64]
    means: NDArray[np.float64]

    def ratios(self, h: NDArray) -> NDArray[np.float64]:
        """Return D_(1) / D_(2) of each row of features; 1 for a row that is as near to two classes."""
        z = ((h[:, self.units] - self.center) / self.scale) @ self.whitening
        nearest, second = np.partition(cdist(z, self.means, "sqeuclidean"), 1, axis=1)[:, :2].T
        return np.divide(nearest, second, out=np.ones_like(second), where=second > 0)


def class_geometry(h: NDArray, codes: NDArray[np.intp], weight: NDArray | None) -> ClassGeometry | None:
    """Return the geometry of training rows; None if no unit varies, or if there is one class.

    Parameters
    ----------
    h : ndarray of shape (n, d)
        Features.

    codes : ndarray of int of shape (n,)
        Classes; those without a row are left out.

    weight : ndarray of shape (n,) or None
        Row weights, finite, with a positive sum.
    """
    weight = np.ones(len(h)) if weight is None else weight / weight.max()
    h = h.astype(np.float64)
    center = np.average(h, axis=0, weights=weight)
    sigma = np.sqrt(np.average((h - center) ** 2, axis=0, weights=weight))
    units = np.flatnonzero((sigma > FLAT * sigma.max()) & (sigma > ROUNDING * np.abs(center)))
    present = np.unique(codes[weight > 0])
    if not units.size or present.size < 2:
        return None
    center = center[units]
    scale = sigma[units] + 1e-6
    z = (h[:, units] - center) / scale
    one_hot = (codes[:, np.newaxis] == present) * weight[:, np.newaxis]
    means = (one_hot.T @ z) / one_hot.sum(axis=0)[:, np.newaxis]
    residuals = z - means[np.searchsorted(present, codes).clip(max=len(present) - 1)]
    W = (residuals * weight[:, np.newaxis]).T @ residuals / weight.sum()
    spread = np.trace(W) / len(W)
    W = (1.0 - SHRINKAGE) * W + (SHRINKAGE * spread if spread > 0 else 1.0) * np.eye(len(W))
    whitening = solve_triangular(cholesky(W, lower=True), np.eye(len(W)), lower=True).T
    return ClassGeometry(center, scale, units, whitening, means @ whitening)


@dataclass(frozen=True)
class AdaptationReport:
    """Source and adapted model beside each other on recent rows, without labels.

    :class:`TentClassifier` makes it. `print` shows it as a table.

    Parameters
    ----------
    n_rows : int
        Rows that were compared.

    ratio_source, ratio_adapted : float
        R, from 0 for rows at a class to 1 for rows between two classes.

    agreement : float
        A; NaN for a single row.

    entropy_source, entropy_adapted : float
        Mean entropy of the predictions, in nats. It does not enter the rule: wrong adaptation lowers it, too.

    n_classes_source, n_classes_adapted : float
        N, from 1 to the number of classes.

    See Also
    --------
    TentClassifier : Decides by such reports; its notes explain R, N and A.

    Examples
    --------
    >>> from skpapers.adaptation import AdaptationReport
    >>> report = AdaptationReport(64, 0.9, 0.5, 0.95, 1.2, 0.4, 2.5, 6.1)
    >>> report.keep
    True
    >>> print(report)
    the adapted model is recommended, by 64 rows
                                source   adapted
    class distance ratio         0.900     0.500
    entropy                      1.200     0.400
    predicted classes             2.50      6.10
    agreement of halves                    0.950
    """

    n_rows: int
    ratio_source: float
    ratio_adapted: float
    agreement: float
    entropy_source: float
    entropy_adapted: float
    n_classes_source: float
    n_classes_adapted: float

    @property
    def keep(self) -> bool:
        """Whether the rule recommends the adapted model, Eq. (1) of this file; never by fewer than 16 rows."""
        # as products: a ratio may be 0
        source = self.ratio_source * self.n_classes_adapted**SPREAD
        falls = self.ratio_adapted * self.n_classes_source**SPREAD < source
        return falls and self.agreement > AGREEMENT and self.n_rows >= FEWEST

    def __str__(self) -> str:
        lines = [
            f"{'the adapted model' if self.keep else 'the source model'} is recommended, by {self.n_rows} rows",
            f"{'':24s}{'source':>10s}{'adapted':>10s}",
            f"{'class distance ratio':24s}{self.ratio_source:10.3f}{self.ratio_adapted:10.3f}",
            f"{'entropy':24s}{self.entropy_source:10.3f}{self.entropy_adapted:10.3f}",
            f"{'predicted classes':24s}{self.n_classes_source:10.2f}{self.n_classes_adapted:10.2f}",
            f"{'agreement of halves':24s}{'':10s}{self.agreement:10.3f}",
        ]
        return "\n".join(lines)


def effective_classes(codes: NDArray[np.intp]) -> float:
    """Return N, the exponential of the entropy of the shares of the predicted classes."""
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def top_share(codes: NDArray[np.intp]) -> float:
    """Return the share of the most frequent class."""
    return float(np.bincount(codes).max() / len(codes))
