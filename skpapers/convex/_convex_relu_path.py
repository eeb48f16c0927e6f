"""The path of alphas: many models of one table, each starting from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from skpapers._fitting import Fitting
from skpapers.convex._clock import Clock
from skpapers.convex._convex_relu_base import Array
from skpapers.convex._convex_relu_classifier import ConvexReLUClassifier
from skpapers.convex._convex_relu_regressor import ConvexReLURegressor
from skpapers.convex._convex_relu_search import Progress, Search
from skpapers.convex._one_thread import one_thread
from skpapers.convex._sampled_program import Solution


def convex_relu_path(
    estimator: Any, X: Any, y: Any, *, alphas: ArrayLike | int = 10, eps: float = 1e-3, sample_weight: Any = None
) -> tuple[Array, list[Any], Array]:
    """Fit an estimator for many values of alpha, from the largest to the smallest, each from the one before.

    Parameters
    ----------
    estimator : ConvexReLUClassifier or ConvexReLURegressor
        Its parameters but alpha are those of all models; it is not changed. All start from the same gates. `time_limit`
        is that of the whole path: each model may take an equal share of what is left.

    X : array-like of shape (n_samples, n_features)
        Training rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    alphas : int or array-like of shape (n_alphas,), default=10
        Values of alpha; an int is their number on a geometric grid from the least alpha of which the model is empty.

    eps : float, default=0.001
        Length of the grid: its smallest alpha over its largest.

    sample_weight : array-like of shape (n_samples,), default=None
        Row weights, none negative.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        In descending order.

    models : list of estimators
        Fitted clones of `estimator`.

    gaps : ndarray of shape (n_alphas,)
        Their relative duality gaps.

    See Also
    --------
    ConvexReLURegressorCV : Chooses one of them by cross-validation.

    Examples
    --------
    >>> from skpapers.convex import ConvexReLURegressor, convex_relu_path
    >>> from skpapers.datasets import load_concrete
    >>> X, y = load_concrete(return_X_y=True)
    >>> model = ConvexReLURegressor("gated_relu", n_gates=50, random_state=0)
    >>> alphas, models, gaps = convex_relu_path(model, X, y, alphas=4, eps=0.1)
    >>> [model.n_active_neurons_ > 0 for model in models]
    [False, True, True, True]
    """
    if not isinstance(estimator, (ConvexReLUClassifier, ConvexReLURegressor)):
        raise TypeError(f"estimator must be a ConvexReLUClassifier or a ConvexReLURegressor, got {estimator!r}.")
    estimator._validate_params()
    if not 0 < eps < 1:
        raise ValueError(f"eps must be above 0 and below 1, got {eps}.")
    clock = Clock(estimator.time_limit)
    models = []
    with one_thread:
        path = start_path(clone(estimator), X, y, sample_weight)
        grid = alpha_grid(alphas, eps, path.search.alpha_max)
        progress = Progress(Fitting(estimator))
        for i, alpha in enumerate(grid):
            solution = path.solve(alpha, estimator.tol, progress, clock.share(len(grid) - i))
            model = path.model(alpha, solution)
            model._look_outside(path.search, solution)
            model.history_ = list(progress.history)
            model._warn_of_gap(stacklevel=3)
            models.append(model)
    return grid, models, np.array([model.gap_ for model in models])


def alpha_grid(alphas: Any, eps: float, largest: float) -> Array:
    """Return values of alpha in descending order."""
    if isinstance(alphas, (int, np.integer)):
        if alphas < 1:
            raise ValueError(f"alphas must be 1 or more where it is a number of values, got {alphas}.")
        largest = max(largest, 1e-10)  # a constant target leaves nothing to fit
        return np.geomspace(largest, largest * eps, int(alphas)) if alphas > 1 else np.array([largest])
    try:
        values = np.asarray(alphas, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError(f"alphas must be a number or a list of one or more finite values above 0, got {alphas!r}.")
    return np.sort(values)[::-1]


@dataclass
class Path:
    """The programs of one table for falling values of alpha; each is solved from the solution of the one before.

    Parameters
    ----------
    estimator : ConvexReLUClassifier or ConvexReLURegressor
        Its parameters but `alpha` and `tol` are those of all models.

    search : Search

    validated : dict
        Fitted attributes that follow from the table alone.
    """

    estimator: Any
    search: Search
    validated: dict[str, Any]

    def solve(self, alpha: float, tol: float, progress: Progress, clock: Clock) -> Solution:
        """Solve the program of an alpha to a relative gap of `tol`."""
        return self.estimator._solve(self.search, alpha, tol, progress, clock)

    def model(self, alpha: float, solution: Solution) -> Any:
        """Return the last solution as a fitted estimator, which predicts; what only a report needs is not there."""
        model = clone(self.estimator).set_params(alpha=float(alpha))
        vars(model).update(self.validated)
        model._store(self.search, solution)
        return model


def start_path(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Path:
    """Return the path of a table; `search.alpha_max` is the least alpha at which the model is empty."""
    fitting = Fitting(estimator)
    search = estimator._start(fitting.blank, X, y, sample_weight)
    return Path(estimator, search, fitting.validated)
