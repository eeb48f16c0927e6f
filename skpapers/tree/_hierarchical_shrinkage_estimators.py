"""Estimators around `_hierarchical_shrinkage`: a tree or an ensemble of trees, fitted and then shrunken."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone, is_classifier
from sklearn.callback import CallbackContext, CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skpapers._callbacks import begin_fit, end_fit, report_step
from skpapers._labels import check_labels
from skpapers._validation import HasMethods, Interval, StrOptions, check_sample_weight, fit_context
from skpapers.base import DocLinkMixin
from skpapers.tree._hierarchical_shrinkage import SCHEMES, shrink_path
from skpapers.tree._shrinkable import SHRINKABLE, is_shrinkable, open_trees

# Numbers that the training of the unshrunken model left behind: of the shrunken one they would be wrong.
STALE = (
    "oob_score_",
    "oob_scores_",
    "oob_prediction_",
    "oob_decision_function_",
    "oob_improvement_",
    "train_score_",
    "validation_score_",
)
# What an estimator takes over from the model inside it, where that has it.
ADOPTED = ("classes_", "n_classes_", "n_outputs_", "n_features_in_", "feature_names_in_")


def fit_model(estimator: Any, X: Any, y: Any, sample_weight: Any = None, task: CallbackContext | None = None) -> Any:
    """Return a fitted model that may be changed: a fitted clone, or a copy of what a FrozenEstimator holds.

    Callbacks of the task reach a model that takes callbacks; most trees do not.
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


def _model_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        model = getattr(self, "estimator_", None)
        return hasattr(self._wrapped() if model is None else model, method)

    return check


class _BaseShrinkage(CallbackSupportMixin, DocLinkMixin, MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """What the four estimators share. Subclasses say which models they take, and what the default is."""

    _kind: str  # "classifier" or "regressor"

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "scheme": [StrOptions(set(SCHEMES))],
    }

    @abstractmethod
    def _default(self) -> Any:
        """Return the estimator that stands for None."""

    def _wrapped(self) -> Any:
        """Return the estimator to shrink, taken out of its FrozenEstimator."""
        estimator = self._default() if self.estimator is None else self.estimator
        return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator

    def _checked_estimator(self) -> Any:
        """Return the estimator to fit, or raise where shrinkage would have no meaning."""
        wrapped = self._wrapped()
        name = type(self).__name__
        if not is_shrinkable(wrapped):
            raise TypeError(f"{name} cannot shrink {' '.join(repr(wrapped).split())}. It can shrink {SHRINKABLE}.")
        if get_tags(wrapped).estimator_type != self._kind:
            raise TypeError(f"{name} shrinks a {self._kind}; {type(wrapped).__name__} is none.")
        return self._default() if self.estimator is None else self.estimator

    @staticmethod
    def _fitted_attributes(model: Any) -> dict[str, Any]:
        """Return what a fitted and shrunken model makes of this estimator."""
        return {"estimator_": model} | {name: getattr(model, name) for name in ADOPTED if hasattr(model, name)}

    def _adopt(self, fitted: dict[str, Any]) -> None:
        for name in ADOPTED:  # an earlier fit may have had what this one has not, such as names of features
            self.__dict__.pop(name, None)
        for name, value in fitted.items():
            setattr(self, name, value)

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


class _SingleShrinkage(_BaseShrinkage):
    """Shrinkage with a lambda that is given."""

    _parameter_constraints: ClassVar[dict] = {
        **_BaseShrinkage._parameter_constraints,
        "reg_param": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, estimator: Any = None, *, reg_param: float = 1.0, scheme: str = "hierarchical") -> None:
        self.estimator = estimator
        self.reg_param = reg_param
        self.scheme = scheme

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the wrapped estimator, unless it is frozen, and shrink a copy of it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, of any kind that the wrapped estimator takes. For a frozen HistGradientBoosting, LightGBM or
            XGBoost model the rows it was trained on: their weight in each node is counted. Otherwise a frozen model
            carries what is needed and the rows are not read.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. They go to the fit of the wrapped estimator and into N(t).

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If the estimator cannot be shrunk; the message names what can.
        """
        estimator = self._checked_estimator()
        y = check_labels(y) if is_classifier(self) else y
        sample_weight = check_sample_weight(sample_weight, X)
        context = begin_fit(self, 1, X, y)
        with report_step(self, context, "fit") as task:
            model = fit_model(estimator, X, y, sample_weight, task)
        fitted = self._fitted_attributes(shrink(model, X, y, sample_weight, self.reg_param, self.scheme))
        end_fit(self, context, X, y, lambda: fitted)
        self._adopt(fitted)
        return self


class _ShrinkageClassifierMixin(ClassifierMixin):
    """The classifier's side: probabilities, and a classification tree by default."""

    _kind = "classifier"

    def _default(self) -> Any:
        return DecisionTreeClassifier(random_state=0)

    @available_if(_model_has("predict_proba"))
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

    @available_if(_model_has("predict_log_proba"))
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

    @available_if(_model_has("decision_function"))
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
    """The regressor's side: a regression tree by default."""

    _kind = "regressor"

    def _default(self) -> Any:
        return DecisionTreeRegressor(random_state=0)


class HierarchicalShrinkageRegressor(_ShrinkageRegressorMixin, _SingleShrinkage):
    r"""Regression trees and ensembles of them, regularised after training by hierarchical shrinkage.

    Every prediction is pulled towards the means of the nodes above its leaf, the more the fewer training rows a node
    has. The structure of the trees stays as it is. Use it on a tree or forest that overfits, when retraining is dear or
    the structure is given; :class:`HierarchicalShrinkageRegressorCV` chooses `reg_param` from one fit a fold.

    Parameters
    ----------
    estimator : estimator object, default=None
        What to fit and shrink; never changed. Decision and extra trees, random and extra-trees forests, bagging of
        decision trees, `GradientBoostingRegressor`, `HistGradientBoostingRegressor`, LightGBM and XGBoost regressors. A
        fitted model inside :class:`~sklearn.frozen.FrozenEstimator` is copied and shrunk as it is. None means
        `DecisionTreeRegressor(random_state=0)`.

    reg_param : float, default=1.0
        Strength of the shrinkage in rows, not negative (lambda in Eq. 3). A step from a node of `reg_param` rows to its
        child is halved; 0 gives the unshrunken model, large values the root's mean.

    scheme : {"hierarchical", "leaf", "constant"}, default="hierarchical"
        "hierarchical" is the paper's Eq. 3. Its rivals there: "leaf" shrinks each leaf alone towards the root, by the
        leaf's own row count; "constant" divides every step by 1 + `reg_param`.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted model with shrunken values, of the wrapped type: `plot_tree`, `export_text`, `apply` and SHAP work on
        it. Scores that its training left behind (`oob_score_`, `train_score_`) are removed: they were the unshrunken
        model's.

    feature_importances_ : ndarray of shape (n_features,)
        Impurity-based importances, where the wrapped estimator has them.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets, where the wrapped estimator tells it.

    See Also
    --------
    HierarchicalShrinkageRegressorCV : Chooses `reg_param` by cross-validation or out-of-bag rows.
    HierarchicalShrinkageClassifier : The same for classes.
    sklearn.tree.DecisionTreeRegressor : Its `ccp_alpha` prunes instead of shrinking.

    Notes
    -----
    For the path :math:`t_0, \dots, t_L` of a row, node means :math:`m(t)` and node weights :math:`N(t)`,

    .. math:: f(x) = m(t_0) + \sum_{l=1}^{L} \frac{m(t_l) - m(t_{l-1})}{1 + \lambda / N(t_{l-1})}.

    It equals ridge regression with penalty :math:`\lambda` on the orthogonal stump features
    :math:`\psi_t(x) = (N_R 1\{x \in left\} - N_L 1\{x \in right\}) / \sqrt{N_L N_R}` of the inner nodes.

    Cost: the fit of the wrapped estimator plus O(nodes) of shrinkage; boosting of LightGBM, XGBoost and
    HistGradientBoosting adds one pass of the training rows. Prediction costs what it cost before. The n and p of the
    data enter through the wrapped fit alone.

    **Differences from the paper.** N(t) is the total row weight where weights are given; bootstrapped forests and
    bagging draw rows by weight, and N(t) counts what was drawn. An ensemble is shrunk tree by tree, as the paper's
    forests are; for gradient boosting the mean of an inner node is the weighted mean of the leaves below it, since
    boosting resets leaves alone, so that each stage shrinks towards its own mean. HistGradientBoosting counts the rows
    it held out for early stopping, too. For trees of another criterion than the squared error m(t) is the node's value
    (a median for "absolute_error"). Monotonic constraints survive "hierarchical" and "constant", not "leaf". LightGBM
    has no way to set inner values: its own drawings show them unshrunken, predictions and SHAP do not read them.

    References
    ----------
    .. [1] A. Agarwal, Y. S. Tan, O. Ronen, C. Singh, B. Yu, "Hierarchical Shrinkage: Improving the Accuracy and
       Interpretability of Tree-Based Models", ICML 2022. https://arxiv.org/abs/2202.00858.
       Official code: https://github.com/csinva/imodels

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skpapers.tree import HierarchicalShrinkageRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> tree = DecisionTreeRegressor(min_samples_leaf=5, random_state=0)
    >>> print(f"{cross_val_score(tree, X, y).mean():.2f}")
    0.17
    >>> shrunken = HierarchicalShrinkageRegressor(tree, reg_param=50)
    >>> print(f"{cross_val_score(shrunken, X, y).mean():.2f}")
    0.36
    """


class HierarchicalShrinkageClassifier(_ShrinkageClassifierMixin, _SingleShrinkage):
    r"""Classification trees and ensembles of them, regularised after training by hierarchical shrinkage.

    Every vector of class probabilities is pulled towards those of the nodes above its leaf, the more the fewer training
    rows a node has. The structure of the trees stays as it is. Use it on a tree or forest that overfits or is too sure
    of itself; :class:`HierarchicalShrinkageClassifierCV` chooses `reg_param` from one fit a fold.

    Parameters
    ----------
    estimator : estimator object, default=None
        What to fit and shrink; never changed. Decision and extra trees, random and extra-trees forests, bagging of
        decision trees, `GradientBoostingClassifier`, `HistGradientBoostingClassifier`, LightGBM and XGBoost
        classifiers. A fitted model inside :class:`~sklearn.frozen.FrozenEstimator` is copied and shrunk as it is. None
        means `DecisionTreeClassifier(random_state=0)`.

    reg_param : float, default=1.0
        Strength of the shrinkage in rows, not negative (lambda in Eq. 3). A step from a node of `reg_param` rows to its
        child is halved; 0 gives the unshrunken model, large values the root's class fractions.

    scheme : {"hierarchical", "leaf", "constant"}, default="hierarchical"
        "hierarchical" is the paper's Eq. 3. Its rivals there: "leaf" shrinks each leaf alone towards the root, by the
        leaf's own row count; "constant" divides every step by 1 + `reg_param`.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted model with shrunken values, of the wrapped type: `plot_tree`, `export_text`, `apply` and SHAP work on
        it. Scores that its training left behind (`oob_score_`, `train_score_`) are removed: they were the unshrunken
        model's.

    classes_ : ndarray of shape (n_classes,), or a list of n_outputs such arrays
        The class labels.

    n_classes_ : int or list of int
        Number of classes, where the wrapped estimator tells it.

    feature_importances_ : ndarray of shape (n_features,)
        Impurity-based importances, where the wrapped estimator has them.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets, where the wrapped estimator tells it.

    See Also
    --------
    HierarchicalShrinkageClassifierCV : Chooses `reg_param` by cross-validation or out-of-bag rows.
    HierarchicalShrinkageRegressor : The same for numbers.
    sklearn.calibration.CalibratedClassifierCV : Calibrates probabilities with held-out rows instead.

    Notes
    -----
    For the path :math:`t_0, \dots, t_L` of a row, vectors of class fractions :math:`m(t)` and node weights
    :math:`N(t)`,

    .. math:: f(x) = m(t_0) + \sum_{l=1}^{L} \frac{m(t_l) - m(t_{l-1})}{1 + \lambda / N(t_{l-1})},

    a weighted mean of the class fractions along the path, hence a vector of probabilities again.

    Cost: the fit of the wrapped estimator plus O(nodes x classes) of shrinkage; boosting of LightGBM, XGBoost and
    HistGradientBoosting adds one pass of the training rows. Prediction costs what it cost before. The n and p of the
    data enter through the wrapped fit alone.

    **Differences from the paper.** N(t) is the total row weight where weights are given; with `class_weight` both N(t)
    and m(t) carry it. Bootstrapped forests and bagging draw rows by weight, and N(t) counts what was drawn. An ensemble
    is shrunk tree by tree, as the paper's forests are; for gradient boosting m(t) is a raw score, for an inner node the
    weighted mean of the leaves below it, since boosting resets leaves alone. HistGradientBoosting counts the rows it
    held out for early stopping, too. Monotonic constraints survive "hierarchical" and "constant", not "leaf". LightGBM
    has no way to set inner values: its own drawings show them unshrunken, predictions and SHAP do not read them.

    References
    ----------
    .. [1] A. Agarwal, Y. S. Tan, O. Ronen, C. Singh, B. Yu, "Hierarchical Shrinkage: Improving the Accuracy and
       Interpretability of Tree-Based Models", ICML 2022. https://arxiv.org/abs/2202.00858.
       Official code: https://github.com/csinva/imodels

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skpapers.tree import HierarchicalShrinkageClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> tree = DecisionTreeClassifier(random_state=0)
    >>> print(f"{cross_val_score(tree, X, y, scoring='roc_auc').mean():.2f}")
    0.92
    >>> shrunken = HierarchicalShrinkageClassifier(tree, reg_param=50)
    >>> print(f"{cross_val_score(shrunken, X, y, scoring='roc_auc').mean():.2f}")
    0.96
    """
