"""Proximal Newton steps for the patterns of a working set: quadratic models of F, solved in Gram space."""

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._clock import Clock
from skpapers.convex._method import Outcome
from skpapers.convex._products import adjoint, forward, gram
from skpapers.convex._program import Point, Program, certify, suprema
from skpapers.convex._quadratic import Cones, net, penalty, solve_quadratic

Array = NDArray[np.float64]
MAX_STEPS = 40  # between two looks at all patterns


def newton(program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock) -> Outcome:
    """Solve the program of the pool to an absolute duality gap of `goal`, in place of `point`.

    Parameters
    ----------
    program : Program

    point : Point

    alpha, goal : float

    max_iter : int
        Most steps; each updates every output once.

    clock : Clock

    Returns
    -------
    outcome : Outcome
    """
    loss = program.loss
    c = program.loss.Y.shape[1]
    B = program.bits(point.pool)
    cones = program.cones(point.pool)
    models = [range(k, k + 1) for k in range(c)] if loss.separable else [range(c)]
    if not loss.separable and program.relu:
        cones = cones._replace(signs=np.tile(cones.signs, (c, 1)))
    Z = program.scores(point)
    step = 0
    useful = True
    while step < min(max_iter, MAX_STEPS) and not (step and clock.is_over):
        step += 1
        before = Z
        useful = True
        for outputs in models:
            point.b = loss.best_intercept(Z, point.b)
            Z, reached = _step(program, point, B, cones, Z, outputs, alpha, goal / (2 * c), clock)
            useful &= reached <= goal / c
        if loss.quadratic or Z is before or not useful:
            break
        point.b = loss.best_intercept(Z, point.b)
        U = loss.gradient(Z + point.b)
        norms, _ = suprema(program, point.pool, B, U, point, alpha)
        if certify(program, point, Z, U, norms, alpha)[0].absolute <= goal:
            break
    return Outcome(step, useful)


def _step(
    program: Program,
    point: Point,
    B: NDArray[np.uint8],
    cones: Cones,
    Z: Array,
    outputs: range,
    alpha: float,
    goal: float,
    clock: Clock,
) -> tuple[Array, float]:
    """Solve the quadratic model in some outputs, go towards its solution; return the new scores and the model's gap."""
    loss = program.loss
    X = program.X
    (S, sides, d, _) = point.W.shape
    q = len(outputs)
    Q, back = loss.model(Z + point.b, outputs)
    U = loss.gradient(Z + point.b)[:, outputs]
    zeta = Z[:, outputs] - back
    total = Q.sum(axis=0)
    weighted = np.einsum("nkl,nl->nk", Q, zeta)
    square = float((zeta * weighted).sum())
    if loss.intercept:
        square -= float(weighted.sum(axis=0) @ np.linalg.pinv(total) @ weighted.sum(axis=0))
    H = _grams(program, point, B, Q, total)
    # blocks are ordered by output, then by pattern
    W = _split(point.W[..., outputs])
    c = H @ net(W).ravel() - program.turn_back(point.pool, adjoint(B, X, U)).transpose(2, 0, 1).ravel()
    at = point.pool if program.relu else slice(0)
    borders = _split(point.borders[at][..., outputs])
    reached = solve_quadratic(H, c, max(square, 0.0), W, alpha, cones, borders, clock, gap=goal)
    new = np.moveaxis(W.reshape(q, S, sides, d), 0, 3)
    if program.relu:
        point.borders[np.ix_(point.pool, np.arange(2), np.arange(d + 2), np.array(outputs))] = np.moveaxis(
            borders.reshape(q, S, sides, d + 2), 0, 3
        )
    along = np.zeros_like(Z)
    along[:, outputs] = forward(B, X, program.turn(point.pool, net(new - point.W[..., outputs])))
    if loss.quadratic:
        point.W[..., outputs] = new
        return Z + along, reached
    return line_search(program, point, Z, along, new, alpha), reached


def _split(W: NDArray) -> NDArray:
    """Return an array of shape (S, sides, d, q) as (q * S, sides, d)."""
    return np.ascontiguousarray(np.moveaxis(W, 3, 0)).reshape(-1, *W.shape[1:3])


def line_search(program: Program, point: Point, Z: Array, along: Array, W: Array, alpha: float) -> Array:
    """Move towards W; halve the step until the objective falls."""
    loss = program.loss
    was = point.W
    start = loss.value(Z + point.b) + alpha * penalty(was)
    share = 1.0
    for _ in range(30):
        new = W if share == 1.0 else was + share * (W - was)
        b = loss.best_intercept(Z + share * along, point.b)
        if loss.value(Z + share * along + b) + alpha * penalty(new) < start:
            point.W = np.ascontiguousarray(new)
            point.b = b
            return Z + share * along
        share *= 0.5
    return Z


def _grams(program: Program, point: Point, B: NDArray[np.uint8], Q: Array, total: Array) -> Array:
    """Return A' Q A of the pool, without the means where there are intercepts; kept if Q never changes."""
    loss = program.loss
    X = program.X
    S = len(point.pool)
    q = Q.shape[1]
    d = X.shape[1]
    known = point.H if loss.quadratic and point.H is not None else np.empty((0, 0))
    every = np.arange(S)
    new = every[len(known) // d :]
    H = np.empty((q * S * d, q * S * d))
    H[: len(known), : len(known)] = known
    means = [adjoint(B, X, np.ascontiguousarray(Q[:, k])).transpose(2, 0, 1).reshape(q, -1) for k in range(q)]
    inverse = np.linalg.pinv(total) if loss.intercept else np.zeros_like(total)
    for k in range(q if new.size else 0):
        for other in range(k + 1):
            block = gram(B, X, Q[:, k, other], new, every).transpose(0, 2, 1, 3).reshape(new.size * d, S * d)
            left = np.stack([mean[k, new[0] * d :] for mean in means])
            right = np.stack([mean[other] for mean in means])
            block -= left.T @ inverse @ right
            at = slice((k * S + new[0]) * d, (k + 1) * S * d)
            to = slice(other * S * d, (other + 1) * S * d)
            H[at, to] = block
            H[to, at] = block.T
    if loss.quadratic:
        point.H = H
    if program.T is not None:
        T = program.T[point.pool].transpose(1, 2, 0)  # neuron, output, pattern
        half = np.einsum("klp,lpdr->kpdr", T, H.reshape(q, S, d, -1)).reshape(H.shape)
        H = np.einsum("klp,lpdr->kpdr", T, half.T.reshape(q, S, d, -1)).reshape(H.shape)
    return H
