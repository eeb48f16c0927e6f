"""Hierarchical Shrinkage (Agarwal, Tan, Ronen, Singh, Yu; ICML 2022).

`shrink_path` returns the shrunken values of a tree for many lambdas, and `_sweep` computes them. For a row x whose path
runs from the root t_0 to the leaf t_L, with node means m(t) and node weights N(t), Eq. 3 reads

    f(x) = m(t_0) + sum_{l=1}^{L} (m(t_l) - m(t_{l-1})) / (1 + lambda / N(t_{l-1})).

The two rivals of the paper: "leaf" shrinks the leaf alone towards the root, with N(t_L); "constant" divides every
step by 1 + lambda. Trees are arrays in which a parent comes before its children and a leaf has -1 for a left child.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

SCHEMES = ("hierarchical", "leaf", "constant")


class Nodes(NamedTuple):
    """One tree as arrays: children of shape (n_nodes,), weights N(t) and means m(t) of shape (n_nodes, n_values)."""

    children_left: NDArray
    children_right: NDArray
    weight: NDArray
    value: NDArray

    @classmethod
    def from_leaves(cls, left: ArrayLike, right: ArrayLike, weight: ArrayLike, value: ArrayLike) -> "Nodes":
        """Return a tree of one value a node that is known at its leaves only (see `fill_from_leaves`)."""
        left = np.asarray(left, dtype=np.int64)
        right = np.asarray(right, dtype=np.int64)
        return cls(left, right, *fill_from_leaves(left, right, weight, np.reshape(value, (-1, 1))))


def shrink_path(
    children_left: NDArray,
    children_right: NDArray,
    weight: NDArray,
    value: NDArray,
    reg_params: ArrayLike,
    scheme: str = "hierarchical",
) -> NDArray[np.float64]:
    """Return the shrunken node values for every regularisation parameter at once.

    Parameters
    ----------
    children_left, children_right : ndarray of shape (n_nodes,)
        The tree; a parent before its children, -1 at leaves.

    weight : ndarray of shape (n_nodes,)
        N(t), the weight of the training rows in each node.

    value : ndarray of shape (n_nodes, n_values)
        m(t), the node means: one column an output, or a class of an output.

    reg_params : array-like of shape (n_reg_params,)
        The values of lambda, none negative.

    scheme : {"hierarchical", "leaf", "constant"}, default="hierarchical"
        Eq. 3, or one of its rivals. "leaf" leaves the inner nodes as they are.

    Returns
    -------
    shrunken : ndarray of shape (n_reg_params, n_nodes, n_values)
        At lambda = 0 exactly `value`.
    """
    shrunken = _sweep(  # writable arrays only: read-only ones would compile a second specialisation
        np.require(children_left, np.int64, ("C", "W")),
        np.require(children_right, np.int64, ("C", "W")),
        np.require(weight, np.float64, ("C", "W")),
        np.require(value, np.float64, ("C", "W")),
        np.require(reg_params, np.float64, ("C", "W")),
        SCHEMES.index(scheme),
    )
    if value.min() >= 0:  # then weighted means are not negative either, but for rounding
        np.maximum(shrunken, 0.0, out=shrunken)
    return shrunken


def fill_from_leaves(
    children_left: NDArray, children_right: NDArray, weight: ArrayLike, value: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return node weights and means recomputed from those of the leaves.

    A boosting library sets the values of leaves only; m(t) of an inner node is then the weighted mean of the leaves
    below it. A node that no weight reaches gets the plain mean of its children.

    Parameters
    ----------
    children_left, children_right : ndarray of shape (n_nodes,)
        The tree; a parent before its children, -1 at leaves.

    weight : ndarray of shape (n_nodes,)
        Weight of the rows in each leaf; entries of inner nodes are ignored.

    value : ndarray of shape (n_nodes, n_values)
        Values of the leaves; entries of inner nodes are ignored.

    Returns
    -------
    weight : ndarray of shape (n_nodes,)
    value : ndarray of shape (n_nodes, n_values)
    """
    weight = np.array(weight, dtype=np.float64)
    value = np.array(value, dtype=np.float64)
    _climb(
        np.require(children_left, np.int64, ("C", "W")),
        np.require(children_right, np.int64, ("C", "W")),
        weight,
        value,
    )
    return weight, value


@njit(cache=True, nogil=True)
def _sweep(left, right, weight, value, reg_params, scheme):
    """One pass from the root down: a child starts from its parent's shrunken value."""
    n_nodes, n_values = value.shape
    out = np.empty((reg_params.size, n_nodes, n_values))
    for i, reg_param in enumerate(reg_params):
        out[i] = value
        if reg_param == 0.0:
            continue
        for node in range(n_nodes):
            if left[node] < 0:
                continue
            for child in (left[node], right[node]):
                above = node
                factor = 1.0 / (1.0 + reg_param)
                if scheme == 0:
                    factor = weight[node] / (weight[node] + reg_param)
                elif scheme == 1:
                    if left[child] >= 0:
                        continue
                    above = 0
                    factor = weight[child] / (weight[child] + reg_param)
                for v in range(n_values):
                    out[i, child, v] = out[i, above, v] + factor * (value[child, v] - value[above, v])
    return out


@njit(cache=True, nogil=True)
def _climb(left, right, weight, value):
    """One pass from the leaves up, in place."""
    for node in range(left.size - 1, -1, -1):
        if left[node] < 0:
            continue
        w_left = weight[left[node]]
        w_right = weight[right[node]]
        weight[node] = w_left + w_right
        share = w_left / weight[node] if weight[node] > 0.0 else 0.5
        for v in range(value.shape[1]):
            value[node, v] = share * value[left[node], v] + (1.0 - share) * value[right[node], v]
