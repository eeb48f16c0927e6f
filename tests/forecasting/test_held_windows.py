"""Windows that are held back, against a count of the steps that horizons share."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skpapers._torch.rows import Rows
from skpapers.forecasting import make_windows
from skpapers.forecasting._held_windows import hold_back, overlapping

RNG = np.random.default_rng(0)


def rows_of(X, y):
    return Rows(X.reshape(len(X), X.shape[1], -1), y.reshape(len(y), -1), None, {"number": np.arange(len(X))})


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("horizon", [1, 3, 5])
def test_no_horizon_is_shared(step, horizon):
    X, y, groups, times = make_windows(RNG.normal(size=(40, 3)), 6, horizon, step=step)
    rest, held = hold_back(rows_of(X, y), 0.2)
    kept = rest.extra["number"]
    last = held.extra["number"]
    assert_array_equal(last, np.arange(len(X) - len(last), len(X)))
    assert len(last) == int(np.ceil(0.2 * len(X)))
    expected = []
    for i in range(len(X) - len(last)):
        mine = set(range(times[i] + 1, times[i] + 1 + horizon))
        others = [set(range(times[j] + 1, times[j] + 1 + horizon)) for j in last if groups[j] == groups[i]]
        if not any(mine & other for other in others):
            expected.append(i)
    assert_array_equal(kept, expected)


def test_other_series_and_constant_ones_do_not_overlap():
    X = RNG.normal(size=(10, 5))
    y = RNG.normal(size=(10, 3))
    assert len(hold_back(rows_of(X, y), 0.3)[0]) == 7
    ones = np.ones((10, 5))
    assert not overlapping(rows_of(ones, ones[:, :3]), rows_of(ones, ones[:, :3])).any()


def test_missing_values_are_recognised():
    series = RNG.normal(size=20)
    series[7] = np.nan
    X = np.lib.stride_tricks.sliding_window_view(series, 6)[:12]
    y = np.stack([series[i + 6 : i + 8] for i in range(12)])
    assert_array_equal(hold_back(rows_of(X, y), 0.2)[0].extra["number"], np.arange(8))


def rolling(horizon):
    series = RNG.normal(size=60)
    return *make_windows(series, 6, horizon)[:2], np.arange(60 - 6 - horizon + 1)


@pytest.mark.parametrize("of_X", ["f4", "f8"])
@pytest.mark.parametrize("of_y", ["f4", "f8"])
def test_single_precision_is_recognised(of_X, of_y):
    X, y, _ = rolling(4)
    rest, held = hold_back(rows_of(X.astype(of_X).astype("f8"), y.astype(of_y).astype("f8")), 0.2)
    assert len(held) == 11
    assert_array_equal(rest.extra["number"], np.arange(len(X) - 11 - 3))


@pytest.mark.parametrize("horizon", [1, 4])
def test_rows_in_any_order_and_repeated_rows(horizon):
    X, y, times = rolling(horizon)
    order = RNG.permutation(np.repeat(np.arange(len(X)), 2))
    rest, held = hold_back(rows_of(X[order], y[order]), 0.1)
    of_held = times[order][held.extra["number"]]
    expected = [i for i in range(len(order) - len(held)) if np.abs(times[order[i]] - of_held).min() >= horizon]
    assert 0 < len(expected) < len(order) - len(held)
    assert_array_equal(rest.extra["number"], expected)


def test_histories_cut_short_are_recognised():
    X, y, _ = rolling(4)
    X = X.copy()
    X[:, :3] = np.nan
    assert_array_equal(hold_back(rows_of(X, y), 0.2)[0].extra["number"], np.arange(len(X) - 11 - 3))


def test_windows_that_share_a_pattern_do_not_overlap():
    X = np.tile([0.0, 1.0, 0.0, 1.0, 0.0], (10, 1))
    y = np.column_stack([np.ones(10), np.zeros(10), 2.0 + np.arange(10)])  # moved by 2, the history is the same
    assert len(hold_back(rows_of(X, y), 0.3)[0]) == 7


def test_all_may_be_held():
    rest, held = hold_back(rows_of(RNG.normal(size=(2, 4)), RNG.normal(size=(2, 1))), 0.9)
    assert len(rest) == 0
    assert len(held) == 2
