"""The door through which scikit-learn's private names enter the package."""

from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context as fit_context
from sklearn.metrics import log_loss
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "accepts_sample_weight",
    "check_method_params",
    "check_sample_weight",
    "fit_context",
    "is_made_by_make_scorer",
    "safe_indexing",
    "score_columns",
    "score_log_loss",
]


def check_sample_weight(sample_weight: Any, X: Any, *, allow_all_zero: bool = False) -> Any:
    """Return the weights as a non-negative float64 array with a positive sum, or None when none were given."""
    if sample_weight is None:
        return None
    return _check_sample_weight(
        sample_weight, X, dtype="float64", ensure_non_negative=True, allow_all_zero_weights=allow_all_zero
    )


def accepts_sample_weight(scorer: Any) -> bool:
    """Whether the metric behind a scorer can be weighted; a plain callable is taken not to be."""
    return hasattr(scorer, "_accept_sample_weight") and scorer._accept_sample_weight()


def is_made_by_make_scorer(scorer: Any) -> bool:
    """Whether a scorer is scikit-learn's own: it asks for predictions of the rows it is given, no more."""
    return isinstance(scorer, _BaseScorer)


def score_columns(scorer: Any, y: Any, predictions: NDArray, **score_params: Any) -> NDArray | None:
    """Score many predictions of one target in a single call of the metric, where the metric takes several outputs.

    Parameters
    ----------
    scorer : scorer
        Any scorer; plain callables and metrics of one output give None.

    y : array-like of shape (n_samples,) or (n_samples, 1)
        The target.

    predictions : ndarray of shape (n_samples, n_predictions)
        One column a prediction.

    **score_params : dict
        Metadata of the metric, such as `sample_weight`.

    Returns
    -------
    scores : ndarray of shape (n_predictions,) or None
        Greater is better.
    """
    if not is_made_by_make_scorer(scorer) or "multioutput" in scorer._kwargs:
        return None
    if "multioutput" not in signature(scorer._score_func).parameters:
        return None
    y = np.broadcast_to(np.reshape(np.asarray(y), (-1, 1)), predictions.shape)
    kwargs = {**scorer._kwargs, **score_params}
    scores = scorer._sign * scorer._score_func(y, predictions, multioutput="raw_values", **kwargs)
    return scores if np.shape(scores) == predictions.shape[1:] else None  # one NaN for too few rows


def score_log_loss(
    scorer: Any, y: Any, probabilities: NDArray, classes: NDArray, sample_weight: Any = None
) -> NDArray | None:
    """Score many predictions of class probabilities by the log loss at once; scikit-learn's takes 1 ms for each.

    Parameters
    ----------
    scorer : scorer
        Any scorer; all but "neg_log_loss" give None.

    y : array-like of shape (n_samples,) or (n_samples, 1)
        The labels. Where they lack a class, None leaves the complaint to the scorer.

    probabilities : ndarray of shape (n_predictions, n_samples, n_classes)
        The predictions, in the order of `classes`.

    classes : ndarray of shape (n_classes,)
        The labels in ascending order.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights.

    Returns
    -------
    scores : ndarray of shape (n_predictions,) or None
        Greater is better.
    """
    if getattr(scorer, "_score_func", None) is not log_loss or scorer._kwargs:
        return None
    # np.unique's inverse has the shape of the target: a column would index every pair of rows
    seen, column = np.unique(np.reshape(np.asarray(y), -1), return_inverse=True)
    if not np.array_equal(seen, classes):
        return None
    tiny = np.finfo(np.float64).eps
    of_label = np.clip(probabilities[:, np.arange(column.size), column], tiny, 1.0 - tiny)
    return scorer._sign * np.average(-np.log(of_label), axis=1, weights=sample_weight)
