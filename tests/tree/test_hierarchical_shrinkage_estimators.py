"""The estimators: every model that can be shrunk, what is refused, and what must not change."""

import re
import warnings

import numpy as np
import pytest
import shap
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
    plot_tree,
)

from skpapers.tree import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageClassifierCV,
    HierarchicalShrinkageRegressor,
    QuantBnBTreeClassifier,
)
from skpapers.tree._hierarchical_shrinkage import SCHEMES
from tests._asserts import assert_rows_are_independent, assert_same_predictions, assert_unchanged_by
from tests._oracles import shrunken_prediction

CLASSIFIERS = [
    DecisionTreeClassifier(random_state=0),
    ExtraTreeClassifier(random_state=0),
    RandomForestClassifier(10, random_state=0),
    ExtraTreesClassifier(10, random_state=0),
    BaggingClassifier(n_estimators=5, random_state=0),
    BaggingClassifier(DecisionTreeClassifier(max_depth=4), max_features=0.5, random_state=0),
    GradientBoostingClassifier(n_estimators=10, random_state=0),
    HistGradientBoostingClassifier(max_iter=10, random_state=0),
]
REGRESSORS = [
    DecisionTreeRegressor(random_state=0),
    DecisionTreeRegressor(criterion="absolute_error", max_depth=4, random_state=0),
    ExtraTreeRegressor(random_state=0),
    RandomForestRegressor(10, random_state=0),
    ExtraTreesRegressor(10, random_state=0),
    BaggingRegressor(n_estimators=5, random_state=0),
    GradientBoostingRegressor(n_estimators=10, subsample=0.7, random_state=0),
    GradientBoostingRegressor(n_estimators=10, loss="huber", random_state=0),
    HistGradientBoostingRegressor(max_iter=10, random_state=0),
]
MODELS = CLASSIFIERS + REGRESSORS


def data_for(model):
    if hasattr(model, "predict_proba"):
        X, y = make_classification(200, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0)
        return X, np.array(["a", "b", "c"])[y]
    X, y = load_diabetes(return_X_y=True)
    return X[:200], y[:200]


def shrinker_for(model, **kwargs):
    kind = HierarchicalShrinkageClassifier if hasattr(model, "predict_proba") else HierarchicalShrinkageRegressor
    return kind(model, **kwargs)


def raw(model, X):
    """The scores that shrinkage acts on: raw ones for boosting, probabilities or predictions otherwise."""
    for method in ("decision_function", "predict_proba", "predict"):
        if hasattr(model, method):
            return getattr(model, method)(X)


@pytest.mark.parametrize("model", MODELS, ids=str)
class TestEveryModel:
    def test_zero_changes_nothing(self, model):
        X, y = data_for(model)
        for scheme in SCHEMES:
            shrunken = shrinker_for(model, reg_param=0, scheme=scheme).fit(X, y)
            assert_same_predictions(shrunken, clone(model).fit(X, y), X)

    def test_much_shrinkage_leaves_one_answer(self, model):
        X, y = data_for(model)
        said = raw(shrinker_for(model, reg_param=1e12).fit(X, y), X)
        assert np.ptp(said, axis=0).max() < 1e-4 * np.ptp(raw(clone(model).fit(X, y), X), axis=0).max()

    def test_shrinkage_changes_something_and_fits_less_closely(self, model):
        X, y = data_for(model)
        before = clone(model).fit(X, y)
        after = shrinker_for(model, reg_param=20).fit(X, y)
        assert np.ptp(raw(after, X), axis=0).max() < np.ptp(raw(before, X), axis=0).max()

    def test_the_estimator_given_is_left_alone(self, model):
        X, y = data_for(model)
        assert_unchanged_by(lambda: shrinker_for(model, reg_param=5).fit(X, y), model)
        fitted = clone(model).fit(X, y)
        assert_unchanged_by(lambda: shrinker_for(FrozenEstimator(fitted), reg_param=5).fit(X, y), fitted)

    def test_frozen_equals_fitted_inside(self, model):
        X, y = data_for(model)
        frozen = shrinker_for(FrozenEstimator(clone(model).fit(X, y)), reg_param=5).fit(X, y)
        assert type(frozen.estimator_) is type(model)
        assert_same_predictions(frozen, shrinker_for(model, reg_param=5).fit(X, y), X)

    def test_rows_are_independent_and_predict_changes_nothing(self, model):
        X, y = data_for(model)
        shrunken = shrinker_for(model, reg_param=5).fit(X, y)
        assert_rows_are_independent(shrunken, X)
        assert_unchanged_by(lambda: raw(shrunken, X), shrunken)

    def test_two_fits_agree_bit_for_bit(self, model):
        X, y = data_for(model)
        fits = [shrinker_for(model, reg_param=5).fit(X, y) for _ in range(2)]
        assert_same_predictions(*fits, X)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_forest_is_the_mean_of_its_shrunken_trees(scheme):
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(7, random_state=0).fit(X, y)
    shrunken = HierarchicalShrinkageClassifier(FrozenEstimator(forest), reg_param=3, scheme=scheme).fit(X, y)
    expected = np.mean(
        [[shrunken_prediction(tree.tree_, x, 3, scheme) for x in X] for tree in forest.estimators_], axis=0
    )
    assert_allclose(shrunken.predict_proba(X), expected, atol=1e-13)


@pytest.mark.parametrize("forest", [False, True])
def test_several_outputs_equal_single_ones(forest):
    """A tree of one output and the same tree of that output twice give the same numbers."""
    X, y = load_iris(return_X_y=True)
    classifier = RandomForestClassifier(5, random_state=0) if forest else DecisionTreeClassifier(random_state=0)
    one = HierarchicalShrinkageClassifier(classifier, reg_param=4).fit(X, y)
    two = HierarchicalShrinkageClassifier(classifier, reg_param=4).fit(X, np.column_stack([y, y]))
    for proba in two.predict_proba(X):
        assert_allclose(proba, one.predict_proba(X), atol=1e-12)
    assert two.n_outputs_ == 2
    assert_array_equal(two.predict(X), np.column_stack([one.predict(X)] * 2))
    regressor = RandomForestRegressor(5, random_state=0) if forest else DecisionTreeRegressor(random_state=0)
    one = HierarchicalShrinkageRegressor(regressor, reg_param=4).fit(X, y)
    two = HierarchicalShrinkageRegressor(regressor, reg_param=4).fit(X, np.column_stack([y, y]))
    assert_allclose(two.predict(X), np.column_stack([one.predict(X)] * 2), atol=1e-12)


def test_weights_equal_repeated_rows_and_zero_weight_rows_are_absent():
    X, y = load_breast_cancer(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    shrinker = HierarchicalShrinkageClassifier(reg_param=7)
    weighted = clone(shrinker).fit(X, y, sample_weight=weight)
    repeated = clone(shrinker).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_same_predictions(weighted, repeated, X, atol=1e-10)


def test_monotonic_constraints_survive():
    X, y = load_diabetes(return_X_y=True)
    tree = DecisionTreeRegressor(monotonic_cst=[0, 0, 1] + [0] * 7, random_state=0)
    model = HierarchicalShrinkageRegressor(tree, reg_param=10).fit(X, y)
    rows = np.repeat(X[:50], 30, axis=0)
    rows[:, 2] = np.tile(np.linspace(X[:, 2].min(), X[:, 2].max(), 30), 50)
    assert np.diff(model.predict(rows).reshape(50, 30), axis=1).min() >= -1e-10


def test_missing_values_pass_through():
    X, y = load_diabetes(return_X_y=True)
    X = X.copy()
    X[::5, 2] = np.nan
    model = HierarchicalShrinkageRegressor(reg_param=10).fit(X, y)
    assert model.__sklearn_tags__().input_tags.allow_nan
    assert np.isfinite(model.predict(X)).all()


def test_the_inner_model_shows_the_shrunken_values():
    X, y = load_breast_cancer(return_X_y=True)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
    model = HierarchicalShrinkageClassifier(FrozenEstimator(tree), reg_param=100).fit(X, y)
    shown = [
        float(v)
        for v in re.findall(
            r"value = \[([\d.]+)", " ".join(a.get_text() for a in plot_tree(model.estimator_, precision=6))
        )
    ]
    rows = tree.tree_.weighted_n_node_samples  # the plot shows fractions times rows
    assert_allclose(shown, model.estimator_.tree_.value[:, 0, 0] * rows, atol=1e-5)
    assert not np.allclose(shown, tree.tree_.value[:, 0, 0] * rows, atol=1e-3)
    assert_array_equal(model.feature_importances_, tree.feature_importances_)


@pytest.mark.parametrize("forest", [False, True])
def test_shap_explains_the_shrunken_model(forest):
    X, y = load_diabetes(return_X_y=True)
    inner = RandomForestRegressor(10, random_state=0) if forest else DecisionTreeRegressor(random_state=0)
    model = HierarchicalShrinkageRegressor(inner, reg_param=20).fit(X, y)
    explanation = shap.TreeExplainer(model.estimator_)(X[:20])
    assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, model.predict(X[:20]), rtol=1e-4)


def test_scores_of_the_unshrunken_model_do_not_stay_behind():
    X, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(20, oob_score=True, random_state=0)
    model = HierarchicalShrinkageClassifier(forest).fit(X, y)
    assert not hasattr(model.estimator_, "oob_score_")
    assert not hasattr(model.estimator_, "oob_decision_function_")
    boosting = HierarchicalShrinkageClassifier(GradientBoostingClassifier(n_estimators=3)).fit(X, y)
    assert not hasattr(boosting.estimator_, "train_score_")


def test_methods_are_those_of_the_wrapped_estimator():
    assert not hasattr(HierarchicalShrinkageClassifier(), "decision_function")
    assert hasattr(HierarchicalShrinkageClassifier(GradientBoostingClassifier()), "decision_function")
    X, y = load_iris(return_X_y=True)
    model = HierarchicalShrinkageClassifier(reg_param=2).fit(X, y)
    with np.errstate(divide="ignore"):
        assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_classes_ == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"reg_param": -1.0}, "'reg_param'"),
        ({"reg_param": np.nan}, "'reg_param'"),
        ({"reg_param": np.inf}, "'reg_param'"),
        ({"reg_param": "1"}, "'reg_param'"),
        ({"scheme": "node_based"}, "'scheme'"),
        ({"estimator": "tree"}, "'estimator'"),
    ],
)
def test_bad_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        HierarchicalShrinkageRegressor(**params).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        ([["a"], ["b"]], [0, 1], None, "could not convert string to float"),
        ([[np.inf], [1.0]], [0, 1], None, "infinity"),
        (np.empty((0, 2)), [], None, "0 sample"),
        ([[0.0], [1.0]], [0, 1, 2], None, "inconsistent|does not match"),
        ([[0.0], [1.0]], [0, np.nan], None, "NaN"),
        ([[0.0], [1.0]], [0, 1], [-1.0, 1.0], "Negative|negative"),
        ([[0.0], [1.0]], [0, 1], [0.0, 0.0], "non-zero"),
        ([[0.0], [1.0]], [0, 1], [1.0], "shape"),
        ([[0.0], [1.0]], [0, 1], [np.nan, 1.0], "NaN"),
    ],
)
@pytest.mark.parametrize("kind", [HierarchicalShrinkageRegressor, HierarchicalShrinkageClassifier])
def test_bad_data_is_refused_and_nothing_is_fitted(kind, X, y, weight, message):
    model = kind()
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sample_weight=weight)
    assert not hasattr(model, "estimator_")


def test_one_row_is_its_own_tree():
    assert HierarchicalShrinkageRegressor(reg_param=3).fit([[1.0]], [2.0]).predict([[5.0]]) == [2.0]


def test_an_unfitted_frozen_estimator_is_refused():
    with pytest.raises(NotFittedError, match="DecisionTreeRegressor"):
        HierarchicalShrinkageRegressor(FrozenEstimator(DecisionTreeRegressor())).fit([[0.0], [1.0]], [0.0, 1.0])


def test_the_diagram_links_to_the_paper():
    assert "https://arxiv.org/abs/2202.00858" in HierarchicalShrinkageRegressor()._repr_html_()


@pytest.mark.parametrize("kind", [HierarchicalShrinkageClassifier, HierarchicalShrinkageClassifierCV])
def test_callbacks_reach_a_tree_that_takes_them(kind, capsys):
    X, y = load_iris(return_X_y=True)
    bar = ProgressBar(max_propagation_depth=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a tree without callbacks is no reason to warn
        kind().set_callbacks(bar).fit(X, y)
        assert "QuantBnB" not in capsys.readouterr().out
        model = kind(QuantBnBTreeClassifier(max_depth=1)).set_callbacks(bar).fit(X, y)
    assert "QuantBnBTreeClassifier" in capsys.readouterr().out
    assert not hasattr(model.estimator_, "_skl_callbacks")
