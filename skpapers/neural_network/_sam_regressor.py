"""Multi-layer perceptrons for numbers trained by sharpness-aware minimisation."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.neural_network._sam_base import SharpnessAware
from skpapers.neural_network._sam_mlp_docs import PARTS


@filled_docstring(PARTS)
class SAMMLPRegressor(SharpnessAware, NetworkRegressor):
    r"""Network for numbers, trained to lie in a flat valley of the loss (sharpness-aware minimisation).

    For numeric tables, raw columns included; the target is standardised inside. `loss` chooses means, medians, other
    quantiles, or means that outliers do not move. There may be several targets.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(256, 256)
        Width of each hidden layer.

    {activation}

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
        What is subtracted from the targets, and what they are divided by: mean and standard deviation; for "huber"
        median and interquartile range / 1.349. A constant target has scale 0: it is predicted exactly.

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_numbers}

    {best_score}

    {fitted_end}

    See Also
    --------
    SAMMLPClassifier : The same for classes.
    SAM : The optimiser alone, for training loops of your own.
    LossLandscapeDisplay : The valley around the weights.
    sklearn.neural_network.MLPRegressor : Without scaling, embeddings, ensembles and sharpness.

    Notes
    -----
    {objective}

    Parameters that :class:`sklearn.neural_network.MLPRegressor` has as well mean the same, with two exceptions:
    `alpha` is not divided by the batch size, and `tol` is for `early_stopping` only. Without early stopping all
    `max_iter` epochs are run, since the learning rate falls to 0 over them. There are no parameters
    `learning_rate`, `power_t` and `max_fun`, no solver "lbfgs" and no loss "poisson".

    {cost}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skpapers.neural_network import SAMMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SAMMLPRegressor((32,), random_state=0).fit(X[:300], y[:300])
    >>> model.score(X[300:], y[300:]) > 0.4
    True
    >>> upper = SAMMLPRegressor((32,), loss="quantile", quantile=0.9, random_state=0).fit(X[:300], y[:300])
    >>> upper.predict(X[300:]).mean() > model.predict(X[300:]).mean()
    np.True_
    """

    _parameter_constraints: ClassVar[dict] = {
        **SharpnessAware._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (256, 256),
        *,
        activation: str = "silu",
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
        rho: float = 0.05,
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
