"""Scores of a path: rows outside the bags, weights, and scorers of every kind."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, get_scorer, log_loss, make_scorer, mean_squared_error, r2_score
from sklearn.tree import DecisionTreeClassifier

from skpapers.tree import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageClassifierCV,
    HierarchicalShrinkageRegressor,
    HierarchicalShrinkageRegressorCV,
)

REG_PARAMS = (0, 0.1, 1, 10, 50, 100, 500)
CLASSES = load_breast_cancer(return_X_y=True)
NUMBERS = load_diabetes(return_X_y=True)


class TestOutOfBag:
    @pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
    def test_unshrunken_score_is_the_forests_own(self, kind):
        X, y = CLASSES
        forest = kind(60, bootstrap=True, oob_score=True, random_state=0)
        chosen = HierarchicalShrinkageClassifierCV(forest, cv="oob").fit(X, y)
        assert chosen.n_splits_ == 1
        assert_allclose(chosen.cv_results_["mean_test_score"][0], forest.fit(X, y).oob_score_)

    def test_scores_are_those_of_the_trees_that_did_not_see_the_row(self):
        X, y = NUMBERS
        forest = RandomForestRegressor(12, random_state=0, max_samples=0.6)
        chosen = HierarchicalShrinkageRegressorCV(forest, cv="oob", scoring="neg_mean_squared_error").fit(X, y)
        fitted = clone(forest).fit(X, y)
        for reg_param, score in zip(REG_PARAMS, chosen.cv_results_["mean_test_score"], strict=True):
            shrunken = HierarchicalShrinkageRegressor(FrozenEstimator(fitted), reg_param=reg_param).fit(X, y).estimator_
            said = np.full((12, len(y)), np.nan)
            for t, (tree, in_bag) in enumerate(zip(shrunken.estimators_, fitted.estimators_samples_, strict=True)):
                outside = np.setdiff1d(np.arange(len(y)), in_bag)
                said[t, outside] = tree.predict(X[outside])
            seen = ~np.isnan(said).all(axis=0)
            assert_allclose(-score, mean_squared_error(y[seen], np.nanmean(said[:, seen], axis=0)))

    def test_weights_reach_the_score(self):
        X, y = NUMBERS
        weight = np.random.default_rng(0).uniform(0.1, 5, size=len(y))
        forest = RandomForestRegressor(30, random_state=0)
        chosen = HierarchicalShrinkageRegressorCV(forest, cv="oob", reg_params=[0]).fit(X, y, sample_weight=weight)
        fitted = RandomForestRegressor(30, oob_score=True, random_state=0).fit(X, y, weight)
        seen = np.isin(np.arange(len(y)), [i for i in range(len(y)) if fitted.oob_prediction_[i] != 0])
        expected = r2_score(y[seen], fitted.oob_prediction_[seen], sample_weight=weight[seen])
        assert_allclose(chosen.best_score_, expected)

    def test_fits_once(self, monkeypatch):
        fits = []
        fit = RandomForestRegressor.fit
        monkeypatch.setattr(RandomForestRegressor, "fit", lambda self, *a, **k: fits.append(1) or fit(self, *a, **k))
        HierarchicalShrinkageRegressorCV(RandomForestRegressor(20, random_state=0), cv="oob").fit(*NUMBERS)
        assert len(fits) == 1
        HierarchicalShrinkageRegressorCV(RandomForestRegressor(2, random_state=0), cv=3).fit(*NUMBERS)
        assert len(fits) == 1 + 3 + 1

    def test_a_frozen_forest_is_scored_on_its_own_rows(self):
        X, y = CLASSES
        forest = RandomForestClassifier(40, random_state=0)
        frozen = HierarchicalShrinkageClassifierCV(FrozenEstimator(clone(forest).fit(X, y)), cv="oob").fit(X, y)
        inside = HierarchicalShrinkageClassifierCV(forest, cv="oob").fit(X, y)
        assert_array_equal(frozen.cv_results_["mean_test_score"], inside.cv_results_["mean_test_score"])
        with pytest.raises(ValueError, match="needs the rows the forest was trained on; got 50 rows"):
            HierarchicalShrinkageClassifierCV(FrozenEstimator(forest.fit(X, y)), cv="oob").fit(X[:50], y[:50])

    @pytest.mark.parametrize(
        "model", [None, DecisionTreeClassifier(), RandomForestClassifier(bootstrap=False)], ids=str
    )
    def test_without_bags_it_is_refused(self, model):
        with pytest.raises(ValueError, match='cv="oob" needs a forest with bootstrap=True'):
            HierarchicalShrinkageClassifierCV(model, cv="oob").fit(*CLASSES)

    def test_a_plain_callable_is_refused(self):
        model = HierarchicalShrinkageClassifierCV(
            RandomForestClassifier(10), cv="oob", scoring=lambda estimator, X, y: 0.0
        )
        with pytest.raises(ValueError, match="needs a scorer by name or from make_scorer"):
            model.fit(*CLASSES)

    def test_one_tree_leaves_few_rows_and_a_bag_of_everything_none(self):
        X, y = NUMBERS
        HierarchicalShrinkageRegressorCV(RandomForestRegressor(1, random_state=0), cv="oob").fit(X, y)
        with pytest.raises(ValueError, match="no row outside every bag"):
            HierarchicalShrinkageRegressorCV(RandomForestRegressor(1, random_state=0), cv="oob").fit([[0.0]], [1.0])


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "roc_auc"])
def test_weights_of_the_folds_reach_the_nodes_of_boosters(scoring):
    """Boosters count N(t) themselves: in a fold with the weights of its training part."""
    X, y = CLASSES
    weight = np.random.default_rng(0).uniform(0.1, 5, size=len(y))
    model = HistGradientBoostingClassifier(max_iter=3, class_weight="balanced")
    fold = (np.arange(300), np.arange(300, len(y)))
    chosen = HierarchicalShrinkageClassifierCV(model, cv=[fold], reg_params=[50], scoring=scoring)
    chosen.fit(X, y, sample_weight=weight)
    single = HierarchicalShrinkageClassifier(model, reg_param=50).fit(X[:300], y[:300], sample_weight=weight[:300])
    scorer = get_scorer(scoring or "accuracy")
    assert_allclose(chosen.best_score_, scorer(single, X[300:], y[300:], sample_weight=weight[300:]), rtol=1e-12)


def test_a_fold_of_one_row_scores_as_in_a_grid_search():
    X, y = NUMBERS
    folds = [(np.arange(1, 442), [0]), (np.arange(200), np.arange(200, 442))]
    chosen = HierarchicalShrinkageRegressorCV(cv=folds, scoring="neg_mean_absolute_error").fit(X, y)
    assert np.isfinite(chosen.best_score_)
    with (
        pytest.warns(UserWarning, match="less than two samples"),
        pytest.raises(ValueError, match="every score is NaN"),
    ):
        HierarchicalShrinkageRegressorCV(cv=folds, scoring="r2").fit(X, y)


def test_a_metric_without_weights_is_not_given_any():
    X, y = NUMBERS
    model = HierarchicalShrinkageRegressorCV(cv=3, scoring="neg_max_error").fit(X, y, sample_weight=np.ones(len(y)))
    assert np.isfinite(model.best_score_)


def test_a_scorer_of_ones_own():
    X, y = CLASSES
    scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    own = HierarchicalShrinkageClassifierCV(scoring=scorer).fit(X, y)
    named = HierarchicalShrinkageClassifierCV(scoring="neg_log_loss").fit(X, y)
    assert_allclose(own.cv_results_["mean_test_score"], named.cv_results_["mean_test_score"])
    assert own.reg_param_ == named.reg_param_
    seen = []

    def look(estimator, X, y):
        seen.append(estimator.tree_.value.copy())  # a callable sees the shrunken model itself
        return accuracy_score(y, estimator.predict(X))

    HierarchicalShrinkageClassifierCV(scoring=look, reg_params=[0, 100], cv=2).fit(X, y)
    assert np.ptp(seen[1]) < np.ptp(seen[0])
