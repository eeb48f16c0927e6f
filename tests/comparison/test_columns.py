"""Single columns: what counts as dates, and numbers that keep every digit."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._columns import as_categories, date_readings
from skpapers.comparison._roles import choose_task, clean_target, clean_time

DAY = pd.Timestamp("2024-01-31")
OTHER = pd.Timestamp("2024-12-01")


@pytest.mark.parametrize(
    "values",
    [
        ["2024-01-31", "2024-12-01"],
        ["2024/01/31", "2024/12/01"],
        ["2024/1/31", "2024/12/1"],
        [" 2024-01-31T00:00:00 ", "2024-12-01 00:00"],
        ["20240131", "20241201"],
        ["31.01.2024", "01.12.2024"],
        ["31.1.2024 00:00", "1.12.2024 00:00"],
        ["01/31/2024", "12/01/2024"],
        ["1/31/2024 12:00 AM", "12/1/2024 12:00 AM"],
        ["31/01/2024", "01/12/2024"],
        ["31-01-2024 00:00:00", "01-12-2024 00:00:00"],
        ["01-31-2024", "12-01-2024"],
        ["31 Jan 2024", "1 Dec 2024"],
        ["31-JAN-2024", "01-DEC-2024"],
        ["31 January 2024", "1 December 2024"],
        ["Jan 31, 2024", "Dec 1, 2024"],
        ["January 31, 2024", "December 1, 2024"],
        ["1/31/24", "12/1/24"],
        ["1/31/24 0:00", "12/1/24 0:00"],
        ["31.01.24", "01.12.24"],
        ["01-31-24", "12-01-24"],
        ["31 Jan 24", "1 Dec 24"],
        ["31-Jan-24", "01-Dec-24"],
    ],
)
def test_formats(values):
    (dates,) = date_readings(pd.Series([*values, None]))
    assert dates.tolist()[:2] == [DAY, OTHER]
    assert pd.isna(dates[2])


@pytest.mark.parametrize(
    "values",
    [
        ["31.01.2024", "soon"],
        ["31.01.2024", "01/31/2024"],
        ["20241301", "20240101"],
        ["10240101", "20240101"],
        ["2024131", "2024112"],
        ["1234", "5678"],
        ["a", "b"],
        ["", ""],
        ["2024-01-01", ""],
        ["31.01.2024", "nan"],
        [None, None],
        ["31.02.2024", "01.02.2024"],
        [20240131, 20240132],
        [20240131.5, 20240131],
        [18991231, 20240131],
        [True, False],
    ],
)
def test_what_is_no_date(values):
    assert date_readings(pd.Series(values, name="date")) == []


def test_ambiguous_days_have_two_readings():
    assert [reading[0].month for reading in date_readings(pd.Series(["01/02/2024", "03/04/2024"]))] == [1, 2]
    assert [reading[0].month for reading in date_readings(pd.Series(["01-02-2024"]))] == [1, 2]
    assert len(date_readings(pd.Series(["02/02/2024", "03/03/2024"]))) == 1
    assert len(date_readings(pd.Series(["5 May 2024"]))) == 1
    assert len(date_readings(pd.Series(["24-01-31", "23-12-01"]))) == 2  # which of 24 and 31 is the year?
    assert len(date_readings(pd.Series(["15/03/24", "16/03/24"]))) == 2


def test_whole_numbers_under_the_name_of_a_date():
    for values in ([20240131, 20241201], [20240131.0, np.nan], pd.array([20240131, None], dtype="Int64")):
        (dates,) = date_readings(pd.Series(values, name="TradeDate"))
        assert dates[0] == DAY
        assert date_readings(pd.Series(values, name="price")) == []


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**60 + 1, 2**60, 2**60 + 2]),
        np.array([2**63 + 1, 2**63, 2**63 + 2], dtype=np.uint64),
        np.array([2**70 + 1, 2**70, 2**70 + 2], dtype=object),
        pd.array([2**60 + 1, 2**60, 2**60 + 2], dtype="Int64"),
        pd.array([2**60 + 1, 2**60, 2**60 + 2], dtype="int64[pyarrow]"),
        np.array([2**60 + 1, 2**60, 2**60 + 2], dtype="m8[ns]"),
        np.array([2**60 + 1, 2**60, 2**60 + 2], dtype="M8[ns]"),
    ],
)
def test_a_time_keeps_every_tick(values):
    assert clean_time(pd.Series(values), "time").tolist() == [1, 0, 2]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint64", "int64[pyarrow]", object, "category"])
def test_classes_keep_every_digit(dtype):
    y = pd.Series([2**53, 2**53 + 1, 2**53 + 2] * 30).astype(dtype)
    assert choose_task(y, "auto") == "classification"
    target = clean_target(y, "classification")
    assert target.dtype == np.int64
    assert target[:3].tolist() == [2**53, 2**53 + 1, 2**53 + 2]


def test_labels_beyond_int64():
    assert clean_target(pd.Series([2**64 - 1, 1], dtype="uint64"), "classification").tolist() == [2**64 - 1, 1]
    assert clean_target(pd.Series([2**70, 2**70 + 1], dtype=object), "classification").tolist() == [
        str(2**70),
        str(2**70 + 1),
    ]
    assert clean_target(pd.Series([1e19, 2e19]), "classification").tolist() == [1e19, 2e19]


def test_many_identifiers_are_no_classes():
    assert choose_task(pd.Series(np.arange(2**53, 2**53 + 30).repeat(30)), "auto") == "regression"


@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_missing_strings_stay_missing(dtype):
    found = as_categories(pd.Series(["a", None, "nan"], dtype=dtype))
    assert found.isna().tolist() == [False, True, False]
    assert found[2] == "nan"
