"""A policy that adapts during deployment, for continuous actions."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.adaptation._pad_base import PADPolicyEstimator
from skpapers.adaptation._pad_docs import PARTS


@filled_docstring(PARTS)
class PADPolicyRegressor(PADPolicyEstimator, NetworkRegressor):  # type: ignore[misc]  # another partial_fit
    r"""Policy for continuous actions that adapts to what it sees after deployment (PAD).

    For controllers and execution policies whose sensors or surroundings drift after training, where neither rewards nor
    an expert tell what was right. It is cloned from an expert's actions. A second head of the network solves a task
    that needs no labels, and goes on doing so after deployment: `partial_fit` takes transitions just seen.

    Parameters
    ----------
    {network}

    {adaptation}

    {steps}

    {loss}

    {state}

    {training_device}

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        What is subtracted from the targets, and what they are divided by: mean and standard deviation; for "huber"
        median and interquartile range / 1.349. A constant target has scale 0: it is predicted exactly.

    {fitted}

    See Also
    --------
    PADPolicyClassifier : The same for labels.

    Notes
    -----
    {notes}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    A force moves a position, and the expert pushes it back to 0. After deployment the sensor has another gain:

    >>> import numpy as np
    >>> from skpapers.adaptation import PADPolicyRegressor
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(400, 1))
    >>> force = rng.normal(size=400)
    >>> x_next = x + 0.5 * force[:, None]
    >>> policy = PADPolicyRegressor(max_iter=20, adapt_learning_rate=0.01, random_state=0)
    >>> policy = policy.fit(x, -x[:, 0], X_next=x_next, action=force)
    >>> before = np.abs(policy.predict(0.5 * x) + x[:, 0]).mean()
    >>> policy = policy.partial_fit(0.5 * x, X_next=0.5 * x_next, action=force)
    >>> bool(np.abs(policy.predict(0.5 * x) + x[:, 0]).mean() < 0.5 * before)
    True
    >>> policy.n_adapted_, policy.reset().n_adapted_
    (400, 0)
    """

    _parameter_constraints: ClassVar[dict] = {
        **PADPolicyEstimator._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (64, 64),
        head_layer_sizes: ArrayLike = (64,),
        *,
        auxiliary: str = "inverse",
        auxiliary_weight: float = 1.0,
        hidden_channels: ArrayLike = (),
        image_shape: ArrayLike | None = None,
        kernel_size: int = 3,
        strides: ArrayLike = 1,
        activation: str = "silu",
        adapt_scope: str = "adapter",
        adapt_learning_rate: float = 0.003,
        adapt_steps: int = 1,
        adapt_batch_size: int = 32,
        adapt_window: int = 256,
        alpha: float = 0.0,
        batch_size: int = 64,
        learning_rate_init: float = 0.003,
        max_iter: int = 60,
        shuffle: bool = True,
        scaling: str | None = "standard",
        loss: str = "squared_error",
        quantile: float = 0.5,
        random_state: Any = None,
        verbose: bool | int = False,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.head_layer_sizes = head_layer_sizes
        self.auxiliary = auxiliary
        self.auxiliary_weight = auxiliary_weight
        self.hidden_channels = hidden_channels
        self.image_shape = image_shape
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activation
        self.adapt_scope = adapt_scope
        self.adapt_learning_rate = adapt_learning_rate
        self.adapt_steps = adapt_steps
        self.adapt_batch_size = adapt_batch_size
        self.adapt_window = adapt_window
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.scaling = scaling
        self.loss = loss
        self.quantile = quantile
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device
