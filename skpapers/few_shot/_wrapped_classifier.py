"""Base of the estimators that fit a clone of any classifier on rows that they make."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator

from skpapers._delegation import available_if_inside
from skpapers._weights import weight_parameter


class WrappedClassifierMixin(ABC):
    """The check of a wrapped classifier before its fit, and predictions by the fitted clone."""

    _wrapped: ClassVar[str]  # name of the parameter; the fitted clone has this name and an underscore

    @abstractmethod
    def _unfitted(self) -> Any:
        """Return the classifier to clone."""

    @abstractmethod
    def _model_rows(self, X: Any) -> NDArray:
        """Return the rows as the fitted classifier sees them. Raise an error if nothing is fitted."""

    def _checked_weight_name(self, sample_weight: Any) -> str | None:
        """Return the name under which the wrapped classifier takes weights. Raise an error if it cannot be used."""
        estimator = self._unfitted()
        name = type(estimator).__name__
        wrapper = type(self).__name__
        if not is_classifier(estimator):
            raise TypeError(
                f"{self._wrapped} must be a classifier: {wrapper} takes a classifier or a Pipeline that ends in one, "
                f"not {name}."
            )
        if isinstance(estimator, FrozenEstimator):
            raise TypeError(f"{wrapper} fits its {self._wrapped}, but a FrozenEstimator is never fitted.")
        weight_name = weight_parameter(estimator)
        if sample_weight is not None and weight_name is None:
            raise TypeError(f"sample_weight was given, but {self._wrapped} takes no weights: {name} takes none here.")
        return weight_name

    def _inside(self) -> Any:
        return getattr(self, f"{self._wrapped}_", self._unfitted())

    def _call(self, method: str, X: Any) -> NDArray:
        rows = self._model_rows(X)
        return getattr(getattr(self, f"{self._wrapped}_"), method)(rows)

    def predict(self, X: Any) -> NDArray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        return self._call("predict", X)

    @available_if_inside("predict_proba")
    def predict_proba(self, X: Any) -> NDArray:
        """Predict class probabilities, where the wrapped classifier does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        """
        return self._call("predict_proba", X)

    @available_if_inside("predict_log_proba")
    def predict_log_proba(self, X: Any) -> NDArray:
        """Predict the logarithms of class probabilities, where the wrapped classifier does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            Logarithms in the order of `classes_`.
        """
        return self._call("predict_log_proba", X)

    @available_if_inside("decision_function")
    def decision_function(self, X: Any) -> NDArray:
        """Return the scores of the wrapped classifier, where it has some.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        score : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores, greater for the more likely class.
        """
        return self._call("decision_function", X)
