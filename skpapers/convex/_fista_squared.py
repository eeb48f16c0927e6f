"""FISTA for one output of a gated network with the squared error, compiled: calls would cost more than the products."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
LOOK = 4  # iterations between two looks at the gap


@njit(cache=True, nogil=True)
def fista_squared(D, E, X, y, weight, intercept, W, alpha, step, goal, most):
    """Minimise 1/2 sum_i omega_i (z_i + b - y_i)² + alpha sum_j ||w_j|| for z = rowsum(X * (D W)), in place of W.

    Parameters
    ----------
    D : ndarray of shape (n, S)
        The patterns as zeros and ones; `E` is its transpose, in C order.

    X : ndarray of shape (n, d)

    y, weight : ndarray of shape (n,)

    intercept : bool
        Whether there is an intercept b. It is optimal at every step.

    W : ndarray of shape (S, d)

    alpha : float

    step : float
        Step size to start from.

    goal : float
        Absolute duality gap over these patterns at which to stop.

    most : int
        Most iterations.

    Returns
    -------
    n_iter : int

    step : float
        The step size at the end.

    gap : float
        The duality gap at the last look.
    """
    (n, d) = X.shape
    S = len(W)
    z = np.empty(n)
    z_new = np.empty(n)
    u = np.empty(n)
    z_v = np.empty(n)
    back = np.empty((n, d))
    new = np.empty((S, d))
    scores(D, X, W, z)
    z_v[:] = z
    V = W.copy()
    t = 1.0
    n_iter = 0
    gap = np.inf
    while n_iter < most:
        n_iter += 1
        gradient(z_v, y, weight, intercept, u)
        times(X, u, back)
        G = np.dot(E, back)
        while True:
            least = step * alpha
            room = 0.0
            turned = 0.0
            for s in range(S):
                norm = 0.0
                for j in range(d):
                    new[s, j] = V[s, j] - step * G[s, j]
                    norm += new[s, j] * new[s, j]
                norm = np.sqrt(norm)
                share = 1.0 - least / norm if norm > least else 0.0
                for j in range(d):
                    new[s, j] *= share
                    away = V[s, j] - new[s, j]
                    room += away * away
                    turned += away * (new[s, j] - W[s, j])
            scores(D, X, new, z_new)
            mean = 0.0
            curved = 0.0
            for i in range(n):
                change = z_new[i] - z_v[i]
                mean += weight[i] * change
                curved += weight[i] * change * change
            if intercept:
                curved -= mean * mean
            room /= step
            if curved <= room * (1.0 + 1e-8) or step < 1e-300:
                break
            step *= 0.7
        if curved < 0.5 * room:
            step *= 1.1
        if turned > 0.0:
            t = 1.0
        t_new = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        beta = (t - 1.0) / t_new
        t = t_new
        for s in range(S):
            for j in range(d):
                V[s, j] = new[s, j] + beta * (new[s, j] - W[s, j])
                W[s, j] = new[s, j]
        for i in range(n):
            z_v[i] = z_new[i] + beta * (z_new[i] - z[i])
            z[i] = z_new[i]
        if n_iter % LOOK == 0:
            gap = _gap(E, X, y, weight, intercept, W, alpha, z, u, back)
            if gap <= goal:
                break
    return n_iter, step, gap


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def scores(D, X, W, z):
    M = np.dot(D, W)
    for i in range(len(z)):
        total = 0.0
        for j in range(X.shape[1]):
            total += X[i, j] * M[i, j]
        z[i] = total


@njit(cache=True, nogil=True)
def times(X, u, back):
    for i in range(len(u)):
        for j in range(X.shape[1]):
            back[i, j] = X[i, j] * u[i]


@njit(cache=True, nogil=True)
def gradient(z, y, weight, intercept, u):
    b = 0.0
    for i in range(len(z)):
        u[i] = z[i] - y[i]
        b -= weight[i] * u[i]
    for i in range(len(z)):
        u[i] = weight[i] * (u[i] + b if intercept else u[i])


@njit(cache=True, nogil=True)
def _gap(E, X, y, weight, intercept, W, alpha, z, u, back):
    """Return the duality gap over the patterns; see `_duality.py` and `SquaredError.dual`."""
    gradient(z, y, weight, intercept, u)
    times(X, u, back)
    G = np.dot(E, back)
    top = 0.0
    penalty = 0.0
    for s in range(len(W)):
        norm = 0.0
        size = 0.0
        for j in range(X.shape[1]):
            norm += G[s, j] * G[s, j]
            size += W[s, j] * W[s, j]
        top = max(top, norm)
        penalty += np.sqrt(size)
    top = np.sqrt(top)
    square = 0.0
    inner = 0.0
    for i in range(len(u)):
        square += u[i] * u[i] / weight[i]
        inner += u[i] * y[i]
    if square == 0.0:
        return alpha * penalty
    scale = max(-inner, 0.0) / square
    if top > 0.0:
        scale = min(scale, alpha / top)
    return 0.5 * square + alpha * penalty + 0.5 * scale * scale * square + scale * inner
