"""What the estimators of convex networks share: the fit of one program, predictions, and exports."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skpapers._fitting import Fitting
from skpapers._validation import Interval, StrOptions, fit_context
from skpapers.base import DocLinkMixin
from skpapers.convex import _convex_relu as programs
from skpapers.convex._clock import Clock
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
from skpapers.convex._convex_relu_search import Progress, Search, TrainingSet
from skpapers.convex._export import cone_decomposition, gated_to_torch, steep_gates, to_torch
from skpapers.convex._one_thread import one_thread
from skpapers.convex._row_products import network_outputs
from skpapers.convex._sampled_program import Solution, adopt, solve

Array = NDArray[np.float64]


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
    objective_: float
    lower_bound_: float
    gap_: float
    converged_: bool
    n_iter_: int
    _center: Array  # predictions are made of rows minus this: far from zero, `coef_intercept_` has lost digits
    _centred_intercept: Array
    _steep_gates: Array | None

    _scales_targets: ClassVar[bool]

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> TrainingSet:
        """Return the validated rows; the blank gets the fitted attributes that follow from them."""
        raise NotImplementedError

    def _start(self, blank: Any, X: Any, y: Any, sample_weight: Any) -> Search:
        """Return the program of the rows, with the neurons of the last fit in a warm start."""
        rows = self._read(blank, X, y, sample_weight)
        data = prepare(
            rows.X,
            rows.Y,
            rows.weight,
            intercept=self.fit_intercept,
            standardize=self.standardize,
            centre_y=self._scales_targets and self.output_intercept,
            scale_y=self._scales_targets,
        )
        random_state = check_random_state(self.random_state)
        before = self._last_network(data)
        given = self._gates(data, random_state) if before is None else of_columns_kept(data, self.gates_)
        program, gates = sample_program(
            data, given, rows.loss, relu=self.activation == "relu", intercept=self.output_intercept
        )
        search = Search(data, program, gates, random_state)
        if before is not None:  # on other rows some patterns may have become equal: neurons have lost their places
            same = gates.shape == given.shape
            search.program, search.gates, search.point = restart(data, program, gates, before, same)
        return search

    def _gates(self, data: Data, random_state: np.random.RandomState) -> Array:
        """Return the gates for rows as they came, with a last row of intercepts where hidden neurons have them."""
        d = len(data.kept)
        with_intercept = data.hidden_intercept
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

    def _solve(self, search: Search, alpha: float, tol: float, report: Progress, clock: Clock) -> Solution:
        """Solve the program, with `n_refine` rounds of column generation, which add patterns to it."""
        if self.solver == "cvxpy":
            return self._solve_with_cvxpy(search, alpha, tol, report)
        if self.solver == "interior_point" and self.activation == "gated_relu":
            raise ValueError('solver="interior_point" is for activation="relu" only: take another with "gated_relu".')
        options: dict[str, Any] = {
            "tol": tol,
            "max_iter": self.max_iter,
            "solver": self.solver,
            "point": search.point,
            "report": report,
            "clock": clock,
        }
        if self.activation == "gated_relu" or not self.n_refine:
            solution = solve(search.program, alpha, **options)
        else:
            n_given = search.gates.shape[1]
            search.program, scaled, solution = programs.refine(
                search.program,
                alpha,
                from_raw(search.data, search.gates),
                search.random_state,
                rounds=self.n_refine,
                **options,
            )
            # the gates that were given stay as they are, to the last bit
            search.gates = np.hstack([search.gates, to_raw(search.data, scaled[:, n_given:])])
        search.point = solution.point
        return solution

    def _solve_with_cvxpy(self, search: Search, alpha: float, tol: float, report: Progress) -> Solution:
        """Take the reference solver's neurons, onto the cones, and certify them by our own means."""
        if self.activation == "relu" and self.n_refine:
            raise ValueError(f'solver="cvxpy" solves a given sample: n_refine must be 0, got {self.n_refine}.')
        W, b, _ = solve_with_cvxpy(search.program, alpha, tol=min(1e-8, tol))
        solution = adopt(search.program, alpha, W, b, tol, report)
        search.point = solution.point
        return solution

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
        fitting = Fitting(self)
        with one_thread:
            search = self._start(fitting.blank, X, y, sample_weight)
            fitting.begin(X, y, n_steps=None)
            progress = Progress(fitting)
            solution = self._solve(search, self.alpha, self.tol, progress, clock)
            fitting.blank._store(search, solution)
            fitting.blank._look_outside(search, solution)
        fitting.blank.history_ = progress.history
        fitting.blank._warn_of_gap(stacklevel=5)
        return fitting.publish({})

    def _store(self, search: Search, solution: Solution) -> None:
        """Set the fitted attributes that a solution gives."""
        data = search.data
        found = network(data, search.program, solution.point)
        V = np.vstack([found.coef, found.centred_intercept])
        steep = None
        if self.activation == "gated_relu":
            of_neurons = centred(search.gates[:, found.pattern], data.mean)
            steep = of_all_columns(data, steep_gates(data.raw - data.mean, V, of_neurons))
        self._center = np.zeros(len(data.kept))
        self._center[data.kept] = data.mean
        self._centred_intercept = found.centred_intercept
        self._steep_gates = steep  # of centred rows
        self.gates_ = of_all_columns(data, search.gates)
        self.coef_ = of_all_columns(data, V)[:-1]
        self.coef_intercept_ = found.coef_intercept
        self.out_coef_ = found.out_coef
        self.intercept_ = found.intercept
        self.neuron_gates_ = found.pattern
        self.objective_ = solution.certificate.objective
        self.lower_bound_ = solution.certificate.lower_bound
        self.gap_ = solution.certificate.gap
        self.max_violation_ = solution.violation
        self.alpha_max_ = search.alpha_max
        self.n_active_neurons_ = found.coef.shape[1]
        self.n_iter_ = max(1, solution.n_iter)
        self.converged_ = solution.converged
        self.target_scale_ = data.y_scale

    def _look_outside(self, search: Search, solution: Solution) -> None:
        """Search for a pattern that the program lacks."""
        largest = max(self.alpha, solution.supremum)
        self.pattern_violation_ = programs.pattern_violation(
            search.program, solution.point, largest, search.random_state
        )

    def _warn_of_gap(self, stacklevel: int) -> None:
        if not self.converged_:
            timed = self.time_limit is not None and self.n_iter_ < self.max_iter
            limit = f"time_limit={self.time_limit:g} s" if timed else f"max_iter={self.max_iter}"
            warnings.warn(
                f"{type(self).__name__}: {limit} ended the fit at a relative duality gap of "
                f"{self.gap_:.2e}, above tol={self.tol:g}.",
                ConvergenceWarning,
                stacklevel=stacklevel,
            )

    def _last_network(self, data: Data) -> Network | None:
        """Return the network of the last fit, if `warm_start` is set and the next fit can start from it."""
        if not self.warm_start or not hasattr(self, "gates_"):
            return None
        before = (*self.coef_.shape[:1], *self.gates_.shape[:1], *self.out_coef_.shape[1:])
        if before != (len(data.kept), len(data.kept) + data.hidden_intercept, len(data.y_scale)):
            return None
        V = of_columns_kept(data, np.vstack([self.coef_, self.coef_intercept_]))
        center = np.empty(len(data.kept))
        center[data.kept] = data.mean
        center[~data.kept] = data.constant
        of_centred = self._centred_intercept + (center - self._center) @ self.coef_
        return Network(V[:-1], V[-1], self.out_coef_, self.intercept_, self.neuron_gates_, of_centred)

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
        new.__dict__.update(fitted_attributes(self))
        V = np.vstack([self.coef_, self._centred_intercept])
        W, new.out_coef_ = cone_decomposition(V, self._steep_gates, self.out_coef_)
        new.coef_ = W[:-1]
        new._centred_intercept = W[-1]
        new.coef_intercept_ = W[-1] - self._center @ W[:-1]
        new.neuron_gates_ = np.tile(self.neuron_gates_, 2)
        new._steep_gates = None
        new.objective_ = float("nan")
        new.lower_bound_ = float("nan")
        new.gap_ = float("nan")
        new.n_active_neurons_ = W.shape[1]
        return new


def fitted_attributes(estimator: Any) -> dict[str, Any]:
    """Return all that a fit has set."""
    return Fitting(estimator, resume=True).validated
