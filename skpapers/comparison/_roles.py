"""The columns that are not features: the target, and those that order, group and weight the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from skpapers.comparison._columns import as_numbers, date_readings, exact_numbers, is_text_or_object
from skpapers.comparison._purging import label_ends
from skpapers.comparison._tables import AMBIGUOUS
from skpapers.comparison._windows import IN_TIME

_IF_IT_SHOULD = "if it should, fill it or drop those rows and name it as time (--time-column)"
TASKS = ("classification", "regression")


def to_series(values: Any, name: str, n_rows: int) -> pd.Series:
    """Convert a one-dimensional array or column to a pandas Series with `n_rows` rows, without its index."""
    if isinstance(values, str):
        raise ValueError(f"{name} must have one value per row; got the string {values!r}.")
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


def name_of(values: Any) -> str:
    """Return the name of a Series or of the only column of a frame, "" if it is no string."""
    columns = getattr(values, "columns", None)
    name = getattr(values, "name", None) if columns is None else columns[0]
    return name if isinstance(name, str) else ""


def choose_task(y: pd.Series, task: str) -> str:
    """Return the task: strings, booleans, categories and few distinct whole numbers are classes."""
    if task not in ("auto", *TASKS):
        raise ValueError(f"task={task!r} is unknown; choose one of 'auto', {', '.join(map(repr, TASKS))}.")
    numbers = None if isinstance(y.dtype, pd.CategoricalDtype) else as_numbers(y)
    if task == "auto":
        if numbers is None:
            return "classification"
        n_distinct = y.nunique()
        whole = bool((numbers == np.round(numbers)).all())
        few = n_distinct <= 2 or (n_distinct <= 20 and n_distinct < 0.05 * len(y))
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
    target = _labels(y) if numbers is None else _whole_numbers(y, numbers)
    if len(set(target)) == 1:
        raise ValueError(
            f"The target has the single class {target[:1].tolist()[0]!r}; classification needs two or more."
        )
    return target


def _labels(y: pd.Series) -> np.ndarray:
    values = y.to_numpy(dtype=object)
    if all(isinstance(value, bool | np.bool_) for value in values):
        return values.astype(bool)
    return np.array([str(value) for value in values], dtype=object)


def _whole_numbers(y: pd.Series, numbers: pd.Series) -> np.ndarray:
    """Return classes as int64 where it holds them all; larger ones as uint64, float64 or strings."""
    values = exact_numbers(y)
    if values.dtype.kind in "iu":
        return values.astype(np.int64) if values.max() < 2**63 else values
    if types.infer_dtype(values) == "integer":
        return np.array([str(value) for value in values], dtype=object)
    floats = numbers.to_numpy()
    return floats.astype(np.int64) if (np.abs(floats) < 2.0**63).all() else floats


def clean_weights(weights: pd.Series) -> np.ndarray:
    """Return the sample weights as floats: finite, not negative, not all zero."""
    numbers = as_numbers(weights)
    if numbers is None:
        raise ValueError(f"sample_weight must be numbers; it holds {weights.dtype} values such as {weights.iloc[0]!r}.")
    if numbers.isna().any():
        raise ValueError(f"sample_weight is missing in {int(numbers.isna().sum())} rows; every row needs a weight.")
    if not np.isfinite(numbers).all() or (numbers < 0).any() or not (numbers > 0).any():
        raise ValueError("sample_weight must be finite numbers >= 0, not all of them 0.")
    return numbers.to_numpy()


def time_values(time: pd.Series, name: str) -> np.ndarray:
    """Return dates or numbers, without missing values, in a type that keeps them apart."""
    if time.isna().any():
        raise ValueError(f"{name} is missing in {int(time.isna().sum())} rows; every row needs a time.")
    readings = date_readings(time)
    if len(readings) > 1:
        raise ValueError(f"{name} {AMBIGUOUS}.")
    if not readings and as_numbers(time) is None:
        raise ValueError(
            f"{name} must hold dates or numbers; it holds {time.dtype} values such as {time.iloc[0]!r}. "
            "Convert them, or give the format of their dates as --date-format."
        )
    return readings[0].to_numpy() if readings else exact_numbers(time)


def clean_time(time: pd.Series, name: str) -> np.ndarray:
    """Return for every row the rank of its timestamp among the distinct timestamps: 0, 1, 2, ..."""
    return np.unique(time_values(time, name), return_inverse=True)[1]


def clean_label_end(label_end: pd.Series, name: str, times: np.ndarray) -> np.ndarray:
    """Return for every row the rank of the last timestamp at or before its label is known.

    Parameters
    ----------
    label_end : Series of shape (n_rows,)
        Dates or numbers, as the times are.
    name : str
        Where they are from.
    times : ndarray of shape (n_rows,)
        Dates or numbers.
    """
    values = time_values(label_end, name)
    kinds = [{"M": "dates", "m": "durations"}.get(each.dtype.kind, "numbers") for each in (times, values)]
    if kinds[0] != kinds[1]:
        raise ValueError(f"{name} holds {kinds[1]}, and the time holds {kinds[0]}; both must be of one kind.")
    early = int((values < times).sum())
    if early:
        raise ValueError(f"{name} is before the row's own time in {early} rows; no label is known before its features.")
    return label_ends(np.unique(times), values)


def _has_zone(column: pd.Series) -> bool:
    """Whether the dates of a column have a time zone, judged by the first one."""
    if not is_text_or_object(column.dtype) or column.isna().all():
        return isinstance(column.dtype, pd.DatetimeTZDtype)
    try:
        return pd.Timestamp(column.dropna().iloc[0]).tzinfo is not None
    except (TypeError, ValueError):
        return False


def check_zones(time: pd.Series, time_name: str, label_end: pd.Series, name: str) -> None:
    """Refuse label ends without a time zone beside times with one, and the reverse: their order is unknown."""
    if _has_zone(time) != _has_zone(label_end):
        zoned, other = (time_name, name) if _has_zone(time) else (name, time_name)
        raise ValueError(f"{zoned} has a time zone, and {other} has none; give both a time zone, or neither.")


def take_column(frame: pd.DataFrame, given: Any, role: str, what: str) -> tuple[pd.DataFrame, pd.Series | None, str]:
    """Return the frame without the column of a role, the column (None without one), and its name.

    Parameters
    ----------
    frame : DataFrame
    given : str, array of shape (n_rows,) or None
        The name of a column or of a level of the index, or values.
    role : str
        The parameter.
    what : str
        What the column is called in messages.
    """
    if given is None:
        return frame, None, ""
    if not isinstance(given, str):
        return frame, to_series(given, role, len(frame)), role
    name = f"{what.capitalize()} column {given!r}"
    if given in frame:
        return frame.drop(columns=given), frame[given].reset_index(drop=True), name
    if given in frame.index.names:
        return frame, pd.Series(frame.index.get_level_values(given)).reset_index(drop=True), name
    raise ValueError(f"X has no {what} column {given!r}; its columns are {', '.join(map(str, frame.columns))}.")


def drop_columns(frame: pd.DataFrame, drop: Any) -> pd.DataFrame:
    """Return the frame without the columns that the user does not want."""
    if drop is None:
        return frame
    names = [drop] if isinstance(drop, str) else list(drop) if isinstance(drop, Iterable) else [drop]
    names = [str(name) for name in names]
    unknown = [name for name in names if name not in frame]
    if unknown:
        raise ValueError(
            f"drop: X has no column {', '.join(map(repr, unknown))}; its columns are {', '.join(frame.columns)}."
        )
    if len(set(names)) == frame.shape[1]:
        raise ValueError("drop names every column of X; there is no feature left.")
    return frame.drop(columns=names)


def _index_times(frame: pd.DataFrame) -> list[pd.Series]:
    """Return the levels of the index that hold dates; strings are dates if they can be read in one way only."""
    levels = [frame.index.get_level_values(i) for i in range(frame.index.nlevels)]
    dated = [level for level in levels if isinstance(level, pd.DatetimeIndex | pd.PeriodIndex)]
    if not dated:
        text = [level for level in levels if is_text_or_object(level.dtype)]
        dated = [level for level in text if len(date_readings(pd.Series(level))) == 1]
    return [pd.Series(level).reset_index(drop=True) for level in dated]


def _index_is_ambiguous(frame: pd.DataFrame) -> bool:
    """Whether a level of the index holds dates in text that can be read in several ways."""
    levels = [frame.index.get_level_values(i) for i in range(frame.index.nlevels)]
    return any(is_text_or_object(level.dtype) and len(date_readings(pd.Series(level))) > 1 for level in levels)


def _date_columns(frame: pd.DataFrame, kept: np.ndarray) -> tuple[list[str], list[str], list[str], list[str]]:
    """Return the date columns that can order rows, with missing values, with a single date, and with two readings."""
    whole: list[str] = []
    partly: list[str] = []
    single: list[str] = []
    unclear: list[str] = []
    for name in frame:
        column = frame[name].iloc[kept]
        readings = date_readings(column)
        if len(readings) > 1:
            unclear.append(name)
        elif readings and column.notna().any():
            if readings[0].nunique() == 1 and len(column) > 1:
                single.append(name)
            else:
                (partly if column.isna().any() else whole).append(name)
    return whole, partly, single, unclear


def find_time(
    frame: pd.DataFrame, time: Any, cv: Any, kept: np.ndarray
) -> tuple[pd.DataFrame, pd.Series | None, str, list[str]]:
    """Return the frame without its time column, the times (or None), their name, and notes.

    The time is what `time` says (a column name or an array), else the only datetime level of the index, else, if `cv`
    leaves the folds open, the only date column. What is not named must be complete in the rows that are `kept`.
    """
    if time is not None:
        return *take_column(frame, time, "time", "time"), []
    levels = _index_times(frame)
    if len(levels) > 1 and (cv is None or isinstance(cv, str)):
        names = ", ".join(str(level.name) for level in levels)
        raise ValueError(
            f"The index of X has several levels of dates ({names}); name the one that orders the rows as time."
        )
    index = levels[0] if len(levels) == 1 else None
    if index is not None and index.iloc[kept].notna().all():
        return frame, index, "The index of X", []
    if cv is not None and not isinstance(cv, str):
        return frame, None, "", []
    whole, partly, single, unclear = _date_columns(frame, kept)
    constant = [f"date column {name!r} has a single date and does not order the rows" for name in single]
    if len(whole) > 1:
        raise ValueError(f"X has several date columns ({', '.join(whole)}); name the one that orders the rows as time.")
    if whole:
        return frame.drop(columns=whole), frame[whole[0]].reset_index(drop=True), f"Time column {whole[0]!r}", constant
    holes = [f"date column {name!r} has missing values, so it is a feature and" for name in partly]
    holes += ["the index of X has missing values, so it"] * (index is not None)
    ambiguous = [f"the index of X {AMBIGUOUS}"] * (index is None and _index_is_ambiguous(frame))
    if cv in IN_TIME and (holes or unclear or ambiguous):
        reasons = [hole.split(",")[0] for hole in holes] + [f"column {name!r} {AMBIGUOUS}" for name in unclear]
        reasons += ambiguous
        raise ValueError(
            f"cv={cv!r} needs a time in every row; {'; '.join(reasons)}. Repair it, or name what orders the rows as "
            "time (an array of row numbers if the rows are in order)."
        )
    doubts = [f"{hole} does not order the rows; {_IF_IT_SHOULD}" for hole in holes]
    return frame, None, "", doubts + ambiguous + constant
