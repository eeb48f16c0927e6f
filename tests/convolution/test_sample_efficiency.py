"""Rotations: what gradient descent keeps and Adam does not; rows needed, by hand."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.stats import ortho_group
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skpapers.convolution import ConvNetClassifier, equivariance_gap, fit_perceptron
from skpapers.convolution._sample_efficiency import exponent_of_dimension, mean_interval, rows_needed
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


@pytest.mark.parametrize("rotation", [2 * np.eye(12), np.eye(11), np.ones(12)])
def test_other_matrices_are_refused(rotation):
    with pytest.raises(ValueError, match=r"rotation must be an orthogonal matrix of shape \(12, 12\)"):
        equivariance_gap(Ridge(), X, Y, rotation)


def test_rows_needed_by_hand():
    sizes = [10, 100, 1000]
    assert rows_needed(sizes, [0.5, 0.7, 0.9], 0.8) == pytest.approx(np.sqrt(100 * 1000))
    assert rows_needed(sizes, [0.5, 0.7, 0.9], 0.7) == pytest.approx(100)
    assert rows_needed(sizes, [0.5, 0.7, 0.9], 0.75) == pytest.approx(100 * 10**0.25)
    assert rows_needed(sizes, [0.5, 0.9, 0.6], 0.7) == pytest.approx(10 * 10**0.5)  # the first time
    assert rows_needed(sizes, [0.8, 0.7, 0.9], 0.7) == 10
    assert rows_needed(sizes, [0.5, 0.7, 0.9], 0.91) == np.inf
    assert rows_needed(sizes, [-np.inf, 0.7, 0.9], 0.7) == pytest.approx(100)


def test_intervals_are_those_of_student():
    values = np.random.default_rng(0).normal(size=(6, 3))
    mean, low, high = mean_interval(values, 0.9)
    expected = stats.t.interval(0.9, 5, loc=values.mean(axis=0), scale=stats.sem(values))
    assert np.allclose([low, high], expected)
    assert np.allclose(mean, values.mean(axis=0))
    assert np.isinf(mean_interval(values[:1], 0.9)[1:]).all()


def test_exponents_of_power_laws():
    dims = np.array([10, 20, 40])
    rows = np.array([dims**2.0, 3 * dims**2.0])
    assert np.allclose(exponent_of_dimension(dims, rows, 0.95), 2.0)
    slope, low, high = exponent_of_dimension(dims, np.array([dims**1.0, dims**2.0]), 0.95)
    assert slope == pytest.approx(1.5)
    assert low < 1 < 2 < high
    censored = np.where(rows == rows.max(), np.inf, rows)
    assert np.isnan(exponent_of_dimension(dims, censored, 0.95)).all()
    assert np.isnan(exponent_of_dimension([5], rows[:, :1], 0.95)).all()
