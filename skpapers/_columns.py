"""What counts as a constant column, for every method that scales columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ULPS = 4.0


def constant_columns(X: Any, sample_weight: Any = None) -> NDArray[np.bool_]:
    """Tell which columns are constant but for rounding.

    A column is constant if its largest value minus its smallest is at most ``4 * eps * max|x|``. `eps` is that of
    float64 for every dtype, so that equal numbers get equal answers.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Numbers of any dtype and any memory order.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights. Rows of weight 0 do not count.

    Returns
    -------
    constant : ndarray of bool of shape (n_features,)
        True for every column where no row counts. False for a column with NaN.

    Notes
    -----
    The rule looks at the range and not at the standard deviation. The mean of n equal numbers is rounded, so that their
    deviation from it is 1e-16 rather than 0, and more for more rows. Dividing by such a deviation turns the column into
    noise. The range of equal numbers is exactly 0.

    A few units in the last place are allowed because a value that was computed, such as ``0.1 + 0.2`` in one row and
    ``0.3`` in another, is off by that much. The bound is relative to the largest absolute value, the size at which the
    values were rounded: a small variation about zero is no rounding, and neither is one of subnormal numbers.

    `skpapers.convex` leaves such columns out of its programs. `skpapers._torch.scaling`, and so every network including
    those of `skpapers.few_shot`, maps them to 0 whatever comes later. All these have weight 0 in a prediction.
    """
    X = np.asarray(X)
    if sample_weight is not None:
        X = X[np.asarray(sample_weight) > 0]
    if not len(X):
        return np.ones(X.shape[1], dtype=bool)
    low = X.min(axis=0).astype(np.float64)
    high = X.max(axis=0).astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):  # a range of infinity is above every bound, as the true one is
        return high - low <= ULPS * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
