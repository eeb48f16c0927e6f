"""The path of alphas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning

from skpapers.convex import (
    ConvexReLUClassifier,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
    convex_relu_path,
)
from tests.convex._objective import loss_of, penalty_of

OPTIONS = {"n_gates": 30, "n_refine": 0, "tol": 1e-5, "random_state": 0}


@pytest.mark.parametrize("activation", ["relu", "gated_relu"])
def test_a_path_has_the_models_of_single_fits(activation):
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(activation, **OPTIONS)
    alphas, models, gaps = convex_relu_path(model, X, y, alphas=5, eps=0.05)
    assert_allclose(alphas, np.geomspace(alphas[0], 0.05 * alphas[0], 5))
    assert models[0].n_active_neurons_ == 0
    for alpha, one, gap in zip(alphas, models, gaps, strict=True):
        cold = clone(model).set_params(alpha=alpha).fit(X, y)
        assert one.gap_ == gap <= 1e-5
        assert_allclose(one.objective_, cold.objective_, rtol=2e-5)
        assert_allclose(one.alpha_max_, alphas[0])


@pytest.mark.parametrize(
    ("estimator", "options", "error", "match"),
    [
        (ConvexReLURegressorCV(), {}, TypeError, "must be a ConvexReLUClassifier or a ConvexReLURegressor, got"),
        (ConvexReLURegressor("gelu"), {}, ValueError, "'activation' parameter"),
        (ConvexReLURegressor(solver="sgd"), {}, ValueError, "'solver' parameter"),
        (ConvexReLURegressor(), {"eps": 0}, ValueError, "eps must be above 0 and below 1, got 0"),
        (ConvexReLURegressor(), {"eps": 5}, ValueError, "eps must be above 0 and below 1, got 5"),
    ],
)
def test_a_path_names_what_is_wrong(estimator, options, error, match):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(error, match=match):
        convex_relu_path(estimator, X, y, **options)


def test_a_path_shares_its_time():
    X, y = load_diabetes(return_X_y=True)
    model = ConvexReLURegressor(**OPTIONS | {"time_limit": 1e-9})
    with pytest.warns(ConvergenceWarning, match="time_limit=1e-09 s ended the fit") as caught:
        _, models, gaps = convex_relu_path(model, X, y, alphas=[10.0, 0.1, 0.01])
    assert [warning.filename for warning in caught] == [__file__] * 2
    assert gaps[0] == 0.0
    assert (gaps[1:] > OPTIONS["tol"]).all()
    assert [one.converged_ for one in models] == [True, False, False]


def test_a_path_of_neurons_that_serve_several_classes():
    X, y = load_iris(return_X_y=True)
    model = ConvexReLUClassifier(n_gates=30, n_refine=1, random_state=0)
    alphas, models, gaps = convex_relu_path(model, X, y, alphas=4, eps=0.02)
    assert np.all(gaps <= model.tol)
    for alpha, one in zip(alphas, models, strict=True):
        assert_allclose(loss_of(one, X, y) + penalty_of(one, X, alpha), one.objective_, rtol=1e-9)
        assert one.gates_.shape[1] > one.neuron_gates_.max(initial=0)
