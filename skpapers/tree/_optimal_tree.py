"""Base of the two optimal trees: the fit around the solver, and predictions in float64."""

from math import ceil, isnan
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix
from sklearn import get_config
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skpapers._fitting import Fitting
from skpapers._validation import Interval, check_sample_weight, fit_context
from skpapers._warnings import warn_user
from skpapers.base import DocLinkMixin
from skpapers.tree._equal_rows import TrainingRows, merge_equal_rows
from skpapers.tree._quant_bnb import solve
from skpapers.tree._quant_bnb_scale import relative_gap
from skpapers.tree._quant_bnb_solution import Solution
from skpapers.tree._sklearn_tree import build_tree
from skpapers.tree._tree_routing import NodeFacts, importances, paths, route


class Loss(NamedTuple):
    """The loss for the solver. The criterion is its sum over the total weight, times `factor` 2^`exponent`."""

    name: str
    target: NDArray
    factor: float
    exponent: int = 0


class TargetFacts(NamedTuple):
    """What is known of the target: the number of outputs, and the classes of a classifier."""

    n_outputs: int
    classes: NDArray | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for numbers."""
        return 0 if self.classes is None else len(self.classes)

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes."""
        of_classes = {} if self.classes is None else {"classes_": self.classes, "n_classes_": self.n_classes}
        return {"n_outputs_": self.n_outputs, **of_classes}


class Unit(NamedTuple):
    """Value of one of the solver's units. The power of two is kept apart, since float64 may not represent it."""

    factor: float
    exponent: int

    def of(self, cost: float) -> float:
        """Turn a cost of the solver into one of the estimator."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(cost * self.factor, self.exponent))

    def inverse(self, cost: float) -> float:
        """Turn a cost of the estimator into one of the solver."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(cost / self.factor, -self.exponent))


class _Progress:
    """Prints the solver's reports, and passes them on to the callbacks as steps."""

    def __init__(self, fitting: Fitting, unit: Unit) -> None:
        self.fitting = fitting
        self.unit = unit
        self.n_reports = 0
        self.printed = 0.0

    def __call__(self, best: float, bound: float, gap: float, seconds: float) -> None:
        figures = {"objective": self.unit.of(best), "lower_bound": self.unit.of(bound), "gap": gap}
        self.n_reports += 1
        with self.fitting.step("search", self.n_reports, silent=True) as step:
            step.figures = figures | {"seconds": seconds}
        if self.fitting.estimator.verbose > 1 or seconds >= self.printed + 1.0:
            self.printed = seconds
            self.fitting.print("search", figures)


class OptimalTree(DocLinkMixin, CallbackSupportMixin):
    """Base of the two trees. They are decision trees of scikit-learn as well, whose `__init__` is not called."""

    _parameter_constraints: ClassVar[dict] = {
        "max_depth": [Interval(Integral, 1, None, closed="left")],
        "lookahead": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_leaf": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "ccp_alpha": [Interval(Real, 0, None, closed="left")],
        "monotonic_cst": ["array-like", None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    max_depth: int
    lookahead: int | None
    criterion: str
    min_samples_leaf: float
    ccp_alpha: float
    monotonic_cst: ArrayLike | None
    time_limit: float | None
    tol: float
    n_jobs: int | None
    verbose: int
    n_outputs_: int
    tree_: Any
    _importances: NDArray[np.float64]

    def _read_target(self, y: Any) -> tuple[NDArray, TargetFacts]:
        """Return the checked target, as the methods below take it, and what is known of it."""
        raise NotImplementedError

    def _weigh_classes(self, y: NDArray, about: TargetFacts, weight: NDArray | None) -> NDArray | None:
        """Return the row weights times those of the classes."""
        return weight

    def _loss(self, y: NDArray, weight: NDArray | None) -> Loss:
        raise NotImplementedError

    def _describe(
        self, X: NDArray, y: NDArray, target: NDArray, weight: NDArray | None, solution: Solution, about: TargetFacts
    ) -> NodeFacts:
        """Return the facts of the nodes, weights and impurities in the solver's units."""
        raise NotImplementedError

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> Any:
        """Find the optimal tree of the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, dense; NaN is a missing value.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; several outputs for regression only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. A weight of 2 equals a repeated row, but `min_samples_leaf` counts it as one
            row. Rows of weight 0 are ignored.

        check_input : bool, default=True
            False takes an array X without infinity, unchecked.

        Returns
        -------
        self : object
            The fitted estimator. If `fit` raises an error or is interrupted, the estimator does not change.

        Raises
        ------
        ValueError
            If X contains infinity, if weights are negative or all 0, or if `lookahead` exceeds `max_depth`. Also if
            `monotonic_cst` has a length other than `n_features` or a value other than -1, 0 and 1, or is used with
            missing values, several outputs or more than two classes.

        Warns
        -----
        ConvergenceWarning
            If `time_limit` or `tol` ended the search before the optimum was proved.
        """
        if self.lookahead is not None and self.lookahead > self.max_depth:
            raise ValueError(f"lookahead={self.lookahead} must not exceed max_depth={self.max_depth}.")
        fitting = Fitting(self)
        given = (X, y)
        if check_input:
            # y is read once, below: its check costs as much as the search for a small tree
            unread = None if y is None else "no_validation"
            X = validate_data(fitting.blank, X, unread, dtype=np.float64, order="C", ensure_all_finite="allow-nan")
        else:
            X, y = validate_data(fitting.blank, X, y, skip_check_array=True)
            X = np.ascontiguousarray(X, dtype=np.float64)
        y, about = self._read_target(y)
        check_consistent_length(X, y)
        X, y, weight = _without_weightless(X, y, check_sample_weight(sample_weight, X))
        X, y, weight = _without_weightless(X, y, self._weigh_classes(y, about, weight))
        monotonic_cst = self._checked_monotonic_cst(X, about)
        weight, weight_exponent = _in_a_common_unit(weight)
        leaf_rows = self.min_samples_leaf
        leaf_rows = int(leaf_rows if isinstance(leaf_rows, Integral) else ceil(leaf_rows * len(X)))
        training = self._training_rows(X, y, weight, leaf_rows)
        loss = self._loss(training.y, training.weight)
        unit = Unit(loss.factor / training.total, loss.exponent)

        fitting.begin(*given, n_steps=None)
        solution = solve(
            training.X,
            loss.target,
            training.weight,
            loss=loss.name,
            max_depth=int(self.max_depth),
            lookahead=None if self.lookahead == self.max_depth else self.lookahead,
            min_samples_leaf=leaf_rows,
            leaf_cost=unit.inverse(self.ccp_alpha),
            monotonic_cst=monotonic_cst,
            time_limit=self.time_limit,
            tol=self.tol,
            n_jobs=effective_n_jobs(self.n_jobs),
            report=_Progress(fitting, unit) if fitting.is_reported else None,
        )
        certificate = self._certificate(solution, unit)
        facts = self._describe(X, y, training.of_all(loss.target), weight, solution, about)
        shares = importances(X.shape[1], solution, facts)
        with np.errstate(over="ignore", under="ignore"):
            facts = facts._replace(
                weighted_n_node_samples=np.ldexp(facts.weighted_n_node_samples, weight_exponent),
                impurity=np.ldexp(facts.impurity, loss.exponent),
            )
        tree = build_tree(X.shape[1], solution, facts)
        figures = {name: certificate[name + "_"] for name in ("objective", "lower_bound", "gap")}
        fitting.print("optimal" if solution.proved else "ended", figures)
        fitted = {"tree_": tree, "max_features_": X.shape[1], "_importances": shares}
        return fitting.publish(fitted | about.attributes() | certificate)

    def _training_rows(self, X: NDArray, y: NDArray, weight: NDArray | None, leaf_rows: int) -> TrainingRows:
        """Return the rows as the solver takes them: merged if sums are rounded and leaves of one row are allowed."""
        even = weight is None or weight.min() == weight.max()
        if leaf_rows > 1 or (even and self.criterion == "misclassification"):
            return TrainingRows(X, y, None if even else weight)
        return merge_equal_rows(X, y, None if even else weight)

    def _checked_monotonic_cst(self, X: NDArray, about: TargetFacts) -> NDArray[np.int8] | None:
        """Return the constraints, None if there are none. Errors are those of scikit-learn's trees."""
        if self.monotonic_cst is None:
            return None
        constraints = np.asarray(self.monotonic_cst)
        if about.n_outputs > 1:
            raise ValueError("Monotonicity constraints are not supported with multiple outputs.")
        if constraints.shape != X.shape[1:]:
            raise ValueError(
                f"monotonic_cst has shape {constraints.shape} but the input data X has {X.shape[1]} features."
            )
        if not np.isin(constraints, (-1, 0, 1)).all():
            raise ValueError(f"monotonic_cst must be None or an array-like of -1, 0 or 1, but got {constraints}.")
        if about.n_classes > 2:
            raise ValueError("Monotonicity constraints are not supported with multiclass classification.")
        if not constraints.any():
            return None
        if np.isnan(X).any():
            raise ValueError("Monotonicity constraints are not supported with missing values in X.")
        return constraints.astype(np.int8)

    def _certificate(self, solution: Solution, unit: Unit) -> dict[str, Any]:
        """Return the certificate of the tree, and warn if the search ended without a proof."""
        n_leaves = np.count_nonzero(solution.children_left == -1)
        objective = unit.of(solution.loss) + self.ccp_alpha * n_leaves
        lower_bound = float(objective)
        gap = 0.0
        if not solution.proved:  # lower_bound is NaN with a smaller lookahead
            lower_bound = min(unit.of(solution.lower_bound), objective)  # NaN stays: the first of the two
            gap = relative_gap(solution.objective, solution.lower_bound, solution.root_loss)
        if not solution.proved and not (isnan(gap) and solution.finished):
            limit = f"tol={self.tol:g}" if solution.finished else f"time_limit={self.time_limit:g} s"
            proved = "an unknown gap" if isnan(gap) else f"a gap of {gap:.2%} (lower bound {lower_bound:.6g})"
            warn_user(
                f"{type(self).__name__}: {limit} ended the search at an objective of {objective:.6g} with {proved}; "
                "a better tree may exist.",
                ConvergenceWarning,
            )
        return {
            "objective_": objective,
            "lower_bound_": lower_bound,
            "gap_": gap,
            "is_optimal_": solution.proved,
            "n_nodes_explored_": solution.n_nodes_explored,
        }

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Each feature's share of the impurity that the splits remove."""
        check_is_fitted(self)
        return self._importances.copy()

    def _validate_X_predict(self, X: Any, check_input: bool) -> NDArray:
        if check_input:
            return validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return validate_data(self, X, reset=False, skip_check_array=True)

    def apply(self, X: Any, check_input: bool = True) -> NDArray[np.intp]:
        """Return the leaf of every row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, dense; NaN is a missing value.

        check_input : bool, default=True
            False takes X, an array of floats, as it is.

        Returns
        -------
        leaves : ndarray of shape (n_samples,)
            Indices of nodes of `tree_`.
        """
        check_is_fitted(self)
        return route(self._validate_X_predict(X, check_input), self.tree_)

    def decision_path(self, X: Any, check_input: bool = True) -> Any:
        """Return the nodes that every row passes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, dense; NaN is a missing value.

        check_input : bool, default=True
            False takes X, an array of floats, as it is.

        Returns
        -------
        indicator : sparse matrix of shape (n_samples, n_nodes)
            CSR, 1 where a row passes a node.
        """
        check_is_fitted(self)
        X = self._validate_X_predict(X, check_input)
        indices, indptr = paths(X, self.tree_)
        kind = csr_matrix if get_config()["sparse_interface"] == "spmatrix" else csr_array
        return kind((np.ones_like(indices), indices, indptr), shape=(len(X), self.tree_.node_count))

    @property
    def cost_complexity_pruning_path(self) -> Any:
        """Not available: `ccp_alpha` is part of the search, so a path of prunings would show other trees."""
        raise AttributeError(
            f"{type(self).__name__} has no cost_complexity_pruning_path: ccp_alpha is part of the search, so that the "
            "optimal trees of a larger ccp_alpha need not be prunings of one tree. Search over ccp_alpha instead."
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def _without_weightless(X: NDArray, y: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray, NDArray | None]:
    """Drop the rows of weight 0, before their values become thresholds."""
    if weight is None or weight.all():
        return X, y, weight
    kept = weight > 0
    return X[kept], y[kept], weight[kept]


def _in_a_common_unit(weight: NDArray | None) -> tuple[NDArray | None, int]:
    """Scale the weights by a power of two, so that no digit changes and no product is too large to be a number."""
    if weight is None:
        return None, 0
    exponent = int(np.frexp(weight.max())[1])
    # A weight too small to change any sum must not become 0: it may be the only one of a leaf.
    return np.maximum(np.ldexp(weight, -exponent), 2.0**-500), exponent
