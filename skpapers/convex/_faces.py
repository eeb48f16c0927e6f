"""Newton steps on the faces of the cones on which the neurons of a point lie.

A neuron v_j that is not zero and lies on some borders of its cone moves in the null space of these rows: v_j = N_j
c_j. On these coordinates the objective is smooth, with the Hessian

    C'QC - C'q q'C / sum(q) + alpha / ||v_j|| N_j'(I - v_j v_j' / ||v_j||²) N_j for each neuron,

where C are the scores of the coordinates, Q = diag(q) is the curvature of the loss, and the second term is there if
the model has an intercept. At the optimum most neurons lie on many borders, so that few coordinates are left.
"""

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, block_diag, cho_factor, cho_solve

from skpapers.convex._cones import project_all
from skpapers.convex._products import unpack
from skpapers.convex._program import Point, Program
from skpapers.convex._quadratic import Cones, penalty

Array = NDArray[np.float64]
MOST_CELLS = 1 << 22  # of the scores of all coordinates: 32 MB
DAMPING = 1e-3  # of the mean of the Hessian's diagonal, at the start: neurons of neighbouring patterns may be parallel
SHARES = (1.0, 0.4, 0.1)  # of the step that are tried


@dataclass
class Faces:
    """State from step to step: the patterns as zeros and ones, of shape (n, S), and the damping of the next step."""

    program: Program
    point: Point
    D: Array = field(init=False)
    damping: float = DAMPING

    def __post_init__(self) -> None:
        self.D = unpack(self.program.bits(self.point.pool), len(self.program.X)).astype(np.float64)


def step_on_faces(program: Program, point: Point, faces: Faces, cones: Cones, Z: Array, alpha: float) -> Array | None:
    """Take a Newton step for one output after the other, in place of `point`, whose scores are Z.

    Returns
    -------
    Z : ndarray of shape (n, c) or None
        The new scores, or None if no step lowers the objective.
    """
    moved = None
    for k in range(point.b.size):
        new = _step(program, point, faces, cones, Z, k, alpha)
        faces.damping = min(10.0 * faces.damping, 1.0) if new is None else max(faces.damping / 3.0, 1e-6)
        if new is not None:
            Z = moved = new
    return moved


def _step(program: Program, point: Point, faces: Faces, cones: Cones, Z: Array, k: int, alpha: float) -> Array | None:
    loss = program.loss
    X = program.X
    slot, side = np.nonzero(np.any(point.W[..., k], axis=2))
    if not slot.size:
        return None
    v = point.W[slot, side, :, k]
    sign = 1.0 - 2.0 * side
    borders = point.borders[point.pool[slot], side, :, k].copy()
    N = np.empty((len(v), X.shape[1], X.shape[1]))
    sizes = _bases(X, borders, N)
    edges = np.concatenate([[0], np.cumsum(sizes)])
    if edges[-1] * len(X) > MOST_CELLS:
        return None
    bases = [rows[:size].T for rows, size in zip(N, sizes, strict=True)]
    hidden = [s * (X @ basis) * faces.D[:, j, np.newaxis] for s, basis, j in zip(sign, bases, slot, strict=True)]
    C = np.hstack(hidden)
    length = np.linalg.norm(v, axis=1)
    units = [basis.T @ w / norm for basis, w, norm in zip(bases, v, length, strict=True)]
    slope = loss.gradient(Z + point.b)[:, k] @ C + alpha * np.concatenate(units)
    q = loss.model(Z + point.b, range(k, k + 1))[0][:, 0]
    C *= np.sqrt(q)
    if loss.intercept:
        root = np.sqrt(q[:, 0] / q.sum())
        C -= np.outer(root, root @ C)
    before = loss.value(Z + point.b) + alpha * penalty(point.W)
    move = direction(C, alpha / length, sizes, np.concatenate(units), slope, faces.damping)
    if move is None:
        return None
    move = np.stack([basis @ part for basis, part in zip(bases, np.split(move, edges[1:-1]), strict=True)])
    for share in SHARES:
        new = v + share * move
        new[(new * v).sum(axis=1) <= 0.0] = 0.0  # the model of its norm ends at zero
        out = np.empty_like(new)
        norms = np.empty(len(new))
        found = borders.copy()
        project_all(new, cones.X, cones.XT, cones.lengths, cones.signs, slot, found, 0.0, out, norms)
        W = point.W.copy()
        W[slot, side, :, k] = out
        Z_new = Z.copy()
        Z_new[:, k] += (faces.D[:, slot] * (X @ ((out - v) * sign[:, np.newaxis]).T)).sum(axis=1)
        b = loss.best_intercept(Z_new, point.b)
        if loss.value(Z_new + b) + alpha * penalty(W) < before:
            point.W = W
            point.b = b
            point.borders[point.pool[slot], side, :, k] = found
            return Z_new
    return None


def direction(
    C: Array, curvature: Array, sizes: NDArray[np.int64], unit: Array, slope: Array, damping: float
) -> Array | None:
    """Return the damped Newton direction, or None if the system cannot be solved.

    The system is C'C + diag(curvature_j (I - u_j u_j')) + a multiple of I. If it has more coordinates than there are
    rows, Woodbury's identity leaves one of the size of the rows.

    Parameters
    ----------
    C : ndarray of shape (n, m)
        Scores of the coordinates, times the roots of the curvature of the loss.

    curvature : ndarray of shape (J,)
        Of the norms of the neurons, across them.

    sizes : ndarray of shape (J,)
        The number of coordinates of every neuron; their sum is m.

    unit : ndarray of shape (m,)
        The coordinates u_j of the neurons, over their norms.

    slope : ndarray of shape (m,)

    damping : float
        Of the mean of the diagonal.

    Returns
    -------
    move : ndarray of shape (m,) or None
    """
    n, m = C.shape
    if not m:
        return None
    of = np.repeat(np.arange(len(sizes)), sizes)
    square = np.bincount(of, unit * unit, len(sizes))
    ridge = damping * (float(np.vdot(C, C)) + float(curvature @ (sizes - square))) / m
    try:
        if m > n:
            move = -_solve_by_rows(C, curvature, ridge, of, unit, square, slope)
        else:
            units = np.split(unit, np.cumsum(sizes)[:-1])
            M = C.T @ C
            M += block_diag(*[k * (np.eye(len(u)) - np.outer(u, u)) for k, u in zip(curvature, units, strict=True)])
            M[np.diag_indices_from(M)] += ridge
            move = -cho_solve(cho_factor(M, overwrite_a=True, check_finite=False), slope, check_finite=False)
    except LinAlgError:
        return None
    return move if np.isfinite(move).all() else None


def _solve_by_rows(
    C: Array, curvature: Array, ridge: float, of: NDArray[np.intp], unit: Array, square: NDArray, right: Array
) -> Array:
    """Solve the system of `direction`, whose blocks have inverses (I + more_j u_j u_j') / base_j."""
    base = curvature + ridge
    more = curvature / (base - curvature * square)

    def inverse(b: Array) -> Array:
        return (b + unit * (more * np.bincount(of, unit * b, len(base)))[of]) / base[of]

    starts = np.flatnonzero(np.diff(of, prepend=-1))  # of the neurons that have coordinates
    along = np.add.reduceat(C * unit, starts, axis=1) * np.sqrt(more / base)[of[starts]]
    factor = np.hstack([C / np.sqrt(base)[of], along])
    S = factor @ factor.T
    S[np.diag_indices_from(S)] += 1.0
    known = inverse(right)
    y = cho_solve(cho_factor(S, overwrite_a=True, check_finite=False), C @ known, check_finite=False)
    return known - inverse(C.T @ y)


@njit(cache=True, nogil=True)
def _bases(X, borders, N):
    """Write an orthonormal basis of the null space of the border rows of every neuron into the first rows of N[j]."""
    sizes = np.empty(len(borders), dtype=np.int64)
    for j in range(len(borders)):
        size = 0
        while borders[j, size] >= 0:
            size += 1
        if size == 0:
            N[j] = np.eye(X.shape[1])
            sizes[j] = X.shape[1]
            continue
        rows = np.empty((size, X.shape[1]))
        for i in range(size):
            rows[i] = X[borders[j, i]]
        _, values, right = np.linalg.svd(rows, full_matrices=True)
        rank = 0
        while rank < values.size and values[rank] > 1e-10 * values[0]:
            rank += 1
        sizes[j] = X.shape[1] - rank
        N[j, : sizes[j]] = right[rank:]
    return sizes
