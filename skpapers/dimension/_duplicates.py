"""Rows that occur more than once, found by a hash in a time that is linear in the size of the data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from skpapers.dimension._neighbor_kernels import hash_rows, hash_sparse_rows

# Rows that are compared at a time.
CHUNK = 1024


def distinct_rows(X: Any) -> NDArray[np.intp]:
    """Return the places of the first occurrence of every distinct row, ascending.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Rows of float32 or float64. Zeros of either sign are equal.
    """
    hashes = _hashes(X)
    order = np.argsort(hashes, kind="stable")
    first = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
    if first.all():
        return np.arange(X.shape[0])
    # the first row of each group of equal hashes; the order is stable, so that it is the first in X as well
    leaders = order[np.flatnonzero(first)[np.cumsum(first) - 1]]
    is_copy = np.zeros(X.shape[0], dtype=bool)
    others = order[~first]
    is_copy[others] = _equal(X, others, leaders[~first])
    return np.flatnonzero(~is_copy)


def _hashes(X: Any) -> NDArray[np.uint64]:
    numbers = X.data if issparse(X) else X
    integer = np.uint64 if numbers.dtype == np.float64 else np.uint32
    zeros = np.array([0.0, -0.0], dtype=numbers.dtype).view(integer)
    if not issparse(X):
        return hash_rows(np.ascontiguousarray(X).view(integer), zeros)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return hash_sparse_rows(X.data.view(integer), X.indices, X.indptr, zeros)


def _equal(X: Any, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether pairs of rows are equal: two rows may share a hash by chance."""
    found = np.empty(len(a), dtype=bool)
    for start in range(0, len(a), CHUNK):
        part = slice(start, start + CHUNK)
        differs = X[a[part]] != X[b[part]]
        found[part] = np.asarray(differs.sum(axis=1)).ravel() == 0
    return found
