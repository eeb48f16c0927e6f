"""The columns of a user's table, typed as those that a model was trained on."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from skpapers.comparison._columns import as_categories, as_numbers, date_readings, is_text_or_object
from skpapers.comparison._numbers import Written, readings
from skpapers.comparison._tables import to_frame


class TypedColumns(TransformerMixin, BaseEstimator):
    """Choose the columns of a table by name, and convert them to numbers, dates and strings.

    It learns nothing. It is the first step of a saved model, so that the model takes a table as the user has it.

    Parameters
    ----------
    kinds : dict of str to {"numbers", "dates", "categories"}
        What each column holds, in the order of the columns.
    """

    def __init__(self, kinds: dict[str, str]) -> None:
        self.kinds = kinds

    def fit(self, X: Any, y: Any = None) -> TypedColumns:
        """Do nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the typed columns of a pandas or polars frame, or of an array.

        Raises
        ------
        ValueError
            In one line, if columns are missing or do not hold what they should.
        """
        frame = to_frame(X)
        missing = [name for name in self.kinds if name not in frame]
        if missing:
            raise ValueError(f"The table has no column {', '.join(map(repr, missing))}, which the model needs.")
        columns = {name: _typed(frame[name], kind) for name, kind in self.kinds.items()}
        return pd.DataFrame(columns, index=frame.index)


def _typed(column: pd.Series, kind: str) -> pd.Series:
    if kind == "categories":
        return as_categories(column)
    if kind == "numbers":
        return _numbers(column)
    if column.isna().all():
        return pd.to_datetime(column)
    found = date_readings(column)
    if not found:
        raise ValueError(f"Column {column.name!r} must hold dates; it holds values such as {_example(column)!r}.")
    if len(found) > 1:
        raise ValueError(f"Column {column.name!r}: day and month are ambiguous; write dates as YYYY-MM-DD.")
    return found[0]


def _numbers(column: pd.Series) -> pd.Series:
    """Return numbers; text is read as in a file, with its signs and units."""
    if column.isna().all():
        return column.astype(float)
    numbers = as_numbers(column)
    if numbers is None and is_text_or_object(column.dtype):
        known = column.dropna().astype(str)
        found = readings(Written.of(known).numerals)
        if found:
            numbers = next(iter(found.values())).astype(float).reindex(column.index)
    if numbers is None:
        raise ValueError(f"Column {column.name!r} must hold numbers; it holds values such as {_example(column)!r}.")
    return numbers


def _example(column: pd.Series) -> Any:
    return column.dropna().iloc[0]
