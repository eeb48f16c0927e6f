"""From rows, targets and weights to a sampled program, and from its solution back to a network for rows as they
came."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers._columns import constant_columns
from skpapers.convex._cones import project_all
from skpapers.convex._gates import patterns
from skpapers.convex._losses import LogLoss, Loss, MultinomialLogLoss, SquaredError
from skpapers.convex._networks import balanced, extended, placed
from skpapers.convex._program import Point, Program, empty_point
from skpapers.convex._row_products import row_products

Array = NDArray[np.float64]
LOSSES: dict[str, type] = {"squared_error": SquaredError, "log_loss": LogLoss, "multinomial": MultinomialLogLoss}
LARGEST = 1e60  # of a scaled value: squares of products of X, y and their gradients are finite


class Data(NamedTuple):
    """Rows without repetitions in a fixed order, and how they were scaled.

    Where hidden neurons have intercepts, constant columns are left out: a neuron's intercept does what its weight on
    such a column would do, and without the weight a prediction does not move when the column moves later. All arrays
    except `kept` and `constant` hold the d other columns.

    Attributes
    ----------
    raw : ndarray of shape (n, d)
        Rows as they came.

    X : ndarray of shape (n, d) or (n, d + 1)
        Scaled rows, with a column of ones where hidden neurons have intercepts.

    Y : ndarray of shape (n, c)
        Scaled targets.

    weight : ndarray of shape (n,)
        They sum to one.

    mean, scale : ndarray of shape (d,)
        raw = mean + scale * X.

    y_mean, y_scale : ndarray of shape (c,)
        Targets are `y_mean + y_scale * Y`.

    kept : ndarray of bool of shape (n_features,)
        The columns that are not left out.

    constant : ndarray of shape (n_features - d,)
        The values of those that are.
    """

    raw: Array
    X: Array
    Y: Array
    weight: Array
    mean: Array
    scale: Array
    y_mean: Array
    y_scale: Array
    kept: NDArray[np.bool_]
    constant: Array

    @property
    def hidden_intercept(self) -> bool:
        return self.X.shape[1] > self.raw.shape[1]


def prepare(
    X: Array, Y: Array, weight: Array | None, *, intercept: bool, standardize: bool, centre_y: bool, scale_y: bool
) -> Data:
    """Merge equal rows, so that a weight of 2 equals a repeated row, and scale columns.

    Rows of weight 0 are dropped. The order of rows, and so every bit of the result, does not depend on how they came.

    Raises
    ------
    ValueError
        If values that are not standardised are too large to be squared.
    """
    given: Array = np.ones(len(X)) if weight is None else weight / _power_of_two(weight)  # sums stay finite
    counts = given > 0
    X = X[counts]
    Y = Y[counts]
    given = given[counts]
    kept = ~constant_columns(X) if intercept else np.ones(X.shape[1], dtype=bool)
    both = np.hstack([X[:, kept], Y]) + 0.0  # + 0.0: no row differs by the sign of a zero
    both, place = np.unique(both, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), weights=given)
    share: Array = total / total.sum()
    d = np.count_nonzero(kept)
    raw = np.ascontiguousarray(both[:, :d])
    Y = np.ascontiguousarray(both[:, d:])
    # without an intercept, a shift of X would make one
    scaled, mean, scale = _scaled(raw, share, centre=standardize and intercept, scale=standardize)
    # the same program, without what targets far from zero lose to rounding
    Y, y_mean, y_scale = _scaled(Y, share, centre=centre_y, scale=standardize and scale_y)
    for name, columns in (("X", scaled), ("y", Y)):
        largest = np.abs(columns).max(initial=0.0)
        if not largest <= LARGEST:
            raise ValueError(
                f"{name} holds values up to {largest:.3g}: with standardize=False they must be at most {LARGEST:g}."
            )
    if intercept:
        scaled = np.hstack([scaled, np.ones((len(raw), 1))])
    return Data(raw, np.ascontiguousarray(scaled), Y, share, mean, scale, y_mean, y_scale, kept, X[0, ~kept])


def _scaled(columns: Array, weight: Array, *, centre: bool, scale: bool) -> tuple[Array, Array, Array]:
    """Return columns minus their means and divided by their deviations, as far as asked, with both.

    A constant column becomes 0 if it is centred; if it is not, it is divided by its absolute value.
    """
    unit = _power_of_two(columns)  # squares neither overflow nor vanish
    columns = columns / unit
    constant = constant_columns(columns)
    mean = weight @ columns
    mean += weight @ (columns - mean)  # what the first sum lost to rounding where values are far from zero
    mean = np.where(constant, columns[0], mean)
    centred = np.where(constant, 0.0, columns - mean)  # their mean is 0 only as far as `mean` could be rounded to it
    deviation = np.sqrt(weight @ (centred - weight @ centred) ** 2)
    largest = np.abs(centred).max(axis=0, initial=0.0)
    # a column that differs only in rows of negligible weight, as old rows have where weights decay
    deviation = np.where(deviation > 10 * np.finfo(np.float64).eps * largest, deviation, largest)
    deviation = np.where(constant, 0.0 if centre else np.abs(columns[0]), deviation)
    deviation = np.where(deviation > 0, deviation, 1.0 / unit)
    if not centre:
        mean = np.zeros_like(mean)
        centred = columns
    if not scale:
        return centred * unit, mean * unit, np.ones_like(unit)
    return centred / deviation, mean * unit, deviation * unit


def _power_of_two(columns: Array) -> Array:
    """Return the power of two next to the largest absolute value of each column; dividing by it changes no digit."""
    return np.ldexp(1.0, np.maximum(np.frexp(np.abs(columns).max(axis=0, initial=0.0))[1] - 1, -1021))


def to_raw(data: Data, W: Array) -> Array:
    """Return linear functions of scaled rows, one a column, as functions of the rows as they came."""
    V = W[: len(data.scale)] / data.scale[:, np.newaxis]
    return np.vstack([V, W[-1] - data.mean @ V]) if data.hidden_intercept else V


def from_raw(data: Data, V: Array) -> Array:
    """Return linear functions of rows as they came as functions of scaled rows: the inverse of `to_raw`."""
    W = V[: len(data.scale)] * data.scale[:, np.newaxis]
    return np.vstack([W, V[-1] + data.mean @ V[:-1]]) if data.hidden_intercept else W


def centred(V: Array, center: Array) -> Array:
    """Return linear functions of rows as functions of rows minus a center; without intercepts the center is 0."""
    d = len(center)
    return np.vstack([V[:d], V[d:] + row_products(center[np.newaxis], V[:d])]) if len(V) > d else V


def of_all_columns(data: Data, V: Array) -> Array:
    """Return linear functions of the columns kept as functions of all columns, with weight 0 on the others."""
    if data.kept.all():
        return V
    full = np.zeros((len(data.kept) + 1, V.shape[1]))
    full[:-1][data.kept] = V[:-1]
    full[-1] = V[-1]
    return full


def of_columns_kept(data: Data, V: Array) -> Array:
    """Return linear functions of all columns as functions of the columns kept, equal where the others are constant."""
    if data.kept.all():
        return V
    return np.vstack([V[:-1][data.kept], V[-1] + data.constant @ V[:-1][~data.kept]])


def sample_program(data: Data, gates: Array, loss: str, *, relu: bool, intercept: bool) -> tuple[Program, Array]:
    """Return the program of the patterns of some gates (for rows as they came), and the gates of different patterns."""
    B, kept = patterns(data.raw - data.mean, centred(gates, data.mean))
    if not kept.size:
        raise ValueError(f"none of the {gates.shape[1]} gates is positive on any training row; give other gates.")
    target: Loss = LOSSES[loss](data.Y, data.weight, intercept)
    return Program(data.X, B, target, relu), gates[:, kept]


class Network(NamedTuple):
    """Neurons for rows as they came: hidden weights (d, m), their intercepts (m,), second layer (m, c), its intercepts
    (c,).

    `pattern` says which pattern, and so which gate, each neuron has. `centred_intercept` are the hidden intercepts for
    rows minus their mean: far from zero, they keep digits that `coef_intercept` has lost.
    """

    coef: Array
    coef_intercept: Array
    out_coef: Array
    intercept: Array
    pattern: NDArray[np.intp]
    centred_intercept: Array


def network(data: Data, program: Program, point: Point) -> Network:
    """Return the network of a point."""
    W, A = balanced(program, point)
    V = to_raw(data, W.T)
    d = len(data.scale)
    pattern = point.pool[np.nonzero(np.any(point.W, axis=2))[0]]
    hidden, of_centred = (V[d], W[:, d]) if data.hidden_intercept else np.zeros((2, len(A)))
    return Network(V[:d], hidden, A * data.y_scale, data.y_mean + point.b * data.y_scale, pattern, of_centred)


def restart(
    data: Data, program: Program, gates: Array, found: Network, same: bool
) -> tuple[Program, Array, Point | None]:
    """Return a network as a point of another program, with the program and its gates, for rows as they came.

    `same` says whether the patterns of the program are those of the network's gates, one for one; where rows have
    changed, neurons are then projected onto the cones that their patterns have now. Neurons that serve several outputs
    bring their patterns along.
    """
    scaled = found.coef * data.scale[:, np.newaxis]
    if data.hidden_intercept:  # intercepts of centred rows: those of raw rows have lost digits if rows are far from 0
        scaled = np.vstack([scaled, found.centred_intercept])
    W = np.ascontiguousarray(scaled.T)
    A = found.out_coef / data.y_scale
    point = empty_point(program)
    if program.shared:
        n_given = gates.shape[1]
        program, scaled, where = extended(program, from_raw(data, gates), W, A)
        gates = np.hstack([gates, to_raw(data, scaled[:, n_given:])])
    elif not same:
        return program, gates, None
    else:
        where = found.pattern
        if program.relu and len(W):
            cones = program.cones(where)
            borders = np.full((len(W), W.shape[1] + 2), -1, dtype=np.int64)
            out = W.copy()
            norms = np.empty(len(W))
            every = np.arange(len(W))
            project_all(W, cones.X, cones.XT, cones.lengths, cones.signs, every, borders, 0.0, out, norms)
            W = out
    return program, gates, placed(program, W, A, where, point)
