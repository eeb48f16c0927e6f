"""scikit-learn's boosting, opened and written back: inner nodes, weights, categories, missing values.

Then trees of scikit-learn, made of splits that are given.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.class_weight import compute_sample_weight

from skpapers.tree import HierarchicalShrinkageClassifier, HierarchicalShrinkageRegressor
from skpapers.tree._sklearn_tree import build_tree
from skpapers.tree._tree_routing import NodeFacts


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_boosting_is_the_sum_of_its_shrunken_stages(loss):
    """For a loss other than the squared error, boosting resets the leaves alone: inner nodes are of another scale."""
    X, y = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(n_estimators=6, max_depth=3, loss=loss, random_state=0).fit(X, y)
    expected = np.full(len(y), y.mean() if loss == "squared_error" else np.median(y))
    for (stage,) in model.estimators_:
        tree = stage.tree_
        below = tree.decision_path(X.astype(np.float32)).toarray().astype(bool)
        leaf_value = tree.value[tree.apply(X.astype(np.float32)), 0, 0]
        mean = np.array([leaf_value[below[:, node]].mean() for node in range(tree.node_count)])
        for row in range(len(y)):
            nodes = np.flatnonzero(below[row])
            steps = np.diff(mean[nodes]) / (1 + 30 / below.sum(axis=0)[nodes[:-1]])
            expected[row] += model.learning_rate * (mean[0] + steps.sum())
    shrunken = HierarchicalShrinkageRegressor(FrozenEstimator(model), reg_param=30).fit(X, y)
    assert_allclose(shrunken.predict(X), expected, rtol=1e-10)


def test_histogram_boosting_counts_the_weight_of_the_rows():
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).integers(1, 4, size=len(y))
    model = HistGradientBoostingRegressor(max_iter=3, max_depth=2, min_samples_leaf=1, early_stopping=False)
    weighted = HierarchicalShrinkageRegressor(FrozenEstimator(model.fit(X, y, weight)), reg_param=40)
    by_weight = weighted.fit(X, y, sample_weight=weight).predict(X)
    by_rows = weighted.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict(X)
    assert_allclose(by_weight, by_rows, rtol=1e-12)
    assert not np.allclose(by_weight, weighted.fit(X, y).predict(X))


def test_histogram_boosting_counts_the_weight_of_the_classes():
    X, y = load_breast_cancer(return_X_y=True)
    balanced = HistGradientBoostingClassifier(max_iter=5, class_weight="balanced")
    plain = HistGradientBoostingClassifier(max_iter=5)
    by_class = HierarchicalShrinkageClassifier(balanced, reg_param=20).fit(X, y)
    weight = compute_sample_weight("balanced", y)
    by_weight = HierarchicalShrinkageClassifier(plain, reg_param=20).fit(X, y, sample_weight=weight)
    assert_allclose(by_class.predict_proba(X), by_weight.predict_proba(X), rtol=1e-10)


def test_shap_explains_shrunken_histogram_boosting():
    """SHAP reads inner values' weights and the leaves; plots of the inner nodes read their shrunken values."""
    X, y = load_diabetes(return_X_y=True)
    model = HistGradientBoostingRegressor(max_iter=5, random_state=0)
    shrunken = HierarchicalShrinkageRegressor(model, reg_param=50).fit(X, y)
    explanation = shap.TreeExplainer(shrunken.estimator_)(X[:20])
    assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, shrunken.predict(X[:20]), rtol=1e-6)
    for (tree,) in shrunken.estimator_._predictors:
        inner = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
        below = [tree.nodes["value"][[node["left"], node["right"]]] for node in inner]
        assert all(low.min() <= node["value"] <= low.max() for node, low in zip(inner, below, strict=True))


def test_histogram_boosting_of_a_frame_with_names_as_categories():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": pd.Categorical(rng.choice(["x", "y", "z"], size=300)), "v": rng.normal(size=300)})
    y = (frame["kind"] == "y") + rng.normal(size=300)
    codes = frame.assign(kind=frame["kind"].cat.codes).to_numpy(dtype=float)
    by_name = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype")
    by_code = HistGradientBoostingRegressor(max_iter=5, categorical_features=[0])
    of_frame = HierarchicalShrinkageRegressor(by_name, reg_param=10).fit(frame, y).predict(frame)
    assert_allclose(of_frame, HierarchicalShrinkageRegressor(by_code, reg_param=10).fit(codes, y).predict(codes))


def test_histogram_boosting_with_categories_and_missing_values():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 5, size=300), rng.normal(size=300)])
    X[::7, 1] = np.nan
    y = X[:, 0] % 2 + rng.normal(size=300)
    model = HistGradientBoostingRegressor(max_iter=5, categorical_features=[0])
    shrunken = HierarchicalShrinkageRegressor(model, reg_param=1e12).fit(X, y)
    assert_allclose(shrunken.predict(X), y.mean(), rtol=1e-6)
    assert np.ptp(HierarchicalShrinkageRegressor(model, reg_param=5).fit(X, y).predict(X)) > 0.1


@pytest.mark.parametrize("kind", ["one output", "three outputs", "classes", "one leaf"])
def test_a_tree_that_is_built_is_the_tree_that_scikit_learn_grew(kind):
    X, y = load_breast_cancer(return_X_y=True) if kind == "classes" else load_diabetes(return_X_y=True)
    X = X.astype(np.float32)
    X[::5, 2] = np.nan
    y = np.column_stack([y, X[:, 0], X[:, 1]]) if kind == "three outputs" else y
    model = DecisionTreeClassifier if kind == "classes" else DecisionTreeRegressor
    grown = model(max_depth=5, min_samples_leaf=len(y) if kind == "one leaf" else 5, random_state=0).fit(X, y).tree_
    facts = NodeFacts(grown.n_node_samples, grown.weighted_n_node_samples, grown.value, grown.impurity)
    built = build_tree(X.shape[1], grown, facts)
    assert type(built) is type(grown)
    for name in ("node_count", "max_depth", "n_leaves", "n_features", "n_outputs", "max_n_classes"):
        assert getattr(built, name) == getattr(grown, name)
    for name in ("children_left", "children_right", "feature", "threshold", "missing_go_to_left", "n_classes"):
        assert_array_equal(getattr(built, name), getattr(grown, name))
    assert_array_equal(built.predict(X), grown.predict(X))
    assert_array_equal(built.compute_feature_importances(), grown.compute_feature_importances())
    assert pickle.dumps(built) == pickle.dumps(build_tree(X.shape[1], grown, facts))
