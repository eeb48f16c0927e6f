"""The inner layout of LightGBM's and XGBoost's trees, read and written through their public interfaces.

Neither gives the weight of the training rows in a node (LightGBM counts rows, XGBoost adds up Hessians), so the rows
that the model was trained on are sent down its trees once.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers.tree._hierarchical_shrinkage import Nodes


class LightGBMTrees:
    """The trees of a LightGBM model. Its values of inner nodes cannot be set: only its own drawings read them."""

    def __init__(self, model: Any, X: Any, sample_weight: Any) -> None:
        self.booster = model.booster_
        structures = [tree["tree_structure"] for tree in self.booster.dump_model(num_iteration=-1)["tree_info"]]
        leaves = np.asarray(model.predict(X, pred_leaf=True, num_iteration=-1)).reshape(-1, len(structures))
        self.trees = [
            self._open(root, np.bincount(leaves[:, t], weights=sample_weight)) for t, root in enumerate(structures)
        ]

    @staticmethod
    def _open(root: dict, weight_of_leaf: NDArray) -> tuple[Nodes, list[int]]:
        left: list[int] = []
        right: list[int] = []
        weight: list[float] = []
        value: list[float] = []
        leaf_index: list[int] = []
        todo = [(root, -1, False)]
        while todo:  # a parent is numbered before its children
            node, parent, is_right = todo.pop()
            number = len(left)
            if parent >= 0:
                (right if is_right else left)[parent] = number
            left.append(-1)
            right.append(-1)
            if "leaf_coeff" in node:
                raise TypeError("LightGBM with linear_tree cannot be shrunk: its leaves hold models, not values.")
            leaf = node.get("leaf_index", 0) if "left_child" not in node else -1
            leaf_index.append(leaf)
            weight.append(weight_of_leaf[leaf] if 0 <= leaf < weight_of_leaf.size else 0.0)
            value.append(node.get("leaf_value", 0.0))
            if leaf < 0:
                todo += [(node["left_child"], number, False), (node["right_child"], number, True)]
        return Nodes.from_leaves(left, right, weight, value), leaf_index

    def read(self) -> list[Nodes]:
        """Return the trees with inner nodes recomputed from the leaves."""
        return [nodes for nodes, _ in self.trees]

    def write(self, values: Sequence[NDArray]) -> None:
        """Set the values of the leaves of every tree."""
        for t, ((_, leaf_index), value) in enumerate(zip(self.trees, values, strict=True)):
            for leaf, v in zip(leaf_index, value[:, 0], strict=True):
                if leaf >= 0:
                    self.booster.set_leaf_output(t, leaf, float(v))


class XGBoostTrees:
    """The trees of an XGBoost model, by way of its JSON form: the library has no setter for leaves.

    Values of inner nodes stay as they are; XGBoost computes what it needs of them from the leaves.
    """

    def __init__(self, model: Any, X: Any, sample_weight: Any) -> None:
        self.booster = model.get_booster()
        self.state = json.loads(bytes(self.booster.save_raw("json")))
        gbtree = self.state["learner"]["gradient_booster"]
        gbtree = gbtree.get("gbtree", gbtree)  # dart keeps its trees one level deeper
        self.trees = gbtree["model"]["trees"]
        every_round = (0, self.booster.num_boosted_rounds())  # not only up to the best one
        leaves = np.asarray(model.apply(X, every_round), dtype=np.intp).reshape(-1, len(self.trees))
        self.leaf_weights = [
            np.bincount(leaves[:, t], weights=sample_weight, minlength=len(tree["left_children"]))
            for t, tree in enumerate(self.trees)
        ]

    def read(self) -> list[Nodes]:
        """Return the trees with inner nodes recomputed from the leaves."""
        return [
            Nodes.from_leaves(tree["left_children"], tree["right_children"], weight, tree["split_conditions"])
            for tree, weight in zip(self.trees, self.leaf_weights, strict=True)
        ]

    def write(self, values: Sequence[NDArray]) -> None:
        """Set the values of the leaves of every tree and load the model again."""
        for tree, value in zip(self.trees, values, strict=True):
            for node, v in enumerate(value[:, 0]):
                if tree["left_children"][node] < 0:
                    tree["split_conditions"][node] = float(v)
        self.booster.load_model(bytearray(json.dumps(self.state).encode()))
