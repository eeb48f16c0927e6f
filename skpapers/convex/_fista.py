"""Accelerated proximal gradient for the patterns of a working set (the paper's R-FISTA), two products an iteration."""

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._clock import Clock
from skpapers.convex._cones import project_all
from skpapers.convex._method import Outcome
from skpapers.convex._products import Operator
from skpapers.convex._program import Point, Program, certify, suprema
from skpapers.convex._quadratic import Cones, net

Array = NDArray[np.float64]
LOOK = 10  # iterations between two looks at the gap


def prox(V: Array, least: float, cones: Cones, borders: NDArray[np.int64]) -> Array:
    """Return the proximal step: onto the cones, then shrunken by `least`. V is of shape (S, sides, d, c)."""
    if cones.present:
        S, sides, d, c = V.shape
        flat = np.moveaxis(V, 3, 2).reshape(-1, d)
        starts = np.moveaxis(borders, 3, 2).reshape(len(flat), -1)
        out = np.empty_like(flat)
        norms = np.empty(len(flat))
        which = np.repeat(np.arange(S), sides * c)
        project_all(flat, cones.X, cones.XT, cones.lengths, cones.signs, which, starts, least, out, norms)
        borders[:] = np.moveaxis(starts.reshape(S, sides, c, -1), 2, 3)
        out *= np.where(norms > least, 1.0 - least / np.where(norms > 0, norms, 1.0), 0.0)[:, np.newaxis]
        return np.ascontiguousarray(np.moveaxis(out.reshape(S, sides, c, d), 2, 3))
    norms = np.sqrt((V * V).sum(axis=2, keepdims=True))
    return V * np.where(norms > least, 1.0 - least / np.where(norms > 0, norms, 1.0), 0.0)


def fista(program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock) -> Outcome:
    """Solve the program of the pool to an absolute duality gap of `goal`, in place of `point`.

    Backtracking and growing steps, restarts where the gradient mapping points against the momentum. The scores of the
    extrapolated point are extrapolated scores, since A is linear.

    Parameters
    ----------
    program : Program

    point : Point

    alpha, goal : float

    max_iter : int
        Most iterations.

    clock : Clock

    Returns
    -------
    outcome : Outcome
    """
    loss = program.loss
    B = program.bits(point.pool)
    A = Operator(B, program.X)
    step = first_step(program, point, A)
    cones = program.cones(point.pool)
    borders = point.borders[point.pool if program.relu else slice(0)]
    W = V = point.W
    Z = Z_V = program.scores(point)
    b = point.b
    t = 1.0
    for n_iter in range(1, max_iter + 1):
        b = loss.best_intercept(Z_V, b)
        U = loss.gradient(Z_V + b)
        G = program.turn_back(point.pool, A.adjoint(U))[:, np.newaxis]
        G = np.concatenate([G, -G], axis=1) if program.relu else G
        while True:
            W_new = prox(V - step * G, step * alpha, cones, borders)
            Z_new = A.forward(program.turn(point.pool, net(W_new)))
            b_new = loss.best_intercept(Z_new, b)
            # <gradient at the new point - gradient at the old, their difference>, which does not cancel like values do
            moved = float(((loss.gradient(Z_new + b_new) - U) * (Z_new - Z_V)).sum())
            room = float(((W_new - V) ** 2).sum()) / step
            if moved <= room * (1 + 1e-8) or step < 1e-300:
                break
            step *= 0.7
        if moved < 0.5 * room:
            step *= 1.1
        if float(((V - W_new) * (W_new - W)).sum()) > 0.0:
            t = 1.0
        t_new = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        beta = (t - 1.0) / t_new
        V = W_new + beta * (W_new - W)
        Z_V = Z_new + beta * (Z_new - Z)
        W = W_new
        Z = Z_new
        t = t_new
        if n_iter % LOOK == 0 or n_iter == max_iter or clock.is_over:
            point.W = W
            point.b = b_new
            U = loss.gradient(Z + b_new)
            if program.relu:
                point.borders[point.pool] = borders
            norms, _ = suprema(program, point.pool, B, U, point, alpha)
            if certify(program, point, Z, U, norms, alpha)[0].absolute <= goal or clock.is_over:
                break
    point.step = step
    return Outcome(n_iter, n_iter < max_iter)


def first_step(program: Program, point: Point, A: Operator) -> float:
    """Return the step size of the last iterations from this point, or one over the largest curvature."""
    if point.step is not None:
        return point.step
    curvature = _largest_curvature(A, program.loss.weight, A.B.shape[1]) * program.loss.smoothness
    return 1.0 / max(curvature, 1e-300)


def _largest_curvature(A: Operator, weight: Array, S: int) -> float:
    """Return an estimate from below of the largest eigenvalue of A' diag(omega) A, by the power method from ones."""
    W = np.ones((S, A.X.shape[1], 1))
    value = 0.0
    for _ in range(8):
        W /= max(float(np.linalg.norm(W)), 1e-300)
        W = A.adjoint(weight[:, np.newaxis] * A.forward(W))
        value = float(np.linalg.norm(W))
    return value
