"""Choosing alpha: every fold follows the path of alphas, each model starting from the one before."""

from __future__ import annotations

import warnings
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names, log_loss, make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skpapers._callbacks import begin_fit, end_fit, report_step
from skpapers._validation import (
    Interval,
    StrOptions,
    accepts_sample_weight,
    check_method_params,
    check_sample_weight,
    fit_context,
    safe_indexing,
)
from skpapers._weights import weigh_classes
from skpapers.convex import _convex_relu as programs
from skpapers.convex._clock import Clock
from skpapers.convex._convex_relu_estimators import (
    BaseConvexReLU,
    ConvexReLUClassifier,
    ConvexReLURegressor,
    Progress,
    _ClassifierMixin,
    _RegressorMixin,
    one_thread,
)

Array = NDArray[np.float64]


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
    with one_thread:
        clock = Clock(estimator.time_limit)
        models = []
        for model, _ in _follow(clone(estimator), X, y, alphas, eps, sample_weight, clock):
            model._warn(vars(model))
            models.append(model)
    return np.array([model.alpha for model in models]), models, np.array([model.gap_ for model in models])


def _grid(alphas: Any, eps: float, largest: float) -> Array:
    """Return values of alpha in descending order."""
    if isinstance(alphas, (int, np.integer)):
        if alphas < 1:
            raise ValueError(f"alphas must be 1 or more where it is a number of values, got {alphas}.")
        largest = max(largest, 1e-10)  # a constant target leaves nothing to fit
        return np.geomspace(largest, largest * eps, int(alphas)) if alphas > 1 else np.array([largest])
    values = np.asarray(alphas, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values) & (values > 0)):
        raise ValueError(f"alphas must be a number or a list of one or more finite values above 0, got {alphas!r}.")
    return np.sort(values)[::-1]


def _follow(
    estimator: Any, X: Any, y: Any, alphas: Any, eps: float, sample_weight: Any, clock: Clock, report: Any = None
) -> Any:
    """Yield a fitted clone for each alpha, and what is left to report of it; each may take its share of the time."""
    kind: Any = type(estimator)
    blank = kind.__new__(kind)
    data, loss, told = estimator._prepare(blank, X, y, sample_weight)
    state = check_random_state(estimator.random_state)
    program, gates = estimator._program(data, loss, estimator._gates(data, state))
    most = programs.alpha_max(program)
    point = None
    grid = _grid(alphas, eps, most)
    for i, alpha in enumerate(grid):
        progress = Progress(estimator, None) if report is None else report
        program, gates, solution = estimator._extend(
            data, program, gates, alpha, state, point, progress, clock.share(len(grid) - i)
        )
        point = solution.point
        model = clone(estimator).set_params(alpha=float(alpha))
        fitted = estimator._fitted(data, program, gates, solution, alpha, state, most)
        model.__dict__.update(fitted | vars(blank) | told | {"history_": list(progress.history)})
        yield model, progress


class _OfAllClasses(ClassifierMixin, BaseEstimator):
    """A fitted classifier that knows the classes its fold lacked, with probabilities of zero."""

    def __init__(self, model: Any, classes: NDArray) -> None:
        self.model, self.classes_ = model, classes

    def predict_proba(self, X: Any) -> Array:
        found = self.model.predict_proba(X)
        all_of_them = np.zeros((len(found), len(self.classes_)))
        all_of_them[:, np.searchsorted(self.classes_, self.model.classes_)] = found
        return all_of_them


def _score_fold(
    estimator: Any,
    X: Any,
    y: Any,
    weight: Any,
    train: Any,
    test: Any,
    alphas: Array,
    scorer: Any,
    params: dict,
    classes: NDArray | None,
    seconds: float | None,
) -> tuple[list[float], int]:
    """Return the score on the rows left out, of every alpha, and how many of their fits have not converged."""
    clock = Clock(seconds)
    X_train, y_train, X_test, y_test = (safe_indexing(A, rows) for rows in (train, test) for A in (X, y))
    params = check_method_params(X, params=params, indices=test)
    weight = None if weight is None else weight[train]
    with one_thread:
        scores, unfinished = [], 0
        for model, _ in _follow(estimator, X_train, y_train, alphas, 1.0, weight, clock):
            judged = model if classes is None else _OfAllClasses(model, classes)
            scores.append(float(scorer(judged, X_test, y_test, **params)))
            unfinished += not model.converged_
    return scores, unfinished


class BaseConvexReLUCV(BaseConvexReLU):
    """What the two estimators that choose alpha share."""

    _parameter_constraints: ClassVar[dict] = {
        **{
            name: allowed
            for name, allowed in BaseConvexReLU._parameter_constraints.items()
            if name not in ("alpha", "warm_start")
        },
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_jobs": [Integral, None],
    }

    alphas: Any
    eps: float
    cv: Any
    scoring: Any
    n_jobs: int | None
    warm_start = False

    _single: ClassVar[Any]

    def _one(self) -> Any:
        """Return the estimator of one alpha with the parameters of this one."""
        names = set(self._single._get_param_names()) - {"alpha", "warm_start"}
        return self._single(**{name: getattr(self, name) for name in names})

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> Any:
        """Choose alpha by cross-validation and fit all rows with it.

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
            If `max_iter` or `time_limit` ended the fit of a model before its gap came down to `tol`; the warning says
            of how many models, and the gap of the last one.
        """
        clock = Clock(self.time_limit)
        one = self._one()
        one.random_state = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        blank = type(self).__new__(type(self))
        data, loss, _ = one._prepare(blank, X, y, sample_weight)
        with one_thread:
            program, _ = one._program(data, loss, one._gates(data, check_random_state(one.random_state)))
            alphas = _grid(self.alphas, self.eps, programs.alpha_max(program))
        X_all, y_all = indexable(X, y)
        weight = check_sample_weight(sample_weight, X)
        classes = self._scored_classes(y)
        scorer, routed = self._route(weight, params, classes)
        judged = self._judged_by(y, weight)
        if judged is not None and accepts_sample_weight(scorer):
            routed.scorer.score = {**routed.scorer.score, "sample_weight": judged}
        splits = list(
            check_cv(self.cv, y_all, classifier=is_classifier(self)).split(X_all, y_all, **routed.splitter.split)
        )
        context = begin_fit(self, None, X, y)
        seconds = self._seconds_of_a_fold(clock, len(splits))
        folds = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_score_fold)(
                one, X_all, y_all, weight, *split, alphas, scorer, routed.scorer.score, classes, seconds
            )
            for split in splits
        )
        scores, unfinished = [], 0
        for _ in splits:
            with report_step(self, context, "fold"):
                row, n_open = next(folds)
            scores.append(row)
            unfinished += n_open
        table = np.array(scores)
        mean = table.mean(axis=0)
        if np.all(np.isnan(mean)):
            raise ValueError("every score is NaN, so no alpha is better than another: check scoring and the folds.")
        best = int(np.nanargmax(mean))  # of several the first, the largest alpha
        progress = Progress(self, context)
        with one_thread:
            *_, (model, _) = _follow(one, X, y, alphas[: best + 1], 1.0, sample_weight, clock, progress)
        own = set(model.get_params())
        fitted = {name: value for name, value in vars(model).items() if name not in own}
        fitted |= {
            "alpha_": float(alphas[best]),
            "alphas_": alphas,
            "best_score_": float(mean[best]),
            "cv_results_": {
                "mean_test_score": mean,
                "std_test_score": table.std(axis=0),
                **{f"split{i}_test_score": row for i, row in enumerate(table)},
            },
        }
        self._warn_of_folds(fitted, unfinished, table.size)
        end_fit(self, context, X, y, lambda: fitted)
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(fitted)
        return self

    def _seconds_of_a_fold(self, clock: Clock, n_splits: int) -> float | None:
        """Return the time for a fold: the folds, so many at a time as there are workers, and the last fit share it."""
        if self.time_limit is None:
            return None
        turns = ceil(n_splits / min(effective_n_jobs(self.n_jobs), n_splits))
        return clock.left / (turns + 1)

    def _warn_of_folds(self, fitted: dict[str, Any], unfinished: int, n_models: int) -> None:
        if not unfinished and fitted["converged_"]:
            return
        limit = f"max_iter={self.max_iter}" if self.time_limit is None else f"time_limit={self.time_limit:g} s"
        warnings.warn(
            f"{type(self).__name__}: {limit} ended {unfinished} of {n_models} fits of the folds before their gaps were "
            f"at most tol={self.tol:g}; the last fit has a relative duality gap of {fitted['gap_']:.2e}.",
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
        model.__dict__.update({name: value for name, value in vars(self).items() if name not in self.get_params()})
        return model.to_relu()

    def _judged_by(self, y: Any, weight: Any) -> Any:
        """Return the weights of rows in scores where they are others than those given; None otherwise."""
        return None

    def _scored_classes(self, y: Any) -> NDArray | None:
        """Return all classes where the scorer has to know them, since a fold may lack some."""
        return None

    def _scorer(self, classes: NDArray | None = None) -> Any:
        if classes is None:
            scorer = check_scoring(self, scoring=self.scoring or self._default_scoring())
        else:
            scorer = make_scorer(log_loss, response_method="predict_proba", greater_is_better=False, labels=classes)
        routing = get_config()["enable_metadata_routing"]
        return scorer.set_score_request(sample_weight=True) if routing and self.scoring is None else scorer

    def _default_scoring(self) -> str:
        raise NotImplementedError

    def _route(self, sample_weight: Any, params: dict, classes: NDArray | None) -> tuple[Any, Bunch]:
        """Return the scorer, and what goes to it and to the splitter."""
        scorer = self._scorer(classes)
        if get_config()["enable_metadata_routing"]:
            return scorer, process_routing(self, "fit", sample_weight=sample_weight, **params)
        if unknown := sorted(set(params) - {"groups"}):
            raise TypeError(f"fit takes only sample_weight and groups while metadata routing is off; got {unknown}.")
        weighted = sample_weight is not None and accepts_sample_weight(scorer)
        return scorer, Bunch(
            splitter=Bunch(split=params), scorer=Bunch(score={"sample_weight": sample_weight} if weighted else {})
        )

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata given to fit reaches the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router.add(scorer=self._scorer(), method_mapping=MethodMapping().add(caller="fit", callee="score"))


class ConvexReLUClassifierCV(_ClassifierMixin, BaseConvexReLUCV):
    r"""Two-layer ReLU network for classes by convex optimisation, its regularisation chosen by cross-validation.

    Every fold follows the whole path of alpha, each model starting from the one before. Use it where
    :class:`ConvexReLUClassifier` would need a search over `alpha`.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        "gated_relu" fixes the hyperplane that switches each neuron: faster, and another kind of network.

    alphas : int or array-like of shape (n_alphas,), default=10
        Values of alpha to choose from; an int is their number on a geometric grid that ends at `eps` times the least
        alpha of which the model is empty.

    eps : float, default=0.001
        Length of the grid: its smallest alpha over its largest.

    loss : {"log_loss", "squared_error"}, default="log_loss"
        "squared_error" fits targets of -1 and 1, one output a class where there are more than two, as the paper does;
        it has no probabilities.

    n_gates : int, default=500
        Number of random gates; those with equal patterns count once.

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        "random" draws normal gates for scaled columns. An array holds one gate a column for the columns as they are;
        its last row, if it has one more, are intercepts.

    n_refine : int, default=1
        Most rounds of column generation, for "relu"; 0 keeps the sample as it is, like the paper. Rounds after the
        fifth search harder and harder. Programs before the last one are solved roughly. It ends when searches find no
        missing pattern, or half of `max_iter` is spent. The gates of "gated_relu" are given, so that it has no such
        rounds.

    fit_intercept : bool, default=True
        Whether hidden neurons have intercepts, which are penalised like their other weights. If True,
        columns that are constant in training have weight 0; if False, they act as intercepts.

    output_intercept : bool, default=True
        Whether outputs have intercepts; these are not penalised.

    standardize : bool, default=True
        Whether columns are scaled to unit variance inside, and centred with `fit_intercept`. Fitted weights are for
        columns as they came.

    solver : {"auto", "newton", "fista", "interior_point", "cvxpy"}, default="auto"
        "auto" chooses between the others by their cost, and takes block descent with Newton steps for "relu" where the
        outputs are problems of their own, in place of "fista". "newton" factors Gram matrices; "fista" takes Newton
        steps, too, by conjugate gradients, for gated networks and the squared error; "interior_point" is for "relu",
        where small values of `alpha` make the others slow, and up to 3000 rows times outputs. "cvxpy" hands the program
        to Clarabel, an independent interior-point solver: slow, for checks, and with `n_refine=0` only.

    max_iter : int, default=20000
        Most Newton and interior-point steps and FISTA iterations, together.

    tol : float, default=0.001
        The fit ends where `gap_`, the relative duality gap, is at most this.

    time_limit : float or None, default=None
        Seconds for the whole of `fit`. The folds and the last fit get equal parts of it (folds of parallel workers run
        at the same time), each alpha of a fold an equal share of what is left to the fold, so that every alpha is
        scored: with the best network found in its time. One look at all patterns and one short search for missing ones
        come on top for each. None means no limit. "cvxpy" knows no limit.

    cv : int, cross-validation generator or iterable, default=None
        How folds are made; None means 5 folds. Give `TimeSeriesSplit` for rows in the order of time.

    scoring : str, callable or None, default=None
        What is best on held-out rows; None means the negative log loss, or accuracy for `loss="squared_error"`.

    random_state : int, RandomState instance or None, default=None
        Draws gates and the starts of searches. Give an int for equal results in every call.

    n_jobs : int or None, default=None
        Worker processes for the folds; None means 1, -1 all cores. The result is the same for any number.

    verbose : int, default=0
        1 prints objective, bound and gap of the last fit, after each look at all patterns.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied by `sample_weight`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    alpha_ : float
        The alpha chosen.

    alphas_ : ndarray of shape (n_alphas,)
        The values of alpha, in descending order.

    cv_results_ : dict
        `mean_test_score`, `std_test_score`, and `split{i}_test_score` of every alpha.

    best_score_ : float
        The mean score of `alpha_`.

    gates_ : ndarray of shape (n_features [+ 1], P)
        The gates of the program's patterns, a last row of intercepts with `fit_intercept`; those that column generation
        added stand at the end.

    coef_ : ndarray of shape (n_features, n_active_neurons)
        Weights of the hidden neurons.

    coef_intercept_ : ndarray of shape (n_active_neurons,)
        Intercepts of the hidden neurons.

    out_coef_ : ndarray of shape (n_active_neurons, n_outputs)
        Weights of the second layer.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts of the outputs.

    neuron_gates_ : ndarray of shape (n_active_neurons,)
        The column of `gates_` of each neuron.

    objective_ : float
        The regularised loss, of scaled columns.

    lower_bound_ : float
        The dual objective: no point of the sampled convex program has a smaller objective.

    gap_ : float
        (`objective_` - `lower_bound_`) / `objective_`.

    max_violation_ : float
        The largest violation of a cone constraint, relative to the norms of row and neuron: rounding.

    pattern_violation_ : float
        The largest dual constraint of any pattern that a search found, over the largest one of the sample (`alpha` at
        the optimum, and never less). Above 1 a pattern is missing, as far as `gap_` tells: at a gap of zero it is
        proof, and where `alpha` is small a smaller `tol` makes it reliable. At most 1 it proves nothing.

    alpha_max_ : float
        The least `alpha` at which the model over the patterns drawn is empty.

    n_active_neurons_ : int
        Number of neurons.

    n_iter_ : int
        Newton and interior-point steps and FISTA iterations.

    converged_ : bool
        Whether `gap_` is at most `tol`.

    history_ : list of dict
        Objective, bound, gap, steps, patterns and seconds at each look at all patterns.

    target_scale_ : ndarray of shape (n_outputs,)
        What targets were divided by.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    ConvexReLUClassifier : With an alpha that is given.
    ConvexReLURegressorCV : The same for numbers.
    sklearn.neural_network.MLPClassifier : The same kind of network, trained by gradients.

    Notes
    -----
    With patterns :math:`D_i = \mathrm{diag}(1\{X g_i > 0\})` of the gates :math:`g_i` the fit solves

    .. math:: \min_{v, u, b} \; F\Big(\sum_i D_i X (v_i - u_i) + b\Big) + \alpha \sum_i (\|v_i\| + \|u_i\|)
       \quad\text{subject to}\quad (2 D_i - I) X v_i \ge 0, \; (2 D_i - I) X u_i \ge 0

    for "relu", and without constraints, with one :math:`w_i` for :math:`v_i - u_i`, for "gated_relu". F is the mean of
    the log loss (softmax for more classes), or of half the squared error. The optimum is the network with weights
    :math:`v / \sqrt{\|v\|}` and output weights :math:`\pm\sqrt{\|v\|}`, and its value is F plus :math:`\alpha / 2`
    times the sum of all squared weights. It can be computed from predictions: `objective_` = mean log loss of the
    predictions + `alpha` * sum of the norms of the neurons, in scaled columns.

    `lower_bound_` is the value of a feasible point of the dual problem: the optimum of the convex program over the
    patterns of `gates_` is not below it. It says nothing of other patterns, and so nothing of the best of all networks;
    `pattern_violation_` above 1 shows that a pattern is missing. Column generation (`n_refine`) adds patterns that a
    search finds: violators of the dual constraint, by exact maximisation along great circles, taken to a local minimum
    of the network by L-BFGS.

    Cost: a look at all patterns is O(n p P / 8) additions on packed bits, for n rows, p features and P patterns; there
    are less than ten of them as a rule. Between two looks the active patterns S and some violators are solved for:
    Newton's method takes O(n S^2 p^2 / 32) once (for each step with the log loss) and O(S^3 p^3), FISTA O(n S p) an
    iteration, and block descent the same a sweep, whichever is less. For "relu" every neuron is projected onto its cone
    exactly, O(n p) where the last projection helps; where first-order methods do not end soon, some twenty
    interior-point steps of O(n^2 S p) each do, n being the rows times the outputs. Memory: n P / 8 bytes of patterns,
    at most 72 MB for a Gram matrix, and at most some 300 MB for interior-point steps. BLAS uses one thread, so that the
    model does not depend on their number.

    Every fold costs a path of `alphas` models, each of which starts from the one before; its program keeps the patterns
    that were generated on the way. The last fit follows the path down to the chosen alpha.

    **Differences from the paper.** The paper keeps ReLU neurons near their cones by an augmented Lagrangian and ends it
    by the size of a gradient; here they are projected, so that every iterate is feasible (`max_violation_` is rounding)
    and the duality gap decides. Equal rows are merged, the log loss, row weights, an intercept of the outputs that is
    not penalised and column generation are added. F is a mean over rows and a sum over outputs (the authors' code
    divides by the outputs, too). Each output has its own neurons, as in the authors' code; with the multinomial log
    loss, neurons that column generation adds serve all outputs, like the units of a usual network. Columns are
    standardised by default, and `alpha` measures weights after that.

    References
    ----------
    .. [1] A. Mishkin, A. Sahiner, M. Pilanci, "Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model
       Classes and Cone Decompositions", ICML 2022. https://arxiv.org/abs/2202.01331.
       Official code: https://github.com/pilancilab/scnn

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
        **_ClassifierMixin._constraints,
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

    def _judged_by(self, y: Any, weight: Any) -> Any:
        """Return the weights times those of the classes: what is not to count in a fit is not to choose alpha."""
        if self.class_weight is None:
            return None
        classes, codes = np.unique(np.asarray(y).ravel(), return_inverse=True)
        return weigh_classes(self.class_weight, classes, codes, weight)

    def _scored_classes(self, y: Any) -> NDArray | None:
        return np.unique(np.asarray(y)) if self.scoring is None and self.loss == "log_loss" else None

    def _default_scoring(self) -> str:
        return "neg_log_loss" if self.loss == "log_loss" else "accuracy"


class ConvexReLURegressorCV(_RegressorMixin, BaseConvexReLUCV):
    r"""Two-layer ReLU network for numbers by convex optimisation, its regularisation chosen by cross-validation.

    Every fold follows the whole path of alpha, each model starting from the one before. Use it where
    :class:`ConvexReLURegressor` would need a search over `alpha`.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        "gated_relu" fixes the hyperplane that switches each neuron: faster, and another kind of network.

    alphas : int or array-like of shape (n_alphas,), default=10
        Values of alpha to choose from; an int is their number on a geometric grid that ends at `eps` times the least
        alpha of which the model is empty.

    eps : float, default=0.001
        Length of the grid: its smallest alpha over its largest.

    loss : {"squared_error"}, default="squared_error"
        The loss.

    n_gates : int, default=500
        Number of random gates; those with equal patterns count once.

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        "random" draws normal gates for scaled columns. An array holds one gate a column for the columns as they are;
        its last row, if it has one more, are intercepts.

    n_refine : int, default=1
        Most rounds of column generation, for "relu"; 0 keeps the sample as it is, like the paper. Rounds after the
        fifth search harder and harder. Programs before the last one are solved roughly. It ends when searches find no
        missing pattern, or half of `max_iter` is spent. The gates of "gated_relu" are given, so that it has no such
        rounds.

    fit_intercept : bool, default=True
        Whether hidden neurons have intercepts, which are penalised like their other weights. If True,
        columns that are constant in training have weight 0; if False, they act as intercepts.

    output_intercept : bool, default=True
        Whether outputs have intercepts; these are not penalised.

    standardize : bool, default=True
        Whether columns and targets are scaled to unit variance inside, and centred where intercepts make up for it.
        Fitted weights are for columns as they came.

    solver : {"auto", "newton", "fista", "interior_point", "cvxpy"}, default="auto"
        "auto" chooses between the others by their cost, and takes block descent with Newton steps for "relu" where the
        outputs are problems of their own, in place of "fista". "newton" factors Gram matrices; "fista" takes Newton
        steps, too, by conjugate gradients, for gated networks and the squared error; "interior_point" is for "relu",
        where small values of `alpha` make the others slow, and up to 3000 rows times outputs. "cvxpy" hands the program
        to Clarabel, an independent interior-point solver: slow, for checks, and with `n_refine=0` only.

    max_iter : int, default=20000
        Most Newton and interior-point steps and FISTA iterations, together.

    tol : float, default=0.001
        The fit ends where `gap_`, the relative duality gap, is at most this.

    time_limit : float or None, default=None
        Seconds for the whole of `fit`. The folds and the last fit get equal parts of it (folds of parallel workers run
        at the same time), each alpha of a fold an equal share of what is left to the fold, so that every alpha is
        scored: with the best network found in its time. One look at all patterns and one short search for missing ones
        come on top for each. None means no limit. "cvxpy" knows no limit.

    cv : int, cross-validation generator or iterable, default=None
        How folds are made; None means 5 folds. Give `TimeSeriesSplit` for rows in the order of time.

    scoring : str, callable or None, default=None
        What is best on held-out rows; None means R².

    random_state : int, RandomState instance or None, default=None
        Draws gates and the starts of searches. Give an int for equal results in every call.

    n_jobs : int or None, default=None
        Worker processes for the folds; None means 1, -1 all cores. The result is the same for any number.

    verbose : int, default=0
        1 prints objective, bound and gap of the last fit, after each look at all patterns.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen.

    alphas_ : ndarray of shape (n_alphas,)
        The values of alpha, in descending order.

    cv_results_ : dict
        `mean_test_score`, `std_test_score`, and `split{i}_test_score` of every alpha.

    best_score_ : float
        The mean score of `alpha_`.

    gates_ : ndarray of shape (n_features [+ 1], P)
        The gates of the program's patterns, a last row of intercepts with `fit_intercept`; those that column generation
        added stand at the end.

    coef_ : ndarray of shape (n_features, n_active_neurons)
        Weights of the hidden neurons.

    coef_intercept_ : ndarray of shape (n_active_neurons,)
        Intercepts of the hidden neurons.

    out_coef_ : ndarray of shape (n_active_neurons, n_outputs)
        Weights of the second layer.

    intercept_ : ndarray of shape (n_outputs,)
        Intercepts of the outputs.

    neuron_gates_ : ndarray of shape (n_active_neurons,)
        The column of `gates_` of each neuron.

    objective_ : float
        The regularised loss, of scaled columns.

    lower_bound_ : float
        The dual objective: no point of the sampled convex program has a smaller objective.

    gap_ : float
        (`objective_` - `lower_bound_`) / `objective_`.

    max_violation_ : float
        The largest violation of a cone constraint, relative to the norms of row and neuron: rounding.

    pattern_violation_ : float
        The largest dual constraint of any pattern that a search found, over the largest one of the sample (`alpha` at
        the optimum, and never less). Above 1 a pattern is missing, as far as `gap_` tells: at a gap of zero it is
        proof, and where `alpha` is small a smaller `tol` makes it reliable. At most 1 it proves nothing.

    alpha_max_ : float
        The least `alpha` at which the model over the patterns drawn is empty.

    n_active_neurons_ : int
        Number of neurons.

    n_iter_ : int
        Newton and interior-point steps and FISTA iterations.

    converged_ : bool
        Whether `gap_` is at most `tol`.

    history_ : list of dict
        Objective, bound, gap, steps, patterns and seconds at each look at all patterns.

    target_scale_ : ndarray of shape (n_outputs,)
        What targets were divided by.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    ConvexReLURegressor : With an alpha that is given.
    ConvexReLUClassifierCV : The same for classes.
    sklearn.neural_network.MLPRegressor : The same kind of network, trained by gradients.

    Notes
    -----
    With patterns :math:`D_i = \mathrm{diag}(1\{X g_i > 0\})` of the gates :math:`g_i` the fit solves

    .. math:: \min_{v, u, b} \; F\Big(\sum_i D_i X (v_i - u_i) + b\Big) + \alpha \sum_i (\|v_i\| + \|u_i\|)
       \quad\text{subject to}\quad (2 D_i - I) X v_i \ge 0, \; (2 D_i - I) X u_i \ge 0

    for "relu", and without constraints, with one :math:`w_i` for :math:`v_i - u_i`, for "gated_relu". F is the mean of
    half the squared error, summed over outputs. The optimum is the network with weights :math:`v / \sqrt{\|v\|}` and
    output weights :math:`\pm\sqrt{\|v\|}`, and its value is F plus :math:`\alpha / 2` times the sum of all squared
    weights. It can be computed from predictions: `objective_` = mean((y - prediction)**2 / `target_scale_`**2) / 2,
    summed over outputs, + `alpha` * sum of the norms of the neurons, in scaled columns.

    `lower_bound_` is the value of a feasible point of the dual problem: the optimum of the convex program over the
    patterns of `gates_` is not below it. It says nothing of other patterns, and so nothing of the best of all networks;
    `pattern_violation_` above 1 shows that a pattern is missing. Column generation (`n_refine`) adds patterns that a
    search finds: violators of the dual constraint, by exact maximisation along great circles, taken to a local minimum
    of the network by L-BFGS.

    Cost: a look at all patterns is O(n p P / 8) additions on packed bits, for n rows, p features and P patterns; there
    are less than ten of them as a rule. Between two looks the active patterns S and some violators are solved for:
    Newton's method takes O(n S^2 p^2 / 32) once (for each step with the log loss) and O(S^3 p^3), FISTA O(n S p) an
    iteration, and block descent the same a sweep, whichever is less. For "relu" every neuron is projected onto its cone
    exactly, O(n p) where the last projection helps; where first-order methods do not end soon, some twenty
    interior-point steps of O(n^2 S p) each do, n being the rows times the outputs. Memory: n P / 8 bytes of patterns,
    at most 72 MB for a Gram matrix, and at most some 300 MB for interior-point steps. BLAS uses one thread, so that the
    model does not depend on their number.

    Every fold costs a path of `alphas` models, each of which starts from the one before; its program keeps the patterns
    that were generated on the way. The last fit follows the path down to the chosen alpha.

    **Differences from the paper.** The paper keeps ReLU neurons near their cones by an augmented Lagrangian and ends it
    by the size of a gradient; here they are projected, so that every iterate is feasible (`max_violation_` is rounding)
    and the duality gap decides. Equal rows are merged, the log loss, row weights, an intercept of the outputs that is
    not penalised and column generation are added. F is a mean over rows and a sum over outputs (the authors' code
    divides by the outputs, too). Each output has its own neurons, as in the authors' code. Columns and targets are
    standardised by default, and `alpha` measures weights after that.

    References
    ----------
    .. [1] A. Mishkin, A. Sahiner, M. Pilanci, "Fast Convex Optimization for Two-Layer ReLU Networks: Equivalent Model
       Classes and Cone Decompositions", ICML 2022. https://arxiv.org/abs/2202.01331.
       Official code: https://github.com/pilancilab/scnn

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
        **_RegressorMixin._constraints,
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
