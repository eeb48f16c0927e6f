"""Tables of every kind become numbers, categories and dates, whatever library they come from."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skpapers.comparison._roles import choose_task, clean_target, clean_time, clean_weights, find_time, to_series
from skpapers.comparison._tables import calendar_parts, clean_features, preprocessing, to_frame

DAYS = [datetime.date(2024, 2, 28), datetime.date(2024, 2, 29), None, datetime.date(2024, 3, 1)]
COLUMNS = {
    "x": [1.5, None, 3.0, 4.0],
    "count": [1, 2, 3, 4],
    "word": ["a", None, "b", "a"],
    "flag": [True, False, True, True],
    "day": DAYS,
    "void": [None, None, None, None],
}
PANDAS = pd.DataFrame(COLUMNS).astype({"day": "datetime64[us]"})
TABLES = {
    "pandas": PANDAS,
    "objects": pd.DataFrame(COLUMNS).astype({"day": object}),
    "nullable": PANDAS.astype({"x": "Float64", "count": "Int64", "word": "category", "flag": "boolean"}),
    "arrow": PANDAS.drop(columns="void").convert_dtypes(dtype_backend="pyarrow").assign(void=None),
    "strings": PANDAS.assign(day=["2024-02-28", "2024-02-29", None, "2024-03-01"]),
    "polars": pl.DataFrame(COLUMNS),
    "lazy": pl.DataFrame(COLUMNS).lazy(),
    "polars categories": pl.DataFrame(COLUMNS).with_columns(pl.col("word").cast(pl.Categorical)),
}


@pytest.mark.parametrize("table", TABLES)
def test_libraries_agree(table):
    frame, kinds, notes = clean_features(to_frame(TABLES[table]))
    assert kinds == {"numbers": ["x", "count"], "categories": ["word", "flag"], "dates": ["day"]}
    assert notes == ["dropped, all values missing: void"]
    expected, _, _ = clean_features(to_frame(PANDAS))
    pd.testing.assert_frame_equal(frame.astype({"day": "datetime64[us]"}), expected)
    np.testing.assert_array_equal(
        preprocessing(frame, kinds).fit_transform(frame), preprocessing(expected, kinds).fit_transform(expected)
    )


def test_prepared_numbers():
    frame, kinds, _ = clean_features(to_frame(PANDAS))
    prepared = preprocessing(frame, kinds).fit_transform(frame)
    # x, count, x missing | word: a, b, missing | flag: False, True | day: days, month, weekday, each missing or not
    np.testing.assert_array_equal(prepared[1, :8], [3.0, 2.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(prepared[1, 8:11], [19782.0, 2.0, 3.0])
    np.testing.assert_array_equal(prepared[:, 11:], [[0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 0]])


def test_hours_count_where_there_are_any():
    when = pd.DataFrame({"t": pd.to_datetime(["2024-01-01 06:00", "2024-01-02 18:00"])})
    np.testing.assert_array_equal(calendar_parts(when, ("t",)), [[19723.25, 1, 0, 6], [19724.75, 1, 1, 18]])
    frame, kinds, _ = clean_features(when)
    assert preprocessing(frame, kinds).fit_transform(frame).shape == (2, 4)


def test_unseen_and_rare_categories():
    train = pd.DataFrame({"c": [f"c{min(i, 40 - i)}" for i in range(40)]})
    frame, kinds, _ = clean_features(train)
    fitted = preprocessing(frame, kinds).fit(frame)
    assert fitted.transform(frame).shape == (40, 20)
    other = pd.DataFrame({"c": np.array(["never seen", np.nan], dtype=object)})
    np.testing.assert_array_equal(fitted.transform(other).sum(axis=1), [1.0, 1.0])  # both count as infrequent


def test_numbers_in_disguise():
    frame = pd.DataFrame(
        {
            "money": np.array([Decimal("1.50"), None], dtype=object),
            "wait": pd.to_timedelta(["1h", "2h"]),
            "objects": np.array([1, 2.5], dtype=object),
            "month": pd.period_range("2024-01", periods=2, freq="M"),
            "zoned": pd.date_range("2024-01-01", periods=2, tz="Europe/Berlin"),
            "not all dates": ["2024-01-01", "soon"],
        }
    )
    clean, kinds, _ = clean_features(to_frame(frame))
    assert kinds["numbers"] == ["money", "wait", "objects"]
    assert kinds["dates"] == ["month", "zoned"]
    assert clean["wait"].tolist() == [3600.0, 7200.0]
    assert clean["zoned"][0] == pd.Timestamp("2023-12-31 23:00")


def test_numpy_names_and_non_string_names():
    assert to_frame(np.zeros((3, 2))).columns.tolist() == ["x0", "x1"]
    assert to_frame(pd.DataFrame(np.zeros((3, 2)))).columns.tolist() == ["0", "1"]
    mixed = np.array([[1, "a"], [2, "b"]], dtype=object)
    assert clean_features(to_frame(mixed))[1] == {"numbers": ["x0"], "categories": ["x1"], "dates": []}


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 2)), "X is empty: it has 0 rows and 2 columns"),
        (pd.DataFrame(index=range(3)), "X is empty: it has 3 rows and 0 columns"),
        (np.zeros(3), r"must be a table with rows and columns; got an array of shape \(3,\)"),
        (pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]), "Column names must be unique; 'a' occurs more than once"),
        (pd.DataFrame({"a": [1.0, np.inf]}), "Column 'a' holds infinite values"),
        (pd.DataFrame({"a": [[1], [2]]}), "Column 'a' holds a list in each cell"),
        (pd.DataFrame({"a": [None, None]}), "X has no feature with a value in it"),
    ],
)
def test_bad_tables(X, message):
    with pytest.raises(ValueError, match=message):
        clean_features(to_frame(X))


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"] * 50, "classification"),
        ([True, False] * 50, "classification"),
        (pd.Categorical([1, 2] * 50), "classification"),
        ([0, 1], "classification"),
        ([0.0, 1.0, 2.0, 3.0] * 25, "classification"),
        ([0.5, 1.0] * 50, "regression"),
        (list(range(5)) * 20, "regression"),
        (list(range(21)) * 50, "regression"),
        (list(range(20)) * 50, "classification"),
        ([0.1 * i for i in range(100)], "regression"),
    ],
)
def test_the_task_of_a_target(y, task):
    assert choose_task(to_series(y, "y", len(y)), "auto") == task


def test_targets_keep_their_labels():
    def target(y, task):
        return clean_target(to_series(y, "y", len(y)), task)

    assert target([0.0, 1.0, 1.0], "classification").dtype == np.int64
    assert target(pd.Categorical([3, 1, 3]), "classification").tolist() == [3, 1, 3]
    assert target(pd.Series(["b", "a"]), "classification").tolist() == ["b", "a"]
    assert target([True, False], "classification").dtype == bool
    assert target(pl.Series([1, 2, 3]), "regression").dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: to_series([1, 2], "y", 3), "y has 2 values, X has 3 rows"),
        (lambda: to_series(np.zeros((3, 2)), "y", 3), "y must be one column"),
        (lambda: choose_task(pd.Series([1, 2]), "ranking"), "task='ranking' is unknown; choose one of 'auto', 'class"),
        (lambda: choose_task(pd.Series(["a", "b"]), "regression"), "task='regression' needs numbers"),
        (lambda: choose_task(pd.Series([0.5, 1.0]), "classification"), "task='classification' needs classes"),
        (lambda: clean_target(pd.Series([1.0, np.inf]), "regression"), "The target holds infinite values"),
        (lambda: clean_target(pd.Series(["a", "a"]), "classification"), "single class 'a'"),
        (lambda: clean_target(pd.Series([2.0, 2.0]), "regression"), "single value 2"),
        (lambda: clean_weights(pd.Series([1.0, -1.0])), "sample_weight must be finite numbers >= 0"),
        (lambda: clean_weights(pd.Series([1.0, np.nan])), "sample_weight is missing in 1 rows"),
        (
            lambda: clean_weights(pd.Series(["a", "b"])),
            "sample_weight must be numbers; it holds str values such as 'a'",
        ),
        (lambda: clean_time(pd.Series([1.0, np.nan]), "time"), "time is missing in 1 rows"),
        (lambda: clean_time(pd.Series(["soon", "later"]), "time"), "time must hold dates or numbers"),
    ],
)
def test_bad_roles(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_where_the_time_comes_from():
    dates = pd.date_range("2024-01-01", periods=3)
    rows = np.arange(3)
    plain = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    one = plain.assign(day=dates.astype(str))
    two = plain.assign(day=dates, due=dates)
    assert find_time(plain, None, None, rows)[1] is None
    features, times, name, notes = find_time(one, None, "time", rows)
    assert features.columns.tolist() == ["x"]
    assert (len(times), name, notes) == (3, "Time column 'day'", [])
    assert find_time(one, None, 5, rows)[1] is None
    assert find_time(two, "due", 5, rows)[0].columns.tolist() == ["x", "day"]
    assert find_time(two, None, 5, rows)[1] is None
    assert find_time(plain, [3, 1, 2], None, rows)[1].tolist() == [3, 1, 2]
    assert find_time(two.set_index("due"), None, None, rows)[0].columns.tolist() == ["x", "day"]
    panel = two.set_index(["due", "x"])
    assert find_time(panel, None, None, rows)[2] == "The index of X"
    with pytest.raises(ValueError, match=r"several date columns \(day, due\); name the one"):
        find_time(two, None, None, rows)
    with pytest.raises(ValueError, match="no time column 'when'; its columns are x, day"):
        find_time(one, "when", None, rows)


def test_a_column_named_self():
    assert to_frame(pd.DataFrame({"self": pd.array([1, 2], dtype="int64[pyarrow]")}))["self"].tolist() == [1, 2]
    given = pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")})
    assert to_frame(given)["a"].dtype == np.float64
    assert isinstance(given["a"].dtype, pd.ArrowDtype)


def test_ranks_of_times():
    assert clean_time(pd.Series(["2024-01-03", "2024-01-01", "2024-01-03"]), "t").tolist() == [1, 0, 1]
    assert clean_time(pd.Series([20.5, 3.0]), "t").tolist() == [1, 0]


@pytest.mark.parametrize(
    "texts",
    [
        ["2024-01", "2024-02"],
        ["2024Q1", "2024Q2"],
        ["2024-W01", "2024-W02"],
        ["Jan 2024", "Feb 2024"],
        ["Mon, 01 Jan 2024", "Tue, 02 Jan 2024"],
        ["1. Januar 2024", "2. M\u00e4rz 2024"],
        ["09:30", "16:00"],
        ["2024-01-31", "0000-00-00"],
        ["2024-01-31", "31.01.2024"],
        ["1/31/24", "2/1/2024"],
    ],
)
def test_text_that_looks_like_dates_is_named(texts):
    _, kinds, notes = clean_features(to_frame(pd.DataFrame({"when": texts * 3})))
    assert kinds["categories"] == ["when"]
    (note,) = notes
    assert f"most of its values look like dates or times, such as {texts[0]!r}, and no known format fits" in note
    _, _, notes = clean_features(to_frame(pd.DataFrame({"when": [*texts, "pending"]})))
    assert "('pending' does not)" in notes[0]


@pytest.mark.parametrize(
    "texts", [["18-25", "26-35"], ["1/2", "3/4"], ["1.2.3", "1.10.2"], ["123-45-6789"], ["Apt 24"], ["May", "June"]]
)
def test_text_that_does_not_look_like_dates(texts):
    assert clean_features(to_frame(pd.DataFrame({"word": texts * 3})))[2] == []


def test_a_text_column_of_numbers_is_named():
    texts = ["1.5", "2.5", "?", "3.5"]
    frame = pd.DataFrame({"a": texts, "b": pd.Series(texts, dtype="category"), "c": ["x1", "x2", "x3", "4"]})
    _, kinds, notes = clean_features(to_frame(frame))
    assert kinds["categories"] == ["a", "b", "c"]
    (note,) = notes
    assert note.startswith("column 'a' is a category: its values are text, and most are numbers such as '1.5'; make")
