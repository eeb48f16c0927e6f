"""Scorers that scikit-learn lacks: for folds that lack a class, and for predictions date by date."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from skpapers.comparison._backtest import sharpe_ratio, strategy_returns
from skpapers.comparison._information_coefficient import Codes, Floats, rank_information_coefficients, spreads
from skpapers.comparison._records import Metric

_PREDICTIONS = ("predict", "predict_proba", "decision_function")


def _in_double(probabilities: NDArray) -> Floats:
    """Return probabilities in float64; those of float32 sum to 1 only roughly, of which scikit-learn would warn."""
    precise = probabilities.astype(np.float64)
    sums = precise.sum(axis=1, keepdims=True)
    rounded = probabilities.dtype != np.float64 and np.allclose(sums, 1.0, rtol=0.0, atol=1e-4)
    return precise / sums if rounded else precise


def class_probabilities(model: Any, X: Any, classes: NDArray) -> Floats:
    """Return probabilities in the order of `classes`; a class that the training rows lack has 0.

    Parameters
    ----------
    model : fitted classifier with predict_proba
    X : array-like of shape (n_samples, n_features)
    classes : ndarray of shape (n_classes,)
        Sorted.
    """
    probabilities = np.zeros((len(X), len(classes)))
    probabilities[:, np.searchsorted(classes, model.classes_)] = _in_double(np.asarray(model.predict_proba(X)))
    return probabilities


def _scores_of_classes(model: Any, X: Any, classes: NDArray) -> Floats:
    """Return what ranks the rows in each class: probabilities, or values of the decision function."""
    if hasattr(model, "predict_proba"):
        return class_probabilities(model, X, classes)
    decision = np.asarray(model.decision_function(X), dtype=np.float64)
    if decision.ndim == 1:
        decision = np.column_stack([-decision, decision])
    scores = np.full((len(decision), len(classes)), decision.min(initial=0.0) - 1)
    scores[:, np.searchsorted(classes, model.classes_)] = decision
    return scores


@dataclass(frozen=True)
class ClassScorer:
    """A scorer that knows all classes; scikit-learn's know only those of the training rows or of the test rows.

    Parameters
    ----------
    metric : callable
        ``metric(y, answer, classes, sample_weight)``; greater is better.
    classes : tuple
        Sorted.
    response : {"predict", "probabilities", "scores"}
        What the answer is: labels, or an array of shape (n_samples, n_classes).
    """

    metric: Callable[..., float]
    classes: tuple
    response: Literal["predict", "probabilities", "scores"]

    def __call__(self, estimator: Any, X: Any, y: NDArray, sample_weight: NDArray | None = None) -> float:
        classes = np.array(self.classes, dtype=np.asarray(y).dtype)
        if self.response == "predict":
            answer = np.asarray(estimator.predict(X))
        elif self.response == "probabilities":
            answer = class_probabilities(estimator, X, classes)
        else:
            answer = _scores_of_classes(estimator, X, classes)
        return self.metric(y, answer, classes, sample_weight)


def negative_log_loss(y: NDArray, probabilities: Floats, classes: NDArray, sample_weight: Floats | None) -> float:
    """Return the mean log probability of the true class."""
    return -float(log_loss(y, probabilities, labels=classes, sample_weight=sample_weight))


def negative_brier(y: NDArray, probabilities: Floats, classes: NDArray, sample_weight: Floats | None) -> float:
    """Return minus the mean squared error of the probabilities; with two classes, of one of them."""
    return -float(brier_score_loss(y, probabilities, labels=classes, sample_weight=sample_weight))


def _one_against_rest(
    score: Callable[..., float], y: NDArray, scores: Floats, classes: NDArray, sample_weight: Floats | None
) -> float:
    """Average a binary metric of each class against the rest, where both have rows; of two classes, score the last."""
    first = 1 if len(classes) == 2 else 0
    inside = [(y == label, scores[:, number]) for number, label in enumerate(classes) if number >= first]
    values = [score(truth, column, sample_weight=sample_weight) for truth, column in inside if 0 < truth.sum() < len(y)]
    return float(np.mean(values)) if values else np.nan


def f1(y: NDArray, labels: NDArray, classes: NDArray, sample_weight: Floats | None) -> float:
    """Return the F1 score of the last of two classes."""
    return float(f1_score(y, labels, pos_label=classes[-1], sample_weight=sample_weight, zero_division=0.0))


roc_auc = partial(_one_against_rest, roc_auc_score)
average_precision = partial(_one_against_rest, average_precision_score)


@dataclass(frozen=True)
class DateScorer:
    """A scorer of predictions date by date. It takes no sample weights.

    Parameters
    ----------
    statistic : callable
        ``statistic(prediction, y, dates)`` with whole numbers for dates.
    """

    statistic: Callable[[Floats, Floats, Codes], float]

    def __call__(self, estimator: Any, X: Any, y: NDArray, dates: NDArray) -> float:
        prediction = np.asarray(estimator.predict(X), dtype=np.float64).ravel()
        if not np.isfinite(prediction).all():
            raise ValueError("a prediction is NaN or infinite.")
        return self.statistic(prediction, np.asarray(y, dtype=np.float64), np.unique(dates, return_inverse=True)[1])


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def mean_rank_ic(prediction: Floats, y: Floats, dates: Codes) -> float:
    """Return the mean rank information coefficient over the dates."""
    return _mean(rank_information_coefficients(prediction, y, dates))


def mean_spread(prediction: Floats, y: Floats, dates: Codes) -> float:
    """Return the mean top-minus-bottom spread over the dates."""
    return _mean(spreads(prediction, y, dates))


def strategy_sharpe(prediction: Floats, y: Floats, dates: Codes, *, ranked: bool) -> float:
    """Return the Sharpe ratio of the strategy on the predictions, per date."""
    return sharpe_ratio(strategy_returns(prediction, y, dates, ranked=ranked))


class Remembering:
    """A fitted model that predicts the same X only once, however many metrics need the prediction."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._answers: dict[str, tuple[Any, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name not in _PREDICTIONS:
            return found

        @wraps(found)
        def predict(X: Any, **params: Any) -> Any:
            if params:
                return found(X, **params)
            if name not in self._answers or self._answers[name][0] is not X:
                self._answers[name] = (X, found(X))
            return copy.copy(self._answers[name][1])

        return predict


def _finite(score: float) -> float:
    """Return a score, or NaN; a difference to infinity has no mean over the folds."""
    if np.isinf(score):
        raise ValueError("the score is infinite.")
    return score


def score_all(
    metrics: Sequence[Metric],
    model: Any,
    X: Any,
    y: NDArray,
    *,
    sample_weight: NDArray | None = None,
    dates: NDArray | None = None,
) -> dict[str, float]:
    """Return the score of every metric by its name; the model predicts once.

    Parameters
    ----------
    metrics : sequence of Metric
    model : fitted estimator
    X : array-like of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,), default=None
        For the metrics that take it.
    dates : ndarray of shape (n_samples,), default=None
        The time of each row, which metrics by date need.

    Raises
    ------
    Exception
        The first error, if every metric fails.

    Warns
    -----
    UserWarning
        If a metric fails, or is infinite, and another is not; its score is NaN.
    """
    asked = Remembering(model)
    scores: dict[str, float] = {}
    errors: dict[str, Exception] = {}
    for metric in metrics:
        params: dict[str, Any] = {}
        if isinstance(metric.scorer, DateScorer):
            params["dates"] = dates
        elif sample_weight is not None and metric.weightable:
            params["sample_weight"] = sample_weight
        try:
            with warnings.catch_warnings():
                # an undefined score is NaN, which the table shows
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true", category=UserWarning)
                scores[metric.name] = _finite(float(metric.scorer(asked, X, y, **params)))
        except Exception as error:
            scores[metric.name] = np.nan
            errors[metric.label] = error
    if errors and len(errors) == len(metrics):
        raise next(iter(errors.values()))
    for label, failure in errors.items():
        warnings.warn(f"no {label}: {type(failure).__name__}: {failure}", UserWarning, stacklevel=2)
    return scores
