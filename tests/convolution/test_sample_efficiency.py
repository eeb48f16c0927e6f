"""Rotations: what gradient descent keeps and Adam does not."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skpapers.convolution import ConvNetClassifier, equivariance_gap, fit_perceptron
from skpapers.datasets import make_quadratic_halves

X, Y = make_quadratic_halves(150, 12, random_state=0)
U = ortho_group.rvs(12, random_state=0)
SWAPS = np.eye(12)[np.random.default_rng(0).permutation(12)]


def test_gradient_descent_is_equivariant_to_rotations():
    assert equivariance_gap(fit_perceptron, X, Y, U) < 1e-8
    assert np.abs(fit_perceptron(X, Y)(X)).max() > 1


def test_adam_is_equivariant_to_permutations_only():
    adam = partial(fit_perceptron, solver="adam", learning_rate=0.003)
    assert equivariance_gap(adam, X, Y, U) > 1e-2
    assert equivariance_gap(adam, X, Y, SWAPS) < 1e-8


def test_without_turned_weights_the_equality_is_lost():
    def fit(X, y, rotation):
        return fit_perceptron(X, y)

    assert equivariance_gap(fit, X, Y, U) > 1e-2


def test_turned_weights_start_at_the_same_function():
    first = fit_perceptron(X, Y, n_epochs=0)(X)
    assert np.abs(fit_perceptron(X @ U, Y, U, n_epochs=0)(X @ U) - first).max() < 1e-12
    state = torch.random.get_rng_state()
    assert np.array_equal(fit_perceptron(X, Y, n_epochs=1)(X), fit_perceptron(X, Y, n_epochs=1)(X))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_estimators_with_and_without_directions_of_their_own():
    assert equivariance_gap(Ridge(), X, Y, U) < 1e-10
    assert equivariance_gap(SVC(gamma=0.1, tol=1e-9), X, Y, U) < 1e-6
    assert equivariance_gap(LogisticRegression(l1_ratio=1.0, solver="liblinear", C=0.1), X, Y, U) > 1e-2
    pipeline = make_pipeline(StandardScaler(), Ridge())
    assert equivariance_gap(pipeline, X, Y, U) > 1e-4  # columns are scaled one by one
    assert not hasattr(pipeline[-1], "coef_")
    convolution = ConvNetClassifier((4,), image_shape=(2, 6), max_iter=5, random_state=0, device="cpu")
    assert equivariance_gap(convolution, X, Y, U) > 1e-2


@pytest.mark.parametrize(
    ("rotation", "reason"),
    [
        (2 * np.eye(12), "U U\\^T differs from the identity by 3"),
        (np.full((12, 12), np.nan), "U U\\^T differs from the identity by nan"),
        (np.eye(11), r"this one has shape \(11, 11\)"),
        (np.ones(12), r"this one has shape \(12,\)"),
    ],
)
def test_other_matrices_are_refused(rotation, reason):
    message = r"rotation must be an orthogonal matrix of shape \(12, 12\); " + reason
    with pytest.raises(ValueError, match=message):
        equivariance_gap(Ridge(), X, Y, rotation)
    with pytest.raises(ValueError, match=message):
        fit_perceptron(X, Y, rotation)


@pytest.mark.parametrize("rows", [X[:, 0], X[:0], np.where(X > 1, np.nan, X), X.reshape(-1, 2, 6)])
def test_rows_that_are_no_table_are_refused(rows):
    with pytest.raises(ValueError, match="X must be a table of finite numbers"):
        fit_perceptron(rows, Y)
    with pytest.raises(ValueError, match="X must be a table of finite numbers"):
        equivariance_gap(Ridge(), rows, Y, U)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 2 * Y - 1}, "y must hold a label 0 or 1 for each of the 150 rows"),
        ({"y": Y[1:]}, "y must hold a label 0 or 1 for each of the 150 rows"),
        ({"solver": "lbfgs"}, 'solver must be "sgd", "adam" or "adamw", not \'lbfgs\''),
        ({"width": 0}, "width must be an integer from 1, not 0"),
        ({"n_epochs": -1}, "n_epochs must be an integer from 0, not -1"),
        ({"batch_size": 2.5}, "batch_size must be an integer from 1, not 2.5"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fit_perceptron(**{"X": X, "y": Y, **change})


@pytest.mark.parametrize("fit", [Ridge, 3, "sgd"])
def test_what_cannot_be_fitted_is_refused(fit):
    with pytest.raises(TypeError, match=r"fit must be a function fit\(X, y, rotation\) or an estimator, not"):
        equivariance_gap(fit, X, Y, U)
