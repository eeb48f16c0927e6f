"""The network that :class:`TentClassifier` fits if none is given: a perceptron with batch normalisation."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._torch.mlp_base import MLPEstimator
from skpapers._torch.network_classifier import NetworkClassifier


class BatchNormClassifier(MLPEstimator, NetworkClassifier):
    """Perceptron with batch normalisation before each activation, for classes of rows of a table.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(128, 64)
        Width of each hidden layer.

    alpha : float, default=0.01
        Weight decay of AdamW.

    batch_size : int, default=64
        Rows of a step.

    learning_rate_init : float, default=0.003
        Learning rate at the start of a cosine schedule that ends at 0.

    max_iter : int, default=30
        Number of epochs.

    random_state : int, RandomState instance or None, default=None
        Seed of weights and orders.

    dtype : {"float32", "float64"}, default="float32"
        Of training.

    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train.
    """

    _parameter_constraints: ClassVar[dict] = {
        **MLPEstimator._parameter_constraints,
        **MLPEstimator._scaling_constraints,
    }

    activation = "relu"
    numeric_embedding = "none"
    batch_norm = True
    dropout = 0.0
    scaling: str | None = "standard"
    verbose = False

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (128, 64),
        *,
        alpha: float = 0.01,
        batch_size: int = 64,
        learning_rate_init: float = 0.003,
        max_iter: int = 30,
        random_state: Any = None,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.dtype = dtype
        self.device = device
