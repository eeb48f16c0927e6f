"""Newton steps for one output of a gated network with the squared error, by conjugate gradients on its neurons.

Where it is not zero, a norm has a second derivative: on the neurons that there are, the Hessian is

    A' Omega A + alpha / ||w_j|| (I - w_j w_j' / ||w_j||²) for each neuron,

and a product with it costs two products with the patterns of these neurons alone. A pattern's own block, X' D_j Omega
X, is much like X' Omega X times the share of the weight that it holds: in coordinates where that matrix is diagonal,
these blocks are inverted by one division and one correction of rank one, and serve as preconditioner.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skpapers.convex._clock import Clock
from skpapers.convex._fista import first_step
from skpapers.convex._fista_squared import LOOK, fista_squared, gradient, scores, times
from skpapers.convex._method import Outcome
from skpapers.convex._products import Operator
from skpapers.convex._program import Point, Program

Array = NDArray[np.float64]
PIECE = 500_000_000  # operations between two looks at the clock
MOST_BETWEEN = 32 * LOOK  # iterations of FISTA between two Newton steps, if these do not help
FORCING = 0.2  # share of the residual at which conjugate gradients stop
MOST_PRODUCTS = 30  # most products of conjugate gradients
HALVINGS = 6


def newton_squared(program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock) -> Outcome:
    """Solve the gated program of the pool with the squared error, one output after the other; see `Method`."""
    loss = program.loss
    A = Operator(program.bits(point.pool), program.X)
    point.step = first_step(program, point, A)
    D = A.zeros_and_ones()
    E = np.ascontiguousarray(D.T)
    used = 0
    # compiled iterations do not look at the clock: with a time limit they run in pieces of some tenths of a second
    piece = max(LOOK, PIECE // max(1, D.size * A.X.shape[1])) if clock.limited else max_iter
    # norms do not change with the coordinates, and in these X' diag(omega) X is diagonal
    spectrum, Q = np.linalg.eigh((A.X * loss.weight[:, np.newaxis]).T @ A.X)
    X = A.X @ Q
    spectrum = np.maximum(spectrum, 1e-10 * spectrum[-1])
    for k in range(point.b.size):
        W = point.W[:, 0, :, k] @ Q
        y = np.ascontiguousarray(loss.Y[:, k])
        while used < max_iter:
            most = min(max_iter - used, piece)
            n_iter, point.step = solve_squared(
                D, E, X, y, loss.weight, loss.intercept, W, alpha, spectrum, point.step, goal / point.b.size, most
            )
            used += n_iter
            if n_iter < most or clock.is_over:
                break
        point.W[:, 0, :, k] = W @ Q.T
    return Outcome(used, used < max_iter)


@njit(cache=True, nogil=True)
def solve_squared(D, E, X, y, weight, intercept, W, alpha, spectrum, step, goal, most):
    """Solve the problem of `fista_squared` in place of W: FISTA finds the active neurons, Newton steps improve them.

    Parameters
    ----------
    D, E, y, weight, intercept, W, alpha, step, goal, most
        See `fista_squared`.

    X : ndarray of shape (n, d)
        In coordinates where X' diag(weight) X is diagonal.

    spectrum : ndarray of shape (d,)
        The diagonal.

    Returns
    -------
    n_iter : int
        Iterations of FISTA and Newton steps.

    step : float
        The step size of FISTA at the end.
    """
    n_iter = 0
    turn = LOOK
    while n_iter < most:
        done, step, gap = fista_squared(D, E, X, y, weight, intercept, W, alpha, step, goal, min(turn, most - n_iter))
        n_iter += done
        if gap <= goal or n_iter >= most:
            break
        n_iter += 1
        turn = LOOK if _newton(D, E, X, y, weight, intercept, W, alpha, spectrum) else min(2 * turn, MOST_BETWEEN)
    return n_iter, step


@njit(cache=True, nogil=True)
def _newton(D, E, X, y, weight, intercept, W, alpha, spectrum):
    """Take a Newton step on the neurons that are not zero, in place of W; False if the objective does not fall."""
    n, d = X.shape
    norms = np.sqrt((W * W).sum(axis=1))
    here = np.flatnonzero(norms)
    m = here.size
    if m == 0:
        return False
    w = np.empty((m, d))
    lengths = norms[here]
    D_here = np.empty((n, m))
    E_here = np.empty((m, n))
    for k in range(m):
        w[k] = W[here[k]]
        E_here[k] = E[here[k]]
        for i in range(n):
            D_here[i, k] = E_here[k, i]
    z = np.empty(n)
    u = np.empty(n)
    back = np.empty((n, d))
    scores(D_here, X, w, z)
    before = _value(z, y, weight, intercept, u) + alpha * lengths.sum()
    gradient(z, y, weight, intercept, u)
    times(X, u, back)
    residual = -np.dot(E_here, back)
    unit = np.empty((m, d))
    inverse = np.empty((m, d))
    correction = np.empty(m)
    share = np.dot(E_here, weight)
    for k in range(m):
        bend = alpha / lengths[k]
        rest = 1.0
        for j in range(d):
            unit[k, j] = w[k, j] / lengths[k]
            residual[k, j] -= alpha * unit[k, j]
            inverse[k, j] = 1.0 / (share[k] * spectrum[j] + bend)
            rest -= bend * unit[k, j] * unit[k, j] * inverse[k, j]
        correction[k] = bend / max(rest, 1e-12)
    # single precision is enough for a direction
    D32 = D_here.astype(np.float32)
    E32 = E_here.astype(np.float32)
    X32 = X.astype(np.float32)
    back32 = np.empty((n, d), dtype=np.float32)
    move = np.zeros((m, d))
    scaled = _precondition(residual, unit, inverse, correction)
    along = scaled.copy()
    square = (residual * scaled).sum()
    enough = FORCING * FORCING * square
    for _ in range(MOST_PRODUCTS):
        if square <= enough:
            break
        scores(D32, X32, along.astype(np.float32), z)
        mean = np.dot(weight, z) if intercept else 0.0
        for i in range(n):
            f = np.float32(weight[i] * (z[i] - mean))
            for j in range(d):
                back32[i, j] = X32[i, j] * f
        bent = np.dot(E32, back32).astype(np.float64)
        for k in range(m):
            inner = 0.0
            for j in range(d):
                inner += unit[k, j] * along[k, j]
            for j in range(d):
                bent[k, j] += alpha / lengths[k] * (along[k, j] - inner * unit[k, j])
        curved = (along * bent).sum()
        if not curved > 0.0:
            break
        far = square / curved
        move += far * along
        residual -= far * bent
        scaled = _precondition(residual, unit, inverse, correction)
        was = square
        square = (residual * scaled).sum()
        along = scaled + square / was * along
    far = 1.0
    for _ in range(HALVINGS):
        new = w + far * move
        penalty = 0.0
        for k in range(m):
            inner = 0.0
            norm = 0.0
            for j in range(d):
                inner += unit[k, j] * new[k, j]
                norm += new[k, j] * new[k, j]
            if inner <= 0.0:  # the model of its norm ends at zero
                new[k] = 0.0
            else:
                penalty += np.sqrt(norm)
        scores(D_here, X, new, z)
        if _value(z, y, weight, intercept, u) + alpha * penalty < before:
            for k in range(m):
                W[here[k]] = new[k]
            return True
        far *= 0.5
    return False


@njit(cache=True, nogil=True)
def _value(z, y, weight, intercept, u):
    """Return the loss; u is working space."""
    gradient(z, y, weight, intercept, u)
    total = 0.0
    for i in range(len(z)):
        total += u[i] * u[i] / weight[i]
    return 0.5 * total


@njit(cache=True, nogil=True)
def _precondition(R, unit, inverse, correction):
    out = R * inverse
    for k in range(len(R)):
        inner = 0.0
        for j in range(R.shape[1]):
            inner += unit[k, j] * out[k, j]
        for j in range(R.shape[1]):
            out[k, j] += correction[k] * inner * unit[k, j] * inverse[k, j]
    return out
