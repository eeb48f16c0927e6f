"""What counts as a constant column, for every method that scales columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ULPS = 4.0


def constant_columns(X: Any, sample_weight: Any = None) -> NDArray[np.bool_]:
    """Return which columns are constant up to rounding.

    A column is constant if its largest value minus its smallest is at most ``4 * eps * max|x|``. `eps` is that of
    float64 for every dtype, so that the result depends on the numbers and not on their dtype.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Numbers of any dtype and any memory order.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights. Rows of weight 0 do not count.

    Returns
    -------
    constant : ndarray of bool of shape (n_features,)
        All True if no row counts. False for a column with NaN.

    Notes
    -----
    The rule uses the range and not the standard deviation. The mean of n equal numbers is rounded, so their standard
    deviation is about 1e-16 instead of 0, and grows with the number of rows. Dividing by it turns the column into
    noise. The range of equal numbers is exactly 0.

    A few units in the last place are allowed because computed values, such as ``0.1 + 0.2`` in one row and ``0.3`` in
    another, differ by that much. The bound is relative to the largest absolute value, since the values were rounded at
    that size. A small variation around zero is not rounding, and neither is a variation of subnormal numbers.

    `skpapers.convex` leaves constant columns out of its programs. `skpapers._torch.scaling`, which all networks use,
    maps them to 0, whatever their values in later rows. In both cases they have no influence on predictions.
    """
    X = np.asarray(X)
    if sample_weight is not None:
        X = X[np.asarray(sample_weight) > 0]
    if not len(X):
        return np.ones(X.shape[1], dtype=bool)
    low = X.min(axis=0).astype(np.float64)
    high = X.max(axis=0).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):  # an overflowing range exceeds the bound, as the true one does
        return high - low <= ULPS * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
