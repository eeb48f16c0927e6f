"""Trees as the search writes them, and the solution as an estimator reads it: nodes, thresholds, loss and bound."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skpapers.tree._quant_bnb_columns import Columns

# A split: candidate feature, last row on the left, left branch, right branch. None is a leaf.
Tree = tuple[int, int, "Tree", "Tree"] | None


class Solution(NamedTuple):
    """A tree in depth-first order, left child first, with its cost and a bound on that of every admissible tree.

    `finished` says that the search ran to its end, `proved` that no tree is better: what it left out was left out
    because it cannot be, and not because of `tol` or the time limit. Then the bound is the objective.
    """

    children_left: NDArray[np.int64]
    children_right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_go_to_left: NDArray[np.bool_]
    loss: float
    objective: float
    lower_bound: float
    root_loss: float
    n_nodes_explored: int
    finished: bool
    proved: bool


def heap_to_tree(heap: NDArray[np.int64], i: int = 0) -> Tree:
    """A tree numbered as a heap, as nested tuples."""
    if i >= len(heap) or heap[i, 0] < 0:
        return None
    return int(heap[i, 0]), int(heap[i, 1]), heap_to_tree(heap, 2 * i + 1), heap_to_tree(heap, 2 * i + 2)


def tree_to_heap(tree: Tree, heap: NDArray[np.int64], i: int = 0) -> None:
    """Write nested tuples into a heap."""
    if tree is None:
        if i < len(heap):
            heap[i, 0] = -1
    else:
        heap[i] = tree[:2]
        tree_to_heap(tree[2], heap, 2 * i + 1)
        tree_to_heap(tree[3], heap, 2 * i + 2)


def make_solution(
    X: NDArray[np.float64],
    target: NDArray,
    w: NDArray[np.float64],
    loss: str,
    leaf_cost: float,
    columns: Columns,
    tree: Tree,
) -> Solution:
    """Lay a tree out in depth-first order, with thresholds halfway between the values of each node's rows."""
    nodes: list[list] = []
    losses: list[float] = []
    pending = [(tree, np.arange(len(target)), -1, 0)]
    while pending:
        node, rows, parent, side = pending.pop()
        if parent >= 0:
            nodes[parent][side] = len(nodes)
        if node is None or not nodes:
            lost = weight_lost(target, rows, w) if loss == "misclassification" else squared_error(target[rows], w[rows])
            if not nodes:
                root_loss = lost
        if node is None:
            losses.append(lost)
            nodes.append([-1, -1, -2, -2.0, False])
            continue
        f, row, left, right = node
        j = columns.column[f]
        left_rows, right_rows, threshold, missing_left = split_node(X, j, rows, X[row, j], columns.missing_first[f], w)
        if np.isnan(X[row, j]):
            left, right = right, left
        me = len(nodes)
        nodes.append([-1, -1, j, threshold, missing_left])
        pending += [(right, right_rows, me, 1), (left, left_rows, me, 0)]
    left_nodes, right_nodes, features, thresholds, missing = zip(*nodes, strict=True)
    return Solution(
        np.array(left_nodes, np.int64),
        np.array(right_nodes, np.int64),
        np.array(features, np.int64),
        np.array(thresholds, np.float64),
        np.array(missing, bool),
        float(np.sum(losses)),
        float(np.sum(losses) + leaf_cost * len(losses)),
        np.nan,
        float(root_loss + leaf_cost),
        0,
        True,
        True,
    )


def squared_error(y: NDArray, w: NDArray[np.float64]) -> float:
    """Weighted squared error of some rows around their mean."""
    mean = w @ y / w.sum()
    mean += w @ (y - mean) / w.sum()  # exact where all values are equal
    return float((w[:, None] * (y - mean) ** 2).sum())


@njit(cache=True, nogil=True)
def weight_lost(target, rows, w):
    """Weight of the rows outside their heaviest class."""
    by_class = np.zeros(target.max() + 1)
    for row in rows:
        by_class[target[row]] += w[row]
    by_class[by_class.argmax()] = 0.0  # not a difference of sums: 0 where all rows are of one class
    return by_class.sum()


@njit(cache=True, nogil=True)
def split_node(X, j, rows, value, missing_first, w):
    """Rows of a node that go left and right, the threshold, and whether NaN goes left.

    `value` is the last one on the left. If it is NaN, NaN alone was on the left; scikit-learn's trees say this the
    other way round: every value goes left, NaN right.
    """
    left = np.empty_like(rows)
    right = np.empty_like(rows)
    n_left = 0
    n_right = 0
    n_missing = 0
    after = np.inf
    w_left = 0.0
    w_right = 0.0
    for row in rows:
        x = X[row, j]
        if np.isnan(x):
            n_missing += 1
            is_left = missing_first and not np.isnan(value)
        else:
            is_left = np.isnan(value) or x <= value
        if is_left:
            left[n_left] = row
            n_left += 1
            w_left += w[row]
        else:
            right[n_right] = row
            n_right += 1
            w_right += w[row]
            if x < after:
                after = x
    threshold = np.inf
    if after < np.inf:
        threshold = 0.5 * value + 0.5 * after
        if not value <= threshold < after:
            threshold = value
    missing_left = missing_first and not np.isnan(value)
    if n_missing == 0:
        missing_left = w_left >= w_right
    return left[:n_left], right[:n_right], threshold, missing_left
