"""Products in which every row is computed alone."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._row_products import ROUNDING, network_outputs, open_gates, row_products


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


@pytest.mark.parametrize("n", [1, 3, 4, 10])
@pytest.mark.parametrize(("m", "c"), [(0, 2), (1, 1), (7, 1), (8, 3)])
@pytest.mark.parametrize("gated", [False, True])
def test_outputs_are_those_of_the_network_row_by_row(n, m, c, gated):
    rng = np.random.default_rng(n)
    X, center, W, b, G = (rng.normal(size=size) for size in ((n, 5), 5, (5, m), m, (6, m)))
    out, intercept = rng.normal(size=(m, c)), rng.normal(size=c)
    hidden = (X - center) @ W + b
    opened = (X - center) @ G[:5] + G[5] > 0 if gated else hidden > 0
    found = network_outputs(X, center, W, b, G if gated else None, out, intercept)
    assert_allclose(found, (hidden * opened) @ out + intercept, atol=1e-12)
    for i in range(n):
        assert_array_equal(network_outputs(X[i:], center, W, b, G if gated else None, out, intercept), found[i:])


def test_gates_are_judged_by_the_size_of_all_terms_of_the_row():
    rng = np.random.default_rng(0)
    X, G = rng.normal(size=(200, 4)) * 10.0 ** rng.integers(-6, 7, size=(200, 4)), rng.normal(size=(5, 9))
    factor = 10.0 ** rng.uniform(-3, 3, size=(200, 9))  # of the slab in which gates are closed
    for i in range(200):
        G[4] = 0.0
        size = np.abs(X[i]) @ np.abs(G[:4])
        G[4] = factor[i] * ROUNDING * size - row_products(X[i : i + 1], G[:4])[0]
        place = row_products(X[i : i + 1], G[:4])[0] + G[4]
        assert_array_equal(open_gates(X[i : i + 1], G)[0], place > ROUNDING * (size + np.abs(G[4])))
