"""What the estimators share that fit a clone of any classifier on rows of their own making."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metaestimators import available_if

from skpapers._weights import weight_parameter


def _classifier_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        return hasattr(getattr(self, f"{self._wrapped}_", self._unfitted()), method)

    return check


class WrappedClassifierMixin(ABC):
    """The check before the fit of a wrapped classifier, and predictions by what was fitted."""

    _wrapped: ClassVar[str]  # the parameter that holds it; the fitted clone has its name and an underscore

    @abstractmethod
    def _unfitted(self) -> Any:
        """Return the classifier to clone."""

    @abstractmethod
    def _model_rows(self, X: Any) -> NDArray:
        """Return the rows as the fitted classifier sees them, or raise where there is none."""

    def _checked_weight_name(self, sample_weight: Any) -> str | None:
        """Return the name under which the wrapped classifier takes weights, or raise where it cannot be used."""
        estimator = self._unfitted()
        name, wrapper = type(estimator).__name__, type(self).__name__
        if not is_classifier(estimator):
            raise TypeError(
                f"{self._wrapped} must be a classifier: {wrapper} takes a classifier or a Pipeline that ends in one, "
                f"not {name}."
            )
        if isinstance(estimator, FrozenEstimator):
            raise TypeError(f"{wrapper} fits its {self._wrapped}, and a FrozenEstimator is never fitted.")
        weight_name = weight_parameter(estimator)
        if sample_weight is not None and weight_name is None:
            raise TypeError(f"sample_weight was given, and {self._wrapped} takes no weights: {name} takes none here.")
        return weight_name

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

    @available_if(_classifier_has("predict_proba"))
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

    @available_if(_classifier_has("predict_log_proba"))
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

    @available_if(_classifier_has("decision_function"))
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
