"""What a table says about time: the order of rows, when labels are known, panels and weights."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._problem import make_problem
from skpapers.comparison._weights import average_uniqueness

T = 40
TICKERS = ["AAA", "BBB", "CCC"]
N = T * len(TICKERS)
DAYS = pd.date_range("2024-01-01", periods=T).repeat(3)
RNG = np.random.default_rng(0)
PANEL = pd.DataFrame({"day": DAYS, "ticker": TICKERS * T, "x": RNG.normal(size=N)}).sample(frac=1.0, random_state=0)
Y = RNG.normal(size=N)
RANKS = np.arange(T).repeat(3)


def problem(X=PANEL, y=Y, **options):
    """Return the problem of a panel whose rows are shuffled."""
    return make_problem(X, y, task="auto", **options)


def test_a_panel():
    found = problem(assets="ticker", horizon=5)
    assert list(found.frame) == ["x"]
    assert found.notes[:2] == (
        "panel of 3 assets and 40 timestamps",
        "Time column 'day' orders the rows and is not a feature",
    )
    assert found.plan.name == "5 expanding windows in time, horizon 5"
    np.testing.assert_array_equal(found.times, DAYS)
    np.testing.assert_array_equal(found.plan.ranks, RANKS)
    np.testing.assert_array_equal(found.plan.label_end, RANKS + 5)
    order = np.argsort(PANEL["day"].to_numpy(), kind="stable")
    np.testing.assert_array_equal(found.assets, PANEL["ticker"].to_numpy()[order])
    np.testing.assert_array_equal(found.frame["x"], PANEL["x"].to_numpy()[order])
    np.testing.assert_array_equal(found.y, Y[order])


def test_columns_levels_of_the_index_and_arrays_mean_the_same():
    expected = problem(assets="ticker", time="day")
    indexed = PANEL.set_index(["day", "ticker"])
    numbers = PANEL[["x"]]
    for found in (
        problem(indexed, assets="ticker"),
        problem(indexed, assets="ticker", time="day"),
        problem(numbers, assets=PANEL["ticker"], time=PANEL["day"].to_numpy()),
    ):
        np.testing.assert_array_equal(found.assets, expected.assets)
        np.testing.assert_array_equal(found.times, expected.times)
        np.testing.assert_array_equal(found.frame["x"], expected.frame["x"])


def test_label_ends_of_another_time_zone():
    day = PANEL["day"].dt.tz_localize("America/New_York")
    ends = (day + pd.Timedelta(days=2)).dt.tz_convert("Asia/Tokyo")
    for X in (PANEL.assign(day=day, known=ends), PANEL.assign(day=day.astype(str), known=ends.astype(str))):
        found = problem(X, assets="ticker", time="day", label_end="known")
        np.testing.assert_array_equal(found.plan.label_end, np.minimum(RANKS + 2, T))


@pytest.mark.parametrize("as_array", [False, True])
def test_label_ends_are_dates_of_any_kind(as_array):
    ends = PANEL["day"] + pd.Timedelta(days=2, hours=5)
    X = PANEL if as_array else PANEL.assign(known=ends.dt.strftime("%Y-%m-%d %H:%M"))
    found = problem(X, assets="ticker", time="day", label_end=ends.to_numpy() if as_array else "known")
    assert list(found.frame) == ["x"]
    # the label of the third last day ends five hours after the last day
    np.testing.assert_array_equal(found.plan.label_end, np.where(RANKS + 2 < T - 1, RANKS + 2, T))
    for train, test in found.plan.folds:
        assert found.plan.ranks[train].max() + 2 < found.plan.ranks[test].min()


def test_label_ends_are_numbers_if_the_time_is():
    found = problem(PANEL[["x"]], time=np.arange(N), label_end=np.arange(N) + 3.5)
    np.testing.assert_array_equal(found.plan.label_end, np.r_[3 : N - 1, [N] * 4])


def test_weights_by_uniqueness():
    found = problem(assets="ticker", horizon=5, sample_weight="uniqueness", scoring="r2")
    uniqueness = average_uniqueness(RANKS, RANKS + 5, np.array([TICKERS.index(a) for a in found.assets]))
    np.testing.assert_allclose(found.sample_weight, uniqueness / uniqueness.mean())
    assert "sample weights are the average uniqueness of the labels, 0.22 on average" in found.notes
    alone = problem(PANEL[["x"]], cv="time", horizon=4, sample_weight="uniqueness")
    np.testing.assert_allclose(alone.sample_weight.mean(), 1.0)


def test_labels_that_end_after_the_table_are_not_unique():
    y = pd.Series(Y).where(PANEL["day"].to_numpy() < DAYS[-1] - pd.Timedelta(days=4))  # the last labels are unknown
    ends = PANEL["day"] + pd.Timedelta(days=5)
    found = problem(y=y, assets="ticker", time="day", label_end=ends, sample_weight="uniqueness")
    np.testing.assert_allclose(found.sample_weight[-3:], found.sample_weight[60:63])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"cv": "walk-forward"}, "5 rolling windows in time, 20 timestamps to train, 4 to test, gap 0"),
        ({"cv": "walk-forward", "train_size": 10, "step": 6, "gap": 1}, "4 rolling windows .*, 6 to test, gap 1"),
        ({"cv": "purged", "embargo": 2, "horizon": 2}, "15 combinatorial folds in time, .* embargo 2, horizon 2"),
    ],
)
def test_windows_by_name(options, name):
    found = problem(assets="ticker", **options)
    assert pd.Series([found.plan.name]).str.fullmatch(name).all()
    assert found.plan.ranks is not None


def test_columns_that_are_dropped():
    X = PANEL.assign(customer_id=np.arange(N), note="a")
    assert list(problem(X, assets="ticker", drop="note").frame) == ["x", "customer_id"]
    found = problem(X, assets="ticker", drop=["note", "customer_id"])
    assert list(found.frame) == ["x"]
    assert not any("customer_id" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon=0 must be a whole number of timestamps, 1 or more"),
        ({"horizon": 2.5}, "horizon=2.5 must be a whole number of timestamps"),
        ({"gap": None}, "gap=None must be a whole number of timestamps, 0 or more"),
        ({"gap": -1}, "gap=-1 must be a whole number of timestamps, 0 or more"),
        ({"embargo": True}, "embargo=True must be a whole number of timestamps"),
        ({"train_size": 0}, "train_size=0 must be a whole number of timestamps, 1 or more"),
        ({"step": "5"}, "step='5' must be a whole number of timestamps, 1 or more"),
        ({"horizon": 5, "label_end": "day"}, "horizon and label_end both say when labels are known; give one of them"),
        ({"label_end": "known"}, "X has no label end column 'known'; its columns are day, ticker, x"),
        ({"label_end": "ticker", "time": "day"}, "Label end column 'ticker' must hold dates or numbers"),
        ({"label_end": "x", "time": "day"}, "Label end column 'x' holds numbers, and the time holds dates; both must"),
        ({"label_end": DAYS, "time": DAYS + pd.Timedelta(days=1)}, "label_end is before the row's own time in 120 ro"),
        (
            {"label_end": PANEL["day"].where(PANEL["x"] > PANEL["x"].min())},
            "label_end is missing in 1 rows; every row needs a time",
        ),
        (
            {"label_end": DAYS, "time": DAYS.tz_localize("America/New_York")},
            "time has a time zone, and label_end has none; give both a time zone, or neither",
        ),
        (
            {"label_end": DAYS.strftime("%Y-%m-%dT%H:%MZ"), "time": "day"},
            "label_end has a time zone, and Time column 'day' has none",
        ),
        (
            {"label_end": np.arange(N), "time": pd.to_timedelta(np.arange(N), "D")},
            "label_end holds numbers, and the time holds durations; both must be of one kind",
        ),
        ({"time": "day", "label_end": "day"}, "time and label_end both name 'day'; they need different columns"),
        ({"time": "day", "assets": "day"}, "time and assets both name 'day'; they need different columns"),
        ({"groups": "ticker"}, "groups must have one value per row; got the string 'ticker'"),
        ({"y": "x"}, "y must have one value per row; got the string 'x'"),
        ({"horizon": 10**20}, "horizon=100000000000000000000 is too large; it must be at most 1000000000 timestamps"),
        ({"label_end": np.arange(3)}, "label_end has 3 values, X has 120 rows"),
        ({"assets": "symbol"}, "X has no asset column 'symbol'; its columns are day, ticker, x"),
        ({"assets": "ticker", "drop": "day"}, "assets make a panel, which needs a time in every row"),
        (
            {"assets": PANEL["ticker"].where(PANEL["x"] > PANEL["x"].min())},
            "assets is missing in 1 rows; every row of a panel needs",
        ),
        (
            {"label_end": np.arange(N), "drop": "day", "cv": "time"},
            "label_end says when labels are known; it needs a t",
        ),
        ({"drop": ["x", "who"]}, "drop: X has no column 'who'; its columns are day, ticker, x"),
        ({"drop": ["day", "ticker", "x"]}, "drop names every column of X; there is no feature left"),
        ({"drop": 3}, "drop: X has no column '3'"),
        ({"sample_weight": "uniqueness"}, r"sample_weight='uniqueness' needs to know which labels overlap: give horiz"),
        ({"sample_weight": "equal"}, "sample_weight='equal' is unknown; it must be one weight per row or 'uniqueness'"),
        ({"cv": 5, "horizon": 2}, "horizon needs folds in time: cv='time', a time column or a splitter"),
        ({"cv": 5, "label_end": DAYS, "time": "day"}, "label_end"),
        ({"cv": 5, "embargo": 2}, "embargo needs folds in time"),
        ({"step": 3}, "step is the length of a rolling window; it needs cv='walk-forward'"),
        (
            {"cv": "purged", "horizon": 30},
            r"No training row of fold \d+ is left: each is too close in time to a test row",
        ),
        ({"cv": "walk-forward", "train_size": 39}, "needs 41 distinct timestamps for two windows; there are 40"),
        (
            {"groups": PANEL["ticker"]},
            "groups: every training row of fold 1 is of a group that has test rows.*--assets",
        ),
    ],
)
def test_errors_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        problem(**options)
    assert "\n" not in str(error.value)
