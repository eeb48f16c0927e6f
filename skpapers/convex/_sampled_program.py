"""The sampled programs of `_convex_relu.py`, solved over working sets of patterns.

Few patterns are active at the optimum. Each round prices all patterns with one product A'U, which also gives the
certificate of `_duality.py`, and solves the program of the active ones and the worst violators (`_working_set.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._cones import project_all
from skpapers.convex._duality import Certificate, screen
from skpapers.convex._program import Point, Program, certify, empty_point, largest_supremum, largest_violation, suprema
from skpapers.convex._working_set import improve, update_pool

Array = NDArray[np.float64]
POOL_SHARE = 0.8  # of the allowed gap: the program of the pool is solved to this, the rest is for other patterns


@dataclass(frozen=True)
class Solution:
    """What `solve` returns.

    Attributes
    ----------
    point : Point
        Pool, neurons and intercepts.

    certificate : Certificate
        Objective and lower bound of the sampled program.

    n_iter : int
        Newton and interior-point steps and FISTA iterations.

    converged : bool

    violation : float
        The largest violation of a cone constraint, relative to the norms of its row and its neuron.

    supremum : float
        The largest dual constraint of the sample; alpha at the optimum, unless it is empty.
    """

    point: Point
    certificate: Certificate
    n_iter: int
    converged: bool
    violation: float
    supremum: float


def alpha_max(program: Program) -> float:
    """Return the least alpha at which the empty model is optimal."""
    point = empty_point(program)
    U = program.loss.gradient(np.broadcast_to(point.b, program.loss.Y.shape))
    return largest_supremum(program, U, point)


def solve(
    program: Program,
    alpha: float,
    *,
    point: Point | None = None,
    tol: float = 1e-4,
    max_iter: int = 1000,
    solver: str = "auto",
    report: Callable[[Certificate, int, int], None] | None = None,
    clock: Clock = ENDLESS,
) -> Solution:
    """Solve a sampled program to a relative duality gap of `tol`.

    Parameters
    ----------
    program : Program

    alpha : float
        Above 0.

    point : Point, default=None
        Where to start; changed. None starts from the empty model.

    tol : float, default=1e-4

    max_iter : int, default=1000
        Most Newton and interior-point steps and FISTA iterations, together.

    solver : {"auto", "newton", "fista", "interior_point"}, default="auto"
        What solves the program of a working set; "auto" takes what costs least. A first-order method continues where
        another one fails.
        "interior_point" is for ReLU programs.

    report : callable, default=None
        Gets the certificate, the steps so far and the size of the working set after each round.

    clock : Clock, default=ENDLESS
        When its time is over, the best point of those that were looked at is the solution.

    Returns
    -------
    solution : Solution
    """
    point = empty_point(program) if point is None else point
    X = program.X
    loss = program.loss
    spectral = float(np.sqrt(max(np.linalg.eigvalsh((X * loss.weight[:, np.newaxis]).T @ X)[-1], 0.0)))
    alive = np.arange(program.B.shape[1])  # the patterns that are not excluded
    B = program.B
    bound = -np.inf
    n_iter = 0
    best: tuple[float, float, Point] | None = None  # objective, largest supremum, point
    while True:
        Z = program.scores(point)
        point.b = loss.best_intercept(Z, point.b)
        if not point.active.any():  # where only the gradient at the empty model tells whether it is optimal
            point.proof = None
            point.hard = False
        U = loss.gradient(Z + point.b) if point.proof is None else point.proof
        norms, _ = suprema(program, alive, B, U, point, alpha)
        here, scale = certify(program, point, Z, U, norms, alpha)
        if not point.active.any() and np.all(norms <= alpha):  # the empty model is optimal: the rest is rounding
            here = Certificate(here.objective, here.objective)
        bound = max(bound, here.lower_bound)
        certificate = Certificate(here.objective, min(bound, here.objective))
        if report is not None:
            report(certificate, n_iter, len(point.pool))
        top = float(norms.max(initial=0.0))
        if best is None or here.objective < best[0]:  # steps towards the optimum may pass by worse points
            best = here.objective, top, replace(point, W=point.W.copy(), b=point.b.copy(), H=None)
        if certificate.gap <= tol:
            break
        if n_iter >= max_iter or clock.is_over:
            objective, top, point = best
            certificate = Certificate(objective, min(bound, objective))
            break
        # without the excluded patterns, zero at the optimum, the program has the same optimal value: bounds stay bounds
        kept = screen(norms, scale, here.absolute, spectral, loss.smoothness, alpha)
        if kept.sum() < 0.8 * len(alive):
            alive = alive[kept]
            norms = norms[kept]
            B = program.bits(alive)
        worst = norms.max(axis=(1, 2), initial=0.0)
        order = np.argsort(-worst, kind="stable")
        update_pool(program, point, alive[order[: np.count_nonzero(worst > alpha)]])
        goal = max(POOL_SHARE * tol * here.objective, 0.05 * certificate.absolute)
        n_iter += improve(program, point, alpha, goal, max_iter - n_iter, solver, clock)
    return Solution(point, certificate, n_iter, certificate.gap <= tol, largest_violation(program, point), top)


def adopt(program: Program, alpha: float, W: Array, b: Array, tol: float, report: Callable | None) -> Solution:
    """Project the neurons that another solver found onto their cones, and return them with a certificate of our own."""
    point = empty_point(program)
    norms = np.linalg.norm(W, axis=2, keepdims=True)
    P, sides, d, c = W.shape
    flat = np.ascontiguousarray(np.moveaxis(np.where(norms > 1e-6 * norms.max(initial=0.0), W, 0.0), 3, 2)).reshape(
        -1, d
    )
    if program.relu:
        cones = program.cones(np.arange(P))
        which = np.repeat(np.arange(P), sides * c)
        out = np.empty_like(flat)
        found = np.empty(len(flat))
        borders = np.full((len(flat), d + 2), -1, dtype=np.int64)
        project_all(flat, cones.X, cones.XT, cones.lengths, cones.signs, which, borders, 0.0, out, found)
        flat = out
    point.pool = np.arange(P)
    point.b = b
    point.W = np.ascontiguousarray(np.moveaxis(flat.reshape(P, sides, c, d), 2, 3))
    return solve(program, alpha, point=point, tol=tol, max_iter=0, report=report)
