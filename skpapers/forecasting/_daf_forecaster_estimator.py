"""The estimator around `_daf`: forecasts of a domain with few windows, helped by windows of other domains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skpapers._docstrings import filled_docstring
from skpapers._domains import domain_numbers
from skpapers._fitting import Fitting
from skpapers._torch.chunks import outputs_in_chunks
from skpapers._torch.network_base import NetworkEstimator
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.state import own_modes
from skpapers._validation import Interval, StrOptions, fit_context
from skpapers.forecasting._attention_maps_base import AttentionMapsMixin
from skpapers.forecasting._conformal_quantiles import fewest_windows, offsets
from skpapers.forecasting._daf import scale_history
from skpapers.forecasting._daf_base import DAFBase, places_of
from skpapers.forecasting._daf_docs import PARTS
from skpapers.forecasting._daf_fitted import FittedDAF, Forecaster, PointForecaster
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_stages import Stages
from skpapers.forecasting._series_base import SeriesForecasterMixin


@filled_docstring(PARTS)
class DAFForecaster(SeriesForecasterMixin, AttentionMapsMixin, RegressorMixin, DAFBase):
    r"""Forecaster of windows that shares its attention between a source and a target domain (DAF).

    Use it to forecast series of which there are few or short ones, the target, if there are many series of another
    kind, the source. Without a source it is a forecaster by attention of the target alone.

    Parameters
    ----------
    {size}

    {domains}

    {objective}

    {quantiles}

    {rows}

    {training}

    {stopping}

    {state}

    {training_device}

    Attributes
    ----------
    {fitted}

    n_features_in_ : int
        Number of features seen during fit: those of a flat window.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.

    See Also
    --------
    make_windows : Cuts series into windows.
    ForecastDisplay : Plots a forecast.
    AlignmentDisplay : Plots queries of source and target.
    TargetDomainSplit : Cross-validation that scores target rows only.

    Notes
    -----
    {notes}

    {differences}

    References
    ----------
    .. [1] X. Jin, Y. Park, D. Maddix, H. Wang, Y. Wang, "Domain Adaptation for Time Series Forecasting via Attention
       Sharing", ICML 2022. https://arxiv.org/abs/2102.06828. Official code:
       https://github.com/awslabs/gluonts/tree/dev/src/gluonts/nursery/daf
    .. [2] Y. Romano, E. Patterson, E. Candes, "Conformalized Quantile Regression", NeurIPS 2019.
       https://arxiv.org/abs/1905.03222

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.forecasting import DAFForecaster, make_windows
    >>> waves = np.sin(np.arange(40) / np.linspace(1.0, 2.0, 12)[:, None])
    >>> X, y, groups, times = make_windows(waves.T, history=16, horizon=4, step=4)
    >>> model = DAFForecaster(max_iter=8, learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).shape
    (3, 4)
    >>> model.forecast(waves.T).shape  # of each series
    (12, 4)
    """

    # requested by default: with routing there is no need to call set_fit_request
    __metadata_request__fit: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__predict: ClassVar[dict] = {"sample_domain": False}

    _parameter_constraints: ClassVar[dict] = {
        **NetworkEstimator._parameter_constraints,
        "d_model": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "kernel_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "warm_start_target": ["boolean"],
        "adversarial_weight": [Interval(Real, 0, None, closed="left")],
        "source_weight": [Interval(Real, 0, None, closed="left")],
        "forecast_weight": [Interval(Real, 0, None, closed="neither")],
        "loss": [StrOptions({"absolute_error", "squared_error"})],
        "quantiles": ["array-like", None],
        "conformal": ["boolean"],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "mask_nan": ["boolean"],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "adaptation_iter": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    _fitted: FittedDAF

    def __init__(
        self,
        d_model: int = 32,
        n_heads: int = 4,
        *,
        n_layers: int = 1,
        kernel_sizes: Any = (3, 5),
        warm_start_target: bool = True,
        adversarial_weight: float = 1.0,
        source_weight: float = 1.0,
        forecast_weight: float = 1.0,
        loss: str = "absolute_error",
        quantiles: Sequence[float] | None = None,
        conformal: bool = False,
        calibration_fraction: float = 0.2,
        n_channels: int = 1,
        mask_nan: bool = False,
        alpha: float = 0.01,
        batch_size: int = 32,
        learning_rate_init: float = 0.003,
        max_iter: int | str = "auto",
        adaptation_iter: int | str = "auto",
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        random_state: Any = None,
        verbose: bool | int = False,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.d_model = d_model
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.kernel_sizes = kernel_sizes
        self.warm_start_target = warm_start_target
        self.adversarial_weight = adversarial_weight
        self.source_weight = source_weight
        self.forecast_weight = forecast_weight
        self.loss = loss
        self.quantiles = quantiles
        self.conformal = conformal
        self.calibration_fraction = calibration_fraction
        self.n_channels = n_channels
        self.mask_nan = mask_nan
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.adaptation_iter = adaptation_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        sample_domain: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Histories of all domains, two steps or more. Flat rows hold the channels of the first step, then those of
            the second. The first channel is forecast. NaN is an error, unless `mask_nan`.

        y : array-like of shape (n_samples,) or (n_samples, horizon)
            The steps that follow.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. They count within a domain. Rows of weight 0 are left out.

        sample_domain : array-like of shape (n_samples,), default=None
            The domain of each row: one negative number for the target, and a positive one for each source. None: all
            rows are of the target.

        X_val, y_val : array-like, default=None
            Target rows for `early_stopping`, instead of some of the training rows.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If a history has fewer than two steps or no observed value, if every history is constant, if there are no
            rows of the target, or two targets, if rows are to be held back and none would be left, or if a loss becomes
            NaN or infinite.
        """
        domain = None if sample_domain is None else domain_numbers(sample_domain, X)
        fitting = Fitting(self)
        levels = self._levels()
        inputs, rows = self._read(fitting.blank, Given(X, y, sample_weight), reset=True)
        numbers = np.full(len(rows), -1.0) if domain is None else domain
        domains = places_of(numbers)
        rows = replace(rows, extra={"domain": np.searchsorted(domains, numbers)}).with_weight()
        held = self._read_validation(fitting.blank, inputs, X_val, y_val)
        roles, calibration = self._roles(rows, held)
        start = FittedDAF(self._architecture(inputs, rows, len(domains), levels), inputs, domains, levels, {}, {})
        stages = Stages(self, fitting, roles, start)
        fitting.begin(X, y, stages.n_steps)
        stages.run()
        fitted = stages.fitted()
        fitted["quantiles_"] = None if self.quantiles is None else np.array(self.quantiles, dtype=np.float64)
        if calibration is not None:
            fitted["_fitted"] = self._calibrated(fitted["_fitted"], calibration)
        return fitting.publish(fitted)

    def _calibrated(self, fitted: FittedDAF, rows: Rows[NDArray]) -> FittedDAF:
        """Return the model with the offsets of its quantiles."""
        assert fitted.levels is not None
        scale = scale_history(torch.from_numpy(rows.X))[2][:, 0].numpy()
        moves = scale > 0
        fewest = fewest_windows(fitted.levels)
        if np.sum(moves) < fewest:
            raise ValueError(
                f"conformal=True holds back {np.sum(moves)} target windows, and quantiles={self.quantiles!r} need "
                f"{fewest}: give more windows, a larger calibration_fraction, or quantiles nearer to the median."
            )
        outputs = self._outputs_of(fitted, rows.X.reshape(len(rows), -1), 0)
        errors = (rows.y[:, :, None] - outputs)[moves] / scale[moves, None, None]
        return replace(fitted, offsets=offsets(errors, fitted.levels))

    # Prediction -----------------------------------------------------------------------------------------------------

    def predict(self, X: Any, *, sample_domain: Any = None) -> NDArray:
        """Forecast, each step from the steps before it, forecasts included.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Histories.

        sample_domain : array-like of shape (n_samples,), default=None
            The domain of each row; None: all rows are of the target.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, horizon)
            Forecasts; with `quantiles` the median.

        Raises
        ------
        ValueError
            If the fit saw no such domain.
        """
        check_is_fitted(self)
        outputs = self._all_outputs(X, sample_domain)[..., self._fitted.architecture["point"]]
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def predict_quantiles(self, X: Any, *, sample_domain: Any = None) -> NDArray:
        """Forecast quantiles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Histories.

        sample_domain : array-like of shape (n_samples,), default=None
            The domain of each row; None: all rows are of the target. Offsets of `conformal` are those of the target.

        Returns
        -------
        quantiles : ndarray of shape (n_samples, horizon, n_quantiles)
            In the order of the parameter `quantiles`. They do not cross.

        Raises
        ------
        ValueError
            If the model was fitted without quantiles, or if the fit saw no such domain.
        """
        check_is_fitted(self)
        fitted = self._fitted
        if fitted.levels is None:
            raise ValueError("The model was fitted with quantiles=None and forecasts no quantiles.")
        asked = self.quantiles_
        return self._all_outputs(X, sample_domain)[..., np.searchsorted(fitted.levels, asked)]

    def _all_outputs(self, X: Any, sample_domain: Any) -> NDArray:
        """Return all outputs in the units of the series, of shape (n, H, n_outputs)."""
        fitted = self._fitted
        flat = self._flat_rows(fitted.inputs, X)
        windows = flat.reshape(len(flat), *fitted.inputs.known_shape)
        if fitted.inputs.allow_nan and np.isnan(windows[:, :, 0]).all(axis=1).any():
            raise ValueError("A row of X has no observed value of the series: a history needs at least one.")
        if sample_domain is None:
            return self._outputs_of(fitted, flat, 0)
        numbers = domain_numbers(sample_domain, flat)
        made = np.empty((len(flat), fitted.architecture["horizon"], fitted.architecture["n_outputs"]))
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            made[rows] = self._outputs_of(fitted, flat[rows], self._place(number))
        return made

    def _outputs_of(self, fitted: FittedDAF, X: NDArray, place: int) -> NDArray:
        """Return the outputs for flat rows of one domain."""
        with own_modes():
            module = self._forecaster(fitted, place)
        return outputs_in_chunks(module, module.network, X)

    def _forecaster(self, fitted: FittedDAF, place: int) -> Forecaster:
        network = self._network_of(fitted.architecture, fitted.weights)
        assert isinstance(network, DAFNetwork)
        offsets_of_target = fitted.offsets if place == 0 else None
        return Forecaster(network, fitted.inputs.known_shape, place, offsets_of_target).eval()

    @own_modes()
    def to_torch(self) -> nn.Module:
        """Return what forecasts the target as a module of torch, in float64 and evaluation mode.

        Returns
        -------
        module : torch.nn.Module
            It maps flat windows, a float64 tensor of shape (n, n_features), to what `predict` returns. The module is a
            copy: training it leaves the estimator alone.
        """
        check_is_fitted(self)
        return PointForecaster(self._forecaster(self._fitted, 0)).eval()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = self.mask_nan
        tags.regressor_tags.poor_score = True  # the columns of a table are not steps of a series that goes on in y
        return tags
