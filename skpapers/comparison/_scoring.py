"""The metric, which is tried on a constant prediction before anything runs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names

_DEFAULT = {"classification": "accuracy", "regression": "r2"}
_USUAL = {
    "classification": "accuracy, balanced_accuracy, f1_macro, neg_log_loss, roc_auc",
    "regression": "r2, neg_mean_squared_error, neg_mean_absolute_error, neg_root_mean_squared_error",
}


def _failure(scorer: Callable[..., float], task: str, y: np.ndarray, **weights: Any) -> str:
    """Score a constant prediction of `y`; return the first line of the error, "" if it works."""
    dummy = DummyClassifier() if task == "classification" else DummyRegressor()
    X = np.zeros((len(y), 1))
    with warnings.catch_warnings():
        # a clustering metric only warns of fractions; a metric undefined for a constant prediction is not a failure
        warnings.simplefilter("error" if task == "regression" else "ignore", UserWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            scorer(dummy.fit(X, y), X, y, **weights)
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def _is_for_numbers(scorer: Callable[..., float]) -> bool:
    return not _failure(scorer, "regression", np.array([0.1, 0.25, 0.7, 1.3]))


def _name(scorer: Callable[..., float]) -> str:
    """Return the name of a function, or of the metric inside ``make_scorer(metric, ...)``."""
    made = re.match(r"make_scorer\(([\w.<>]+)", repr(scorer))
    return made[1] if made else getattr(scorer, "__name__", type(scorer).__name__)


def choose_scorer(scoring: Any, task: str, y: np.ndarray) -> tuple[Callable[..., float], str, bool]:
    """Return the scorer, its name, and whether it takes sample weights."""
    weights = {"sample_weight": np.ones(len(y))}
    if scoring is None:
        scoring = _DEFAULT[task]
    if callable(scoring):
        name = _name(scoring)
        plain = _failure(scoring, task, y)
        weighted = _failure(scoring, task, y, **weights)
        return scoring, name, plain == weighted or not weighted
    if scoring not in get_scorer_names():
        raise ValueError(f"Metric {scoring!r} is unknown; usual for {task}: {_USUAL[task]} (any scikit-learn scorer).")
    scorer = get_scorer(scoring)
    failure = _failure(scorer, task, y)
    if not failure and task == "classification" and _is_for_numbers(scorer):
        failure = "it is a metric of regression"
    if failure:
        raise ValueError(
            f"Metric {scoring!r} does not apply to this {task} target ({failure}); usual for {task}: {_USUAL[task]}."
        )
    return scorer, scoring, not _failure(scorer, task, y, **weights)
