"""A user's table becomes one pandas frame of numbers, categories and dates, and a preprocessing for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skpapers.comparison._columns import as_categories, as_numbers, date_readings, is_text_or_object, near_dates
from skpapers.comparison._numbers import Written, with_unknown_units

# Different values of a text column that are looked at.
_FIRST = 1000
AMBIGUOUS = (
    "holds dates whose day and month are ambiguous; write them as YYYY-MM-DD, or give their format as --date-format"
)


def to_frame(X: Any) -> pd.DataFrame:
    """Convert a pandas, polars or numpy table to a pandas frame of its own, with string column names."""
    if hasattr(X, "collect") and not hasattr(X, "to_pandas"):
        X = X.collect()  # a polars LazyFrame
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if hasattr(X, "toarray"):
        raise ValueError("X is sparse; compare() takes dense tables (X.toarray()).")
    if isinstance(X, pd.DataFrame):
        frame = X.copy(deep=False)
        frame.columns = [str(name) for name in X.columns]
    else:
        values = np.asarray(X)
        if values.ndim != 2:
            raise ValueError(f"X must be a table with rows and columns; got an array of shape {values.shape}.")
        frame = pd.DataFrame(values, columns=[f"x{j}" for j in range(values.shape[1])]).infer_objects()
    if 0 in frame.shape:
        raise ValueError(f"X is empty: it has {frame.shape[0]} rows and {frame.shape[1]} columns.")
    twice = frame.columns[frame.columns.duplicated()].unique().tolist()
    if twice:
        raise ValueError(f"Column names must be unique; {', '.join(map(repr, twice))} occurs more than once in X.")
    for name in frame:
        if isinstance(frame[name].dtype, pd.ArrowDtype):
            frame[name] = _without_arrow(frame[name])
    return frame


def _without_arrow(column: pd.Series) -> pd.Series:
    """Return a pyarrow-backed column as the numpy-backed one that means the same."""
    import pyarrow as pa

    plain = pa.array(column.array).to_pandas(date_as_object=False)
    return pd.Series(plain.to_numpy() if plain.dtype == object else plain.array, index=column.index, name=column.name)


def clean_features(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]], list[str]]:
    """Convert every column row by row to numbers, dates or strings.

    Returns the frame, the column names by kind ("numbers", "dates", "categories") and notes. Nothing here learns from
    the rows: what does is part of the preprocessing, which is fitted inside each training fold.
    """
    columns: dict[str, pd.Series] = {}
    kinds: dict[str, list[str]] = {"numbers": [], "dates": [], "categories": []}
    missing = [name for name in frame if frame[name].isna().all()]
    notes = [f"dropped, all values missing: {', '.join(missing)}"] if missing else []
    for name in frame.columns.difference(missing, sort=False):
        readings = date_readings(frame[name])
        numbers = as_numbers(frame[name])
        if len(readings) == 1:
            kind = "dates"
            columns[name] = readings[0]
        elif numbers is not None:
            kind = "numbers"
            columns[name] = numbers
            if np.isinf(numbers).any():
                raise ValueError(f"Column {name!r} holds infinite values; make them finite or missing (NaN).")
        else:
            kind = "categories"
            columns[name] = as_categories(frame[name])
            if is_text_or_object(frame[name].dtype) and not readings and (note := _near_miss(columns[name])):
                notes.append(f"column {name!r} is a category: {note}")
        if len(readings) > 1:
            notes.append(f"column {name!r} is a category: it {AMBIGUOUS}")
        kinds[kind].append(name)
    if not columns:
        raise ValueError("X has no feature with a value in it.")
    return pd.DataFrame(columns, index=frame.index), kinds, notes


def _near_miss(strings: pd.Series) -> str:
    """Return what to say where most of a column's strings look like numbers or dates; nothing where they do not."""
    distinct = strings.drop_duplicates().dropna().head(_FIRST).astype("str")
    if note := near_dates(distinct):
        return note
    numbers = distinct[Written.of(distinct).looks]
    if len(distinct) <= 2:
        return ""
    if len(numbers) >= 0.5 * len(distinct):
        return f"its values are text, and most are numbers such as {numbers.iloc[0]!r}; make it numbers if it should be"
    return with_unknown_units(distinct)


def calendar_parts(dates: pd.DataFrame, hours: tuple[str, ...] = ()) -> np.ndarray:
    """Days since 1970, month and weekday of every column, and the hour of the columns named in `hours`."""
    parts = []
    for name in dates:
        when = pd.to_datetime(dates[name])
        parts += [(when - pd.Timestamp(0)) / pd.Timedelta(days=1), when.dt.month, when.dt.day_of_week]
        if name in hours:
            parts.append(when.dt.hour)
    return np.column_stack([np.asarray(part, dtype=np.float64) for part in parts])


def preprocessing(frame: pd.DataFrame, kinds: dict[str, list[str]]) -> ColumnTransformer:
    """Return the unfitted transformer of :func:`clean_features`' columns into a table of numbers."""

    def median() -> SimpleImputer:
        return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)

    hours = tuple(
        name for name in kinds["dates"] if (frame[name].dropna().dt.normalize() != frame[name].dropna()).any()
    )
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=20, sparse_output=False)
    steps: dict[str, Callable[[], Any]] = {
        "numbers": median,
        "categories": lambda: make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), one_hot),
        "dates": lambda: make_pipeline(FunctionTransformer(calendar_parts, kw_args={"hours": hours}), median()),
    }
    return ColumnTransformer([(kind, make(), kinds[kind]) for kind, make in steps.items() if kinds[kind]])
