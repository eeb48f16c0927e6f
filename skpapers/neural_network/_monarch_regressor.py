"""Multi-layer perceptrons with Monarch matrices, for numbers."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.neural_network._monarch_base import MonarchEstimator
from skpapers.neural_network._monarch_mlp_docs import PARTS


@filled_docstring(PARTS)
class MonarchMLPRegressor(MonarchEstimator, NetworkRegressor):
    r"""Wide network for numbers whose matrices are products of two block-diagonal ones (Monarch matrices).

    For tables of many columns, where wide dense networks are slow: a layer of width h has 2 h^(3/2) parameters instead
    of h^2. Narrow networks gain nothing. `mode` says whether the matrices stay Monarch matrices, become dense ones at
    the end of training, or compress a dense network.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(512, 512)
        Width of each hidden layer.

    {activation}

    {structure}

    {solver}

    {steps}

    {optimizer}

    {early_stopping_numbers}

    {validation}

    {patience}

    {tol}

    {warm_start}

    {seed}

    {sam}

    {inputs}

    {hidden}

    {numbers}

    {last}

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        What is subtracted from the targets, and what they are divided by; see :class:`SAMMLPRegressor`.

    {fitted_sizes}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_numbers}

    {best_score}

    {fitted_end}

    See Also
    --------
    MonarchMLPClassifier : The same for classes.
    MonarchLinear : The layer, for networks of torch.
    monarch_project : The nearest Monarch matrix.
    SAMMLPRegressor : Dense matrices, trained by sharpness-aware minimisation.

    Notes
    -----
    {notes}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skpapers.neural_network import MonarchMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> settings = {"numeric_embedding": "none", "max_iter": 20, "random_state": 0}
    >>> model = MonarchMLPRegressor((256, 256), mode="sparse_to_dense", **settings).fit(X[:300], y[:300])
    >>> model.score(X[300:], y[300:]) > 0.4
    True
    >>> model.compression_
    1.0
    """

    _parameter_constraints: ClassVar[dict] = {
        **MonarchEstimator._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (512, 512),
        *,
        activation: str = "silu",
        n_blocks: int | str = "sqrt",
        rank: int | str = "auto",
        mode: str = "end_to_end",
        switch_at: float = 0.9,
        finetune: float = 0.3,
        min_compression: float = 8.0,
        residual: bool = True,
        solver: str = "adamw",
        alpha: float = 0.1,
        batch_size: int | str = "auto",
        learning_rate_init: float | str = "auto",
        max_iter: int | str = "auto",
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
        adaptive: bool = False,
        sam_fraction: float | str = "auto",
        scaling: str | None = "robust",
        numeric_embedding: str = "periodic",
        batch_norm: bool = False,
        dropout: float = 0.2,
        n_ensemble: int = 1,
        loss: str = "squared_error",
        quantile: float = 0.5,
        mixup_alpha: float = 0.0,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_blocks = n_blocks
        self.rank = rank
        self.mode = mode
        self.switch_at = switch_at
        self.finetune = finetune
        self.min_compression = min_compression
        self.residual = residual
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
        self.adaptive = adaptive
        self.sam_fraction = sam_fraction
        self.scaling = scaling
        self.numeric_embedding = numeric_embedding
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.n_ensemble = n_ensemble
        self.loss = loss
        self.quantile = quantile
        self.mixup_alpha = mixup_alpha
        self.dtype = dtype
        self.device = device
