"""Statistics of the training rows that networks are fed with, in numpy."""

import numpy as np
from numpy.typing import NDArray

from skpapers._columns import constant_columns
from skpapers._torch.rank_scaling import needs_ranks, rank_knots
from skpapers._torch.scaling_layers import FixedScaling

LIMIT = 3.0  # scaled values lie between -3 and 3: interquartile ranges


def in_unit(weight: NDArray | None) -> NDArray | None:
    """Return weights divided by a power of two, which rounds nothing: the sum of huge ones may be infinite."""
    return None if weight is None else np.ldexp(weight, -np.frexp(weight.max())[1])


def weighted_quantiles(X: NDArray, weight: NDArray | None, levels: tuple[float, ...]) -> NDArray:
    """Return quantiles of each column, of shape (n_levels, n_features).

    They invert the distribution function: each is a value of some row, and a weight of 2 equals a repeated row.
    """
    if weight is None:
        return np.quantile(X, levels, axis=0, method="inverted_cdf")
    return np.quantile(X, levels, axis=0, method="inverted_cdf", weights=np.broadcast_to(weight[:, None], X.shape))


def deviations(X: NDArray, center: NDArray, weight: NDArray | None) -> NDArray:
    """Return the root mean square of distances, each column in units of its largest: squares may over- or underflow."""
    distances = np.abs(X - center)
    largest = distances.max(axis=0)
    relative = distances / np.where(largest > 0, largest, 1.0)
    return largest * np.sqrt(np.average(relative**2, axis=0, weights=weight))


def fit_scaling(X: NDArray, weight: NDArray | None, kind: str | None) -> FixedScaling | None:
    """Return the first, fixed layer: None, "standard" (mean and deviation) or "robust" (median and quartiles, clipped).

    "robust" clips smoothly; columns of equal quartiles or heavy tails go by rank. A constant column becomes 0.
    """
    if kind is None:
        return None
    weight = in_unit(weight)
    constant = constant_columns(X, weight)
    if kind == "standard":
        center = np.average(X, axis=0, weights=weight)
        return FixedScaling(center, _factor(deviations(X, center, weight), ~constant), None)
    first, low, center, high, last = weighted_quantiles(X, weight, (0.01, 0.25, 0.5, 0.75, 0.99))
    by_rank = needs_ranks(first, low, high, last) & ~constant
    with np.errstate(over="ignore"):  # a column with an infinite range is scaled by rank
        factor = _factor(high - low, ~(constant | by_rank))
    return FixedScaling(center, factor, LIMIT, *_rank_maps(X, weight, np.flatnonzero(by_rank)))


def _factor(spread: NDArray, used: NDArray) -> NDArray:
    return np.where(used, 1.0 / np.where(used, spread, 1.0), 0.0)


def _rank_maps(X: NDArray, weight: NDArray | None, columns: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return the columns, and their knots and images, filled up with the last one."""
    maps = [rank_knots(X[:, j], weight) for j in columns]
    length = max((len(knots) for knots, _ in maps), default=0)
    knots, images = (
        np.array([np.pad(of[part], (0, length - len(of[part])), "edge") for of in maps]).reshape(len(columns), length)
        for part in (0, 1)
    )
    return columns, knots, images


def fit_target(y: NDArray, weight: NDArray | None, robust: bool) -> tuple[NDArray, NDArray]:
    """Return location and scale of each output: mean and deviation, or median and interquartile range / 1.349.

    A constant output has itself as location, exactly, and scale 0.
    """
    weight = in_unit(weight)
    unit = np.exp2(np.frexp(np.abs(y).max(axis=0))[1])  # a power of two: sums in this unit round the same
    low, median, high = weighted_quantiles(y, weight, (0.25, 0.5, 0.75))
    mean = np.average(y / unit, axis=0, weights=weight) * unit
    scale = deviations(y, mean, weight)
    if robust:
        scale = np.where(high > low, (high - low) / 1.349, scale)
    constant = constant_columns(y)
    return np.where(constant | robust, median, mean), np.where(constant, 0.0, scale)
