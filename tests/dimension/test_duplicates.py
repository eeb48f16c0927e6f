"""Distinct rows, against numpy's unique rows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skpapers.dimension import _duplicates
from skpapers.dimension._duplicates import distinct_rows


def first_occurrences(X):
    seen = {}
    for i, row in enumerate((X + 0.0).tolist()):
        seen.setdefault(tuple(row), i)
    return sorted(seen.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_first_occurrences(dtype, kind):
    X = np.random.default_rng(0).integers(-1, 2, size=(300, 5)).astype(dtype)
    assert_array_equal(distinct_rows(kind(X)), first_occurrences(X))


def test_zeros_of_either_sign_are_equal_and_columns_are_not_exchanged():
    assert_array_equal(distinct_rows(np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]])), [0, 2])


def test_sparse_rows_that_store_zeros_or_an_entry_twice():
    stored = sparse.csr_array((np.array([1.0, 0.0, 1.0, 0.5, 0.5]), np.array([0, 1, 0, 0, 0]), [0, 2, 3, 5]), (3, 2))
    before = stored.copy()
    assert_array_equal(distinct_rows(stored), [0])
    assert stored.nnz == before.nnz


def test_rows_of_one_hash_are_compared(monkeypatch):
    monkeypatch.setattr(_duplicates, "_hashes", lambda X: np.zeros(X.shape[0], np.uint64))
    assert_array_equal(distinct_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])), [0, 1])


def test_many_copies_of_one_row(monkeypatch):
    monkeypatch.setattr(_duplicates, "CHUNK", 7)
    X = np.ones((100, 3))
    X[50] = 2.0
    assert_array_equal(distinct_rows(X), [0, 50])
