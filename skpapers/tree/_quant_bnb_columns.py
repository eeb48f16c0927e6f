"""Candidate features: the order of the rows by each column, sorted once for the whole search."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Columns(NamedTuple):
    """Candidate features: a column with missing values is two of them, NaN before all values and NaN after them."""

    order: NDArray[np.int32]
    column: NDArray[np.int64]
    missing_first: NDArray[np.bool_]


def make_columns(X: NDArray[np.float64]) -> Columns:
    """Sort every column; columns with a single value are left out."""
    n, p = X.shape
    order = np.empty((p, n), np.int32)
    extra = []
    columns = []
    missing_first = []
    k = 0
    for j in range(p):
        column = np.ascontiguousarray(X[:, j])
        rows = np.argsort(column)
        if _pack(rows, column, 0, order[k]) == 1:
            continue
        k += 1
        columns.append(j)
        missing_first.append(False)
        if np.isnan(column[rows[-1]]):
            known = n - np.count_nonzero(np.isnan(column))
            extra.append((j, rows, column, known))
    order = order[:k]
    if extra:
        order = np.concatenate([order, np.empty((len(extra), n), np.int32)])
        for j, rows, column, known in extra:
            _pack(rows, column, known, order[k])
            k += 1
            columns.append(j)
            missing_first.append(True)
    return Columns(order, np.array(columns, np.int64), np.array(missing_first, bool))


@njit(cache=True, nogil=True)
def _pack(order, column, start, out):
    """Rows in order from the position `start` on, wrapping round, each with a mark where a value ends."""
    n = order.size
    distinct = 0
    for k in range(n):
        i = start + k if start + k < n else start + k - n
        row = order[i]
        last = 1
        if k < n - 1:
            value = column[row]
            after = column[order[i + 1 if i + 1 < n else 0]]
            last = 0 if value == after or (np.isnan(value) and np.isnan(after)) else 1
        out[k] = row << 1 | last
        distinct += last
    return distinct
