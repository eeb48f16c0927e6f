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


@njit(cache=True, nogil=True)
def _solve_spd(K, right, size, factor):
    """Solve K x = right for the leading `size` rows by Cholesky, in place of `right`; False where K is singular."""
    for i in range(size):
        for j in range(i + 1):
            value = K[i, j]
            for k in range(j):
                value -= factor[i, k] * factor[j, k]
            if i == j:
                if value <= 1e-13 * K[i, i]:
                    return False
                factor[i, i] = np.sqrt(value)
            else:
                factor[i, j] = value / factor[j, j]
    for i in range(size):
        for k in range(i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]
    return True


@njit(cache=True, nogil=True)
def project(a, X, lengths, sign, border, enough, w):
    """Write the projection of `a` onto the cone of `sign` into `w`, and return its norm.

    `border` holds the rows on the border of the cone that the last projection found, ended by -1: where the projection
    starts, and what it leaves behind. As soon as the norm is known to be at most `enough`, it stops: then `w` is none.
    """
    n, d = X.shape
    size, most = 0, border.size - 1
    C, gamma = np.empty((most, d)), np.zeros(most)
    K, factor, trial = np.empty((most, most)), np.empty((most, most)), np.empty(most)
    scale = 0.0
    for j in range(d):
        scale += a[j] * a[j]
        w[j] = a[j]
    scale = np.sqrt(scale)
    if scale <= enough or scale == 0.0:
        return scale
    start = 0
    while border[start] >= 0:
        start += 1
    kept = start  # rows of the last projection, all taken at once
    for _ in range(10 * d + 20):
        if kept:
            for i in range(kept):
                _append(C, K, X, sign, border[i], i)
            size, kept = kept, 0
        else:
            worst, row = -TOLERANCE * scale, -1
            for k in range(n):
                product = 0.0
                for j in range(d):
                    product += X[k, j] * w[j]
                if product * sign[k] < worst * lengths[k]:
                    worst, row = product * sign[k] / lengths[k], k
            if row < 0 or size == most:
                break
            known = False
            for i in range(size):
                known |= border[i] == row
            if known:
                break
            border[size] = row
            _append(C, K, X, sign, row, size)
            size += 1
        while size:
            for i in range(size):
                trial[i] = 0.0
                for j in range(d):
                    trial[i] -= C[i, j] * a[j]
            if not _solve_spd(K, trial, size, factor):
                size -= 1  # a row that depends on the others cannot be violated when they hold
                gamma[size] = 0.0
                continue
            share, leaving = 1.0, -1
            for i in range(size):
                if trial[i] <= 0.0:
                    step_to_zero = gamma[i] / (gamma[i] - trial[i]) if gamma[i] > trial[i] else 0.0
                    if leaving < 0 or step_to_zero < share:
                        share, leaving = step_to_zero, i
            for i in range(size):
                gamma[i] += share * (trial[i] - gamma[i])
            if leaving < 0:
                break
            gamma[leaving] = 0.0
            write = 0
            for i in range(size):
                if i != leaving and gamma[i] >= 0.0 and not (gamma[i] == 0.0 and trial[i] <= 0.0):
                    border[write], gamma[write] = border[i], gamma[i]
                    for j in range(d):
                        C[write, j] = C[i, j]
                    for j in range(write + 1):
                        value = 0.0
                        for k in range(d):
                            value += C[write, k] * C[j, k]
                        K[write, j], K[j, write] = value, value
                    write += 1
            size = write
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
def _append(C, K, X, sign, row, i):
    for j in range(X.shape[1]):
        C[i, j] = sign[row] * X[row, j]
    for k in range(i + 1):
        value = 0.0
        for j in range(X.shape[1]):
            value += C[i, j] * C[k, j]
        K[i, k], K[k, i] = value, value


@njit(cache=True, nogil=True)
def project_all(A, X, lengths, signs, which, borders, enough, out, norms):
    """Project every row of A onto the cone of the row `which[i]` of `signs`; see `project`."""
    for i in range(A.shape[0]):
        norms[i] = project(A[i], X, lengths, signs[which[i]], borders[i], enough, out[i])


def signs_of(D: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the diagonals of 2 D_i - I as the rows of an array, for zeros and ones of shape (n, P)."""
    return np.ascontiguousarray((2 * D.astype(np.int8) - 1).T)


def violation(W: Array, X: Array, signs: NDArray[np.int8]) -> float:
    """Return the largest violation of a cone constraint, over the norms of the row and of the neuron."""
    if not len(W):
        return 0.0
    lengths = np.linalg.norm(X, axis=1) * np.linalg.norm(W, axis=1)[:, np.newaxis]
    return float(np.max(np.maximum(-signs * (W @ X.T), 0.0) / np.where(lengths > 0, lengths, 1.0)))
