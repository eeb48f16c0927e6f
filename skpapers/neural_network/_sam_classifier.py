"""Multi-layer perceptrons for classes trained by sharpness-aware minimisation."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_classifier import NetworkClassifier
from skpapers.neural_network._sam_base import SharpnessAware
from skpapers.neural_network._sam_mlp_docs import PARTS


@filled_docstring(PARTS)
class SAMMLPClassifier(SharpnessAware, NetworkClassifier):
    r"""Network for classes, trained to lie in a flat valley of the loss (sharpness-aware minimisation).

    For numeric tables, raw columns included. Flat minima help most if labels are noisy. On clean, easy data there is
    little gain over `rho=0`.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(256, 256)
        Width of each hidden layer.

    {activation}

    {solver}

    {steps}

    {optimizer}

    {early_stopping_classes}

    {validation}

    {patience}

    {tol}

    {warm_start}

    {seed}

    {sam}

    {inputs}

    {hidden}

    {classes}

    {last}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    temperature_ : float
        From 1, the network's own logits, to 1000, the frequencies of the classes among the training rows.

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_classes}

    {best_score}

    {fitted_end}

    See Also
    --------
    SAMMLPRegressor : The same for numbers.
    SAM : The optimiser alone, for training loops of your own.
    LossLandscapeDisplay : The valley around the weights.
    sklearn.neural_network.MLPClassifier : Without scaling, embeddings, ensembles and sharpness.

    Notes
    -----
    {objective}

    Parameters that :class:`sklearn.neural_network.MLPClassifier` has as well mean the same, with two exceptions:
    `alpha` is not divided by the batch size, and `tol` is for `early_stopping` only. Without early stopping all
    `max_iter` epochs are run, since the learning rate falls to 0 over them. There are no parameters
    `learning_rate`, `power_t` and `max_fun`, and no solver "lbfgs". Several labels for a row are not supported.

    {cost}

    Let pi be the frequencies of the classes among the training rows, weights included. The probabilities are
    softmax(log pi + (logits - log pi) / T). A network that has learned nothing thus predicts pi, whereas a division
    of the logits alone would end at equal probabilities. Unlike a division of the logits, this may change the most
    probable class, and with it `predict`. The temperature T minimises the log loss of rows held back,
    of each class the last fifth (by weight); `validation_split="random"` holds back random ones. A second network,
    trained as the first but on the other rows, predicts them; `fit` takes 1.8 times as long for it. From 10000 rows
    on "auto" leaves T at 1: networks were hardly overconfident there. With `early_stopping` its validation rows give
    the temperature, without a second network. Half a row with the probabilities pi is added to them, since a network
    that is right on all of few rows may be wrong on the next. If the rows are weak evidence that the network is
    better than pi, T is larger: with m the mean gain in log loss over pi and s its standard error, 1 / T is multiplied
    by max(1/2, 1 - (s / m)^2). T is never below 1. It is 1 for fewer than 20 rows, or for fewer than 4 validation rows
    of `early_stopping`.

    Only a fit from new weights fits T. `partial_fit` and a warm start change the weights and keep T, which may
    then be too large or too small: fit anew, or use :class:`sklearn.calibration.CalibratedClassifierCV`. Rows in
    the order of time: if the share of a class changes, some of its last rows are earlier than training rows of
    other classes. Where that matters, use `early_stopping` with `X_val` and `y_val`, or `calibration=None`.

    {differences}

    References
    ----------
    {references}
    .. [4] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
       https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from skpapers.neural_network import SAMMLPClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = SAMMLPClassifier((32,), random_state=0).fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.9
    True
    >>> plain = SAMMLPClassifier((32,), rho=0, random_state=0).fit(X_train, y_train)
    >>> model.sharpness(X_train, y_train) < plain.sharpness(X_train, y_train)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **SharpnessAware._parameter_constraints,
        **NetworkClassifier._classes_constraints,
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
        label_smoothing: float = 0.0,
        class_weight: dict | str | None = None,
        calibration: str | None = "auto",
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.calibration = calibration
        self.mixup_alpha = mixup_alpha
        self.dtype = dtype
        self.device = device
