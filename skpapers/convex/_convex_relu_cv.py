"""Convex networks that choose alpha by cross-validation: every fold follows the path of alphas."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpapers._docstrings import filled_docstring
from skpapers._weights import weigh_classes
from skpapers.convex._convex_relu_base import Array
from skpapers.convex._convex_relu_classifier import ConvexClassifierMixin, ConvexReLUClassifier
from skpapers.convex._convex_relu_cv_base import BaseConvexReLUCV
from skpapers.convex._convex_relu_docs import DOCUMENTED
from skpapers.convex._convex_relu_regressor import ConvexRegressorMixin, ConvexReLURegressor


@filled_docstring(DOCUMENTED)
class ConvexReLUClassifierCV(ConvexClassifierMixin, BaseConvexReLUCV):
    """Two-layer ReLU network for classes by convex optimisation, its regularisation chosen by cross-validation.

    Every fold follows the whole path of alpha, each model starting from the one before. Use it where
    :class:`ConvexReLUClassifier` would need a search over `alpha`.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        {activation}

    alphas : int or array-like of shape (n_alphas,), default=10
        {alphas}

    eps : float, default=0.001
        {eps}

    loss : {"log_loss", "squared_error"}, default="log_loss"
        {loss_of_classes}

    n_gates : int, default=500
        {n_gates}

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        {gates}

    n_refine : int, default=1
        {n_refine}

    fit_intercept : bool, default=True
        {fit_intercept}

    output_intercept : bool, default=True
        {output_intercept}

    standardize : bool, default=True
        {standardize_of_classes}

    solver : {"auto", "newton", "fista", "interior_point", "cvxpy"}, default="auto"
        {solver}

    max_iter : int, default=20000
        {max_iter}

    tol : float, default=0.001
        {tol_of_cv}

    time_limit : float or None, default=None
        {time_limit_of_cv}

    cv : int, cross-validation generator or iterable, default=None
        {cv}

    scoring : str, callable or None, default=None
        {scoring_of_classes}

    random_state : int, RandomState instance or None, default=None
        {random_state}

    n_jobs : int or None, default=None
        {n_jobs}

    verbose : int, default=0
        {verbose_of_cv}

    class_weight : dict, "balanced" or None, default=None
        {class_weight}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        {classes_}

    alpha_ : float
        {alpha_}

    alphas_ : ndarray of shape (n_alphas,)
        {alphas_}

    {cv_attributes}

    {network}

    See Also
    --------
    ConvexReLUClassifier : With an alpha that is given.
    ConvexReLURegressorCV : The same for numbers.
    sklearn.neural_network.MLPClassifier : The same kind of network, trained by gradients.

    Notes
    -----
    {program}

    {objective_of_classes}

    {bound}

    {cost}

    {cost_of_cv}

    {differences}

    References
    ----------
    {paper}

    Examples
    --------
    >>> from skpapers.convex import ConvexReLUClassifierCV
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True)
    >>> model = ConvexReLUClassifierCV(alphas=4, eps=0.05, n_gates=50, cv=3, random_state=0).fit(X, y)
    >>> print(len(model.alphas_), f"{model.score(X, y):.1f}")
    4 0.9
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLUCV._parameter_constraints,
        **ConvexClassifierMixin._constraints,
    }
    _single = ConvexReLUClassifier

    def __init__(
        self,
        activation: str = "relu",
        alphas: ArrayLike | int = 10,
        *,
        eps: float = 0.001,
        loss: str = "log_loss",
        n_gates: int = 500,
        gates: Any = "random",
        n_refine: int = 1,
        fit_intercept: bool = True,
        output_intercept: bool = True,
        standardize: bool = True,
        solver: str = "auto",
        max_iter: int = 20000,
        tol: float = 0.001,
        time_limit: float | None = None,
        cv: Any = None,
        scoring: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        class_weight: Any = None,
    ) -> None:
        self.activation = activation
        self.alphas = alphas
        self.eps = eps
        self.loss = loss
        self.n_gates = n_gates
        self.gates = gates
        self.n_refine = n_refine
        self.fit_intercept = fit_intercept
        self.output_intercept = output_intercept
        self.standardize = standardize
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.class_weight = class_weight

    def _judged_by(self, y: Any, weight: Array | None) -> Array | None:
        """Return the weights times those of the classes: what is not to count in a fit is not to choose alpha."""
        if self.class_weight is None:
            return None
        classes, codes = np.unique(np.asarray(y).ravel(), return_inverse=True)
        return weigh_classes(self.class_weight, classes, codes, weight)

    def _scored_classes(self, y: Any) -> NDArray | None:
        return np.unique(np.asarray(y)) if self.scoring is None and self.loss == "log_loss" else None

    def _default_scoring(self) -> str:
        return "neg_log_loss" if self.loss == "log_loss" else "accuracy"


@filled_docstring(DOCUMENTED)
class ConvexReLURegressorCV(ConvexRegressorMixin, BaseConvexReLUCV):
    """Two-layer ReLU network for numbers by convex optimisation, its regularisation chosen by cross-validation.

    Every fold follows the whole path of alpha, each model starting from the one before. Use it where
    :class:`ConvexReLURegressor` would need a search over `alpha`.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        {activation}

    alphas : int or array-like of shape (n_alphas,), default=10
        {alphas}

    eps : float, default=0.001
        {eps}

    loss : {"squared_error"}, default="squared_error"
        {loss_of_numbers}

    n_gates : int, default=500
        {n_gates}

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        {gates}

    n_refine : int, default=1
        {n_refine}

    fit_intercept : bool, default=True
        {fit_intercept}

    output_intercept : bool, default=True
        {output_intercept}

    standardize : bool, default=True
        {standardize_of_numbers}

    solver : {"auto", "newton", "fista", "interior_point", "cvxpy"}, default="auto"
        {solver}

    max_iter : int, default=20000
        {max_iter}

    tol : float, default=0.001
        {tol_of_cv}

    time_limit : float or None, default=None
        {time_limit_of_cv}

    cv : int, cross-validation generator or iterable, default=None
        {cv}

    scoring : str, callable or None, default=None
        {scoring_of_numbers}

    random_state : int, RandomState instance or None, default=None
        {random_state}

    n_jobs : int or None, default=None
        {n_jobs}

    verbose : int, default=0
        {verbose_of_cv}

    Attributes
    ----------
    alpha_ : float
        {alpha_}

    alphas_ : ndarray of shape (n_alphas,)
        {alphas_}

    {cv_attributes}

    {network}

    See Also
    --------
    ConvexReLURegressor : With an alpha that is given.
    ConvexReLUClassifierCV : The same for classes.
    sklearn.neural_network.MLPRegressor : The same kind of network, trained by gradients.

    Notes
    -----
    {program}

    {objective_of_numbers}

    {bound}

    {cost}

    {cost_of_cv}

    {differences}

    References
    ----------
    {paper}

    Examples
    --------
    >>> from skpapers.convex import ConvexReLURegressorCV
    >>> from skpapers.datasets import load_concrete
    >>> X, y = load_concrete(return_X_y=True)
    >>> model = ConvexReLURegressorCV(alphas=4, eps=0.05, n_gates=50, cv=3, random_state=0).fit(X, y)
    >>> print(len(model.alphas_), f"{model.score(X, y):.1f}")
    4 0.8
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLUCV._parameter_constraints,
        **ConvexRegressorMixin._constraints,
    }
    _single = ConvexReLURegressor

    def __init__(
        self,
        activation: str = "relu",
        alphas: ArrayLike | int = 10,
        *,
        eps: float = 0.001,
        loss: str = "squared_error",
        n_gates: int = 500,
        gates: Any = "random",
        n_refine: int = 1,
        fit_intercept: bool = True,
        output_intercept: bool = True,
        standardize: bool = True,
        solver: str = "auto",
        max_iter: int = 20000,
        tol: float = 0.001,
        time_limit: float | None = None,
        cv: Any = None,
        scoring: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.activation = activation
        self.alphas = alphas
        self.eps = eps
        self.loss = loss
        self.n_gates = n_gates
        self.gates = gates
        self.n_refine = n_refine
        self.fit_intercept = fit_intercept
        self.output_intercept = output_intercept
        self.standardize = standardize
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.time_limit = time_limit
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _default_scoring(self) -> str:
        return "r2"
