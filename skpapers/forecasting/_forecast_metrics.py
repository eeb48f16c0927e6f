"""Errors of forecasts relative to the size of the series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_consistent_length

from skpapers._validation import check_sample_weight


def normalized_deviation(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Sum of the absolute errors over the sum of the absolute values (ND).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Observed values.

    y_pred : array-like of the same shape
        Forecasts.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights.

    Returns
    -------
    deviation : float
        :math:`\sum |y - \hat y| / \sum |y|`; 0 for exact forecasts, and infinite if all values are 0 and a forecast is
        not. As a scorer: ``make_scorer(normalized_deviation, greater_is_better=False)``.

    See Also
    --------
    nrmse : The same with squares.

    Examples
    --------
    >>> from skpapers.forecasting import normalized_deviation
    >>> normalized_deviation([[1.0, 3.0]], [[2.0, 3.0]])
    0.25
    """
    y, errors, weight = _checked(y_true, y_pred, sample_weight)
    unit = _largest(y)
    return _ratio(float(np.sum(weight * np.abs(errors / unit))), float(np.sum(weight * np.abs(y / unit))))


def nrmse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Root mean squared error over the mean absolute value (NRMSE).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Observed values.

    y_pred : array-like of the same shape
        Forecasts.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights.

    Returns
    -------
    error : float
        :math:`\sqrt{\mathrm{mean}\,(y - \hat y)^2} / \mathrm{mean}\,|y|`; 0 for exact forecasts, and infinite if all
        values are 0 and a forecast is not. As a scorer: ``make_scorer(nrmse, greater_is_better=False)``.

    See Also
    --------
    normalized_deviation : The same with absolute errors.

    Examples
    --------
    >>> from skpapers.forecasting import nrmse
    >>> nrmse([[3.0, 1.0]], [[1.0, 1.0]]) == 0.5**0.5
    True
    """
    y, errors, weight = _checked(y_true, y_pred, sample_weight)
    total = float(np.sum(weight * np.ones_like(y)))
    unit = _largest(y)
    largest = _largest(errors)
    squares = float(np.sum(weight * (errors / largest) ** 2)) / total
    return _ratio(squares**0.5 * (largest / unit), float(np.sum(weight * np.abs(y / unit))) / total)


def _ratio(error: float, size: float) -> float:
    if size == 0.0:
        return 0.0 if error == 0.0 else float("inf")
    return error / size


def _largest(values: NDArray) -> float:
    """Return the largest absolute value, or 1 if all are 0: in units of it no square overflows."""
    return float(np.abs(values).max()) or 1.0


def _checked(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Return values and errors of shape (n, n_outputs), and weights of shape (n, 1) whose largest is 1."""
    y = check_array(y_true, ensure_2d=False, dtype=np.float64, input_name="y_true")
    forecasts = check_array(y_pred, ensure_2d=False, dtype=np.float64, input_name="y_pred")
    check_consistent_length(y, forecasts)
    y = y.reshape(len(y), -1)
    forecasts = forecasts.reshape(len(forecasts), -1)
    if y.shape != forecasts.shape:
        raise ValueError(f"y_true has {y.shape[1]} outputs, and y_pred {forecasts.shape[1]}.")
    weight = check_sample_weight(sample_weight, y)
    weight = np.ones(len(y)) if weight is None else weight / weight.max()
    return y, y - forecasts, weight[:, None]
