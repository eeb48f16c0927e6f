"""Statistics of the training rows that networks are fed with, in numpy."""

import numpy as np
from numpy.typing import NDArray

from skpapers._torch.modules import FixedScaling

LIMIT = 3.0  # scaled values lie between -3 and 3: interquartile ranges


def weighted_quantiles(X: NDArray, weight: NDArray | None, levels: tuple[float, ...]) -> NDArray:
    """Return quantiles of each column, of shape (n_levels, n_features).

    They invert the distribution function: values of rows, and a weight of 2 is a row that stands there twice.
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

    "robust" clips smoothly. Where half of a column's values are equal its range stands in for the quartiles; a column
    of one value becomes 0.
    """
    if kind is None:
        return None
    if kind == "standard":
        center = np.average(X, axis=0, weights=weight)
        spread, limit = deviations(X, center, weight), None
    else:
        low, center, high = weighted_quantiles(X, weight, (0.25, 0.5, 0.75))
        spread, limit = high - low, LIMIT
        spread = np.where(spread > 0, spread, (X.max(axis=0) - X.min(axis=0)) / 2.0)
    tiny = 1e-12 * np.abs(center)  # what rounding leaves of a constant column
    return FixedScaling(center, np.where(spread > tiny, 1.0 / np.where(spread > tiny, spread, 1.0), 0.0), limit)


def fit_target(y: NDArray, weight: NDArray | None, robust: bool) -> tuple[NDArray, NDArray]:
    """Return location and scale of each output: mean and deviation, or median and interquartile range / 1.349."""
    mean = np.average(y, axis=0, weights=weight)
    deviation = deviations(y, mean, weight)
    if not robust:
        return mean, np.where(deviation > 0, deviation, 1.0)
    low, median, high = weighted_quantiles(y, weight, (0.25, 0.5, 0.75))
    scale = np.where(high > low, (high - low) / 1.349, deviation)
    return median, np.where(scale > 0, scale, 1.0)
