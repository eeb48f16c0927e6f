"""Estimators around `_convex_relu`: networks with one hidden layer, trained to a certified optimum of a convex
program."""

import warnings
from numbers import Integral, Real
from threading import Lock
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data
from threadpoolctl import ThreadpoolController

from skpapers._callbacks import begin_fit, end_fit, report_step
from skpapers._labels import check_labels
from skpapers._validation import Interval, StrOptions, check_sample_weight, fit_context
from skpapers._weights import weigh_classes
from skpapers.base import DocLinkMixin
from skpapers.convex import _convex_relu as programs
from skpapers.convex._clock import ENDLESS, Clock
from skpapers.convex._convex_relu_cvxpy import solve_with_cvxpy
from skpapers.convex._convex_relu_data import (
    Data,
    Network,
    centred,
    from_raw,
    network,
    of_all_columns,
    of_columns_kept,
    prepare,
    restart,
    sample_program,
    to_raw,
)
from skpapers.convex._duality import Certificate
from skpapers.convex._export import cone_decomposition, fill_mlp, gated_to_torch, steep_gates, to_torch
from skpapers.convex._program import Point, Program
from skpapers.convex._row_products import network_outputs

Array = NDArray[np.float64]


class _OneThread:
    """Lets BLAS use one thread: the matrices are small, and sums in another order lead to another model.

    The limit is one of the whole process: the first fit that runs sets it, and the last one takes it back.
    """

    def __init__(self) -> None:
        self.lock, self.fits = Lock(), 0
        self.pools: ThreadpoolController | None = None

    def __enter__(self) -> None:
        with self.lock:
            if self.pools is None:  # looks through all libraries of the process, which takes milliseconds
                self.pools = ThreadpoolController()
            if not self.fits:
                self.limit = self.pools.limit(limits=1, user_api="blas")
            self.fits += 1

    def __exit__(self, *_: Any) -> None:
        with self.lock:
            self.fits -= 1
            if not self.fits:
                self.limit.restore_original_limits()


one_thread = _OneThread()


class Progress:
    """Keeps what the solver reports, prints it, and passes it on to the callbacks as steps."""

    def __init__(self, estimator: Any, context: Any) -> None:
        self.estimator, self.context = estimator, context
        self.start, self.history = perf_counter(), []  # type: tuple[float, list[dict[str, float]]]

    def __call__(self, certificate: Certificate, n_iter: int, n_patterns: int) -> None:
        facts = {
            "objective": certificate.objective,
            "lower_bound": certificate.lower_bound,
            "gap": certificate.gap,
            "n_iter": n_iter,
            "n_patterns": n_patterns,
            "seconds": perf_counter() - self.start,
        }
        self.history.append(facts)
        if self.estimator.verbose:
            print(
                f"[{type(self.estimator).__name__}] {facts['seconds']:.2f} s: objective {certificate.objective:.6g}, "
                f"bound {certificate.lower_bound:.6g}, gap {certificate.gap:.2e}, {n_patterns} patterns"
            )
        if self.context is not None:
            with report_step(self.estimator, self.context, "round", facts):
                pass


class BaseConvexReLU(DocLinkMixin, CallbackSupportMixin, BaseEstimator):
    """What the classifier and the regressor share."""

    _parameter_constraints: ClassVar[dict] = {
        "activation": [StrOptions({"relu", "gated_relu"})],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "n_gates": [Interval(Integral, 1, None, closed="left")],
        "gates": [StrOptions({"random"}), "array-like"],
        "n_refine": [Interval(Integral, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "output_intercept": ["boolean"],
        "standardize": ["boolean"],
        "solver": [StrOptions({"auto", "newton", "fista", "interior_point", "cvxpy"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    activation: str
    alpha: float
    loss: str
    n_gates: int
    gates: Any
    n_refine: int
    fit_intercept: bool
    output_intercept: bool
    standardize: bool
    solver: str
    max_iter: int
    tol: float
    time_limit: float | None
    warm_start: bool
    random_state: Any
    verbose: int
    gates_: Array
    coef_: Array
    coef_intercept_: Array
    out_coef_: Array
    intercept_: Array
    neuron_gates_: NDArray[np.intp]
    _center: Array  # predictions are made of rows minus this: far from zero, `coef_intercept_` has lost digits
    _centred_intercept: Array
    _steep_gates: Array | None

    _scales_targets: ClassVar[bool]

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Array, Array, Array | None, str, dict]:
        """Return X, the target as the loss takes it, weights, the name of the loss, and further fitted attributes."""
        raise NotImplementedError

    def _prepare(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Data, str, dict]:
        X, Y, weight, loss, told = self._read(blank, X, y, sample_weight)
        data = prepare(
            X,
            Y,
            weight,
            intercept=self.fit_intercept,
            standardize=self.standardize,
            centre_y=self._scales_targets and self.output_intercept,
            scale_y=self._scales_targets,
        )
        return data, loss, told

    def _gates(self, data: Data, random_state: np.random.RandomState) -> Array:
        """Return the gates for rows as they came, with a last row of intercepts where hidden neurons have them."""
        d, with_intercept = len(data.kept), data.hidden_intercept
        if isinstance(self.gates, str):
            drawn = random_state.standard_normal((self.n_gates, data.X.shape[1])).T
            return to_raw(data, drawn)
        gates = check_array(self.gates, dtype=np.float64, input_name="gates")
        if gates.shape[0] == d and with_intercept:
            gates = np.vstack([gates, np.zeros(gates.shape[1])])
        if gates.shape[0] != d + with_intercept:
            allowed = f"{d} or {d + 1}" if with_intercept else f"{d}"
            raise ValueError(
                f"gates has {gates.shape[0]} rows, but X has {d} features: gates must have {allowed} rows."
            )
        return of_columns_kept(data, gates)

    def _program(self, data: Data, loss: str, gates: Array) -> tuple[Program, Array]:
        return sample_program(data, gates, loss, relu=self.activation == "relu", intercept=self.output_intercept)

    def _solve(
        self,
        program: Program,
        gates: Array,
        alpha: float,
        state: np.random.RandomState,
        point: Point | None,
        report: Any,
        clock: Clock,
    ) -> tuple[Program, Array, programs.Solution]:
        """Solve the program, with `n_refine` rounds of column generation; gates are those of the scaled rows."""
        if self.solver == "cvxpy":
            return program, gates, self._solve_with_cvxpy(program, alpha, report)
        if self.solver == "interior_point" and self.activation == "gated_relu":
            raise ValueError('solver="interior_point" is for activation="relu" only: take another with "gated_relu".')
        options = {"tol": self.tol, "max_iter": self.max_iter, "solver": self.solver, "point": point, "report": report}
        options["clock"] = clock
        if self.activation == "gated_relu" or not self.n_refine:
            return program, gates, programs.solve(program, alpha, **options)
        return programs.refine(program, alpha, gates, state, rounds=self.n_refine, **options)

    def _solve_with_cvxpy(self, program: Program, alpha: float, report: Any) -> programs.Solution:
        """Take the reference solver's neurons, onto the cones, and certify them by our own means."""
        if self.activation == "relu" and self.n_refine:
            raise ValueError(f'solver="cvxpy" solves a given sample: n_refine must be 0, got {self.n_refine}.')
        W, b, _ = solve_with_cvxpy(program, alpha, tol=min(1e-8, self.tol))
        return programs.adopt(program, alpha, W, b, self.tol, report)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Solve the convex program of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; several outputs for regression only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. A weight of 2 equals a repeated row, a weight of 0 a row left out.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If `gates` has another number of rows than X has columns, or no gate is positive on any row.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` or `time_limit` ended the fit before the gap came down to `tol`; the warning says what it is.
        """
        clock = Clock(self.time_limit)
        blank = type(self).__new__(type(self))  # an error further down must leave self alone
        with one_thread:
            data, loss, told = self._prepare(blank, X, y, sample_weight)
            state = check_random_state(self.random_state)
            warm = self._warm(data)
            gates = self._gates(data, state) if warm is None else warm[0]
            program, gates = self._program(data, loss, gates)
            context = begin_fit(self, None, X, y)
            progress = Progress(self, context)
            most = programs.alpha_max(program)
            point = None
            if warm is not None:  # on other rows some patterns may have become equal: neurons have lost their places
                program, gates, point = restart(data, program, gates, warm[1], gates.shape == warm[0].shape)
            program, gates, solution = self._extend(data, program, gates, self.alpha, state, point, progress, clock)
            fitted = self._fitted(data, program, gates, solution, self.alpha, state, most)
        fitted |= vars(blank) | told | {"history_": progress.history}
        self._warn(fitted)
        end_fit(self, context, X, y, lambda: fitted)
        self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(fitted)
        return self

    def _extend(
        self,
        data: Data,
        program: Program,
        gates: Array,
        alpha: float,
        state: np.random.RandomState,
        point: Point | None,
        report: Any,
        clock: Clock = ENDLESS,
    ) -> tuple[Program, Array, programs.Solution]:
        """Solve the program; gates come and go as those of rows as they came."""
        n_given = gates.shape[1]
        program, scaled, solution = self._solve(program, from_raw(data, gates), alpha, state, point, report, clock)
        # the gates that were given stay as they are, to the last bit
        return program, np.hstack([gates, to_raw(data, scaled[:, n_given:])]), solution

    def _fitted(
        self,
        data: Data,
        program: Program,
        gates: Array,
        solution: programs.Solution,
        alpha: float,
        state: np.random.RandomState,
        alpha_max: float,
    ) -> dict[str, Any]:
        """Return the fitted attributes that a solution makes."""
        found = network(data, program, solution.point)
        V = np.vstack([found.coef, found.centred_intercept])
        steep = None
        if self.activation == "gated_relu":
            of_neurons = centred(gates[:, found.pattern], data.mean)
            steep = of_all_columns(data, steep_gates(data.raw - data.mean, V, of_neurons))
        center = np.zeros(len(data.kept))
        center[data.kept] = data.mean
        return {
            "_center": center,
            "_centred_intercept": found.centred_intercept,
            "_steep_gates": steep,  # of centred rows
            "gates_": of_all_columns(data, gates),
            "coef_": of_all_columns(data, V)[:-1],
            "coef_intercept_": found.coef_intercept,
            "out_coef_": found.out_coef,
            "intercept_": found.intercept,
            "neuron_gates_": found.pattern,
            "objective_": solution.certificate.objective,
            "lower_bound_": solution.certificate.lower_bound,
            "gap_": solution.certificate.gap,
            "max_violation_": solution.violation,
            "pattern_violation_": programs.pattern_violation(
                program, solution.point, max(alpha, solution.supremum), state
            ),
            "alpha_max_": alpha_max,
            "n_active_neurons_": found.coef.shape[1],
            "n_iter_": max(1, solution.n_iter),
            "converged_": solution.converged,
            "target_scale_": data.y_scale,
        }

    def _warn(self, fitted: dict[str, Any]) -> None:
        if not fitted["converged_"]:
            timed = self.time_limit is not None and fitted["n_iter_"] < self.max_iter
            limit = f"time_limit={self.time_limit:g} s" if timed else f"max_iter={self.max_iter}"
            warnings.warn(
                f"{type(self).__name__}: {limit} ended the fit at a relative duality gap of "
                f"{fitted['gap_']:.2e}, above tol={self.tol:g}.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _warm(self, data: Data) -> tuple[Array, Network] | None:
        """Return the gates and the network of the last fit, where the next one can start from them."""
        if not self.warm_start or not hasattr(self, "gates_"):
            return None
        before = (*self.coef_.shape[:1], *self.gates_.shape[:1], *self.out_coef_.shape[1:])
        if before != (len(data.kept), len(data.kept) + data.hidden_intercept, len(data.y_scale)):
            return None
        V = of_columns_kept(data, np.vstack([self.coef_, self.coef_intercept_]))
        of_centred = centred(V, data.mean)[-1]
        found = Network(V[:-1], V[-1], self.out_coef_, self.intercept_, self.neuron_gates_, of_centred)
        return of_columns_kept(data, self.gates_), found

    def _scores(self, X: Any) -> Array:
        """Return the outputs of the network, of shape (n, c)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        gates = self._gates_of_neurons()
        return network_outputs(
            X, self._center, self.coef_, self._centred_intercept, gates, self.out_coef_, self.intercept_
        )

    def _gates_of_neurons(self) -> Array | None:
        """Return the gates of neurons for centred rows; None if the fit made a ReLU network."""
        if self._steep_gates is None:  # as it was fitted, whatever `activation` is now
            return None
        return centred(self.gates_[:, self.neuron_gates_], self._center)

    def to_torch(self) -> Any:
        """Return the network as a torch module in float64; a classifier's gives scores, not probabilities.

        Returns
        -------
        module : torch.nn.Module
            `Sequential(Linear, ReLU, Linear)`, or a module of gated neurons.
        """
        check_is_fitted(self)
        gates = self._gates_of_neurons()
        if gates is None:
            return to_torch(self.coef_, self.coef_intercept_, self.out_coef_, self.intercept_)
        return gated_to_torch(self.coef_, self._centred_intercept, self.out_coef_, self.intercept_, gates, self._center)

    def to_relu(self) -> Any:
        """Return a ReLU network for a gated one: the cone decomposition of the paper in closed form.

        A gated neuron is not continuous, and no ReLU network equals it everywhere. Two ReLU neurons equal it outside a
        slab around the hyperplane of its gate, made so thin that it holds no training row; where training rows lie on
        the hyperplane itself, it moves a hundredth of the way to the next one. The norms of the weights grow with it:
        the decomposition keeps predictions, not the regularised objective. Where that matters, fit `activation="relu"`.

        Returns
        -------
        estimator : estimator object
            Of the same class, with `activation="relu"`; `lower_bound_` and `gap_` are NaN. A ReLU model returns itself.
        """
        check_is_fitted(self)
        if self._steep_gates is None:
            return self
        new = type(self)(**{**self.get_params(), "activation": "relu"})
        new.__dict__.update({key: value for key, value in vars(self).items() if key not in new.get_params()})
        V = np.vstack([self.coef_, self._centred_intercept])
        W, new.out_coef_ = cone_decomposition(V, self._steep_gates, self.out_coef_)
        new.coef_ = W[:-1]
        new._centred_intercept = W[-1]
        new.coef_intercept_ = W[-1] - self._center @ W[:-1]
        new.neuron_gates_, new._steep_gates = np.tile(self.neuron_gates_, 2), None
        new.lower_bound_ = new.gap_ = new.objective_ = float("nan")
        new.n_active_neurons_ = W.shape[1]
        return new


class _ClassifierMixin(ClassifierMixin):
    """Labels as targets of -1 and 1, or of 0 and 1, and predictions from scores."""

    _constraints: ClassVar[dict] = {
        "loss": [StrOptions({"log_loss", "squared_error"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _scales_targets = False

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Array, Array, Array | None, str, dict]:
        X, y = validate_data(blank, X, check_labels(y), dtype=np.float64, order="C")
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        weight = check_sample_weight(sample_weight, X)
        kept = slice(None) if weight is None else weight > 0
        classes, codes = np.unique(y[kept], return_inverse=True)
        X = X[kept]
        weight = None if weight is None else weight[kept]
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, got 1 class: {classes.tolist()[0]!r}."
            )
        weight = weigh_classes(self.class_weight, classes, codes, weight)
        if self.loss == "log_loss" and len(classes) == 2:
            Y, loss = codes[:, np.newaxis].astype(np.float64), "log_loss"
        elif self.loss == "log_loss":
            Y, loss = np.eye(len(classes))[codes], "multinomial"
        else:
            Y = 2.0 * (codes[:, np.newaxis] == (np.arange(len(classes)) if len(classes) > 2 else 1)) - 1.0
            loss = "squared_error"
        return X, Y, weight, loss, {"classes_": classes}

    def decision_function(self, X: Any) -> Array:
        """Return the outputs of the network: log-odds for the log loss, up to a constant for more than two classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        score : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores; for two classes that of the second.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray:
        """Predict the class of the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted labels.
        """
        scores = self._scores(X)
        codes = (scores[:, 0] > 0).astype(int) if len(self.classes_) == 2 else scores.argmax(axis=1)
        return self.classes_[codes]

    @available_if(lambda self: self.loss == "log_loss")
    def predict_proba(self, X: Any) -> Array:
        """Predict class probabilities; there are none with `loss="squared_error"`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        """
        scores = self._scores(X)
        if len(self.classes_) > 2:
            return softmax(scores, axis=1)
        return np.hstack([expit(-scores), expit(scores)])

    def to_sklearn_mlp(self) -> MLPClassifier:
        """Return a fitted classifier of scikit-learn that predicts the same; of a gated network by its `to_relu`.

        Returns
        -------
        mlp : MLPClassifier
        """
        check_is_fitted(self)
        model = self.to_relu()
        mlp = MLPClassifier(hidden_layer_sizes=(max(1, model.coef_.shape[1]),), activation="relu", random_state=0)
        mlp.partial_fit(np.zeros((len(self.classes_), self.n_features_in_)), self.classes_, classes=self.classes_)
        return fill_mlp(mlp, model)


class _RegressorMixin(RegressorMixin):
    """Numbers as targets, one column or several."""

    _constraints: ClassVar[dict] = {"loss": [StrOptions({"squared_error"})]}
    _scales_targets = True

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Array, Array, Array | None, str, dict]:
        X, y = validate_data(blank, X, y, dtype=np.float64, order="C", multi_output=True, y_numeric=True)
        weight = check_sample_weight(sample_weight, X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        Y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        return X, Y, weight, "squared_error", {"_one_target": y.ndim == 1}

    def predict(self, X: Any) -> Array:
        """Predict the outputs of the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        scores = self._scores(X)
        return scores[:, 0] if self._one_target else scores

    def to_sklearn_mlp(self) -> MLPRegressor:
        """Return a fitted regressor of scikit-learn that predicts the same; of a gated network by its `to_relu`.

        Returns
        -------
        mlp : MLPRegressor
        """
        check_is_fitted(self)
        model = self.to_relu()
        mlp = MLPRegressor(hidden_layer_sizes=(max(1, model.coef_.shape[1]),), activation="relu", random_state=0)
        c = len(self.intercept_)
        mlp.partial_fit(np.zeros((2, self.n_features_in_)), np.zeros((2, c)) if c > 1 else np.zeros(2))
        return fill_mlp(mlp, model)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class ConvexReLUClassifier(_ClassifierMixin, BaseConvexReLU):
    r"""Two-layer ReLU network for classes, trained to the certified optimum of a convex program.

    Training has no learning rate and no restarts, two fits from one seed agree to the last bit, and a bound says how
    far the objective is from the optimum over the sampled activation patterns. Use it for small and middling tables
    where a network is wanted that can be reproduced.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        "gated_relu" fixes the hyperplane that switches each neuron: faster, and another kind of network.

    alpha : float, default=0.01
        Strength of the regularisation, above 0 (lambda in the paper): `alpha` times the sum of the norms of the neurons
        in the convex program, which is weight decay of `alpha` / 2 on both layers of the network.

    loss : {"log_loss", "squared_error"}, default="log_loss"
        "squared_error" fits targets of -1 and 1, one output a class where there are more than two, as the paper does;
        it has no probabilities.

    n_gates : int, default=500
        Number of random gates; those with equal patterns count once.

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        "random" draws normal gates for scaled columns. An array holds one gate a column for the columns as they are;
        its last row, if it has one more, are intercepts.

    n_refine : int, default=5
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
        Seconds after which the fit ends with the best network and the bound found so far. The solver finishes the step
        it is in, checks all patterns once and searches briefly for missing ones, which may exceed the limit. None
        means no limit. `solver="cvxpy"` ignores it.

    warm_start : bool, default=False
        Whether to start from the gates and neurons of the last fit, where it had as many columns and outputs; `gates`
        and `n_gates` count for nothing then.

    random_state : int, RandomState instance or None, default=None
        Draws gates and the starts of searches. Give an int for equal results in every call.

    verbose : int, default=0
        1 prints objective, bound and gap after each look at all patterns.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied by `sample_weight`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

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
    ConvexReLUClassifierCV : Chooses alpha by cross-validation.
    ConvexReLURegressor : The same for numbers.
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
    >>> from skpapers.convex import ConvexReLUClassifier
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True)
    >>> model = ConvexReLUClassifier(alpha=0.03, n_gates=100, n_refine=1, random_state=0).fit(X, y)
    >>> model.converged_
    True
    >>> model.gap_ <= 0.001
    True
    >>> print(f"{model.score(X, y):.1f}")
    0.9
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLU._parameter_constraints,
        **_ClassifierMixin._constraints,
    }

    def __init__(
        self,
        activation: str = "relu",
        alpha: float = 0.01,
        *,
        loss: str = "log_loss",
        n_gates: int = 500,
        gates: Any = "random",
        n_refine: int = 5,
        fit_intercept: bool = True,
        output_intercept: bool = True,
        standardize: bool = True,
        solver: str = "auto",
        max_iter: int = 20000,
        tol: float = 0.001,
        time_limit: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        class_weight: Any = None,
    ) -> None:
        self.activation = activation
        self.alpha = alpha
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
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.class_weight = class_weight


class ConvexReLURegressor(_RegressorMixin, BaseConvexReLU):
    r"""Two-layer ReLU network for numbers, trained to the certified optimum of a convex program.

    Training has no learning rate and no restarts, two fits from one seed agree to the last bit, and a bound says how
    far the objective is from the optimum over the sampled activation patterns. Use it for small and middling tables
    where a network is wanted that can be reproduced.

    Parameters
    ----------
    activation : {"relu", "gated_relu"}, default="relu"
        "gated_relu" fixes the hyperplane that switches each neuron: faster, and another kind of network.

    alpha : float, default=0.01
        Strength of the regularisation, above 0 (lambda in the paper): `alpha` times the sum of the norms of the neurons
        in the convex program, which is weight decay of `alpha` / 2 on both layers of the network.

    loss : {"squared_error"}, default="squared_error"
        The loss.

    n_gates : int, default=500
        Number of random gates; those with equal patterns count once.

    gates : "random" or array-like of shape (n_features, P) or (n_features + 1, P), default="random"
        "random" draws normal gates for scaled columns. An array holds one gate a column for the columns as they are;
        its last row, if it has one more, are intercepts.

    n_refine : int, default=5
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
        Seconds after which the fit ends with the best network and the bound found so far. The solver finishes the step
        it is in, checks all patterns once and searches briefly for missing ones, which may exceed the limit. None
        means no limit. `solver="cvxpy"` ignores it.

    warm_start : bool, default=False
        Whether to start from the gates and neurons of the last fit, where it had as many columns and outputs; `gates`
        and `n_gates` count for nothing then.

    random_state : int, RandomState instance or None, default=None
        Draws gates and the starts of searches. Give an int for equal results in every call.

    verbose : int, default=0
        1 prints objective, bound and gap after each look at all patterns.

    Attributes
    ----------
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
    ConvexReLURegressorCV : Chooses alpha by cross-validation.
    ConvexReLUClassifier : The same for classes.
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
    >>> from skpapers.convex import ConvexReLURegressor
    >>> from skpapers.datasets import load_concrete
    >>> X, y = load_concrete(return_X_y=True)
    >>> model = ConvexReLURegressor(alpha=0.03, n_gates=100, n_refine=1, random_state=0).fit(X, y)
    >>> model.converged_
    True
    >>> model.gap_ <= 0.001
    True
    >>> print(f"{model.score(X, y):.1f}")
    0.8
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseConvexReLU._parameter_constraints,
        **_RegressorMixin._constraints,
    }

    def __init__(
        self,
        activation: str = "relu",
        alpha: float = 0.01,
        *,
        loss: str = "squared_error",
        n_gates: int = 500,
        gates: Any = "random",
        n_refine: int = 5,
        fit_intercept: bool = True,
        output_intercept: bool = True,
        standardize: bool = True,
        solver: str = "auto",
        max_iter: int = 20000,
        tol: float = 0.001,
        time_limit: float | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.activation = activation
        self.alpha = alpha
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
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
