"""What the four estimators of hierarchical shrinkage share: the fit, the shrinking, predictions and tags."""

from abc import ABCMeta, abstractmethod
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skpapers._delegation import available_if_inside
from skpapers._validation import HasMethods, StrOptions
from skpapers.base import DocLinkMixin
from skpapers.tree._hierarchical_shrinkage import SCHEMES, shrink_path
from skpapers.tree._shrinkable import SHRINKABLE, is_shrinkable, open_trees

# Scores from the training of the unshrunken model. They would be wrong for the shrunken one.
STALE = (
    "oob_score_",
    "oob_scores_",
    "oob_prediction_",
    "oob_decision_function_",
    "oob_improvement_",
    "train_score_",
    "validation_score_",
)

# Attributes that an estimator takes over from the model inside it, if that has them.
ADOPTED = ("classes_", "n_classes_", "n_outputs_", "n_features_in_", "feature_names_in_")


def fit_model(estimator: Any, X: Any, y: Any, sample_weight: Any = None, task: CallbackContext | None = None) -> Any:
    """Return a fitted model that may be changed: a fitted clone, or a copy of the model in a FrozenEstimator.

    The callbacks of the task are passed on to a model that supports callbacks. Most trees do not.
    """
    if isinstance(estimator, FrozenEstimator):
        check_is_fitted(estimator.estimator)
        return deepcopy(estimator.estimator)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    model = clone(estimator)
    if task is None or not hasattr(model, "set_callbacks"):
        return model.fit(X, y, **weights)
    with task.propagate_callback_context(model):
        return model.fit(X, y, **weights)


def shrink(model: Any, X: Any, y: Any, sample_weight: Any, reg_param: float, scheme: str) -> Any:
    """Shrink a fitted model in place and return it."""
    if reg_param > 0:
        trees = open_trees(model, X, y, sample_weight)
        trees.write([shrink_path(*nodes, [reg_param], scheme)[0] for nodes in trees.read()])
    for name in STALE:
        vars(model).pop(name, None)
    return model


class _BaseShrinkage(CallbackSupportMixin, DocLinkMixin, MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the four estimators. A subclass says which kind of model it takes, and which is the default."""

    _kind: str  # "classifier" or "regressor"

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "scheme": [StrOptions(set(SCHEMES))],
    }

    @abstractmethod
    def _default(self) -> Any:
        """Return the estimator to use if `estimator` is None."""

    def _wrapped(self) -> Any:
        """Return the estimator to shrink, taken out of its FrozenEstimator."""
        estimator = self._default() if self.estimator is None else self.estimator
        return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator

    def _inside(self) -> Any:
        model = getattr(self, "estimator_", None)
        return self._wrapped() if model is None else model

    def _checked_estimator(self) -> Any:
        """Return the estimator to fit. Raise an error if it cannot be shrunk."""
        wrapped = self._wrapped()
        name = type(self).__name__
        if not is_shrinkable(wrapped):
            raise TypeError(f"{name} cannot shrink {' '.join(repr(wrapped).split())}. It can shrink {SHRINKABLE}.")
        if get_tags(wrapped).estimator_type != self._kind:
            raise TypeError(f"{name} takes a {self._kind}, but {type(wrapped).__name__} is not one.")
        return self._default() if self.estimator is None else self.estimator

    @staticmethod
    def _fitted_attributes(model: Any) -> dict[str, Any]:
        """Return the fitted attributes that follow from a fitted and shrunken model."""
        return {"estimator_": model} | {name: getattr(model, name) for name in ADOPTED if hasattr(model, name)}

    def predict(self, X: Any) -> Any:
        """Predict with the shrunken model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, of any kind that the wrapped estimator takes.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @property
    def feature_importances_(self) -> np.ndarray:
        """Impurity-based importances of the wrapped model: shrinkage does not touch the impurities they come from."""
        check_is_fitted(self)
        return self.estimator_.feature_importances_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._wrapped())
        tags.input_tags = inner.input_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.target_tags.single_output = inner.target_tags.single_output
        if tags.classifier_tags is not None and inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.multi_label = inner.classifier_tags.multi_label
        return tags


class _ShrinkageClassifierMixin(ClassifierMixin):
    """Methods of the two classifiers. The default is a classification tree."""

    _kind = "classifier"

    def _default(self) -> Any:
        return DecisionTreeClassifier(random_state=0)

    @available_if_inside("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Predict class probabilities with the shrunken model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of n_outputs such arrays
            Probabilities in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if_inside("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """Predict the logarithms of class probabilities with the shrunken model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes), or a list of n_outputs such arrays
            Logarithms of the probabilities, minus infinity at 0.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if_inside("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return the raw scores of the shrunken model, where the wrapped estimator has them (boosting).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        score : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Raw scores, in the units of the log-odds for the log loss.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


class _ShrinkageRegressorMixin(RegressorMixin):
    """The two regressors. The default is a regression tree."""

    _kind = "regressor"

    def _default(self) -> Any:
        return DecisionTreeRegressor(random_state=0)
