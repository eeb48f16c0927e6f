"""Identifiers are found, and measurements are not taken for them."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._identifiers import find_identifiers, identifier_notes
from skpapers.comparison._tables import clean_features
from skpapers.datasets import load_concrete, load_raisin, make_returns

N = 400
RNG = np.random.default_rng(0)
ORDER = RNG.permutation(N)


def identifiers(columns, given=None):
    """Return the identifiers of a table that was given in an order."""
    frame, kinds, _ = clean_features(pd.DataFrame(columns))
    return find_identifiers(frame, kinds, np.arange(len(frame)) if given is None else given)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("n", np.arange(N), "numbers the rows"),
        ("n", np.arange(N, 0.0, -1), "numbers the rows"),
        ("order", np.sort(RNG.choice(10**9, N, replace=False)), "numbers the rows"),
        ("n", ORDER, "each of its whole numbers occurs once"),
        ("account", RNG.choice(10 * N, N, replace=False) + 15_000_000, "each of its whole numbers occurs once"),
        ("customer_id", RNG.choice(10**12, N, replace=False), "each of its whole numbers occurs once"),
        ("customerID", RNG.choice(10**12, N, replace=False), "each of its whole numbers occurs once"),
        ("code", [f"c{i}" for i in ORDER], "every row has its own value"),
        ("who", [f"c{max(i, 10)}" for i in ORDER], "nearly every row has its own value"),
    ],
)
def test_identifiers(name, values, reason):
    assert identifiers({"x": RNG.normal(size=N), name: values}) == {name: reason}


def test_row_numbers_of_rows_that_were_sorted_by_time():
    numbers = 10**6 * ORDER  # too sparse to be an identifier but for its order
    assert identifiers({"n": numbers}) == {}
    assert identifiers({"n": numbers}, np.argsort(ORDER)) == {"n": "numbers the rows"}


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N) + 0.5,  # not whole
        np.sort(RNG.normal(size=N)),
        RNG.permutation(RNG.choice(10**6, N, replace=False)),  # incomes, say: 400 of a million rarely collide
        np.sort(RNG.integers(18, 90, N)),
        np.where(np.arange(N) == 7, np.nan, np.arange(N)),
        pd.date_range("2024-01-01", periods=N),
        [f"c{i % 300}" for i in ORDER],
        [f"0{i % 9 + 1}/0{i // 9 % 9 + 1}/{1900 + i // 81}" for i in ORDER],  # dates, but of which month?
        ORDER % 2,
    ],
)
def test_measurements(values):
    assert identifiers({"valid": values, "bid": values}) == {}


def test_few_rows_say_nothing():
    assert identifiers({"id": np.arange(49), "name": [f"n{i}" for i in range(49)]}) == {}


def test_tables_without_identifiers():
    for X in (load_concrete(as_frame=True).data, load_raisin(as_frame=True).data, pd.DataFrame(make_returns(2000)[0])):
        assert identifiers(X) == {}


def test_notes():
    assert identifier_notes({"a b": "numbers the rows", "c": "numbers the rows"}) == [
        "columns 'a b', 'c': numbers the rows, like an identifier; drop it if it is one (--drop)"
    ]
