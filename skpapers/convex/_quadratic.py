"""Group lasso in Gram space, with or without cones: block descent that finds the support, Newton steps upon it.

minimise 1/2 w'Hw - c'w + alpha sum_iq ||w_iq|| over w_i = w_i0 - w_i1, where for ReLU networks w_i0 and w_i1 lie in the
cone K_i, and for gated ones there is w_i0 alone, and no cone. No cost depends on the number of rows, but that of
projections.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._cones import project, project_all

Array = NDArray[np.float64]
MAX_FAILURES = 4  # Newton steps in a row that do not lower the objective, before another method continues


class Cones(NamedTuple):
    """The cones of some patterns: rows, columns in the order of memory, norms of rows, signs of shape (patterns, n),
    whether there are cones at all."""

    X: Array
    XT: Array
    lengths: Array
    signs: NDArray[np.int8]
    present: bool


def no_cones(d: int) -> Cones:
    """Return a value for programs without cones."""
    return Cones(np.empty((0, d)), np.empty((d, 0)), np.empty(0), np.empty((0, 0), dtype=np.int8), False)


@njit(cache=True, nogil=True)
def _descend(H, g, W, steps, alpha, sweeps, X, XT, lengths, signs, cones, borders):
    """Sweep over the blocks; every fifth sweep also updates those that are zero. `g` is the gradient Hw - c."""
    blocks, sides, d = W.shape
    a = np.empty(d)
    new = np.empty(d)
    for sweep in range(sweeps):
        largest = 0.0
        for i in range(blocks):
            for q in range(sides):
                was = 0.0
                for j in range(d):
                    was += W[i, q, j] ** 2
                if was == 0.0 and sweep % 5 > 0:
                    continue
                side = 1.0 - 2.0 * q
                norm = 0.0
                for j in range(d):
                    a[j] = W[i, q, j] - side * g[i * d + j] * steps[i]
                    norm += a[j] * a[j]
                norm = np.sqrt(norm)
                least = alpha * steps[i]
                if cones and norm > least:
                    norm = project(a, X, XT, lengths, signs[i], borders[i, q], least, new)
                    for j in range(d):
                        a[j] = new[j]
                shrinkage = 1.0 - least / norm if norm > least else 0.0
                moved = 0.0
                for j in range(d):
                    change = shrinkage * a[j] - W[i, q, j]
                    if change != 0.0:
                        moved += change * change
                        W[i, q, j] = shrinkage * a[j]
                        row = H[i * d + j]
                        change *= side
                        for k in range(g.size):
                            g[k] += change * row[k]
                largest = max(largest, moved - 1e-24 * was)
        if largest <= 0.0 and sweep % 5 == 0:
            break


def net(W: Array) -> Array:
    """Return w_i0 - w_i1, or w_i0 if there is no w_i1; the sides are the second axis."""
    return W[:, 0] - W[:, 1] if W.shape[1] == 2 else W[:, 0]


def penalty(W: Array) -> float:
    """Return the sum of the norms of the neurons; the features are the third axis."""
    return float(np.sqrt((W * W).sum(axis=2)).sum())


def dual_norms(g: Array, cones: Cones, borders: NDArray[np.int64], enough: float) -> Array:
    """Return, for every block and side, the norm of the negative gradient projected onto the cone."""
    norms = np.sqrt((g * g).sum(axis=1))[:, np.newaxis]
    if not cones.present:
        return norms
    norms = np.repeat(norms, 2, axis=1)
    for q in (0, 1):
        which = np.flatnonzero(norms[:, q] > enough)
        if which.size:
            found = np.empty(which.size)
            out = np.empty((which.size, g.shape[1]))
            starts = borders[which, q]
            toward = np.ascontiguousarray((2 * q - 1.0) * g[which])
            project_all(toward, cones.X, cones.XT, cones.lengths, cones.signs, which, starts, enough, out, found)
            borders[which, q] = starts
            norms[which, q] = found
    return norms


def _newton(H: Array, g: Array, W: Array, alpha: float, cones: Cones, borders: NDArray[np.int64]) -> bool:
    """Take a Newton step on the neurons that are not zero, along the borders of the cones on which they lie."""
    d = W.shape[2]
    norms = np.sqrt((W * W).sum(axis=2))
    blocks, sides = np.nonzero(norms)
    side = 1.0 - 2.0 * sides
    w = W[blocks, sides]
    length = norms[blocks, sides]
    rows = (blocks[:, np.newaxis] * d + np.arange(d)).ravel()
    signed = np.repeat(side, d)
    M = H[np.ix_(rows, rows)] * signed * signed[:, np.newaxis]
    unit = w / length[:, np.newaxis]
    for k in range(len(blocks)):
        at = slice(k * d, (k + 1) * d)
        M[at, at] += alpha / length[k] * (np.eye(d) - np.outer(unit[k], unit[k]))
    slope = (side[:, np.newaxis] * g.reshape(-1, d)[blocks] + alpha * unit).ravel()
    bases = None
    if cones.present:
        bases = [_null_space(cones, borders[i, q]) for i, q in zip(blocks, sides, strict=True)]
        edges = np.cumsum([0] + [basis.shape[1] for basis in bases])
        left = np.empty((edges[-1], len(rows)))
        for k, basis in enumerate(bases):
            left[edges[k] : edges[k + 1]] = basis.T @ M[k * d : (k + 1) * d]
        M = np.hstack([left[:, k * d : (k + 1) * d] @ basis for k, basis in enumerate(bases)])
        slope = np.concatenate([basis.T @ slope[k * d : (k + 1) * d] for k, basis in enumerate(bases)])
    if not slope.size:
        return False
    try:
        M[np.diag_indices_from(M)] += 1e-13 * np.trace(M) / len(M)
        step = -cho_solve(cho_factor(M, check_finite=False), slope, check_finite=False)
    except LinAlgError:
        return False
    if not np.isfinite(step).all():
        return False
    if bases is not None:
        step = np.concatenate([basis @ step[edges[k] : edges[k + 1]] for k, basis in enumerate(bases)])
    step = step.reshape(-1, d)
    full = 0.5 * alpha * length.sum()
    for share in (1.0, 0.5, 0.2, 0.05):
        new = w + share * step
        if cones.present:
            out = np.empty_like(new)
            found = np.empty(len(new))
            starts = borders[blocks, sides]
            project_all(new, cones.X, cones.XT, cones.lengths, cones.signs, blocks, starts, 0.0, out, found)
            new = out
        moved = (side[:, np.newaxis] * (new - w)).ravel()
        curved = moved @ H[rows]  # H is symmetric
        change = moved @ g[rows] + 0.5 * moved @ curved[rows]
        change += alpha * (np.sqrt((new * new).sum(axis=1)).sum() - length.sum())
        if change < -1e-15 * full:
            W[blocks, sides] = new
            g += curved
            return True
    return False


def _null_space(cones: Cones, border: NDArray[np.int64]) -> Array:
    """Return an orthonormal basis of the directions that keep a neuron on its border."""
    d = cones.X.shape[1]
    size = int(np.argmax(border < 0))
    if not size:
        return np.eye(d)
    Q, R = np.linalg.qr(cones.X[border[:size]].T, mode="complete")
    rank = int((np.abs(np.diag(R)) > 1e-12 * np.abs(R).max()).sum())
    return Q[:, rank:]


def solve_quadratic(
    H: Array,
    c: Array,
    square: float,
    W: Array,
    alpha: float,
    cones: Cones,
    borders: NDArray[np.int64],
    clock: Clock = ENDLESS,
    *,
    gap: float,
    max_rounds: int = 100,
) -> float:
    """Solve the problem above in place of W, until the duality gap is at most `gap` or Newton steps are of no use.

    Parameters
    ----------
    H : ndarray of shape (blocks * d, blocks * d)

    c : ndarray of shape (blocks * d,)

    square : float
        The squared norm of the target, so that 1/2 (square + w'Hw - 2 c'w) is a sum of squares.

    W : ndarray of shape (blocks, sides, d)
        The start, which the solution replaces.

    alpha : float

    cones : Cones

    borders : ndarray of shape (blocks, sides, d + 2)
        Where projections start. Changed in place.

    clock : Clock, default=ENDLESS

    gap : float
        Absolute duality gap at which to stop.

    max_rounds : int, default=100
        Each of ten sweeps and a Newton step.

    Returns
    -------
    gap : float
        The duality gap reached.
    """
    blocks, _, d = W.shape
    diagonal = np.stack([H[i * d : (i + 1) * d, i * d : (i + 1) * d] for i in range(blocks)])
    steps = 1.0 / np.maximum(np.linalg.eigvalsh(diagonal)[:, -1] * (1 + 1e-12), np.finfo(np.float64).tiny ** 0.5)
    reached = np.inf
    failures = 0
    for _ in range(max_rounds):
        g = H @ net(W).ravel() - c
        _descend(H, g, W, steps, alpha, 10, *cones[:4], cones.present, borders)
        w = net(W).ravel()
        inner = float(c @ w)
        curved = float(w @ (g + c))
        residual = max(square - 2.0 * inner + curved, 0.0)
        top = float(dual_norms(g.reshape(blocks, d), cones, borders, alpha).max())
        scale = min(max(square - inner, 0.0) / residual, alpha / top if top > alpha else 1.0) if residual else 0.0
        dual = scale * (square - inner) - 0.5 * scale * scale * residual
        reached = 0.5 * residual + alpha * penalty(W) - dual
        if reached <= gap or failures == MAX_FAILURES or clock.is_over:
            break
        if w.any():
            failures = 0 if _newton(H, g, W, alpha, cones, borders) else failures + 1
    return reached
