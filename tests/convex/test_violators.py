"""The search for violators against a fine grid and against its own definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._violators import _best_on_circle, violators


def on_circle(a, b, u, angles):
    return u @ np.maximum(np.outer(a, np.cos(angles)) + np.outer(b, np.sin(angles)), 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_angle_of_a_circle_is_found(seed):
    rng = np.random.default_rng(seed)
    a, b, u = rng.normal(size=(3, 12))
    if seed % 2:  # rows that one of the two directions does not see
        a[:3] = 0.0
        b[2:6] = 0.0
    value, cosine, sine = _best_on_circle(a, b, u, np.empty(12))
    assert_allclose(cosine**2 + sine**2, 1.0, rtol=1e-12)
    assert_allclose(u @ np.maximum(a * cosine + b * sine, 0.0), value, rtol=1e-10, atol=1e-12)
    grid = on_circle(a, b, u, np.linspace(-np.pi, np.pi, 100_001)).max()
    assert value >= grid - 1e-12
    assert value <= grid + 1e-3


@pytest.mark.parametrize("shared", [False, True])
def test_in_the_plane_the_worst_violator_is_found(shared):
    rng = np.random.default_rng(1)
    X, U = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    angles = np.linspace(-np.pi, np.pi, 20_001)
    hidden = np.maximum(X @ np.stack([np.cos(angles), np.sin(angles)]), 0.0)
    both = U.T @ hidden
    best = np.linalg.norm(both, axis=0).max() if shared else np.abs(both[1]).max()
    W, A, values = violators(X, U, None if shared else 1, np.random.RandomState(0), np.empty((0, 2)))
    assert_allclose(values[0], best, rtol=1e-4)
    assert_allclose(np.linalg.norm(W, axis=1), 1.0, rtol=1e-10)
    assert_allclose(np.linalg.norm(A, axis=1), 1.0, rtol=1e-10)
    second = np.maximum(X @ W.T, 0.0).T @ U
    assert_allclose((second * A).sum(axis=1), values, rtol=1e-10)
    assert np.all(np.diff(values) <= 0)


def test_circles_find_more_than_the_starts_and_keep_to_the_seed():
    rng = np.random.default_rng(2)
    X, U = rng.normal(size=(200, 8)), rng.normal(size=(200, 1))
    starts = rng.normal(size=(2000, 8))
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    first, again = (violators(X, U, 0, np.random.RandomState(0), starts[:3]) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert_array_equal(one, other)
    assert first[2][0] > 1.1 * np.abs(U[:, 0] @ np.maximum(X @ starts.T, 0.0)).max()
