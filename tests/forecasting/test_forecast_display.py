"""The plots hold what the estimator says."""

import warnings

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.forecasting import AlignmentDisplay, DAFForecaster, ForecastDisplay
from tests.forecasting.test_daf_forecaster import HISTORY, HORIZON, fitted, two_domains

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_a_forecast():
    X, y, _ = two_domains()
    model = fitted(quantiles=(0.9, 0.1))
    display = ForecastDisplay.from_estimator(model, X, y, row=3)
    history, truth, forecast = display.ax_.lines[:3]
    assert_array_equal(history.get_ydata(), X[3])
    assert_array_equal(history.get_xdata(), np.arange(1 - HISTORY, 1))
    assert_array_equal(truth.get_ydata(), y[3])
    assert_allclose(forecast.get_ydata(), model.predict(X)[3])
    assert_array_equal(forecast.get_xdata(), np.arange(1, HORIZON + 1))
    assert_allclose(display.interval, model.predict_quantiles(X)[3][:, ::-1])
    assert "80 % interval" in display.ax_.get_legend_handles_labels()[1]
    figure, ax = plt.subplots()
    display.plot_attention(ax=ax)
    assert display.figure_ is figure
    assert_allclose(ax.images[0].get_array(), model.attention_maps(X[[3]]).extrapolation[0].mean(axis=0))


def test_other_domains_and_one_number():
    X, _, _ = two_domains()
    display = ForecastDisplay.from_estimator(fitted(), X, row=2, sample_domain=1.0)
    assert display.interval is display.truth is None
    assert_allclose(display.forecast, fitted().predict(X[[2]], sample_domain=[1.0])[0])
    with pytest.raises(ValueError, match="no attention weights"):
        ForecastDisplay([1.0], [2.0]).plot_attention()


def test_shapes():
    with pytest.raises(ValueError, match=r"truth must have shape \(2,\)"):
        ForecastDisplay([1.0], [1.0, 2.0], truth=[1.0])
    with pytest.raises(ValueError, match=r"history must have 1 dimension"):
        ForecastDisplay([[1.0]], [1.0])
    with pytest.raises(ValueError, match=r"interval must have shape \(1, 2\)"):
        ForecastDisplay([1.0], [1.0], interval=[1.0])


def test_alignment():
    X, _, domain = two_domains()
    model = fitted(early_stopping=False)
    display = AlignmentDisplay.from_estimator(model, X[100:], domain[100:], max_points=50)
    assert [ax.get_title() for ax in display.axes_] == ["before", "after"]
    for source, target in display.points_:
        assert source.shape == target.shape == (50, 2)
    both = np.concatenate([display.source[1], display.target[1]])
    points = np.concatenate(display.points_[1])
    singular = np.linalg.svd(both - both.mean(axis=0), compute_uv=False)
    assert_allclose(np.linalg.norm(points, axis=0), singular[:2])
    with pytest.raises(ValueError, match="the target and one source"):
        AlignmentDisplay.from_estimator(model, X, np.ones(len(X)))


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_keep_their_names(library):
    X, y, domain = two_domains()
    names = [f"lag{i}" for i in range(X.shape[1])]
    frame = library.DataFrame(dict(zip(names, X.T, strict=True)))
    model = DAFForecaster(d_model=4, max_iter=1, adaptation_iter=1, random_state=0).fit(frame, y, sample_domain=domain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = ForecastDisplay.from_estimator(model, frame, y, row=2)
        aligned = AlignmentDisplay.from_estimator(model, frame, domain)
    assert_array_equal(display.history, X[2])
    assert_allclose(display.forecast, model.predict(frame)[2])
    queries = model.queries(frame, sample_domain=-1.0)[np.asarray(domain) < 0]
    assert_allclose(aligned.target[1], queries.reshape(-1, 4)[: len(aligned.target[1])])
