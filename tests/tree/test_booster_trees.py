"""LightGBM and XGBoost: opened, shrunk and written back through their public interfaces."""

import lightgbm
import numpy as np
import pytest
import xgboost
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.frozen import FrozenEstimator

from skpapers.tree import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageRegressor,
    HierarchicalShrinkageRegressorCV,
)
from skpapers.tree._booster_trees import LightGBMTrees, XGBoostTrees
from tests._asserts import assert_same_predictions

LIGHTGBM = {"n_estimators": 8, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
XGBOOST = {"n_estimators": 8, "max_depth": 4, "n_jobs": 1}
REGRESSORS = [
    lightgbm.LGBMRegressor(**LIGHTGBM),
    lightgbm.LGBMRegressor(boosting_type="dart", **LIGHTGBM),
    xgboost.XGBRegressor(**XGBOOST),
    xgboost.XGBRegressor(booster="dart", rate_drop=0.2, random_state=0, **XGBOOST),
    xgboost.XGBRFRegressor(**XGBOOST),
]
CLASSIFIERS = [lightgbm.LGBMClassifier(**LIGHTGBM), xgboost.XGBClassifier(**XGBOOST)]


def data_for(model):
    if hasattr(model, "predict_proba"):
        return make_classification(250, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0)
    X, y = load_diabetes(return_X_y=True)
    return X, y


def shrinker_for(model, **kwargs):
    kind = HierarchicalShrinkageClassifier if hasattr(model, "predict_proba") else HierarchicalShrinkageRegressor
    return kind(model, **kwargs)


def raw(model, X):
    if isinstance(model, lightgbm.LGBMModel):
        return model.predict(X, raw_score=True)
    return model.predict(X, output_margin=True)


@pytest.mark.parametrize("model", REGRESSORS + CLASSIFIERS, ids=lambda m: type(m).__name__)
class TestEveryBooster:
    def test_zero_changes_nothing(self, model):
        X, y = data_for(model)
        assert_same_predictions(shrinker_for(model, reg_param=0).fit(X, y), clone(model).fit(X, y), X)

    def test_much_shrinkage_leaves_one_answer(self, model):
        X, y = data_for(model)
        said = raw(shrinker_for(model, reg_param=1e9).fit(X, y).estimator_, X)
        assert np.ptp(said, axis=0).max() < 1e-3 * np.ptp(raw(clone(model).fit(X, y), X), axis=0).max()

    def test_a_frozen_model_is_left_alone_and_shrunk_the_same(self, model):
        X, y = data_for(model)
        fitted = clone(model).fit(X, y)
        before = fitted.predict(X)
        frozen = shrinker_for(FrozenEstimator(fitted), reg_param=10).fit(X, y)
        assert_allclose(fitted.predict(X), before, rtol=0)
        assert_same_predictions(frozen, shrinker_for(model, reg_param=10).fit(X, y), X)
        assert not np.allclose(raw(frozen.estimator_, X), raw(fitted, X))

    def test_weights_are_counted(self, model):
        X, y = data_for(model)
        weight = np.random.default_rng(0).integers(1, 4, size=len(y))
        frozen = shrinker_for(FrozenEstimator(clone(model).fit(X, y)), reg_param=30)
        by_weight = raw(clone(frozen).fit(X, y, sample_weight=weight).estimator_, X)
        by_rows = raw(clone(frozen).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).estimator_, X)
        assert_allclose(by_weight, by_rows, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("opened", "model"), [(LightGBMTrees, REGRESSORS[0]), (XGBoostTrees, REGRESSORS[2])])
def test_the_arrays_describe_the_model(opened, model):
    """Summing the opened leaves over the trees gives the raw prediction back, up to one constant."""
    X, y = data_for(model)
    fitted = clone(model).fit(X, y)
    trees = opened(fitted, X, None).read()
    total = np.zeros(len(y))
    for nodes, leaves in zip(trees, leaf_values(fitted, X), strict=True):
        assert nodes.weight[0] == len(y)
        of_leaves = nodes.value[nodes.children_left < 0, 0]
        assert np.abs(leaves[:, np.newaxis] - of_leaves).min(axis=1).max() < 1e-4
        assert_allclose(nodes.value[0, 0], leaves.mean(), atol=1e-5)  # the root's mean is that of the rows
        total += leaves
    assert np.ptp(total - raw(fitted, X)) < 1e-4


def leaf_values(model, X):
    """The value that each tree adds to each row, from differences of predictions with one tree more."""
    n_trees = model.get_params()["n_estimators"]
    if isinstance(model, lightgbm.LGBMModel):
        sums = [model.predict(X, raw_score=True, num_iteration=t) for t in range(1, n_trees + 1)]
        return [sums[0], *np.diff(sums, axis=0)]
    sums = [model.predict(X, output_margin=True, iteration_range=(0, t)) for t in range(1, n_trees + 1)]
    base = float(model.intercept_[0])
    return [sums[0] - base, *np.diff(sums, axis=0)]


def test_boosters_shrink_as_scikit_learn_boosting_does():
    """One deep stage of squared error with learning rate 1 is one tree: three libraries, one answer."""
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:, [2]].round(2), y  # one feature: the same splits everywhere
    ours = GradientBoostingRegressor(n_estimators=1, max_depth=2, learning_rate=1.0, random_state=0)
    theirs = xgboost.XGBRegressor(
        n_estimators=1, max_depth=2, learning_rate=1.0, reg_lambda=0.0, min_child_weight=0, tree_method="exact"
    )
    expected = HierarchicalShrinkageRegressor(ours, reg_param=50).fit(X, y).predict(X)
    assert_allclose(HierarchicalShrinkageRegressor(theirs, reg_param=50).fit(X, y).predict(X), expected, rtol=1e-4)


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda m: type(m).__name__)
def test_cv_scores_are_those_of_single_fits(model):
    X, y = data_for(model)
    chosen = HierarchicalShrinkageRegressorCV(
        model, reg_params=[0, 20, 200], cv=[(np.arange(200), np.arange(200, 442))]
    )
    scores = chosen.fit(X, y).cv_results_["mean_test_score"]
    for reg_param, score in zip([0, 20, 200], scores, strict=True):
        single = HierarchicalShrinkageRegressor(model, reg_param=reg_param).fit(X[:200], y[:200])
        assert_allclose(single.score(X[200:], y[200:]), score, rtol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        lightgbm.LGBMRegressor(linear_tree=True),
        lightgbm.LGBMRegressor(linear_trees=True, min_child_samples=1, verbose=-1),  # LightGBM's other name for it
        xgboost.XGBRegressor(booster="gblinear"),
        xgboost.XGBRegressor(multi_strategy="multi_output_tree"),
        lightgbm.LGBMRanker(),
    ],
    ids=lambda m: type(m).__name__,
)
def test_boosters_without_one_value_a_leaf_are_refused(wrong):
    with pytest.raises(TypeError, match=r"cannot shrink|cannot be shrunk|takes a regressor"):
        HierarchicalShrinkageRegressor(wrong).fit(*data_for(wrong))


def test_early_stopping_and_trees_of_one_leaf():
    X, y = load_diabetes(return_X_y=True)
    stopped = lightgbm.LGBMRegressor(n_estimators=200, verbose=-1, n_jobs=1, early_stopping_round=3)
    stopped.fit(X[:300], y[:300], eval_X=X[300:], eval_y=y[300:])
    assert stopped.best_iteration_ < 200
    model = HierarchicalShrinkageRegressor(FrozenEstimator(stopped), reg_param=1e9).fit(X[:300], y[:300])
    assert np.ptp(model.predict(X)) < 1e-3
    leaf = lightgbm.LGBMRegressor(n_estimators=2, min_child_samples=500, verbose=-1)
    assert_allclose(HierarchicalShrinkageRegressor(leaf, reg_param=3).fit(X, y).predict(X), y.mean())
    xgb = xgboost.XGBRegressor(n_estimators=200, early_stopping_rounds=3, n_jobs=1)
    xgb.fit(X[:300], y[:300], eval_set=[(X[300:], y[300:])], verbose=False)
    model = HierarchicalShrinkageRegressor(FrozenEstimator(xgb), reg_param=0.5).fit(X[:300], y[:300])
    assert model.estimator_.best_iteration == xgb.best_iteration
    assert np.ptp(model.predict(X)) < np.ptp(xgb.predict(X))
