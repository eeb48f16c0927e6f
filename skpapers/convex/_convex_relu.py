"""Convex ReLU networks: the convex programs of two-layer ReLU and gated ReLU networks, and column generation.

Mishkin, Sahiner and Pilanci, "Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model Classes and Cone
Decompositions" (ICML 2022). For patterns D_i = diag(1(X g_i > 0)) the programs, C-GReLU and C-ReLU in the paper, are

    minimise F(sum_i D_i X w_i) + alpha sum_i ||w_i||,                                                               (1)
    minimise F(sum_i D_i X (v_i - u_i)) + alpha sum_i (||v_i|| + ||u_i||)
    subject to (2 D_i - I) X v_i >= 0, (2 D_i - I) X u_i >= 0.                                                       (2)

The numbers are those of this file.

| step of the paper                         | function                                              |
|-------------------------------------------|-------------------------------------------------------|
| sample gates, keep their distinct D_i     | `_gates.patterns`                                     |
| solve (1) or (2) on the sample            | `_sampled_program.solve`                              |
| R-FISTA for (1)                           | `_fista.fista`, `_newton_squared.newton_squared`      |
| augmented Lagrangian for (2)              | replaced: `_block_descent.py`, `_interior_point.py`   |
| optimal neurons of the non-convex problem | `_networks.balanced`                                  |
| cone decomposition: (1) to (2)            | `_export.cone_decomposition`                          |
| an active set of patterns                 | `refine` below, which also finds patterns of its own  |

The data go from `_convex_relu_data.prepare` (rows, scaled) and `sample_program` (a `Program`) through `refine` or
`solve` (a `Solution`) to `_convex_relu_data.network`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._duality import Certificate
from skpapers.convex._networks import balanced, extended, longer, placed, without_idle
from skpapers.convex._program import Point, Program, empty_point, proving_gradient, suprema
from skpapers.convex._quadratic import penalty
from skpapers.convex._refine import FLAT, descend_network
from skpapers.convex._sampled_program import Solution, solve
from skpapers.convex._violators import largest_gated, violators
from skpapers.convex._working_set import improve

Array = NDArray[np.float64]
ROUGH = 1e-2  # tolerance of the programs before the last one
ROUGHLY_FLAT = 1e-6  # where the local search for the network ends if `tol` is not below ROUGH
FIRST = 0.1  # tolerance of the first program: the network moves far away from its optimum
EASY = 1.0  # effort of a search after one that has found something
WORTHWHILE = 0.25  # relative gain of a round, over the tolerance, that justifies another
PARTS = 5  # into which the patterns are split for a rough start
FROM_PART = 40  # patterns that the rough start takes from each
EASY_ROUNDS = 5  # rounds before searches become harder
HARDEST = 20.0  # largest effort: its starts take a gigabyte
HARDER = 5.0  # factor on the effort of a search after one that has found nothing
GLANCE = 0.25  # effort of a search that only reports what it finds
NEW_NEURONS = 20  # violators that a round takes, for every output


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
    given = program.B.shape[1]
    accuracy = max(tol, ROUGH)
    used = 0
    lowest = np.inf
    effort = EASY
    added = False  # whether the last round added patterns
    failed = False  # whether its search found none although the program was solved to `tol`
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
            point = solution.point
            objective = solution.certificate.objective
            used += solution.n_iter
        if used > max_iter // 2 or clock.is_over:  # the rest of the budget is for the final program
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
                failed = True
                effort = HARDER * max(effort, 1.0)
            continue
        failed = False
        effort = EASY
        free = np.ones_like(A, dtype=bool) if program.shared else A != 0
        flat = ROUGHLY_FLAT if tol >= ROUGH else FLAT
        W_down, A_down, down = descend_network(program.X, program.loss, W, A, free, point.b, alpha, clock, flat)
        if down < (1.0 - 1e-6) * objective:
            size = np.linalg.norm(W_down, axis=1) * np.linalg.norm(A_down, axis=1)
            kept = size > 1e-6 * size.max(initial=0.0)
            W = W_down[kept]
            A = A_down[kept]
            program, gates, where = extended(program, gates, W, A)
            point = placed(program, W, A, where, point)
        else:
            program, gates, _ = extended(program, gates, W[-found:], A[-found:])
            point.borders = longer(program, point.borders)
    solution = solve(
        program, alpha, point=point, tol=tol, max_iter=max_iter - used, solver=solver, report=report, clock=clock
    )
    program, gates, point = without_idle(program, gates, solution.point, given)
    return program, gates, replace(solution, point=point, n_iter=solution.n_iter + used)


def _rough_start(program: Program, alpha: float, max_iter: int, solver: str, clock: Clock) -> tuple[Point, int]:
    """Return a rough solution, for the network to start from, and the number of steps.

    Each part of the patterns is priced once. To price all of them takes long while the model is far from its optimum,
    since projections onto cones are expensive where gradients are large.
    """
    point = empty_point(program)
    loss = program.loss
    used = 0
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
        used += improve(program, point, alpha, goal, max_iter - used, solver, clock)
    return point, used


def _with_violators(
    program: Program, point: Point, alpha: float, least: float, random_state: np.random.RandomState, effort: float
) -> tuple[Array, Array, int]:
    """Return the balanced network of a point, W and A, small neurons where violators are at its end, and their
    number."""
    W, A = balanced(program, point)
    U = proving_gradient(program, point)
    size = 0.1 * np.median(np.linalg.norm(A, axis=1)) if len(A) else 0.1
    new_W = []
    new_A = []
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


def pattern_violation(program: Program, point: Point, most: float, random_state: np.random.RandomState) -> float:
    """Return the largest supremum that a search finds over all patterns, over `most`, that of the sample or alpha.

    Above 1 it proves that the sample lacks a pattern; 1 or less proves nothing.
    """
    X = program.X
    U = proving_gradient(program, point)
    if not program.relu:
        return max(largest_gated(X, u, random_state) for u in U.T) / most
    known = balanced(program, point)[0]
    return max(violators(X, -U, k, random_state, known, GLANCE)[2][0] for k in _searches(program)) / most
