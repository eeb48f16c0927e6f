"""Products of rows with matrices, and outputs of networks, in which every row is computed alone.

BLAS adds up the terms of a row in an order that depends on the number of rows beside it and on their layout in memory.
The last digits differ, and where a sum is about zero its sign does: it decides which side of a gate the row is on.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROUNDING = 1e-13  # of the terms' absolute values: a sum this close to zero is zero but for rounding


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
    return _row_products(_plain(X), _plain(W))


def open_gates(X: Array, G: Array) -> NDArray[np.bool_]:
    """Return which gates are open for which rows; a gate is closed for rows that lie on it up to rounding.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    G : ndarray of shape (d, P) or (d + 1, P)
        One gate a column; a last row are intercepts.

    Returns
    -------
    open : ndarray of bool of shape (n, P)
    """
    return _open_gates(_plain(X), *_split(G, X.shape[1]))


def network_outputs(
    X: Array, center: Array, W: Array, b: Array, gates: Array | None, out: Array, intercept: Array
) -> Array:
    """Return the outputs of a network with one hidden layer.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows as they came.

    center : ndarray of shape (d,)
        What is subtracted from them; weights, intercepts and gates are those of the difference.

    W, b : ndarray of shape (d, m) and (m,)
        Weights and intercepts of the hidden neurons.

    gates : ndarray of shape (d, m) or (d + 1, m), or None
        The gates of gated neurons, open or closed as by `open_gates`; None for ReLU neurons.

    out, intercept : ndarray of shape (m, c) and (c,)
        Weights and intercepts of the outputs.

    Returns
    -------
    outputs : ndarray of shape (n, c)
    """
    gated = gates is not None
    G, g = _split(gates if gates is not None else np.empty((0, W.shape[1])), X.shape[1] if gated else 0)
    last = np.ascontiguousarray(out.T)
    return _network_outputs(_plain(X), _plain(center), _plain(W), _plain(b), G, g, last, _plain(intercept), gated)


def _plain(A: Array) -> Array:
    """Return an array of the one layout that the kernels are compiled for."""
    return np.require(A, np.float64, ["C", "W"])


def _split(G: Array, d: int) -> tuple[Array, Array]:
    """Return the weights of gates and their intercepts."""
    return _plain(G[:d]), _plain(G[d]) if len(G) > d else np.zeros(G.shape[1])


@njit(cache=True, nogil=True)
def _sums(X, W, s0, s1, s2, s3):
    # Four rows and two columns at once, for fewer loads and stores: sums are still in the order of the columns, since
    # `a + b + c` is `(a + b) + c` and numba reorders and fuses nothing without fastmath.
    d, m = W.shape
    even = d - d % 2
    s0[:] = 0.0
    s1[:] = 0.0
    s2[:] = 0.0
    s3[:] = 0.0
    for j in range(0, even, 2):
        x0 = X[0, j]
        x1 = X[1, j]
        x2 = X[2, j]
        x3 = X[3, j]
        y0 = X[0, j + 1]
        y1 = X[1, j + 1]
        y2 = X[2, j + 1]
        y3 = X[3, j + 1]
        for k in range(m):
            w = W[j, k]
            v = W[j + 1, k]
            s0[k] = s0[k] + x0 * w + y0 * v
            s1[k] = s1[k] + x1 * w + y1 * v
            s2[k] = s2[k] + x2 * w + y2 * v
            s3[k] = s3[k] + x3 * w + y3 * v
    if even < d:
        x0 = X[0, even]
        x1 = X[1, even]
        x2 = X[2, even]
        x3 = X[3, even]
        for k in range(m):
            w = W[even, k]
            s0[k] += x0 * w
            s1[k] += x1 * w
            s2[k] += x2 * w
            s3[k] += x3 * w


@njit(cache=True, nogil=True)
def _load(X, center, start, rows):
    for r in range(4):
        i = min(start + r, X.shape[0] - 1)
        for j in range(X.shape[1]):
            rows[r, j] = X[i, j] - center[j]


@njit(cache=True, nogil=True)
def _is_open(x, G, g, k, place):
    """Return whether `place` is above 0 by more than rounding."""
    size = abs(g[k])
    for j in range(x.size):
        size += abs(x[j]) * abs(G[j, k])
    return place > ROUNDING * size


@njit(cache=True, nogil=True)
def _lengths(G, g):
    total = np.abs(g)
    for j in range(G.shape[0]):
        for k in range(g.size):
            total[k] += abs(G[j, k])
    return total


@njit(cache=True, nogil=True)
def _gate_row(x, G, g, lengths, place, opened):
    largest = 1.0
    for j in range(x.size):
        largest = max(largest, abs(x[j]))
    rounding = 2.0 * ROUNDING * largest
    for k in range(g.size):
        place[k] += g[k]
        opened[k] = place[k] > rounding * lengths[k]  # a bound on the size of all terms
    for k in range(g.size):
        if not opened[k] and place[k] > 0.0:  # few rows are so close to a gate
            opened[k] = _is_open(x, G, g, k, place[k])


@njit(cache=True, nogil=True)
def _row_products(X, W):
    n, d = X.shape
    m = W.shape[1]
    out = np.empty((n, m))
    rows = np.empty((4, d))
    s0 = np.empty(m)
    s1 = np.empty(m)
    s2 = np.empty(m)
    s3 = np.empty(m)
    center = np.zeros(d)
    for i in range(0, n, 4):
        _load(X, center, i, rows)
        _sums(rows, W, s0, s1, s2, s3)
        out[i] = s0
        out[min(i + 1, n - 1)] = s1
        out[min(i + 2, n - 1)] = s2
        out[min(i + 3, n - 1)] = s3
    return out


@njit(cache=True, nogil=True)
def _open_gates(X, G, g):
    n, d = X.shape
    m = g.size
    out = np.empty((n, m), dtype=np.bool_)
    rows = np.empty((4, d))
    s0 = np.empty(m)
    s1 = np.empty(m)
    s2 = np.empty(m)
    s3 = np.empty(m)
    center = np.zeros(d)
    lengths = _lengths(G, g)
    for i in range(0, n, 4):
        _load(X, center, i, rows)
        _sums(rows, G, s0, s1, s2, s3)
        for r, place in enumerate((s0, s1, s2, s3)):
            _gate_row(rows[r], G, g, lengths, place, out[min(i + r, n - 1)])
    return out


@njit(cache=True, nogil=True)
def _network_outputs(X, center, W, b, G, g, last, intercept, gated):
    n, d = X.shape
    m = b.size
    out = np.empty((n, intercept.size))
    rows = np.empty((4, d))
    s0 = np.empty(m)
    s1 = np.empty(m)
    s2 = np.empty(m)
    s3 = np.empty(m)
    p0 = np.empty(m)
    p1 = np.empty(m)
    p2 = np.empty(m)
    p3 = np.empty(m)
    opened = np.empty(m, dtype=np.bool_)
    lengths = _lengths(G, g)
    for i in range(0, n, 4):
        _load(X, center, i, rows)
        _sums(rows, W, s0, s1, s2, s3)
        if gated:
            _sums(rows, G, p0, p1, p2, p3)
        for r, (hidden, place) in enumerate(((s0, p0), (s1, p1), (s2, p2), (s3, p3))):
            if gated:
                _gate_row(rows[r], G, g, lengths, place, opened)
                for k in range(m):
                    hidden[k] = hidden[k] + b[k] if opened[k] else 0.0
            else:
                for k in range(m):
                    hidden[k] = max(hidden[k] + b[k], 0.0)
            _last_layer(hidden, last, intercept, out[min(i + r, n - 1)])
    return out


@njit(cache=True, nogil=True)
def _last_layer(hidden, last, intercept, out):
    # four sums that do not wait for one another
    m = hidden.size
    whole = m - m % 4
    for o in range(intercept.size):
        a = b = c = d = 0.0
        for k in range(0, whole, 4):
            a += hidden[k] * last[o, k]
            b += hidden[k + 1] * last[o, k + 1]
            c += hidden[k + 2] * last[o, k + 2]
            d += hidden[k + 3] * last[o, k + 3]
        for k in range(whole, m):
            a += hidden[k] * last[o, k]
        out[o] = (a + b) + (c + d) + intercept[o]
