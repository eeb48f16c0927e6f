"""Multi-layer perceptrons for numbers trained by sharpness-aware minimisation."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike

from skpapers._torch.network_regressor import NetworkRegressor
from skpapers.neural_network._sam_base import SharpnessAware


class SAMMLPRegressor(SharpnessAware, NetworkRegressor):
    r"""Network for numbers, trained to lie in a flat valley of the loss (sharpness-aware minimisation).

    For numeric tables, raw columns included; the target is standardised inside. `loss` chooses means, medians, other
    quantiles, or means that outliers do not move. There may be several targets.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(256, 256)
        Width of each hidden layer.

    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="silu"
        Activation after each hidden layer.

    solver : {"adamw", "adam", "sgd"}, default="adamw"
        The base optimiser.

    alpha : float, default=0.1
        Weight decay of the matrices, not of biases and frequencies: for "adamw" each step multiplies them by 1
        - learning rate * `alpha`, otherwise it is an L2 penalty, `alpha` / 2 times the squared norm added to
        the mean loss.

    batch_size : int or "auto", default="auto"
        Rows of a step. "auto" is 64 up to 4000 training rows, 256 from 8000 on, and moves geometrically between
        them. Sharpness-aware minimisation gains from small batches.

    learning_rate_init : float or "auto", default="auto"
        Learning rate at the start of a cosine schedule that ends at 0 after `max_iter` epochs. "auto" is 0.005 up to
        4000 rows, 0.015 from 8000 on.

    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" is 60 up to 4000 rows, 36 from 8000 on.

    shuffle : bool, default=True
        Whether rows are visited in a new order in every epoch.

    momentum : float, default=0.9
        For "sgd".

    nesterovs_momentum : bool, default=True
        For "sgd".

    beta_1 : float, default=0.9
        Decay of the first moment, for "adamw" and "adam".

    beta_2 : float, default=0.999
        Decay of the second moment, for "adamw" and "adam".

    epsilon : float, default=1e-08
        Numerical stability of "adamw" and "adam".

    early_stopping : bool, default=False
        Hold rows back, end training when their loss no longer improves, and keep the weights of the best epoch.
        Of little use on small tables: the rows held back are missing.

    validation_fraction : float, default=0.1
        Share of the rows held back for `early_stopping`.

    validation_split : {"last", "random"}, default="last"
        Which rows are held back: the last ones, so that rows in the order of time are judged by what came
        later, or random ones.

    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.

    tol : float, default=0.0001
        An improvement of the validation score is larger than this.

    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling and classes stay as they are.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders, dropout and mixup.

    verbose : bool or int, default=False
        Print a line for each epoch.

    rho : float, default=0.05
        Radius of the neighbourhood in the norm of all parameters, :math:`\rho` in the paper (Eq. 1). With noisy
        labels try 0.1 to 0.3; with \"sgd\" 0.5 may diverge. 0 is the base optimiser alone, at half the cost.

    adaptive : bool, default=False
        Measure the neighbourhood relative to each weight (ASAM); then `rho` is 0.5 to 2.

    sam_fraction : float or "auto", default="auto"
        Share of the steps, the last ones, that take the second pass; the others are the base optimiser's. "auto" is
        1 up to 4000 rows, 0.1 from 8000 on. 1 is the paper's method. In `partial_fit` every step takes the second
        pass, unless this is 0.

    scaling : {"robust", "standard"} or None, default="robust"
        The first, fixed layer. "robust": median and interquartile range, so that raw columns work. Columns
        whose quartiles are equal (flags, many zeros), or whose 1st and 99th percentiles are more than 10
        interquartile ranges apart, go to the normal quantiles of their ranks instead, linearly between at most
        256 values. Then a smooth clip at 3. "standard": mean and standard deviation. None: X as it is.

    numeric_embedding : {"none", "periodic"}, default="periodic"
        "periodic" puts three learned periodic functions of each feature beside it; they fit targets that are
        not smooth in a feature. "none" is the plain network.

    batch_norm : bool, default=False
        Normalise each hidden layer before its activation; the first of the two passes updates the statistics.

    dropout : float, default=0.2
        Probability of zeroing each hidden value in training, by the same mask in both passes.

    n_ensemble : int, default=1
        Networks trained side by side in one set of tensors, each with its own start, orders and masks; their
        predictions are averaged.

    loss : {"squared_error", "absolute_error", "huber", "quantile"}, default="squared_error"
        Of the standardised target, averaged over the outputs. "huber" is quadratic up to 1.35 scales of the
        target, which are then robust ones.

    quantile : float, default=0.5
        The quantile predicted, for `loss="quantile"`.

    mixup_alpha : float, default=0.0
        Mix the rows of each batch in pairs with shares of Beta(`mixup_alpha`, `mixup_alpha`); 0 mixes nothing.

    dtype : {"float32", "float64"}, default="float32"
        Of training; predictions are computed in float64.

    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to train; "auto" is a GPU if torch finds one. A model trained there predicts anywhere.

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        What is subtracted from the targets, and what they are divided by: mean and standard deviation; for "huber"
        median and interquartile range / 1.349. A constant target has scale 0: it is predicted exactly.

    loss_curve_ : list of float
        Mean training loss of each epoch, over rows and members.

    loss_ : float
        The last of them.

    n_iter_ : int
        Number of epochs.

    validation_scores_ : list of float or None
        Minus the loss of the rows held back, of the standardised target, after each epoch, with `early_stopping`.

    best_validation_score_ : float or None
        The best of them.

    best_iter_ : int or None
        The epoch whose weights were kept, counted from 1.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the input had them.

    See Also
    --------
    SAMMLPClassifier : The same for classes.
    SAM : The optimiser alone, for training loops of your own.
    LossLandscapeDisplay : The valley around the weights.
    sklearn.neural_network.MLPRegressor : Without scaling, embeddings, ensembles and sharpness.

    Notes
    -----
    With L the mean loss of a batch, :math:`\ell` of a row, and all parameters in one vector w, the objective is

    .. math:: \min_w \max_{\|e\|_2 \le \rho} L(w + e), \qquad L(w) = \frac{1}{b} \sum_i w_i\, \ell(f_w(x_i), y_i),

    with row weights scaled to a mean of 1. Each step takes the gradient at :math:`w + \rho\, g / \|g\|_2`, g being
    the gradient at w of the same batch, with the same dropout mask and mixed partners; then w is restored bit for
    bit and the base optimiser takes the step. Members of an ensemble have norms of their own.

    Parameters that :class:`sklearn.neural_network.MLPRegressor` has as well mean the same, with two exceptions:
    `alpha` is not divided by the batch size, and `tol` is for `early_stopping` only. Without early stopping all
    `max_iter` epochs are run, since the learning rate falls to 0 over them. There are no parameters
    `learning_rate`, `power_t` and `max_fun`, no solver "lbfgs" and no loss "poisson".

    Cost: O(n (4 p h + 16 p + m h^2)) for an epoch with p features and m layers of width h, and twice that for the share
    `sam_fraction` of the steps if `rho` > 0. Members of small width cost less together than one after the other.
    Memory: X in float64 and in `dtype`; `predict` converts X in chunks and needs little more memory than X.

    "auto" settings of n rows, with t = log2(n / 4000) between 0 and 1: `batch_size` :math:`64 \cdot 4^t`,
    `learning_rate_init` :math:`0.005 \cdot 3^t`, `max_iter` :math:`60 \cdot 0.6^t`, `sam_fraction` :math:`0.1^t`. A
    number given for one of them leaves the others as they are. Rows of weight 0 do not count. `partial_fit` takes
    the settings of few rows.

    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as
    arrays of numpy. `partial_fit` continues with the moments of the optimiser, at a constant learning rate; the
    moments restart if `solver` has changed.

    **Differences from the paper.** AdamW, the cosine schedule, robust scaling, periodic embeddings, ensembles and
    first steps without the second pass are for tables; the paper trains convolutional networks by SGD. A constant of
    1e-12 keeps a zero gradient from dividing by zero. Weight decay is applied by the base optimiser and is not part
    of the inner maximum.

    References
    ----------
    .. [1] P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving
       Generalization", ICLR 2021. https://arxiv.org/abs/2010.01412.
       Official code: https://github.com/google-research/sam
    .. [2] J. Kwon, J. Kim, H. Park, I. K. Choi, "ASAM: Adaptive Sharpness-Aware Minimization for Scale-Invariant
       Learning of Deep Neural Networks", ICML 2021. https://arxiv.org/abs/2102.11600
    .. [3] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning",
       NeurIPS 2022. https://arxiv.org/abs/2203.05556

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
