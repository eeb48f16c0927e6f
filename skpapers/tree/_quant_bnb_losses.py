"""The rows of a node, the settings of a problem, and the loss of a leaf.

A leaf is described by its statistics, the sums of its rows that its loss needs:

- two classes: W, the weight of the rows, and S, that of the second class less that of the first;
- more classes: W, and the weight of each class;
- squared error: W, the sums of w y for each output, and the sum of w y^2.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

# Kinds of loss.
TWO_CLASSES = 0
CLASSES = 1
SQUARED = 2
SQUARED_MULTI = 3


class Rows(NamedTuple):
    """The rows of one node: `order[f]` holds ``row << 1 | last of its value``; `base` names the row among all."""

    order: np.ndarray
    base: np.ndarray
    label: np.ndarray
    val: np.ndarray


class Settings(NamedTuple):
    """The problem: kind of loss, cost of a leaf, least improvement that counts, constraints."""

    kind: int
    n_classes: int
    weighted: bool  # whether val holds weights
    unit: bool  # whether they are all one
    leaf_cost: float
    margin: float
    tie: float
    value_tie: float
    min_leaf: int
    monotonic: np.ndarray


@njit(cache=True, nogil=True)
def leaf_loss(kind, a):
    """Loss of a leaf with statistics a: W and S; W and each class's weight; W, the sums of w y, and that of w y^2."""
    if kind == TWO_CLASSES:
        return 0.5 * (a[0] - abs(a[1]))
    if kind == CLASSES:
        return a[0] - a[1:].max()
    removed = 0.0
    for j in range(1, a.size - 1):
        removed += a[j] * a[j]
    return max(a[a.size - 1] - removed / a[0], 0.0) if a[0] > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def leaf_second(kind, a):
    """What decides between equal misclassification losses: the Gini impurity times the weight."""
    if kind == TWO_CLASSES:
        return 0.5 * (a[0] - a[1] * a[1] / a[0])
    if kind == CLASSES:
        return a[0] - (a[1:] * a[1:]).sum() / a[0]
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def leaf_value(kind, a):
    """The value that monotonic constraints compare: the mean, or the share of the second class."""
    if kind == TWO_CLASSES:
        return 0.5 + 0.5 * a[1] / a[0]
    return a[1] / a[0]


@njit(cache=True, nogil=True)
def add_rows(kind, weighted, order, start, stop, label, val, a):
    """Add the rows at the positions start, ..., stop - 1 of an order to the statistics a."""
    if kind <= CLASSES:
        for i in range(start, stop):
            row = order[i] >> 1
            w = val[row, 0] if weighted else 1.0
            a[0] += w
            if kind == CLASSES:
                a[1 + label[row]] += w
            else:
                a[1] += w if label[row] else -w
    else:
        m = val.shape[1]
        for i in range(start, stop):
            row = order[i] >> 1
            w = val[row, 0]
            square = 0.0
            a[0] += w
            for j in range(1, m):
                a[j] += val[row, j]
                square += val[row, j] * val[row, j]
            a[m] += square if w == 1.0 else square / w


@njit(cache=True, nogil=True)
def cost_of_leaf(rows, n, settings, width):
    """Cost of one leaf for all rows."""
    whole = np.zeros(width)
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    return leaf_loss(settings.kind, whole) + settings.leaf_cost


@njit(cache=True, nogil=True)
def value_of_leaf(rows, n, settings, width):
    """Value of one leaf for all rows."""
    whole = np.zeros(width)
    add_rows(settings.kind, settings.weighted, rows.order[0], 0, n, rows.label, rows.val, whole)
    return leaf_value(settings.kind, whole)
