"""The neighbour search in sparse rows is exact, and takes no dense copy of the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skpapers.dimension import _sparse_neighbors
from skpapers.dimension._sparse_neighbors import nearest_sparse_rows
from tests.dimension._neighbors import brute_force

RNG = np.random.default_rng(0)
SPARSE = np.where(RNG.random((200, 9)) < 0.5, RNG.normal(size=(200, 9)), 0.0)
TABLES = {
    "normal": SPARSE,
    "float32": SPARSE.astype(np.float32),
    "offset": RNG.normal(size=(120, 4)) + 1e9,
    "large": SPARSE[:100] * 1e200,
    "small": SPARSE[:100] * 1e-200,
    "smallest": np.round(SPARSE[:100] * 9) * 5e-324,
    "one far row": np.vstack([SPARSE[:100], np.full(9, 1e12)]),
    "without entries": np.zeros((30, 3)),
}


@pytest.mark.parametrize("name", TABLES)
def test_neighbours_are_those_of_brute_force(name):
    X = TABLES[name]
    found, places = nearest_sparse_rows(sparse.csr_array(X), 6, sparse.csr_array(X[::3]))
    assert_allclose(found, brute_force(X, 6, X[::3]).astype(float), rtol=1e-12)
    assert_array_equal([len(set(row)) for row in places.tolist()], 6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_rows_at_equal_distances_the_first_count(dtype):
    X = RNG.integers(0, 2, size=(250, 8)).astype(dtype)
    expected = np.argsort(np.square(X[:, np.newaxis] - X).sum(axis=2), axis=1, kind="stable")
    for K in (4, 20):
        _, places = nearest_sparse_rows(sparse.csr_array(X), K, sparse.csr_array(X))
        assert_array_equal(places, expected[:, :K])


def test_most_queries_have_a_proof(monkeypatch):
    asked = []
    real = _sparse_neighbors._compared_with_all
    monkeypatch.setattr(_sparse_neighbors, "_compared_with_all", lambda *rest: asked.append(rest) or real(*rest))
    for name in ("normal", "float32"):
        X = sparse.csr_array(TABLES[name])
        nearest_sparse_rows(X, 6, X)
    assert not asked
    X = sparse.csr_array(TABLES["offset"])
    nearest_sparse_rows(X, 6, X)
    assert len(asked) == 120
