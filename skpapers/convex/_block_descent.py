"""Block descent for the ReLU program of a working set, one output at a time, with Newton steps on faces.

The largest curvature of one pattern is a small part of that of all patterns together. A step for the neurons of one
pattern, with the others fixed, is therefore about ten times as long as a step of FISTA. Sweeps over the patterns find
the borders of the cones on which neurons lie; along these borders `_faces.py` takes Newton steps.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skpapers.convex._clock import Clock
from skpapers.convex._cones import project
from skpapers.convex._faces import Faces, step_on_faces
from skpapers.convex._method import Outcome
from skpapers.convex._newton import line_search
from skpapers.convex._products import blocks
from skpapers.convex._program import Point, Program, certify, suprema

Array = NDArray[np.float64]
LOOK = 10  # sweeps between two looks at the gap
EVERY = 5  # one sweep out of so many also updates the neurons that are zero
INNER = 3  # most steps for the neurons of one pattern in a sweep
MOST_BETWEEN = 16 * LOOK  # sweeps between two Newton steps if these do not help


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _gradient(XT, sign, weight, r, u, g):
    """Write X' D diag(weight) r into g. u is working space."""
    d, n = XT.shape
    for k in range(n):
        u[k] = weight[k] * r[k] if sign[k] > 0 else 0.0
    for j in range(0, d - 3, 4):
        x0 = XT[j]
        x1 = XT[j + 1]
        x2 = XT[j + 2]
        x3 = XT[j + 3]
        g0 = 0.0
        g1 = 0.0
        g2 = 0.0
        g3 = 0.0
        for k in range(n):
            g0 += x0[k] * u[k]
            g1 += x1[k] * u[k]
            g2 += x2[k] * u[k]
            g3 += x3[k] * u[k]
        g[j] = g0
        g[j + 1] = g1
        g[j + 2] = g2
        g[j + 3] = g3
    for j in range(d - d % 4, d):
        x0 = XT[j]
        g0 = 0.0
        for k in range(n):
            g0 += x0[k] * u[k]
        g[j] = g0


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _add_scores(XT, sign, move, weight, intercept, z, r):
    """Add D X move to the residuals r, and subtract their mean if there is an intercept. z is working space."""
    d, n = XT.shape
    z[:] = 0.0
    for j in range(0, d - 3, 4):
        x0 = XT[j]
        x1 = XT[j + 1]
        x2 = XT[j + 2]
        x3 = XT[j + 3]
        w0 = move[j]
        w1 = move[j + 1]
        w2 = move[j + 2]
        w3 = move[j + 3]
        for k in range(n):
            z[k] += (x0[k] * w0 + x1[k] * w1) + (x2[k] * w2 + x3[k] * w3)
    for j in range(d - d % 4, d):
        x0 = XT[j]
        w0 = move[j]
        for k in range(n):
            z[k] += x0[k] * w0
    for k in range(n):
        r[k] += z[k] if sign[k] > 0 else 0.0
    # On its own: LLVM does not vectorise a loop that also stores if its arrays are within 256 bytes of each other, and
    # would then add in another order.
    mean = 0.0
    total = 0.0
    for k in range(n):
        mean += weight[k] * r[k]
        total += weight[k]
    if intercept:
        mean /= total
        for k in range(n):
            r[k] -= mean


@njit(cache=True, nogil=True)
def _sweep(X, XT, lengths, signs, weight, r, intercept, W, alpha, H, steps, borders, sweeps):
    """Lower 1/2 sum_i weight_i r_i² + alpha sum ||w|| block by block, in place of W and r.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        `XT` is its transpose, in C order; `lengths` are the norms of the rows.

    signs : ndarray of int8 of shape (S, n)

    weight : ndarray of shape (n,)

    r : ndarray of shape (n,)
        Residuals: scores minus targets.

    intercept : bool
        Whether the mean of r is taken off it.

    W : ndarray of shape (S, 2, d)

    alpha : float

    H : ndarray of shape (S, d, d)
        X' D_s diag(weight) X; `steps` are the inverses of their largest eigenvalues.

    borders : ndarray of shape (S, 2, d + 2)

    sweeps : int
    """
    S, _, d = W.shape
    z = np.empty(len(X))
    u = np.empty(len(X))
    g = np.empty(d)
    a = np.empty(d)
    new = np.empty(d)
    move = np.empty(d)
    change = np.empty(d)
    for sweep in range(sweeps):
        for s in range(S):
            if sweep % EVERY > 0 and not W[s].any():
                continue
            _gradient(XT, signs[s], weight, r, u, g)
            move[:] = 0.0
            for _ in range(INNER):
                largest = 0.0
                size = 0.0
                for q in range(2):
                    was = 0.0
                    side = 1.0 - 2.0 * q
                    norm = 0.0
                    least = alpha * steps[s]
                    for j in range(d):
                        was += W[s, q, j] ** 2
                        a[j] = W[s, q, j] - side * g[j] * steps[s]
                        norm += a[j] * a[j]
                    if was == 0.0 and sweep % EVERY > 0:
                        continue
                    norm = np.sqrt(norm)
                    if norm > least:
                        norm = project(a, X, XT, lengths, signs[s], borders[s, q], least, new)
                    share = 1.0 - least / norm if norm > least else 0.0
                    moved = 0.0
                    for j in range(d):
                        change[j] = (share * new[j] if share > 0.0 else 0.0) - W[s, q, j]
                        moved += change[j] * change[j]
                        W[s, q, j] += change[j]
                        move[j] += side * change[j]
                    if moved > 0.0:
                        for i in range(d):
                            for j in range(d):
                                g[i] += side * H[s, i, j] * change[j]
                    largest = max(largest, moved)
                    size = max(size, was)
                if largest <= 1e-6 * size:
                    break
            if move.any():
                _add_scores(XT, signs[s], move, weight, intercept, z, r)


def block_descent(program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock) -> Outcome:
    """Solve the ReLU program of the pool to an absolute duality gap of `goal`, in place of `point`.

    For one output, or several that are problems of their own.

    Parameters
    ----------
    program : Program

    point : Point

    alpha, goal : float

    max_iter : int
        Most sweeps and Newton steps.

    clock : Clock

    Returns
    -------
    outcome : Outcome
    """
    loss = program.loss
    X = program.X
    c = point.b.size
    B = program.bits(point.pool)
    cones = program.cones(point.pool)
    faces = Faces(program, point)
    H = steps = None
    Z = program.scores(point)
    n_iter = 0
    turn = LOOK
    newton_at = LOOK
    while True:
        sweeps = min(LOOK, max_iter - n_iter)
        n_iter += sweeps
        for k in range(c):
            point.b = loss.best_intercept(Z, point.b)
            Q, back = loss.model(Z + point.b, range(k, k + 1))
            W = point.W[..., k].copy()
            borders = point.borders[point.pool][..., k].copy()
            r = back[:, 0].copy()
            weight = np.ascontiguousarray(Q[:, 0, 0])
            if H is None or not loss.quadratic:
                H = blocks(B, X, weight)
                largest = np.linalg.eigvalsh(H)[:, -1] * (1 + 1e-9)
                steps = 1.0 / np.maximum(largest, np.finfo(np.float64).tiny ** 0.5)
            _sweep(
                X, program.XT, program.lengths, cones.signs, weight, r, loss.intercept, W, alpha, H, steps, borders,
                sweeps,
            )  # fmt: skip
            point.borders[point.pool, ..., k] = borders
            new = point.W.copy()
            new[..., k] = W
            Z = line_search(
                program, point, Z, program.scores(Point(point.pool, new, point.b, point.borders)) - Z, new, alpha
            )
        point.b = loss.best_intercept(Z, point.b)
        U = loss.gradient(Z + point.b)
        norms, _ = suprema(program, point.pool, B, U, point, alpha)
        if certify(program, point, Z, U, norms, alpha)[0].absolute <= goal or n_iter >= max_iter or clock.is_over:
            return Outcome(n_iter, n_iter < max_iter)
        if n_iter >= newton_at:
            n_iter += 1
            Z_new = step_on_faces(program, point, faces, cones, Z, alpha)
            turn = min(2 * turn, MOST_BETWEEN) if Z_new is None else LOOK
            newton_at = n_iter + turn
            Z = Z if Z_new is None else Z_new
