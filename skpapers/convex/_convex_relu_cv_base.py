"""What the two convex networks that choose alpha by cross-validation share."""

import warnings
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, make_scorer
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import check_is_fitted

from skpapers._cross_validation import CrossValidationMixin, Routed, Split, choose, take_fold
from skpapers._fitting import Fitting
from skpapers._validation import Interval, accepts_sample_weight, check_sample_weight, fit_context
from skpapers.convex._clock import Clock
from skpapers.convex._convex_relu_base import Array, BaseConvexReLU, fitted_attributes
from skpapers.convex._convex_relu_path import Path, alpha_grid, start_path
from skpapers.convex._convex_relu_search import Progress
from skpapers.convex._one_thread import one_thread

ROUGHER = 20.0  # factor from `tol` to the gaps in the folds: scores change by less than other gates change them
LARGEST_GAP = 0.05  # in the folds, unless `tol` is larger


class _OfAllClasses(ClassifierMixin, BaseEstimator):
    """A fitted classifier that knows the classes its fold lacked, with probabilities of zero."""

    def __init__(self, model: Any, classes: NDArray) -> None:
        self.model = model
        self.classes_ = classes

    def predict_proba(self, X: Any) -> Array:
        found = self.model.predict_proba(X)
        all_of_them = np.zeros((len(found), len(self.classes_)))
        all_of_them[:, np.searchsorted(self.classes_, self.model.classes_)] = found
        return all_of_them


@dataclass(frozen=True)
class FoldScores:
    """The score of every alpha in a fold, and the number of fits that have not converged."""

    scores: list[float]
    n_open: int


def score_fold(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Array | None,
    alphas: Array,
    routed: Routed,
    classes: NDArray | None,
    seconds: float | None,
    split: Split,
) -> FoldScores:
    """Follow the path of alphas on the training part of a fold and score every model on its test part."""
    clock = Clock(seconds)
    fold = take_fold(X, y, sample_weight, split, routed.score_params)
    scores = []
    n_open = 0
    with one_thread:
        path = start_path(estimator, fold.X_train, fold.y_train, fold.weight_train)
        for i, alpha in enumerate(alphas):
            solution = path.solve(alpha, estimator.tol, Progress(), clock.share(len(alphas) - i))
            model = path.model(alpha, solution)
            judged = model if classes is None else _OfAllClasses(model, classes)
            scores.append(float(routed.scorer(judged, fold.X_test, fold.y_test, **fold.score_params)))
            n_open += not solution.converged
    return FoldScores(scores, n_open)


class BaseConvexReLUCV(CrossValidationMixin, BaseConvexReLU):
    """What the two estimators that choose alpha share."""

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: allowed
            for name, allowed in BaseConvexReLU._parameter_constraints.items()
            if name not in ("alpha", "warm_start")
        },
        **CrossValidationMixin._cv_constraints,
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
    }

    alphas: Any
    eps: float
    warm_start = False
    alpha_: float

    _single: ClassVar[Any]

    def _one(self) -> Any:
        """Return the estimator of one alpha with the parameters of this one."""
        names = set(self._single._get_param_names()) - {"alpha", "warm_start"}
        return self._single(**{name: getattr(self, name) for name in names})

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Choose alpha by cross-validation and fit all rows with it.

        An error in a fold ends the fit: there is no `error_score`. A NaN among the scores of a value ranks it last.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; several outputs for regression only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. They go to the fits, and to the scorer where it takes weights.

        **params : dict
            `groups` for the splitter. With metadata routing whatever the splitter and the scorer request.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If `alphas` is empty or has a value that is not above 0, or if every score is NaN.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` or `time_limit` ended the last fit before its gap came down to `tol`, or the fit of a fold
            before its gap came down to what folds need. The warning has their number and the gap of the last fit.
        """
        clock = Clock(self.time_limit)
        fitting = Fitting(self)
        one = self._one()
        one.random_state = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        of_fold = clone(one).set_params(tol=self._tol_of_folds())
        with one_thread:
            path = start_path(one, X, y, sample_weight)
        alphas = alpha_grid(self.alphas, self.eps, path.search.alpha_max)
        X_all, y_all = indexable(X, y)
        weight = check_sample_weight(sample_weight, X)
        classes = self._scored_classes(y)
        routed = self._route(self._scorer(classes), weight, params)
        judged = self._judged_by(y, weight)
        if judged is not None and accepts_sample_weight(routed.scorer):
            routed = replace(routed, score_params={**routed.score_params, "sample_weight": judged})
        splits = self._splits(X_all, y_all, routed.split_params)
        fitting.begin(X, y, n_steps=None)
        seconds = self._seconds_of_a_fold(clock, len(splits))
        score = partial(score_fold, of_fold, X_all, y_all, weight, alphas, routed, classes, seconds)
        folds = self._score_folds(score, splits, fitting)
        choice = choose("alpha", alphas, [fold.scores for fold in folds])
        with one_thread:
            model = self._last_model(path, alphas[: choice.best_index + 1], fitting, clock)
        self._warn_of_gaps(model, sum(fold.n_open for fold in folds), len(folds) * len(alphas))
        chosen = {"alpha_": float(alphas[choice.best_index]), "alphas_": alphas}
        return fitting.publish(fitted_attributes(model) | choice.attributes() | chosen)

    def _last_model(self, path: Path, alphas: Array, fitting: Fitting, clock: Clock) -> Any:
        """Return the model of the last alpha; those before it, which it starts from, are solved as in the folds."""
        progress = Progress(fitting)
        for i, alpha in enumerate(alphas[:-1]):
            path.solve(alpha, self._tol_of_folds(), progress, clock.share(len(alphas) - i))
        solution = path.solve(alphas[-1], self.tol, progress, clock)
        model = path.model(alphas[-1], solution)
        model._look_outside(path.search, solution)
        model.history_ = progress.history
        return model

    def _tol_of_folds(self) -> float:
        """Return the gap at which the fits of the folds end, and those that the last fit starts from."""
        return max(self.tol, min(ROUGHER * self.tol, LARGEST_GAP))

    def _seconds_of_a_fold(self, clock: Clock, n_splits: int) -> float | None:
        """Return the time for a fold: the folds, so many at a time as there are workers, and the last fit share it."""
        if self.time_limit is None:
            return None
        turns = ceil(n_splits / min(effective_n_jobs(self.n_jobs), n_splits))
        return clock.left / (turns + 1)

    def _warn_of_gaps(self, last: BaseConvexReLU, n_open: int, n_models: int) -> None:
        if not n_open and last.converged_:
            return
        limit = f"max_iter={self.max_iter}" if self.time_limit is None else f"time_limit={self.time_limit:g} s"
        warnings.warn(
            f"{type(self).__name__}: {limit} ended {n_open} of {n_models} fits of the folds before their gaps were "
            f"at most {self._tol_of_folds():g}; the last fit has a relative duality gap of {last.gap_:.2e}.",
            ConvergenceWarning,
            stacklevel=5,
        )

    def to_relu(self) -> Any:
        """Return a ReLU network for a gated one, with the alpha chosen; see the estimator of one alpha.

        Returns
        -------
        estimator : ConvexReLUClassifier or ConvexReLURegressor
        """
        check_is_fitted(self)
        model = self._one().set_params(alpha=self.alpha_)
        vars(model).update(fitted_attributes(self))
        return model.to_relu()

    def _judged_by(self, y: Any, weight: Array | None) -> Array | None:
        """Return the weights of rows in scores where they are others than those given; None otherwise."""
        return None

    def _scored_classes(self, y: Any) -> NDArray | None:
        """Return all classes where the scorer has to know them, since a fold may lack some."""
        return None

    def _scorer(self, classes: NDArray | None = None) -> Any:
        if classes is None:
            return super()._scorer()
        return self._with_weights(
            make_scorer(log_loss, response_method="predict_proba", greater_is_better=False, labels=classes)
        )
