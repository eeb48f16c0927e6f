"""Labels given as arrays, lists or columns of data frames, and which of them are missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def label_values(y: Any) -> NDArray:
    """Return labels as an array; those of pandas and polars as objects, each of its own type.

    If an entry is missing, NumPy would turn nullable integers into floats, and a NaN among strings into "nan".
    """
    if hasattr(y, "columns") and len(y.columns) == 1:
        y = y[next(iter(y.columns))]
    if hasattr(y, "to_list"):
        return np.array(y.to_list(), dtype=object)
    if hasattr(y, "isna") and hasattr(y, "tolist"):  # an extension array of pandas, such as Categorical
        return np.array(y.tolist(), dtype=object)
    values = np.asarray(y)
    if values.dtype.kind == "U" and not hasattr(y, "dtype"):
        objects = np.array(y, dtype=object)
        values = objects if missing_labels(objects).any() else values
    return values


def missing_labels(values: NDArray) -> NDArray[np.bool_]:
    """Return a mask of the missing entries: None, NaN, NaT, and the NA of pandas."""
    if values.dtype.kind not in "fOmM":
        return np.zeros(values.shape, dtype=bool)
    from pandas import isna  # imported only if needed, since it takes a third of a second

    return isna(values)


def check_labels(y: Any, hint: str = "") -> Any:
    """Return the labels unchanged, or raise an error if some are missing.

    scikit-learn sorts the labels before it looks for missing ones. None and NA cannot be compared, so its error message
    would be about types or truth values, and not about a missing label.
    """
    values = None if y is None else label_values(y)
    if values is not None and values.dtype == object and (missing := missing_labels(values)).any():
        raise ValueError(f"Input y contains NaN: {missing.sum()} of {missing.size} labels are missing.{hint}")
    return y
