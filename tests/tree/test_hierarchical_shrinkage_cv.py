"""Choosing lambda: the scores against fits one by one, against imodels, and what the folds may see."""

import imodels
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer, log_loss, make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skpapers.tree import (
    HierarchicalShrinkageClassifier,
    HierarchicalShrinkageClassifierCV,
    HierarchicalShrinkageRegressor,
    HierarchicalShrinkageRegressorCV,
)

REG_PARAMS = (0, 0.1, 1, 10, 50, 100, 500)
CLASSES = load_breast_cancer(return_X_y=True)
NUMBERS = load_diabetes(return_X_y=True)


def searched(model, X, y, **kwargs):
    """The same choice by refitting for every lambda and fold."""
    single = HierarchicalShrinkageClassifier if hasattr(model, "predict_proba") else HierarchicalShrinkageRegressor
    return GridSearchCV(single(model), {"reg_param": list(REG_PARAMS)}, **kwargs).fit(X, y)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(8, random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
    ],
    ids=str,
)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "roc_auc", "balanced_accuracy"])
def test_equals_a_grid_search_of_classifiers(model, scoring):
    X, y = CLASSES
    grid = searched(model, X, y, cv=3, scoring=scoring)
    chosen = HierarchicalShrinkageClassifierCV(model, cv=3, scoring=scoring).fit(X, y)
    for key in ("split0_test_score", "split2_test_score", "mean_test_score", "std_test_score"):
        assert_allclose(chosen.cv_results_[key], grid.cv_results_[key], atol=1e-12)
    assert chosen.reg_param_ == grid.best_params_["reg_param"]
    assert_allclose(chosen.predict_proba(X), grid.predict_proba(X), atol=1e-15)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(random_state=0),
        RandomForestRegressor(8, random_state=0),
        BaggingRegressor(n_estimators=5, random_state=0),
        HistGradientBoostingRegressor(max_iter=5),
    ],
    ids=str,
)
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", "max_error", "callable"])
def test_equals_a_grid_search_of_regressors(model, scoring):
    """Metrics of many outputs are called once, others once for each lambda, and a callable gets a whole model."""
    X, y = NUMBERS
    scoring = (lambda estimator, X, y: r2_score(y, estimator.predict(X))) if scoring == "callable" else scoring
    scoring = "neg_max_error" if scoring == "max_error" else scoring
    grid = searched(model, X, y, cv=4, scoring=scoring)
    chosen = HierarchicalShrinkageRegressorCV(model, cv=4, scoring=scoring).fit(X, y)
    assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], rtol=1e-10)
    assert_array_equal(chosen.cv_results_["rank_test_score"], grid.cv_results_["rank_test_score"])
    assert_allclose(chosen.best_score_, grid.best_score_, rtol=1e-10)
    assert_allclose(chosen.predict(X), grid.predict(X), rtol=1e-12)


@pytest.mark.parametrize("forest", [False, True])
def test_equals_imodels(forest):
    X, y = NUMBERS
    model = RandomForestRegressor(10, random_state=0) if forest else DecisionTreeRegressor(random_state=0)
    peer = imodels.HSTreeRegressorCV(model, max_leaf_nodes=None).fit(X, y)
    ours = HierarchicalShrinkageRegressorCV(model, cv=KFold(3), scoring="neg_mean_squared_error").fit(X, y)
    assert_allclose(-ours.cv_results_["mean_test_score"], peer.scores_, rtol=1e-10)
    assert ours.reg_param_ == peer.reg_param
    assert_allclose(ours.predict(X), peer.predict(X), rtol=0, atol=1e-10)

    X, y = CLASSES
    model = RandomForestClassifier(10, random_state=0) if forest else DecisionTreeClassifier(random_state=0)
    peer = imodels.HSTreeClassifierCV(model, max_leaf_nodes=None).fit(X, y)
    ours = HierarchicalShrinkageClassifierCV(model, cv=KFold(3), scoring="neg_log_loss").fit(X, y)
    assert_allclose(-ours.cv_results_["mean_test_score"], peer.scores_, rtol=0, atol=1e-10)
    assert ours.reg_param_ == peer.reg_param
    assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("hierarchical", "node_based"), ("leaf", "leaf_based"), ("constant",) * 2]
)
def test_every_scheme_equals_imodels(ours, theirs):
    X, y = CLASSES
    for reg_param in (0.1, 1, 25):
        tree = DecisionTreeClassifier(random_state=0)
        peer = imodels.HSTreeClassifier(tree, reg_param=reg_param, shrinkage_scheme_=theirs).fit(X, y)
        model = HierarchicalShrinkageClassifier(tree, reg_param=reg_param, scheme=ours).fit(X, y)
        assert_allclose(model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=1e-10)


def test_the_scheme_is_used_in_the_folds():
    X, y = NUMBERS
    scores = [
        HierarchicalShrinkageRegressorCV(scheme=scheme).fit(X, y).cv_results_["mean_test_score"]
        for scheme in ("hierarchical", "leaf", "constant")
    ]
    assert_allclose(scores[0][0], scores[1][0])
    assert len({float(s[3]) for s in scores}) == 3


def own_log_loss(estimator, X, y):
    return -log_loss(np.ravel(y), estimator.predict_proba(X))


@pytest.mark.parametrize(
    "scoring",
    [
        "accuracy",
        "neg_log_loss",
        "roc_auc",
        own_log_loss,
        make_scorer(log_loss, response_method="predict_proba", greater_is_better=False),
    ],
)
@pytest.mark.parametrize("form", ["int", "bool", "object", "string", "category", "boolean"])
def test_equals_a_grid_search_where_the_target_is_a_column(form, scoring):
    X, y = CLASSES
    X, y = X[:120], pd.Series(y[:120])  # equal folds
    y = (y.map({0: "bad", 1: "good"}) if form in ("object", "string", "category") else y).astype(form)
    column = y.to_numpy()[:, np.newaxis] if form in ("int", "bool", "object") else y.to_frame("target")
    model = DecisionTreeClassifier(random_state=0)
    grid = searched(model, X, column, cv=3, scoring=scoring, error_score="raise")
    chosen = HierarchicalShrinkageClassifierCV(model, cv=3, scoring=scoring).fit(X, column)
    assert chosen.reg_param_ == grid.best_params_["reg_param"]
    assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], atol=1e-12)
    assert_array_equal(chosen.predict(X), grid.predict(X))


@pytest.mark.parametrize("scoring", ["r2", "neg_root_mean_squared_error", "neg_max_error"])
@pytest.mark.parametrize("form", ["float32", "int64", "object", "Float64"])
def test_equals_a_grid_search_where_the_target_is_a_column_of_numbers(form, scoring):
    X, y = NUMBERS
    column = pd.DataFrame({"target": y}).astype(form)
    grid = searched(DecisionTreeRegressor(random_state=0), X, column, cv=3, scoring=scoring, error_score="raise")
    chosen = HierarchicalShrinkageRegressorCV(cv=3, scoring=scoring).fit(X, column)
    assert chosen.reg_param_ == grid.best_params_["reg_param"]
    assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"], rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")  # forests ask for one dimension
def test_out_of_bag_rows_take_a_column():
    X, y = CLASSES
    model = HierarchicalShrinkageClassifierCV(
        RandomForestClassifier(10, random_state=0), cv="oob", scoring="neg_log_loss"
    )
    flat = model.fit(X, y).cv_results_["mean_test_score"]
    assert_array_equal(model.fit(X, y[:, np.newaxis]).cv_results_["mean_test_score"], flat)


def test_several_outputs():
    X, y = load_iris(return_X_y=True)
    for forest in (None, RandomForestClassifier(5, random_state=0)):
        labels = np.column_stack([y > 0, y > 1]).astype(int)
        chosen = HierarchicalShrinkageClassifierCV(forest, cv=KFold(3, shuffle=True, random_state=0)).fit(X, labels)
        model = HierarchicalShrinkageClassifier(forest, reg_param=chosen.reg_param_).fit(X, labels)
        assert_array_equal(chosen.predict(X), model.predict(X))
        grid = (
            searched(model.estimator, X, labels, cv=KFold(3, shuffle=True, random_state=0))
            if forest is not None
            else None
        )
        if grid is not None:
            assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"])
    targets = np.column_stack([X[:, 0], X[:, 1] ** 2])
    chosen = HierarchicalShrinkageRegressorCV(cv=3).fit(X, targets)
    grid = searched(DecisionTreeRegressor(random_state=0), X, targets, cv=3)
    assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"])
    assert chosen.predict(X).shape == (150, 2)


def test_weights_are_used_in_the_fits_and_in_the_scores():
    X, y = CLASSES
    weight = np.random.default_rng(0).integers(1, 4, size=len(y))
    copies = np.repeat(np.arange(len(y)), weight)
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    folds_of_copies = [tuple(np.flatnonzero(np.isin(copies, part)) for part in fold) for fold in folds]
    for scoring in ("accuracy", "neg_log_loss"):
        weighted = HierarchicalShrinkageClassifierCV(cv=folds, scoring=scoring).fit(X, y, sample_weight=weight)
        repeated = HierarchicalShrinkageClassifierCV(cv=folds_of_copies, scoring=scoring).fit(X[copies], y[copies])
        assert_allclose(weighted.cv_results_["mean_test_score"], repeated.cv_results_["mean_test_score"], rtol=1e-10)
        assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-12)
    targets = NUMBERS[1]
    by_number = np.random.default_rng(1).uniform(0.1, 3, size=len(NUMBERS[1]))
    one = HierarchicalShrinkageRegressorCV(cv=3).fit(NUMBERS[0], targets, sample_weight=by_number)
    fold = next(iter(KFold(3).split(targets)))
    tree = DecisionTreeRegressor(random_state=0).fit(NUMBERS[0][fold[0]], targets[fold[0]], by_number[fold[0]])
    expected = tree.score(NUMBERS[0][fold[1]], targets[fold[1]], by_number[fold[1]])
    assert_allclose(one.cv_results_["split0_test_score"][0], expected)


def test_folds_are_stratified_and_groups_reach_the_splitter():
    X, y = load_iris(return_X_y=True)  # sorted by class: unstratified folds would hold one class each
    assert HierarchicalShrinkageClassifierCV(cv=3).fit(X, y).best_score_ > 0.9
    groups = np.arange(len(y)) % 7
    chosen = HierarchicalShrinkageClassifierCV(cv=GroupKFold(3)).fit(X, y, groups=groups)
    grid = GridSearchCV(HierarchicalShrinkageClassifier(), {"reg_param": list(REG_PARAMS)}, cv=GroupKFold(3))
    grid.fit(X, y, groups=groups)
    assert_allclose(chosen.cv_results_["mean_test_score"], grid.cv_results_["mean_test_score"])
    with pytest.raises(TypeError, match=r"only sample_weight and groups .* got \['colour'\]"):
        HierarchicalShrinkageClassifierCV().fit(X, y, colour="red")


def test_time_ordered_folds_never_see_the_future():
    """Rows after a fold's training part are poison: they change nothing that the fold scored before them."""
    X, y = NUMBERS
    cv = TimeSeriesSplit(4)
    scores = HierarchicalShrinkageRegressorCV(cv=cv).fit(X, y).cv_results_
    last_train, last_test = list(cv.split(X))[-1]
    poisoned = y.copy()
    poisoned[last_test] = 1e6
    after = HierarchicalShrinkageRegressorCV(cv=cv).fit(X, poisoned).cv_results_
    for i in range(3):
        assert_array_equal(scores[f"split{i}_test_score"], after[f"split{i}_test_score"])
    assert last_train.max() < last_test.min()


def test_routed_metadata():
    X, y = CLASSES
    weight = np.random.default_rng(0).uniform(0.1, 2, size=len(y))
    groups = np.arange(len(y)) % 5
    plain = HierarchicalShrinkageClassifierCV(cv=GroupKFold(3)).fit(X, y, sample_weight=weight, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        model = HierarchicalShrinkageClassifierCV(cv=GroupKFold(3))
        routed = model.fit(X, y, sample_weight=weight, groups=groups)
        assert_allclose(routed.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])
        scoring = get_scorer("accuracy").set_score_request(sample_weight=False)
        unweighted = HierarchicalShrinkageClassifierCV(cv=GroupKFold(3), scoring=scoring)
        unweighted.fit(X, y, sample_weight=weight, groups=groups)
        assert not np.allclose(unweighted.best_score_, plain.best_score_, rtol=1e-6)


def test_any_number_of_jobs_gives_the_same():
    X, y = CLASSES
    fits = [HierarchicalShrinkageClassifierCV(n_jobs=n).fit(X, y) for n in (None, 2)]
    assert_array_equal(fits[0].cv_results_["mean_test_score"], fits[1].cv_results_["mean_test_score"])
    assert_array_equal(fits[0].predict_proba(X), fits[1].predict_proba(X))


def test_a_frozen_tree_is_not_refitted():
    X, y = NUMBERS
    tree = DecisionTreeRegressor(random_state=0).fit(X[:200], y[:200])
    chosen = HierarchicalShrinkageRegressorCV(FrozenEstimator(tree), cv=3).fit(X[200:], y[200:])
    single = HierarchicalShrinkageRegressor(FrozenEstimator(tree), reg_param=chosen.reg_param_).fit(X, y)
    assert_array_equal(chosen.predict(X), single.predict(X))
    assert chosen.reg_param_ > 0
    assert_array_equal(chosen.estimator_.tree_.children_left, tree.tree_.children_left)


def test_a_frozen_booster_is_refused():
    X, y = NUMBERS
    frozen = FrozenEstimator(HistGradientBoostingRegressor(max_iter=3).fit(X, y))
    with pytest.raises(ValueError, match="frozen HistGradientBoostingRegressor does not carry the row weights"):
        HierarchicalShrinkageRegressorCV(frozen).fit(X, y)


@pytest.mark.parametrize("reg_params", [[], [-1.0], [np.nan], [np.inf], [[1.0]], [0, -0.5], ["a"], [0, [1, 2]]])
def test_bad_paths_are_refused(reg_params):
    with pytest.raises(ValueError, match=r"reg_params must be a list of one or more finite values >= 0, got"):
        HierarchicalShrinkageRegressorCV(reg_params=reg_params).fit(*NUMBERS)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": "bag"}, "'cv'"),
        ({"cv": 1}, "'cv'"),
        ({"scoring": "nonsense"}, "'scoring'"),
        ({"n_jobs": "2"}, "'n_jobs'"),
        ({"scheme": 1}, "'scheme'"),
        ({"cv": []}, "no split"),
        ({"scoring": lambda estimator, X, y: np.nan}, "every score is NaN"),
    ],
)
def test_bad_parameters_are_refused_and_nothing_is_fitted(params, message):
    model = HierarchicalShrinkageRegressorCV(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(*NUMBERS)
    assert not [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]


def test_callbacks_see_the_fit_and_its_result(capsys):
    X, y = NUMBERS
    monitor = ScoringMonitor(scoring="r2")
    model = HierarchicalShrinkageRegressorCV(cv=3).set_callbacks(ProgressBar(), monitor)
    plain = HierarchicalShrinkageRegressorCV(cv=3).fit(X, y)
    assert_array_equal(model.fit(X, y).predict(X), plain.predict(X))
    assert "HierarchicalShrinkageRegressorCV" in capsys.readouterr().out
    (logged,) = monitor.get_logs(select="most_recent").data
    assert_allclose(logged["r2"], model.score(X, y))


def test_an_interrupted_fit_leaves_nothing_behind(monkeypatch):
    fits = []

    def interrupted(self, *args, **kwargs):
        fits.append(1)
        if len(fits) == 3:
            raise KeyboardInterrupt
        return fit(self, *args, **kwargs)

    fit = DecisionTreeRegressor.fit
    monkeypatch.setattr(DecisionTreeRegressor, "fit", interrupted)
    model = HierarchicalShrinkageRegressorCV()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*NUMBERS)
    assert not [name for name in vars(model) if name.endswith("_")]
