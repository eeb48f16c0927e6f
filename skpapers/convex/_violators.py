"""The search for neurons outside a sample that violate a constraint of the dual problem.

A neuron w with ||w|| <= 1 can improve on a solution with gradient U only if ||U'(Xw)_+|| > alpha; for an output of its
own, if |u'(Xw)_+| > alpha. To find the best one is hard in general. Ascent over the signs of Xw stops at the first cell
that holds its own maximiser, where there are many. On a great circle the maximum can be found exactly, by sorting the n
angles at which a row changes its side: from a few good cells, random circles lead to far better ones.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
STARTS = 200  # most random starts of the sign ascent
START_CELLS = 16_000_000  # of rows times features times starts
FEWEST = 8  # starts, whatever the number of rows
ASCENTS = 30  # its steps; as a rule it stands still after ten
CLIMBERS = 20  # of its ends, those that go on along circles
CIRCLES = 997  # random directions, taken in turns
CELLS = 300_000_000  # operations on circles in one search, about half a second
TURNS = 3  # between the neurons and their outputs, where neurons serve several


@njit(cache=True, nogil=True)
def _best_on_circle(a, b, u, slope):
    """Maximise sum_i u_i (a_i cos t + b_i sin t)_+ over t; return value, cosine and sine.

    Between two angles at which a row changes its side the sum is A cos t + B sin t. Angles stand by their tangents,
    first those of positive cosine, then the others, which have the same ones.
    """
    n = a.size
    A, B = 0.0, 0.0
    for i in range(n):
        slope[i] = -a[i] / b[i] if b[i] != 0.0 else np.inf
        if b[i] < 0.0 or (b[i] == 0.0 and a[i] > 0.0):
            A += u[i] * a[i]
            B += u[i] * b[i]
    order = np.argsort(slope)
    best, cosine, sine = -np.inf, 1.0, 0.0
    for half in (1.0, -1.0):
        left = -np.inf
        for k in range(n + 1):
            right = slope[order[k]] if k < n else np.inf
            if half * A > 0.0 and left <= B / A <= right:
                length = np.sqrt(A * A + B * B)
                if length > max(best, 0.0):
                    best, cosine, sine = length, A / length, B / length
            if np.abs(right) < np.inf:
                c = half / np.sqrt(1.0 + right * right)
                if c * (A + B * right) > best:
                    best, cosine, sine = c * (A + B * right), c, c * right
            if k < n:
                i = order[k]
                sign = 1.0 if half * b[i] > 0.0 else -1.0
                if b[i] != 0.0:
                    A += sign * u[i] * a[i]
                    B += sign * u[i] * b[i]
            left = right
        if half * B > best:
            best, cosine, sine = half * B, 0.0, half
        for i in range(n):  # rows that never reach zero on this half do so at its end
            if half > 0.0 and b[i] == 0.0:
                A -= u[i] * np.abs(a[i])
    return best, cosine, sine


@njit(cache=True, nogil=True)
def _climb(X, U, W, V, patience, most):
    """Improve u_j'(X w_j)_+ for the rows w_j of W of norm one along circles through the columns of V, in place.

    A neuron stops after `patience` circles without progress, or after `most`.
    """
    values, spun = np.empty(len(W)), 0
    slope = np.empty(len(X))
    for j in range(len(W)):
        w, u = W[j].copy(), U[j]
        a = X @ w
        best = 0.0
        for i in range(a.size):
            best += u[i] * max(a[i], 0.0)
        failures, used = 0, 0
        while failures <= patience and used < most:
            v = V[spun].copy()
            spun = (spun + 1) % len(V)
            used += 1
            v -= (w @ v) * w
            v /= np.sqrt(v @ v)
            value, cosine, sine = _best_on_circle(a, X @ v, u, slope)
            failures += 1
            if value > best + 1e-7 * np.abs(best):
                if value > best + 1e-4 * np.abs(best):
                    failures = 0
                w = cosine * w + sine * v
                w /= np.sqrt(w @ w)
                a = X @ w
                best = value
        W[j], values[j] = w, best
    return values


def _ascend(X: Array, u: Array, starts: Array) -> tuple[Array, Array]:
    """Return ends of the sign ascent for u'(Xw)_+ as rows, best first, and their values.

    w <- X' diag(1(Xw > 0)) u, normalised, never lowers it, since on each cell it is linear, and below that elsewhere.
    """
    W = starts.T / np.maximum(np.linalg.norm(starts.T, axis=0), 1e-300)
    best, value = W.copy(), np.full(W.shape[1], -np.inf)
    for _ in range(ASCENTS):
        scores = X @ W
        now = u @ np.maximum(scores, 0.0)
        better = now > value
        if not better.any():
            break
        best[:, better], value[better] = W[:, better], now[better]
        W = X.T @ ((scores > 0) * u[:, np.newaxis])
        W /= np.maximum(np.linalg.norm(W, axis=0), 1e-300)
    order = np.argsort(-value, kind="stable")
    return best.T[order], value[order]


def violators(
    X: Array, U: Array, output: int | None, random_state: np.random.RandomState, known: Array, effort: float = 1.0
) -> tuple[Array, Array, Array]:
    """Return neurons with large values of ||U'(Xw)_+||, the best of each local maximum first.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    U : ndarray of shape (n, c)
        The gradient, with its sign changed: a neuron with second layer U'(Xw)_+ lowers the objective.

    output : int or None
        The output that neurons are for; None for neurons that serve all of them.

    random_state : RandomState

    known : ndarray of shape (m, d)
        Neurons to start from, beside random ones.

    effort : float, default=1.0
        Factor on the number of starts and of operations.

    Returns
    -------
    W : ndarray of shape (k, d)
        Of norm one.

    A : ndarray of shape (k, c)
        Weights of the second layer, of norm one.

    values : ndarray of shape (k,)
        Values, in descending order.
    """
    (n, d), c = X.shape, U.shape[1]
    unit = np.ldexp(1.0, np.frexp(np.abs(U).max(initial=0.0))[1])  # a power of two: no digit changes
    U = U / unit  # squares of tiny gradients would vanish
    V = random_state.standard_normal((CIRCLES, d))
    several = output is None and c > 1
    n_starts = int(np.clip(effort * START_CELLS // (n * d), FEWEST, effort * STARTS))
    starts = np.vstack([random_state.standard_normal((n_starts, d)), known])
    climbers = max(2, int(effort * CLIMBERS / (c if several else 1)))
    W, A = [], []
    for k in range(c) if output is None else [output]:
        for sign in (1.0, -1.0):
            W.append(_distinct(*_ascend(X, sign * U[:, k], starts))[:climbers])
            A.append(np.zeros((len(W[-1]), c)))
            A[-1][:, k] = sign
    found, second = np.ascontiguousarray(np.vstack(W)), np.vstack(A)
    turns = TURNS if several else 1
    most = int(effort * CELLS / (n * (d + 30)) / (turns * len(found)))
    for _ in range(turns):
        values = _climb(X, np.ascontiguousarray(second @ U.T), found, V, d, most)
        if several:
            second = np.maximum(found @ X.T, 0.0) @ U
            values = np.linalg.norm(second, axis=1)
            second /= np.maximum(values, 1e-300)[:, np.newaxis]
    order = np.argsort(-values, kind="stable")
    return found[order], second[order], unit * values[order]


def largest_gated(X: Array, u: Array, random_state: np.random.RandomState) -> float:
    """Return the largest ||X' D u|| over the patterns D that the sign ascent from a few random starts ends in."""
    starts = random_state.standard_normal((FEWEST, X.shape[1]))
    ends = np.vstack([_ascend(X, sign * u, starts)[0] for sign in (1.0, -1.0)])
    return float(np.linalg.norm(X.T @ ((X @ ends.T > 0) * u[:, np.newaxis]), axis=0).max())


def _distinct(W: Array, values: Array) -> Array:
    """Return the rows of W without those whose value stood there just before."""
    return W[np.diff(values, prepend=np.inf) < -1e-9 * np.abs(values)]
