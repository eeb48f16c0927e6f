"""Merged rows: the same arrays for rows that are repeated and rows that are weighted, in any order."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier, _equal_rows
from skpapers.tree._equal_rows import merge_equal_rows

RNG = np.random.default_rng(0)
X = RNG.integers(0, 3, size=(40, 2)).astype(np.float64)
Y = RNG.integers(0, 2, size=(40, 1)).astype(np.float64)


def table_of(rows):
    """Return the merged rows and their weights in lexicographic order."""
    weight = np.ones(len(rows.X)) if rows.weight is None else rows.weight
    table = np.column_stack([rows.X, rows.y, weight])
    return table[np.lexsort(table.T)]


def test_each_row_once_with_its_number():
    rows = merge_equal_rows(X, Y, None)
    known, place, counts = np.unique(np.column_stack([X, Y]), axis=0, return_inverse=True, return_counts=True)
    expected = np.column_stack([known, counts])
    assert_array_equal(table_of(rows), expected[np.lexsort(expected.T)])
    assert_array_equal(rows.of_all(rows.X), X)
    assert_array_equal(rows.of_all(rows.y), Y)
    assert rows.total == 40.0
    assert len(np.unique(place)) == len(rows.X)


@pytest.mark.parametrize("seed", range(5))
def test_order_and_repetition_change_no_bit(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 3))
    y = rng.normal(size=(30, 2))
    times = rng.integers(1, 9, size=30)
    unit = rng.uniform()  # k rows of a weight w become one of weight k w, rounded once
    weighted = merge_equal_rows(X, y, times * unit)
    mixed = rng.permutation(np.repeat(np.arange(30), times))
    repeated = merge_equal_rows(X[mixed], y[mixed], np.full(len(mixed), unit))
    assert_array_equal(repeated.X, weighted.X)
    assert_array_equal(repeated.y, weighted.y)
    assert_array_equal(repeated.weight, weighted.weight)


def test_what_is_equal():
    X = np.array([[0.0, np.nan], [-0.0, np.nan], [0.0, 1.0], [0.0, np.nan], [5e-324, np.nan]])
    y = np.array([1, 1, 1, 2, 1])
    rows = merge_equal_rows(X, y, None)
    assert_array_equal(rows.place[1], rows.place[0])
    assert len(np.unique(rows.place)) == len(rows.X) == 4
    assert rows.y.dtype == y.dtype


def test_even_weights_are_none():
    assert merge_equal_rows(np.arange(6.0).reshape(-1, 1), np.arange(6), np.full(6, 0.1)).weight is None
    twice = np.repeat([3.0, 1.0, 4.0, 1.5, 9.0], 2).reshape(-1, 1)
    rows = merge_equal_rows(twice, twice, None)
    assert rows.weight is None
    assert_array_equal(rows.X[:, 0], [3.0, 1.0, 4.0, 1.5, 9.0])  # as they came, like rows of equal weights
    assert_array_equal(rows.of_all(rows.X), twice)


def test_distinct_rows_without_weights_stay_as_they_are():
    distinct = RNG.normal(size=(50, 2))
    rows = merge_equal_rows(distinct, distinct, None)
    assert rows.X is distinct
    assert rows.y is distinct
    assert rows.weight is None
    assert rows.place is None


def test_different_rows_of_one_hash_stay_apart(monkeypatch):
    monkeypatch.setattr(_equal_rows, "_hash_rows", lambda X, *rest: np.zeros(len(X), np.uint64))
    rows = merge_equal_rows(X, Y, None)
    assert_array_equal(rows.of_all(rows.X), X)
    assert_array_equal(rows.of_all(rows.y), Y)
    assert rows.total == 40.0


@pytest.mark.parametrize(
    "model",
    [
        QuantBnBTree(),
        QuantBnBTree(ccp_alpha=0.01),
        QuantBnBTree(3),
        QuantBnBTree(3, lookahead=2),
        QuantBnBTreeClassifier(class_weight={0: 0.3, 1: 0.7, 2: 1.1}),
        QuantBnBTreeClassifier(criterion="gini", class_weight="balanced"),
        QuantBnBTreeClassifier(3, class_weight="balanced"),
    ],
    ids=lambda model: repr(model).replace(" ", ""),
)
@pytest.mark.parametrize("seed", range(4))
def test_trees_of_many_ties_are_the_same(model, seed):
    """15 rows and 30 columns, as in scikit-learn's check of weights: many trees are equally good."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(15, 30))
    y = rng.integers(0, 3, size=15)
    times = rng.integers(1, 6, size=15)
    weighted = model.fit(X, y, sample_weight=times).tree_
    mixed = rng.permutation(np.repeat(np.arange(15), times))
    repeated = model.fit(X[mixed], y[mixed]).tree_
    for name in ("feature", "threshold", "children_left", "children_right"):
        assert_array_equal(getattr(weighted, name), getattr(repeated, name))
    assert_allclose(weighted.weighted_n_node_samples, repeated.weighted_n_node_samples, rtol=1e-13)
