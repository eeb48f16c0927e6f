"""Products in which every row is computed alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._row_products import row_products


def one_by_one(X, W):
    """Add up the terms in the order of the columns, without numpy's sums."""
    out = np.zeros((len(X), W.shape[1]))
    for i in range(len(X)):
        for k in range(W.shape[1]):
            total = 0.0
            for j in range(X.shape[1]):
                total = total + float(X[i, j]) * float(W[j, k])
            out[i, k] = total
    return out


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize(("d", "m"), [(0, 3), (1, 1), (2, 7), (5, 0), (7, 16), (12, 33)])
def test_sums_are_in_the_order_of_the_columns_to_the_last_bit(n, d, m):
    rng = np.random.default_rng(n)
    X, W = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-8, 9, size=d), rng.normal(size=(d, m))
    assert_array_equal(row_products(X, W), one_by_one(X, W))
    assert_allclose(row_products(X, W), X @ W, atol=1e-6)


def test_a_row_does_not_depend_on_its_neighbours_or_on_memory():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(103, 11)), rng.normal(size=(11, 29))
    expected = row_products(X, W)
    assert_array_equal(np.vstack([row_products(row[np.newaxis], W) for row in X]), expected)
    for start in range(5):
        assert_array_equal(row_products(X[start:], W), expected[start:])
    assert_array_equal(row_products(X[::-1], W)[::-1], expected)
    assert_array_equal(row_products(np.asfortranarray(X), np.asfortranarray(W)), expected)
    assert_array_equal(row_products(X, W[:, ::-1])[:, ::-1], expected)
    for A in (X, W):
        A.flags.writeable = False
    assert_array_equal(row_products(X, W), expected)


def test_columns_of_weight_zero_are_as_if_they_were_not_there():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(20, 7)), rng.normal(size=(7, 5))
    at = [0, 1, 4, 7]
    assert_array_equal(row_products(np.insert(X, at, 1e200, axis=1), np.insert(W, at, 0.0, axis=0)), row_products(X, W))
