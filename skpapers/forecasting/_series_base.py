"""Fitting and forecasting of whole series, for forecasters of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skpapers.forecasting._make_windows import check_no_gap, last_histories, make_windows
from skpapers.forecasting._series_frames import OneSeries, SeriesOptions, is_frame, is_polars, next_times, read_series


class SeriesForecasterMixin:
    """`fit_series` and `forecast`, on top of `fit` and `predict` of windows.

    The estimator has a parameter `mask_nan`, and the fitted attribute `history_`.
    """

    _series_options: SeriesOptions

    def fit_series(
        self,
        series: Any,
        source: Any = None,
        *,
        history: int,
        horizon: int,
        step: int = 1,
        min_history: int | None = None,
        id_column: Any = None,
        time_column: Any = None,
        value_columns: Sequence[Any] | None = None,
        columns: str = "series",
    ) -> Any:
        """Cut series into windows, and fit.

        Parameters
        ----------
        series : array-like, list of array-like, or frame
            The target, as :func:`make_windows` takes it.

        source : array-like, list of array-like, frame, or dict of such, default=None
            The source. Each entry of a dict is a source domain of its own: they are numbered 1, 2, .. in its order.

        history, horizon : int
            Number of steps before, and of steps to forecast.

        step : int, default=1
            Number of steps from one window of a series to the next.

        min_history : int, default=None
            Number of steps of the shortest history; it needs `mask_nan=True`. None: whole histories only.

        id_column, time_column : str, default=None
            See :func:`make_windows`; for target and sources alike.

        value_columns : list of str, default=None
            The same.

        columns : {"series", "channels"}, default="series"
            The same.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit_series` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            What `make_windows` and `fit` raise. Gaps are an error, unless `mask_nan=True`.
        """
        options = SeriesOptions(id_column, time_column, value_columns, columns)
        how = {
            **asdict(options),
            "step": step,
            "min_history": min_history,
            "gaps": "mask" if self.mask_nan else "raise",  # type: ignore[attr-defined]
        }
        sources = source if isinstance(source, Mapping) else {} if source is None else {"source": source}
        parts = [make_windows(one, history, horizon, **how) for one in (series, *sources.values())]
        channels = {part.X.shape[2:] for part in parts}
        if len(channels) > 1:
            counts = sorted(shape[0] if shape else 1 for shape in channels)
            raise ValueError(f"Target and sources must have the same number of channels, got {counts}.")
        numbers = np.repeat([-1, *range(1, len(parts))], [len(part.X) for part in parts])
        X = np.concatenate([part.X for part in parts])
        y = np.concatenate([part.y for part in parts])
        domain = numbers if len(parts) > 1 else None
        self.fit(X, y, sample_domain=domain)  # type: ignore[attr-defined]
        self._series_options = options
        return self

    def forecast(
        self,
        series: Any,
        *,
        sample_domain: float | None = None,
        id_column: Any = None,
        time_column: Any = None,
        value_columns: Sequence[Any] | None = None,
        columns: str | None = None,
    ) -> Any:
        """Forecast what follows each series.

        Parameters
        ----------
        series : array-like, list of array-like, or frame
            Series as :func:`make_windows` takes them. The last steps of each are its history.

        sample_domain : float, default=None
            The domain of the series; None is the target.

        id_column, time_column : str, default=None
            See :func:`make_windows`; None takes what `fit_series` was given.

        value_columns : list of str, default=None
            The same.

        columns : {"series", "channels"}, default=None
            The same.

        Returns
        -------
        forecasts : ndarray of shape (n_series, horizon), or frame
            Given a frame, a long one of the same library: the id, the time, the forecast, and a column
            ``quantile_0.1`` for each of `quantiles`. Times go on at the spacing of those given.

        Raises
        ------
        ValueError
            If a history has a gap, or is shorter than in `fit`, unless `mask_nan=True`; or if the times of a frame are
            text.
        """
        check_is_fitted(self)
        known = asdict(getattr(self, "_series_options", SeriesOptions()))
        given = {
            "id_column": id_column,
            "time_column": time_column,
            "value_columns": value_columns,
            "columns": columns,
        }
        options = SeriesOptions(**{**known, **{name: value for name, value in given.items() if value is not None}})
        found = read_series(series, options)
        masks = self.mask_nan  # type: ignore[attr-defined]
        history = self.history_  # type: ignore[attr-defined]
        X = last_histories(found, history, pads=masks)
        if not masks:
            for one in found:
                check_no_gap(OneSeries(one.name, one.times[-history:], one.values[-history:]))
        X = X.reshape(len(X), -1)
        domain = None if sample_domain is None else np.full(len(X), sample_domain)
        forecasts = self.predict(X, sample_domain=domain).reshape(len(X), -1)  # type: ignore[attr-defined]
        if not is_frame(series):
            return forecasts
        columns_of = {"forecast": forecasts}
        if self.quantiles_ is not None:  # type: ignore[attr-defined]
            quantiles = self.predict_quantiles(X, sample_domain=domain)  # type: ignore[attr-defined]
            for k, level in enumerate(self.quantiles_):  # type: ignore[attr-defined]
                columns_of[f"quantile_{level:g}"] = quantiles[..., k]
        return _as_frame(series, found, options, columns_of)


def _as_frame(given: Any, found: list[OneSeries], options: SeriesOptions, values: dict[str, NDArray]) -> Any:
    """Return forecasts as a long frame of the library of the given one."""
    horizon = values["forecast"].shape[1]
    names = list(getattr(getattr(given, "index", None), "names", [None]))
    of_index = names if len(names) == 2 else [None, names[0]]
    id_name = options.id_column or of_index[0] or "id"
    time_name = options.time_column or of_index[1] or "time"
    of_one = [next_times(one.times, horizon) for one in found]
    times = of_one[0].append(of_one[1:])
    data: dict[str, Any] = {
        id_name: [one.name for one in found for _ in range(horizon)],
        time_name: times,
        **{name: forecasts.ravel() for name, forecasts in values.items()},
    }
    if is_polars(given):
        import polars as pl

        column = given[time_name] if options.time_column is not None else None
        return pl.DataFrame({**data, time_name: _polars_times(times, column)})
    return pd.DataFrame(data)


def _polars_times(times: pd.Index, like: Any) -> Any:
    """Return times as a column of polars, of the type of the times given."""
    import polars as pl

    if not isinstance(times, pd.DatetimeIndex):
        return pl.Series(times.to_numpy())
    zone = times.tz
    in_utc = times if zone is None else times.tz_convert("UTC").tz_localize(None)
    made = pl.Series(in_utc.to_numpy().astype("M8[us]"))
    if zone is not None:
        made = made.dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
    return made.cast(like.dtype)
