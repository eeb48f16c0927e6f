"""The working set: which patterns have neurons, and which method solves the program of these patterns.

The estimates of cost are operations over rates that were measured on one core: they decide the method
that is tried, and never whether a result is accepted.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._block_descent import block_descent
from skpapers.convex._clock import Clock
from skpapers.convex._fista import fista
from skpapers.convex._interior_point import interior_point
from skpapers.convex._method import Method
from skpapers.convex._newton import newton
from skpapers.convex._newton_squared import newton_squared
from skpapers.convex._products import DENSE_CELLS
from skpapers.convex._program import Point, Program, gram_of

GRAM_CELLS = 3000**2  # of the largest Gram matrix: 72 MB
SLACK_CELLS = 1 << 21  # of the slacks of an interior-point method: 16 MB, some fifteen times
ENDLESS_ITERATIONS = sys.maxsize


def update_pool(program: Program, point: Point, violators: NDArray[np.intp]) -> None:
    """Add the worst violators to the pool, half as many as are active; drop idle patterns if it is full."""
    d = program.X.shape[1]
    c = program.loss.Y.shape[1]
    new = violators[~np.isin(violators, point.pool)]
    active = point.active
    new = new[: max(10, int(active.sum()) // 2)]
    if ((len(point.pool) + len(new)) * d) ** 2 > GRAM_CELLS or len(point.pool) > 4 * active.sum() + 40:
        kept = active | np.isin(point.pool, violators)
        point.pool = point.pool[kept]
        point.W = point.W[kept]
        point.H = gram_of(point, kept, d)
    point.pool = np.concatenate([point.pool, new])
    point.W = np.concatenate([point.W, np.zeros((len(new), program.sides, d, c))])


def improve(program: Program, point: Point, alpha: float, goal: float, max_iter: int, solver: str, clock: Clock) -> int:
    """Solve the program of the pool to an absolute gap of `goal`, and return the number of iterations."""
    methods = _methods(program, point, solver)
    point.hard = False
    point.proof = None
    n_iter = 0
    for method, most in methods:
        outcome = method(program, point, alpha, goal, min(most, max_iter - n_iter), clock)
        n_iter += outcome.n_iter
        if outcome.useful or n_iter == max_iter or clock.is_over:
            break
    return n_iter


def _methods(program: Program, point: Point, solver: str) -> list[tuple[Method, int]]:
    """Return the methods to try, in this order, each with its most iterations."""
    methods: list[tuple[Method, int]] = []
    if solver == "newton" or (solver == "auto" and not point.hard and _newton_is_cheaper(program, point)):
        methods.append((newton, ENDLESS_ITERATIONS))
    first = _first_order(program, point, solver)
    if solver in ("auto", "interior_point") and _fits_interior_point(program, point):
        patience = 0 if point.hard or solver == "interior_point" else _patience(program, point)
        if patience:
            methods.append((first, patience))
        methods.append((interior_point, ENDLESS_ITERATIONS))
    return [*methods, (first, ENDLESS_ITERATIONS)]


def _first_order(program: Program, point: Point, solver: str) -> Method:
    """Return the method whose iterations cost only products with the rows."""
    if program.relu:
        return block_descent if solver != "fista" and (point.b.size == 1 or program.loss.separable) else fista
    compiled = program.loss.quadratic and len(point.pool) * len(program.X) <= DENSE_CELLS
    return newton_squared if compiled else fista


def _fits_interior_point(program: Program, point: Point) -> bool:
    """Return whether there are cones, and the matrix and slacks of the method are not too large."""
    n = len(program.X)
    S = len(point.pool)
    c = 1 if program.loss.separable else program.loss.Y.shape[1]
    return program.relu and (n * c) ** 2 <= GRAM_CELLS and 2 * c * S * n <= SLACK_CELLS


def _patience(program: Program, point: Point) -> int:
    """Return the number of first-order iterations that take as long as the interior-point method."""
    n, d = program.X.shape
    S = len(point.pool)
    c = program.loss.Y.shape[1]
    q = 1 if program.loss.separable else c
    step = (n * q) ** 2 * (S * q * d + n * q / 3) / 1e10 + 2 * S * q * (n * d**2 / 2e9 + d**3 / 1e9) + 2e-3
    return int(25 * (c / q) * step / (4 * n * S * d * c / 2e9 + 1.5e-4))


def _newton_is_cheaper(program: Program, point: Point) -> bool:
    """Compare operations: Gram matrices and factorisations of Newton's method against the products of FISTA."""
    loss = program.loss
    n, d = program.X.shape
    S = len(point.pool)
    c = loss.Y.shape[1]
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
