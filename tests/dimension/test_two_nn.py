"""TwoNN against its equation, and its influence function against small masses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.datasets import make_manifold
from skpapers.dimension._neighbors import nearest_rows
from skpapers.dimension._two_nn import KEPT, _Influence, two_nn, two_nn_error


def distances(n, seed=0):
    X, _ = make_manifold(n, 3, 5, random_state=seed)
    T, neighbors = nearest_rows(X, 4)
    return T[:, 1:], neighbors[:, 1:]


def test_the_slope_is_that_of_least_squares_through_the_origin():
    T, _ = distances(200)
    x = np.sort(np.log(T[:, 1] / T[:, 0]))[:180]
    y = -np.log(1 - np.arange(1, 181) / 200)
    assert_allclose(two_nn(T), np.linalg.lstsq(x[:, np.newaxis], y, rcond=None)[0][0], rtol=1e-12)


def test_exact_ratios_give_the_exact_dimension():
    for d in (1.5, 20.0):
        F = np.minimum(np.arange(1, 1001) / 1000, 0.9999)
        T = np.column_stack([np.ones(1000), (1 - F) ** (-1 / d)])
        assert_allclose(two_nn(T), d, rtol=1e-12)


def weighted_slope(x, mass):
    """Return the slope for a distribution of masses at ascending places."""
    G = np.concatenate([[0.0], np.cumsum(mass)[:-1]])
    inside = G < KEPT
    inside_mass = np.where(inside, np.minimum(mass, KEPT - G), 0.0)
    # the mean of L over the mass at x, which is exact for the continuous distribution
    L = -np.log1p(-np.minimum(G + inside_mass / 2, KEPT))
    return (inside_mass * x) @ L / ((inside_mass * x) @ x)


@pytest.mark.parametrize("z", [0.0, 0.05, 0.3, 0.75, 2.0])
def test_the_influence_is_the_change_by_a_small_mass(z):
    n = 20000
    x = -np.log1p(-(np.arange(n) + 0.5) / n) / 3.0  # dimension 3
    mass = np.full(n, 1 / n)
    small = 1e-3
    place = np.searchsorted(x, z)
    moved = weighted_slope(np.insert(x, place, z), np.insert(mass * (1 - small), place, small))
    change = (moved - weighted_slope(x, mass)) / small
    assert_allclose(_Influence(x)(np.array([z]))[0], change, rtol=0.02, atol=0.05)


def test_the_influence_has_mean_zero():
    T, _ = distances(5000)
    x = np.log(T[:, 1] / T[:, 0])
    assert abs(_Influence(x)(x).mean()) < 0.01


def test_the_standard_error_bounds_the_spread_over_draws():
    found = []
    for seed in range(80):
        T, neighbors = distances(300, seed)
        found.append((two_nn(T), two_nn_error(T, neighbors, np.arange(300), 300)))
    estimates, errors = np.array(found).T
    assert 0.85 < np.sqrt(np.mean(errors**2)) / estimates.std(ddof=1) < 2.5


def test_no_standard_error_of_few_anchors():
    T, neighbors = distances(200)
    assert np.isnan(two_nn_error(T[:19], neighbors[:19], np.arange(19), 200))
    assert np.isnan(two_nn_error(T[:, :2], neighbors[:, :2], np.arange(200), 200))
