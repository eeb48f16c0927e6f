"""Metrics are tried on a constant prediction, never on an estimator of the comparison."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import get_scorer, make_scorer, mean_pinball_loss
from sklearn.model_selection import GridSearchCV

from skpapers.comparison._scorers import ClassScorer
from skpapers.comparison._scoring import check_folds, choose_metrics, has_ranks, selection

BINARY = np.array([0, 1, 1, 0] * 5)
WORDS = np.array(["a", "b", "c", "b"] * 5, dtype=object)
YES = np.array(["no", "yes", "yes", "no"] * 5, dtype=object)
NUMBERS = np.linspace(-1, 3, 20)
RARE = np.array([0] * 17 + [1] * 3)


def first(model, X, y):
    return 0.5


def sharpe(model, X, y):
    return 0.5


def accuracy(model, X, y):
    return 0.5


def MAE(model, X, y):
    return 0.5


@pytest.mark.parametrize(
    ("scoring", "y", "names", "labels"),
    [
        ("accuracy", BINARY, ["accuracy"], ["accuracy"]),
        (["f1", "brier"], BINARY, ["f1", "neg_brier_score"], ["F1", "Brier score"]),
        (["f1", "roc_auc"], WORDS, ["f1_macro", "roc_auc_ovr"], ["macro F1", "ROC AUC"]),
        (
            ["f1", "average_precision"],
            YES,
            ["f1:yes", "average_precision:yes"],
            ["F1 (yes)", "average precision (yes)"],
        ),
        (["neg_log_loss", "log_loss"], WORDS, ["neg_log_loss"], ["log loss"]),
        ("precision_macro", WORDS, ["precision_macro"], ["precision macro"]),
        (None, BINARY, ["accuracy", "neg_log_loss", "roc_auc"], ["accuracy", "log loss", "ROC AUC"]),
        (None, RARE, ["roc_auc", "neg_log_loss", "accuracy"], ["ROC AUC", "log loss", "accuracy"]),
        (
            None,
            np.r_[RARE, [0] * 9, 2],
            ["neg_log_loss", "accuracy", "roc_auc_ovr"],
            ["log loss", "accuracy", "ROC AUC"],
        ),
    ],
)
def test_metrics_of_classes(scoring, y, names, labels):
    metrics = choose_metrics(scoring, "classification", y)
    assert [metric.name for metric in metrics] == names
    assert [metric.label for metric in metrics] == labels
    assert all(metric.weightable for metric in metrics)
    assert [metric.loss for metric in metrics] == [metric.name.startswith("neg_") for metric in metrics]


@pytest.mark.parametrize(
    ("scoring", "name", "label", "loss", "weightable"),
    [
        ("r2", "r2", "R2", False, True),
        ("mae", "neg_mean_absolute_error", "MAE", True, True),
        ("rmse", "neg_root_mean_squared_error", "RMSE", True, True),
        ("mse", "neg_mean_squared_error", "MSE", True, True),
        ("neg_mean_absolute_error", "neg_mean_absolute_error", "MAE", True, True),
        ("neg_max_error", "neg_max_error", "max error", True, False),
        ("pinball:0.9", "pinball:0.9", "pinball 0.9", True, True),
        ("rank_ic", "rank_ic", "rank IC", False, False),
        ("spread", "spread", "spread", False, False),
        ("sharpe", "sharpe", "Sharpe ratio", False, False),
        (make_scorer(mean_pinball_loss, greater_is_better=False), "mean_pinball_loss", "mean pinball loss", True, True),
        (make_scorer(lambda y, p: 0.5), "<lambda>", "<lambda>", False, False),
        (make_scorer(partial(mean_pinball_loss, alpha=0.1)), "functools.partial", "functools.partial", False, True),
        (first, "first", "first", False, False),
        (sharpe, "sharpe()", "sharpe", False, False),
    ],
)
def test_metrics_of_numbers(scoring, name, label, loss, weightable):
    (metric,) = choose_metrics(scoring, "regression", NUMBERS, timed=True, panel=True)
    assert (metric.name, metric.label, metric.loss, metric.weightable) == (name, label, loss, weightable)


def test_roc_auc_is_not_first_where_a_test_fold_has_one_class():
    def names(*tested):
        return [metric.name for metric in choose_metrics(None, "classification", RARE, tested=tested)]

    assert names(RARE[10:], RARE[12:])[0] == "roc_auc"
    assert names(RARE[:10], RARE[10:]) == ["neg_log_loss", "accuracy", "roc_auc"]


def test_a_metric_counts_once():
    metrics = choose_metrics(["r2", first, "mae", "r2", "neg_mean_absolute_error", first], "regression", NUMBERS)
    assert [metric.label for metric in metrics] == ["R2", "first", "MAE"]
    assert len(choose_metrics(["pinball:0.9", "pinball:.90"], "regression", NUMBERS)) == 1


def test_defaults_of_numbers():
    assert [m.label for m in choose_metrics(None, "regression", NUMBERS, timed=True)] == ["R2", "MAE"]
    panel = choose_metrics(None, "regression", NUMBERS, timed=True, panel=True)
    assert [m.label for m in panel] == ["rank IC", "spread", "R2", "MAE"]


def test_one_test_row_has_no_r2():
    one = [NUMBERS[:1], NUMBERS[1:2]]
    assert [m.label for m in choose_metrics(None, "regression", NUMBERS, tested=one)] == ["MAE"]
    assert [m.label for m in choose_metrics(None, "regression", NUMBERS, tested=[*one, NUMBERS[2:4]])] == ["R2", "MAE"]
    both = choose_metrics(["mae", "r2"], "regression", NUMBERS)
    alone = [np.array([18]), np.array([19])]
    with pytest.raises(ValueError, match="Metric 'r2' needs two test rows in a fold"):
        check_folds(both, None, alone)
    check_folds(both, None, [*alone, np.array([16, 17])])
    check_folds(both[:1], None, alone)


def test_one_test_date_has_no_sharpe_ratio():
    sharpes = choose_metrics("sharpe", "regression", NUMBERS, timed=True)
    dates = np.repeat(np.arange(10), 2)
    one = [np.array([16, 17]), np.array([18, 19])]
    with pytest.raises(ValueError, match="Metric 'sharpe' needs two dates in a test fold"):
        check_folds(sharpes, dates, one)
    check_folds(sharpes, dates, [*one, np.array([15, 16])])


def test_a_date_is_ranked_if_three_assets_differ():
    dates = np.repeat([0, 1, 2], [2, 3, 3])
    y = np.array([0.1, 0.2, 0.3, 0.3, 0.3, 0.1, 0.1, 0.2])
    assert has_ranks(y, dates, [np.arange(2), np.arange(8)])
    assert not has_ranks(y, dates, [np.arange(2), np.arange(7)])
    names = [m.name for m in choose_metrics(None, "regression", y, timed=True, panel=True, ranked=False)]
    assert names == ["r2", "neg_mean_absolute_error"]
    for name in ("rank_ic", "spread"):
        with pytest.raises(ValueError, match=f"Metric '{name}' .* no test date has three assets"):
            choose_metrics(name, "regression", y, timed=True, panel=True, ranked=False)
    assert choose_metrics("sharpe", "regression", y, timed=True, panel=True, ranked=False)[0].name == "sharpe"


@pytest.mark.parametrize(
    ("scoring", "task", "y", "message"),
    [
        ("acuracy", "classification", BINARY, "Metric 'acuracy' is unknown; usual for classification: accuracy"),
        ("r2", "classification", BINARY, "does not apply to this classification target .*metric of regression"),
        ("mae", "classification", BINARY, "Metric 'mae' does not apply to this .*metric of regression"),
        ("r2", "classification", WORDS, "does not apply to this classification target"),
        ("accuracy", "regression", NUMBERS, "does not apply to this regression target .*usual for regression: r2"),
        ("log_loss", "regression", NUMBERS, "Metric 'log_loss' does not apply to this regression target"),
        ("rand_score", "regression", NUMBERS, "does not apply to this regression target"),
        ("precision", "classification", WORDS, "does not apply to this classification target"),
        ("rank_ic", "classification", BINARY, "Metric 'rank_ic' does not apply to classification"),
        ("rank_ic", "regression", NUMBERS, "needs a time and assets"),
        ("sharpe", "regression", NUMBERS, "needs a time"),
        ("pinball:2", "regression", NUMBERS, "Metric 'pinball:2' needs a quantile between 0 and 1"),
        ("pinball", "regression", NUMBERS, "Metric 'pinball' needs a quantile between 0 and 1"),
        ([], "regression", NUMBERS, r"scoring=\[\] must be"),
        ({"a": "r2"}, "regression", NUMBERS, "must be the name of a metric, a scorer, or a list"),
        (["r2", 3], "regression", NUMBERS, "scoring: 3 is neither"),
        (["mae", MAE], "regression", NUMBERS, "two metrics have the name 'MAE'"),
        (["accuracy", accuracy], "classification", BINARY, "two metrics have the name 'accuracy'"),
        (mean_pinball_loss, "regression", NUMBERS, r"takes y_true; .* use make_scorer\(mean_pinball_loss\)"),
        ([lambda m, X, y: 1.0, lambda m, X, y: 2.0], "regression", NUMBERS, "two metrics have the name '<lambda>'"),
    ],
)
def test_refused(scoring, task, y, message):
    with pytest.raises(ValueError, match=message) as caught:
        choose_metrics(scoring, task, y)
    assert "\n" not in str(caught.value)


def test_selection_inside_an_estimator():
    X = np.random.default_rng(0).normal(size=(20, 2))
    for scoring, y, expected in [("f1", BINARY, "f1"), ("log_loss", WORDS, "neg_log_loss"), ("f1", YES, None)]:
        chosen = selection(choose_metrics(scoring, "classification", y)[0])
        assert chosen == expected or (expected is None and callable(chosen))
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring=chosen, cv=2).fit(X, y)
        assert np.isfinite(search.best_score_)
    assert selection(choose_metrics("rank_ic", "regression", NUMBERS, timed=True, panel=True)[0]) is None
    assert selection(choose_metrics(first, "regression", NUMBERS)[0]) is first
    assert selection(choose_metrics(accuracy, "classification", BINARY)[0]) is accuracy


def test_selection_on_folds_that_lack_a_class():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.repeat(["a", "b", "c"], 20).astype(object)
    model = LogisticRegression().fit(X[:40], y[:40])
    for name in ("log_loss", "roc_auc", "accuracy"):
        chosen = selection(choose_metrics(name, "classification", y)[0], lacking=True)
        # the training rows lack the third class, the test rows have the second alone
        assert np.isfinite(get_scorer(chosen)(model, X[20:30], y[20:30])) == (name != "roc_auc")
        assert chosen == "accuracy" if name == "accuracy" else isinstance(chosen, ClassScorer)
    assert selection(choose_metrics("roc_auc", "classification", BINARY)[0], lacking=True) is None
    assert selection(choose_metrics("mae", "regression", NUMBERS)[0], lacking=True) == "neg_mean_absolute_error"


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "roc_auc", "average_precision", "brier", "f1"])
@pytest.mark.parametrize("y", [BINARY, WORDS, YES])
def test_metrics_survive_pickling_and_constant_predictions(name, y):
    (metric,) = choose_metrics(name, "classification", y)
    X = np.zeros((20, 1))
    again = pickle.loads(pickle.dumps(metric))
    assert np.isfinite(again.scorer(DummyClassifier().fit(X, y), X, y))


def test_equal_to_scikit_learns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    weights = rng.random(90)
    for y in (rng.integers(2, size=90), rng.integers(3, size=90)):
        model = LogisticRegression().fit(X[:60], y[:60])
        names = ["log_loss", "roc_auc", "brier", "f1"] + ["average_precision"] * (len(np.unique(y)) == 2)
        for metric in choose_metrics(names, "classification", y):
            theirs = get_scorer(metric.name)
            for params in ({}, {"sample_weight": weights[60:]}):
                expected = theirs(model, X[60:], y[60:], **params)
                assert metric.scorer(model, X[60:], y[60:], **params) == pytest.approx(expected)
    model = LinearRegression().fit(X, X[:, 0])
    (metric,) = choose_metrics("pinball:0.25", "regression", X[:, 0])
    expected = -mean_pinball_loss(X[:, 1], model.predict(X), alpha=0.25)
    assert metric.scorer(DummyRegressor().fit(X, X[:, 0]), X, X[:, 0]) < 0
    assert metric.scorer(model, X, X[:, 1]) == pytest.approx(expected)
