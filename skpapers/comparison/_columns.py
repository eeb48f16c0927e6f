"""What a single column holds: dates, numbers or categories."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

_ISO_DATE = r"\d{4}[-/]\d{2}[-/]\d{2}([T ].+)?"
_FORMATS = (
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%y/%m/%d",
    "%d.%m.%y",
    "%m-%d-%y",
    "%d-%m-%y",
    "%y-%m-%d",
    "%d %b %y",
    "%d-%b-%y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S")
_HALF_DAY_CLOCKS = ("", " %I:%M %p", " %I:%M:%S %p")
# Common ways to write a date, a part of one, or a time of day. Many of them have no format above.
_DATE_LIKE = re.compile(
    r"""(
        (\d{1,2}|\d{4}) [-/.] \d{1,2} [-/.] (\d{4}|\d{2})             # 31.01.2024, 2024-01-31, 1/31/24
        | \d{1,2} [-/.] (19|20)\d{2}                   # 01/2024
        | (19|20)\d{2} ([-/.]\d{1,2} | [- ]?[QWM]\d{1,2})             # 2024-01, 2024Q1, 2024-W05
        | [QWM]\d{1,2} [-/ ]? (19|20)\d{2}                            # Q1 2024
        | \d{1,2} ([ .]+[^\W\d]{3,9}[ .,]+(19|20)\d{2} | -[^\W\d]{3}-\d{2})  # 31. Januar 2024, 31-Dez-24
        | ([^\W\d]{3,9},?[ ])? (\d{1,2}[ ])? (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)
          (uary|ruary|ch|il|e|y|ust|tember|ober|ember)? [-. ,]+
          ((19|20)\d{2} | \d{2})                                     # Jan 2024, Mon, 01 Jan 24
        | \d{1,2}:\d{2}                                              # 09:30
    ) (\D.*)?""",
    re.IGNORECASE | re.VERBOSE,
)
# Under such a name whole numbers YYYYMMDD are dates.
DATE_NAME = re.compile(r"date|day|time|yyyymmdd|(^|_)dt($|_)", re.IGNORECASE)


def is_text_or_object(dtype: Any) -> bool:
    return isinstance(dtype, pd.StringDtype) or types.is_object_dtype(dtype)


def as_dates(column: pd.Series, date_format: str) -> pd.Series | None:
    """Return the dates of one format, or None if a value does not fit; pandas takes "" and "nan" for missing dates."""
    try:
        dates = pd.to_datetime(column, format=date_format, utc=True).dt.tz_localize(None)
    except (ValueError, TypeError):
        return None
    return dates if dates.isna().equals(column.isna()) else None


def _compact(strings: pd.Series) -> list[pd.Series]:
    """Read YYYYMMDD, between 1900 and 2100."""
    dates = as_dates(strings, "%Y%m%d") if strings.dropna().str.fullmatch(r"(19|20|2100)\d+").all() else None
    return [] if dates is None else [dates]


def _written(strings: pd.Series) -> list[pd.Series]:
    """Read strings by every format that fits all of them; formats that agree count once."""
    known = strings.dropna()
    if known.empty or not re.search(r"\d", known.iloc[0]):
        return []
    strings = strings.astype(object).where(strings.notna(), np.nan).str.strip()
    known = strings.dropna()
    if known.str.fullmatch(_ISO_DATE).all():
        dates = as_dates(strings, "ISO8601")
        return [] if dates is None else [dates]
    if known.str.fullmatch(r"\d{8}").all():
        return _compact(strings)
    colons = known.iloc[0].count(":")
    clocks = _HALF_DAY_CLOCKS if known.iloc[0][-1:] in "mM" else _CLOCKS
    readings: list[pd.Series] = []
    for date_format in _FORMATS if colons < len(clocks) else ():
        dates = as_dates(strings, date_format + clocks[colons])
        if dates is not None and not any(dates.equals(reading) for reading in readings):
            readings.append(dates)
    return readings


def _numbered(column: pd.Series) -> list[pd.Series]:
    """Read whole numbers YYYYMMDD under the name of a date."""
    if not (isinstance(column.name, str) and DATE_NAME.search(column.name)):
        return []
    known = pd.Series(column.dropna().to_numpy(dtype=np.float64))
    if known.empty or not (known.between(19000101, 21001231) & (known == known.round())).all():
        return []
    strings = pd.Series(np.nan, index=column.index, dtype=object)
    strings[column.notna().to_numpy()] = known.astype(np.int64).astype(str).to_numpy()
    return _compact(strings)


def date_readings(column: pd.Series) -> list[pd.Series]:
    """Return the column as timestamps without a zone (UTC where it had one), in every way that it can be read.

    Nothing if it does not hold dates; two readings if day and month are ambiguous.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return [column.dt.to_timestamp()]
    if types.is_datetime64_any_dtype(dtype):
        return [column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)]
    if types.is_any_real_numeric_dtype(dtype) and not isinstance(dtype, pd.SparseDtype):
        return _numbered(column)
    kind = types.infer_dtype(column, skipna=True) if is_text_or_object(dtype) else ""
    if kind == "string":
        return _written(column)
    dates = as_dates(column, "ISO8601") if kind in ("date", "datetime", "datetime64") else None
    return [] if dates is None else [dates]


def near_dates(strings: pd.Series) -> str:
    """Return what to say where most of some strings look like dates or times; nothing where they do not."""
    alike = strings.str.fullmatch(_DATE_LIKE).astype(bool)
    if strings.empty or alike.mean() < 0.5:
        return ""
    others = f" ({strings[~alike].iloc[0]!r} does not)" if not alike.all() else ""
    return (
        f"most of its values look like dates or times, such as {strings[alike].iloc[0]!r}{others}, and no known format "
        "fits all of them; write them as YYYY-MM-DD, or give their format as --date-format"
    )


def _dense(column: pd.Series) -> pd.Series:
    return column.sparse.to_dense() if isinstance(column.dtype, pd.SparseDtype) else column


def as_numbers(column: pd.Series) -> pd.Series | None:
    """Return the column as float64 with NaN for what is missing, or None if it does not hold numbers."""
    column = _dense(column)
    if column.dtype.kind == "m":
        return column.dt.total_seconds()
    boxed = ("decimal", "floating", "integer", "mixed-integer-float")
    if not (
        types.is_any_real_numeric_dtype(column.dtype)
        or (types.is_object_dtype(column.dtype) and types.infer_dtype(column) in boxed)
    ):
        return None
    return pd.Series(column.to_numpy(dtype=np.float64, na_value=np.nan), index=column.index, name=column.name)


def exact_numbers(column: pd.Series) -> np.ndarray:
    """Return numbers without missing values, in a type that keeps numbers distinct that float64 would merge."""
    column = _dense(column)
    if isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
        return column.to_numpy(dtype=column.dtype.numpy_dtype)
    values = column.to_numpy()
    if types.infer_dtype(column) == "integer" and values.dtype == object:
        for dtype, least, most in ((np.int64, -(2**63), 2**63), (np.uint64, 0, 2**64)):
            if all(least <= value < most for value in values):
                return values.astype(dtype)
    return values


def as_categories(column: pd.Series) -> pd.Series:
    """Return the column as strings, NaN for what is missing."""
    known = column.dropna()
    nested = next((value for value in known.head(100) if not np.isscalar(value) and hasattr(value, "__len__")), None)
    if nested is not None:
        raise ValueError(f"Column {column.name!r} holds a {type(nested).__name__} in each cell; a table has one value.")
    strings = column.astype(object).where(column.notna(), np.nan)
    return strings.map(lambda value: value if isinstance(value, str) else str(value), na_action="ignore").astype(object)
