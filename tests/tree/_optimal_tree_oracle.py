"""What an optimal tree is, written out: every tree is looked at, and a solution is recomputed from its arrays.

A set of rows is an int, one bit a row. The only economy is that no set is solved twice at one depth.
"""

import math

import numpy as np


def _set_of(mask):
    return sum(1 << int(i) for i in np.flatnonzero(mask))


def _cuts(X):
    """Return the pairs (feature, rows that go left) that a threshold and a side for NaN can make of all rows."""
    cuts = {}
    for j in range(X.shape[1]):
        missing = np.isnan(X[:, j])
        for value in np.unique(X[~missing, j]):
            left = X[:, j] <= value  # False for NaN; at the largest value this is "NaN against the rest"
            for rows in (left, left | missing):
                cuts[j, _set_of(rows)] = None
    return list(cuts)


class _Enumeration:
    """Every tree on every set of rows that splits can reach."""

    def __init__(self, X, target, weight, loss, min_samples_leaf, leaf_cost, monotonic_cst):
        self.n = len(X)
        self.target = target
        self.weight = np.ones(self.n) if weight is None else weight
        self.loss = loss
        self.min_samples_leaf = min_samples_leaf
        self.leaf_cost = leaf_cost
        self.monotonic_cst = [0] * X.shape[1] if monotonic_cst is None else [int(cst) for cst in monotonic_cst]
        self.cuts = _cuts(X)
        self.constrained = any(self.monotonic_cst)
        if not self.constrained:
            self.cuts = list(dict.fromkeys((0, left) for _, left in self.cuts))
        self.slack = 1e-9 * float(np.ptp(target)) if loss == "squared_error" else 1e-9
        self._leaf = {}
        self._best = {}
        self._front = {}
        self._by_leaves = {}

    def leaf(self, rows):
        """Return the objective and the value of one leaf (the value is needed for monotonic constraints only)."""
        if rows not in self._leaf:
            inside = [i for i in range(self.n) if rows >> i & 1]
            cost = leaf_loss(self.target[inside], self.weight[inside], self.loss) + self.leaf_cost
            value = leaf_value(self.target[inside], self.weight[inside], self.loss) if self.constrained else None
            self._leaf[rows] = cost, value
        return self._leaf[rows]

    def splits(self, rows):
        for feature, cut in self.cuts:
            left = rows & cut
            right = rows & ~cut
            if left and right and min(left.bit_count(), right.bit_count()) >= self.min_samples_leaf:
                yield feature, left, right

    def best(self, rows, depth):
        """Return the least objective of a tree on these rows."""
        if (rows, depth) not in self._best:
            least = self.leaf(rows)[0]
            if depth:
                for _, left, right in self.splits(rows):
                    least = min(least, self.best(left, depth - 1) + self.best(right, depth - 1))
            self._best[rows, depth] = least
        return self._best[rows, depth]

    def by_leaves(self, rows, depth):
        """Return for 1, 2, ... leaves the least objective of a tree on these rows with so many leaves at most."""
        if (rows, depth) not in self._by_leaves:
            least = [self.leaf(rows)[0]] * 2**depth
            if depth:
                for _, left, right in self.splits(rows):
                    for i, cost_l in enumerate(self.by_leaves(left, depth - 1)):
                        for j, cost_r in enumerate(self.by_leaves(right, depth - 1)):
                            least[i + j + 1] = min(least[i + j + 1], cost_l + cost_r)
            self._by_leaves[rows, depth] = np.minimum.accumulate(least).tolist()
        return self._by_leaves[rows, depth]

    def front(self, rows, depth):
        """Return (objective, least value, largest value, leaves) of every admissible tree that none betters.

        The splits above see no more of a tree than these four numbers.
        """
        if (rows, depth) not in self._front:
            cost, value = self.leaf(rows)
            trees = {(cost, value, value, 1)}
            if depth:
                for feature, left, right in self.splits(rows):
                    sign = self.monotonic_cst[feature]
                    for cost_l, low_l, high_l, leaves_l in self.front(left, depth - 1):
                        for cost_r, low_r, high_r, leaves_r in self.front(right, depth - 1):
                            rises = high_l <= low_r + self.slack
                            falls = low_l >= high_r - self.slack
                            if sign == 0 or (sign == 1 and rises) or (sign == -1 and falls):
                                ends = min(low_l, low_r), max(high_l, high_r)
                                trees.add((cost_l + cost_r, *ends, leaves_l + leaves_r))
            kept = []
            for cost, low, high, leaves in sorted(trees):
                if not any(low <= other[1] and other[2] <= high and other[3] <= leaves for other in kept):
                    kept.append((cost, low, high, leaves))
            self._front[rows, depth] = kept
        return self._front[rows, depth]


def leaf_loss(target, weight, loss):
    """Return the weighted loss of the rows of one leaf."""
    if loss == "misclassification":
        by_class = np.bincount(target, weights=weight)
        return float(by_class.sum() - by_class.max())
    mean = np.average(target, axis=0, weights=weight)
    return float((weight[:, np.newaxis] * (target - mean) ** 2).sum())


def leaf_value(target, weight, loss):
    """Return what a monotonic constraint compares: the mean, or the fraction of class 1."""
    return float(np.average(target if loss == "misclassification" else target[:, 0], weights=weight))


def optimal_objective(
    X, target, weight=None, *, loss, max_depth, min_samples_leaf=1, leaf_cost=0.0, monotonic_cst=None
):
    """Return the least total loss plus cost of leaves among all admissible trees, by looking at every one.

    Leaf values that differ by rounding alone count as equal where a constraint compares them.
    """
    search = _Enumeration(X, target, weight, loss, min_samples_leaf, leaf_cost, monotonic_cst)
    everything = (1 << len(X)) - 1
    if search.constrained:
        return min(search.front(everything, max_depth))[0]
    return search.best(everything, max_depth)


def optimal_objective_of_depth_two(X, target, weight=None, *, loss, min_samples_leaf=1, leaf_cost=0.0):
    """Return the same for depth two and X without NaN: sums over sorted rows allow some hundred rows.

    Looks at every pair of splits below every root split, or at leaves in their place.
    """
    weight = np.ones(len(X)) if weight is None else weight
    if loss == "misclassification":
        sums = weight[:, np.newaxis] * np.eye(target.max() + 1)[target]
    else:
        centred = target - np.average(target, axis=0, weights=weight)
        squares = (centred**2).sum(axis=1, keepdims=True)
        sums = weight[:, np.newaxis] * np.hstack([np.ones((len(X), 1)), centred, squares])

    def losses(a):
        if loss == "misclassification":
            return a.sum(axis=1) - a.max(axis=1)
        return a[:, -1] - (a[:, 1:-1] ** 2).sum(axis=1) / a[:, 0]

    def best_split(rows):
        least = losses(sums[rows].sum(axis=0, keepdims=True))[0] + leaf_cost
        for x in X[rows].T:
            order = np.argsort(x, kind="stable")
            left = np.cumsum(sums[rows[order]], axis=0)
            size = np.arange(1, len(rows))
            allowed = (np.diff(x[order]) > 0) & (np.minimum(size, len(rows) - size) >= min_samples_leaf)
            if allowed.any():
                split = losses(left[:-1][allowed]) + losses(left[-1] - left[:-1][allowed])
                least = min(least, split.min() + 2 * leaf_cost)
        return least

    least = losses(sums.sum(axis=0, keepdims=True))[0] + leaf_cost
    for x in X.T:
        for value in np.unique(x)[:-1]:
            left = np.flatnonzero(x <= value)
            right = np.flatnonzero(x > value)
            if min(len(left), len(right)) >= min_samples_leaf:
                least = min(least, best_split(left) + best_split(right))
    return float(least)


def fewest_leaves(
    X, target, weight=None, *, loss, max_depth, min_samples_leaf=1, leaf_cost=0.0, monotonic_cst=None, tie=1e-12
):
    """Return the fewest leaves of a tree whose objective is the least there is, up to `tie` times the scale of losses.

    The scale is the loss of the root, or the weight of all rows where classes are counted.
    """
    search = _Enumeration(X, target, weight, loss, min_samples_leaf, leaf_cost, monotonic_cst)
    everything = (1 << len(X)) - 1
    if search.constrained:
        trees = [(cost, leaves) for cost, _, _, leaves in search.front(everything, max_depth)]
    else:
        trees = list(zip(search.by_leaves(everything, max_depth), range(1, 2**max_depth + 1), strict=True))
    scale = search.weight.sum() if loss == "misclassification" else objective_scale(X, target, weight, loss)
    least = min(trees)[0] + tie * scale
    return min(leaves for cost, leaves in trees if cost <= least)


def objective_scale(X, target, weight, loss):
    """Return the loss of the root: rounding errors are measured against it."""
    return leaf_loss(target, np.ones(len(X)) if weight is None else weight, loss)


def rows_of_nodes(solution, X):
    """Return for every node the indices of the rows that reach it, routed in float64."""
    rows = [None] * len(solution.feature)
    rows[0] = np.arange(len(X))
    for node, feature in enumerate(solution.feature):
        if solution.children_left[node] == -1:
            continue
        x = X[rows[node], feature]
        left = np.where(np.isnan(x), solution.missing_go_to_left[node], x <= solution.threshold[node])
        rows[solution.children_left[node]] = rows[node][left]
        rows[solution.children_right[node]] = rows[node][~left]
    return rows


def depth_of_nodes(solution):
    """Return the depth of every node; fails where the arrays are not one tree in depth-first order."""
    left = solution.children_left
    right = solution.children_right
    depth = np.full(len(left), -1)
    seen = []

    def walk(node, level):
        assert 0 <= node < len(left), f"node {node} is not in the tree"
        assert depth[node] == -1, f"node {node} has two parents"
        seen.append(node)
        depth[node] = level
        assert (left[node] == -1) == (right[node] == -1), f"node {node} has one child"
        if left[node] != -1:
            walk(int(left[node]), level + 1)
            walk(int(right[node]), level + 1)

    walk(0, 0)
    assert seen == list(range(len(left))), f"nodes are not in depth-first order, left first: {seen}"
    return depth


def _check_arrays(solution):
    dtypes = {
        "children_left": np.int64,
        "children_right": np.int64,
        "feature": np.int64,
        "threshold": np.float64,
        "missing_go_to_left": np.bool_,
    }
    for name, dtype in dtypes.items():
        array = getattr(solution, name)
        assert array.dtype == dtype, f"{name} is {array.dtype}"
        assert array.shape == solution.children_left.shape, f"{name} has shape {array.shape}"
    leaf = solution.children_left == -1
    assert np.all(solution.children_right[leaf] == -1)
    assert np.all(solution.feature[leaf] == -2)
    assert np.all(solution.threshold[leaf] == -2.0)
    assert np.all(solution.feature[~leaf] >= 0)


def _check_split(x, weight, threshold, missing_go_to_left, node):
    """The threshold of one split is the canonical one for its rows, and so is the side of NaN."""
    missing = np.isnan(x)
    below = x[~missing & (x <= threshold)]
    above = x[~missing & (x > threshold)]
    if not len(below) or not len(above):
        assert missing.any(), f"node {node}: a split leaves one side empty"
        assert threshold == math.inf, f"node {node}: NaN against the rest has threshold {threshold}"
        assert not missing_go_to_left, f"node {node}: NaN against the rest sends NaN left"
        return
    lower = below.max()
    upper = above.min()
    middle = lower / 2 + upper / 2
    if lower < middle < upper:
        assert abs(threshold - middle) <= 2 * np.spacing(max(abs(lower), abs(upper))), (
            f"node {node}: threshold {threshold!r} between {lower!r} and {upper!r}"
        )
    else:
        assert threshold == lower, f"node {node}: threshold {threshold!r} where the middle rounds, {lower!r}, {upper!r}"
    if not missing.any():
        weight_left = weight[x <= threshold].sum()
        weight_right = weight[x > threshold].sum()
        if abs(weight_left - weight_right) > 1e-9 * weight.sum() or weight_left == weight_right:
            assert missing_go_to_left == (weight_left >= weight_right), f"node {node}: NaN goes with the lighter side"


def check_solution(
    solution,
    X,
    target,
    weight=None,
    *,
    loss,
    max_depth,
    min_samples_leaf=1,
    leaf_cost=0.0,
    monotonic_cst=None,
    lookahead=None,
):
    """A solution is an admissible tree, its thresholds are canonical and its numbers are its own."""
    if weight is None:
        weight = np.ones(len(X))
    _check_arrays(solution)
    assert depth_of_nodes(solution).max() <= max_depth
    rows = rows_of_nodes(solution, X)
    leaves = np.flatnonzero(solution.children_left == -1)
    for node in np.flatnonzero(solution.children_left != -1):
        feature = solution.feature[node]
        assert feature < X.shape[1]
        _check_split(
            X[rows[node], feature],
            weight[rows[node]],
            solution.threshold[node],
            solution.missing_go_to_left[node],
            node,
        )
    if len(leaves) > 1:  # a root that cannot be split is a leaf however few rows there are
        fewest = min(len(rows[leaf]) for leaf in leaves)
        assert fewest >= max(1, min_samples_leaf), f"a leaf has {fewest} rows"
    assert np.array_equal(np.sort(np.concatenate([rows[leaf] for leaf in leaves])), np.arange(len(X)))

    root = leaf_loss(target, weight, loss)
    slack = 1e-9 * root + 1e-9 * leaf_cost + 1e-12
    total = sum(leaf_loss(target[rows[leaf]], weight[rows[leaf]], loss) for leaf in leaves) + leaf_cost * len(leaves)
    assert abs(solution.objective - total) <= slack, f"objective {solution.objective!r}, but the tree has {total!r}"
    assert abs(solution.root_loss - (root + leaf_cost)) <= slack, f"root_loss {solution.root_loss!r}"
    assert solution.objective <= solution.root_loss + slack, "a single leaf is better"
    if lookahead is None or lookahead >= max_depth:
        assert solution.lower_bound <= solution.objective + slack, f"bound {solution.lower_bound!r} over {total!r}"
    else:
        assert math.isnan(solution.lower_bound)
    assert solution.n_nodes_explored >= 0
    if monotonic_cst is not None:
        _check_monotone(solution, rows, target, weight, loss, monotonic_cst)


def _check_monotone(solution, rows, target, weight, loss, monotonic_cst):
    slack = 1e-9 * float(np.ptp(target)) if loss == "squared_error" else 1e-9

    def values(node):
        """Return the values of the leaves under a node, checking the splits on the way."""
        if solution.children_left[node] == -1:
            return [leaf_value(target[rows[node]], weight[rows[node]], loss)]
        left = values(solution.children_left[node])
        right = values(solution.children_right[node])
        sign = monotonic_cst[solution.feature[node]]
        assert sign != 1 or max(left) <= min(right) + slack, f"node {node} falls: {left}, {right}"
        assert sign != -1 or min(left) >= max(right) - slack, f"node {node} rises: {left}, {right}"
        return left + right

    values(0)
