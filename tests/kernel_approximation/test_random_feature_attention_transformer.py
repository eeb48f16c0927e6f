"""Fourier features of unit rows and arc-cosine features: definitions, closed forms, unbiasedness."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import normalize

from skpapers.kernel_approximation import ArcCosineFeatures, RandomFourierAttentionFeatures
from tests.kernel_approximation._kernels import (
    arc_cosine_kernel,
    estimates,
    gaussian_kernel,
    rows_on_sphere,
    standard_errors_off,
)

X = np.random.default_rng(0).normal(size=(7, 5))
Y = np.random.default_rng(1).normal(size=(6, 5))


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("n_components", [1, 7, 12])
@pytest.mark.parametrize("gamma", [0.5, 1.5])
def test_fourier_features_are_unbiased(orthogonal, n_components, gamma):
    features = RandomFourierAttentionFeatures(n_components=n_components, gamma=gamma, orthogonal=orthogonal)
    kernel = gaussian_kernel(normalize(X), normalize(Y), gamma)
    found = estimates(features, X, Y, 200)
    assert standard_errors_off(found, kernel).max() < 4
    if n_components > 1:
        assert standard_errors_off(found, kernel + 0.2).max() > 6


def test_fourier_features_are_those_of_the_definition():
    for n_components in (6, 7):
        features = RandomFourierAttentionFeatures(n_components=n_components, random_state=0).fit(X)
        W = features.random_weights_.T
        U = normalize(Y) @ W.T
        phase = np.zeros(len(W))
        phase[-1] = features.phase_
        expected = np.hstack([np.sin(U[:, : n_components // 2]), np.cos(U + phase)]) * np.sqrt(2 / n_components)
        assert_allclose(features.transform(Y), expected, rtol=1e-12)
        assert (features.phase_ == 0) == (n_components % 2 == 0)


def test_the_length_of_a_row_does_not_count_for_fourier_features():
    features = RandomFourierAttentionFeatures(random_state=0).fit(X)
    found = features.transform(X)
    assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    for factor in (1e-300, 3.0, 1e150, 1e300):
        assert_allclose(features.transform(factor * X), found, rtol=1e-9, atol=1e-12)
    zero = features.transform(np.zeros((1, 5)))
    assert_allclose(zero[0], np.repeat([0.0, 1.0], 50) * np.sqrt(2 / 100))


@pytest.mark.parametrize("orthogonal", [False, True])
def test_arc_cosine_features_have_the_closed_form(orthogonal):
    found = estimates(ArcCosineFeatures(n_components=10, orthogonal=orthogonal), X, Y, 200)
    kernel = arc_cosine_kernel(X, Y)
    assert standard_errors_off(found, kernel).max() < 4
    assert standard_errors_off(found, 1.5 * kernel).max() > 6


def test_the_arc_cosine_kernel_at_angles_that_are_known():
    """1/2 with itself, 1 / (2 pi) at a right angle, 0 with the opposite, times both lengths."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [2.0, 0.0]])
    assert_allclose(arc_cosine_kernel(rows, rows)[0], [0.5, 0.5 / np.pi, 0.0, 1.0], atol=1e-12)
    F = ArcCosineFeatures(n_components=40_000, random_state=0).fit_transform(rows)
    assert_allclose(F @ F[0], [0.5, 0.5 / np.pi, 0.0, 1.0], atol=0.02)


def test_arc_cosine_features_double_with_the_row():
    features = ArcCosineFeatures(random_state=0).fit(X)
    assert_allclose(features.transform(2.0 * X), 2.0 * features.transform(X), rtol=1e-13)
    assert_allclose(features.transform(X), np.maximum(X @ features.random_weights_, 0) / 10.0, rtol=1e-12)


@pytest.mark.parametrize("cls", [RandomFourierAttentionFeatures, ArcCosineFeatures])
def test_orthogonal_frequencies_have_a_lower_error(cls):
    U = rows_on_sphere(6, 16, seed=3)
    V = rows_on_sphere(6, 16, seed=4)
    kernel = gaussian_kernel(U, V) if cls is RandomFourierAttentionFeatures else arc_cosine_kernel(U, V)
    error = [
        np.mean((estimates(cls(n_components=32, orthogonal=orthogonal), U, V, 150) - kernel) ** 2)
        for orthogonal in (True, False)
    ]
    assert error[0] < 0.9 * error[1]


def test_bad_parameters():
    for params in ({"gamma": 0.0}, {"gamma": "scale"}, {"n_components": 0}, {"orthogonal": "no"}):
        with pytest.raises(ValueError, match="parameter of RandomFourierAttentionFeatures must be"):
            RandomFourierAttentionFeatures(**params).fit(X)


def test_rows_without_a_direction_are_not_random():
    a = RandomFourierAttentionFeatures(random_state=0).fit(X)
    b = RandomFourierAttentionFeatures(random_state=1).fit(X)
    assert_array_equal(a.transform(np.zeros((2, 5))), b.transform(np.zeros((2, 5))))
