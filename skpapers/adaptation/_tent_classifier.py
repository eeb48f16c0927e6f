"""The estimator around `_tent`: a network for classes that goes on adapting to rows without labels."""

from __future__ import annotations

from copy import copy, deepcopy
from numbers import Integral, Real
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skpapers._docstrings import filled_docstring
from skpapers._fitting import Fitting
from skpapers._torch.chunks import outputs_in_chunks
from skpapers._torch.fitted import FittedNetwork
from skpapers._torch.network_classifier import NetworkClassifier, probabilities
from skpapers._torch.reading import Given
from skpapers._torch.state import choose_device, own_modes, own_precision
from skpapers._validation import HasMethods, Interval, StrOptions, fit_context
from skpapers._warnings import warn_user
from skpapers.adaptation._adaptation_evidence import AdaptationReport, ClassGeometry, class_geometry
from skpapers.adaptation._adaptive_norms import is_batch_norm
from skpapers.adaptation._batch_norm_classifier import BatchNormClassifier
from skpapers.adaptation._target_statistics import RULES, StatisticsRule
from skpapers.adaptation._tent import TentSettings
from skpapers.adaptation._tent_docs import PARTS
from skpapers.adaptation._tent_progress import Adapter, Progress, features_and_outputs
from skpapers.adaptation._tent_state import put_arrays
from skpapers.base import DocLinkMixin


@filled_docstring(PARTS)
class TentClassifier(DocLinkMixin, CallbackSupportMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Network for classes that goes on adapting to rows without labels (Tent).

    For a model in use whose inputs drift: other sensors, other light, other units, other customers. Each call of
    `partial_fit` takes the next rows of the stream, without labels, and moves the statistics, scales and shifts of the
    batch normalisation. Whether the adapted network predicts is decided by evidence that needs no labels either. It
    cannot follow a change of what the labels mean.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    tent : The same for any module of torch.
    DriftMonitorDisplay : A plot of shift, entropy and decisions.
    ConvNetClassifier : Has batch normalisation by default.

    Notes
    -----
    {notes}

    References
    ----------
    {references}

    Examples
    --------
    Images of digits whose contrast falls to a quarter:

    >>> from sklearn.datasets import load_digits
    >>> from skpapers.adaptation import TentClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = TentClassifier(random_state=0).fit(X[:900], y[:900])
    >>> faint = X[900:] / 4 + 6
    >>> model.score(faint, y[900:]) < 0.5
    True
    >>> for start in range(0, 800, 100):
    ...     model = model.partial_fit(faint[start : start + 100])
    >>> model.is_adapted_, model.score(faint, y[900:]) > 0.9
    (True, True)
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "stats": [StrOptions(set(RULES))],
        "adapt": [StrOptions({"auto", "always", "never"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "entropy_margin": [Interval(Real, 0, None, closed="neither"), None],
        "prior_samples": [Interval(Real, 0, None, closed="left")],
        "ema_momentum": [Interval(Real, 0, 1, closed="right")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_recent": [Interval(Integral, 2, None, closed="left")],
        "reset_on_collapse": ["boolean"],
        "random_state": ["random_state"],
    }

    estimator_: NetworkClassifier
    _geometries: tuple[ClassGeometry, ...]
    _progress: Progress

    def __init__(
        self,
        estimator: Any = None,
        *,
        stats: str = "prior",
        adapt: str = "auto",
        learning_rate: float = 0.001,
        n_steps: int = 1,
        entropy_margin: float | None = 0.4,
        prior_samples: float = 16,
        ema_momentum: float = 0.1,
        batch_size: int = 256,
        n_recent: int = 512,
        reset_on_collapse: bool = False,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.stats = stats
        self.adapt = adapt
        self.learning_rate = learning_rate
        self.n_steps = n_steps
        self.entropy_margin = entropy_margin
        self.prior_samples = prior_samples
        self.ema_momentum = ema_momentum
        self.batch_size = batch_size
        self.n_recent = n_recent
        self.reset_on_collapse = reset_on_collapse
        self.random_state = random_state

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> TentClassifier:
        """Fit the network on rows of the source, or take a fitted one; earlier adaptation is forgotten.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows. A frozen network is not fitted again: they say where its classes lie, which the evidence
            needs.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        X_val, y_val : array-like, default=None
            Rows for early stopping, where the wrapped estimator stops early.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        TypeError
            If `estimator` is no classifier of this package that is a network.

        ValueError
            If it has no batch normalisation, or where its own `fit` raises one.
        """
        model = self._model()
        fitting = Fitting(self)
        fitting.begin(X, y, n_steps=1)
        if not isinstance(self.estimator, FrozenEstimator):
            held = {} if X_val is None and y_val is None else {"X_val": X_val, "y_val": y_val}
            with fitting.step("fit-network", data=(X, y)) as step, step.passed_on_to(model):
                model.fit(X, y, sample_weight=sample_weight, **held)
        _check_adapts(model, any(is_batch_norm(module) for module in _source(model).modules()))
        names = ("n_features_in_", "feature_names_in_", "classes_")
        return fitting.publish(
            {
                **{name: getattr(model, name) for name in names if hasattr(model, name)},
                "estimator_": model,
                "_geometries": self._geometries_of(model, Given(X, y, sample_weight)),
                "_progress": Progress(),
            }
        )

    def _model(self) -> NetworkClassifier:
        """Return the network to fit, or a fitted one, of a kind that can adapt."""
        frozen = isinstance(self.estimator, FrozenEstimator)
        given = self.estimator.estimator if frozen else self.estimator
        if given is None:
            return BatchNormClassifier(random_state=self.random_state)
        if not isinstance(given, NetworkClassifier):
            raise TypeError(
                "TentClassifier takes a classifier of this package with batch normalisation, such as ConvNetClassifier "
                f"or SAMMLPClassifier(batch_norm=True), or a FrozenEstimator of one; got {type(given).__name__}."
            )
        if frozen:
            check_is_fitted(given)
            return copy(given)
        _check_adapts(given, getattr(given, "batch_norm", False))
        return clone(given)

    @own_precision()
    def _geometries_of(self, model: NetworkClassifier, given: Given) -> tuple[ClassGeometry, ...]:
        """Return where the training rows of each class lie in the features."""
        setup, rows = model._read(model, model._fitted, model._target(), given)
        rows = rows.with_weight()
        features, _ = features_and_outputs(_source(model), model._input_tensor(setup, rows.X))
        found = [class_geometry(h, rows.y, rows.weight) for h in features]
        return () if any(one is None for one in found) else tuple(one for one in found if one is not None)

    # Adaptation -----------------------------------------------------------------------------------------------------

    def partial_fit(self, X: Any, y: Any = None) -> TentClassifier:
        """Adapt to rows without labels, the next ones of a stream.

        Give as many rows at once as are at hand. Parameters may be set to other values between calls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, in their order.

        y : None
            Ignored: labels take no part.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.

        Raises
        ------
        ValueError
            If X has no rows, other columns, or missing values, or if the adapted network is not finite.

        Warns
        -----
        UserWarning
            If the predictions fall into one class, see `reset_on_collapse`.
        """
        self._validate_params()
        check_is_fitted(self)
        before = self._progress
        after = self._after(before, X)
        _hand_on(before, after)
        self._progress = after
        if after.collapsed and not before.collapsed:
            warn_user(
                "The predictions of the adapted model have fallen into one class, and those of the source have not. "
                + ("It is the source again." if self.reset_on_collapse else "Call reset(), or set reset_on_collapse.")
            )
        return self

    @own_precision()
    def _after(self, progress: Progress, X: Any) -> Progress:
        """Return the progress after further rows."""
        model = self.estimator_
        rows = model._flat_rows(model._fitted.setup.inputs, X)
        inputs = model._input_tensor(model._fitted.setup, rows).cpu().numpy()
        try:
            return self._adapter().after(progress, inputs, self.adapt, resets=self.reset_on_collapse)
        except FloatingPointError:
            raise ValueError(
                f"TentClassifier: the adapted network became NaN or infinite; lower learning_rate="
                f"{self.learning_rate:g}, or look for outliers in X."
            ) from None

    def _adapter(self) -> Adapter:
        rule = StatisticsRule(self.stats, float(self.prior_samples), float(self.ema_momentum))
        settings = TentSettings(rule, self.learning_rate, self.n_steps, self.entropy_margin)
        model = self.estimator_
        device = choose_device(model.device)
        return Adapter(lambda: _source(model), settings, device, self._geometries, self.batch_size, self.n_recent)

    def reset(self) -> TentClassifier:
        """Return to the source; what was measured is forgotten as well.

        Returns
        -------
        self : object
            The estimator as it was after `fit`.
        """
        check_is_fitted(self)
        self._progress = Progress()
        return self

    # Prediction -----------------------------------------------------------------------------------------------------

    def _network(self, progress: Progress) -> FittedNetwork:
        """Return the network that predicts."""
        fitted = self.estimator_._fitted
        if not progress.uses_adapted(self.adapt):
            return fitted
        return FittedNetwork(
            fitted.setup, fitted.architecture, {**fitted.weights, **progress.state.norms}, {}, fitted.history
        )

    def _outputs(self, X: Any, progress: Progress) -> NDArray:
        model = self.estimator_
        rows = model._flat_rows(model._fitted.setup.inputs, X)
        key = progress.state if progress.uses_adapted(self.adapt) else model._fitted
        module = _PREDICTORS.get(key)
        if module is None:
            with own_modes():
                module = model._module_of(self._network(progress))
            _PREDICTORS[key] = module
        return outputs_in_chunks(module, module.network, rows)

    def predict_proba(self, X: Any) -> NDArray:
        """Predict the probabilities of the classes by the source or the adapted network, see `adapt`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        return probabilities(self._outputs(X, self._progress))

    def predict(self, X: Any) -> NDArray:
        """Predict the most probable class by the source or the adapted network, see `adapt`; nothing adapts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        check_is_fitted(self)
        return self.estimator_._labels(self._outputs(X, self._progress))

    @own_modes()
    def to_torch(self) -> nn.Module:
        """Return the network that predicts as a module of torch, in float64 and evaluation mode.

        Returns
        -------
        module : torch.nn.Module
            From rows to the log-odds of the second of two classes, or to logits; a copy.
        """
        check_is_fitted(self)
        return self.estimator_._module_of(self._network(self._progress))

    def predict_adapted(self, X: Any) -> NDArray:
        """Predict by a copy of the source that adapts to these rows alone (episodic adaptation).

        The estimator does not change. Unlike that of `predict`, the prediction of a row depends on the other rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels. With ``adapt="auto"`` the source predicts, unless the evidence of these rows recommends the copy.
            With ``adapt="never"`` the source predicts.
        """
        self._validate_params()
        check_is_fitted(self)
        return self.estimator_._labels(self._outputs(X, self._after(Progress(), X)))

    # What was measured ----------------------------------------------------------------------------------------------

    @property
    def adaptation_report_(self) -> AdaptationReport:
        """Source and adapted model beside each other on recent rows."""
        check_is_fitted(self)
        if self._progress.recent is None:
            raise AttributeError("adaptation_report_ exists after rows without labels: call partial_fit first.")
        return self._progress.report or self._report()

    @own_precision()
    def _report(self) -> AdaptationReport:
        return self._adapter().report(self._progress)

    @property
    def is_adapted_(self) -> bool:
        """Whether the adapted model predicts."""
        return self._progress.uses_adapted(self.adapt)

    @property
    def entropy_history_(self) -> NDArray[np.float64]:
        """Mean entropy of the predictions for each batch."""
        return self._progress.monitor.entropy

    @property
    def shift_history_(self) -> NDArray[np.float64]:
        """How far each batch has moved."""
        return self._progress.monitor.shift

    @property
    def batch_size_history_(self) -> NDArray[np.intp]:
        """Rows of each batch."""
        return self._progress.monitor.rows

    @property
    def is_adapted_history_(self) -> NDArray[np.bool_]:
        """Whether the adapted network predicted after each batch."""
        return self._progress.monitor.uses_adapted

    @property
    def n_resets_(self) -> int:
        """How often a collapse brought back the source."""
        return self._progress.n_resets

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(BatchNormClassifier() if self.estimator is None else self.estimator)
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.input_tags = deepcopy(inner.input_tags)
        return tags


def _check_adapts(model: NetworkClassifier, has_layers: bool) -> None:
    if not has_layers:
        raise ValueError(
            f"{type(model).__name__} has no batch normalisation here, which is what Tent adapts: set batch_norm=True, "
            "if it has this parameter, and at least one hidden layer."
        )


# Modules that have predicted, beside the state or the fitted network that they predict for: building one takes longer
# than a prediction for few rows.
_PREDICTORS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def _hand_on(before: Progress, after: Progress) -> None:
    """Let the module that predicted for a state, which is outdated, predict for the next one."""
    module = _PREDICTORS.pop(before.state, None)
    if module is not None and after.state.norms:
        put_arrays(module.network, after.state.norms)
        _PREDICTORS[after.state] = module


def _source(model: NetworkClassifier) -> nn.Module:
    """Return a fitted network with its weights in the dtype of training, on the device of training."""
    fitted = model._fitted
    with own_modes():
        network = model._build(fitted.architecture, getattr(torch, model.dtype))
        put_arrays(network, fitted.weights)
    device = choose_device(model.device)
    return network if device.type == "cpu" else network.to(device)
