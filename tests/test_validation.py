"""The door to scikit-learn's private helpers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, log_loss, make_scorer, mean_squared_error, r2_score

from skpapers._validation import (
    accepts_sample_weight,
    check_sample_weight,
    is_made_by_make_scorer,
    score_columns,
    score_log_loss,
)


def test_weights():
    assert check_sample_weight(None, [[1], [2]]) is None
    assert check_sample_weight([1, 2], [[1], [2]]).dtype == np.float64
    assert_allclose(check_sample_weight(2.5, [[1], [2]]), [2.5, 2.5])


def test_which_scorers_take_weights():
    assert accepts_sample_weight(get_scorer("r2"))
    assert not accepts_sample_weight(get_scorer("neg_max_error"))
    assert not accepts_sample_weight(lambda estimator, X, y: 0.0)


def test_which_scorers_are_scikit_learns():
    assert is_made_by_make_scorer(get_scorer("roc_auc"))
    assert is_made_by_make_scorer(make_scorer(r2_score))
    assert not is_made_by_make_scorer(lambda estimator, X, y: 0.0)


@pytest.mark.parametrize(
    "name", ["r2", "neg_mean_squared_error", "neg_mean_absolute_error", "neg_root_mean_squared_error"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_are_scored_as_one_by_one(name, weighted):
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predictions = rng.normal(size=(30, 4))
    params = {"sample_weight": rng.uniform(size=30)} if weighted else {}
    scorer = get_scorer(name)

    class Constant(RegressorMixin, BaseEstimator):
        def __init__(self, column):
            self.column = column

        def predict(self, X):
            return self.column

    expected = [scorer(Constant(column), None, y, **params) for column in predictions.T]
    for target in (y, y[:, np.newaxis], y.astype(object), pd.Series(y), pd.DataFrame({"target": y})):
        assert_allclose(score_columns(scorer, target, predictions, **params), expected, rtol=1e-12)


def test_columns_of_too_few_rows_are_left_to_the_scorer():
    assert score_columns(get_scorer("r2"), [1.0], np.zeros((1, 3))) is None


@pytest.mark.parametrize("labels", [[0, 1], ["a", "b", "c"]])
@pytest.mark.parametrize("weighted", [False, True])
def test_log_losses_are_scored_as_one_by_one(labels, weighted):
    rng = np.random.default_rng(0)
    classes = np.array(labels)
    y = rng.choice(classes, size=40)
    probabilities = rng.dirichlet(np.full(len(labels), 0.2), size=(5, 40))
    probabilities[0] = np.eye(len(labels))[rng.integers(len(labels), size=40)]  # some are certain and wrong
    params = {"sample_weight": rng.uniform(size=40)} if weighted else {}
    expected = [-log_loss(y, one, **params) for one in probabilities]
    scorer = get_scorer("neg_log_loss")
    forms = (y, y.astype(object), y.tolist(), y[:, np.newaxis], pd.Series(y), pd.DataFrame({"target": y}))
    for target in forms:
        assert_allclose(score_log_loss(scorer, target, probabilities, classes, **params), expected, rtol=1e-12)
    assert score_log_loss(scorer, np.full(40, labels[0]), probabilities, classes) is None
    assert score_log_loss(get_scorer("accuracy"), y, probabilities, classes) is None
    assert score_log_loss(lambda estimator, X, y: 0.0, y, probabilities, classes) is None


def test_columns_of_other_metrics_are_left_to_the_scorer():
    y = np.zeros(3)
    predictions = np.zeros((3, 2))
    assert score_columns(get_scorer("neg_max_error"), y, predictions) is None
    assert score_columns(lambda estimator, X, y: 0.0, y, predictions) is None
    fixed = make_scorer(mean_squared_error, multioutput="uniform_average")
    assert score_columns(fixed, y, predictions) is None
