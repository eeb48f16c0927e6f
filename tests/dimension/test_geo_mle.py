"""GeoMLE: its samples are those of searches of their own, and it has less bias than maximum likelihood."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from skpapers.datasets import make_manifold
from skpapers.dimension._geo_mle import PENALTY, _intercept, _sample, geo_mle, search_depth
from skpapers.dimension._maximum_likelihood import aggregate, inverse_dimensions
from skpapers.dimension._neighbors import nearest_rows


def neighborhoods(X, depth):
    T, neighbors = nearest_rows(X, depth + 1)
    return T[:, 1:], neighbors[:, 1:]


def test_the_neighbours_in_a_sample_are_those_of_a_search_in_it():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 3))
    T, neighbors = neighborhoods(X, search_depth(5))
    kept = np.zeros(200, dtype=bool)
    kept[rng.randint(200, size=200)] = True
    m, R = _sample(T, neighbors, kept, kept, 5)
    T_sample, _ = neighborhoods(X[kept], 10)
    expected = [aggregate(inverse_dimensions(T_sample, k), "harmonic") for k in range(5, 11)]
    assert_allclose(m, expected, rtol=1e-12)
    assert_allclose(R, T_sample[:, 4:].mean(axis=0), rtol=1e-12)


def test_the_intercept_is_that_of_weighted_ridge_regression():
    rng = np.random.RandomState(0)
    R = np.linspace(0.8, 1.2, 15)
    m = 5 - R + 0.1 * rng.normal(size=15)
    weights = rng.uniform(1, 10, size=15)
    ridge = Ridge(alpha=PENALTY, solver="cholesky").fit(np.column_stack([R, R**2]), m, sample_weight=weights)
    assert_allclose(_intercept(m, R, weights), ridge.intercept_, rtol=1e-8)


@pytest.mark.parametrize("d", [5, 20])
def test_its_bias_is_a_fraction_of_that_of_maximum_likelihood(d):
    X, _ = make_manifold(1000, d, 40, kind="nonlinear", random_state=0)
    T, neighbors = neighborhoods(X, search_depth(10))
    found, error = geo_mle(T, neighbors, np.arange(1000), 1000, 10, np.random.RandomState(0))
    plain = aggregate(inverse_dimensions(T, 10), "harmonic")
    assert abs(found - d) < 0.5 * abs(plain - d)
    assert 0.05 < error < 0.2 * d
    scaled, _ = geo_mle(1000 * T, neighbors, np.arange(1000), 1000, 10, np.random.RandomState(0))
    assert_allclose(scaled, found, rtol=1e-8)


def test_the_standard_error_is_no_smaller_than_half_of_the_spread_over_draws_and_no_larger_than_thrice():
    found = []
    for seed in range(25):
        X, _ = make_manifold(300, 3, 5, random_state=seed)
        T, neighbors = neighborhoods(X, search_depth(8))
        found.append(geo_mle(T, neighbors, np.arange(300), 300, 8, np.random.RandomState(seed)))
    estimates, errors = np.array(found).T
    assert 0.5 < errors.mean() / estimates.std(ddof=1) < 3.0


def test_too_few_rows_for_the_neighbours():
    X, _ = make_manifold(20, 2, 3, random_state=0)
    T, neighbors = neighborhoods(X, 19)
    with pytest.raises(ValueError, match='method="geomle" with n_neighbors=9'):
        geo_mle(T, neighbors, np.arange(20), 20, 9, np.random.RandomState(0))
