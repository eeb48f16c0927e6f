"""The leaf of each row, in float64, and the weights, values and impurities of the nodes of a tree.

scikit-learn's own `Tree` reads rows in float32; here a row goes left if its value itself is not above the threshold.
A tree is anything with `children_left`, `children_right`, `feature`, `threshold` and `missing_go_to_left` (arrays of
shape (n_nodes,), a parent before its children, -1 for the children of a leaf).
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Shares of classes that differ by less than this count as equal: rounding alone may make them differ.
EQUAL = 1e-12


class NodeFacts(NamedTuple):
    """What scikit-learn's trees store of every node besides its split.

    Parameters
    ----------
    n_node_samples : ndarray of shape (n_nodes,)
        Training rows in the node.

    weighted_n_node_samples : ndarray of shape (n_nodes,)
        Their weight.

    value : ndarray of shape (n_nodes, n_outputs, n_classes)
        Weighted means (one "class"), or the classes' shares of the weight.

    impurity : ndarray of shape (n_nodes,)
        The criterion.
    """

    n_node_samples: NDArray
    weighted_n_node_samples: NDArray
    value: NDArray
    impurity: NDArray


def route(X: NDArray, tree: Any) -> NDArray[np.intp]:
    """Return the leaf of every row; a missing value goes where its node sends missing values."""
    return _route(
        np.ascontiguousarray(X, np.float64),
        np.ascontiguousarray(tree.children_left, np.int64),
        np.ascontiguousarray(tree.children_right, np.int64),
        np.ascontiguousarray(tree.feature, np.int64),
        np.ascontiguousarray(tree.threshold, np.float64),
        np.ascontiguousarray(tree.missing_go_to_left, np.bool_),
    )


@njit(cache=True, nogil=True)
def _route(X, left, right, feature, threshold, missing_left):
    leaves = np.empty(len(X), np.intp)
    for i in range(len(X)):
        node = 0
        while left[node] >= 0:
            x = X[i, feature[node]]
            goes_left = not x > threshold[node] if missing_left[node] else x <= threshold[node]
            node = left[node] if goes_left else right[node]
        leaves[i] = node
    return leaves


def node_depths(tree: Any) -> NDArray[np.intp]:
    """Return the number of splits above every node."""
    depth = np.zeros(len(tree.children_left), dtype=np.intp)
    for node, (left, right) in enumerate(zip(tree.children_left.tolist(), tree.children_right.tolist(), strict=True)):
        if left >= 0:
            depth[left] = depth[node] + 1
            depth[right] = depth[node] + 1
    return depth


def paths(X: NDArray, tree: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the nodes on the path of every row, root first, as `indices` and `indptr` of a CSR matrix."""
    depth = node_depths(tree)
    table = np.full((depth.size, depth.max() + 1), -1, dtype=np.intp)
    table[0, 0] = 0
    for node in np.flatnonzero(tree.children_left >= 0):
        for child in (tree.children_left[node], tree.children_right[node]):
            table[child] = table[node]
            table[child, depth[child]] = child
    leaves = route(X, tree)
    nodes = table[leaves]
    return nodes[nodes >= 0], np.concatenate([[0], np.cumsum(depth[leaves] + 1)])


def describe_regression(X: NDArray, y: NDArray, centred: NDArray, weight: NDArray | None, tree: Any) -> NodeFacts:
    """Return weighted means and squared errors (the mean over the outputs) of every node.

    Squares are taken of residuals only, so that targets far from 0 lose nothing.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)

    y : ndarray of shape (n_samples, n_outputs)

    centred : ndarray of shape (n_samples, n_outputs)
        The outputs less their means, in a unit in which squares are no larger than 1: that of the impurities.

    weight : ndarray of shape (n_samples,) or None

    tree : tree of n_nodes nodes

    Returns
    -------
    facts : NodeFacts
        `value` of shape (n_nodes, n_outputs, 1).
    """
    leaves = route(X, tree)
    n_nodes = len(tree.children_left)
    count = np.bincount(leaves, minlength=n_nodes)
    total = np.bincount(leaves, weights=weight, minlength=n_nodes).astype(np.float64)

    def average(column: NDArray) -> NDArray:
        sums = np.bincount(leaves, weights=column if weight is None else weight * column, minlength=n_nodes)
        return np.divide(sums, total, out=np.zeros(n_nodes), where=total > 0)

    def mean(column: NDArray) -> NDArray:
        first = average(column)
        return first + average(column - first[leaves])  # corrects the rounding of sums far from 0

    exponent = np.frexp(np.abs(y).max(axis=0))[1]  # no sum is too large to be a number
    value = np.zeros((n_nodes, y.shape[1]))
    place = np.zeros((n_nodes, y.shape[1]))
    spread = np.zeros(n_nodes)
    for k, column in enumerate(np.ldexp(y, -exponent).T):
        value[:, k] = mean(column)
        place[:, k] = mean(centred[:, k])
        spread += average((centred[:, k] - place[leaves, k]) ** 2)
    spread *= total / y.shape[1]
    for node, left, right in _inner_nodes_upwards(tree):
        count[node] = count[left] + count[right]
        total[node] = total[left] + total[right]
        share = total[right] / total[node]
        value[node] = value[left] + share * (value[right] - value[left])
        step = place[right] - place[left]
        place[node] = place[left] + share * step
        spread[node] = spread[left] + spread[right] + total[left] * share * np.mean(step**2)
    return NodeFacts(count, total, np.ldexp(value, exponent)[:, :, np.newaxis], spread / total)


def describe_classification(
    X: NDArray, codes: NDArray, n_classes: int, weight: NDArray | None, tree: Any, criterion: str
) -> NodeFacts:
    """Return the classes' shares of the weight and the impurity of every node.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)

    codes : ndarray of int of shape (n_samples,)
        Classes as 0, ..., n_classes - 1.

    n_classes : int

    weight : ndarray of shape (n_samples,) or None

    tree : tree of n_nodes nodes

    criterion : {"misclassification", "gini"}
        One minus the largest share, or one minus the sum of their squares.

    Returns
    -------
    facts : NodeFacts
        `value` of shape (n_nodes, 1, n_classes).
    """
    leaves = route(X, tree)
    n_nodes = len(tree.children_left)
    count = np.bincount(leaves, minlength=n_nodes)
    cells = np.bincount(leaves * n_classes + codes, weights=weight, minlength=n_nodes * n_classes)
    by_class = cells.reshape(n_nodes, n_classes).astype(np.float64)
    for node, left, right in _inner_nodes_upwards(tree):
        count[node] = count[left] + count[right]
        by_class[node] = by_class[left] + by_class[right]
    total = by_class.sum(axis=1)
    share = by_class / total[:, np.newaxis]
    top = share.max(axis=1, keepdims=True)
    # If rounding alone makes the sums of classes differ, the first class is predicted, in any unit of the weights.
    share = np.where(share >= top * (1.0 - EQUAL), top, share)
    others = np.where(np.arange(n_classes) == share.argmax(axis=1)[:, np.newaxis], 0.0, share)
    missed = others.sum(axis=1)  # one minus the largest share would lose the digits of a small number
    impurity = (
        missed if criterion == "misclassification" else top[:, 0] * missed + (others * (1.0 - others)).sum(axis=1)
    )
    return NodeFacts(count, total, share[:, np.newaxis, :], impurity)


def importances(n_features: int, tree: Any, facts: NodeFacts) -> NDArray[np.float64]:
    """Return each feature's share of the impurity that the splits remove: scikit-learn's definition, never below 0.

    Parameters
    ----------
    n_features : int

    tree : tree of n_nodes nodes

    facts : NodeFacts
        In units in which the product of weight and impurity is neither too large nor too small to be a number.

    Returns
    -------
    importances : ndarray of shape (n_features,)
        They sum to 1, or are all 0 where nothing is removed.
    """
    removed = np.zeros(n_features)
    loss = facts.weighted_n_node_samples * facts.impurity
    for node, left, right in _inner_nodes_upwards(tree):
        removed[tree.feature[node]] += max(loss[node] - loss[left] - loss[right], 0.0)
    return removed / removed.sum() if removed.any() else removed


def _inner_nodes_upwards(tree: Any) -> list[tuple[int, int, int]]:
    """Return every inner node with its children, children's own splits first."""
    children = zip(tree.children_left.tolist(), tree.children_right.tolist(), strict=True)
    return [(node, left, right) for node, (left, right) in enumerate(children) if left >= 0][::-1]
