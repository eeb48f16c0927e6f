"""Convolutional networks for classes and for numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_classifier import NetworkClassifier
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.convolution._convnet_base import ConvNetEstimator
from skpapers.convolution._convnet_docs import PARTS


@filled_docstring(PARTS)
class ConvNetClassifier(ConvNetEstimator, NetworkClassifier):
    r"""Convolutional network for classes of images and of series.

    For rows whose columns lie beside one another: pixels, or the steps of a window.

    {rows}

    Parameters
    ----------
    {network}

    {dropout_classes}

    {steps}

    {early_stopping_classes}

    {validation}

    {patience}

    {tol}

    {state}

    {more}

    {channel_scaling}

    {classes}

    {training_device}

    Attributes
    ----------
    {fitted_classes}

    {fitted_shape}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_classes}

    {best_score}

    {fitted_end}

    See Also
    --------
    ConvNetRegressor : The same for numbers.
    SAMMLPClassifier : A perceptron, for tables.

    Notes
    -----
    {notes}

    {cost}

    {repeats}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.convolution import ConvNetClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ConvNetClassifier(max_iter=5, random_state=0).fit(X[:800], y[:800])  # flat rows of 8 x 8 pixels
    >>> model.image_shape_
    (1, 8, 8)
    >>> model.score(X[800:], y[800:]) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **ConvNetEstimator._parameter_constraints,
        **NetworkClassifier._classes_constraints,
    }

    def __init__(
        self,
        hidden_channels: ArrayLike = (16, 32, 64),
        *,
        image_shape: ArrayLike | None = None,
        kernel_size: int = 3,
        strides: ArrayLike = 1,
        pooling: str = "average",
        padding_mode: str = "zeros",
        even_padding: str = "warn",
        activation: str = "relu",
        batch_norm: bool = True,
        dropout: float = 0.2,
        solver: str = "adamw",
        alpha: float = 0.1,
        batch_size: int = 32,
        learning_rate_init: float = 0.005,
        max_iter: int = 20,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_split: str = "last",
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool | int = False,
        rho: float = 0.0,
        mixup_alpha: float = 0.0,
        n_ensemble: int = 1,
        scaling: str | None = "standard",
        label_smoothing: float = 0.0,
        class_weight: dict | str | None = None,
        calibration: str | None = None,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_channels = hidden_channels
        self.image_shape = image_shape
        self.kernel_size = kernel_size
        self.strides = strides
        self.pooling = pooling
        self.padding_mode = padding_mode
        self.even_padding = even_padding
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.rho = rho
        self.mixup_alpha = mixup_alpha
        self.n_ensemble = n_ensemble
        self.scaling = scaling
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.calibration = calibration
        self.dtype = dtype
        self.device = device


@filled_docstring(PARTS)
class ConvNetRegressor(ConvNetEstimator, NetworkRegressor):
    r"""Convolutional network for numbers, on images and on series.

    The target is standardised inside. `loss` chooses means, medians, other quantiles, or means that outliers do not
    move. There may be several targets.

    {rows}

    Parameters
    ----------
    {network}

    {dropout_numbers}

    {steps}

    {early_stopping_numbers}

    {validation}

    {patience}

    {tol}

    {state}

    {more}

    {channel_scaling}

    {loss}

    {training_device}

    Attributes
    ----------
    {fitted_numbers}

    {fitted_shape}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_numbers}

    {best_score}

    {fitted_end}

    See Also
    --------
    ConvNetClassifier : The same for classes.
    SAMMLPRegressor : A perceptron, for tables.

    Notes
    -----
    {notes}

    {cost}

    {repeats}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    Windows of 20 days of three returns; the target is tomorrow's return of the first, which follows its last two:

    >>> import numpy as np
    >>> from skpapers.convolution import ConvNetRegressor
    >>> returns = np.random.default_rng(0).normal(size=(600, 3, 20))
    >>> y = returns[:, 0, -1] - returns[:, 0, -2]
    >>> model = ConvNetRegressor((16, 16), pooling="flatten", random_state=0).fit(returns[:500], y[:500])
    >>> model.score(returns[500:], y[500:]) > 0.8
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **ConvNetEstimator._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        hidden_channels: ArrayLike = (16, 32, 64),
        *,
        image_shape: ArrayLike | None = None,
        kernel_size: int = 3,
        strides: ArrayLike = 1,
        pooling: str = "average",
        padding_mode: str = "zeros",
        even_padding: str = "warn",
        activation: str = "relu",
        batch_norm: bool = True,
        dropout: float = 0.0,
        solver: str = "adamw",
        alpha: float = 0.1,
        batch_size: int = 32,
        learning_rate_init: float = 0.005,
        max_iter: int = 20,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_split: str = "last",
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool | int = False,
        rho: float = 0.0,
        mixup_alpha: float = 0.0,
        n_ensemble: int = 1,
        scaling: str | None = "standard",
        loss: str = "squared_error",
        quantile: float = 0.5,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_channels = hidden_channels
        self.image_shape = image_shape
        self.kernel_size = kernel_size
        self.strides = strides
        self.pooling = pooling
        self.padding_mode = padding_mode
        self.even_padding = even_padding
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.rho = rho
        self.mixup_alpha = mixup_alpha
        self.n_ensemble = n_ensemble
        self.scaling = scaling
        self.loss = loss
        self.quantile = quantile
        self.dtype = dtype
        self.device = device
