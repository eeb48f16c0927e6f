"""Merge equal rows, so that a row repeated k times and a row of weight k become the same arrays, bit for bit.

Sums of float64 depend in their last bits on the order and the grouping of the terms, and among trees that are equally
good these bits decide which one is found. So merged and weighted rows also get an order that their values fix. Distinct
rows without weights need neither, and stay as they are.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Odd constants of the golden ratio and of splitmix64.
_SEED = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0xBF58476D1CE4E5B9)


class TrainingRows(NamedTuple):
    """Rows for the solver. `place` is the index of the row that replaces each given row; None if no row was merged."""

    X: NDArray[np.float64]
    y: NDArray
    weight: NDArray[np.float64] | None = None
    place: NDArray[np.intp] | None = None

    @property
    def total(self) -> float:
        """Total weight."""
        return float(len(self.X) if self.weight is None else self.weight.sum())

    def of_all(self, values: NDArray) -> NDArray:
        """Return the values of the given rows, from those of the rows here."""
        return values if self.place is None else values[self.place]


def merge_equal_rows(X: NDArray[np.float64], y: NDArray, weight: NDArray[np.float64] | None) -> TrainingRows:
    """Merge rows that are equal in X and y; a merged row has the total weight of its rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features in C order. NaN equals NaN.

    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    weight : ndarray of shape (n_samples,) or None
        Positive weights; None for ones.

    Returns
    -------
    rows : TrainingRows
        The rows in the order of a hash of their values. If all weights are equal, `weight` is None and the rows keep
        the order in which they came.
    """
    n = len(X)
    targets = np.ascontiguousarray(y.reshape(n, -1), dtype=np.float64)
    hashes = _hash_rows(X, X.view(np.uint64), targets, targets.view(np.uint64))
    if weight is None:
        ordered = np.sort(hashes)
        if (ordered[1:] != ordered[:-1]).all():
            return TrainingRows(X, y)
    order = np.argsort(hashes)
    place, total = _merge(X, targets, np.ones(n) if weight is None else weight, order)
    first = np.empty(len(total), np.intp)
    first[place[order]] = order
    if total.min() == total.max():
        first = np.sort(np.unique(place, return_index=True)[1])
        new_place = np.empty(len(first), np.intp)
        new_place[place[first]] = np.arange(len(first))
        return TrainingRows(X[first], y[first], None, new_place[place])
    return TrainingRows(X[first], y[first], total, place)


@njit(cache=True, nogil=True)
def _hash_rows(X, bits_of_X, y, bits_of_y):
    """Hash each row by itself. Equal rows have equal hashes: 0.0 equals -0.0, and NaN has one value."""
    n = len(X)
    hashes = np.empty(n, np.uint64)
    for i in range(n):
        h = _SEED
        for j in range(X.shape[1]):
            h = _mix(h, X[i, j], bits_of_X[i, j])
        for j in range(y.shape[1]):
            h = _mix(h, y[i, j], bits_of_y[i, j])
        hashes[i] = h
    return hashes


@njit(cache=True, nogil=True)
def _mix(h, value, bits):
    """Mix one value into a hash."""
    if value == 0.0:
        bits = np.uint64(0)
    elif np.isnan(value):
        bits = np.uint64(1)
    h = (h ^ bits) * _FACTOR
    return h ^ (h >> np.uint64(29))


@njit(cache=True, nogil=True)
def _merge(X, y, weight, order):
    """Return for each row the place of its merged row, and the weights of the merged rows.

    Rows of one hash are compared value by value: a hash shared by different rows does no harm.
    """
    n = order.size
    place = np.empty(n, np.intp)
    total = np.zeros(n)
    rest = np.zeros(n)  # what rounding leaves of the totals: k rows of a weight get k times this weight
    m = -1
    for k in range(n):
        row = order[k]
        if k == 0 or not _are_equal(X, y, row, order[k - 1]):
            m += 1
        before = total[m]
        total[m] = before + weight[row]
        added = total[m] - before
        rest[m] += (before - (total[m] - added)) + (weight[row] - added)
        place[row] = m
    return place, total[: m + 1] + rest[: m + 1]


@njit(cache=True, nogil=True)
def _are_equal(X, y, i, j):
    """Whether two rows have the same values; NaN equals NaN."""
    same = True
    for k in range(X.shape[1]):
        same &= X[i, k] == X[j, k] or (np.isnan(X[i, k]) and np.isnan(X[j, k]))
    for k in range(y.shape[1]):
        same &= y[i, k] == y[j, k]
    return same
