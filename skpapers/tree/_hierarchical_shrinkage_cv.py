"""Choosing lambda: one fit a fold (or none, with out-of-bag rows), and the whole path from it."""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.callback import with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import indexable

from skpapers._cross_validation import DOCUMENTED as CROSS_VALIDATION
from skpapers._cross_validation import CrossValidationMixin, choose
from skpapers._docstrings import filled_docstring
from skpapers._fitting import Fitting
from skpapers._labels import check_labels
from skpapers._validation import StrOptions, check_sample_weight, fit_context
from skpapers.tree._hierarchical_shrinkage_base import (
    _BaseShrinkage,
    _ShrinkageClassifierMixin,
    _ShrinkageRegressorMixin,
    fit_model,
    shrink,
)
from skpapers.tree._hierarchical_shrinkage_scores import score_fold, score_oob
from skpapers.tree._shrinkable import FORESTS, carries_weights

# parts of the docstrings of both estimators, see `_docstrings.py`
DOCUMENTED = CROSS_VALIDATION | {
    "reg_params": """
        Values of lambda to choose from, in rows, finite and not negative. Of equally good ones the first is taken.""",
    "path": """
        The structure of a tree does not depend on lambda, so each fold fits once and the node values of the whole path
        come from that fit in one sweep: k + 1 fits for k folds, one fit with `cv="oob"`. Scores of trees and forests
        are read from the leaves without a further pass through the trees. Cost beside the fits:
        O(n_reg_params x (nodes + n x trees)), whatever p is.""",
    "selection": """
        Chosen scores are optimistic, as those of any search: cross-validate the whole estimator to judge it. A frozen
        estimator is not refitted in the folds; give rows that it was not trained on. Repeated rows that fall on both
        sides of a fold, or of a bag, make too small a `reg_param` look best: keep them together with `groups`.""",
}


class _BaseShrinkageCV(CrossValidationMixin, _BaseShrinkage):
    """Shrinkage with a lambda that is chosen."""

    _parameter_constraints: ClassVar[dict] = {
        **_BaseShrinkage._parameter_constraints,
        **CrossValidationMixin._cv_constraints,
        "reg_params": ["array-like"],
        "cv": ["cv_object", StrOptions({"oob"})],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        reg_params: Iterable[float] = (0, 0.1, 1, 10, 50, 100, 500),
        scheme: str = "hierarchical",
        cv: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.reg_params = reg_params
        self.scheme = scheme
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Choose lambda, fit the wrapped estimator on all rows, and shrink it.

        An error in a fold ends the fit: there is no `error_score`. A NaN among the scores of a value ranks it last.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, of any kind that the wrapped estimator takes. For a frozen estimator they should be rows it
            was not trained on; with `cv="oob"` the ones that it was.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. They go to the fits, into N(t), and to the scorer where it takes weights.

        **params : dict
            `groups` for the splitter. With metadata routing whatever the splitter and the scorer request.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError
            If the estimator cannot be shrunk; the message names what can.

        ValueError
            If `reg_params` is empty or has a negative value, if `cv="oob"` has no bootstrap forest, or if a frozen
            model (HistGradientBoosting, LightGBM, XGBoost) does not carry the row weights of its nodes.
        """
        estimator = self._checked_estimator()
        reg_params = self._checked_reg_params()
        fitting = Fitting(self)
        if isinstance(estimator, FrozenEstimator) and not carries_weights(estimator.estimator):
            raise ValueError(
                f"A frozen {type(estimator.estimator).__name__} does not carry the row weights of its nodes, so "
                "held-out rows cannot choose reg_param for it: give the estimator unfrozen."
            )
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = check_labels(y) if is_classifier(self) else y
        X, y = indexable(X, y)
        sample_weight = check_sample_weight(sample_weight, X)
        routed = self._route(self._scorer(), sample_weight, params)

        if isinstance(self.cv, str):
            self._check_oob()
            fitting.begin(X, y, n_steps=1)
            with fitting.step("fit") as step:
                model = fit_model(estimator, X, y, sample_weight, step.context)
            scores = [score_oob(model, X, y, reg_params, self.scheme, routed.scorer, routed.score_params)]
        else:
            splits = self._splits(X, y, routed.split_params)
            fitting.begin(X, y, n_steps=len(splits) + 1)
            score = partial(score_fold, estimator, X, y, sample_weight, reg_params, self.scheme, routed)
            scores = self._score_folds(score, splits, fitting)
            with fitting.step("refit") as step:
                model = fit_model(estimator, X, y, sample_weight, step.context)

        choice = choose("reg_param", reg_params, scores)
        reg_param = float(reg_params[choice.best_index])
        model = shrink(model, X, y, sample_weight, reg_param, self.scheme)
        return fitting.publish(self._fitted_attributes(model) | choice.attributes() | {"reg_param_": reg_param})

    def _checked_reg_params(self) -> NDArray[np.float64]:
        try:
            reg_params = np.asarray(self.reg_params, dtype=np.float64)
        except (TypeError, ValueError):
            reg_params = np.empty(0)
        if reg_params.ndim != 1 or reg_params.size == 0 or not np.all(np.isfinite(reg_params) & (reg_params >= 0)):
            raise ValueError(f"reg_params must be a list of one or more finite values >= 0, got {self.reg_params!r}.")
        return reg_params

    def _check_oob(self) -> None:
        forest = self._wrapped()
        if not (isinstance(forest, FORESTS) and forest.bootstrap):
            raise ValueError(f'cv="oob" needs a forest with bootstrap=True; {forest!r} leaves no row out of its bags.')


@filled_docstring(DOCUMENTED)
class HierarchicalShrinkageRegressorCV(_ShrinkageRegressorMixin, _BaseShrinkageCV):
    """Hierarchical shrinkage of regression trees and ensembles, with `reg_param` chosen by cross-validation.

    Use it wherever :class:`HierarchicalShrinkageRegressor` is used and the strength of the shrinkage is not known.

    Parameters
    ----------
    estimator : estimator object, default=None
        What to fit and shrink, as in :class:`HierarchicalShrinkageRegressor`; never changed. None means
        `DecisionTreeRegressor(random_state=0)`.

    reg_params : array-like of shape (n_reg_params,), default=(0, 0.1, 1, 10, 50, 100, 500)
        {reg_params}

    scheme : {"hierarchical", "leaf", "constant"}, default="hierarchical"
        The paper's Eq. 3 or one of its rivals, see :class:`HierarchicalShrinkageRegressor`.

    cv : int, splitter, iterable of splits, "oob" or None, default=None
        None means 5 folds, unshuffled. For rows in the order of time give a time-ordered splitter such as
        :class:`~sklearn.model_selection.TimeSeriesSplit`. "oob", for forests with `bootstrap=True`, scores each tree on
        the rows outside its bag: a single fit in all, and a single split.

    scoring : str, callable or None, default=None
        A scorer of scikit-learn; greater is better. None means `r2`.

    n_jobs : int or None, default=None
        {n_jobs}

    Attributes
    ----------
    estimator_ : estimator object
        The model fitted on all rows, with values shrunken by `reg_param_`: of the wrapped type, so that `plot_tree` and
        SHAP show it.

    reg_param_ : float
        The chosen value of lambda.

    {cv_attributes}

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
    HierarchicalShrinkageRegressor : Takes one `reg_param` as given.
    HierarchicalShrinkagePathDisplay : Draws the scores along the path.
    HierarchicalShrinkageClassifierCV : The same for classes.

    Notes
    -----
    {path}

    {selection}

    **Differences from the paper.** Its experiments use 3 folds; here 5 is the default, as in scikit-learn. Out-of-bag
    selection is not in the paper. The rest as in :class:`HierarchicalShrinkageRegressor`.

    References
    ----------
    .. [1] A. Agarwal, Y. S. Tan, O. Ronen, C. Singh, B. Yu, "Hierarchical Shrinkage: Improving the Accuracy and
       Interpretability of Tree-Based Models", ICML 2022. https://arxiv.org/abs/2202.00858.
       Official code: https://github.com/csinva/imodels

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skpapers.tree import HierarchicalShrinkageRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> HierarchicalShrinkageRegressorCV().fit(X, y).reg_param_
    100.0
    >>> forest = RandomForestRegressor(50, random_state=0)
    >>> model = HierarchicalShrinkageRegressorCV(forest, cv="oob").fit(X, y)
    >>> print(f"{model.reg_param_:g}, out-of-bag R2 {model.best_score_:.2f}")
    50, out-of-bag R2 0.43
    """

    def _default_scoring(self) -> str:
        return "r2"


@filled_docstring(DOCUMENTED)
class HierarchicalShrinkageClassifierCV(_ShrinkageClassifierMixin, _BaseShrinkageCV):
    """Hierarchical shrinkage of classification trees and ensembles, with `reg_param` chosen by cross-validation.

    Use it wherever :class:`HierarchicalShrinkageClassifier` is used and the strength of the shrinkage is not known.

    Parameters
    ----------
    estimator : estimator object, default=None
        What to fit and shrink, as in :class:`HierarchicalShrinkageClassifier`; never changed. None means
        `DecisionTreeClassifier(random_state=0)`.

    reg_params : array-like of shape (n_reg_params,), default=(0, 0.1, 1, 10, 50, 100, 500)
        {reg_params}

    scheme : {"hierarchical", "leaf", "constant"}, default="hierarchical"
        The paper's Eq. 3 or one of its rivals, see :class:`HierarchicalShrinkageClassifier`.

    cv : int, splitter, iterable of splits, "oob" or None, default=None
        None means 5 folds, stratified by class and unshuffled. For rows in the order of time give a time-ordered
        splitter such as :class:`~sklearn.model_selection.TimeSeriesSplit`. "oob", for forests with
        `bootstrap=True`, scores each tree on the rows outside its bag: a single fit in all, and a single split.

    scoring : str, callable or None, default=None
        A scorer of scikit-learn; greater is better. None means `accuracy`. Shrinkage changes probabilities more than
        labels: "neg_log_loss" and "roc_auc" distinguish its values better.

    n_jobs : int or None, default=None
        {n_jobs}

    Attributes
    ----------
    estimator_ : estimator object
        The model fitted on all rows, with values shrunken by `reg_param_`: of the wrapped type, so that `plot_tree` and
        SHAP show it.

    reg_param_ : float
        The chosen value of lambda.

    {cv_attributes}

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
    HierarchicalShrinkageClassifier : Takes one `reg_param` as given.
    HierarchicalShrinkagePathDisplay : Draws the scores along the path.
    HierarchicalShrinkageRegressorCV : The same for numbers.

    Notes
    -----
    {path}

    {selection}

    **Differences from the paper.** Its experiments use 3 folds; here 5 is the default, as in scikit-learn. Out-of-bag
    selection is not in the paper. The rest as in :class:`HierarchicalShrinkageClassifier`.

    References
    ----------
    .. [1] A. Agarwal, Y. S. Tan, O. Ronen, C. Singh, B. Yu, "Hierarchical Shrinkage: Improving the Accuracy and
       Interpretability of Tree-Based Models", ICML 2022. https://arxiv.org/abs/2202.00858.
       Official code: https://github.com/csinva/imodels

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skpapers.tree import HierarchicalShrinkageClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> HierarchicalShrinkageClassifierCV(scoring="neg_log_loss").fit(X, y).reg_param_
    50.0
    >>> forest = RandomForestClassifier(50, random_state=0)
    >>> model = HierarchicalShrinkageClassifierCV(forest, cv="oob", scoring="neg_log_loss").fit(X, y)
    >>> print(f"{model.reg_param_:g}, out-of-bag log loss {-model.best_score_:.2f}")
    1, out-of-bag log loss 0.11
    """

    def _default_scoring(self) -> str:
        return "accuracy"
