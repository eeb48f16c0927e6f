"""Slow and plain versions of what the package computes fast."""

from itertools import pairwise

import numpy as np


def shrunken_prediction(tree, x, reg_param, scheme="hierarchical"):
    """Return the shrunken value of one row, by walking a scikit-learn `Tree` and writing the paper's sum out."""
    path = [0]
    while tree.children_left[path[-1]] != -1:
        node = path[-1]
        goes_left = np.float32(x[tree.feature[node]]) <= tree.threshold[node]
        path.append(tree.children_left[node] if goes_left else tree.children_right[node])
    mean = tree.value.reshape(tree.node_count, -1)
    weight = tree.weighted_n_node_samples
    if scheme == "leaf":
        return mean[0] + (mean[path[-1]] - mean[0]) / (1 + reg_param / weight[path[-1]])
    total = mean[0].copy()
    for above, below in pairwise(path):
        strength = reg_param if scheme == "constant" else reg_param / weight[above]
        total += (mean[below] - mean[above]) / (1 + strength)
    return total


def stump_features(tree, X):
    """Return the orthogonal features psi_t of the inner nodes of a scikit-learn `Tree`, one column a node."""
    inside = tree.decision_path(X.astype(np.float32)).toarray().astype(bool)
    columns = []
    for node in np.flatnonzero(tree.children_left != -1):
        left = tree.children_left[node]
        right = tree.children_right[node]
        n_left = tree.weighted_n_node_samples[left]
        n_right = tree.weighted_n_node_samples[right]
        columns.append((n_right * inside[:, left] - n_left * inside[:, right]) / np.sqrt(n_left * n_right))
    return np.stack(columns, axis=1)
