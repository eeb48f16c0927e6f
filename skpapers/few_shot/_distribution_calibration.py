"""Distribution calibration: the classes that have few rows borrow means and covariances from those that have many.

Equations and Algorithm 1 are those of Yang, Liu and Xu, "Free Lunch for Few-shot Learning: Distribution Calibration",
ICLR 2021. x is a support row (of a class with few rows), mu_i and Sigma_i belong to base class i. `calibrate` is the
calibration of all support rows; `calibrate_means` and `spread` are the mean and the covariance of Eq. 6, and `draw`
draws the rows.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from skpapers._columns import constant_columns

Floats = NDArray[np.float64]


class Classes(NamedTuple):
    """Rows in the order of their classes; the label, the total weight and the mean (Eq. 1) of each class."""

    rows: Floats
    weight: Floats
    codes: NDArray[np.intp]
    labels: NDArray
    total: Floats
    mean: Floats

    def of(self, c: int) -> tuple[Floats, Floats]:
        """Return the rows of a class and their weights."""
        of = slice(*np.searchsorted(self.codes, [c, c + 1]))
        return self.rows[of], self.weight[of]


class VaryingColumns:
    """The columns that vary. Constant columns have no distribution: drawn rows keep the constant value."""

    def __init__(self, rows: Floats) -> None:
        varying = ~constant_columns(rows)
        self.varying = varying if varying.any() else np.ones_like(varying)
        self.values = rows[0]

    def narrow(self, rows: Floats) -> Floats:
        """Return the rows without their constant columns."""
        return rows if self.varying.all() else rows[:, self.varying]

    def widen(self, rows: Floats) -> Floats:
        """Return narrow rows with the constant columns inserted again."""
        if self.varying.all():
            return rows
        wide = np.tile(self.values, (len(rows), 1))
        wide[:, self.varying] = rows
        return wide

    def widen_axes(self, axes: Floats) -> Floats:
        """Return the axes of a discriminant (as columns), with entries of 0 for constant columns."""
        wide = np.zeros((len(self.varying), axes.shape[1]))
        wide[self.varying] = axes
        return wide

    def widen_covariances(self, covariances: Floats) -> Floats:
        """Return the covariances with entries of 0 for constant columns."""
        if self.varying.all():
            return covariances
        wide = np.zeros((len(covariances), *[len(self.varying)] * 2))
        wide[:, self.varying[:, None] & self.varying] = covariances.reshape(len(covariances), -1)
        return wide


def tukey_transform(X: Floats, power: float | None) -> Floats:
    """Tukey's ladder of powers (Eq. 3): x to the power, or its logarithm at power 0; None leaves the rows alone."""
    if power is None:
        return X
    if X.size and (X.min() < 0 or (power == 0 and X.min() == 0)):
        needed = "positive" if power == 0 else "non-negative"
        raise ValueError(
            f"Negative values in data, or zeros: tukey={power} needs {needed} features and got {X.min():g}, "
            "tukey=None takes any."
        )
    return np.log(X) if power == 0 else X**power


def group(X: Floats, y: NDArray, weight: Floats) -> Classes:
    """Return the classes of rows; those of a class keep their order."""
    labels, codes = np.unique(y, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    rows = X[order]
    weight = weight[order]
    codes = codes[order]
    start = np.flatnonzero(np.diff(codes, prepend=-1))
    total = np.add.reduceat(weight, start)
    mean = np.add.reduceat(weight[:, None] * rows, start, axis=0) / total[:, None]
    return Classes(rows, weight, codes, labels, total, mean)


def covariance(centred: Floats, weight: Floats, n_means: int = 1) -> Floats:
    """Unbiased covariance of centred rows (Eq. 2); Ledoit and Wolf's estimate where they cannot fill the dimensions.

    A weight of w is w rows; `n_means` is the number of means that were taken off.
    """
    n = weight.sum()
    d = centred.shape[1]
    freedom = n - n_means
    if freedom <= 0:
        return np.zeros((d, d))
    unit = np.ldexp(1.0, np.frexp(np.abs(centred).max())[1])  # a power of two changes no digit
    centred = centred / unit  # fourth powers, and weights times squares, then stay finite
    S = centred.T @ (weight[:, None] * centred) / n
    if freedom < d:
        # O. Ledoit, M. Wolf, J. Multivariate Analysis 88, 2004: S is drawn towards the mean variance times I
        target = np.trace(S) / d * np.eye(d)
        distance = np.sum((S - target) ** 2)
        error = (weight @ np.sum(centred**2, axis=1) ** 2 / n - np.sum(S**2)) / n
        share = min(error, distance) / distance if distance > 0 else 0.0
        S = share * target + (1.0 - share) * S
    return S * (n / freedom) * unit**2


def pooled_covariance(classes: Classes) -> Floats:
    """Covariance of rows around the means of their classes."""
    return covariance(classes.rows - classes.mean[classes.codes], classes.weight, len(classes.total))


def class_covariances(classes: Classes, which: NDArray[np.intp]) -> Floats:
    """Covariances of the classes in `which`; one whose rows give none (a single row) gets that of all classes."""
    alone = [c for c in which if classes.total[c] <= 1]
    pooled = pooled_covariance(classes) if alone else None
    found = np.empty((len(which), *[classes.rows.shape[1]] * 2))
    for i, c in enumerate(which):
        rows, weight = classes.of(c)
        found[i] = pooled if pooled is not None and c in alone else covariance(rows - classes.mean[c], weight)
    return found


def nearest_classes(points: Floats, means: Floats, k: int) -> NDArray[np.intp]:
    """The k base classes with the nearest means (Eq. 4 and 5), nearest first, ties by the order of the classes."""
    return np.argsort(cdist(points, means), axis=1, kind="stable")[:, :k]


def calibrate_means(points: Floats, shots: Floats, prior: Floats, strength: float) -> Floats:
    """Mean of each class (Eq. 6), `prior` being the mean of its neighbours' means.

    The prior counts as `strength` rows beside the shots. Equation 6 is a strength of k beside one row.
    """
    shots = shots[:, None]
    return (shots * points + strength * prior) / (shots + strength)


def spread(covariances: Floats, alpha: float, mode: str) -> Floats:
    """Widen covariances: alpha times their mean variance on the diagonal, or as in Eq. 6 alpha on every entry."""
    if mode == "full":
        return covariances + alpha
    d = covariances.shape[-1]
    return covariances + alpha * np.trace(covariances, axis1=1, axis2=2)[:, None, None] / d * np.eye(d)


class Calibration(NamedTuple):
    """A normal distribution for each support row; rows with the same neighbours share a covariance."""

    mean: Floats
    covariance: Floats
    shares: NDArray[np.intp]
    nearest: NDArray[np.intp]


def calibrate(
    base: Classes, support: Floats, shots: Floats, k: int, strength: float | None, alpha: float, mode: str
) -> Calibration:
    """Calibrate every support row by its k nearest base classes (Algorithm 1, lines 3 to 5).

    Parameters
    ----------
    base : Classes
        The base classes, at least one.

    support : ndarray of shape (n_support, n_features)
        Rows of the classes that have few.

    shots : ndarray of shape (n_support,)
        Total weight of the class of each support row.

    k : int
        Number of neighbours.

    strength : float or None
        Rows that the prior mean counts as; None is Equation 6 to the letter.

    alpha, mode : float, {"diag", "full"}
        See :func:`spread`.
    """
    nearest = nearest_classes(support, base.mean, k)
    prior = base.mean[nearest].mean(axis=1)
    if strength is None:
        mean = calibrate_means(support, np.ones(len(support)), prior, nearest.shape[1])
    else:
        mean = calibrate_means(support, shots, prior, strength)
    sets, shares = np.unique(np.sort(nearest, axis=1), axis=0, return_inverse=True)
    used, place = np.unique(sets, return_inverse=True)
    place = place.reshape(sets.shape)
    of_base = class_covariances(base, used)
    covariance = sum(of_base[column] for column in place.T) / sets.shape[1]  # first term of Eq. 6
    return Calibration(mean, spread(covariance, alpha, mode), shares.ravel(), nearest)


def calibrate_without_base(support: Classes, alpha: float, mode: str) -> Calibration:
    """Where no class has many rows: every row keeps its place, and all share the covariance within classes."""
    n = len(support.rows)
    covariance = spread(pooled_covariance(support)[None], alpha, mode)
    return Calibration(support.rows, covariance, np.zeros(n, dtype=np.intp), np.empty((n, 0), dtype=np.intp))


def share_out(totals: NDArray[np.intp], weight: Floats, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Split the total of each class into a whole part for each of its rows, in proportion to their weights."""
    parts = np.empty(len(codes), dtype=np.intp)
    for c, total in enumerate(totals):
        of = codes == c
        ends = np.rint(np.cumsum(weight[of]) * (total / weight[of].sum())).astype(np.intp)
        parts[of] = np.diff(ends, prepend=0)
    return parts


def root(covariance: Floats) -> NDArray:
    """A with A A' = Sigma."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:  # not of full rank
        values, vectors = np.linalg.eigh(covariance)
        symmetric = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
        return np.where(np.diag(covariance)[:, None] > 0, symmetric, 0.0)  # a constant column stays one


def draw(rng: np.random.RandomState, found: Calibration, counts: NDArray[np.intp]) -> Floats:
    """Draw `counts[i]` rows from the distribution of support row i, in the order of i (Algorithm 1, line 6)."""
    drawn = rng.standard_normal((counts.sum(), found.mean.shape[1]))
    shares = np.repeat(found.shares, counts)
    for j in np.unique(shares):  # all rows of one covariance at once
        of = shares == j
        drawn[of] = drawn[of] @ root(found.covariance[j]).T
    drawn += np.repeat(found.mean, counts, axis=0)
    return drawn
