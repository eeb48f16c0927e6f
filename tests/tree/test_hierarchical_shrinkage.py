"""The kernel against the paper's sum written out, and against the ridge regression that it equals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skpapers.tree._hierarchical_shrinkage import SCHEMES, Nodes, fill_from_leaves, shrink_path
from tests._oracles import shrunken_prediction, stump_features

REG_PARAMS = [0.0, 0.1, 1.0, 10.0, 500.0]


def fitted_tree(kind, seed=0, weighted=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 4)).round(1)
    weight = rng.integers(1, 4, size=80).astype(float) if weighted else None
    if kind == "classes":
        y = rng.integers(0, 3, size=80)
        model = DecisionTreeClassifier(random_state=0)
    elif kind == "outputs":
        y = rng.normal(size=(80, 2))
        model = DecisionTreeRegressor(random_state=0)
    else:
        y = X[:, 0] + rng.normal(size=80)
        model = DecisionTreeRegressor(random_state=0)
    return model.fit(X, y, weight).tree_, X


def path_of(tree, reg_params, scheme="hierarchical"):
    value = tree.value.reshape(tree.node_count, -1)
    return shrink_path(tree.children_left, tree.children_right, tree.weighted_n_node_samples, value, reg_params, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", ["number", "classes", "outputs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_the_sum_written_out(kind, scheme, weighted):
    for seed in range(5):
        tree, X = fitted_tree(kind, seed, weighted)
        leaves = tree.apply(X.astype(np.float32))
        path = path_of(tree, REG_PARAMS, scheme)
        for k, reg_param in enumerate(REG_PARAMS):
            expected = [shrunken_prediction(tree, x, reg_param, scheme) for x in X]
            assert_allclose(path[k, leaves], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_zero_is_the_tree_itself_and_infinity_the_mean_of_the_root(scheme):
    tree, _ = fitted_tree("classes")
    value = tree.value.reshape(tree.node_count, -1)
    nothing, everything = path_of(tree, [0.0, 1e15], scheme)
    assert_array_equal(nothing, value)
    leaf = tree.children_left == -1
    assert_allclose(everything[leaf], np.broadcast_to(value[0], value.shape)[leaf], atol=1e-12)


def test_probabilities_stay_in_the_simplex():
    X, y = make_classification(300, n_informative=5, n_classes=4, flip_y=0.3, random_state=0)
    path = path_of(DecisionTreeClassifier(random_state=0).fit(X, y).tree_, np.geomspace(1e-8, 1e8, 60))
    assert path.min() >= 0.0
    assert_allclose(path.sum(axis=2), 1.0, atol=1e-12)


def test_rounding_makes_no_fraction_negative():
    """Without the guard every second of these trees says -1e-17 somewhere."""
    for seed in range(20):
        tree, _ = fitted_tree("classes", seed)
        assert path_of(tree, np.geomspace(1e-18, 1e-12, 30)).min() >= 0.0


def test_the_training_error_rises_and_the_predictions_flatten_along_the_path():
    X, y = load_diabetes(return_X_y=True)
    tree = DecisionTreeRegressor(random_state=0).fit(X, y).tree_
    path = path_of(tree, np.geomspace(0.01, 1e4, 40))[:, tree.apply(X.astype(np.float32)), 0]
    error = ((path - y) ** 2).sum(axis=1)
    spread = ((path - y.mean()) ** 2).sum(axis=1)
    assert np.all(np.diff(error) > 0)
    assert np.all(np.diff(spread) < 0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reg_param", [0.1, 1.0, 30.0])
def test_equals_ridge_regression_on_the_stump_features(reg_param, weighted):
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).integers(1, 5, size=len(y)).astype(float) if weighted else None
    tree = DecisionTreeRegressor(max_leaf_nodes=60, random_state=0).fit(X, y, weight).tree_
    psi = stump_features(tree, X)
    ridge = Ridge(alpha=reg_param, fit_intercept=False, solver="cholesky")
    centre = np.average(y, weights=weight)
    expected = centre + ridge.fit(psi, y - centre, weight).predict(psi)
    actual = path_of(tree, [reg_param])[0, tree.apply(X.astype(np.float32)), 0]
    assert_allclose(actual, expected, rtol=0, atol=1e-8)


def test_inner_nodes_from_leaves():
    tree, _ = fitted_tree("number", weighted=True)
    left = tree.children_left
    right = tree.children_right
    leaf = left == -1
    blank_weight = np.where(leaf, tree.weighted_n_node_samples, np.nan)
    blank_value = np.where(leaf[:, np.newaxis], tree.value[:, :, 0], np.nan)
    weight, value = fill_from_leaves(left, right, blank_weight, blank_value)
    assert_allclose(weight, tree.weighted_n_node_samples)
    assert_allclose(value, tree.value[:, :, 0], atol=1e-12)
    assert np.isnan(blank_value[~leaf]).all()  # the input is left as it was


def test_nodes_that_no_row_reaches_shrink_to_their_parent():
    nodes = Nodes.from_leaves([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0, 4.0, 0, 0, 0], [0, 1.0, 0, 5.0, 7.0])
    assert_array_equal(nodes.value[:, 0], [1.0, 1.0, 6.0, 5.0, 7.0])
    assert_array_equal(shrink_path(*nodes, [0.0, 1.0])[:, 3:, 0], [[5.0, 7.0], [5.0, 5.0]])


def test_a_tree_that_is_one_leaf():
    tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [2.0, 2.0]).tree_
    assert_array_equal(path_of(tree, REG_PARAMS), np.full((5, 1, 1), 2.0))
