"""Texts that the docstrings of all estimators with attention share."""

from skpapers._torch.network_docs import NETWORK_PARTS

SEQUENCE_PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "rows": """
    X holds windows of series, (n_samples, L, n_channels), or flat rows of the same numbers, (n_samples, L *
    n_channels): the channels of the first step, then those of the second. With `tokenize="features"` it is a table.
    """,
    "size": """
    d_model : int, default=32
        Width of the tokens.

    n_layers : int, default=2
        Number of blocks.
    """,
    "heads": """
    n_heads : int, default=2
        Number of heads of each attention; it divides `d_model`.
    """,
    "sequence": """
    causal : bool, default=False
        Whether a step sees itself and earlier steps only. Needed for :meth:`partial_predict`.

    pool : {"mean", "last", "cls"}, default="mean"
        How the steps become one vector: their mean, the last one (the last block then computes no other), or a learned
        token after the last step.

    positions : {"learned", "sinusoidal"} or None, default="learned"
        What is added to the tokens of steps. "learned" has one vector for each step of the windows in `fit`.
        "sinusoidal" goes on beyond them, in streams. None: without `causal`, Performers and RFA then do not see the
        order of the steps; FLASH sees it by chunks and by the bias of its scores.

    tokenize : {"steps", "features"}, default="steps"
        What a token is: all channels of a step, or one column of a table, with an embedding of its own.

    categorical_features : array-like or None, default=None
        For `tokenize="features"`: columns of integer codes, by place, by name or as a mask. Each code has a learned
        vector. Codes that the first `fit` or `partial_fit` did not see share one.

    n_channels : int, default=1
        Number of channels of flat rows. Windows of three dimensions bring their own.

    mask_nan : bool, default=False
        Whether NaN is a missing value. A step (or a column) whose channels are all NaN counts for nothing: a row is
        predicted as if it were the window without the step. A single missing channel counts as its centre
        (as 0 with `scaling=None`).

    first_norm : bool, default=False
        Whether the first block normalises its tokens. That removes their size: a rare marker or a large value is then
        hard to find.

    dropout : float, default=0.0
        Probability of zeroing, in training, each value of the tokens and of what a layer adds.
    """,
    "training": """
    alpha : float, default=0.01
        Weight decay of the matrices (AdamW): each step multiplies them by 1 - learning rate * `alpha`.

    batch_size : int, default=32
        Rows of a step.

    learning_rate_init : float, default=0.003
        Learning rate after a warm-up of 60 steps, at most a tenth of all; it falls to 0 along a cosine. The norm of a
        gradient is clipped at 1.

    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" is the fewest with 600 steps or more, and at least 5.
    """,
    "patience": """
    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.
    """,
    "state": """
    warm_start : bool, default=False
        Start `fit` from the weights of the last one; scaling, codes and classes stay as they are.

    random_state : int, RandomState instance or None, default=None
        Seed of weights, random features, orders and dropout.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "channel_scaling": """
    scaling : {"robust", "standard"} or None, default="robust"
        The first, fixed layer, with the statistics of each channel over all steps, or of each column of a table.
        "robust": median and interquartile range, so that raw numbers work. Channels whose quartiles are equal (flags,
        many zeros), or whose 1st and 99th percentiles are more than 10 interquartile ranges apart, go to the normal
        quantiles of their ranks instead, linearly between at most 256 values. Then a smooth clip at 3. "standard": mean
        and standard deviation. None: X as it is.
    """,
    "fitted_classes": """
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    temperature_ : float
        From 1, the network's own logits, to 1000, the frequencies of the classes among the training rows; see
        :class:`SAMMLPClassifier`.
    """,
    "fitted_numbers": """
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        What is subtracted from the targets, and what they are divided by: mean and standard deviation; for "huber"
        median and interquartile range / 1.349. A constant target has scale 0: it is predicted exactly.
    """,
    "fitted_epochs": """
    n_iter_ : int
        Number of epochs.
    """,
    "best_score": """
    best_validation_score_ : float or None
        The best of them.
    """,
    "network_notes": """
    Steps are standardised by channel and mapped to tokens; positions are added; `n_layers` blocks follow, then
    `pool`, a layer normalisation and a linear head. The objective is the mean loss of the rows, whose weights are
    scaled to a mean of 1. Training is in `dtype`, and predictions in float64; a row is predicted as if it were alone.
    `early_stopping` holds back the last rows, so that time runs forward, unless `validation_split="random"`.

    Streams: with `causal=True`, :meth:`partial_predict` takes one step at a time and predicts what `predict` does for
    the window of all steps so far.
    """,
    "repeats": """
    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as arrays
    of numpy.
    """,
}
