"""The inner layout of scikit-learn's trees. The private names of its tree modules are used in this file only.

`read` opens a fitted model into a list of `Nodes`, one a tree; `write` puts new node values into the same model.
`build_tree` makes a `Tree` of splits that scikit-learn did not choose.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import NODE_DTYPE, Tree

from skpapers.tree._hierarchical_shrinkage import Nodes, fill_from_leaves
from skpapers.tree._tree_routing import NodeFacts, node_depths

GRADIENT_BOOSTING = (GradientBoostingClassifier, GradientBoostingRegressor)


class SklearnTrees:
    """Decision trees, and ensembles whose members are decision trees."""

    def __init__(self, model: Any, X: Any = None, sample_weight: Any = None) -> None:
        self.trees = [tree.tree_ for tree in _decision_trees(model)]
        self.boosted = isinstance(model, GRADIENT_BOOSTING)

    def read(self) -> list[Nodes]:
        """Return the trees; boosted ones with inner nodes recomputed, since scikit-learn resets their leaves only."""
        return [self._nodes(tree) for tree in self.trees]

    def _nodes(self, tree: Any) -> Nodes:
        left = tree.children_left
        right = tree.children_right
        weight = tree.weighted_n_node_samples
        value = tree.value.reshape(tree.node_count, -1)
        if self.boosted:
            weight, value = fill_from_leaves(left, right, weight, value)
        return Nodes(left, right, weight, value)

    def write(self, values: Sequence[NDArray]) -> None:
        """Set the node values of every tree."""
        for tree, value in zip(self.trees, values, strict=True):
            tree.value[...] = value.reshape(tree.value.shape)


class HistGradientBoostingTrees:
    """The predictors of scikit-learn's histogram gradient boosting."""

    def __init__(self, model: Any, X: Any, sample_weight: Any) -> None:
        self.predictors = [tree for stage in model._predictors for tree in stage]
        X = model._preprocess_X(X, reset=False)
        known = model._bin_mapper.make_known_categories_bitsets()
        self.leaf_weights = []
        for predictor in self.predictors:
            # A copy that predicts the index of each leaf: scikit-learn has no other way to get it.
            nodes = predictor.nodes.copy()
            nodes["value"] = np.arange(nodes.size)
            twin = type(predictor)(nodes, predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets)
            leaves = twin.predict(X, *known, n_threads=1).astype(np.intp)
            self.leaf_weights.append(np.bincount(leaves, weights=sample_weight, minlength=nodes.size))

    def read(self) -> list[Nodes]:
        """Return the trees with inner nodes recomputed from the leaves."""
        return [
            Nodes.from_leaves(
                np.where(tree.nodes["is_leaf"], -1, tree.nodes["left"].astype(np.int64)),
                np.where(tree.nodes["is_leaf"], -1, tree.nodes["right"].astype(np.int64)),
                weight,
                tree.nodes["value"],
            )
            for tree, weight in zip(self.predictors, self.leaf_weights, strict=True)
        ]

    def write(self, values: Sequence[NDArray]) -> None:
        """Set the node values of every tree."""
        for tree, value in zip(self.predictors, values, strict=True):
            tree.nodes["value"] = value[:, 0]


def build_tree(n_features: int, splits: Any, facts: NodeFacts) -> Tree:
    """Return a scikit-learn `Tree` of given splits and node values.

    Parameters
    ----------
    n_features : int
        Columns of the training rows.

    splits : tree of n_nodes nodes
        `children_left`, `children_right` (-1 at leaves), `feature` (-2 at leaves), `threshold` (-2.0 at leaves) and
        `missing_go_to_left`: arrays of shape (n_nodes,), a parent before its children.

    facts : NodeFacts
        Weights, values and impurities of the nodes.

    Returns
    -------
    tree : Tree
    """
    nodes = np.zeros(len(splits.feature), dtype=NODE_DTYPE)  # zeros between the fields, too: pickles agree
    nodes["left_child"] = splits.children_left
    nodes["right_child"] = splits.children_right
    for name in ("feature", "threshold", "missing_go_to_left"):
        nodes[name] = getattr(splits, name)
    for name in ("n_node_samples", "weighted_n_node_samples", "impurity"):
        nodes[name] = getattr(facts, name)
    n_outputs, n_classes = facts.value.shape[1:]
    tree = Tree(n_features, np.full(n_outputs, n_classes, dtype=np.intp), n_outputs)
    depth = int(node_depths(splits).max())
    values = np.ascontiguousarray(facts.value)
    tree.__setstate__({"max_depth": depth, "node_count": nodes.size, "nodes": nodes, "values": values})
    return tree


def _decision_trees(model: Any) -> Iterator[BaseDecisionTree]:
    if isinstance(model, BaseDecisionTree):
        yield model
    else:
        yield from np.ravel(np.asarray(model.estimators_, dtype=object))
