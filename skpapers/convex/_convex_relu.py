"""Convex programs of two-layer ReLU and gated ReLU networks, solved over working sets of activation patterns.

For patterns D_i = diag(1(X g_i > 0)) the programs are (C-GReLU and C-ReLU of the paper)

    minimise F(sum_i D_i X w_i) + alpha sum_i ||w_i||,
    minimise F(sum_i D_i X (v_i - u_i)) + alpha sum_i (||v_i|| + ||u_i||),  (2 D_i - I) X v_i >= 0, the same for u_i.

Few patterns are active at the optimum. Each round prices all patterns with one product A'U, which also gives the
certificate of `_duality.py`, and solves for the active ones and the worst violators: by Newton steps in Gram space, by
FISTA, with Newton steps by conjugate gradients where it is compiled, or by interior-point steps.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._block_descent import block_descent
from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._cones import project_all
from skpapers.convex._duality import Certificate, screen
from skpapers.convex._fista import fista
from skpapers.convex._gates import locate, unique_patterns
from skpapers.convex._interior_point import interior_point
from skpapers.convex._newton import newton
from skpapers.convex._products import pack
from skpapers.convex._program import (
    Point,
    Program,
    certify,
    empty_point,
    largest_supremum,
    largest_violation,
    proving_gradient,
    suprema,
)
from skpapers.convex._quadratic import penalty
from skpapers.convex._refine import FLAT, descend_network
from skpapers.convex._violators import largest_gated, violators

Array = NDArray[np.float64]
GRAM_CELLS = 3000**2  # of the largest Gram matrix: 72 MB
SLACK_CELLS = 1 << 21  # of the slacks of an interior-point method: 16 MB, some fifteen times
ROUGH = 1e-2  # tolerance of the programs before the last one, when patterns are added
ROUGHLY_FLAT = 1e-6  # where the local search for the network ends if the last program is solved roughly, too
FIRST = 0.1  # the same of the first one, whose patterns are random: the network goes far from its optimum
EASY = 1.0  # effort of searches that find something, at the beginning
WORTHWHILE = 0.25  # relative gain of a round, over the tolerance, that justifies another
PARTS = 5  # into which the patterns are split for a rough start
FROM_PART = 40  # patterns that the rough start takes from each
EASY_ROUNDS = 5  # rounds of column generation before searches become harder
HARDEST = 20.0  # a search: its starts take a gigabyte
HARDER = 5.0  # factor on the effort of a search after one that has found nothing
GLANCE = 0.25  # the same of a search that only reports what it finds
POOL_SHARE = 0.8  # of the allowed gap: the program of the pool is solved to this, the rest is for other patterns
NEW_NEURONS = 20  # violators that a round takes, for every output


class Solution(NamedTuple):
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
        What solves the program of a working set; "auto" takes what costs less. FISTA goes on where the others fail.
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
    X, loss = program.X, program.loss
    spectral = float(np.sqrt(max(np.linalg.eigvalsh((X * loss.weight[:, np.newaxis]).T @ X)[-1], 0.0)))
    alive, B = np.arange(program.B.shape[1]), program.B  # the patterns that are not excluded
    bound, n_iter = -np.inf, 0
    best: tuple[float, float, Point] | None = None  # objective, largest supremum, point
    while True:
        Z = program.scores(point)
        point.b = loss.best_intercept(Z, point.b)
        if not point.active.any():  # where only the gradient at the empty model tells whether it is optimal
            point.U = None
        U = loss.gradient(Z + point.b) if point.U is None else point.U
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
            alive, norms = alive[kept], norms[kept]
            B = program.bits(alive)
        worst = norms.max(axis=(1, 2), initial=0.0)
        order = np.argsort(-worst, kind="stable")
        _choose(program, point, alive[order[: np.count_nonzero(worst > alpha)]])
        goal = max(POOL_SHARE * tol * here.objective, 0.05 * certificate.absolute)
        n_iter += _improve(program, point, alpha, goal, max_iter - n_iter, solver, clock)
    return Solution(point, certificate, n_iter, certificate.gap <= tol, largest_violation(program, point), top)


def _choose(program: Program, point: Point, violators: NDArray[np.intp]) -> None:
    """Take the worst violators into the pool, half as many as the active ones; let idle ones go if it is full."""
    d, c = program.X.shape[1], program.loss.Y.shape[1]
    new = violators[~np.isin(violators, point.pool)]
    active = point.active
    new = new[: max(10, int(active.sum()) // 2)]
    if ((len(point.pool) + len(new)) * d) ** 2 > GRAM_CELLS or len(point.pool) > 4 * active.sum() + 40:
        kept = active | np.isin(point.pool, violators)
        point.pool, point.W = point.pool[kept], point.W[kept]
        if point.H is not None:
            rows = np.repeat(kept[: len(point.H) // d], d)
            point.H = point.H[np.ix_(rows, rows)]
    point.pool = np.concatenate([point.pool, new])
    point.W = np.concatenate([point.W, np.zeros((len(new), program.sides, d, c))])


def _improve(
    program: Program, point: Point, alpha: float, goal: float, max_iter: int, solver: str, clock: Clock
) -> int:
    """Solve the program of the pool to an absolute gap of `goal`, and return the number of steps."""
    steps, hard, point.U = 0, point.U is not None, None  # where the last program was hard, this one is
    if solver == "newton" or (solver == "auto" and not hard and _newton_is_cheaper(program, point)):
        steps, useful = newton(program, point, alpha, goal, max_iter, clock)
        if useful or steps == max_iter or clock.is_over:
            return steps
    single = program.relu and (point.b.size == 1 or program.loss.separable)
    first = block_descent if single and solver != "fista" else fista
    if solver in ("auto", "interior_point") and _fits_interior_point(program, point):
        patience = 0 if hard or solver == "interior_point" else min(_patience(program, point), max_iter - steps)
        tried = first(program, point, alpha, goal, patience, clock) if patience else 0
        steps += tried
        if tried < patience or steps == max_iter or clock.is_over:
            return steps
        more, useful = interior_point(program, point, alpha, goal, max_iter - steps, clock)
        steps += more
        if useful or steps == max_iter or clock.is_over:
            return steps
    return steps + first(program, point, alpha, goal, max_iter - steps, clock)


def _fits_interior_point(program: Program, point: Point) -> bool:
    """Whether there are cones, and the matrix and the slacks of all of them are not too large."""
    n, S, c = len(program.X), len(point.pool), 1 if program.loss.separable else program.loss.Y.shape[1]
    return program.relu and (n * c) ** 2 <= GRAM_CELLS and 2 * c * S * n <= SLACK_CELLS


def _patience(program: Program, point: Point) -> int:
    """Return the iterations of FISTA that take as long as an interior-point method."""
    (n, d), S, c = program.X.shape, len(point.pool), program.loss.Y.shape[1]
    q = 1 if program.loss.separable else c
    step = (n * q) ** 2 * (S * q * d + n * q / 3) / 1e10 + 2 * S * q * (n * d**2 / 2e9 + d**3 / 1e9) + 2e-3
    return int(25 * (c / q) * step / (4 * n * S * d * c / 2e9 + 1.5e-4))


def _newton_is_cheaper(program: Program, point: Point) -> bool:
    """Compare operations: Gram matrices and factorisations of Newton's method against the products of FISTA."""
    (n, d), S, c, loss = program.X.shape, len(point.pool), program.loss.Y.shape[1], program.loss
    q = 1 if loss.separable else c  # outputs of one model
    if (S * d * q) ** 2 > GRAM_CELLS:
        return False
    known = 0 if point.H is None else len(point.H) // d
    models = 1 if loss.quadratic else 6  # quadratic models to be solved, each with a Gram matrix of its own
    grams = models * q * (q + 1) / 2 * n * (S**2 - known**2) * d**2 / 32 / 3e9
    variables = min(S, 2 * np.count_nonzero(point.active) + 10) * d * q
    solves = models * (c / q) * (15 * variables**3 / 3 / 1e10 + 200 * variables * S * d * q / 2e9)
    products = 4 * n * S * d * c
    compiled = not program.relu and loss.quadratic  # loops without a Python call between products
    return grams + solves < 400 * (products / 2e10 + 3e-5 if compiled else products / 8e9 + 1e-4)


def refine(
    program: Program,
    alpha: float,
    gates: Array,
    random_state: np.random.RandomState,
    *,
    rounds: int,
    tol: float,
    max_iter: int,
    solver: str,
    point: Point | None = None,
    report: Callable[[Certificate, int, int], None] | None = None,
    clock: Clock = ENDLESS,
) -> tuple[Program, Array, Solution]:
    """Solve a ReLU program and add patterns to it, `rounds` times or until searches find none that is missing.

    A round searches for the worst violators outside the sample. With them as small neurons, the network goes down to a
    local minimum of its objective, from which the program with its patterns starts. If that is no lower, because
    neurons are on the borders of their patterns, the patterns of the violators alone enter the program. Programs are
    solved roughly until a round finds nothing or gains little, then to `tol`. If nothing is found then, a harder search
    follows; if little is gained, the rounds end.

    Parameters
    ----------
    program : Program

    alpha : float

    gates : ndarray of shape (d, P)
        One for each pattern.

    random_state : RandomState
        Draws the starts of the search for violators.

    rounds : int

    tol, max_iter, solver, point, report, clock
        See `solve`.

    Returns
    -------
    program : Program

    gates : ndarray of shape (d, P')

    solution : Solution
    """
    given, accuracy = program.B.shape[1], max(tol, ROUGH)
    used, lowest, effort = 0, np.inf, EASY
    added, failed = False, False  # in the last round: patterns, a search at full accuracy
    cold = point is None
    if point is None:
        point, used = _rough_start(program, alpha, max_iter, solver, clock)
    for turn in range(rounds):
        effort = min(max(effort, (turn + 1) / EASY_ROUNDS), HARDEST)
        objective = np.inf
        if turn or not cold:
            solution = solve(
                program,
                alpha,
                point=point,
                tol=accuracy if turn else max(accuracy, FIRST),
                max_iter=max_iter - used,
                solver=solver,
                report=report,
                clock=clock,
            )
            point, objective = solution.point, solution.certificate.objective
            used += solution.n_iter
        if used > max_iter // 2 or clock.is_over:  # the rest is for the patterns that there are
            break
        gained_little = turn > 1 and added and lowest - objective < WORTHWHILE * tol * objective
        lowest = min(lowest, objective)
        if gained_little and accuracy == tol:
            break
        if gained_little:
            accuracy = tol
            continue
        in_time = min(effort, max(clock.left, GLANCE))  # an effort of 1 takes about half a second
        W, A, found = _with_violators(program, point, alpha, (1.0 + 0.1 * tol) * alpha, random_state, in_time)
        added = found > 0
        if not found:
            if accuracy > tol:
                accuracy = tol
            elif failed:
                break
            else:
                failed, effort = True, HARDER * max(effort, 1.0)
            continue
        failed, effort = False, EASY
        free = np.ones_like(A, dtype=bool) if program.shared else A != 0
        flat = ROUGHLY_FLAT if tol >= ROUGH else FLAT
        W_down, A_down, down = descend_network(program.X, program.loss, W, A, free, point.b, alpha, clock, flat)
        if down < (1.0 - 1e-6) * objective:
            size = np.linalg.norm(W_down, axis=1) * np.linalg.norm(A_down, axis=1)
            kept = size > 1e-6 * size.max(initial=0.0)
            W, A = W_down[kept], A_down[kept]
            program, gates, where = extended(program, gates, W, A)
            point = placed(program, W, A, where, point)
        else:
            program, gates, _ = extended(program, gates, W[-found:], A[-found:])
            point.borders = _longer(program, point.borders)
    solution = solve(
        program, alpha, point=point, tol=tol, max_iter=max_iter - used, solver=solver, report=report, clock=clock
    )
    solution = solution._replace(n_iter=solution.n_iter + used)
    return _without_idle(program, gates, solution, given)


def _rough_start(program: Program, alpha: float, max_iter: int, solver: str, clock: Clock) -> tuple[Point, int]:
    """Return a rough solution, for the network to start from, and the number of steps.

    Each part of the patterns is priced once. To price all of them takes long while the model is far from its optimum,
    since projections onto cones are expensive where gradients are large.
    """
    point, loss, used = empty_point(program), program.loss, 0
    for part in np.array_split(np.arange(program.B.shape[1]), PARTS):
        if clock.is_over or used >= max_iter:
            break
        Z = program.scores(point)
        point.b = loss.best_intercept(Z, point.b)
        norms, _ = suprema(program, part, program.bits(part), loss.gradient(Z + point.b), point, alpha)
        worst = norms.max(axis=(1, 2), initial=0.0)
        new = part[np.argsort(-worst, kind="stable")[: min(FROM_PART, np.count_nonzero(worst > alpha))]]
        if not new.size:
            continue
        kept = point.active
        point.pool = np.concatenate([point.pool[kept], new])
        point.W = np.concatenate([point.W[kept], np.zeros((len(new), *point.W.shape[1:]))])
        point.H = None  # the Gram matrix of another pool
        goal = 0.5 * FIRST * (loss.value(Z + point.b) + alpha * penalty(point.W))
        used += _improve(program, point, alpha, goal, max_iter - used, solver, clock)
    return point, used


def _with_violators(
    program: Program, point: Point, alpha: float, least: float, random_state: np.random.RandomState, effort: float
) -> tuple[Array, Array, int]:
    """Return the balanced network of a point, W and A, small neurons where violators are at its end, and their
    number."""
    W, A = balanced(program, point)
    U = proving_gradient(program, point)
    size = 0.1 * np.median(np.linalg.norm(A, axis=1)) if len(A) else 0.1
    new_W, new_A = [], []
    for outputs in _searches(program):
        found, second, values = violators(program.X, -U, outputs, random_state, W, effort)
        _, first = np.unique(np.round(found, 4), axis=0, return_index=True)
        first = np.sort(first[values[first] > least])[: int(effort * NEW_NEURONS)]
        new_W.append(size * found[first])
        new_A.append(size * second[first])
    return np.vstack([W, *new_W]), np.vstack([A, *new_A]), sum(map(len, new_W))


def _searches(program: Program) -> list[int | None]:
    """Return the outputs to search for, None for all at once."""
    return [None] if program.shared else list(range(program.loss.Y.shape[1]))


def balanced(program: Program, point: Point) -> tuple[Array, Array]:
    """Return hidden weights (m, d) and second-layer weights (m, c) of the neurons that are not zero.

    Their norms are equal, ||w_j|| = ||a_j||, so that weight decay of alpha / 2 costs what the group norm does.
    """
    slot, side, k = np.nonzero(np.any(point.W, axis=2))
    w = point.W[slot, side, :, k]
    root = np.sqrt(np.linalg.norm(w, axis=1))
    c = point.b.size
    direction = np.eye(c)[k] if program.T is None else program.T[point.pool[slot], k]
    return w / root[:, np.newaxis], direction * ((1.0 - 2.0 * side) * root)[:, np.newaxis]


def extended(program: Program, gates: Array, W: Array, A: Array) -> tuple[Program, Array, NDArray[np.intp]]:
    """Return the program with the patterns of the neurons of a network as well, their gates, and where they stand.

    Places are -1 for neurons that no row activates. Neurons that serve several outputs bring their directions: they
    have patterns of their own.
    """
    B_new = pack(program.X @ W.T > 0)
    if not program.shared:
        B, kept = unique_patterns(np.concatenate([program.B, B_new], axis=1))
        bigger = Program(program.X, B, program.loss, True)
        return bigger, np.hstack([gates, W.T])[:, kept], locate(B, B_new)
    live = B_new.any(axis=0)
    P, c = program.B.shape[1], A.shape[1]
    T = np.broadcast_to(np.eye(c), (P, c, c)) if program.T is None else program.T
    B = np.ascontiguousarray(np.concatenate([program.B, B_new[:, live]], axis=1))
    bigger = Program(program.X, B, program.loss, True, np.concatenate([T, _completed(A[live])]))
    where = np.where(live, P + np.cumsum(live) - 1, -1)
    return bigger, np.hstack([gates, W[live].T]), where


def _completed(A: Array) -> Array:
    """Return orthogonal matrices whose first rows are the directions of the rows of A: Householder's reflections."""
    c = A.shape[1]
    direction = A / np.linalg.norm(A, axis=1, keepdims=True)
    v = direction - np.eye(c)[0]
    square = (v * v).sum(axis=1)
    T = np.eye(c) - 2.0 * v[:, :, np.newaxis] * v[:, np.newaxis, :] / np.where(square > 0, square, 1.0)[:, None, None]
    T[:, 0] = direction
    return T


def placed(program: Program, W: Array, A: Array, where: NDArray[np.intp], before: Point) -> Point:
    """Return a network as a point of a program that has its patterns at `where`, with the intercepts of `before`."""
    point = empty_point(program)
    point.b, point.borders = before.b, _longer(program, before.borders)
    live = where >= 0
    W, A, where = W[live], A[live], where[live]
    own = A if program.T is None else np.einsum("mc,mkc->mk", A, program.T[where])
    k = np.abs(own).argmax(axis=1)
    weight = own[np.arange(len(own)), k]
    point.pool, slot = np.unique(where, return_inverse=True)
    point.W = np.zeros((len(point.pool), program.sides, W.shape[1], A.shape[1]))
    side = (weight < 0).astype(int) if program.relu else np.zeros(len(weight), dtype=int)
    weight = np.abs(weight) if program.relu else weight
    # neurons of one pattern, side and output add up to one, since its cone is convex
    np.add.at(np.moveaxis(point.W, 2, 3), (slot, side, k), W * weight[:, np.newaxis])
    return point


def _longer(program: Program, borders: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return borders with room for the patterns that a program has got at its end."""
    more = np.full((program.B.shape[1] - len(borders), *borders.shape[1:]), -1, dtype=np.int64)
    return np.concatenate([borders, more])


def _without_idle(program: Program, gates: Array, solution: Solution, given: int) -> tuple[Program, Array, Solution]:
    """Drop the patterns after the first `given` that have no neuron: the optimum of fewer is not below the bound."""
    point = solution.point
    kept = np.arange(program.B.shape[1]) < given
    kept[point.pool[point.active]] = True
    pool = kept[point.pool]
    new_place = np.cumsum(kept) - 1
    H = None
    if point.H is not None:
        rows = np.repeat(pool[: len(point.H) // program.X.shape[1]], program.X.shape[1])
        H = point.H[np.ix_(rows, rows)]
    point = Point(new_place[point.pool[pool]], point.W[pool], point.b, point.borders[kept], H, U=point.U)
    T = None if program.T is None else program.T[kept]
    smaller = Program(program.X, program.bits(np.flatnonzero(kept)), program.loss, True, T)
    return smaller, gates[:, kept], solution._replace(point=point)


def pattern_violation(program: Program, point: Point, most: float, random_state: np.random.RandomState) -> float:
    """Return the largest supremum that a search finds over all patterns, over `most`, that of the sample or alpha.

    Above 1 it proves that the sample lacks a pattern; 1 or less proves nothing.
    """
    X, U = program.X, proving_gradient(program, point)
    if not program.relu:
        return max(largest_gated(X, u, random_state) for u in U.T) / most
    known = balanced(program, point)[0]
    return max(violators(X, -U, k, random_state, known, GLANCE)[2][0] for k in _searches(program)) / most


def adopt(program: Program, alpha: float, W: Array, b: Array, tol: float, report: Callable | None) -> Solution:
    """Return neurons that another solver found, one place a pattern, on the cones and with a certificate of our own."""
    point = empty_point(program)
    norms = np.linalg.norm(W, axis=2, keepdims=True)
    P, sides, d, c = W.shape
    flat = np.ascontiguousarray(np.moveaxis(np.where(norms > 1e-6 * norms.max(initial=0.0), W, 0.0), 3, 2)).reshape(
        -1, d
    )
    if program.relu:
        cones, which = program.cones(np.arange(P)), np.repeat(np.arange(P), sides * c)
        out, found = np.empty_like(flat), np.empty(len(flat))
        borders = np.full((len(flat), d + 2), -1, dtype=np.int64)
        project_all(flat, cones.X, cones.XT, cones.lengths, cones.signs, which, borders, 0.0, out, found)
        flat = out
    point.pool, point.b = np.arange(P), b
    point.W = np.ascontiguousarray(np.moveaxis(flat.reshape(P, sides, c, d), 2, 3))
    return solve(program, alpha, point=point, tol=tol, max_iter=0, report=report)
