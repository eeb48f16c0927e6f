"""The inner layout of scikit-learn's trees: the private names of its tree modules stand here and nowhere else.

`read` opens a fitted model into a list of `Nodes`, one a tree; `write` puts new node values into the same model.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.tree import BaseDecisionTree

from skpapers.tree._hierarchical_shrinkage import Nodes, fill_from_leaves

GRADIENT_BOOSTING = (GradientBoostingClassifier, GradientBoostingRegressor)


class SklearnTrees:
    """Decision trees, and ensembles whose members are decision trees."""

    def __init__(self, model: Any, X: Any = None, sample_weight: Any = None) -> None:
        self.trees = [tree.tree_ for tree in _decision_trees(model)]
        self.boosted = isinstance(model, GRADIENT_BOOSTING)

    def read(self) -> list[Nodes]:
        """Return the trees; boosted ones with inner nodes recomputed, since scikit-learn resets their leaves alone."""
        return [self._nodes(tree) for tree in self.trees]

    def _nodes(self, tree: Any) -> Nodes:
        left, right = tree.children_left, tree.children_right
        weight, value = tree.weighted_n_node_samples, tree.value.reshape(tree.node_count, -1)
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
            # Each leaf answers with its own index for once: there is no other way to ask for it.
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


def _decision_trees(model: Any) -> Iterator[BaseDecisionTree]:
    if isinstance(model, BaseDecisionTree):
        yield model
    else:
        yield from np.ravel(np.asarray(model.estimators_, dtype=object))
