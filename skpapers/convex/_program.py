"""A sampled convex program, a point of it, and the certificate of a point."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._cones import signs_of, violation
from skpapers.convex._duality import Certificate, dual_value
from skpapers.convex._losses import Loss
from skpapers.convex._products import adjoint, forward, unpack
from skpapers.convex._quadratic import Cones, dual_norms, net, no_cones, penalty

Array = NDArray[np.float64]
BATCH = 32  # patterns whose suprema are found between two looks at the largest
SIGN_CELLS = 1 << 24  # bytes of the signs of cones that are unpacked at a time


@dataclass
class Program:
    """A sampled convex program.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows, in C order; a column of ones is the intercept of the hidden neurons.

    B : ndarray of uint8 of shape (n / 8, P)
        Patterns as `_products.pack` makes them, none twice.

    loss : Loss

    relu : bool
        Whether neurons keep to the cones of their patterns.

    T : ndarray of shape (P, c, c), default=None
        Orthogonal matrices: the k-th neuron of pattern p adds to the outputs in the direction of row k of T[p]. None
        means identity matrices: every neuron has one output.
    """

    X: Array
    B: NDArray[np.uint8]
    loss: Loss
    relu: bool
    T: Array | None = None
    lengths: Array = field(init=False)
    XT: Array = field(init=False)

    def __post_init__(self) -> None:
        self.lengths = np.linalg.norm(self.X, axis=1)
        self.XT = np.ascontiguousarray(self.X.T)

    @property
    def sides(self) -> int:
        """The neurons of a pattern and an output: v_i and u_i, or w_i."""
        return 2 if self.relu else 1

    def bits(self, patterns: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.B[:, patterns])

    @property
    def shared(self) -> bool:
        """Whether neurons that are added serve all outputs, because outputs are not separate problems."""
        return self.relu and self.loss.Y.shape[1] > 1 and not self.loss.separable

    def turn(self, patterns: NDArray[np.intp], W: Array) -> Array:
        """Return neurons of some patterns, of shape (patterns, d, c), by the outputs that they add to."""
        return W if self.T is None else W @ self.T[patterns]

    def turn_back(self, patterns: NDArray[np.intp], A: Array) -> Array:
        """The adjoint, and inverse, of `turn`."""
        return A if self.T is None else A @ self.T[patterns].transpose(0, 2, 1)

    def scores(self, point: "Point") -> Array:
        """Return the outputs at a point without their intercepts."""
        return forward(self.bits(point.pool), self.X, self.turn(point.pool, net(point.W)))

    def cones(self, patterns: NDArray[np.intp]) -> Cones:
        """Return the cones of some patterns."""
        if not self.relu:
            return no_cones(self.X.shape[1])
        return Cones(self.X, self.XT, self.lengths, signs_of(unpack(self.B[:, patterns], len(self.X))), True)


@dataclass
class Point:
    """A point of a program, with the state that the next solver starts from.

    Parameters
    ----------
    pool : ndarray of shape (S,)
        The patterns that have neurons.

    W : ndarray of shape (S, sides, d, c)
        The neurons.

    b : ndarray of shape (c,)
        Intercepts of the outputs.

    borders : ndarray of shape (P, sides, d + 2, c)
        Where the last projections onto the cones ended; empty for a gated program.

    H : ndarray of shape (S * d, S * d), default=None
        The Gram matrix of the pool, for a loss of one curvature.

    step : float, default=None
        The last step size of FISTA.

    proof : ndarray of shape (n, c), default=None
        A gradient of F that proves more than the one at the point; with intercepts its columns sum to zero.

    hard : bool, default=False
        Whether the program of the pool needed the interior-point method; that method is then tried first.
    """

    pool: NDArray[np.intp]
    W: Array
    b: Array
    borders: NDArray[np.int64]
    H: Array | None = None
    step: float | None = None
    proof: Array | None = None
    hard: bool = False

    @property
    def active(self) -> NDArray[np.bool_]:
        """Which patterns of the pool have a neuron that is not zero."""
        return np.any(self.W, axis=(1, 2, 3))


def empty_point(program: Program) -> Point:
    """Return the empty model with its best intercepts."""
    (n, d) = program.X.shape
    c = program.loss.Y.shape[1]
    b = program.loss.best_intercept(np.zeros((n, c)), np.zeros(c))
    borders = np.full((program.B.shape[1] if program.relu else 0, 2, d + 2, c), -1, dtype=np.int64)
    return Point(np.empty(0, dtype=np.intp), np.zeros((0, program.sides, d, c)), b, borders)


def gram_of(point: Point, kept: NDArray[np.bool_], d: int) -> Array | None:
    """Return the Gram matrix of the patterns of the pool that are kept; it may lack the last patterns of the pool."""
    if point.H is None:
        return None
    rows = np.repeat(kept[: len(point.H) // d], d)
    return point.H[np.ix_(rows, rows)]


def suprema(program: Program, patterns: NDArray[np.intp], B: NDArray[np.uint8], U: Array, point: Point, enough: float):
    """Return the suprema of `_duality.py` for some patterns, of shape (patterns, sides, c), and A'U.

    A supremum below `enough` is known as an upper bound only. `B` are the bits of the patterns.
    """
    A = program.turn_back(patterns, adjoint(B, program.X, U))
    P, _, c = A.shape
    norms = np.empty((P, program.sides, c))
    step = max(1, SIGN_CELLS // len(program.X)) if program.relu else max(1, P)
    for start in range(0, P, step):
        part = slice(start, start + step)
        cones = program.cones(patterns[part])
        for k in range(c):
            at = patterns[part] if program.relu else slice(0)
            borders = np.ascontiguousarray(point.borders[at, ..., k])
            norms[part, :, k] = dual_norms(np.ascontiguousarray(A[part, :, k]), cones, borders, enough)
            if program.relu:
                point.borders[patterns[part], ..., k] = borders
    return norms, A


def largest_supremum(program: Program, U: Array, point: Point) -> float:
    """Return the largest supremum over all patterns; bounds come first, and spare most of the projections."""
    A = program.turn_back(np.arange(program.B.shape[1]), adjoint(program.B, program.X, U))
    bounds = np.sqrt((A * A).sum(axis=1)).max(axis=1, initial=0.0)
    if not program.relu:
        return float(bounds.max(initial=0.0))
    best = 0.0
    order = np.argsort(-bounds, kind="stable")
    for start in range(0, len(order), BATCH):
        patterns = order[start : start + BATCH]
        patterns = patterns[bounds[patterns] > best]
        if not patterns.size:
            break
        norms = suprema(program, patterns, program.bits(patterns), U, point, best)[0]
        best = max(best, float(norms.max()))
    return best


def certify(
    program: Program, point: Point, Z: Array, U: Array, norms: Array, alpha: float
) -> tuple[Certificate, Array]:
    """Return the certificate of a point whose gradient is U at the scores Z + b, and the scales of the dual point."""
    value, scale = dual_value(program.loss, U, norms, alpha)
    return Certificate(program.loss.value(Z + point.b) + alpha * penalty(point.W), value), scale


def proving_gradient(program: Program, point: Point) -> Array:
    """Return the gradient of F that proves the most: the one at the point, if no other is known."""
    if point.proof is not None:
        return point.proof
    Z = program.scores(point)
    return program.loss.gradient(Z + program.loss.best_intercept(Z, point.b))


def largest_violation(program: Program, point: Point) -> float:
    """Return the largest violation of a cone constraint, relative to the norms of its row and its neuron."""
    if not program.relu or not len(point.pool):
        return 0.0
    signs = program.cones(point.pool).signs
    neurons = np.moveaxis(point.W, 2, 3).reshape(len(point.pool), -1, program.X.shape[1])
    return max(violation(w[np.any(w, axis=1)], program.X, s) for w, s in zip(neurons, signs, strict=True))
