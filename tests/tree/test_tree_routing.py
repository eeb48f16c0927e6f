"""Rows on their way through a tree, and the facts of its nodes, against scikit-learn's own trees."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skpapers.tree._tree_routing import (
    NodeFacts,
    describe_classification,
    describe_regression,
    importances,
    node_depths,
    paths,
    route,
)

# A tree that is one leaf.
LEAF = SimpleNamespace(
    children_left=np.array([-1]),
    children_right=np.array([-1]),
    feature=np.array([-2]),
    threshold=np.array([-2.0]),
    missing_go_to_left=np.array([False]),
)


def table(n=300, p=4, missing=0.0, seed=0):
    """Numbers that float32 holds exactly, so that scikit-learn's trees see the same ones."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-40, 40, size=(n, p)) / 8
    X[rng.uniform(size=X.shape) < missing] = np.nan
    return X, X[:, 0] * np.nan_to_num(X[:, 1], nan=3.0) + rng.normal(size=n)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_rows_go_where_scikit_learn_sends_them(missing):
    X, y = table(missing=missing)
    tree = DecisionTreeRegressor(max_depth=5, random_state=0).fit(X, np.nan_to_num(y)).tree_
    new = table(missing=0.3, seed=1)[0]
    assert_array_equal(route(new, tree), tree.apply(new.astype(np.float32)))
    indices, indptr = paths(new, tree)
    expected = tree.decision_path(new.astype(np.float32))
    assert_array_equal(indices, expected.indices)
    assert_array_equal(indptr, expected.indptr)
    assert node_depths(tree).max() == tree.max_depth


def test_rows_beyond_float32_are_told_apart():
    value = np.array([1e8, 1e8 + 1e-3, 1 / 3, 1 / 3 + 1e-9])
    for low, high in ((value[0], value[1]), (value[2], value[3])):
        tree = SimpleNamespace(
            children_left=np.array([1, -1, -1]),
            children_right=np.array([2, -1, -1]),
            feature=np.array([0, -2, -2]),
            threshold=np.array([(low + high) / 2, -2, -2]),
            missing_go_to_left=np.zeros(3, dtype=bool),
        )
        assert np.float32(low) == np.float32(high)
        assert_array_equal(route(np.array([[low], [high], [np.nan]]), tree), [1, 2, 2])


def test_no_rows_have_no_leaves():
    X, y = table()
    tree = DecisionTreeRegressor(max_depth=2).fit(X, y).tree_
    assert route(X[:0], tree).shape == (0,)
    assert [part.size for part in paths(X[:0], tree)] == [0, 1]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_facts_of_a_regression_tree(weighted, n_outputs):
    X, y = table()
    y = y[:, np.newaxis] * np.arange(1, n_outputs + 1) + X[:, -n_outputs:]
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(y)) if weighted else None
    tree = DecisionTreeRegressor(max_depth=6, random_state=0).fit(X, y, weight).tree_
    facts = describe_regression(X, y, y - y.mean(axis=0), weight, tree)
    assert_array_equal(facts.n_node_samples, tree.n_node_samples)
    assert_allclose(facts.weighted_n_node_samples, tree.weighted_n_node_samples, rtol=1e-12)
    assert_allclose(facts.value, tree.value, rtol=1e-10, atol=1e-12)
    assert_allclose(facts.impurity, tree.impurity, rtol=1e-9, atol=1e-9)


def test_facts_of_targets_far_from_zero():
    X, y = table()
    tree = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, y).tree_
    y = (y[:, np.newaxis] * 2.0**20).round() / 2.0**20  # sums with the offset are exact
    near = describe_regression(X, y, y - y.mean(), None, tree)
    far = describe_regression(X, y + 2.0**30, y - y.mean(), None, tree)
    assert_allclose(far.impurity, near.impurity, rtol=1e-12)
    assert_allclose(far.value - 2.0**30, near.value, atol=1e-6)
    constant = describe_regression(X, np.full((len(y), 1), 0.1), np.zeros((len(y), 1)), None, tree)
    assert_array_equal(constant.impurity, 0.0)
    assert_array_equal(constant.value, 0.1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_values_of_huge_and_tiny_targets(scale, weighted):
    X, y = table()
    weight = np.random.default_rng(0).uniform(0.1, 1.0, size=len(y)) if weighted else None
    y = y[:, np.newaxis]
    tree = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, y).tree_
    plain, scaled = (describe_regression(X, factor * y, y - y.mean(), weight, tree) for factor in (1.0, scale))
    assert_allclose(scaled.value / scale, plain.value, rtol=1e-12)
    assert_array_equal(scaled.impurity, plain.impurity)


def test_classes_whose_weights_differ_by_rounding_are_tied():
    X = np.zeros((3, 1))
    codes = np.array([1, 1, 0])
    for weight in ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]):
        share = describe_classification(X, codes, 2, np.array(weight), LEAF, "gini").value[0, 0]
        assert share[0] == share[1]


def test_impurities_of_a_class_that_weighs_little():
    X = np.zeros((2, 1))
    codes = np.array([0, 1])
    weight = np.array([1.0, 1e-20])
    for criterion, impurity in (("misclassification", 1e-20), ("gini", 2e-20)):
        facts = describe_classification(X, codes, 2, weight, LEAF, criterion)
        assert_allclose(facts.impurity, impurity, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_importances(weighted):
    X, y = table()
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(y)) if weighted else None
    tree = DecisionTreeRegressor(max_depth=6, random_state=0).fit(X, y, weight).tree_
    facts = NodeFacts(tree.n_node_samples, tree.weighted_n_node_samples, tree.value, tree.impurity)
    assert_allclose(importances(4, tree, facts), tree.compute_feature_importances(), rtol=1e-9)
    nothing = facts._replace(impurity=0.0 * tree.impurity)
    assert_array_equal(importances(4, tree, nothing), 0.0)
    rising = facts._replace(impurity=tree.impurity + 1.0 * (tree.children_left < 0))  # no split removes anything
    assert importances(4, tree, rising).min() >= 0.0


@pytest.mark.parametrize("weighted", [False, True])
def test_facts_of_a_classification_tree(weighted):
    X, y = table()
    codes = np.digitize(y, np.quantile(y, [0.3, 0.6, 0.9]))
    weight = np.random.default_rng(0).uniform(0.1, 3.0, size=len(y)) if weighted else None
    tree = DecisionTreeClassifier(max_depth=6, random_state=0).fit(X, codes, weight).tree_
    facts = describe_classification(X, codes, 4, weight, tree, "gini")
    assert_array_equal(facts.n_node_samples, tree.n_node_samples)
    assert_allclose(facts.weighted_n_node_samples, tree.weighted_n_node_samples, rtol=1e-12)
    assert_allclose(facts.value, tree.value, rtol=1e-10, atol=1e-14)
    assert_allclose(facts.impurity, tree.impurity, rtol=1e-9, atol=1e-12)
    errors = describe_classification(X, codes, 4, weight, tree, "misclassification").impurity
    assert_allclose(errors, 1 - tree.value[:, 0].max(axis=1), atol=1e-12)
