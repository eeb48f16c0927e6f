"""Scorers where a fold lacks a class, and by date; what the worker makes of all of them."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from skpapers.comparison._backtest import sharpe_ratio
from skpapers.comparison._scorers import Remembering, class_probabilities, score_all
from skpapers.comparison._scoring import choose_metrics


class Counting(ClassifierMixin, BaseEstimator):
    """Answers with a column of X and counts the calls."""

    def __init__(self):
        self.calls = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.calls.append("predict")
        return (X[:, 0] > 0.5).astype(int)

    def predict_proba(self, X):
        self.calls.append("predict_proba")
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def three_classes(n=60):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)), np.array(["x", "y", "z"] * (n // 3), dtype=object)


def test_a_class_that_training_lacks_has_probability_zero():
    X, y = three_classes()
    known = y != "y"
    model = LogisticRegression().fit(X[known], y[known])
    found = class_probabilities(model, X, np.unique(y))
    np.testing.assert_array_equal(found[:, [0, 2]], model.predict_proba(X))
    assert not found[:, 1].any()
    scores = score_all(choose_metrics(["log_loss", "roc_auc", "brier"], "classification", y), model, X, y)
    assert scores["neg_log_loss"] == pytest.approx(-log_loss(y, found, labels=["x", "y", "z"]))
    each = [roc_auc_score(y == label, found[:, number]) for number, label in enumerate("xyz")]
    assert scores["roc_auc_ovr"] == pytest.approx(np.mean(each))
    assert each[1] == 0.5


def test_a_class_that_test_rows_lack_is_left_out():
    X, y = three_classes()
    model = LogisticRegression().fit(X, y)
    some = y != "x"
    P = model.predict_proba(X[some])
    metrics = choose_metrics(["log_loss", "roc_auc"], "classification", y)
    scores = score_all(metrics, model, X[some], y[some])
    assert scores["neg_log_loss"] == pytest.approx(-log_loss(y[some], P, labels=["x", "y", "z"]))
    each = [roc_auc_score(y[some] == "y", P[:, 1]), roc_auc_score(y[some] == "z", P[:, 2])]
    assert scores["roc_auc_ovr"] == pytest.approx(np.mean(each))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(score_all(metrics, model, X[y == "x"], y[y == "x"])["roc_auc_ovr"])


def test_probabilities_in_single_precision():
    """XGBoost and networks answer in float32, whose rows do not quite sum to 1."""
    X, y = three_classes()
    model = LogisticRegression().fit(X, y)
    exact = model.predict_proba(X)
    model.predict_proba = lambda X: exact.astype(np.float32)
    metrics = choose_metrics(["log_loss", "brier"], "classification", y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score_all(metrics, model, X, y)["neg_log_loss"] == pytest.approx(-log_loss(y, exact), rel=1e-6)
    model.predict_proba = lambda X: (0.9 * exact).astype(np.float32)
    with pytest.warns(UserWarning, match="do not sum to one"):
        score_all(metrics, model, X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_ranking_without_probabilities(n_classes):
    X, _ = three_classes()
    y = np.arange(60) % n_classes
    model = LinearSVC().fit(X, y)
    metrics = choose_metrics(["roc_auc", "log_loss"], "classification", y)
    with pytest.warns(UserWarning, match=r"no log loss: AttributeError: .*predict_proba"):
        scores = score_all(metrics, model, X, y)
    decision = model.decision_function(X)
    columns = [decision] if n_classes == 2 else decision.T
    truths = [y == 1] if n_classes == 2 else [y == k for k in range(3)]
    expected = np.mean([roc_auc_score(t, c) for t, c in zip(truths, columns, strict=True)])
    assert scores[metrics[0].name] == pytest.approx(expected)
    assert np.isnan(scores["neg_log_loss"])
    with pytest.raises(AttributeError, match="predict_proba"):
        score_all(metrics[1:], model, X, y)


def test_the_model_predicts_once():
    rng = np.random.default_rng(0)
    X = rng.random((40, 1))
    y = np.array([0, 1] * 20)
    model = Counting().fit(X, y)
    metrics = choose_metrics(["accuracy", "log_loss", "roc_auc", "f1", "balanced_accuracy"], "classification", y)
    scores = score_all(metrics, model, X, y)
    assert sorted(model.calls) == ["predict", "predict_proba"]
    apart = {metric.name: metric.scorer(model, X, y) for metric in metrics}
    assert scores == pytest.approx(apart)


def test_an_answer_is_of_its_own_rows_and_cannot_be_changed():
    X = np.array([[0.1], [0.9]])
    model = Remembering(Counting().fit(X, np.array([0, 1])))
    model.predict(X)[:] = 7
    np.testing.assert_array_equal(model.predict(X), [0, 1])
    np.testing.assert_array_equal(model.predict(X[::-1]), [1, 0])


def test_an_undefined_score_is_nan_without_a_warning():
    X = np.zeros((1, 1))
    model = DummyRegressor().fit(X, [1.0])
    metrics = choose_metrics(["r2", "mae"], "regression", np.array([0.5, 1.5]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_all(metrics, model, X, np.array([2.0]))
    np.testing.assert_array_equal(list(scores.values()), [np.nan, -1.0])


def test_an_infinite_score_is_missing_with_a_warning():
    y = np.arange(3.0)
    model = LinearRegression().fit(y[:, None], y)
    metrics = choose_metrics(["r2", "mae"], "regression", y)
    X = np.array([[1e200], [1.0], [2.0]])
    with np.errstate(over="ignore"), pytest.warns(UserWarning, match="no R2: ValueError: the score is infinite"):
        scores = score_all(metrics, model, X, y)
    assert np.isnan(scores["r2"])
    assert scores["neg_mean_absolute_error"] == pytest.approx(-1e200 / 3)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="infinite"):
        score_all(metrics[:1], model, X, y)


def test_weights_go_to_the_metrics_that_take_them():
    X = np.arange(6.0)[:, None]
    y = np.array([0.0, 1, 2, 3, 4, 11])
    weights = np.array([1.0, 1, 1, 1, 1, 0])
    model = LinearRegression().fit(X[:5], y[:5])
    metrics = choose_metrics(["mae", "neg_max_error"], "regression", y)
    scores = score_all(metrics, model, X, y, sample_weight=weights)
    assert scores == pytest.approx({"neg_mean_absolute_error": 0.0, "neg_max_error": -6.0})


def test_scores_by_date():
    X = np.array([1.0, 2, 3, 1, 2, 3, 1, 2])[:, None]
    y = np.array([1.0, 2, 3, 3, 2, 1, 5, 5])
    dates = np.array(
        ["2020-01-03", "2020-01-03", "2020-01-03"] + ["2020-01-02"] * 3 + ["2020-01-01"] * 2, dtype="M8[D]"
    )
    metrics = choose_metrics(["rank_ic", "spread", "sharpe"], "regression", y, timed=True, panel=True)
    model = LinearRegression().fit(X[:3], y[:3])
    scores = score_all(metrics, model, X, y, sample_weight=np.ones(8), dates=dates)
    # coefficients 1 and -1; spreads 2 and -2; two assets make no date; long 3 short 1: +1, -1, 0
    assert scores == pytest.approx({"rank_ic": 0.0, "spread": 0.0, "sharpe": 0.0}, abs=1e-12)
    late = dates > np.datetime64("2020-01-01")
    days = dates[late].astype(int)
    rising = score_all(metrics, model, X[late], np.where(days == days.max(), y[late], 2.0), dates=dates[late])
    assert rising == pytest.approx({"rank_ic": 1.0, "spread": 1.0, "sharpe": sharpe_ratio(np.array([0.0, 1.0]))})


def test_the_mean_has_no_rank_information():
    y = np.arange(12.0)
    X = np.zeros((12, 1))
    metrics = choose_metrics(["rank_ic", "spread", "sharpe"], "regression", y, timed=True, panel=True)
    scores = score_all(metrics, DummyRegressor().fit(X, y), X, y, dates=np.repeat([0, 1, 2], 4))
    assert scores == {"rank_ic": 0.0, "spread": 0.0, "sharpe": 0.0}


def test_a_prediction_that_is_not_finite_has_no_rank():
    y = np.array([0.1, 0.2, np.nan, 0.3])
    metrics = choose_metrics("rank_ic", "regression", np.arange(4.0), timed=True, panel=True)
    model = FunctionTransformer()
    model.predict = lambda X: X[:, 0]
    with pytest.raises(ValueError, match="NaN or infinite"):
        score_all(metrics, model, y[:, None], np.arange(4.0), dates=np.zeros(4, dtype=int))


def test_signs_earn_without_assets():
    y = np.array([0.1, -0.2, 0.3])
    metrics = choose_metrics("sharpe", "regression", y, timed=True)
    model = LinearRegression().fit(y[:, None], y)
    expected = np.mean([0.1, 0.2, 0.3]) / np.std([0.1, 0.2, 0.3], ddof=1)
    assert score_all(metrics, model, y[:, None], y, dates=np.arange(3)) == pytest.approx({"sharpe": expected})
