"""What is not a feature: the target and its task, and the columns that order, group and weight the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skpapers.comparison._tables import as_dates, as_numbers

TASKS = ("classification", "regression")


def to_series(values: Any, name: str, n_rows: int) -> pd.Series:
    """Convert a one-dimensional array or column to a pandas Series with `n_rows` rows, its index thrown away."""
    if hasattr(values, "to_pandas"):
        values = values.to_pandas()
    if isinstance(values, pd.DataFrame):
        values = values.to_numpy()
    if not isinstance(values, pd.Series | pd.Index):
        values = np.asarray(values)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise ValueError(f"{name} must be one column; got an array of shape {values.shape}.")
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} values, X has {n_rows} rows.")
    return pd.Series(values, name=name).reset_index(drop=True).infer_objects()


def choose_task(y: pd.Series, task: str) -> str:
    """Return the task: strings, booleans, categories and few distinct whole numbers are classes."""
    if task not in ("auto", *TASKS):
        raise ValueError(f"task={task!r} is unknown; choose one of 'auto', {', '.join(map(repr, TASKS))}.")
    numbers = None if isinstance(y.dtype, pd.CategoricalDtype) else as_numbers(y)
    if task == "auto":
        if numbers is None:
            return "classification"
        distinct = numbers.unique()
        whole = bool((distinct == np.round(distinct)).all())
        few = len(distinct) <= 2 or (len(distinct) <= 20 and len(distinct) < 0.05 * len(y))
        return "classification" if whole and few else "regression"
    if task == "regression" and numbers is None:
        raise ValueError(f"task='regression' needs numbers; the target holds {y.dtype} values such as {y.iloc[0]!r}.")
    if task == "classification" and numbers is not None and (numbers != np.round(numbers)).any():
        raise ValueError(
            f"task='classification' needs classes; the target holds fractions such as {numbers.iloc[0]:g}."
        )
    return task


def clean_target(y: pd.Series, task: str) -> np.ndarray:
    """Return the target as an array: float64, or classes as whole numbers, booleans or strings."""
    if isinstance(y.dtype, pd.CategoricalDtype):
        y = y.astype(y.cat.categories.dtype if y.cat.categories.dtype.kind in "biu" else object)
    numbers = as_numbers(y)
    if numbers is not None and np.isinf(numbers).any():
        raise ValueError("The target holds infinite values; make them finite or missing (NaN).")
    if task == "regression":
        assert numbers is not None
        if numbers.nunique() == 1:
            raise ValueError(
                f"The target has the single value {numbers.iloc[0]:g} in every row; nothing can be learned."
            )
        return numbers.to_numpy()
    values = y.to_numpy(dtype=object)
    if numbers is not None:
        target = numbers.to_numpy(dtype=np.int64)
    elif all(isinstance(value, bool | np.bool_) for value in values):
        target = values.astype(bool)
    else:
        target = np.array([str(value) for value in values], dtype=object)
    if len(set(target)) == 1:
        raise ValueError(
            f"The target has the single class {target[:1].tolist()[0]!r}; classification needs two or more."
        )
    return target


def clean_weights(weights: pd.Series) -> np.ndarray:
    """Return the sample weights as floats: finite, not negative, not all zero."""
    numbers = as_numbers(weights)
    if numbers is None or not np.isfinite(numbers).all() or (numbers < 0).any() or not (numbers > 0).any():
        raise ValueError("sample_weight must be finite numbers >= 0, not all of them 0.")
    return numbers.to_numpy()


def clean_time(time: pd.Series, name: str) -> np.ndarray:
    """Return for every row the rank of its timestamp among the distinct timestamps: 0, 1, 2, ..."""
    if time.isna().any():
        raise ValueError(f"{name} is missing in {int(time.isna().sum())} rows; every row needs a time.")
    dates = as_dates(time)
    values = dates if dates is not None else as_numbers(time)
    if values is None:
        raise ValueError(f"{name} must hold dates or numbers; it holds {time.dtype} values such as {time.iloc[0]!r}.")
    return np.unique(values.to_numpy(), return_inverse=True)[1]


def find_time(frame: pd.DataFrame, time: Any, wanted: bool) -> tuple[pd.DataFrame, pd.Series | None, str]:
    """Return the frame without its time column, the times (or None) and their name.

    The time is what `time` says (a column name or an array), else the only datetime level of the index, else the only
    date column. Several date columns: an error if the time is `wanted`, no time otherwise.
    """
    if isinstance(time, str):
        if time not in frame:
            raise ValueError(f"X has no time column {time!r}; its columns are {', '.join(map(str, frame.columns))}.")
        return frame.drop(columns=time), frame[time].reset_index(drop=True), f"Time column {time!r}"
    if time is not None:
        return frame, to_series(time, "time", len(frame)), "time"
    levels = [frame.index.get_level_values(i) for i in range(frame.index.nlevels)]
    levels = [level for level in levels if isinstance(level, pd.DatetimeIndex | pd.PeriodIndex)]
    if len(levels) == 1:
        return frame, pd.Series(levels[0]).reset_index(drop=True), "The index of X"
    dates = [name for name in frame if as_dates(frame[name]) is not None]
    if len(dates) > 1 and wanted:
        raise ValueError(f"X has several date columns ({', '.join(dates)}); name the one that orders the rows as time.")
    if len(dates) != 1:
        return frame, None, ""
    return frame.drop(columns=dates), frame[dates[0]].reset_index(drop=True), f"Time column {dates[0]!r}"
