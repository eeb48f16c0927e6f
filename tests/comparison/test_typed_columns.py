"""The columns of a table that a saved model gets."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skpapers.comparison._typed_columns import TypedColumns

KINDS = {"x": "numbers", "day": "dates", "c": "categories"}


def table(**columns):
    given = {"c": ["a", None], "more": [1, 2], "x": [1, 2.5], "day": ["2024-01-31", "2024-02-01"]}
    return pd.DataFrame(given | columns)


def test_columns_are_chosen_ordered_and_typed():
    found = TypedColumns(KINDS).fit(None).transform(table())
    assert list(found) == list(KINDS)
    assert found["x"].tolist() == [1.0, 2.5]
    assert found["day"].dtype.kind == "M"
    assert found["c"][0] == "a"
    assert pd.isna(found["c"][1])
    # what is typed stays as it is
    pd.testing.assert_frame_equal(TypedColumns(KINDS).transform(found), found)
    from_polars = TypedColumns(KINDS).transform(pl.from_pandas(table()))
    pd.testing.assert_frame_equal(from_polars.astype({"day": found["day"].dtype}), found)


def test_numbers_written_as_text():
    found = TypedColumns(KINDS).transform(table(x=["1,200.5", None]))
    np.testing.assert_array_equal(found["x"], [1200.5, np.nan])


def test_a_column_without_values():
    found = TypedColumns(KINDS).transform(table(x=[None, None], day=[None, None], c=[None, None]))
    assert found.isna().all(axis=None)
    assert found["x"].dtype == float


def test_arrays_have_the_names_that_compare_gives_them():
    found = TypedColumns({"x1": "numbers"}).transform(np.array([[1.0, 2.0]]))
    assert found["x1"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": ["word", "1"]}, "Column 'x' must hold numbers; it holds values such as 'word'"),
        ({"day": ["soon", "later"]}, "Column 'day' must hold dates; it holds values such as 'soon'"),
        ({"day": ["01/02/2024", "03/04/2024"]}, "Column 'day': day and month are ambiguous"),
    ],
)
def test_wrong_values_are_one_line(columns, message):
    with pytest.raises(ValueError, match=message):
        TypedColumns(KINDS).transform(table(**columns))


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="The table has no column 'x', 'c', which the model needs"):
        TypedColumns(KINDS).transform(table().drop(columns=["x", "c"]))
