"""What the claims about linear-time attention are measured on: no window sees its target's day, no control attends."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.claims._sequence_models import model
from benchmarks.claims.attention_market import FLOOR, LENGTH, PURGED, YEARS, panel, parts, past_means
from skpapers.datasets import make_weighted_mean

datasets = pytest.importorskip("skfolio.datasets")


@pytest.fixture(scope="module")
def log_returns():
    return np.log(datasets.load_sp500_dataset()).diff()


def test_windows_of_the_market_end_on_the_day_before_their_target(log_returns):
    data = panel()
    rng = np.random.default_rng(0)
    for i, j in zip(rng.integers(len(data.y), size=50), rng.integers(20, size=50), strict=True):
        day = log_returns.index[1 + LENGTH + i]
        before = log_returns.loc[log_returns.index < day].iloc[-LENGTH:]
        volatility = np.log(before.abs() + FLOOR)
        assert data.years[i] == day.year
        assert data.y[i, j] == pytest.approx(np.log(abs(log_returns.loc[day].iloc[j]) + FLOOR), abs=1e-12)
        np.testing.assert_allclose(data.X[i, j, :, 0], volatility.iloc[:, j], atol=1e-12)
        np.testing.assert_allclose(data.X[i, j, :, 1], before.iloc[:, j], atol=1e-12)
        np.testing.assert_allclose(data.X[i, j, :, 2], volatility.mean(axis=1), atol=1e-12)


def test_training_targets_lie_before_the_test_year_less_a_gap(log_returns):
    X, y, X_test, y_test = parts(2010)
    day = log_returns.index
    volatility = np.log(log_returns.abs() + FLOOR)
    tested = volatility[day.year == 2010].to_numpy()
    np.testing.assert_allclose(y_test, tested.ravel(), atol=1e-12)
    assert len(X_test) == len(y_test)
    allowed = volatility[(day.year < 2010) & (day.year >= 2010 - YEARS)].iloc[:-PURGED]
    trained = pd.DataFrame(y.reshape(-1, 20))
    assert len(X) == len(y)
    places = [np.flatnonzero(np.isclose(allowed.iloc[:, 0], first, atol=1e-12)) for first in trained[0]]
    assert all(len(found) >= 1 for found in places)
    np.testing.assert_allclose(trained.iloc[-1], allowed.iloc[places[-1][-1]], atol=1e-12)


def test_past_means_are_those_of_the_last_days():
    X = np.arange(2 * LENGTH * 3, dtype=float).reshape(2, LENGTH, 3)
    found = past_means(X)
    assert found.shape == (2, 6)
    np.testing.assert_array_equal(found[:, 0], X[:, -1, 0])
    np.testing.assert_allclose(found[:, 3], X[:, -5:, 2].mean(axis=1))
    np.testing.assert_allclose(found[:, 4], X[:, -22:, 0].mean(axis=1))


def test_the_control_without_attention_sees_the_last_step_alone():
    X, y = make_weighted_mean(64, 12, random_state=0)
    changed = X.copy()
    changed[:, :-1] += 1.0
    control = model("no attention", "regression", 0, pool="last", max_iter=2).fit(X, y)
    np.testing.assert_array_equal(control.predict(changed), control.predict(X))
    attending = model("softmax", "regression", 0, pool="last", max_iter=2).fit(X, y)
    assert np.abs(attending.predict(changed) - attending.predict(X)).max() > 1e-6
