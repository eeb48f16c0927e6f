"""The cones of activation patterns, K_i = {w : (2 D_i - I) X w >= 0}: exact projections, and norms after projection.

Projection onto K_i is the dual of a non-negative least squares problem with d unknowns at a time: w = a + sum_k gamma_k
s_k x_k with gamma >= 0, where only rows on the border of the cone have gamma_k > 0. Lawson and Hanson's method adds one
row at a time, the most violated one. For any gamma >= 0 the norm of w is at least that of the projection, so that a
bound holds at every step and whatever the rounding.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
TOLERANCE = 1e-12  # a row counts as violated beyond this, relative to the norms of the row and of what is projected


@njit(cache=True, nogil=True, fastmath={"contract"})
def _most_violated(XT, lengths, sign, w, least, products):
    """Return the row whose constraint is violated most, beyond `least` times its norm; -1 if no row is.

    XT is X' in C order, so that the products of all rows are sums of long vectors.
    """
    d, n = XT.shape
    products[:] = 0.0
    for j in range(0, d - 3, 4):
        x0 = XT[j]
        x1 = XT[j + 1]
        x2 = XT[j + 2]
        x3 = XT[j + 3]
        w0 = w[j]
        w1 = w[j + 1]
        w2 = w[j + 2]
        w3 = w[j + 3]
        for k in range(n):
            products[k] += (x0[k] * w0 + x1[k] * w1) + (x2[k] * w2 + x3[k] * w3)
    for j in range(d - d % 4, d):
        x0 = XT[j]
        w0 = w[j]
        for k in range(n):
            products[k] += x0[k] * w0
    violated = 0
    for k in range(n):
        products[k] *= sign[k]
        violated += products[k] < least * lengths[k]
    worst = least
    row = -1
    if violated:
        for k in range(n):
            if products[k] < worst * lengths[k]:
                worst = products[k] / lengths[k]
                row = k
    return row


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _append(C, K, right, a, X, sign, row, i):
    """Make signed row `row` the i-th one of C, with its products with the others and with -a."""
    side = float(sign[row])
    for j in range(X.shape[1]):
        C[i, j] = side * X[row, j]
    # On its own: LLVM does not vectorise a loop that also stores if its arrays are within 256 bytes of each other, and
    # would then add in another order.
    along = 0.0
    for j in range(X.shape[1]):
        along -= C[i, j] * a[j]
    right[i] = along
    for k in range(i + 1):
        value = 0.0
        for j in range(X.shape[1]):
            value += C[i, j] * C[k, j]
        K[i, k] = value
        K[k, i] = value


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _factor(K, start, size, factor):
    """Go on with the Cholesky factor of K from row `start` to `size`; return the row at which K becomes singular."""
    for i in range(start, size):
        for j in range(i + 1):
            value = K[i, j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i > j:
                factor[i, j] = value / factor[j, j]
            elif value <= 1e-13 * K[i, i]:
                return i
            else:
                factor[i, i] = np.sqrt(value)
    return size


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _solve(factor, right, size, x):
    """Solve K x = right for the leading `size` rows."""
    for i in range(size):
        value = right[i]
        for k in range(i):
            value -= factor[i, k] * x[k]
        x[i] = value / factor[i, i]
    for i in range(size - 1, -1, -1):
        x[i] /= factor[i, i]
        for k in range(i):
            x[k] -= factor[i, k] * x[i]


@njit(cache=True, nogil=True)
def project(a, X, XT, lengths, sign, border, enough, w):
    """Write the projection of `a` onto the cone of `sign` into `w`, and return its norm.

    `border` holds the border rows that the last projection found, ended by -1. The projection starts from them and
    replaces them. It stops as soon as the norm is known to be at most `enough`; `w` is then not the projection, and the
    value returned is an upper bound of its norm.
    """
    n, d = X.shape
    size = 0
    most = border.size - 1
    scale = 0.0
    for j in range(d):
        scale += a[j] * a[j]
        w[j] = a[j]
    scale = np.sqrt(scale)
    if scale <= enough or scale == 0.0:
        return scale
    C = np.empty((most, d))
    K = np.empty((most, most))
    factor = np.empty((most, most))
    right = np.empty(most)
    trial = np.empty(most)
    gamma = np.zeros(most)
    products = np.empty(n)
    kept = 0  # rows of the last projection, which are taken all at once
    factored = 0  # rows of the factor that are valid
    while border[kept] >= 0:
        kept += 1
    for _ in range(10 * d + 20):
        if kept:
            for i in range(kept):
                _append(C, K, right, a, X, sign, border[i], i)
            size = kept
            kept = 0
        else:
            row = _most_violated(XT, lengths, sign, w, -TOLERANCE * scale, products)
            if row < 0 or size == most:
                break
            known = False
            for i in range(size):
                known |= border[i] == row
            if known:
                break
            border[size] = row
            gamma[size] = 0.0  # not that of a row that left
            _append(C, K, right, a, X, sign, row, size)
            size += 1
        while size:
            factored = _factor(K, factored, size, factor)
            if factored < size:  # a row that depends on the others cannot be violated when they hold
                gamma[factored:size] = 0.0
                size = factored
                continue
            _solve(factor, right, size, trial)
            share = 1.0
            leaving = -1
            for i in range(size):
                if trial[i] <= 0.0:
                    step_to_zero = gamma[i] / (gamma[i] - trial[i]) if gamma[i] > trial[i] else 0.0
                    if leaving < 0 or step_to_zero < share:
                        share = step_to_zero
                        leaving = i
            for i in range(size):
                gamma[i] += share * (trial[i] - gamma[i])
            if leaving < 0:
                break
            gamma[leaving] = 0.0
            write = 0
            for i in range(size):
                if i != leaving and gamma[i] >= 0.0 and not (gamma[i] == 0.0 and trial[i] <= 0.0):
                    if write < i:
                        factored = min(factored, write)
                        border[write] = border[i]
                        gamma[write] = gamma[i]
                        right[write] = right[i]
                        C[write] = C[i]
                        K[write, :size] = K[i, :size]
                        K[:size, write] = K[:size, i]
                    write += 1
            size = write
            factored = min(factored, size)
        norm = 0.0
        for j in range(d):
            w[j] = a[j]
            for i in range(size):
                w[j] += gamma[i] * C[i, j]
            norm += w[j] * w[j]
        norm = np.sqrt(norm)
        if norm <= enough or norm <= 1e-13 * scale:
            break
    border[size] = -1
    norm = 0.0
    for j in range(d):
        norm += w[j] * w[j]
    norm = np.sqrt(norm)
    if norm <= 1e-12 * scale:  # the polar cone: what is left is rounding
        for j in range(d):
            w[j] = 0.0
    return norm


@njit(cache=True, nogil=True)
def project_all(A, X, XT, lengths, signs, which, borders, enough, out, norms):
    """Project every row of A onto the cone of the row `which[i]` of `signs`; see `project`."""
    for i in range(A.shape[0]):
        norms[i] = project(A[i], X, XT, lengths, signs[which[i]], borders[i], enough, out[i])


def signs_of(D: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the diagonals of 2 D_i - I as the rows of an array, for zeros and ones of shape (n, P)."""
    return np.ascontiguousarray((2 * D.astype(np.int8) - 1).T)


def violation(W: Array, X: Array, signs: NDArray[np.int8]) -> float:
    """Return the largest violation of a cone constraint, over the norms of the row and of the neuron."""
    if not len(W):
        return 0.0
    lengths = np.linalg.norm(X, axis=1) * np.linalg.norm(W, axis=1)[:, np.newaxis]
    return float(np.max(np.maximum(-signs * (W @ X.T), 0.0) / np.where(lengths > 0, lengths, 1.0)))
