"""Estimators around `_hierarchical_shrinkage`: a tree or an ensemble of trees, fitted and then shrunken."""

from numbers import Real
from typing import Any, ClassVar

from sklearn.base import is_classifier
from sklearn.callback import with_callbacks

from skpapers._fitting import Fitting
from skpapers._labels import check_labels
from skpapers._validation import Interval, check_sample_weight, fit_context
from skpapers.tree._hierarchical_shrinkage_base import (
    _BaseShrinkage,
    _ShrinkageClassifierMixin,
    _ShrinkageRegressorMixin,
    fit_model,
    shrink,
)


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
            XGBoost model these must be its training rows: their weight in each node is counted. Other frozen models
            store the weights themselves, and the rows are not read.

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
        fitting = Fitting(self)
        fitting.begin(X, y, n_steps=1)
        with fitting.step("fit") as step:
            model = fit_model(estimator, X, y, sample_weight, step.context)
        return fitting.publish(self._fitted_attributes(shrink(model, X, y, sample_weight, self.reg_param, self.scheme)))


class HierarchicalShrinkageRegressor(_ShrinkageRegressorMixin, _SingleShrinkage):
    r"""Regression trees and ensembles of them, regularised after training by hierarchical shrinkage.

    Every prediction is pulled towards the means of the nodes above its leaf, the more the fewer training rows a node
    has. The structure of the trees stays as it is. Use it on a tree or forest that overfits, if training it
    again is expensive or its structure is given; :class:`HierarchicalShrinkageRegressorCV` chooses `reg_param` from one
    fit a fold.

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
        it. Scores of the unshrunken model (`oob_score_`, `train_score_`) are removed.

    feature_importances_ : ndarray of shape (n_features,)
        Impurity-based importances, where the wrapped estimator has them.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets, if the wrapped estimator has it.

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
        it. Scores of the unshrunken model (`oob_score_`, `train_score_`) are removed.

    classes_ : ndarray of shape (n_classes,), or a list of n_outputs such arrays
        The class labels.

    n_classes_ : int or list of int
        Number of classes, if the wrapped estimator has it.

    feature_importances_ : ndarray of shape (n_features,)
        Impurity-based importances, where the wrapped estimator has them.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets, if the wrapped estimator has it.

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
