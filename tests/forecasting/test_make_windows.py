"""Windows of series, against a loop; frames, gaps, histories that are too short; forecasts of series."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.forecasting import DAFForecaster, make_windows
from skpapers.forecasting._series_frames import next_times

RNG = np.random.default_rng(0)
SMALL = {"d_model": 4, "n_heads": 2, "max_iter": 2, "adaptation_iter": 1, "device": "cpu", "random_state": 0}


def by_loop(parts, history, horizon, step):
    rows = []
    for number, part in enumerate(parts):
        end = len(part) - horizon
        while end >= history:
            rows.append((end - 1, number, part[end - history : end], part[end : end + horizon]))
            end -= step
    return sorted(rows, key=lambda row: row[:2])


@pytest.mark.parametrize("step", [1, 2, 7])
@pytest.mark.parametrize("horizon", [1, 3])
def test_a_loop_over_ragged_series(step, horizon):
    parts = [RNG.normal(size=n) for n in (11, 5, 20, 2)]
    X, y, groups, times = make_windows(parts, 4, horizon, step=step)
    expected = by_loop(parts, 4, horizon, step)
    assert_array_equal(times, [row[0] for row in expected])
    assert_array_equal(groups, [row[1] for row in expected])
    assert_array_equal(X, [row[2] for row in expected])
    assert_array_equal(y.reshape(len(X), -1), [row[3] for row in expected])
    assert X.flags.c_contiguous


def test_columns_are_series_or_channels():
    table = RNG.normal(size=(9, 2))
    as_series = make_windows(table, 3, 2)
    as_list = make_windows(list(table.T), 3, 2)
    for a, b in zip(as_series, as_list, strict=True):
        assert_array_equal(a, b)
    X, y, groups, _ = make_windows(table, 3, 2, columns="channels")
    assert X.shape == (5, 3, 2)
    assert_array_equal(X[1], table[1:4])
    assert_array_equal(y[1], table[4:6, 0])
    assert_array_equal(groups, 0)


def long_frame():
    days = pd.date_range("2024-01-01", periods=8)
    frame = pd.DataFrame(
        {"name": ["b"] * 8 + ["a"] * 6, "day": [*days, *days[2:]], "v": RNG.normal(size=14), "u": RNG.normal(size=14)}
    )
    return frame.sample(frac=1.0, random_state=0, ignore_index=True)


@pytest.mark.parametrize("kind", ["pandas", "polars", "index"])
def test_long_frames(kind):
    frame = long_frame()
    b = frame[frame.name == "b"].sort_values("day")[["v", "u"]].to_numpy()
    a = frame[frame.name == "a"].sort_values("day")[["v", "u"]].to_numpy()
    how = {"id_column": "name", "time_column": "day"}
    if kind == "polars":
        frame = pl.DataFrame(frame)
    elif kind == "index":
        frame = frame.set_index(["name", "day"])
        how = {}
    X, y, groups, times = make_windows(frame, 4, 2, **how)
    assert X.shape == (4, 4, 2)
    days = pd.date_range("2024-01-01", periods=8).to_numpy()
    assert_array_equal(times, days[[3, 4, 5, 5]])
    assert sorted(groups[2:]) == ["a", "b"]
    assert_array_equal(groups[:2], "b")
    assert_array_equal(X[0], b[:4])
    assert_array_equal(X[2 + list(groups[2:]).index("a")], a[:4])
    assert_array_equal(y[0], b[4:6, 0])
    X, y, _, _ = make_windows(frame, 4, 2, value_columns=["u"], **how)
    assert_array_equal(X[0], b[:4, 1])


def test_levels_of_an_index_in_another_order():
    frame = long_frame().set_index(["day", "name"])
    with pytest.raises(ValueError, match="dates are in the first"):
        make_windows(frame, 4, 2)
    expected = make_windows(frame.swaplevel(), 4, 2)
    for a, b in zip(make_windows(frame, 4, 2, id_column="name", time_column="day"), expected, strict=True):
        assert_array_equal(a, b)


def test_one_value_column_may_be_text():
    frame = long_frame().rename(columns={"v": "value"}).set_index(["name", "day"])
    for a, b in zip(make_windows(frame, 4, 2, value_columns="value"), make_windows(frame["value"], 4, 2), strict=True):
        assert_array_equal(a, b)
    with pytest.raises(ValueError, match="no column 'w'"):
        make_windows(frame, 4, 2, value_columns=["w"])


def test_wide_frames():
    frame = pd.DataFrame(RNG.normal(size=(7, 2)), columns=["p", "q"], index=pd.date_range("2024-01-01", periods=7))
    X, _y, groups, times = make_windows(frame, 3, 2)
    assert_array_equal(groups, ["p", "q"] * 3)
    assert_array_equal(times, np.repeat(frame.index.to_numpy()[2:5], 2))
    assert_array_equal(X[1], frame["q"][:3])
    as_polars = make_windows(pl.DataFrame(frame.reset_index(names="day")), 3, 2, time_column="day")
    assert_array_equal(as_polars.X, X)
    assert_array_equal(as_polars.times.astype("M8[D]"), times.astype("M8[D]"))
    assert make_windows(frame, 3, 2, columns="channels").X.shape == (3, 3, 2)
    assert_array_equal(make_windows(frame["p"], 3, 2).X, X[::2])


def test_series_that_begin_late_or_end_early():
    frame = pd.DataFrame(RNG.normal(size=(8, 3)), columns=list("abc"))
    frame.iloc[:3, 0] = np.nan
    frame.iloc[6:, 1] = np.nan
    _, _, groups, times = make_windows(frame, 3, 2)
    found = {name: times[groups == name].tolist() for name in "abc"}
    assert found == {"a": [5], "b": [2, 3], "c": [2, 3, 4, 5]}


class TestGaps:
    def test_a_missing_value(self):
        series = RNG.normal(size=12)
        series[6] = np.nan
        with pytest.raises(ValueError, match="Series 0 has no value at 6"):
            make_windows(series, 3, 2)
        masked = make_windows(series, 3, 2, gaps="mask")
        assert_array_equal(masked.times, [2, 3, 6, 7, 8, 9])
        assert np.isnan(masked.X).sum() == 3
        assert not np.isnan(masked.y).any()
        dropped = make_windows(series, 3, 2, gaps="drop")
        assert_array_equal(dropped.times, [2, 3, 9])
        assert not np.isnan(dropped.X).any()

    def test_a_missing_time(self):
        frame = long_frame().sort_values(["name", "day"], ignore_index=True).drop(index=3)
        with pytest.raises(ValueError, match="Series 'a' has no value at 2024-01-06"):
            make_windows(frame, 2, 1, id_column="name", time_column="day")
        X, _, groups, times = make_windows(frame, 2, 1, id_column="name", time_column="day", gaps="drop")
        assert not np.isnan(X).any()
        assert_array_equal(times[groups == "a"], np.array(["2024-01-04"], dtype="M8[D]"))

    def test_a_history_without_values_is_left_out(self):
        series = RNG.normal(size=12)
        series[3:6] = np.nan
        assert 5 not in make_windows(series, 3, 2, gaps="mask").times


def test_shorter_histories():
    parts = [np.arange(8.0), 10.0 + np.arange(4)]
    X, y, groups, times = make_windows(parts, 5, 2, min_history=2)
    assert_array_equal(X[groups == 1], [[np.nan, np.nan, np.nan, 10.0, 11.0]])
    assert_array_equal(y[groups == 1], [[12.0, 13.0]])
    assert_array_equal(times[groups == 0], [1, 2, 3, 4, 5])
    assert_array_equal(X[(groups == 0) & (times == 5)], [[1.0, 2.0, 3.0, 4.0, 5.0]])
    dropped = make_windows(parts, 5, 2, min_history=2, gaps="drop")
    assert_array_equal(dropped.X, X)


class TestRefusals:
    @pytest.mark.parametrize("name", ["history", "horizon", "step", "min_history"])
    @pytest.mark.parametrize("value", [0, 1.5, "2"])
    def test_lengths(self, name, value):
        given = {"history": 3, "horizon": 2, name: value}
        with pytest.raises(ValueError, match=f"{name} must be an integer from 1"):
            make_windows(np.arange(9.0), **given)

    def test_words(self):
        with pytest.raises(ValueError, match="gaps must be"):
            make_windows(np.arange(9.0), 3, 2, gaps="fill")
        with pytest.raises(ValueError, match="columns must be"):
            make_windows(np.arange(9.0), 3, 2, columns="rows")

    def test_too_short(self):
        with pytest.raises(ValueError, match=r"No series has a window of 5 \+ 3 steps; the longest has 7"):
            make_windows([np.arange(7.0), np.arange(2.0)], 5, 3)

    def test_values(self):
        with pytest.raises(ValueError, match="infinite"):
            make_windows([1.0, np.inf, 2.0], 1, 1)
        with pytest.raises(ValueError, match="must be numbers"):
            make_windows(pd.DataFrame({"a": ["x", "y", "z"]}), 1, 1)
        with pytest.raises(ValueError, match="no series that has an observed value"):
            make_windows([np.nan, np.nan], 1, 1)
        with pytest.raises(ValueError, match="same number of channels"):
            make_windows([np.ones((5, 2)), np.ones((5, 3))], 1, 1)
        with pytest.raises(ValueError, match="shape"):
            make_windows([np.ones((2, 2, 2))], 1, 1)

    def test_frames(self):
        frame = pd.DataFrame({"name": ["a", "a", "a"], "day": [1, 1, 2], "v": [1.0, 2.0, 3.0]})
        with pytest.raises(ValueError, match="Series 'a' has a time twice"):
            make_windows(frame, 1, 1, id_column="name", time_column="day")
        with pytest.raises(ValueError, match="no column 'date'"):
            make_windows(frame, 1, 1, id_column="name", time_column="date")
        with pytest.raises(ValueError, match="An id is missing"):
            make_windows(frame.assign(name=["a", None, "a"]), 1, 1, id_column="name", time_column="day")
        with pytest.raises(ValueError, match="A time is missing"):
            make_windows(frame.assign(day=[1, np.nan, 2]), 1, 1, id_column="name", time_column="day")
        three = frame.assign(k=0).set_index(["k", "name", "day"])
        with pytest.raises(ValueError, match="levels id and time"):
            make_windows(three, 1, 1)

    def test_ids_without_times_are_in_order(self):
        frame = pd.DataFrame({"name": ["a", "b", "a", "b", "a"], "v": [1.0, 10.0, 2.0, 20.0, 3.0]})
        X, y, _, _ = make_windows(frame, 1, 1, id_column="name")
        assert_array_equal(np.c_[X, y], [[1.0, 2.0], [10.0, 20.0], [2.0, 3.0]])


class TestNextTimes:
    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            (pd.date_range("2024-01-31", periods=5, freq="ME"), pd.date_range("2024-06-30", periods=2, freq="ME")),
            (pd.date_range("2024-01-01", periods=5, freq="h"), pd.date_range("2024-01-01 05:00", periods=2, freq="h")),
            (pd.bdate_range("2024-01-01", periods=10).delete(3), pd.bdate_range("2024-01-15", periods=2)),
            (pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-06"]), ["2024-01-08", "2024-01-10"]),
        ],
    )
    def test_dates(self, times, expected):
        assert_array_equal(next_times(times.to_numpy(), 2).astype("M8[s]"), np.array(expected, dtype="M8[s]"))

    def test_time_zones_periods_and_plain_dates(self):
        days = pd.bdate_range("2024-03-01", periods=22, tz="Europe/Zurich").delete(
            [3, 7]
        )  # to Saturday's change of time
        assert_array_equal(
            next_times(np.asarray(days, dtype=object), 2), pd.bdate_range("2024-04-02", periods=2, tz="Europe/Zurich")
        )
        plain = np.asarray(days.date, dtype=object)
        assert next_times(plain, 2).tolist() == [date(2024, 4, 2), date(2024, 4, 3)]
        months = pd.period_range("2024-01", periods=9, freq="M")
        assert next_times(np.asarray(months), 2).tolist() == pd.period_range("2024-10", periods=2, freq="M").tolist()
        assert next_times(np.asarray(months[::3]), 2).astype(str).tolist() == ["2024-10", "2025-01"]
        with pytest.raises(ValueError, match="numbers or dates, got text such as 'a'"):
            next_times(np.array(["a", "b"], dtype=object), 2)

    def test_numbers(self):
        assert_array_equal(next_times(np.array([1, 3, 5]), 2), [7, 9])
        assert_allclose(next_times(np.array([0.5, 1.0]), 2), [1.5, 2.0])
        with pytest.raises(ValueError, match="two steps or more"):
            next_times(np.array([1]), 2)


class TestWholeSeries:
    def test_fit_and_forecast_are_those_of_windows(self):
        target = RNG.normal(size=(30, 2)).cumsum(axis=0)
        source = [RNG.normal(size=n).cumsum() for n in (40, 25)]
        model = DAFForecaster(**SMALL).fit_series(target, source, history=6, horizon=3, step=2)
        T = make_windows(target, 6, 3, step=2)
        S = make_windows(source, 6, 3, step=2)
        domain = np.repeat([-1.0, 1.0], [len(T.X), len(S.X)])
        expected = DAFForecaster(**SMALL).fit(np.r_[T.X, S.X], np.r_[T.y, S.y], sample_domain=domain)
        assert_array_equal(model.forecast(target), expected.predict(target[-6:].T))
        assert_array_equal(
            model.forecast(source, sample_domain=1.0),
            expected.predict([source[0][-6:], source[1][-6:]], sample_domain=[1.0, 1.0]),
        )

    def test_sources_by_name(self):
        series = RNG.normal(size=(20, 2))
        model = DAFForecaster(**SMALL).fit_series(series, {"x": series, "y": series[:, :1]}, history=5, horizon=2)
        assert_array_equal(model.domains_, [-1.0, 1.0, 2.0])
        alone = DAFForecaster(**SMALL).fit_series(series, history=5, horizon=1)
        assert alone.forecast(series).shape == (2, 1)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_frames_come_back(self, library):
        frame = long_frame()
        if library == "polars":
            frame = pl.DataFrame(frame)
        model = DAFForecaster(quantiles=(0.1, 0.9), **SMALL)
        model.fit_series(frame, history=3, horizon=2, id_column="name", time_column="day")
        found = model.forecast(frame)
        assert type(found) is type(frame)
        assert list(found.columns) == ["name", "day", "forecast", "quantile_0.1", "quantile_0.9"]
        days = np.asarray(found["day"].to_numpy()).astype("M8[D]")
        assert_array_equal(days, np.tile(np.array(["2024-01-09", "2024-01-10"], dtype="M8[D]"), 2))
        assert len(found) == 4
        assert np.all(found["quantile_0.1"].to_numpy() <= found["forecast"].to_numpy())

    @pytest.mark.parametrize("zone", [None, "America/New_York"])
    def test_times_of_polars_keep_their_type(self, zone):
        days = pl.datetime_range(datetime(2024, 3, 1), datetime(2024, 3, 29), "1d", time_zone=zone, eager=True)
        weekdays = days.filter(days.dt.weekday() <= 5)
        times = weekdays.dt.date() if zone is None else weekdays
        frame = pl.DataFrame({"name": ["a"] * len(times), "day": times, "v": RNG.normal(size=len(times))})
        model = DAFForecaster(**SMALL)
        model.fit_series(frame, history=3, horizon=2, id_column="name", time_column="day")
        found = model.forecast(frame)["day"]
        assert found.dtype == times.dtype
        assert found.dt.date().to_list() == [date(2024, 4, 1), date(2024, 4, 2)]
        if zone is not None:
            assert found.dt.hour().to_list() == [0, 0]

    def test_channels_of_target_and_source(self):
        with pytest.raises(ValueError, match=r"same number of channels, got \[1, 2\]"):
            DAFForecaster(**SMALL).fit_series(
                np.arange(20.0), RNG.normal(size=(20, 2)), history=4, horizon=2, columns="channels"
            )

    def test_index_names_come_back(self):
        frame = long_frame().set_index(["name", "day"])
        model = DAFForecaster(**SMALL).fit_series(frame, history=3, horizon=2)
        assert list(model.forecast(frame).columns) == ["name", "day", "forecast"]
        wide = pd.DataFrame(RNG.normal(size=(12, 2)), columns=["p", "q"], index=pd.RangeIndex(12, name="step"))
        model = DAFForecaster(**SMALL).fit_series(wide, history=3, horizon=2)
        found = model.forecast(wide)
        assert list(found.columns) == ["id", "step", "forecast"]
        assert found["step"].tolist() == [12, 13, 12, 13]
        assert found["id"].tolist() == ["p", "p", "q", "q"]

    def test_short_series_need_a_mask(self):
        series = [RNG.normal(size=20), RNG.normal(size=4)]
        model = DAFForecaster(**SMALL).fit_series(series, history=5, horizon=2)
        with pytest.raises(ValueError, match="Series 1 has 4 steps, and a history 5"):
            model.forecast(series)
        masked = DAFForecaster(mask_nan=True, **SMALL).fit_series(series, history=5, horizon=2, min_history=2)
        assert np.isfinite(masked.forecast(series)).all()

    def test_gaps(self):
        series = RNG.normal(size=20)
        series[17] = np.nan
        model = DAFForecaster(**SMALL)
        with pytest.raises(ValueError, match="no value at 17"):
            model.fit_series(series, history=4, horizon=2)
        assert not hasattr(model, "_series_options")
        model.fit_series(series[:17], history=4, horizon=2)
        with pytest.raises(ValueError, match="no value at 17"):
            model.forecast(series)
        early = np.concatenate([[1.0, np.nan], series[:17]])
        assert model.forecast(early).shape == (1, 2)
        masked = DAFForecaster(mask_nan=True, **SMALL).fit_series(series, history=4, horizon=2)
        assert np.isfinite(masked.forecast(series)).all()
