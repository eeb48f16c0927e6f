"""The estimator around `_distribution_calibration`: any classifier, fitted on drawn rows of rare classes as well."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skpapers._domains import source_rows
from skpapers._fitting import Fitting
from skpapers._labels import check_labels
from skpapers._validation import HasMethods, Interval, StrOptions, check_sample_weight, fit_context
from skpapers._warnings import warn_user
from skpapers.base import DocLinkMixin
from skpapers.few_shot._calibrated_discriminant import Discriminant, calibrated_discriminant
from skpapers.few_shot._calibrated_draws import MAX_DRAWN, draw_missing, missing_rows
from skpapers.few_shot._distribution_calibration import (
    Calibration,
    Classes,
    VaryingColumns,
    calibrate,
    calibrate_without_base,
    draw,
    group,
    share_out,
    tukey_transform,
)
from skpapers.few_shot._wrapped_classifier import WrappedClassifierMixin

LARGEST = 1e150  # sums of squares of larger values may overflow


class _TrainingRows(NamedTuple):
    """Transformed training rows, and whether each is of a base class."""

    rows: NDArray[np.float64]
    labels: NDArray
    weight: NDArray[np.float64]
    is_base: NDArray[np.bool_]

    def of(self, which: NDArray[np.bool_]) -> _TrainingRows:
        """Return some of the rows."""
        return _TrainingRows(self.rows[which], self.labels[which], self.weight[which], self.is_base[which])


def as_estimator(discriminant: Discriminant) -> QuadraticDiscriminantAnalysis:
    """Return scikit-learn's fitted discriminant with given statistics."""
    model = QuadraticDiscriminantAnalysis()
    model.classes_ = discriminant.labels
    model.priors_ = discriminant.priors
    model.means_ = discriminant.means
    model.rotations_ = discriminant.axes
    model.scalings_ = discriminant.variances
    model.n_features_in_ = discriminant.means.shape[1]
    return model


class DistributionCalibratedFewShot(
    DocLinkMixin, CallbackSupportMixin, WrappedClassifierMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Any classifier, with rows drawn for the classes that have few.

    Each row of a rare class is given a normal distribution: its mean is drawn towards the nearest classes with many
    rows, its covariance is theirs. A clone of the wrapped classifier is fitted on the rows and on draws from these
    distributions. Use it where some classes have one to five rows and there are several classes to learn from. It does
    nothing where all classes have many rows, and can harm where classes near each other vary in different ways.

    Parameters
    ----------
    estimator : estimator object or None, default=None
        A classifier, or a :class:`~sklearn.pipeline.Pipeline` that ends in one; cloned, never changed. None is
        ``LogisticRegression(max_iter=1000)``.

    min_base_samples : int, default=20
        Classes with at least this many rows are base classes, the others rare. Weights count as repeated rows.

    n_neighbors : int, default=2
        Base classes that a row of a rare class learns from (k in Eq. 4), at most all of them.

    mean_prior : float or "paper", default=1.0
        Rows that the neighbours' mean counts as, beside the n rows of the rare class: 0 leaves every row where it is.
        "paper" weighs it k / (k + 1) however many rows there are (Eq. 6).

    alpha : float, default=0.1
        What is added to the neighbours' covariance (alpha in Eq. 6), in units of `alpha_mode`.

    alpha_mode : {"diag", "full"}, default="diag"
        "diag" adds `alpha` times their mean variance to each variance. "full" adds `alpha` itself to every entry of the
        covariance, as the paper does.

    n_generate : int or "balance", default="balance"
        Rows drawn for each rare class. "balance" fills it up to the median size of a base class; from 10,000 rows on,
        where the wrapped classifier takes weights, a row drawn stands for several.

    tukey : float or None, default=None
        Power to which all features are raised first (lambda in Eq. 3), 0 being the logarithm: 0.5 makes counts and
        activations more like a normal distribution. Features must not be negative then.

    predict_base : bool, default=True
        Whether the base classes are predicted, too. False leaves their rows out of the fit of the classifier: they give
        statistics only, as in the paper's protocol.

    method : {"sample", "closed_form"}, default="sample"
        "closed_form" draws nothing and ignores `estimator`: it is the quadratic discriminant that has the calibrated
        means and covariances, which "sample" with such a discriminant tends to as more rows are drawn. Base classes
        have their own, widened by `alpha` alike; `n_generate` counts in the frequencies of the classes.

    random_state : int, RandomState instance or None, default=None
        Decides what is drawn. The wrapped classifier has its own.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted classifier; for "closed_form" a
        :class:`~sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis`. It takes transformed features, see
        `tukey`.

    classes_ : ndarray of shape (n_classes,)
        Labels that can be predicted.

    base_classes_ : ndarray of shape (n_base_classes,)
        Labels of the base classes.

    calibrated_labels_ : ndarray of shape (n_support,)
        Labels of the rare classes' rows, sorted. The rows of a class are in lexicographic order.

    calibrated_means_ : ndarray of shape (n_support, n_features)
        Mean of the distribution of each of these rows.

    calibrated_covariances_ : ndarray of shape (n_support, n_features, n_features)
        Covariance of the distribution of each, assembled on access.

    nearest_base_ : ndarray of shape (n_support, n_neighbors)
        Labels of the base classes it was calibrated by, nearest first; no column if there is no base class.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.

    See Also
    --------
    DistributionCalibrationDisplay : Picture of the rows, and of what was drawn for the rare classes.
    TargetDomainSplit : Cross-validation that judges on rows of the target alone.

    Notes
    -----
    Row :math:`x_i` of a rare class with n rows, whose k nearest base classes (by Euclidean distance to their means)
    have means :math:`\mu_j` and covariances :math:`\Sigma_j`, is given the distribution

    .. math::

        N\Big(\frac{n x_i + \kappa \bar\mu}{n + \kappa},\; \bar\Sigma + \alpha \frac{\mathrm{tr} \bar\Sigma}{d} I\Big),
        \quad \bar\mu = \frac1k \sum_j \mu_j, \quad \bar\Sigma = \frac1k \sum_j \Sigma_j,

    :math:`\kappa` being `mean_prior`. Distances depend on the scales of features: standardise before. Where a base
    class has no more rows than features, :math:`\Sigma_j` is Ledoit and Wolf's estimate. Without a base class rows keep
    their place and share the covariance within classes; without a rare class, this is the wrapped classifier.

    With `sample_domain` classes of source rows are base classes and classes of target rows rare ones, whatever their
    sizes; a label may be both. It is requested by default: with metadata routing, ``fit(X, y, sample_domain=d)`` of a
    Pipeline or a search passes it on. Without routing it is given as ``step__sample_domain=d``.

    The probabilities of rare classes are as if they were as frequent as what was drawn for them.

    `sample_weight` stands for repeated rows in sizes, means, covariances and in the fit of the classifier. Weights of a
    mean far below one would make all classes rare, or leave them no covariance; there is a warning where that happens.

    Constant columns take no part in the calibration: drawn rows have the constant value, and "closed_form" ignores the
    column.

    Cost: O(n p^2) for the covariances of the base classes that are neighbours, O(p^3) and p^2 numbers that are kept
    for each set of neighbours, O(p^2) for each row drawn, and the fit of the wrapped classifier on originals and draws.
    "closed_form" takes O(p^3) for each class, and O(p^2) for each row and class that are compared.

    **Differences from the paper.** It takes features of a network and episodes of novel classes alone; here any rows
    with rare classes among others, and all classes are predicted. The mean is weighted by the number of shots, since
    a fixed weight harms from about five. `alpha` has the scale of the data and stays on the diagonal.
    ``mean_prior="paper", alpha=0.21, alpha_mode="full", tukey=0.5, n_generate=750, predict_base=False`` is the paper's
    recipe, but for two things. The published code takes the statistics of the base classes before the transform of
    Eq. 3 and measures transformed rows by them; here all rows are transformed. And the covariance of a base class that
    has no more rows than features is singular there, while here it is shrunk.

    References
    ----------
    .. [1] S. Yang, L. Liu, M. Xu, "Free Lunch for Few-shot Learning: Distribution Calibration", ICLR 2021.
       https://arxiv.org/abs/2101.06395. Code: https://github.com/ShuoYang-1998/Few_Shot_Distribution_Calibration

    Examples
    --------
    Digits of which five are seen twice:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.metrics import balanced_accuracy_score
    >>> from skpapers.few_shot import DistributionCalibratedFewShot
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> few = [np.flatnonzero(y == c)[: 2 if c < 5 else 80] for c in range(10)]
    >>> train = np.sort(np.concatenate(few))
    >>> test = np.setdiff1d(np.arange(len(y)), train)
    >>> for model in LogisticRegression(class_weight="balanced"), DistributionCalibratedFewShot(random_state=0):
    ...     predicted = model.fit(X[train], y[train]).predict(X[test])
    ...     print(f"{balanced_accuracy_score(y[test], predicted):.2f}")
    0.81
    0.86
    """

    _wrapped = "estimator"

    # requested by default: with routing nobody has to call set_fit_request
    __metadata_request__fit: ClassVar[dict] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods("fit"), None],
        "min_base_samples": [Interval(Integral, 2, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "mean_prior": [Interval(Real, 0, None, closed="left"), StrOptions({"paper"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "alpha_mode": [StrOptions({"diag", "full"})],
        "n_generate": [Interval(Integral, 0, None, closed="left"), StrOptions({"balance"})],
        "tukey": [Interval(Real, 0, None, closed="left"), None],
        "predict_base": ["boolean"],
        "method": [StrOptions({"sample", "closed_form"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        min_base_samples: int = 20,
        n_neighbors: int = 2,
        mean_prior: float | str = 1.0,
        alpha: float = 0.1,
        alpha_mode: str = "diag",
        n_generate: int | str = "balance",
        tukey: float | None = None,
        predict_base: bool = True,
        method: str = "sample",
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.min_base_samples = min_base_samples
        self.n_neighbors = n_neighbors
        self.mean_prior = mean_prior
        self.alpha = alpha
        self.alpha_mode = alpha_mode
        self.n_generate = n_generate
        self.tukey = tukey
        self.predict_base = predict_base
        self.method = method
        self.random_state = random_state

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_domain: Any = None) -> Any:
        """Calibrate the rare classes and fit a clone of the wrapped classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative, that stand for repeated rows. The wrapped classifier must take weights, too.

        sample_domain : array-like of shape (n_samples,), default=None
            Positive for rows of the source, whose classes are the base classes, negative for rows of the target, whose
            classes are calibrated. None: the sizes of the classes decide.

        Returns
        -------
        self : object
            The fitted estimator. If `fit` raises an error or is interrupted, the estimator does not change.

        Raises
        ------
        ValueError
            If there is no class to predict, if a feature is negative and `tukey` is set, or if values are so large that
            their squares overflow.

        TypeError
            If the wrapped estimator is not a classifier, or if there are weights that it cannot take.
        """
        weight_name = self._checked_weight_name(sample_weight)
        fitting = Fitting(self)
        training = self._read(fitting.blank, X, y, sample_weight, sample_domain)
        rows, labels, weight, is_base = training
        columns = VaryingColumns(rows)
        rare = np.flatnonzero(~is_base)
        rare = rare[np.lexsort(rows[rare].T[::-1])]  # an order of their own, in which repeated rows are neighbours
        base, support = (group(columns.narrow(rows[of]), labels[of], weight[of]) for of in (is_base, rare))
        if sample_weight is not None:
            self._warn_of_light_weights(base if len(base.labels) else support, sample_domain is None)
        found = self._calibrate(base, support)
        missing = missing_rows(base, support, self.n_generate)

        fitting.begin(X, y, n_steps=1)
        if self.method == "closed_form":
            predicted = base if self.predict_base else None
            variance = float(columns.narrow(rows).var(axis=0).mean())
            model = as_estimator(
                calibrated_discriminant(
                    predicted, support, found, missing, self.alpha, self.alpha_mode, variance
                ).widened(columns)
            )
        else:
            rng = check_random_state(self.random_state)
            at_most = MAX_DRAWN if self.n_generate == "balance" and weight_name is not None else np.inf
            drawn, drawn_labels, drawn_weight = draw_missing(rng, support, found, missing, at_most)
            kept = training.of(np.ones(len(rows), dtype=bool) if self.predict_base else ~is_base)
            rows = np.concatenate([kept.rows, columns.widen(drawn)])
            labels = np.concatenate([kept.labels, drawn_labels])
            weight = np.concatenate([kept.weight, drawn_weight])
            needs_weights = sample_weight is not None or np.any(weight != 1)
            params = {weight_name: weight} if weight_name is not None and needs_weights else {}
            model = self._fit_classifier(fitting, rows, labels, params)

        return fitting.publish(
            {
                "estimator_": model,
                "classes_": model.classes_,
                "base_classes_": base.labels,
                "calibrated_labels_": support.labels[support.codes],
                "calibrated_means_": columns.widen(found.mean),
                "nearest_base_": base.labels[found.nearest],
                "_covariances": columns.widen_covariances(found.covariance),
                "_covariance_of": found.shares,
                "_tukey": self.tukey,
            }
        )

    def _read(self, blank: Any, X: Any, y: Any, sample_weight: Any, sample_domain: Any) -> _TrainingRows:
        """Return the checked training rows of positive weight. What validation writes goes to `blank`."""
        X, y = validate_data(blank, X, check_labels(y), dtype=np.float64, order="C")
        check_classification_targets(y)
        weight = check_sample_weight(sample_weight, X)
        weight = np.ones(len(y)) if weight is None else weight
        of_source = np.zeros(len(y), dtype=bool) if sample_domain is None else source_rows(sample_domain, X)
        training = _TrainingRows(tukey_transform(X, self.tukey), y, weight, of_source)
        if not weight.all():
            training = training.of(weight > 0)
        if sample_domain is None:
            training = training._replace(is_base=self._of_large_classes(training.labels, training.weight))
        if not self.predict_base and training.is_base.all():
            raise ValueError("predict_base=False leaves no class to predict: every row is of a base class.")
        self._check_sizes(training.rows, training.weight)
        return training

    @property
    def calibrated_covariances_(self) -> NDArray[np.float64]:
        """Covariance of the distribution of each row of a rare class."""
        check_is_fitted(self)
        return self._covariances[self._covariance_of]

    def _sample(self, n: int, rng: np.random.RandomState) -> tuple[NDArray, NDArray]:
        """Draw n rows for each rare class, transformed as `tukey` says, and return them with their labels."""
        labels, codes = np.unique(self.calibrated_labels_, return_inverse=True)
        counts = share_out(np.full(len(labels), n), np.ones(len(codes)), codes)
        places = np.empty((len(counts), 0), dtype=np.intp)  # of the neighbours, which draws do not need
        found = Calibration(self.calibrated_means_, self._covariances, self._covariance_of, places)
        return draw(rng, found, counts), np.repeat(self.calibrated_labels_, counts)

    def _unfitted(self) -> Any:
        """Return the classifier to clone."""
        if self.method == "closed_form":
            return QuadraticDiscriminantAnalysis()
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def _checked_weight_name(self, sample_weight: Any) -> str | None:
        """Refuse an estimator of distances as well. "closed_form" needs no weights of the estimator."""
        weight_name = super()._checked_weight_name(sample_weight if self.method == "sample" else None)
        estimator = self._unfitted()
        if get_tags(estimator).input_tags.pairwise:
            name = type(estimator).__name__
            raise ValueError(f"{name} takes a precomputed kernel or distances, for which no rows can be drawn.")
        return weight_name

    def _check_sizes(self, rows: NDArray, weight: NDArray) -> None:
        """Raise an error if covariances would overflow."""
        if rows.size and np.abs(rows).max() > LARGEST:
            raise ValueError(
                f"X holds values as large as {np.abs(rows).max():.3g}, whose covariances overflow: scale the features "
                f"so that no absolute value exceeds {LARGEST:g}."
            )
        with np.errstate(over="ignore"):
            total = weight.sum()
        if not np.isfinite(total):
            raise ValueError("sample_weight adds up to infinity: scale the weights to a mean of 1.")

    def _of_large_classes(self, y: NDArray, weight: NDArray) -> NDArray[np.bool_]:
        """Return a mask of the rows whose class is a base class by its size."""
        codes = np.unique(y, return_inverse=True)[1]
        least = self.min_base_samples * (1 - 1e-9)  # weights are sums
        return (np.bincount(codes, weight) >= least)[codes]

    def _warn_of_light_weights(self, lenders: Classes, by_size: bool) -> None:
        """Warn if classes have enough rows for a covariance by number, but none has by weight."""
        heaviest = lenders.total.max()
        largest = np.bincount(lenders.codes).max()
        for least in (self.min_base_samples, 2) if by_size else (2,):
            if heaviest < least * (1 - 1e-9) and largest >= least:
                warn_user(
                    f"By weight no class has {least} rows, though by number some have: weights stand for repeated "
                    "rows, so scale them to a mean of 1."
                )
                break

    def _calibrate(self, base: Classes, support: Classes) -> Calibration:
        """Return a distribution for each row of the rare classes."""
        if not len(base.total):
            return calibrate_without_base(support, self.alpha, self.alpha_mode)
        strength = None if self.mean_prior == "paper" else float(self.mean_prior)
        shots = support.total[support.codes]
        return calibrate(base, support.rows, shots, self.n_neighbors, strength, self.alpha, self.alpha_mode)

    def _fit_classifier(self, fitting: Fitting, X: NDArray, y: NDArray, params: dict[str, Any]) -> Any:
        """Return a clone of the wrapped classifier, fitted as the only step that callbacks see."""
        model = clone(self._unfitted())
        with fitting.step("fit-classifier", data=(X, y)) as step, step.passed_on_to(model):
            model.fit(X, y, **params)
        return model

    def _model_rows(self, X: Any) -> NDArray:
        check_is_fitted(self)
        return tukey_transform(validate_data(self, X, reset=False, dtype=np.float64, order="C"), self._tukey)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.tukey is not None
        inner = get_tags(self._unfitted()).classifier_tags
        if inner is not None:  # fit refuses an estimator that is not a classifier
            tags.classifier_tags.multi_class = inner.multi_class
        return tags
