"""Estimators that choose a parameter by cross-validation, compared with GridSearchCV."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold

from skpapers._cross_validation import choose
from tests._instances import estimator_names, small

NAMES = [name for name in estimator_names() if name.endswith("CV")]
PARAMETER = {name: "reg_param" if name.startswith("HierarchicalShrinkage") else "alpha" for name in NAMES}
SCORES = {
    "plain": [[0.1, 0.5, 0.3], [0.2, 0.4, 0.3], [0.3, 0.3, 0.3]],
    "ties": [[0.1, 0.3, 0.3], [0.2, 0.7, 0.7], [0.7, 0.1, 0.1]],
    "ties by rounding": [[0.1, 0.3, 0.1], [0.2, 0.2, 0.3], [0.3, 0.1, 0.2]] * 3,
    "NaN": [[np.nan, 0.5, 0.3, 0.1], [0.2, 0.4, np.nan, 0.3]],
    "minus infinity": [[-np.inf, 0.5, np.nan, -np.inf]],
    "plus infinity": [[1.0, np.inf, 2.0, np.nan]],
    "large": [[-1e300, np.nan, -1e300, -1e299]],
}


def table(name):
    X, y = load_breast_cancer(return_X_y=True) if is_classifier(small(name)) else load_diabetes(return_X_y=True)
    return X[::4, :5], y[::4]


def parameters(model):
    """Return the values to choose from, in the order of the results."""
    return model.alphas_ if hasattr(model, "alphas_") else np.asarray(model.reg_params, dtype=float)


class Planned(BaseEstimator):
    """An estimator whose score in each fold is planned."""

    def __init__(self, table=None, alpha=0.0):
        self.table = table
        self.alpha = alpha

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return self.table[int(X[0, 0])][int(self.alpha)]


@pytest.mark.filterwarnings("ignore:One or more of the test scores", "ignore:invalid value")
@pytest.mark.filterwarnings("ignore:Mean test scores are NaN or infinite", "ignore:overflow")
@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_results_are_those_of_a_grid_search(scores):
    n_splits, n_values = np.shape(scores)
    rows = np.arange(n_splits)
    folds = [(rows[rows != k], [k]) for k in range(n_splits)] if n_splits > 1 else [([0], [0])]
    values = np.arange(float(n_values))
    grid = GridSearchCV(Planned(scores), {"alpha": values}, cv=folds).fit(rows[:, np.newaxis], rows)
    choice = choose("alpha", values, scores)
    expected = {key: value for key, value in grid.cv_results_.items() if not key.endswith("_time")}
    assert list(choice.cv_results) == list(expected)
    for key, value in expected.items():
        assert_array_equal(choice.cv_results[key], value)
    found = choice.attributes()
    assert found["best_index_"] == grid.best_index_
    assert found["best_score_"] == grid.best_score_
    assert found["best_params_"] == grid.best_params_
    assert found["n_splits_"] == grid.n_splits_


def test_scores_that_are_not_finite_are_named():
    with pytest.warns(UserWarning, match=r"NaN or infinite for some values of alpha: \[0.5 nan\]"):
        choose("alpha", np.array([1.0, 2.0]), [[0.5, np.nan]])
    with pytest.raises(ValueError, match="every score is NaN, so no alpha is better"):
        choose("alpha", np.array([1.0, 2.0]), [[np.nan, np.nan]])


@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_has_the_attributes_of_a_grid_search(name):
    X, y = table(name)
    model = small(name).fit(X, y)
    results = model.cv_results_
    splits = [results[f"split{i}_test_score"] for i in range(model.n_splits_)]
    parameter = PARAMETER[name]
    assert model.n_splits_ == model.cv
    assert set(results) == {
        f"param_{parameter}",
        "params",
        *(f"split{i}_test_score" for i in range(model.cv)),
        "mean_test_score",
        "std_test_score",
        "rank_test_score",
    }
    assert_array_equal(results[f"param_{parameter}"], parameters(model))
    assert results["params"] == [{parameter: value} for value in parameters(model)]
    assert_allclose(results["mean_test_score"], np.mean(splits, axis=0))
    assert_allclose(results["std_test_score"], np.std(splits, axis=0))
    assert results["rank_test_score"][model.best_index_] == 1
    assert model.best_params_ == {parameter: getattr(model, f"{parameter}_")} == results["params"][model.best_index_]
    assert model.best_score_ == results["mean_test_score"].max()


@pytest.mark.parametrize("name", NAMES)
def test_folds_come_in_any_form(name):
    X, y = table(name)
    splitter = (StratifiedKFold if is_classifier(small(name)) else KFold)(3)
    expected = small(name).set_params(cv=3).fit(X, y)
    folds = list(splitter.split(X, y))
    masks = [tuple(np.isin(np.arange(len(y)), rows) for rows in fold) for fold in folds]
    for cv in (splitter, folds, masks, iter(folds), splitter.split(X, y), (fold for fold in folds)):
        model = small(name).set_params(cv=cv).fit(X, y)
        assert_array_equal(model.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    with pytest.raises(ValueError, match="cv gave no split"):
        model.fit(X, y)  # the generator is used up
    assert model.n_splits_ == 3
    one = small(name).set_params(cv=folds[:1]).fit(X, y)
    assert one.n_splits_ == 1
    assert_array_equal(one.cv_results_["std_test_score"], 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_groups_reach_the_splitter(name):
    X, y = table(name)
    groups = np.arange(len(y)) // 5 % 4
    model = small(name).set_params(cv=GroupKFold(3))
    plain = clone(model).fit(X, y, groups=groups)
    listed = clone(model).set_params(cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    assert_array_equal(plain.cv_results_["mean_test_score"], listed.cv_results_["mean_test_score"])
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(model).fit(X, y, groups=groups)
    assert_array_equal(plain.cv_results_["mean_test_score"], routed.cv_results_["mean_test_score"])
    with pytest.raises(TypeError, match=r"only sample_weight and groups .* got \['colour'\]"):
        clone(model).fit(X, y, groups=groups, colour="red")


@pytest.mark.parametrize("name", NAMES)
def test_weights_reach_the_scorer(name):
    X, y = table(name)
    weight = np.random.default_rng(0).uniform(0.1, 2.0, len(y))
    scoring = "accuracy" if is_classifier(small(name)) else "r2"
    model = small(name).set_params(scoring=scoring, cv=KFold(2))
    plain = clone(model).fit(X, y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = get_scorer(scoring)
        asks = clone(model).set_params(scoring=scorer.set_score_request(sample_weight=True))
        asks.fit(X, y, sample_weight=weight)
        scorer = get_scorer(scoring)
        refuses = clone(model).set_params(scoring=scorer.set_score_request(sample_weight=False))
        refuses.fit(X, y, sample_weight=weight)
    assert_array_equal(plain.cv_results_["mean_test_score"], asks.cv_results_["mean_test_score"])
    assert not np.array_equal(plain.cv_results_["mean_test_score"], refuses.cv_results_["mean_test_score"])


@pytest.mark.parametrize("name", NAMES)
def test_scoring_takes_every_form(name):
    X, y = table(name)
    default = small(name)._default_scoring()
    expected = small(name).fit(X, y).cv_results_["mean_test_score"]
    for scoring in (default, get_scorer(default), lambda model, X, y: get_scorer(default)(model, X, y)):
        model = small(name).set_params(scoring=scoring).fit(X, y)
        assert_allclose(model.cv_results_["mean_test_score"], expected, rtol=1e-12)


class Fails:
    """A scorer that raises an error, or returns NaN for the first model and then rising scores."""

    def __init__(self, error=None):
        self.error = error
        self.n_calls = 0

    def __call__(self, model, X, y):
        self.n_calls += 1
        if self.error is not None:
            raise self.error
        return np.nan if self.n_calls == 1 else float(self.n_calls)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_in_the_folds_ends_the_fit(name):
    X, y = table(name)
    model = small(name).set_params(scoring=Fails(ZeroDivisionError("no score")))
    with pytest.raises(ZeroDivisionError, match="no score"):
        model.fit(X, y)
    assert not [key for key in vars(model) if key.endswith("_") and not key.startswith("_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_value_without_a_score_is_ranked_last(name):
    X, y = table(name)
    with pytest.warns(UserWarning, match="NaN or infinite") as caught:
        model = small(name).set_params(scoring=Fails()).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    ranks = model.cv_results_["rank_test_score"]
    assert ranks[0] == len(ranks)
    assert model.best_index_ == len(ranks) - 1
