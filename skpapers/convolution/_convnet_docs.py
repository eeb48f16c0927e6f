"""Texts that the docstrings of both convolutional networks share."""

from skpapers._torch.network_docs import NETWORK_PARTS

PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "rows": """
    X holds images, (n_samples, C, H, W), or series, (n_samples, C, L), as numbers of any type; or flat rows of the same
    numbers. A window of returns of C assets over L days is a series.
    """,
    "network": """
    hidden_channels : array-like of int, or int, default=(16, 32, 64)
        Output channels of each convolution.

    image_shape : tuple of int, default=None
        (C, H, W) or (C, L). None takes it from arrays of more than two dimensions. Flat rows without it are one
        channel: a square image if their number of columns is a square, and otherwise an image of height 1. Images
        (n_samples, H, W) of one channel need (1, H, W): without it they are series of H channels.

    kernel_size : int, default=3
        Height and width of the kernels; odd, unless `padding_mode="valid"`. An axis of size 1 has kernels of size 1.

    strides : array-like of int, or int, default=1
        Steps of each convolution along height and width. Strides of 2 in some layers make large images affordable.

    pooling : {"average", "max", "flatten"}, default="average"
        How the last maps become one vector: over all places, or all places side by side.

    padding_mode : {"zeros", "circular", "reflect", "replicate", "symmetric", "partial", "valid"}, default="zeros"
        What lies beyond the edge: zeros, the opposite edge, the mirror image without the edge, the edge repeated, the
        mirror image with the edge. "partial" is zeros, with the result divided by the share of the kernel inside the
        image. "valid" does not pad: each layer makes the image smaller.

    even_padding : {"warn", "raise", "fix"}, default="warn"
        What to do if strides leave the last rows or columns of some layer's padded input unread: the network then sees
        that side less. "fix" adds lines to the padding of the first layer, up to the next size without that. For d
        strides of 2 it is 2^d a + 1, or 2^d a with a circular padding. Half of the lines lie on each side; an odd one
        lies at the end.

    activation : {"identity", "logistic", "tanh", "relu", "silu", "softplus"}, default="relu"
        Activation after each convolution.

    batch_norm : bool, default=True
        Normalise each channel before its activation.
    """,
    "dropout_classes": """
    dropout : float, default=0.2
        Probability of zeroing, in training, each value that enters the linear layer.
    """,
    "dropout_numbers": """
    dropout : float, default=0.0
        Probability of zeroing, in training, each value that enters the linear layer. It blurs sums, and rarely helps
        regression.
    """,
    "steps": """
    solver : {"adamw", "adam", "sgd"}, default="adamw"
        Optimiser.

    alpha : float, default=0.1
        Weight decay of kernels and matrices: for "adamw" each step multiplies them by 1 - learning rate * `alpha`,
        otherwise it is an L2 penalty, `alpha` / 2 times the squared norm added to the mean loss.

    batch_size : int, default=32
        Rows of a step.

    learning_rate_init : float, default=0.005
        Learning rate at the start of a cosine schedule that ends at 0 after `max_iter` epochs.

    max_iter : int, default=20
        Number of epochs.

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
    """,
    "patience": """
    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.
    """,
    "state": """
    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling and classes stay as they are.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, orders of rows, dropout and mixup.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "more": """
    rho : float, default=0.0
        Radius of sharpness-aware minimisation, see :class:`SAMMLPClassifier`; 0.05 doubles the cost.

    mixup_alpha : float, default=0.0
        Mix the rows of each batch in pairs with shares of Beta(`mixup_alpha`, `mixup_alpha`); 0 mixes nothing.

    n_ensemble : int, default=1
        Networks trained side by side, each with its own start and orders; their predictions are averaged.
    """,
    "channel_scaling": """
    scaling : {"robust", "standard"} or None, default="standard"
        The first, fixed layer, with the statistics of each channel over all places: mean and standard deviation, or
        median and interquartile range with a smooth clip. None: X as it is.
    """,
    "classes": """
    label_smoothing : float, default=0.0
        Share of each label that is spread over all classes.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied by `sample_weight`. "balanced" means W / (K W_k) for K classes of
        weight W_k and W in all.

    calibration : {"auto", "temperature"} or None, default=None
        "temperature" moves the logits toward those of the class frequencies, by a factor that is fitted on rows that a
        second network does not see, at 1.8 times the cost: see :class:`SAMMLPClassifier`. "auto" does so for fewer than
        10000 training rows, and with `early_stopping` for any number.
    """,
    "fitted_classes": """
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    temperature_ : float
        From 1, the network's own logits, to 1000, the frequencies of the classes among the training rows.
    """,
    "fitted_numbers": """
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        What is subtracted from the targets, and what they are divided by: mean and standard deviation; for "huber"
        median and interquartile range / 1.349. A constant target has scale 0: it is predicted exactly.
    """,
    "fitted_shape": """
    image_shape_ : tuple of int
        (C, H, W) or (C, L).
    """,
    "fitted_epochs": """
    n_iter_ : int
        Number of epochs.
    """,
    "best_score": """
    best_validation_score_ : float or None
        The best of `validation_scores_`; None without `early_stopping`.
    """,
    "notes": r"""
    Each layer is a convolution, a batch normalisation and an activation; a pooling and a linear layer follow. The
    objective is the mean loss of the rows, whose weights are scaled to a mean of 1. Training is in `dtype`, and
    predictions in float64; a row is predicted as if it were alone. With `early_stopping` the last rows are held back,
    so that time runs forward.

    Kernels that are shared over all places, with an average over them, need few rows where the target is a sum over
    places: see [1]_ and :func:`sample_complexity_curve`. On columns without an order they have no advantage.

    A convolution with kernel k, padding p and stride s on a side of h pixels leaves
    :math:`r = (h + 2 p - k) \bmod s` pixels of the padded side unread, always at its end. If r > 0 the padding is used
    unevenly, and there are blind spots [2]_.
    """,
    "cost": """
    Cost: O(n H W k^2 sum_l C_l C_{l+1}) for an epoch of n images without strides, and twice that with `rho` > 0.
    Memory: X in float64 and in `dtype`; predictions are computed in chunks of rows.
    """,
    "repeats": """
    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as arrays
    of numpy. `partial_fit` continues with the moments of the optimiser, at a constant learning rate.
    """,
    "differences": """
    **Differences from the paper.** The paper on sample efficiency trains two layers, without batch normalisation and
    by stochastic gradient descent. The other one trains deep networks on large images and resizes these;
    `even_padding="fix"` adds lines instead, since an interpolation blurs small objects.
    """,
    "references": """
    .. [1] Z. Li, Y. Zhang, S. Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
       ICLR 2021. https://arxiv.org/abs/2010.08515
    .. [2] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad - CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178
    """,
}
