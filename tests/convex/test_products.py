"""Products on packed bits against those of the matrix they stand for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.convex._gates import locate, patterns, unique_patterns
from skpapers.convex._products import adjoint, forward, gram, pack, unpack


def setting(n, d, P):
    rng = np.random.default_rng(n)
    D = rng.random((n, P)) < 0.5
    return D, pack(D), rng.normal(size=(n, d)), rng


@pytest.mark.parametrize("n", [1, 7, 31, 32, 33, 100])
def test_bits_come_back(n):
    D, B, _, _ = setting(n, 1, 5)
    assert_array_equal(unpack(B, n), D)


@pytest.mark.parametrize("P", [3, 200])  # few patterns and many go different ways
@pytest.mark.parametrize(("n", "d", "c"), [(5, 2, 1), (33, 9, 3), (1000, 17, 2)])
def test_products_are_those_of_the_matrix(n, d, c, P):
    D, B, X, rng = setting(n, d, P)
    A = (D[:, :, np.newaxis] * X[:, np.newaxis, :]).reshape(n, P * d)
    U, W = rng.normal(size=(n, c)), rng.normal(size=(P, d, c))
    assert_allclose(adjoint(B, X, U), (A.T @ U).reshape(P, d, c), atol=1e-10)
    assert_allclose(forward(B, X, W), A @ W.reshape(P * d, c), atol=1e-10)
    rows, columns, weight = np.array([2, 0]), np.array([0, 1, 2]), rng.normal(size=n)
    full = (A.T @ (weight[:, np.newaxis] * A)).reshape(P, d, P, d).transpose(0, 2, 1, 3)
    assert_allclose(gram(B, X, weight, rows, columns), full[np.ix_(rows, columns)], atol=1e-10)


def test_patterns_keep_the_first_gate_of_each_and_none_that_is_empty():
    X = np.array([[1.0, 1.0], [-2.0, 1.0], [3.0, 1.0]])
    G = np.array([[1.0, 0.0, 2.0, -1.0, 0.0], [0.0, -1.0, 0.0, 0.0, 1.0]])
    B, kept = patterns(X, G)
    assert_array_equal(kept, [0, 3, 4])
    assert_array_equal(unpack(B, 3), [[1, 0, 1], [0, 1, 1], [1, 0, 1]])


def test_patterns_are_found_again():
    D, B, _, _ = setting(70, 1, 40)
    B, kept = unique_patterns(np.concatenate([B, B[:, :7]], axis=1))
    assert_array_equal(kept, np.arange(40))
    assert_array_equal(locate(B, pack(D[:, [5, 3]])), [5, 3])
    assert_array_equal(locate(B, pack(np.ones((70, 1), dtype=bool))), [-1])
