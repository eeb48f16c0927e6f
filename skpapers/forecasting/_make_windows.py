"""Windows of series: histories and horizons as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from skpapers.forecasting._series_frames import OneSeries, SeriesOptions, read_series


class SeriesWindows(NamedTuple):
    """What :func:`make_windows` returns."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: NDArray
    times: NDArray


def make_windows(
    series: Any,
    history: int,
    horizon: int,
    *,
    step: int = 1,
    id_column: Any = None,
    time_column: Any = None,
    value_columns: Sequence[Any] | None = None,
    columns: str = "series",
    gaps: str = "raise",
    min_history: int | None = None,
) -> SeriesWindows:
    """Cut series into windows: what came before, and the steps to forecast.

    No window covers two series. Windows are in the order of time, and of the series at equal times, so that the last
    rows are the latest windows of all series.

    Parameters
    ----------
    series : array-like, list of array-like, or frame
        One of:

        - an array of shape (n_steps,), one series;
        - an array of shape (n_steps, n_columns): see `columns`;
        - a list of arrays of shape (n_steps,) or (n_steps, n_channels), of any lengths;
        - a long frame of pandas or polars with `id_column`, and with `time_column` unless its rows are in order;
        - a frame of pandas with a MultiIndex of ids and times, in this order unless `id_column` and `time_column` name
          its levels;
        - a wide frame, whose times are `time_column` or the index: see `columns`.

    history, horizon : int
        Number of steps before, and of steps to forecast.

    step : int, default=1
        Number of steps from one window of a series to the next, counted from its last one.

    id_column, time_column : str, default=None
        Columns, or levels of the index, that hold the series of each row of a frame, and its time. Rows may be in any
        order if there are times.

    value_columns : list of str, default=None
        The channels of a frame with ids, the one to forecast first; the series of a wide frame. None takes all others.

    columns : {"series", "channels"}, default="series"
        What the columns of an array or of a wide frame are: series of their own, or channels of one series, the one to
        forecast first.

    gaps : {"raise", "mask", "drop"}, default="raise"
        What to do with a missing value between the first and the last of a series. A time that other series of the
        frame have, and this one has not, is missing as well. "raise" is an error; "mask" keeps NaN in histories
        (for ``DAFForecaster(mask_nan=True)``), and drops windows whose horizon has one; "drop" drops all windows that
        have one.

    min_history : int, default=None
        Also make windows of shorter histories, with so many steps at least; the steps before them are NaN. None: whole
        histories only.

    Returns
    -------
    X : ndarray of shape (n_windows, history) or (n_windows, history, n_channels)
        Histories.

    y : ndarray of shape (n_windows, horizon), or (n_windows,) for one step
        The steps of the first channel that follow.

    groups : ndarray of shape (n_windows,)
        The id of each window's series, or its number: `groups` for :class:`~sklearn.model_selection.GroupKFold`.

    times : ndarray of shape (n_windows,)
        The time of the last step of each history, or its number.

    Raises
    ------
    ValueError
        If there is a gap and `gaps="raise"`, if a series has a time twice, if a value is infinite or no number, if the
        first level of a MultiIndex holds dates and the second does not, or if no series is long enough.

    See Also
    --------
    DAFForecaster : Forecasts such windows.

    Notes
    -----
    Rows that are next to each other share steps. A split in the order of time needs a gap: windows whose horizons
    overlap come within ``(horizon - 1) / step`` windows of one series, that is ``gap=n_series * (horizon - 1)`` in
    :class:`~sklearn.model_selection.TimeSeriesSplit` for series of equal times and ``step=1``.

    Examples
    --------
    >>> from skpapers.forecasting import make_windows
    >>> X, y, groups, times = make_windows([[1, 2, 3, 4, 5], [10, 20, 30]], history=2, horizon=1)
    >>> X
    array([[ 1.,  2.],
           [10., 20.],
           [ 2.,  3.],
           [ 3.,  4.]])
    >>> y
    array([ 3., 30.,  4.,  5.])
    >>> groups, times
    (array([0, 1, 0, 0]), array([1, 1, 2, 3]))
    """
    options = SeriesOptions(id_column, time_column, value_columns, columns)
    _check_lengths(history=history, horizon=horizon, step=step)
    if columns not in ("series", "channels"):
        raise ValueError(f'columns must be "series" or "channels", got {columns!r}.')
    if gaps not in ("raise", "mask", "drop"):
        raise ValueError(f'gaps must be "raise", "mask" or "drop", got {gaps!r}.')
    if min_history is not None:
        _check_lengths(min_history=min_history)
    shortest = history if min_history is None else min(min_history, history)
    found = read_series(series, options)
    if gaps == "raise":
        for one in found:
            check_no_gap(one)
    parts = [_windows_of(one, history, horizon, step, shortest, gaps) for one in found]
    X, y, times = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if not len(X):
        raise ValueError(
            f"No series has a window of {shortest} + {horizon} steps; the longest has "
            f"{max(len(one.values) for one in found)}."
        )
    groups = _ids(found)[np.repeat(np.arange(len(found)), [len(part[0]) for part in parts])]
    order = np.argsort(times, kind="stable")
    X = X[order, :, 0] if X.shape[2] == 1 else X[order]
    y = y[order, 0] if horizon == 1 else y[order]
    return SeriesWindows(np.ascontiguousarray(X), np.ascontiguousarray(y), groups[order], times[order])


def last_histories(found: list[OneSeries], history: int, *, pads: bool) -> NDArray[np.float64]:
    """Return the last steps of each series, of shape (n_series, history, n_channels).

    Raises
    ------
    ValueError
        If a series is shorter, unless `pads`: the steps before it are then NaN.
    """
    made = np.full((len(found), history, found[0].values.shape[1]), np.nan)
    for row, one in zip(made, found, strict=True):
        if len(one.values) < history and not pads:
            raise ValueError(
                f"Series {one.name!r} has {len(one.values)} steps, and a history {history}; mask_nan=True takes "
                "shorter ones."
            )
        n = min(history, len(one.values))
        row[history - n :] = one.values[len(one.values) - n :]
    return made


def check_no_gap(one: OneSeries) -> None:
    """Raise a ValueError if a value of the series is missing."""
    missing = np.flatnonzero(np.isnan(one.values).any(axis=1))
    if len(missing):
        raise ValueError(
            f"Series {one.name!r} has no value at {one.times[missing[0]]}, between its first and its last; "
            'gaps="mask" and gaps="drop" allow that.'
        )


def _windows_of(
    one: OneSeries, history: int, horizon: int, step: int, shortest: int, gaps: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Return the windows of a series in the order of time, and the time of the last step of each history."""
    n_steps, n_channels = one.values.shape
    ends = np.arange(n_steps - horizon, shortest - 1, -step)[::-1]  # the first step of each horizon
    if not len(ends):
        return np.empty((0, history, n_channels)), np.empty((0, horizon)), one.times[:0]
    padded = np.concatenate([np.full((history, n_channels), np.nan), one.values])
    X = sliding_window_view(padded, history, axis=0)[ends].transpose(0, 2, 1)
    y = sliding_window_view(one.values[:, 0], horizon)[ends]
    kept = ~np.isnan(y).any(axis=1) & ~np.isnan(X[:, :, 0]).all(axis=1)
    if gaps == "drop":
        in_series = np.arange(history) >= history - ends[:, None]
        kept &= ~(np.isnan(X).any(axis=2) & in_series).any(axis=1)
    return X[kept], y[kept], one.times[ends - 1][kept]


def _ids(found: list[OneSeries]) -> NDArray:
    """Return the names of the series, as numbers or text where they are of one kind."""
    names = [one.name for one in found]
    made = np.empty(len(names), dtype=object)
    made[:] = names
    if all(isinstance(name, str) for name in names) or all(isinstance(name, Integral) for name in names):
        return np.array(names)
    return made


def _check_lengths(**lengths: Any) -> None:
    for name, value in lengths.items():
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be an integer from 1, got {value!r}.")
