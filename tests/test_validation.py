"""The door to scikit-learn's private helpers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import get_scorer, make_scorer, mean_squared_error, r2_score

from skpapers._validation import (
    accepts_sample_weight,
    check_sample_weight,
    is_made_by_make_scorer,
    score_columns,
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
    y, predictions = rng.normal(size=30), rng.normal(size=(30, 4))
    params = {"sample_weight": rng.uniform(size=30)} if weighted else {}
    scorer = get_scorer(name)

    class Said(RegressorMixin, BaseEstimator):
        def __init__(self, column):
            self.column = column

        def predict(self, X):
            return self.column

    expected = [scorer(Said(column), None, y, **params) for column in predictions.T]
    assert_allclose(score_columns(scorer, y, predictions, **params), expected, rtol=1e-12)
    assert_allclose(score_columns(scorer, y[:, np.newaxis], predictions, **params), expected, rtol=1e-12)


def test_columns_of_other_metrics_are_left_to_the_scorer():
    y, predictions = np.zeros(3), np.zeros((3, 2))
    assert score_columns(get_scorer("neg_max_error"), y, predictions) is None
    assert score_columns(lambda estimator, X, y: 0.0, y, predictions) is None
    fixed = make_scorer(mean_squared_error, multioutput="uniform_average")
    assert score_columns(fixed, y, predictions) is None
