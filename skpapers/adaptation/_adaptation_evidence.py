"""Whether an adapted model is better than its source, judged without labels.

The features h of the training rows, from the layer before the last, are standardised, z = (h - mu) / (sigma + 1e-6),
without units whose sigma is at most 1e-3 of the largest. With class means c_k and the covariance W within classes,
shrunken to .9 W + .1 (tr W / d) I, the distance of a row to class k is

    D_k = (z - c_k)' W^-1 (z - c_k) / d.

R is the mean over rows of D_(1) / D_(2), the nearest and the second nearest class: if a model suits the rows, they lie
near one class, and not between two. R_t is that of the training rows, R_s and R_a are those of the recent rows under
the source and the adapted model.

The statistics also move if only the shares of the classes change, and then adaptation harms. A balanced copy of the
source tells the two cases apart. It pools the statistics of a selection of the rows, in which the classes that the
source predicts have the same shares as in training. A_s and A_a are the shares of rows on which the copy agrees with
the source and with the adapted model. If only the shares of the classes have changed, the copy is close to the source.
The adapted model is kept if

    log R_a - log R_s < A_a - A_s   and   R_s > R_t                                                         (1)

Of fewer than 16 rows the source is kept: their statistics are too noisy. The paper keeps the adapted model always.
Gong et al. (2022), NOTE, Section 3.2, also balance rows by their predicted classes, but to equal shares.
"""

from dataclasses import dataclass, replace
from math import exp, nan

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist

FLAT = 1e-3  # of the largest standard deviation of a unit
ROUNDING = 1e-10  # of the size of a unit: below it the standard deviation is rounding
FEWEST = 16  # rows that can recommend the adapted model
SHRINKAGE = 0.1
# Weight of a row in a balanced selection, in medians: on the tables that the rule was chosen on 10 to 25 decide alike.
HEAVIEST = 15.0


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

    means : ndarray of shape (n_present, d)
        c_k, whitened, of the classes that have rows.

    shares : ndarray of shape (n_classes,)
        Of the classes among the training rows.

    ratio : float
        R_t; NaN before the training rows are measured.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    units: NDArray[np.intp]
    whitening: NDArray[np.float64]
    means: NDArray[np.float64]
    shares: NDArray[np.float64]
    ratio: float = nan

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
    shares = np.bincount(codes, weight) / weight.sum()
    found = ClassGeometry(center, scale, units, whitening, means @ whitening, shares)
    return replace(found, ratio=float(np.average(found.ratios(h), weights=weight)))


def balanced_rows(codes: NDArray[np.intp], shares: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the numbers of as many rows, in their order, among which the predicted classes have given shares.

    Rows of classes that are predicted too rarely are repeated, and rows of the other classes are left out, evenly. No
    row has more than fifteen times the median weight: the few rows of a class that is hardly predicted may be errors.
    A class that is not predicted has no rows.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Predicted classes.

    shares : ndarray of shape (n_classes,)
        Of the training rows.
    """
    n = len(codes)
    counts = np.bincount(codes, minlength=len(shares))
    wanted = np.zeros(len(counts))
    wanted[: len(shares)] = shares
    weight = (wanted / counts.clip(min=1))[codes]
    if not weight.any():  # the training rows have none of these classes
        return np.arange(n)
    ends = np.cumsum(weight.clip(max=HEAVIEST * np.median(weight[weight > 0])))
    places = (np.arange(n) + 0.5) / n
    return np.searchsorted(ends / ends[-1], places).clip(max=n - 1)


@dataclass(frozen=True)
class AdaptationReport:
    """Source and adapted model beside each other on recent rows, without labels.

    :class:`TentClassifier` makes it. `print` shows it as a table. R and the agreements are NaN, and the source is
    recommended, if the training rows have one class, or no feature that varies.

    Parameters
    ----------
    n_rows : int
        Rows that were compared.

    ratio_training, ratio_source, ratio_adapted : float
        R, from 0 for rows at a class to 1 for rows between two classes: of the training rows, and of the recent rows
        under both models.

    agreement_source, agreement_adapted : float
        Shares of rows on which the balanced copy agrees with each model.

    entropy_source, entropy_adapted : float
        Mean entropy of the predictions, in nats. It does not enter the rule: wrong adaptation lowers it, too.

    n_classes_source, n_classes_adapted : float
        Effective number of predicted classes, exp of the entropy of their shares. It does not enter the rule.

    See Also
    --------
    TentClassifier : Decides by such reports; its notes explain them.

    Examples
    --------
    >>> from skpapers.adaptation import AdaptationReport
    >>> report = AdaptationReport(64, 0.3, 0.9, 0.5, 0.45, 0.95, 1.2, 0.4, 2.5, 6.1)
    >>> report.keep
    True
    >>> print(report)
    the adapted model is recommended, by 64 rows
                                source   adapted
    class distance ratio         0.900     0.500   (training 0.300)
    balanced copy agrees         0.450     0.950
    entropy                      1.200     0.400
    predicted classes             2.50      6.10
    """

    n_rows: int
    ratio_training: float
    ratio_source: float
    ratio_adapted: float
    agreement_source: float
    agreement_adapted: float
    entropy_source: float
    entropy_adapted: float
    n_classes_source: float
    n_classes_adapted: float

    @property
    def keep(self) -> bool:
        """Whether the rule recommends the adapted model, Eq. (1) of this file; never by fewer than 16 rows."""
        difference = self.agreement_adapted - self.agreement_source
        better = self.ratio_adapted < self.ratio_source * exp(difference)  # a ratio may be 0
        return better and self.ratio_source > self.ratio_training and self.n_rows >= FEWEST

    def __str__(self) -> str:
        lines = [
            f"{'the adapted model' if self.keep else 'the source model'} is recommended, by {self.n_rows} rows",
            f"{'':24s}{'source':>10s}{'adapted':>10s}",
            f"{'class distance ratio':24s}{self.ratio_source:10.3f}{self.ratio_adapted:10.3f}"
            f"   (training {self.ratio_training:.3f})",
            f"{'balanced copy agrees':24s}{self.agreement_source:10.3f}{self.agreement_adapted:10.3f}",
            f"{'entropy':24s}{self.entropy_source:10.3f}{self.entropy_adapted:10.3f}",
            f"{'predicted classes':24s}{self.n_classes_source:10.2f}{self.n_classes_adapted:10.2f}",
        ]
        return "\n".join(lines)


def effective_classes(codes: NDArray[np.intp]) -> float:
    """Return N, the exponential of the entropy of the shares of the predicted classes."""
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def top_share(codes: NDArray[np.intp]) -> float:
    """Return the share of the most frequent class."""
    return float(np.bincount(codes).max() / len(codes))
