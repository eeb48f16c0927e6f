"""Local and global maximum-likelihood estimates against loops, and their standard errors against new draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skpapers.datasets import make_manifold
from skpapers.dimension._maximum_likelihood import (
    aggregate,
    inverse_dimensions,
    mean_log_likelihood,
    standard_error,
    without_each_neighbor,
)
from skpapers.dimension._neighbors import nearest_rows
from tests.dimension._neighbors import positive


def neighborhoods(X, depth):
    T, neighbors = nearest_rows(X, depth + 1)
    return T[:, 1:], neighbors[:, 1:]


@pytest.mark.parametrize("k", [2, 3, 7, 10])
def test_the_inverse_dimension_is_the_equation(k):
    T = positive(np.random.default_rng(0).normal(size=(40, 3)), 10)
    expected = [sum(np.log(row[k - 1] / row[j]) for j in range(k - 1)) / (k - 1) for row in T]
    assert_allclose(inverse_dimensions(T, k), expected, rtol=1e-12)


def test_the_other_divisor_scales_the_estimate():
    T = positive(np.random.default_rng(0).normal(size=(40, 3)), 10)
    for k in (3, 10):
        ratio = aggregate(inverse_dimensions(T, k, 2), "harmonic") / aggregate(inverse_dimensions(T, k), "harmonic")
        assert_allclose(ratio, (k - 2) / (k - 1), rtol=1e-12)


def test_aggregates():
    inverse = np.array([0.5, 0.25, 0.1])
    assert_allclose(aggregate(inverse, "harmonic"), 3 / 0.85)
    assert_allclose(aggregate(inverse, "mean"), 16 / 3)
    assert_allclose(aggregate(inverse, "median"), 4.0)


def test_without_a_neighbour_is_the_estimate_of_the_remaining_rows():
    X = np.random.default_rng(0).normal(size=(30, 3))
    T, neighbors = neighborhoods(X, 6)
    found = without_each_neighbor(T, 5)
    for x in (0, 7):
        for place, j in enumerate(neighbors[x, :5]):
            rest = np.delete(X, j, axis=0)
            T_rest, _ = neighborhoods(rest, 5)
            assert_allclose(found[x, place], inverse_dimensions(T_rest, 5)[x - (j < x)], rtol=1e-12)


@pytest.mark.parametrize("aggregation", ["harmonic", "mean"])
@pytest.mark.parametrize("offset", [1, 2])
def test_the_standard_error_is_the_jackknife_over_rows(aggregation, offset):
    """Estimates without each row, made anew, enter the sum of squares; the slope of 1 / Z is that at Z."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    k = 4
    T, neighbors = neighborhoods(X, k + 1)
    found = standard_error(T, neighbors, np.arange(60), 60, k, offset, aggregation)

    def mean(rows):
        v = inverse_dimensions(neighborhoods(rows, k)[0], k, offset)
        return (v if aggregation == "harmonic" else 1 / v).mean()

    Z = mean(X)
    squares = sum((Z - mean(np.delete(X, j, axis=0))) ** 2 for j in range(60))
    slope = 1 / Z**2 if aggregation == "harmonic" else 1.0
    assert_allclose(found, slope * np.sqrt(squares), rtol=1e-10)


def test_the_standard_error_with_anchors_is_the_jackknife_over_rows():
    X = np.random.default_rng(1).normal(size=(60, 3))
    k = 4
    T, neighbors = neighborhoods(X, k + 1)
    anchors = np.array([3, 10, 11, 40])
    found = standard_error(T[anchors], neighbors[anchors], anchors, 60, k, 1, "harmonic")
    Z = inverse_dimensions(T[anchors], k).mean()
    squares = 0.0
    for j in range(60):
        v = inverse_dimensions(neighborhoods(np.delete(X, j, axis=0), k)[0], k)
        rest = [a - (j < a) for a in anchors if a != j]
        squares += (Z - v[rest].mean()) ** 2
    assert_allclose(found, np.sqrt(squares) / Z**2, rtol=1e-10)


@pytest.mark.parametrize(
    ("aggregation", "offset", "most"), [("harmonic", 1, 2.5), ("mean", 2, 2.5), ("median", 2, 3.5)]
)
@pytest.mark.parametrize("n_anchors", [300, 60])
def test_the_standard_error_bounds_the_spread_over_draws(aggregation, offset, most, n_anchors):
    """By Efron and Stein it is no smaller on average; it should not be useless either."""
    found = []
    for seed in range(60):
        X, _ = make_manifold(300, 3, 5, random_state=seed)
        T, neighbors = neighborhoods(X, 11)
        anchors = np.arange(n_anchors)
        T = T[:n_anchors]
        error = standard_error(T, neighbors[:n_anchors], anchors, 300, 10, offset, aggregation)
        found.append((aggregate(inverse_dimensions(T, 10, offset), aggregation), error))
    estimates, errors = np.array(found).T
    ratio = np.sqrt(np.mean(errors**2)) / estimates.std(ddof=1)
    assert 0.85 < ratio < most  # 60 draws know the spread to 10 %


def test_no_standard_error_of_one_anchor_or_without_a_further_neighbour():
    T = positive(np.random.default_rng(0).normal(size=(30, 3)), 5)
    places = np.zeros(T.shape, dtype=np.intp)
    assert np.isnan(standard_error(T, places, np.arange(30), 30, 5, 1, "harmonic"))
    assert np.isnan(standard_error(T[:1], places[:1], np.arange(1), 30, 4, 1, "harmonic"))


def test_the_likelihood_is_largest_at_the_estimate():
    T = positive(np.random.default_rng(0).normal(size=(40, 3)), 10)
    best = aggregate(inverse_dimensions(T, 10), "harmonic")
    at_best = mean_log_likelihood(T, 10, best)
    assert at_best > max(mean_log_likelihood(T, 10, best * factor) for factor in (0.98, 1.02))
    u = T[:, :9] / T[:, 9:]
    assert_allclose(at_best, np.log(best * u ** (best - 1)).mean(), rtol=1e-10)
