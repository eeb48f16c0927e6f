"""ND and NRMSE against their formulas, and as scorers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score

from skpapers.forecasting import normalized_deviation, nrmse

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
def test_formulas(shape):
    y, p = RNG.normal(size=(2, *shape))
    assert_allclose(normalized_deviation(y, p), np.abs(y - p).sum() / np.abs(y).sum())
    assert_allclose(nrmse(y, p), np.sqrt(np.mean((y - p) ** 2)) / np.mean(np.abs(y)))


@pytest.mark.parametrize("metric", [normalized_deviation, nrmse])
def test_weights_are_repeated_rows(metric):
    y, p = RNG.normal(size=(2, 10, 2))
    n = RNG.integers(0, 4, size=10)
    expected = metric(np.repeat(y, n, axis=0), np.repeat(p, n, axis=0))
    assert_allclose(metric(y, p, sample_weight=n), expected)
    assert_allclose(metric(y, p, sample_weight=1e200 * n), expected)


@pytest.mark.parametrize("metric", [normalized_deviation, nrmse])
def test_zeros(metric):
    assert metric([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert metric([0.0, 0.0], [1.0, 0.0]) == np.inf


def test_shapes():
    with pytest.raises(ValueError, match="y_true has 2 outputs, and y_pred 3"):
        nrmse(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="inconsistent"):
        nrmse(np.ones(4), np.ones(3))


def test_scorers():
    X = RNG.normal(size=(30, 2))
    scorer = make_scorer(normalized_deviation, greater_is_better=False)
    scores = cross_val_score(LinearRegression(), X, X @ np.ones((2, 3)), scoring=scorer)
    assert_allclose(scores, 0.0, atol=1e-12)


@pytest.mark.parametrize("factor", [1e-200, 1e200, 8e307])
@pytest.mark.parametrize("metric", [normalized_deviation, nrmse])
def test_no_overflow(metric, factor):
    y = np.array([0.5, -1.0, 2.0])
    forecasts = np.array([0.25, -0.5, 1.5])
    weight = [1.0, 2.0, 0.5]
    expected = metric(y, forecasts, sample_weight=weight)
    with np.errstate(all="raise"):
        assert_allclose(metric(factor * y, factor * forecasts, sample_weight=weight), expected)
    assert_allclose(nrmse([1.0, 1.0], [1.0 + 2.0**-52, 1.0]), 2.0**-52 / 2**0.5)
