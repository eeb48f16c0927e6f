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
ASCENTS = 30  # its steps; as a rule ten are enough
CLIMBERS = 20  # number of its ends that are improved along circles
CIRCLES = 997  # random directions, taken in turns
CELLS = 300_000_000  # operations on circles in one search, about half a second
LARGEST = 1e150  # of tangents: their squares are finite
CROWDED = 16.0  # mean size of a value's bucket, beyond which insertion takes longer than sorting by comparisons
TURNS = 3  # between the neurons and their outputs, where neurons serve several


@njit(cache=True, nogil=True)
def _sort(values, key, place, order):
    """Write the order that sorts finite values, in O(n) for values that are spread evenly; key, place: working space.

    A counting sort into n buckets and an insertion sort of the whole, which has little left to do.
    """
    n = values.size
    low = np.inf
    high = -np.inf
    for i in range(n):
        key[i] = values[i] / (1.0 + np.abs(values[i]))
        low = min(low, key[i])
        high = max(high, key[i])
    unit = (n - 1) / (high - low) if high > low else 0.0
    place[:] = 0
    for i in range(n):
        key[i] = (key[i] - low) * unit
        place[np.int64(key[i])] += 1
    start = 0
    crowded = 0.0
    for k in range(n):
        count = place[k]
        crowded += np.float64(count) * count
        place[k] = start
        start += count
    if crowded > CROWDED * n:
        order[:] = np.argsort(values)
        return
    for i in range(n):
        bucket = np.int64(key[i])
        order[place[bucket]] = i
        place[bucket] += 1
    for k in range(1, n):
        i = order[k]
        value = values[i]
        to = k
        while to > 0 and values[order[to - 1]] > value:
            order[to] = order[to - 1]
            to -= 1
        order[to] = i


@njit(cache=True, nogil=True)
def _best_on_circle(a, b, u, slope, cosines, key, place, order):
    """Maximise f(t) = sum_i u_i (a_i cos t + b_i sin t)_+ over t; return value, cosine and sine.

    Row i changes its side where tan t = -a_i / b_i. Between two such angles f(t) = A cos t + B sin t, with the sums A
    and B over the rows that are positive there. One pass over the tangents covers both halves of the circle, since
    the other rows are positive at t + pi: f(t + pi) = f(t) - (A_all cos t + B_all sin t).
    """
    n = a.size
    A = 0.0
    B = 0.0
    A_all = 0.0
    B_all = 0.0
    for i in range(n):
        # a row with b = 0 has its angle at pi / 2, or next to it
        slope[i] = -a[i] / b[i] if b[i] != 0.0 else LARGEST
        slope[i] = min(max(slope[i], -LARGEST), LARGEST)
        cosines[i] = 1.0 / np.sqrt(1.0 + slope[i] * slope[i])
        A_all += u[i] * a[i]
        B_all += u[i] * b[i]
        if b[i] < 0.0 or (b[i] == 0.0 and a[i] > 0.0):  # positive next to t = -pi / 2
            A += u[i] * a[i]
            B += u[i] * b[i]
    _sort(slope, key, place, order)
    best = -np.inf
    cosine = 1.0
    sine = 0.0
    left = -np.inf
    for k in range(n + 1):
        i = order[k] if k < n else -1
        right = slope[i] if k < n else np.inf
        if A > 0.0 and left * A <= B <= right * A:
            length = np.sqrt(A * A + B * B)
            if length > best:
                best = length
                cosine = A / length
                sine = B / length
        A_other = A - A_all
        B_other = B - B_all
        if A_other > 0.0 and left * A_other <= B_other <= right * A_other:
            length = np.sqrt(A_other * A_other + B_other * B_other)
            if length > best:
                best = length
                cosine = -A_other / length
                sine = -B_other / length
        if k < n:
            value = cosines[i] * (A + B * right)
            if value > best:
                best = value
                cosine = cosines[i]
                sine = cosines[i] * right
            value = cosines[i] * (A_other + B_other * right)
            if value > best:
                best = value
                cosine = -cosines[i]
                sine = -cosines[i] * right
            side = 1.0 if b[i] > 0.0 or (b[i] == 0.0 and a[i] < 0.0) else -1.0
            A += side * u[i] * a[i]
            B += side * u[i] * b[i]
        left = right
    if best < B:
        best = B
        cosine = 0.0
        sine = 1.0
    if best < B - B_all:
        best = B - B_all
        cosine = 0.0
        sine = -1.0
    return best, cosine, sine


@njit(cache=True, nogil=True)
def _climb(X, U, W, V, patience, most):
    """Improve u_j'(X w_j)_+ for the rows w_j of W of norm one along circles through the columns of V, in place.

    A neuron stops after `patience` circles without progress, or after `most`.
    """
    values = np.empty(len(W))
    spun = 0
    n = len(X)
    slope = np.empty(n)
    cosines = np.empty(n)
    key = np.empty(n)
    place = np.empty(n, dtype=np.int64)
    order = np.empty(n, dtype=np.int64)
    for j in range(len(W)):
        w = W[j].copy()
        u = U[j]
        a = X @ w
        best = 0.0
        for i in range(a.size):
            best += u[i] * max(a[i], 0.0)
        failures = 0
        used = 0
        while failures <= patience and used < most:
            v = V[spun].copy()
            spun = (spun + 1) % len(V)
            used += 1
            v -= (w @ v) * w
            length = np.sqrt(v @ v)
            if length < 1e-8:  # one feature: there are no circles
                break
            v /= length
            value, cosine, sine = _best_on_circle(a, X @ v, u, slope, cosines, key, place, order)
            failures += 1
            if value > best + 1e-7 * np.abs(best):
                if value > best + 1e-4 * np.abs(best):
                    failures = 0
                w = cosine * w + sine * v
                w /= np.sqrt(w @ w)
                a = X @ w
                best = value
        W[j] = w
        values[j] = best
    return values


def _ascend(X: Array, u: Array, starts: Array) -> tuple[Array, Array]:
    """Return ends of the sign ascent for u'(Xw)_+ as rows, best first, and their values.

    w <- X' diag(1(Xw > 0)) u, normalised, never lowers it, since on each cell it is linear, and below that elsewhere.
    """
    W = starts.T / np.maximum(np.linalg.norm(starts.T, axis=0), 1e-300)
    best = W.copy()
    value = np.full(W.shape[1], -np.inf)
    moving = np.arange(W.shape[1])
    for _ in range(ASCENTS):
        scores = X @ W
        now = u @ np.maximum(scores, 0.0)
        better = now > value[moving]
        moving = moving[better]
        if not moving.size:
            break
        best[:, moving] = W[:, better]
        value[moving] = now[better]
        W = X.T @ ((scores[:, better] > 0) * u[:, np.newaxis])
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
    (n, d) = X.shape
    c = U.shape[1]
    unit = np.ldexp(1.0, np.frexp(np.abs(U).max(initial=0.0))[1])  # a power of two: no digit changes
    U = U / unit  # squares of tiny gradients would vanish
    V = random_state.standard_normal((CIRCLES, d))
    several = output is None and c > 1
    n_starts = int(np.clip(effort * START_CELLS // (n * d), FEWEST, effort * STARTS))
    starts = np.vstack([random_state.standard_normal((n_starts, d)), known])
    climbers = max(2, int(effort * CLIMBERS / (c if several else 1)))
    W = []
    A = []
    for k in range(c) if output is None else [output]:
        for sign in (1.0, -1.0):
            W.append(_distinct(*_ascend(X, sign * U[:, k], starts))[:climbers])
            A.append(np.zeros((len(W[-1]), c)))
            A[-1][:, k] = sign
    found = np.ascontiguousarray(np.vstack(W))
    second = np.vstack(A)
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
    """Return the rows of W without those whose value equals the one before."""
    return W[np.diff(values, prepend=np.inf) < -1e-9 * np.abs(values)]
