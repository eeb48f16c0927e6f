"""Rows of a fit: validated, read as numbers, and with the weights that the loss uses; no estimator is changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from skpapers._torch.inputs import Inputs
from skpapers._torch.rows import Rows
from skpapers._torch.targets import Target
from skpapers._validation import check_sample_weight


@dataclass(frozen=True)
class Given:
    """Training rows as a user gives them.

    Parameters
    ----------
    X, y, sample_weight : array-like
        Arguments of `fit`.

    extra : dict of str to array-like
        What else there is for each row.
    """

    X: Any
    y: Any
    sample_weight: Any = None
    extra: Mapping[str, Any] | None = None


def read_rows(
    blank: BaseEstimator, inputs: Inputs, target: Target, given: Given, *, reset: bool, allow_all_zero: bool = False
) -> tuple[Inputs, Target, Rows[NDArray]]:
    """Return the rows, and inputs and target with what they learn from them.

    Parameters
    ----------
    blank : estimator
        Validation writes `n_features_in_` and the like to it if `reset`, and compares otherwise.

    inputs, target : Inputs, Target
        What a row is, and what is predicted.

    given : Given
        The rows.

    reset : bool
        Whether these are the first rows.

    allow_all_zero : bool
        Whether all weights may be 0.
    """
    inputs, X = inputs.read(given.X)
    y = target.check(given.y)
    of_y = {"ensure_2d": False, "dtype": target.dtype, "order": "C", "ensure_all_finite": target.finite}
    # in C order, since sums of columns round by the layout
    of_X = {"dtype": np.float64, "order": "C", "ensure_all_finite": inputs.finite}
    X, y = validate_data(blank, X, y, reset=reset, validate_separately=(of_X, of_y))
    check_consistent_length(X, y)
    weight = check_sample_weight(given.sample_weight, X, allow_all_zero=allow_all_zero)
    target, y = target.read(y, type(blank).__name__)
    extra = {name: _per_row(name, values, X) for name, values in (given.extra or {}).items()}
    return inputs.completed(X.shape[1]), target, Rows(X, y, weight, extra)


def _per_row(name: str, values: Any, X: NDArray) -> NDArray:
    """Return a copy, since torch refuses negative strides, foreign byte orders and read-only arrays.

    Raises
    ------
    ValueError
        If the array does not have one entry for each row.
    """
    values = check_array(values, ensure_2d=False, allow_nd=True, dtype="numeric", input_name=name)
    if len(values) != len(X):
        raise ValueError(f"{name} has {len(values)} entries, and X has {len(X)} rows.")
    return np.array(values, dtype=values.dtype.newbyteorder("="), order="C")


def rows_to_train_on(rows: Rows[NDArray], target: Target, early_stopping: bool) -> Rows[NDArray]:
    """Return the rows whose weight in the loss is above 0, with these weights.

    Raises
    ------
    ValueError
        If no row is left, or no row of some class.
    """
    rows = replace(rows, weight=target.weigh(rows.y, rows.weight))
    if rows.weight is not None and not rows.weight.any():
        raise ValueError("No row left to train on has a weight above 0.")
    rows = rows.with_weight()
    lacking = target.lacking(rows.y)
    if lacking and early_stopping:
        raise ValueError(
            f"No row left to train on has class {lacking[0]!r}; use validation_split='random' or a smaller "
            "validation_fraction, give X_val and y_val, or set early_stopping=False."
        )
    if lacking:
        raise ValueError(f"No row of class {lacking[0]!r} has a weight above 0.")
    return rows
