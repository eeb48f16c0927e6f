"""The search for violators against a fine grid and against its own definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._violators import _best_on_circle, _sort, violators


def best_on_circle(a, b, u):
    floats = (np.empty(a.size) for _ in range(3))
    return _best_on_circle(a, b, u, *floats, *(np.empty(a.size, dtype=np.int64) for _ in range(2)))


def on_circle(a, b, u, angles):
    return u @ np.maximum(np.outer(a, np.cos(angles)) + np.outer(b, np.sin(angles)), 0.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_angle_of_a_circle_is_found(seed):
    rng = np.random.default_rng(seed)
    a, b, u = rng.normal(size=(3, 12))
    if seed % 2:  # rows that one of the two directions does not see
        a[:3] = 0.0
        b[2:6] = 0.0
    value, cosine, sine = best_on_circle(a, b, u)
    assert_allclose(cosine**2 + sine**2, 1.0, rtol=1e-12)
    assert_allclose(u @ np.maximum(a * cosine + b * sine, 0.0), value, rtol=1e-10, atol=1e-12)
    grid = on_circle(a, b, u, np.linspace(-np.pi, np.pi, 100_001)).max()
    assert value >= grid - 1e-12
    assert value <= grid + 1e-3


@pytest.mark.parametrize("kind", ["both zero", "one row", "no second", "crowded", "whole numbers"])
def test_the_best_angle_is_found_where_angles_coincide(kind):
    rng = np.random.default_rng(3)
    a, b, u = rng.normal(size=(3, 1 if kind == "one row" else 30))
    if kind == "both zero":
        a[:10], b[:10] = 0.0, 0.0
    elif kind == "one row":
        a[:] = 0.0
    elif kind == "no second":
        b[:] = 0.0
    elif kind == "crowded":  # tangents that differ by a millionth, and one far off
        a, b = 1e6 + a, 1e6 + b
        a[0] = -1e9
    else:
        a, b = np.round(a), np.round(b)
    value, cosine, sine = best_on_circle(a, b, u)
    size = np.abs(u) @ (np.abs(a) + np.abs(b))
    assert_allclose(u @ np.maximum(a * cosine + b * sine, 0.0), value, atol=1e-12 * size)
    assert value >= on_circle(a, b, u, np.linspace(-np.pi, np.pi, 100_001)).max() - 1e-12 * size


@pytest.mark.parametrize("spread", ["even", "tails", "crowded", "equal"])
def test_sorting_is_right_whatever_the_spread(spread):
    rng = np.random.default_rng(4)
    values = rng.normal(size=500)
    values = {
        "even": values,
        "tails": values * np.exp(20.0 * rng.normal(size=500)),
        "crowded": np.append(1.0 + 1e-9 * values, 1e150),
        "equal": np.round(values),
    }[spread]
    key, place, order = np.empty(values.size), *np.empty((2, values.size), dtype=np.int64)
    _sort(values, key, place, order)
    assert_array_equal(np.sort(order), np.arange(values.size))
    assert_array_equal(values[order], np.sort(values))


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


def test_one_feature_has_no_circles():
    rng = np.random.default_rng(5)
    X, U = np.abs(rng.normal(size=(30, 1))), rng.normal(size=(30, 1))
    W, A, values = violators(X, U, 0, np.random.RandomState(0), np.empty((0, 1)))
    assert_allclose(np.abs(W), 1.0)
    assert_allclose(values, A[:, 0] * (U.T @ np.maximum(X @ W.T, 0.0))[0])
