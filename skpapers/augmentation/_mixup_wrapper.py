"""The estimator around `_mixup`: any classifier or regressor, fitted on mixtures of its training rows."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from skpapers._fitting import Fitting
from skpapers._labels import check_labels
from skpapers._validation import (
    HasMethods,
    Interval,
    StrOptions,
    check_method_params,
    check_sample_weight,
    fit_context,
)
from skpapers._weights import weight_parameter
from skpapers.augmentation._delegating_wrapper import DelegatingWrapper
from skpapers.augmentation._mixup import (
    MODES,
    Plan,
    draw_in_proportion,
    draw_near_partners,
    draw_partners,
    draw_shares,
    in_units,
    lost_labels,
    mix,
    plan_rows,
)
from skpapers.augmentation._mixup_table import MixableTable
from skpapers.base import DocLinkMixin


class MixupWrapper(DocLinkMixin, CallbackSupportMixin, DelegatingWrapper):
    r"""Any classifier or regressor, fitted on mixtures of its training rows.

    Every training row is mixed with randomly drawn others, its label likewise, and a clone of the wrapped estimator is
    fitted on originals and mixtures. Use it around models of high variance, single trees above all, and to make a model
    change more smoothly between the training rows. It does not help models that are stable or linear. Networks of this
    package mix inside the batch instead, by their `mixup_alpha`.

    Parameters
    ----------
    estimator : estimator object
        A classifier, a regressor, or a :class:`~sklearn.pipeline.Pipeline` that ends in one; cloned, never changed.

    alpha : float, default=0.4
        Parameter of Beta(alpha, alpha), from which the share lambda of the first partner is drawn, not negative: 1 is
        the uniform law, a small value mixes little. 0 fits the rows as they are.

    n_augment : int, default=4
        Mixtures made of each row.

    keep_original : bool, default=True
        Whether the original rows are fitted, too.

    label_mode : {"auto", "soft", "dominant", "hard"}, default="auto"
        Label of a mixture. "soft" mixes labels as rows are mixed: numbers as they are, classes by two rows of weights
        lambda and 1 - lambda, for which the wrapped estimator must take weights. "dominant" is the label of the larger
        share: fewer rows and no noise in the labels, but another objective. "hard" is the theory's form, which has the
        same expected loss as "soft" (Lemma 3.1): the label of the first partner, whose share is drawn from
        Beta(alpha + 1, alpha). Its labels are noisy. "auto" is "soft" where that is possible, else "dominant".

    within_class : bool, default=False
        Whether partners are of the same class; for classifiers.

    bandwidth : float or None, default=None
        Draw partners of similar targets with probability proportional to :math:`\exp(-|y_i - y_j|^2 / (2 h^2))`, with
        `bandwidth` times the target's standard deviation for h (C-Mixup [2]_); for regressors. None draws uniformly.

    categorical_features : array-like of bool, int or str, default=None
        Columns that are not mixed but taken from the partner of the larger share: a mask, indices, or column names.
        These may hold anything the wrapped estimator takes, text included.

    random_state : int, RandomState instance or None, default=None
        Decides pairs and shares. The wrapped estimator has its own.

    Attributes
    ----------
    estimator_ : estimator object
        The clone that was fitted on originals and mixtures.

    label_mode_ : {"soft", "dominant", "hard"}
        The mode that was used.

    classes_ : ndarray of shape (n_classes,), or a list of n_outputs such arrays
        The class labels. This and the next five are attributes of `estimator_`, if it has them.

    n_classes_ : int or list of int
        Number of classes.

    n_outputs_ : int
        Number of targets.

    coef_, intercept_ : ndarray
        Coefficients.

    feature_importances_ : ndarray of shape (n_features,)
        Importances of the features.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    mixup_regularization : What mixup adds to the loss of a fitted model.
    mixup_loss : The loss that mixup minimises.
    adversarial_accuracy : Accuracy on rows that were moved to make a classifier err.

    Notes
    -----
    A mixture is :math:`\lambda x_i + (1 - \lambda) x_j`, exact where both partners agree. For losses
    :math:`h(f) - y f` (logistic, softmax, squared) fitting mixtures minimises the mean loss plus, to second order, a
    penalty on the model's gradients that adapts to the data, see :func:`mixup_regularization`.

    Row i is the first partner of `n_augment` pairs, and each row is as often a second partner. Together with the
    original they carry the weight of row i, so that regularisation of the wrapped estimator keeps its meaning; where it
    takes no weights it sees up to n_augment + 1 times the rows. Limits that count rows, such as `min_samples_leaf`,
    count mixtures. With `sample_weight` partners are drawn in proportion to it, and rows as well if the wrapped
    estimator takes no weights. Rows of weight 0 are removed before mixing, so that a class without other rows is not
    learned. Every class of the remaining rows is among the rows that are fitted.

    Missing values (NaN) are accepted if the wrapped estimator accepts them. If one partner lacks a value, the mixture
    has the entry of the partner with the larger share, be it a value or NaN.

    Put a search around the wrapper, not inside it: folds and held-out rows of the wrapped estimator (a search, a `CV`
    estimator, early stopping) would share mixtures with its training rows. Other parameters of `fit` that have an entry
    for each row follow the partner of the larger share. With metadata routing, `sample_weight` is requested of the
    wrapper, and of the wrapped estimator.

    Cost: the fit of the wrapped estimator on n (n_augment + 1) rows, up to twice that with "soft" and classes, and
    O(n p n_augment) to make them; `bandwidth` adds O(n) for each row within eight bandwidths.

    **Differences from the paper.** It analyses networks that draw new pairs for every batch; here the pairs are drawn
    once, since an estimator's `fit` takes its rows at once. "dominant", `categorical_features`, `keep_original` and
    `within_class` are additions. With classes, "soft" gives the larger share to the first partner: both partners are
    exchangeable, so the objective is the same, and every row keeps a mixture of its own label. What the paper says of
    generalisation and robustness concerns networks; the guide shows what we measured for other models.

    References
    ----------
    .. [1] L. Zhang, Z. Deng, K. Kawaguchi, A. Ghorbani, J. Zou, "How Does Mixup Help With Robustness and
       Generalization?", ICLR 2021. https://arxiv.org/abs/2010.04819.
       Code of mixup: https://github.com/facebookresearch/mixup-cifar10
    .. [2] H. Yao, Y. Wang, L. Zhang, J. Zou, C. Finn, "C-Mixup: Improving Generalization in Regression", NeurIPS 2022.
       https://arxiv.org/abs/2210.05775

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skpapers.augmentation import MixupWrapper
    >>> X, y = load_diabetes(return_X_y=True)
    >>> tree = DecisionTreeRegressor(random_state=0)
    >>> print(f"{cross_val_score(tree, X, y).mean():.2f}")
    -0.10
    >>> mixed = MixupWrapper(tree, alpha=1.0, random_state=0)
    >>> print(f"{cross_val_score(mixed, X, y).mean():.2f}")
    0.13
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit"])],  # a stack has no `predict` before its fit
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_augment": [Interval(Integral, 1, None, closed="left")],
        "keep_original": ["boolean"],
        "label_mode": [StrOptions({"auto", *MODES})],
        "within_class": ["boolean"],
        "bandwidth": [Interval(Real, 0, None, closed="neither"), None],
        "categorical_features": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        alpha: float = 0.4,
        n_augment: int = 4,
        keep_original: bool = True,
        label_mode: str = "auto",
        within_class: bool = False,
        bandwidth: float | None = None,
        categorical_features: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.alpha = alpha
        self.n_augment = n_augment
        self.keep_original = keep_original
        self.label_mode = label_mode
        self.within_class = within_class
        self.bandwidth = bandwidth
        self.categorical_features = categorical_features
        self.random_state = random_state

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> Any:
        """Fit a clone of the wrapped estimator on mixtures of the rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows. A frame of pandas or polars stays one, with its column names.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Partners are drawn in proportion to them, and they go into the fit of the
            wrapped estimator. One that takes no weights gets each row as often as its weight says. Rows of weight 0 are
            removed.

        **fit_params : dict
            Further parameters of the wrapped estimator's `fit`. An array of n_samples entries gives each mixture the
            entry of its dominant partner. With metadata routing on, only what was requested is passed.

        Returns
        -------
        self : object
            The fitted estimator. If `fit` raises an error or is interrupted, the estimator does not change.

        Raises
        ------
        ValueError
            If rows cannot be mixed (text, categories, infinite values, precomputed input), if the wrapped estimator
            refuses missing values, or if a parameter does not apply to it.

        TypeError
            If the wrapped estimator is neither a classifier nor a regressor, or X or y is sparse.
        """
        classes = self._checked_kind()
        sample_weight = check_sample_weight(sample_weight, X)
        partner_weight, row_weight, fit_params = self._route(X, sample_weight, fit_params)
        weight_name = weight_parameter(self.estimator)
        fitting = Fitting(self)
        given = (X, y)
        table, y = self._read(fitting.blank, X, y, classes)
        ones = np.ones(len(y))
        # rows of weight 0 are removed: an estimator that takes no weights would learn from them
        kept = np.flatnonzero(ones if row_weight is None else row_weight)
        codes = _codes(y[kept]) if classes else None

        mode = self._mode(weight_name, codes)
        plan = self._plan(
            (ones if partner_weight is None else partner_weight)[kept],
            None if row_weight is None or weight_name is not None else row_weight[kept],
            y[kept],
            codes,
            mode,
        ).of(kept)
        rows = table.make(plan)
        target = mix(y, plan) if codes is None and mode == "soft" else y[plan.label]
        fit_params = check_method_params(table.rows, fit_params, plan.dominant)
        if weight_name is not None and not (row_weight is None and np.all(plan.factor == 1.0)):
            fit_params[weight_name] = plan.factor * (ones if row_weight is None else row_weight)[plan.first]

        model = clone(self.estimator)
        fitting.begin(*given, n_steps=1)
        with fitting.step("fit-mixtures", data=(rows, target)) as step, step.passed_on_to(model):
            model.fit(rows, target, **fit_params)
        return fitting.publish({"label_mode_": mode, "estimator_": model})

    def _read(self, blank: Any, X: Any, y: Any, classes: bool) -> tuple[MixableTable, NDArray]:
        """Return the checked rows and targets. What validation writes goes to `blank`."""
        tags = get_tags(self.estimator)
        several = tags.target_tags.multi_output or bool(tags.classifier_tags and tags.classifier_tags.multi_label)
        if issparse(y):
            raise TypeError("y is sparse, which cannot be mixed: give y.toarray().")
        y = validate_data(blank, y=check_labels(y) if classes else y, multi_output=several, y_numeric=not classes)
        table = MixableTable(blank, X, self.categorical_features)
        check_consistent_length(table.rows, y)
        if classes:
            check_classification_targets(y)
        elif y.dtype.kind != "f":
            y = y.astype(np.float64)
        return table, y

    def _checked_kind(self) -> bool:
        """Return whether the wrapped estimator is a classifier. Raise an error if it cannot be fitted on mixtures."""
        tags = get_tags(self.estimator)
        name = type(self.estimator).__name__
        if isinstance(self.estimator, FrozenEstimator):
            raise TypeError("MixupWrapper fits its estimator, but a FrozenEstimator is never fitted again.")
        if tags.estimator_type not in ("classifier", "regressor"):
            raise TypeError(f"MixupWrapper takes a classifier, a regressor or a Pipeline that ends in one, not {name}.")
        if tags.input_tags.pairwise:
            raise ValueError(f"{name} takes a precomputed kernel or distances, whose rows cannot be mixed.")
        classes = tags.estimator_type == "classifier"
        if self.within_class and not classes:
            raise ValueError("within_class=True is for classifiers; a regressor's near partners are set by bandwidth.")
        if self.bandwidth is not None and classes:
            raise ValueError(
                "bandwidth is for regressors; a classifier's partners of one class are set by within_class."
            )
        return classes

    def _route(self, X: Any, sample_weight: Any, fit_params: dict) -> tuple[Any, Any, dict]:
        """Return row weights for drawing partners, row weights for the inner fit, and its other parameters."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **fit_params)
            inner = dict(routed.estimator.fit)
            row_weight = check_sample_weight(inner.pop("sample_weight", None), X)
            return sample_weight, sample_weight if row_weight is None else row_weight, inner
        name = weight_parameter(self.estimator)
        if name in fit_params:  # the name that a Pipeline's fit would take them by
            if sample_weight is not None:
                raise TypeError(f"Row weights were given twice, as sample_weight and as {name}.")
            sample_weight = check_sample_weight(fit_params.pop(name), X)
        return sample_weight, sample_weight, fit_params

    def _mode(self, weight_name: str | None, codes: NDArray | None) -> str:
        """Return the label mode, with "auto" resolved."""
        if self.label_mode == "auto":
            return "soft" if codes is None or weight_name is not None else "dominant"
        if self.label_mode == "soft" and codes is not None and weight_name is None:
            raise ValueError(
                f'label_mode="soft" needs row weights, but {type(self.estimator).__name__} takes none here; use '
                '"dominant" or "hard".'
            )
        return self.label_mode

    def _plan(self, weight: NDArray, drawn_by: NDArray | None, y: NDArray, codes: NDArray | None, mode: str) -> Plan:
        """Draw pairs and shares; `drawn_by` are weights that decide how often a row appears."""
        rng = check_random_state(self.random_state)
        n = len(y)
        weight = in_units(weight)
        drawn_by = None if drawn_by is None else in_units(drawn_by)
        n_augment = self.n_augment if self.alpha > 0 else 0
        keep = self.keep_original or n_augment == 0

        def rows(times: int) -> NDArray[np.intp]:
            return np.tile(np.arange(n), times) if drawn_by is None else draw_in_proportion(rng, drawn_by, n * times)

        anchors = rows(n_augment)
        if self.bandwidth is not None:
            partners = draw_near_partners(rng, weight, anchors, y.reshape(n, -1).astype(np.float64), self.bandwidth)
        else:
            partners = draw_partners(rng, weight, anchors, codes if self.within_class else None)
        shares = draw_shares(rng, self.alpha, mode, anchors.size) if n_augment else np.empty(0)
        plan = plan_rows(anchors, partners, shares, mode, codes)
        if keep:
            plan = plan.with_originals(rows(1))
        if codes is not None:
            plan = plan.with_originals(lost_labels(plan, codes))
        return plan.scaled(1.0 / (n_augment + keep))


def _codes(y: NDArray) -> NDArray[np.intp]:
    """Return a code 0, 1, ... for each label, or for each combination of labels of several outputs."""
    if y.ndim == 1:
        return np.unique(y, return_inverse=True)[1]
    columns = np.column_stack([np.unique(column, return_inverse=True)[1] for column in y.T])
    return np.unique(columns, axis=0, return_inverse=True)[1].ravel()
