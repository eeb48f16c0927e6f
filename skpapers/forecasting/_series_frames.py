"""Series from arrays and frames: long or wide, of pandas or polars, with ids and times."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class SeriesOptions:
    """How series are read; see :func:`skpapers.forecasting.make_windows`.

    Parameters
    ----------
    id_column, time_column : str or None
        Columns of a frame.

    value_columns : sequence of str or None
        Channels of a frame with ids, the one to forecast first; of a wide frame the series.

    columns : {"series", "channels"}
        What the columns of a wide frame or of a two-dimensional array are.
    """

    id_column: Any = None
    time_column: Any = None
    value_columns: Sequence[Any] | None = None
    columns: str = "series"


@dataclass(frozen=True)
class OneSeries:
    """A series, from its first observed value to its last.

    Parameters
    ----------
    name : object
        Its id, or its number.

    times : ndarray of shape (n_steps,)
        Times of its steps, or their numbers.

    values : ndarray of shape (n_steps, n_channels)
        NaN where a value is missing.
    """

    name: Any
    times: NDArray
    values: NDArray[np.float64]


def is_frame(data: Any) -> bool:
    """Whether the data is a frame or a series of pandas or polars."""
    return hasattr(data, "to_numpy") and not isinstance(data, np.ndarray)


def is_polars(data: Any) -> bool:
    """Whether the data is a frame or a series of polars."""
    return type(data).__module__.partition(".")[0] == "polars"


def read_series(data: Any, options: SeriesOptions) -> list[OneSeries]:
    """Return the series of an array, a list of arrays, or a frame.

    Raises
    ------
    ValueError
        If values are not numbers or infinite, if a series has a time twice, or if there is no series with a value.
    """
    found = list(_of_frame(data, options) if is_frame(data) else _of_arrays(data, options))
    made = [trimmed for one in found if (trimmed := _trimmed(one)) is not None]
    if not made:
        raise ValueError("There is no series that has an observed value.")
    n_channels = {one.values.shape[1] for one in made}
    if len(n_channels) > 1:
        raise ValueError(f"All series must have the same number of channels, got {sorted(n_channels)}.")
    return made


def _of_arrays(data: Any, options: SeriesOptions) -> Iterator[OneSeries]:
    parts = data if isinstance(data, list | tuple) and len(data) and np.ndim(data[0]) > 0 else None
    if parts is None:
        table = _numbers(data, "the series")
        if table.ndim == 2 and options.columns == "series":
            parts = list(table.T)
        else:
            parts = [table]
    for number, part in enumerate(parts):
        values = _numbers(part, f"series {number}")
        if values.ndim not in (1, 2):
            raise ValueError(f"A series has shape (n_steps,) or (n_steps, n_channels), got {values.shape}.")
        yield OneSeries(number, np.arange(len(values)), values.reshape(len(values), -1))


def _of_frame(data: Any, options: SeriesOptions) -> Iterator[OneSeries]:
    frame = _as_pandas(data)
    time = options.time_column
    asked = [options.value_columns] if isinstance(options.value_columns, str) else list(options.value_columns or [])
    if options.id_column is None and isinstance(frame.index, pd.MultiIndex):
        _check_levels(frame.index)
        _check_columns(frame, asked)
        ids = frame.index.get_level_values(0)
        times = frame.index.get_level_values(1)
        yield from _of_long(frame, ids, times, asked or list(frame.columns))
        return
    levels = [name for name in (options.id_column, time) if name is not None and name in frame.index.names]
    frame = frame.reset_index(levels) if levels else frame
    _check_columns(frame, [options.id_column, time, *asked])
    rest = [name for name in frame.columns if name not in (options.id_column, time)]
    names = asked or rest
    if options.id_column is not None:
        times = frame.groupby(options.id_column).cumcount() if time is None else frame[time]
        yield from _of_long(frame, frame[options.id_column], times, names)
        return
    times = pd.Index(frame[time]) if time is not None else frame.index
    groups = [names] if options.columns == "channels" else [[name] for name in names]
    for group in groups:
        name = group[0] if options.columns == "series" else 0
        yield from _of_long(frame[group], pd.Index([name] * len(frame), dtype=object), times, group)


def _of_long(frame: pd.DataFrame, ids: Any, times: Any, names: list) -> Iterator[OneSeries]:
    """Yield the series of a frame with an id and a time for each row; a time that only other series have is a gap."""
    codes, known = pd.factorize(np.asarray(ids, dtype=object), sort=False)
    if (codes < 0).any():
        raise ValueError("An id is missing.")
    stamps = np.asarray(times)
    if pd.isna(stamps).any():
        raise ValueError("A time is missing.")
    calendar, places = np.unique(stamps, return_inverse=True)
    values = _numbers(frame[names], "the frame")
    for code, name in enumerate(known):
        rows = np.flatnonzero(codes == code)
        at = places[rows]
        if len(np.unique(at)) < len(at):
            raise ValueError(f"Series {name!r} has a time twice.")
        made = np.full((at.max() - at.min() + 1, values.shape[1]), np.nan)
        made[at - at.min()] = values[rows]
        yield OneSeries(name, calendar[at.min() : at.max() + 1], made)


def _as_pandas(data: Any) -> pd.DataFrame:
    if is_polars(data):
        frame = data.to_frame() if not hasattr(data, "columns") else data
        return pd.DataFrame({name: _column(frame[name]) for name in frame.columns})
    return data.to_frame() if isinstance(data, pd.Series) else data


def _column(column: Any) -> Any:
    """Return a column of polars for pandas; polars hands out dates with a time zone in UTC, without the zone."""
    zone = getattr(column.dtype, "time_zone", None)
    values = column.to_numpy()
    return values if zone is None else pd.DatetimeIndex(values, tz="UTC").tz_convert(zone)


def _check_levels(index: pd.MultiIndex) -> None:
    if index.nlevels != 2:
        raise ValueError(f"A MultiIndex must have the levels id and time, got {index.nlevels} levels.")
    are_times = [isinstance(level, pd.DatetimeIndex | pd.PeriodIndex) for level in index.levels]
    if are_times == [True, False]:
        raise ValueError(
            "A MultiIndex must have the levels id and time, and dates are in the first: swap the levels, or give their "
            "names as id_column and time_column."
        )


def _check_columns(frame: pd.DataFrame, names: list) -> None:
    lacking = [name for name in names if name is not None and name not in frame.columns]
    if lacking:
        raise ValueError(f"The frame has no column {lacking[0]!r}; it has {list(frame.columns)}.")


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    try:
        made = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The values of {what} must be numbers ({error}); name the others as id and time.") from None
    if np.isinf(made).any():
        raise ValueError(f"A value of {what} is infinite.")
    return made


def _trimmed(one: OneSeries) -> OneSeries | None:
    """Return the series without missing values at its ends."""
    observed = np.flatnonzero(~np.isnan(one.values[:, 0]))
    if not len(observed):
        return None
    part = slice(observed[0], observed[-1] + 1)
    return OneSeries(one.name, one.times[part], one.values[part])


def next_times(times: NDArray, n: int) -> pd.Index:
    """Return the n times that follow, at the spacing of these.

    Dates whose spacing has a name in pandas go on by it. Other dates from Monday to Friday go on by business days. All
    else goes on by the median spacing.

    Raises
    ------
    ValueError
        If there are fewer than two times, or if they are text.
    """
    if len(times) < 2:
        raise ValueError("The times of a forecast need a series of two steps or more.")
    known = pd.Index(times)
    if isinstance(known, pd.PeriodIndex):
        return pd.PeriodIndex.from_ordinals(_evenly(known.asi8, n), freq=known.freq)
    if isinstance(known, pd.DatetimeIndex):
        return _next_dates(known, n)
    if isinstance(times[0], date):
        return pd.Index(_next_dates(pd.DatetimeIndex(times), n).date)
    if isinstance(times[0], str):
        raise ValueError(f"The times of a forecast need numbers or dates, got text such as {times[0]!r}.")
    return pd.Index(_evenly(times, n))


def _next_dates(dates: pd.DatetimeIndex, n: int) -> pd.DatetimeIndex:
    frequency: Any = None
    if len(dates) > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas announces that the name becomes an object; both are taken below
            frequency = pd.infer_freq(dates)
        local = dates.tz_localize(None)  # days by the clock: with a time zone some have 23 or 25 hours
        steps = np.diff(local.to_numpy())
        if frequency is None and (dates.day_of_week < 5).all() and np.median(steps) == np.timedelta64(1, "D"):
            frequency = "B"
    if frequency is not None:
        return pd.date_range(dates[-1], periods=n + 1, freq=frequency)[-n:]
    return pd.DatetimeIndex(_evenly(dates, n))


def _evenly(times: Any, n: int) -> Any:
    """Return the last time and n times the median spacing."""
    spacing = np.sort(np.diff(times))[(len(times) - 2) // 2]
    return times[-1] + spacing * np.arange(1, n + 1)
