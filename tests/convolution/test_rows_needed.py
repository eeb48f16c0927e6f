"""Rows needed and their growth, by hand."""

import numpy as np
import pytest
from scipy import stats

from skpapers.convolution._rows_needed import exponent_of_dimension, mean_interval, rows_needed


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
