"""The regressor around `_quant_bnb`: a decision tree of scikit-learn, grown to the optimum."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import check_array

from skpapers._validation import StrOptions
from skpapers.tree._optimal_tree import Loss, OptimalTree, TargetFacts
from skpapers.tree._quant_bnb import centre
from skpapers.tree._quant_bnb_solution import Solution
from skpapers.tree._tree_routing import NodeFacts, describe_regression


class QuantBnBTree(OptimalTree, DecisionTreeRegressor):
    r"""Regression tree of the least squared error among all trees of its depth, proved by branch and bound.

    CART chooses one split after the other; here all splits of the tree are chosen together, over every threshold of
    every feature, and the result carries a proof. Use it where a tree must stay small to be read: two or three levels,
    four for small tables; deeper trees with `lookahead`. `QuantBnBTreeRegressor` is another name of this class.

    Parameters
    ----------
    max_depth : int, default=2
        Levels of splits, 1 or more. The tree has fewer where more do not help, or cost more than they bring: of all
        trees of the least objective one with the fewest leaves is returned, unless the search was ended early.

    lookahead : int or None, default=None
        None, or `max_depth`, looks for the optimum of the whole tree. A smaller k grows the tree from the root: at each
        node the optimal subtree of depth k is found and its first split kept (k = 1 is CART). Then nothing is proved of
        the whole tree: `lower_bound_` and `gap_` are NaN.

    criterion : {"squared_error"}, default="squared_error"
        Weighted mean squared error, averaged over the outputs.

    min_samples_leaf : int or float, default=1
        Rows in every leaf, whatever their weight; a float is a fraction of the rows, rounded up. Part of the search.

    ccp_alpha : float, default=0.0
        Cost of each leaf, in units of the criterion (squared units of y): the objective is the mean squared error plus
        `ccp_alpha` times the number of leaves. Part of the search, not a pruning afterwards.

    monotonic_cst : array-like of int of shape (n_features,) or None, default=None
        1 for features in which the prediction must not fall, -1 where it must not rise, 0 for the others: at every
        split on such a feature all leaves of one side are at least as high as all of the other. Part of the search; for
        one output and X without missing values.

    time_limit : float or None, default=None
        Seconds after which the search ends with the best tree so far and the bound proved so far. None means no limit.

    tol : float, default=0.0
        The search ends where `gap_` is at most `tol`. 0 asks for the optimum.

    n_jobs : int or None, default=None
        Threads; None means 1, -1 all cores; more than 8 gain nothing. The tree is the same for any number.

    verbose : int, default=0
        1 prints objective, bound, gap and seconds once a second and at the end, 2 at every report (about 20 a second).

    Attributes
    ----------
    tree_ : Tree
        A genuine tree of scikit-learn: `plot_tree`, `export_text`, SHAP, bagging and boosting take it.

    objective_ : float
        Weighted mean squared error of the training rows, averaged over the outputs, plus `ccp_alpha` times the number
        of leaves.

    lower_bound_ : float
        No tree of this depth has a smaller objective; NaN with a smaller `lookahead`.

    gap_ : float
        (`objective_` - `lower_bound_`) / (objective of a single leaf - `lower_bound_`): the share of the possible
        improvement that may be missing. Exactly 0 where optimality is proved, NaN with a smaller `lookahead`.

    is_optimal_ : bool
        Whether the search proved that no tree of this depth is better: it ran to its end, or what it left out at the
        end cannot be better.

    n_nodes_explored_ : int
        Nodes of the search.

    feature_importances_ : ndarray of shape (n_features,)
        Each feature's share of the squared error removed, in whatever unit y and the weights are.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets.

    max_features_ : int
        Number of features that a split may use: all.

    See Also
    --------
    QuantBnBTreeClassifier : The same for classes.
    sklearn.tree.DecisionTreeRegressor : CART, split by split.
    HierarchicalShrinkageRegressor : Regularises the values of a tree; takes this one, too.

    Notes
    -----
    With rows :math:`(x_i, y_i)` of weight :math:`w_i` and W their sum, the tree T with leaf means :math:`m_T(x)`
    minimises

    .. math:: \frac{1}{W} \sum_i w_i \, (y_i - m_T(x_i))^2 + \mathtt{ccp\_alpha} \cdot |T|,

    where ``|T|`` is the number of leaves: the cost-complexity measure of scikit-learn, here over all trees of
    `max_depth` levels. Of trees that are equally good one with the fewest leaves is returned, the same one on every run
    and with any `n_jobs`.

    Cost: at depth 2, 16 root thresholds of every feature are evaluated together in O(p^2 n); O(p^2 n^2 / 16) in the
    worst case, where no bound excludes anything, and a factor of p n more for each further level. The bounds usually
    leave a small part of it. Memory: X, and 4 bytes a cell of X for the order of the rows, once more for each level
    beyond two and each thread; a column with missing values counts twice. Lower bounds do not use
    `monotonic_cst`, and `min_samples_leaf` only in part: with these there is more to search.

    Float64 sums decide up to their rounding: objectives that differ by less than 2e-15 ``2**max_depth (8 + sqrt(n))``
    of the root's squared error, or of the total weight where classes are counted, are taken as equal; at depth 2 that
    is 1e-13 for 100 rows, and 8e-13 for 10,000. Weights should not span more than nine orders of magnitude, nor squared
    deviations from the mean. Without weights and `ccp_alpha` errors are whole numbers, and nothing is rounded.
    `objective_` is recomputed from the leaves' residuals. A common factor of the weights, or of y with its square in
    `ccp_alpha`, changes nothing; one that is no power of two may choose another of several equally good trees. With
    ``min_samples_leaf=1`` a row of weight k gives the same tree as the row repeated k times: equal rows are merged
    before the search. (The exception is a count of errors without weights: see :class:`QuantBnBTreeClassifier`.)

    A missing value goes to the better side, learned at each split, and "missing or not" is a split, too. Where no
    training row of a node lacks the feature, missing values follow the larger weight. A column without any value is
    never used.

    Thresholds and all predictions are in float64: values 1e-9 apart, or around 1e8, stay apart. Tools that read `tree_`
    themselves (SHAP, `tree_.apply`, the recursion of partial dependence) see rows in float32. They agree with `predict`
    wherever the training values next to the thresholds differ in float32 as well. Otherwise rows between them may fall
    on the other side for these tools: subtract an offset before.

    **Differences from the paper.** Depths above 3, row weights, `min_samples_leaf`, a cost of leaves, monotonic
    constraints, missing values and `lookahead` are added. Bounds come from neighbouring thresholds rather than from
    boxes of quantiles.

    References
    ----------
    .. [1] R. Mazumder, X. Meng, H. Wang, "Quant-BnB: A Scalable Branch-and-Bound Method for Optimal Decision Trees with
       Continuous Features", ICML 2022. https://arxiv.org/abs/2206.11844.
       Official code: https://github.com/mengxianglgal/Quant-BnB

    Examples
    --------
    >>> from sklearn.metrics import mean_squared_error
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skpapers.datasets import load_concrete
    >>> from skpapers.tree import QuantBnBTree
    >>> X, y = load_concrete(return_X_y=True)
    >>> cart = DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, y)
    >>> tree = QuantBnBTree(max_depth=2).fit(X, y)
    >>> tree.is_optimal_
    True
    >>> print(f"{tree.objective_:.4f} instead of {mean_squared_error(y, cart.predict(X)):.4f}")
    0.0220 instead of 0.0223
    """

    _parameter_constraints: ClassVar[dict] = {
        **OptimalTree._parameter_constraints,
        "criterion": [StrOptions({"squared_error"})],
    }

    def __init__(
        self,
        max_depth: int = 2,
        *,
        lookahead: int | None = None,
        criterion: str = "squared_error",
        min_samples_leaf: float = 1,
        ccp_alpha: float = 0.0,
        monotonic_cst: ArrayLike | None = None,
        time_limit: float | None = None,
        tol: float = 0.0,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.max_depth = max_depth
        self.lookahead = lookahead
        self.criterion = criterion
        self.min_samples_leaf = min_samples_leaf
        self.ccp_alpha = ccp_alpha
        self.monotonic_cst = monotonic_cst
        self.time_limit = time_limit
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _read_target(self, y: Any) -> tuple[NDArray, TargetFacts]:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        y = np.ascontiguousarray(np.reshape(y, (len(y), -1)), dtype=np.float64)
        return y, TargetFacts(y.shape[1])

    def _loss(self, y: NDArray, weight: NDArray | None) -> Loss:
        # The unit is that of the widest output: no other is too large to be squared, unless it is constant.
        low = y.min(axis=0)
        high = y.max(axis=0)
        with np.errstate(over="ignore"):
            width = np.minimum(high - low, np.finfo(np.float64).max).max()
        exponent = int(np.frexp(width)[1])
        target = centre(np.ldexp(np.where(low < high, y, 0.0), -exponent), weight)
        return Loss("squared_error", target, 1.0 / y.shape[1], 2 * exponent)

    def _describe(
        self, X: NDArray, y: NDArray, target: NDArray, weight: NDArray | None, solution: Solution, about: TargetFacts
    ) -> NodeFacts:
        return describe_regression(X, y, target, weight, solution)

    def predict(self, X: Any, check_input: bool = True) -> NDArray:
        """Predict the mean of the leaf that a row falls into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, dense; NaN is a missing value.

        check_input : bool, default=True
            False takes X, an array of floats, as it is.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        leaves = self.apply(X, check_input)
        values = self.tree_.value[leaves, :, 0]
        return values[:, 0] if self.n_outputs_ == 1 else values


QuantBnBTreeRegressor = QuantBnBTree
