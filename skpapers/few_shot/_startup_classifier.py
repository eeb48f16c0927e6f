"""The estimator around `_startup`: a network for few labelled rows of new classes, helped by other rows."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.linear_model import LogisticRegression
from sklearn.utils import indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from skpapers._domains import source_rows
from skpapers._fitting import Fitting
from skpapers._torch.chunks import outputs_in_chunks
from skpapers._torch.fitted import Architecture, Arrays
from skpapers._torch.inputs import Columns
from skpapers._torch.modules import ACTIVATIONS, layer_sizes
from skpapers._torch.network_base import NetworkEstimator
from skpapers._torch.rows import Rows
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.state import own_modes
from skpapers._validation import HasMethods, Interval, StrOptions, check_sample_weight, fit_context, safe_indexing
from skpapers.few_shot._domains import read_labels
from skpapers.few_shot._startup import Features, FewShotNetwork
from skpapers.few_shot._startup_stages import FittedNetworks, Roles, Stages
from skpapers.few_shot._views import NAMED
from skpapers.few_shot._wrapped_classifier import WrappedClassifierMixin


def _classes(y: NDArray, holder: str) -> NDArray:
    classes = np.unique(y)
    if len(classes) < 2:
        raise ValueError(f"STARTUPClassifier needs two classes or more; {holder} one class, {classes.tolist()[0]!r}.")
    return classes


class STARTUPClassifier(
    WrappedClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClassifierMixin,
    NetworkEstimator,
):
    r"""Classifier for a few labelled rows of new classes, on features learned from other rows (STARTUP).

    Use it for a target task with few labels, if there are many target rows without a label and many labelled rows of
    another task, the source. The source may have other classes. A teacher learns the source classes. A student learns
    to agree with the teacher on target rows, and to distinguish each row from all others. A plain classifier is fitted
    on the student's features of the labelled target rows. Without target rows the model is a network with that
    classifier on top.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(128, 64)
        Width of each hidden layer. The last one is the features.

    final_estimator : estimator object, default=None
        The classifier of the features, cloned. None is logistic regression with ``C=10``.

    distill_weight : float, default=1.0
        Weight of the distillation. With 0 for this and for `ssl_weight` the student is the teacher: plain transfer.

    ssl_weight : float, default=1.0
        Weight of the self-supervised loss. On some tables it does more than the rest of the method.

    temperature : float, default=1.0
        Divides the similarities in the self-supervised loss; a smaller one looks harder at the nearest rows.

    projection_dim : int, default=32
        Outputs of the projection that the self-supervised loss compares.

    augment : {"jitter", "mask", "exchange", "jitter+mask", "jitter+exchange"} or callable, default="jitter+mask"
        How two views of a target row are made. "jitter" adds normal noise of 0.3 in units of the scaled columns; "mask"
        hides each value with probability 0.2, "exchange" takes it from another row of the batch instead. A callable
        ``augment(X, rng)`` gets a float64 array of some target rows, in the units that `fit` was given, and a
        :class:`numpy.random.Generator`, and returns an array of that shape.

    init : {"teacher", "random"}, default="teacher"
        Where the student's hidden layers start. Its other layers are drawn, and without a teacher all of them.

    normalize : bool, default=True
        Divide the features of each row by their norm.

    unlabeled : object, default=None
        The entry of `y` that marks a row without a label, such as -1 or NaN. NaN and the NA of pandas mark missing
        labels of any kind: NaN, NA, None, nulls of polars. None: every row has a label; `fit` then warns if -1 is the
        only negative label, unless the labels are -1 and 1.

    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="relu"
        Activation after each hidden layer.

    batch_norm : bool, default=True
        Normalise each hidden layer before its activation, as the paper's networks do: source rows and each view by
        statistics of their own. Where rows are shifted between source and target, much of the gain comes from it.

    alpha : float, default=0.01
        Decoupled weight decay of the matrices.

    batch_size : int or "auto", default="auto"
        Largest number of target rows in a step, and of source rows; "auto" is 128. The self-supervised loss tells a row
        from the others of its step: with 1 there are no others, and it is 0.

    learning_rate_init : float, default=0.003
        Learning rate at the start of a cosine schedule that ends at 0, for teacher and student each.

    max_iter : int, default=40
        Number of epochs of the teacher, and of the student. An epoch of the student visits the larger of source and
        target about once.

    scaling : {"robust", "standard"} or None, default="standard"
        The first, fixed layer, by statistics of all rows: mean and standard deviation; median and interquartile range
        with a smooth clip at 3; or nothing.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders and views. `final_estimator` has its own.

    verbose : bool or int, default=False
        Print a line for each epoch.

    dtype : {"float32", "float64"}, default="float32"
        Of training; features are computed in float64.

    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train; "auto" is a GPU if torch finds one. A model trained there predicts anywhere.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes predicted: those of the labelled target rows or, if there are none, those of the source.

    source_classes_ : ndarray of shape (n_source_classes,)
        The classes of the teacher.

    final_estimator_ : estimator object
        The fitted classifier of the features.

    teacher_loss_curve_ : list of float
        Mean loss of the teacher in each epoch.

    loss_curve_ : list of float
        Mean loss of the student in each epoch; empty if the student is the teacher.

    student_losses_ : ndarray of shape (n_epochs, 3)
        Its parts, each before its weight: cross-entropy, distillation, self-supervision.

    n_iter_ : int
        Number of epochs, of teacher and student together.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.

    See Also
    --------
    DistributionCalibratedFewShot : Draws rows for rare classes from what is known of frequent ones.
    TargetDomainSplit : Cross-validation that scores target rows only.
    sklearn.semi_supervised.SelfTrainingClassifier : Pseudo-labels where all rows share one set of classes.

    Notes
    -----
    With source rows :math:`(x, y)`, target rows u, the teacher's probabilities :math:`q(u)` of the source classes and
    those of the student p, the student minimises

    .. math:: \frac{1}{n_s} \sum_x -\log p_y(x)
              + \frac{w_d}{n_t} \sum_u \frac{1}{2} \sum_{v=1}^{2} \mathrm{KL}(q(u) \,\|\, p(u_v))
              + \frac{w_s}{n_t} \sum_u \mathrm{NT\text{-}Xent}(u_1, u_2),

    :math:`w_d` being `distill_weight`, :math:`w_s` `ssl_weight`, and :math:`u_1, u_2` two random views of u. The
    normalised temperature-scaled cross-entropy of SimCLR asks for the one among all views of a batch that is of the
    same row, by the cosine of their projections.

    `sample_domain` marks the rows: it is positive for source rows and negative for target rows, as in
    skada. All target rows take part in the student's training, and the labels of some in the final fit alone: they may
    have nothing in common with those of the source. Without `sample_domain`, labelled rows are the source, and rows
    marked by `unlabeled` the target: the classes are those of the source. Without source rows there is no teacher, and
    the student learns by self-supervision alone. Without target rows, or where both weights are 0, the student is the
    teacher.

    Row weights enter every mean, and the final fit. They equal repeated rows where batches are whole, `batch_norm` is
    off and no student is trained: views are random, and a repeated row is compared with its own copy.

    Cost: O(n (p h + m h^2)) for an epoch of the student with p features and m layers of width h, n being the larger of
    :math:`n_s` and :math:`n_t`, and O(n b d) for the similarities of d projections in batches of b rows; an epoch of
    the teacher has :math:`n_s` rows. Memory: a few copies of X in float64, and one in `dtype`.

    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as arrays
    of numpy.

    **Differences from the paper.** Its networks are convolutional, and are trained for 1000 epochs by SGD with a
    learning rate chosen on target rows held back; here they are layers for tables with AdamW and a cosine schedule.
    The labelled target rows are among those the student learns from, without their labels; in the paper they are
    others. Source rows are not augmented, and the teacher's probabilities are not raised by 1e-6. An epoch that sees
    few target rows visits them more than once. The final classifier sees features of norm 1.

    References
    ----------
    .. [1] C. P. Phoo, B. Hariharan, "Self-training For Few-shot Transfer Across Extreme Task Differences", ICLR 2021.
       https://arxiv.org/abs/2010.07734. Official code: https://github.com/cpphoo/STARTUP
    .. [2] T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A Simple Framework for Contrastive Learning of Visual
       Representations", ICML 2020. https://arxiv.org/abs/2002.05709
    .. [3] D. Bahri, H. Jiang, Y. Tay, D. Metzler, "SCARF: Self-Supervised Contrastive Learning using Random Feature
       Corruption", ICLR 2022. https://arxiv.org/abs/2106.15147

    Examples
    --------
    Digits 0 to 4 are the source; of 5 to 9, one row each has a label.

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.few_shot import STARTUPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> domain = np.where(y < 5, 1, -1)
    >>> shots = [np.flatnonzero(y == digit)[0] for digit in range(5, 10)]
    >>> given = np.where(np.isin(np.arange(len(y)), shots) | (y < 5), y, -1)
    >>> model = STARTUPClassifier(max_iter=10, unlabeled=-1, random_state=0).fit(X, given, sample_domain=domain)
    >>> model.classes_
    array([5, 6, 7, 8, 9])
    >>> model.score(X[given == -1], y[given == -1]) > 0.6
    True
    >>> model.transform(X).shape
    (1797, 64)
    """

    _wrapped = "final_estimator"

    # requested by default: with routing there is no need to call set_fit_request
    __metadata_request__fit: ClassVar[dict] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict] = {
        **NetworkEstimator._parameter_constraints,
        **NetworkEstimator._scaling_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "final_estimator": [HasMethods(["fit", "predict"]), None],
        "distill_weight": [Interval(Real, 0, None, closed="left")],
        "ssl_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "projection_dim": [Interval(Integral, 1, None, closed="left")],
        "augment": [StrOptions(set(NAMED)), callable],
        "init": [StrOptions({"teacher", "random"})],
        "normalize": ["boolean"],
        "unlabeled": "no_validation",
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_norm": ["boolean"],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    _fitted: FittedNetworks
    source_classes_: NDArray

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (128, 64),
        *,
        final_estimator: Any = None,
        distill_weight: float = 1.0,
        ssl_weight: float = 1.0,
        temperature: float = 1.0,
        projection_dim: int = 32,
        augment: str | Callable[[NDArray, np.random.Generator], NDArray] = "jitter+mask",
        init: str = "teacher",
        normalize: bool = True,
        unlabeled: Any = None,
        activation: str = "relu",
        batch_norm: bool = True,
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        learning_rate_init: float = 0.003,
        max_iter: int = 40,
        scaling: str | None = "standard",
        random_state: Any = None,
        verbose: bool | int = False,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.final_estimator = final_estimator
        self.distill_weight = distill_weight
        self.ssl_weight = ssl_weight
        self.temperature = temperature
        self.projection_dim = projection_dim
        self.augment = augment
        self.init = init
        self.normalize = normalize
        self.unlabeled = unlabeled
        self.activation = activation
        self.batch_norm = batch_norm
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.scaling = scaling
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_domain: Any = None) -> Any:
        """Train teacher and student, and fit the final classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows of source and target, dense, without missing values.

        y : array-like of shape (n_samples,)
            Labels; `unlabeled` for target rows without one. Source and target may use one label for different things.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out. The final classifier must take weights, too.

        sample_domain : array-like of shape (n_samples,), default=None
            Positive for rows of the source, negative for rows of the target. None: labelled rows are the source.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If `unlabeled` does not mark labels that are missing, if there are fewer than two classes to learn or to
            predict, if a source row has no label, if a loss becomes NaN or infinite, or if `augment` returns something
            else than finite rows.

        TypeError
            If the final estimator is no classifier, or takes no weights and there are some.
        """
        weight_name = self._checked_weight_name(sample_weight)
        fitting = Fitting(self)
        rows_given = X
        y, unlabelled = read_labels(y, self.unlabeled)
        if unlabelled is not None and unlabelled.all():
            raise ValueError("No row has a label: STARTUPClassifier needs some of the source, of the target, or both.")
        X, y = validate_data(fitting.blank, X, y, dtype=np.float64, order="C")  # sums round by the layout
        unlabelled = np.zeros(len(y), dtype=bool) if unlabelled is None else unlabelled
        source = ~unlabelled if sample_domain is None else source_rows(sample_domain, X)
        extra = {"is_source": source, "is_unlabelled": unlabelled, "number": np.arange(len(y))}
        rows = Rows(X, y, check_sample_weight(sample_weight, X), extra).with_weight()
        roles = self._divide(rows)
        source_classes = roles.labelled.y[:0]
        if len(roles.source):
            source_classes = _classes(roles.source.y, "the source holds")
        _classes(roles.labelled.y, "the labelled target rows hold")
        if not len(roles.source) and self.ssl_weight == 0:
            raise ValueError("Without source rows nothing but self-supervision is left, and ssl_weight is 0.")
        scaling = Scaling(self.scaling).fitted(rows.X, rows.weight)

        stages = Stages(self, fitting, roles, scaling, source_classes, weight_name)
        (frame,) = indexable(rows_given)  # callbacks score rows with the names of the columns
        labelled = safe_indexing(frame, roles.labelled.extra["number"])
        fitting.begin(labelled, roles.labelled.y, stages.n_steps)
        stages.run()
        return fitting.publish(stages.fitted(silent=False))

    def _divide(self, rows: Rows[NDArray]) -> Roles:
        """Return the rows of the source, of the target, and those of the final fit."""
        source = rows.extra["is_source"]
        unlabelled = rows.extra["is_unlabelled"]
        if np.any(source & unlabelled):
            raise ValueError(
                f"Source rows need labels, and {np.sum(source & unlabelled)} of them are marked by "
                f"unlabeled={self.unlabeled!r}; rows without a label are target rows, of a negative sample_domain."
            )
        final = ~source & ~unlabelled
        final = final if final.any() else source
        if not final.any():
            raise ValueError("No row that has a label has a weight above 0.")
        for part in (final, source):
            if part.any():
                check_classification_targets(rows.y[part])
        return Roles(rows.where(source), rows.where(~source), rows.where(final))

    def _architecture(self, n_inputs: int, n_classes: int) -> Architecture:
        """Return the arguments of `_build`. A fitted model keeps them, since its parameters may change."""
        return {
            "n_inputs": n_inputs,
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes, fewest=1),
            "n_classes": n_classes,
            "activation": self.activation,
            "batch_norm": self.batch_norm,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> FewShotNetwork:
        return FewShotNetwork(**architecture, dtype=dtype)

    def _unfitted(self) -> Any:
        """Return the classifier to clone."""
        return LogisticRegression(C=10.0, max_iter=1000) if self.final_estimator is None else self.final_estimator

    # Prediction -----------------------------------------------------------------------------------------------------

    def to_torch(self) -> Features:
        """Return what makes features of rows as a module of torch, in float64 and evaluation mode.

        Returns
        -------
        module : torch.nn.Module
            It maps raw rows, a float64 tensor of shape (n, n_features), to what `transform` returns, scaling included.
            The module is a copy: training it leaves the estimator alone.
        """
        check_is_fitted(self)
        return self._features(self._fitted, self._fitted.student, normalize=self._fitted.normalize)

    @own_modes()
    def _features(self, fitted: FittedNetworks, weights: Arrays, *, normalize: bool) -> Features:
        """Return what makes features of raw rows, in float64 and evaluation mode."""
        network = self._network_of(fitted.architecture, weights)
        assert isinstance(network, FewShotNetwork)
        return Features(fitted.scaling.layer(), network, normalize).eval()

    def _apply(self, fitted: FittedNetworks, X: NDArray) -> NDArray:
        """Return the features of raw rows by networks that may not be this estimator's own."""
        features = self._features(fitted, fitted.student, normalize=fitted.normalize)
        return outputs_in_chunks(features, features.network, X)

    def transform(self, X: Any) -> NDArray:
        """Return the student's features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            The last hidden layer, each row of norm 1 where `normalize`.
        """
        return self._model_rows(X)

    def _model_rows(self, X: Any) -> NDArray:
        """Return an array, independent of `set_output`."""
        check_is_fitted(self)
        return self._apply(self._fitted, self._flat_rows(Columns(), X))

    def pseudo_labels(self, X: Any) -> NDArray:
        """Return the teacher's probabilities of the source classes, which the student is to match on target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        q : ndarray of shape (n_samples, n_source_classes)
            In the order of `source_classes_`.

        Raises
        ------
        ValueError
            If the model was fitted without source rows: it has no teacher.
        """
        check_is_fitted(self)
        if not len(self.source_classes_):
            raise ValueError("The model was fitted without source rows and has no teacher.")
        X = self._flat_rows(Columns(), X)
        teacher = self._features(self._fitted, self._fitted.teacher, normalize=False)
        with_head = nn.Sequential(teacher, teacher.network.classifier.linears[-1], nn.Softmax(dim=-1))
        return outputs_in_chunks(with_head, teacher.network, X)

    @property
    def _n_features_out(self) -> int:
        return self._fitted.architecture["hidden_layer_sizes"][-1]
