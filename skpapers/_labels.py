"""Labels as they are given: arrays, lists and columns of frames, some of them missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def label_values(y: Any) -> NDArray:
    """Return labels as an array; those of a column of pandas or polars as objects, each of its own type.

    A nullable column of integers would else become one of floats where an entry is missing.
    """
    if hasattr(y, "columns") and len(y.columns) == 1:
        y = y[next(iter(y.columns))]
    return np.array(y.to_list(), dtype=object) if hasattr(y, "to_list") else np.asarray(y)


def missing_labels(values: NDArray) -> NDArray[np.bool_]:
    """Return a mask of the missing entries: None, NaN, NaT, and the NA of pandas."""
    if values.dtype.kind not in "fOmM":
        return np.zeros(values.shape, dtype=bool)
    from pandas import isna  # loaded where it is needed alone, as it takes a third of a second

    return isna(values)


def check_labels(y: Any, hint: str = "") -> Any:
    """Return the labels as they are, or raise where some are missing.

    scikit-learn compares the labels before it looks for missing ones. None and NA cannot be compared, so that its error
    speaks of types, or of truth values, and not of a missing label.
    """
    values = None if y is None else label_values(y)
    if values is not None and values.dtype == object and (missing := missing_labels(values)).any():
        raise ValueError(f"Input y contains NaN: {missing.sum()} of {missing.size} labels are missing.{hint}")
    return y
