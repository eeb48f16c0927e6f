"""Metrics are tried on a constant prediction, never on an estimator of the comparison."""

from functools import partial

import numpy as np
import pytest
from sklearn.metrics import get_scorer, make_scorer, mean_pinball_loss

from skpapers.comparison._scoring import choose_scorer

BINARY = np.array([0, 1, 1, 0] * 5)
WORDS = np.array(["a", "b", "c", "b"] * 5, dtype=object)
NUMBERS = np.linspace(-1, 3, 20)


@pytest.mark.parametrize(
    ("scoring", "task", "y", "name", "weighted"),
    [
        (None, "classification", WORDS, "accuracy", True),
        (None, "regression", NUMBERS, "r2", True),
        ("roc_auc", "classification", BINARY, "roc_auc", True),
        ("neg_log_loss", "classification", WORDS, "neg_log_loss", True),
        ("precision_macro", "classification", WORDS, "precision_macro", True),
        ("neg_mean_absolute_error", "regression", NUMBERS, "neg_mean_absolute_error", True),
        ("neg_max_error", "regression", NUMBERS, "neg_max_error", False),
        (make_scorer(mean_pinball_loss, greater_is_better=False), "regression", NUMBERS, "mean_pinball_loss", True),
        (make_scorer(lambda y, p: 0.5), "regression", NUMBERS, "<lambda>", False),
        (make_scorer(partial(mean_pinball_loss, alpha=0.1)), "regression", NUMBERS, "functools.partial", True),
        (get_scorer("neg_log_loss"), "classification", WORDS, "log_loss", True),
        (lambda model, X, y: 0.5, "regression", NUMBERS, "<lambda>", False),
    ],
)
def test_found(scoring, task, y, name, weighted):
    assert choose_scorer(scoring, task, y)[1:] == (name, weighted)


@pytest.mark.parametrize(
    ("scoring", "task", "y", "message"),
    [
        ("acuracy", "classification", BINARY, "Metric 'acuracy' is unknown; usual for classification: accuracy"),
        ("r2", "classification", BINARY, "does not apply to this classification target .*metric of regression"),
        ("r2", "classification", WORDS, "does not apply to this classification target"),
        ("accuracy", "regression", NUMBERS, "does not apply to this regression target .*usual for regression: r2"),
        ("rand_score", "regression", NUMBERS, "does not apply to this regression target"),
        ("roc_auc", "classification", WORDS, "does not apply to this classification target .*multi_class"),
        ("f1", "classification", WORDS, "does not apply to this classification target"),
    ],
)
def test_refused(scoring, task, y, message):
    with pytest.raises(ValueError, match=message):
        choose_scorer(scoring, task, y)
