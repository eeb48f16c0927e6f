"""Products of rows with matrices in which every row is computed alone.

BLAS adds up the terms of a row in an order that depends on the number of rows beside it and on their layout in memory.
The last digits differ, and where a sum is about zero its sign does: it decides which side of a gate the row is on.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


def row_products(X: Array, W: Array) -> Array:
    """Return X W with the terms of every sum added in the order of the columns of X, one by one.

    The result for a row is the same to the last bit whatever the other rows, their number, and the layout of X.
    Columns of X with weight 0 change nothing, as if they were not there.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    W : ndarray of shape (d, m)

    Returns
    -------
    out : ndarray of shape (n, m)
    """
    return _row_products(np.require(X, np.float64, ["C", "W"]), np.require(W, np.float64, ["C", "W"]))


@njit(cache=True, nogil=True)
def _row_products(X, W):
    # Four rows and two columns at once, for fewer loads and stores: sums are still in the order of the columns, since
    # `a + b + c` is `(a + b) + c` and numba reorders and fuses nothing without fastmath.
    n, d = X.shape
    m = W.shape[1]
    out = np.empty((n, m))
    s0 = np.empty(m)
    s1 = np.empty(m)
    s2 = np.empty(m)
    s3 = np.empty(m)
    even = d - d % 2
    for i in range(0, n, 4):
        i1 = min(i + 1, n - 1)
        i2 = min(i + 2, n - 1)
        i3 = min(i + 3, n - 1)
        s0[:] = 0.0
        s1[:] = 0.0
        s2[:] = 0.0
        s3[:] = 0.0
        for j in range(0, even, 2):
            x0 = X[i, j]
            x1 = X[i1, j]
            x2 = X[i2, j]
            x3 = X[i3, j]
            y0 = X[i, j + 1]
            y1 = X[i1, j + 1]
            y2 = X[i2, j + 1]
            y3 = X[i3, j + 1]
            for k in range(m):
                w = W[j, k]
                v = W[j + 1, k]
                s0[k] = s0[k] + x0 * w + y0 * v
                s1[k] = s1[k] + x1 * w + y1 * v
                s2[k] = s2[k] + x2 * w + y2 * v
                s3[k] = s3[k] + x3 * w + y3 * v
        if even < d:
            x0 = X[i, even]
            x1 = X[i1, even]
            x2 = X[i2, even]
            x3 = X[i3, even]
            for k in range(m):
                w = W[even, k]
                s0[k] += x0 * w
                s1[k] += x1 * w
                s2[k] += x2 * w
                s3[k] += x3 * w
        out[i] = s0
        out[i1] = s1
        out[i2] = s2
        out[i3] = s3
    return out
