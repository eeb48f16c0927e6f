"""The classifier around `_quant_bnb`: a decision tree of scikit-learn, grown to the optimum."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skpapers._labels import check_labels
from skpapers._validation import StrOptions
from skpapers._weights import weigh_classes
from skpapers.tree._optimal_tree import Loss, OptimalTree, TargetFacts
from skpapers.tree._quant_bnb_solution import Solution
from skpapers.tree._tree_routing import NodeFacts, describe_classification


class QuantBnBTreeClassifier(OptimalTree, DecisionTreeClassifier):
    r"""Classification tree of the fewest errors, or least Gini impurity, among all trees of its depth.

    CART chooses one split after the other; here all splits of the tree are chosen together, over every threshold of
    every feature, and the result carries a proof. Use it where a tree must stay small to be read: two or three levels,
    four for small tables; deeper trees with `lookahead`.

    Parameters
    ----------
    max_depth : int, default=2
        Levels of splits, 1 or more. The tree has fewer where more do not help, or cost more than they bring: of all
        trees of the least objective one with the fewest leaves is returned, unless the search was ended early.

    lookahead : int or None, default=None
        None, or `max_depth`, looks for the optimum of the whole tree. A smaller k grows the tree from the root: at each
        node the optimal subtree of depth k is found and its first split kept (k = 1 is CART). Then nothing is proved of
        the whole tree: `lower_bound_` and `gap_` are NaN.

    criterion : {"misclassification", "gini"}, default="misclassification"
        "misclassification" is the share of wrong training rows. "gini", the squared error of the class shares, cares
        for probabilities as well: prefer it for the log loss or the area under the ROC curve, and with `lookahead`.

    min_samples_leaf : int or float, default=1
        Rows in every leaf, whatever their weight; a float is a fraction of the rows, rounded up. Part of the search.

    ccp_alpha : float, default=0.0
        Cost of each leaf, in units of the criterion: the objective is the criterion plus `ccp_alpha` times the number
        of leaves (0.01: a leaf must save 1 % of the rows). Part of the search, not a pruning afterwards.

    monotonic_cst : array-like of int of shape (n_features,) or None, default=None
        1 for features in which the probability of the second class must not fall, -1 where it must not rise, 0 for the
        others: at every split on such a feature all leaves of one side are at least as high as all of the other. Part
        of the search; for two classes and X without missing values.

    time_limit : float or None, default=None
        Seconds after which the search ends with the best tree so far and the bound proved so far. None means no limit.

    tol : float, default=0.0
        The search ends where `gap_` is at most `tol`. 0 asks for the optimum.

    n_jobs : int or None, default=None
        Threads; None means 1, -1 all cores; more than 8 gain nothing. The tree is the same for any number.

    verbose : int, default=0
        1 prints objective, bound, gap and seconds once a second and at the end, 2 at every report (about 20 a second).

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied by `sample_weight`. "balanced" means W / (K W_k) for K classes of weight W_k
        and W in all: n_samples / (n_classes * rows of the class) without `sample_weight`. The rows of a class of weight
        0 are left out; it stays in `classes_`.

    Attributes
    ----------
    tree_ : Tree
        A genuine tree of scikit-learn: `plot_tree`, `export_text`, SHAP, bagging and boosting take it.

    classes_ : ndarray of shape (n_classes,)
        The class labels.

    n_classes_ : int
        Number of classes.

    objective_ : float
        The criterion, averaged over the training rows by weight, plus `ccp_alpha` times the number of leaves.

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
        Each feature's share of the impurity removed.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    n_outputs_ : int
        Number of targets: 1.

    max_features_ : int
        Number of features that a split may use: all.

    See Also
    --------
    QuantBnBTree : The same for numbers.
    sklearn.tree.DecisionTreeClassifier : CART, split by split.
    HierarchicalShrinkageClassifier : Regularises the values of a tree; takes this one, too.

    Notes
    -----
    With rows :math:`(x_i, y_i)` of weight :math:`w_i`, W their sum, :math:`W_t` the weight of a leaf t and
    :math:`p_{tk}` the shares of the classes in it, the tree T minimises

    .. math:: \frac{1}{W} \sum_{t \in T} W_t \, (1 - \max_k p_{tk}) + \mathtt{ccp\_alpha} \cdot |T|
       \qquad\text{or}\qquad
       \frac{1}{W} \sum_{t \in T} W_t \, (1 - \sum_k p_{tk}^2) + \mathtt{ccp\_alpha} \cdot |T|,

    where ``|T|`` is the number of leaves. "gini" is solved as the squared error of the indicators of the classes. Of
    trees that are equally good one with the fewest leaves is returned, the same one on every run and with any `n_jobs`;
    among equal splits of the last level it is the one of least Gini impurity, then the first feature and threshold.
    Classes that are equally heavy in a leaf, up to 1e-12, have equal probabilities, and the first of them is predicted.

    Cost, memory, rounding, weights, missing values, and tools that see rows in float32: as for :class:`QuantBnBTree`.
    One difference: errors of rows without weights are whole numbers, and their sums are exact, so equal rows are not
    merged. Weights instead of repeated rows then give the same objective and number of leaves, but maybe another tree.
    More than two classes cost more, in proportion to their number with "gini", and take 128 bytes a row and thread, 256
    with weights.

    **Differences from the paper.** Depths above 3, row and class weights, "gini", `min_samples_leaf`, a cost of leaves,
    monotonic constraints, missing values and `lookahead` are added. Bounds come from neighbouring thresholds rather
    than from boxes of quantiles.

    References
    ----------
    .. [1] R. Mazumder, X. Meng, H. Wang, "Quant-BnB: A Scalable Branch-and-Bound Method for Optimal Decision Trees with
       Continuous Features", ICML 2022. https://arxiv.org/abs/2206.11844.
       Official code: https://github.com/mengxianglgal/Quant-BnB

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skpapers.datasets import load_raisin
    >>> from skpapers.tree import QuantBnBTreeClassifier
    >>> X, y = load_raisin(return_X_y=True)
    >>> cart = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
    >>> tree = QuantBnBTreeClassifier(max_depth=2).fit(X, y)
    >>> tree.is_optimal_
    True
    >>> print(f"{(tree.predict(X) != y).sum()} errors instead of {(cart.predict(X) != y).sum()}")
    109 errors instead of 121
    """

    _parameter_constraints: ClassVar[dict] = {
        **OptimalTree._parameter_constraints,
        "criterion": [StrOptions({"misclassification", "gini"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        max_depth: int = 2,
        *,
        lookahead: int | None = None,
        criterion: str = "misclassification",
        min_samples_leaf: float = 1,
        ccp_alpha: float = 0.0,
        monotonic_cst: ArrayLike | None = None,
        time_limit: float | None = None,
        tol: float = 0.0,
        n_jobs: int | None = None,
        verbose: int = 0,
        class_weight: dict | str | None = None,
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
        self.class_weight = class_weight

    def _read_target(self, y: Any) -> tuple[NDArray, TargetFacts]:
        # The checks and the sort take longer than the search for a small tree: not where they would find nothing.
        if not (isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biu"):
            y = check_array(check_labels(y), ensure_2d=False, dtype=None, input_name="y", estimator=self)
            y = column_or_1d(y, warn=True)
            if not (y.dtype.kind in "biuU" or (y.dtype.kind == "f" and (y == np.rint(y)).all())):
                check_classification_targets(y)
        if y.dtype.kind in "iu" and y.size and y.min() >= 0 and y.max() < y.size:
            codes = y.astype(np.int64, copy=False)
            present = np.flatnonzero(np.bincount(codes))
            classes = present.astype(y.dtype)
            if len(present) <= present[-1]:
                codes = np.searchsorted(present, codes)
        else:
            classes, codes = np.unique(y, return_inverse=True)
        return codes, TargetFacts(1, classes)

    def _weigh_classes(self, y: NDArray, about: TargetFacts, weight: NDArray | None) -> NDArray | None:
        return weigh_classes(self.class_weight, np.asarray(about.classes), y, weight)

    def _loss(self, y: NDArray, weight: NDArray | None) -> Loss:
        codes = y
        present = np.flatnonzero(np.bincount(y))
        if len(present) <= y.max():  # classes left with rows of weight 0
            codes = np.searchsorted(present, y)
        if self.criterion == "misclassification":
            return Loss("misclassification", codes.astype(np.int64, copy=False), 1.0)
        if len(present) <= 2:  # the second column is one minus the first, and has the same squared error
            return Loss("squared_error", codes[:, np.newaxis].astype(np.float64), 2.0)
        return Loss("squared_error", np.eye(len(present))[codes], 1.0)

    def _describe(
        self, X: NDArray, y: NDArray, target: NDArray, weight: NDArray | None, solution: Solution, about: TargetFacts
    ) -> NodeFacts:
        return describe_classification(X, y, about.n_classes, weight, solution, self.criterion)

    def predict(self, X: Any, check_input: bool = True) -> NDArray:
        """Predict the heaviest class of the leaf that a row falls into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, dense; NaN is a missing value.

        check_input : bool, default=True
            False takes X, an array of floats, as it is.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted labels.
        """
        leaves = self.apply(X, check_input)
        return self.classes_[self.tree_.value[:, 0, :].argmax(axis=1)[leaves]]

    def predict_proba(self, X: Any, check_input: bool = True) -> NDArray:
        """Predict the classes' shares of the training weight in the leaf that a row falls into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows, dense; NaN is a missing value.

        check_input : bool, default=True
            False takes X, an array of floats, as it is.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`.
        """
        leaves = self.apply(X, check_input)
        return self.tree_.value[leaves, 0, :]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        tags.classifier_tags.multi_label = False
        return tags
