"""Performers on windows of series and on tables, for classes and for numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.attention._performer_base import PerformerEstimator
from skpapers.attention._performer_docs import PARTS
from skpapers.attention._sequence_classifier import SequenceClassifier


@filled_docstring(PARTS)
class PerformerClassifier(PerformerEstimator, SequenceClassifier):
    r"""Transformer for classes whose attention is linear in the length (Performer, FAVOR+).

    {summary}

    {rows}

    Parameters
    ----------
    {size}

    {heads}

    {layer}

    {sequence}

    {training}

    {early_stopping_classes}

    {validation}

    {patience}

    {tol}

    {state}

    {channel_scaling}

    {labels}

    {training_device}

    Attributes
    ----------
    {fitted_classes}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_classes}

    {best_score}

    {fitted_end}

    See Also
    --------
    PerformerRegressor : The same for numbers.
    {see_also_classifier}

    Notes
    -----
    {notes}

    {network_notes}

    {cost}

    {repeats}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.attention import PerformerClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> rows_of_pixels = X.reshape(-1, 8, 8)  # 8 steps of 8 channels
    >>> model = PerformerClassifier(max_iter=5, calibration=None, random_state=0).fit(rows_of_pixels[:1000], y[:1000])
    >>> model.score(rows_of_pixels[1000:], y[1000:]) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **PerformerEstimator._parameter_constraints,
        **SequenceClassifier._classes_constraints,
    }

    def __init__(
        self,
        d_model: int = 32,
        n_layers: int = 2,
        n_heads: int = 2,
        *,
        n_features: int | None = None,
        kernel: str = "softmax",
        redraw_interval: int | None = None,
        attention: str = "auto",
        causal: bool = False,
        pool: str = "mean",
        positions: str | None = "learned",
        tokenize: str = "steps",
        categorical_features: ArrayLike | None = None,
        n_channels: int = 1,
        mask_nan: bool = False,
        first_norm: bool = False,
        dropout: float = 0.0,
        alpha: float = 0.01,
        batch_size: int = 32,
        learning_rate_init: float = 0.003,
        max_iter: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_split: str = "last",
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool | int = False,
        scaling: str | None = "robust",
        label_smoothing: float = 0.0,
        class_weight: dict | str | None = None,
        calibration: str | None = "auto",
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.n_features = n_features
        self.kernel = kernel
        self.redraw_interval = redraw_interval
        self.attention = attention
        self.causal = causal
        self.pool = pool
        self.positions = positions
        self.tokenize = tokenize
        self.categorical_features = categorical_features
        self.n_channels = n_channels
        self.mask_nan = mask_nan
        self.first_norm = first_norm
        self.dropout = dropout
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.scaling = scaling
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.calibration = calibration
        self.dtype = dtype
        self.device = device


@filled_docstring(PARTS)
class PerformerRegressor(PerformerEstimator, NetworkRegressor):
    r"""Transformer for numbers whose attention is linear in the length (Performer, FAVOR+).

    {summary}

    {rows}

    Parameters
    ----------
    {size}

    {heads}

    {layer}

    {sequence}

    {training}

    {early_stopping_numbers}

    {validation}

    {patience}

    {tol}

    {state}

    {channel_scaling}

    {loss}

    {training_device}

    Attributes
    ----------
    {fitted_numbers}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_numbers}

    {best_score}

    {fitted_end}

    See Also
    --------
    PerformerClassifier : The same for classes.
    {see_also_regressor}

    Notes
    -----
    {notes}

    {network_notes}

    {cost}

    {repeats}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.attention import PerformerRegressor
    >>> returns = np.random.default_rng(0).normal(size=(600, 20))
    >>> volatility = np.abs(returns).mean(axis=1)
    >>> model = PerformerRegressor(causal=True, max_iter=10, random_state=0).fit(returns[:500], volatility[:500])
    >>> model.score(returns[500:], volatility[500:]) > 0.5
    True
    >>> state = model.init_state(n_rows=100)
    >>> for step in returns[500:].T:
    ...     prediction, state = model.partial_predict(step[:, np.newaxis], state)
    >>> np.allclose(prediction, model.predict(returns[500:]))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **PerformerEstimator._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        d_model: int = 32,
        n_layers: int = 2,
        n_heads: int = 2,
        *,
        n_features: int | None = None,
        kernel: str = "softmax",
        redraw_interval: int | None = None,
        attention: str = "auto",
        causal: bool = False,
        pool: str = "mean",
        positions: str | None = "learned",
        tokenize: str = "steps",
        categorical_features: ArrayLike | None = None,
        n_channels: int = 1,
        mask_nan: bool = False,
        first_norm: bool = False,
        dropout: float = 0.0,
        alpha: float = 0.01,
        batch_size: int = 32,
        learning_rate_init: float = 0.003,
        max_iter: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_split: str = "last",
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool | int = False,
        scaling: str | None = "robust",
        loss: str = "squared_error",
        quantile: float = 0.5,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.n_features = n_features
        self.kernel = kernel
        self.redraw_interval = redraw_interval
        self.attention = attention
        self.causal = causal
        self.pool = pool
        self.positions = positions
        self.tokenize = tokenize
        self.categorical_features = categorical_features
        self.n_channels = n_channels
        self.mask_nan = mask_nan
        self.first_norm = first_norm
        self.dropout = dropout
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.scaling = scaling
        self.loss = loss
        self.quantile = quantile
        self.dtype = dtype
        self.device = device
