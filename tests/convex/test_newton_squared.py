"""Newton steps by conjugate gradients, against FISTA alone and against derivatives by differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._fista_squared import fista_squared
from skpapers.convex._newton_squared import _newton, solve_squared


def problem(intercept, seed=0):
    """Return what both solvers take, in coordinates where the second moments of the features are diagonal."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=60)
    weight = rng.uniform(0.5, 2.0, size=60)
    weight /= weight.sum()
    D = (X @ rng.normal(size=(4, 12)) > 0).astype(float)
    y = y + 2 * np.maximum(X[:, 0], 0.0)
    spectrum, Q = np.linalg.eigh((X * weight[:, None]).T @ X)
    return (D, np.ascontiguousarray(D.T), X @ Q, y, weight, intercept), spectrum


def objective(data, W, alpha):
    D, _, X, y, weight, intercept = data
    u = ((D @ W) * X).sum(axis=1) - y
    u = u - weight @ u if intercept else u
    return 0.5 * weight @ u**2 + alpha * np.linalg.norm(W, axis=1).sum()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.3, 0.05, 0.005])
def test_the_optimum_is_that_of_fista_alone(intercept, alpha):
    data, spectrum = problem(intercept)
    W, slow = np.zeros((12, 4)), np.zeros((12, 4))
    n_iter, _ = solve_squared(*data, W, alpha, spectrum, 0.1, 1e-11, 10_000)
    many, _, gap = fista_squared(*data, slow, alpha, 0.1, 1e-11, 100_000)
    assert gap <= 1e-11
    assert n_iter < many
    assert_allclose(objective(data, W, alpha), objective(data, slow, alpha), rtol=0, atol=2e-11)
    assert_array_equal(W.any(axis=1), slow.any(axis=1))


@pytest.mark.parametrize("intercept", [True, False])
def test_steps_near_the_optimum_reach_it(intercept):
    data, spectrum = problem(intercept)
    best, alpha = np.zeros((12, 4)), 0.05
    solve_squared(*data, best, alpha, spectrum, 0.1, 1e-14, 10_000)
    least = objective(data, best, alpha)
    away = 1e-3 * np.random.default_rng(1).normal(size=best.shape)
    W = best + away * best.any(axis=1, keepdims=True)
    excess = objective(data, W, alpha) - least
    assert excess > 1e-7
    while excess > 1e-13:
        assert _newton(*data, W, alpha, spectrum)
        was, excess = excess, objective(data, W, alpha) - least
        assert excess < 0.2 * was  # conjugate gradients leave a share of the residual


def test_where_it_does_not_help_nothing_changes():
    data, spectrum = problem(True)
    W = np.zeros((12, 4))
    assert not _newton(*data, W, 0.1, spectrum)
    assert not W.any()
    solve_squared(*data, W, 0.05, spectrum, 0.1, 1e-15, 10_000)
    was = W.copy()
    for _ in range(5):
        if not _newton(*data, W, 0.05, spectrum):
            assert_array_equal(W, was)
        was = W.copy()
    assert_allclose(objective(data, W, 0.05), objective(data, was, 0.05), rtol=1e-14)


def test_a_neuron_that_would_turn_round_leaves():
    data, spectrum = problem(False)
    D, E, X, y, weight, _ = data
    W = np.zeros((12, 4))
    W[3] = 1e-3 * (E[3] * weight * (y @ X.T[0]) * X.T[0]).sum()  # small, and wrong beside the many below
    W[5:9] = np.linalg.lstsq(np.hstack([D[:, [j]] * X for j in range(5, 9)]), y, rcond=None)[0].reshape(4, 4)
    before = objective(data, W, 0.5)
    assert _newton(*data, W, 0.5, spectrum)
    assert objective(data, W, 0.5) < before
    assert not W[3].any()
