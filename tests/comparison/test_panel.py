"""Asset columns: their values, what is said about them, and which columns look like one."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._panel import clean_assets, likely_assets, panel_notes

T = 40
TICKERS = ["AAA", "BBB", "CCC", "DDD"]
RANKS = np.repeat(np.arange(T), 4)
RNG = np.random.default_rng(0)


def likely(columns, ranks=RANKS, index=None):
    """Return the name of the column that looks like an asset column."""
    found = likely_assets(pd.DataFrame(columns, index=index), ranks)
    return None if found is None else found.name


def test_assets_are_strings():
    np.testing.assert_array_equal(clean_assets(pd.Series([7, 7, 9]), "assets"), np.array(["7", "7", "9"], dtype=object))
    with pytest.raises(ValueError, match=r"^Asset column 'ticker' is missing in 1 rows; every row of a panel needs"):
        clean_assets(pd.Series(["a", None]), "Asset column 'ticker'")


def test_notes():
    assets = np.tile(TICKERS, T)
    assert panel_notes(RANKS, assets) == ["panel of 4 assets and 40 timestamps"]
    assets[1] = "AAA"
    assert panel_notes(RANKS, assets)[1:] == ["1 rows repeat an asset at one timestamp"]


@pytest.mark.parametrize(
    "values", [TICKERS * T, [1001, 1002, 1003, 1004] * T, pd.Categorical(TICKERS * T), [1.0, 2.0, 3.0, 4.0] * T]
)
def test_columns_of_assets(values):
    whole = likely({"x": RNG.normal(size=4 * T), "ticker": values})
    assert whole == (None if isinstance(values[0], float) else "ticker")


def test_assets_that_come_and_go():
    kept = RNG.random(4 * T) < 0.7
    frame = pd.DataFrame({"ticker": np.array(TICKERS * T)[kept]})
    assert likely(frame, RANKS[kept]) == "ticker"


@pytest.mark.parametrize(
    "values",
    [
        RNG.choice(TICKERS, 4 * T),  # twice at some timestamps
        [f"row {i}" for i in range(4 * T)],  # each once
        np.repeat(TICKERS, T),
        [None, *(TICKERS * T)[1:]],
        RNG.normal(size=4 * T),
    ],
)
def test_other_columns(values):
    assert likely({"x": values}) is None


def test_few_timestamps_of_each_asset_are_too_little_evidence():
    names = [f"A{i}" for i in range(40)]
    assert likely({"x": names * 9}, np.repeat(np.arange(9), 40)) is None
    assert likely({"x": names * 10}, np.repeat(np.arange(10), 40)) == "x"


def test_a_series_has_no_assets():
    assert likely({"x": TICKERS * T}, np.arange(4 * T)) is None


def test_two_rows_a_day_may_differ_by_chance():
    ranks = np.repeat(np.arange(20), 2)
    assert likely({"x": np.r_[np.tile(["a", "b"], 10), np.tile(["c", "d"], 10)]}, ranks) is None


def test_levels_of_the_index():
    index = pd.MultiIndex.from_product([pd.date_range("2024-01-01", periods=T), TICKERS], names=["date", "ticker"])
    assert likely({"x": RNG.normal(size=4 * T)}, index=index) == "ticker"
