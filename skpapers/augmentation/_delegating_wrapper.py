"""A meta-estimator whose predictions, scores and fitted attributes are those of the estimator inside it."""

from copy import deepcopy
from typing import Any

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from skpapers._delegation import available_if_inside

# Methods that are passed on, each with its metadata.
DELEGATED = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score")


def _of_model(name: str) -> property:
    """Return a property that reads a fitted attribute of the estimator inside."""

    def get(self: Any) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, name)

    return property(get)


class DelegatingWrapper(MetaEstimatorMixin, BaseEstimator):
    """Methods and attributes of `estimator_`, or of `estimator` before the fit. A subclass has the `fit`."""

    estimator: Any
    estimator_: Any

    classes_ = _of_model("classes_")
    n_classes_ = _of_model("n_classes_")
    n_outputs_ = _of_model("n_outputs_")
    coef_ = _of_model("coef_")
    intercept_ = _of_model("intercept_")
    feature_importances_ = _of_model("feature_importances_")

    def _inside(self) -> Any:
        return getattr(self, "estimator_", self.estimator)

    def _call(self, method: str, *args: Any, **params: Any) -> Any:
        check_is_fitted(self)
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, method, **params).estimator[method]
        return getattr(self.estimator_, method)(*args, **params)

    def predict(self, X: Any, **params: Any) -> Any:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, of any kind that the wrapped estimator takes.

        **params : dict
            Further parameters of the wrapped estimator's method. With metadata routing on, those it requests.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._call("predict", X, **params)

    @available_if_inside("predict_proba")
    def predict_proba(self, X: Any, **params: Any) -> Any:
        """Predict class probabilities with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        **params : dict
            Further parameters of the wrapped estimator's method.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of n_outputs such arrays
            Probabilities in the order of `classes_`.
        """
        return self._call("predict_proba", X, **params)

    @available_if_inside("predict_log_proba")
    def predict_log_proba(self, X: Any, **params: Any) -> Any:
        """Predict the logarithms of class probabilities with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        **params : dict
            Further parameters of the wrapped estimator's method.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes), or a list of n_outputs such arrays
            Logarithms of the probabilities.
        """
        return self._call("predict_log_proba", X, **params)

    @available_if_inside("decision_function")
    def decision_function(self, X: Any, **params: Any) -> Any:
        """Return the scores of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        **params : dict
            Further parameters of the wrapped estimator's method.

        Returns
        -------
        score : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores, greater for the more likely class.
        """
        return self._call("decision_function", X, **params)

    @available_if_inside("transform")
    def transform(self, X: Any, **params: Any) -> Any:
        """Transform rows with the fitted estimator, where it is a transformer as well (discriminant analysis, PLS).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        **params : dict
            Further parameters of the wrapped estimator's method.

        Returns
        -------
        X_new : ndarray or data frame of shape (n_samples, n_components)
            The transformed rows.
        """
        return self._call("transform", X, **params)

    @available_if_inside("get_feature_names_out")
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of what `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input features.

        Returns
        -------
        names : ndarray of str
            Names of the output features.
        """
        check_is_fitted(self)
        return self.estimator_.get_feature_names_out(input_features)

    def score(self, X: Any, y: Any, **params: Any) -> float:
        """Score the fitted estimator by its own `score`: accuracy of classifiers, R2 of regressors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.

        **params : dict
            Further parameters of the wrapped estimator's method, such as `sample_weight`.

        Returns
        -------
        score : float
            Greater is better.
        """
        return self._call("score", X, y, **params)

    @available_if_inside("to_torch")
    def to_torch(self) -> Any:
        """Return the network inside, where the wrapped estimator is one of this package's networks.

        Returns
        -------
        module : torch.nn.Module
            In float64 and evaluation mode, from rows to logits or predictions.
        """
        check_is_fitted(self)
        return self.estimator_.to_torch()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata reaches the wrapped estimator, and that `fit` takes sample_weight itself.

        Returns
        -------
        routing : MetadataRouter
            The routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        for method in DELEGATED:
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add_self_request(self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.regressor_tags = deepcopy(inner.regressor_tags)
        tags.target_tags = deepcopy(inner.target_tags)
        tags.input_tags = deepcopy(inner.input_tags)
        tags.input_tags.sparse = False
        return tags
