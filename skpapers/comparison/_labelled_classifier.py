"""A classifier that sees the labels 0, 1, ... in place of those of the user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import has_fit_parameter


class LabelledClassifier(ClassifierMixin, BaseEstimator):
    """Number the labels for a classifier that takes no others, such as XGBoost's.

    Parameters
    ----------
    estimator : classifier
        Fitted on the labels 0, 1, ..., n_classes - 1. A copy of it is fitted.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted copy.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabelledClassifier:
        """Fit a copy of the classifier."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if weights and not has_fit_parameter(self.estimator, "sample_weight"):
            raise TypeError(f"{type(self.estimator).__name__}.fit takes no sample_weight.")
        self.estimator_ = clone(self.estimator).fit(X, codes, **weights)
        return self

    def predict(self, X: Any) -> NDArray:
        """Return the label of every row."""
        return self.classes_[np.asarray(self.estimator_.predict(X), dtype=np.intp)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class, in the order of `classes_`."""
        probabilities = np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)
        # float32 sums to 1 up to 1e-7, which metrics warn of
        return probabilities / probabilities.sum(axis=1, keepdims=True)
