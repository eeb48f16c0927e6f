"""The quadratic discriminant with calibrated means and covariances: the limit of infinitely many drawn rows.

A rare class is the mixture of the distributions that :func:`calibrate` gives its rows; a base class has its own mean
and covariance, widened alike.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.few_shot._distribution_calibration import Calibration, Classes, VaryingColumns, class_covariances, spread

Floats = NDArray[np.float64]

# Eigenvalues of a discriminant's covariance are at least this share of the variance of all rows.
FLOOR = 1e-9


class Discriminant(NamedTuple):
    """The classes in the order of their labels: share of the rows, mean, principal axes (columns), variances."""

    labels: NDArray
    priors: Floats
    means: Floats
    axes: list[Floats]
    variances: list[Floats]

    def widened(self, columns: VaryingColumns) -> "Discriminant":
        """Return the discriminant of all columns, of which the constant ones have no influence."""
        return self._replace(means=columns.widen(self.means), axes=[columns.widen_axes(axes) for axes in self.axes])


def calibrated_discriminant(
    base: Classes | None,
    support: Classes,
    found: Calibration,
    missing: Floats,
    alpha: float,
    mode: str,
    variance: float,
) -> Discriminant:
    """Return the discriminant of the rare classes and of the base classes that are predicted, too.

    Parameters
    ----------
    base : Classes or None
        The base classes, None if they are not predicted. A label that is rare as well belongs to the rare class.

    support : Classes
        The rare classes.

    found : Calibration
        The distributions of the rows of the rare classes.

    missing : ndarray of shape (n_rare_classes,)
        Rows that each rare class lacks. They count in its frequency.

    alpha, mode : float, {"diag", "full"}
        How covariances are widened, see :func:`spread`.

    variance : float
        Mean variance of all rows, for the floor of the variances along the axes.
    """
    d = support.rows.shape[1]
    labels = support.labels
    total = support.total + missing
    mean = np.empty((0, d))
    covariance = np.empty((0, d, d))
    if len(labels):
        mean, covariance = class_moments(found, support.weight, support.codes)
    if base is not None:
        others = np.flatnonzero(~np.isin(base.labels, support.labels))
        labels = np.append(labels, base.labels[others])
        total = np.append(total, base.total[others])
        mean = np.concatenate([mean, base.mean[others]])
        covariance = np.concatenate([covariance, spread(class_covariances(base, others), alpha, mode)])
    order = np.argsort(labels)
    axes, variances = discriminant_axes(covariance[order], variance)
    return Discriminant(labels[order], total[order] / total.sum(), mean[order], list(axes), list(variances))


def class_moments(found: Calibration, weight: Floats, codes: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Mean and covariance of each class as a mixture of the distributions of its rows."""
    n = codes.max() + 1
    total = np.bincount(codes, weight, minlength=n)
    part = weight / total[codes]
    mean = np.zeros((n, found.mean.shape[1]))
    np.add.at(mean, codes, part[:, None] * found.mean)
    off = (found.mean - mean[codes]) * np.sqrt(part)[:, None]
    covariance = np.empty((n, *found.covariance.shape[1:]))
    for c in range(n):
        of = codes == c
        shared = np.bincount(found.shares[of], part[of], minlength=len(found.covariance))
        used = np.flatnonzero(shared)
        covariance[c] = np.tensordot(shared[used], found.covariance[used], axes=1) + off[of].T @ off[of]
    return mean, covariance


def discriminant_axes(covariances: Floats, variance: float) -> tuple[Floats, Floats]:
    """Principal axes of each covariance (columns) and the variances along them, none below a floor."""
    values, vectors = np.linalg.eigh(covariances)
    return vectors, np.maximum(values, FLOOR * variance if variance > 0 else FLOOR)
