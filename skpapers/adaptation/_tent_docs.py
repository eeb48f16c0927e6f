"""Texts of the docstring of `TentClassifier`, see `filled_docstring`."""

PARTS: dict[str, str] = {
    "parameters": r"""
    estimator : estimator object or None, default=None
        A classifier of this package with batch normalisation, cloned and fitted by `fit`: :class:`ConvNetClassifier`,
        or ``SAMMLPClassifier(batch_norm=True)``. A fitted one is taken as it is if it comes in a
        :class:`~sklearn.frozen.FrozenEstimator`. None is a perceptron of (128, 64) units on standardised columns.

    stats : {"prior", "ema", "batch", "source"}, default="prior"
        Where the statistics of batch normalisation come from. "prior": all rows of the stream since its last jump,
        with those of training as a prior. "ema": an average that forgets. "batch": the last batch alone, as in the
        paper; it needs batches of many rows in random order. "source": training, so that only scales and shifts learn.

    adapt : {"auto", "always", "never"}, default="auto"
        Which network predicts. "auto": the adapted one while the evidence recommends it, see `adaptation_report_`,
        otherwise the source; fewer than 16 rows recommend nothing. "always": the adapted one, as in the paper.
        "never": the source; the drift is measured.

    learning_rate : float, default=0.001
        Learning rate of Adam for scales and shifts.

    n_steps : int, default=1
        Steps for each batch. 0 changes the statistics alone.

    entropy_margin : float or None, default=0.4
        Rows whose entropy exceeds this share of the largest, log(n_classes), take no part in the steps [2]_. None
        takes all rows, as the paper does.

    prior_samples : float, default=16
        Rows of the stream that the statistics of training count as, for "prior". More of them make the network slower,
        and safer on streams whose rows come class by class.

    ema_momentum : float, default=0.1
        Share of each batch in the statistics after it, for "ema".

    batch_size : int, default=256
        Largest number of rows of a step; `partial_fit` splits more rows into batches.

    n_recent : int, default=512
        Rows that are kept as evidence: the last ones.

    reset_on_collapse : bool, default=False
        Whether the source comes back when the predictions of the adapted network fall into one class, at least 95 % of
        them, while those of the source do not, at most 80 %. A warning says so in both cases.

    random_state : int, RandomState instance or None, default=None
        Seed of the default network. A given estimator has its own, and adaptation draws nothing.
    """,
    "attributes": r"""
    estimator_ : estimator object
        The fitted network, the source. Adaptation does not change it.

    classes_ : ndarray of shape (n_classes,)
        The class labels.

    adaptation_report_ : AdaptationReport
        Source and adapted network on the recent rows, side by side; `keep` says whether the adapted one is
        recommended. With ``adapt="auto"`` it is the last one that was decided by.

    is_adapted_ : bool
        Whether the adapted network predicts now.

    entropy_history_ : ndarray of shape (n_batches,)
        Mean entropy of the adapted network's predictions for each batch, in nats: by statistics that include the
        batch, and before the step. The source's entropy is in `adaptation_report_`.

    shift_history_ : ndarray of shape (n_batches,)
        How far each batch has moved, in the first normalised layer: root mean square over its units of the distance
        between the normal laws of batch and training rows, in standard deviations of the latter. A batch of b rows
        without drift has about :math:`\sqrt{1.5 / b}`.

    batch_size_history_ : ndarray of shape (n_batches,)
        Rows of each batch.

    is_adapted_history_ : ndarray of bool of shape (n_batches,)
        Whether the adapted network predicted after each batch.

    n_resets_ : int
        How often a collapse brought back the source.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where the input had them.
    """,
    "notes": r"""
    Let :math:`\mu_s, \sigma_s^2` be the statistics of a unit from training, and m, v those of the n rows of the stream.
    "prior" normalises by

    .. math:: \mu = \frac{N \mu_s + n m}{N + n}, \qquad \sigma^2 = \frac{N \sigma_s^2 + n v}{N + n}, \qquad
        N = \frac{\mathrm{prior\_samples}}{\max(1, d^2)},

    where :math:`d^2` is the mean over the units of a layer of :math:`(m - \mu_s)^2 / \sigma_s^2`: a prior that the
    stream contradicts counts less. A batch of 16 rows or more that jumps starts a new count and new evidence: if its
    squared distance from the rows before exceeds 2, by the same measure, or its variance is below an eighth of theirs.
    The steps minimise the mean entropy :math:`H(x) = -\sum_c p_c(x) \log p_c(x)` over scales and shifts. `predict` uses
    the stored statistics, so that a row's prediction does not depend on its neighbours and a single row can be
    predicted.

    The evidence: R is the mean, over rows, of the ratio of a row's squared Mahalanobis distances to the nearest and to
    the second nearest class, in the features that enter the last layer; the training rows give means and covariance. It
    is :math:`R_t` for the training rows, and :math:`R_s` and :math:`R_a` for the recent rows under the source and the
    adapted network. The statistics also move if only the shares of the classes change, and then adaptation harms. A
    balanced copy of the source tells the two cases apart. It pools the statistics of a selection of the recent rows, by
    the rule "prior" whatever `stats` is. In the selection the classes that the source predicts have the same shares as
    in training; [4]_ selects by equal shares. The copy agrees with the source on a share :math:`A_s` of the rows, and
    with the adapted network on a share :math:`A_a`. The adapted network is recommended if
    :math:`\log R_a - \log R_s < A_a - A_s` and :math:`R_s > R_t`. "auto" decides anew when half of the recent rows are
    new. A report uses 256 rows, spread evenly over the recent ones, or all of them if there are fewer. It uses the
    logits before a `calibration` of the network.

    The gain comes from the statistics. On small data the steps add a few hundredths of a point, or nothing. The guide
    shows where adaptation harms: streams whose classes come one after another, or in other proportions than in
    training.

    `sample_weight` weighs the fit of the network and the evidence. Batch normalisation counts rows without weights.

    Cost: a batch takes a pass forward and `n_steps` backward. "auto" adds four passes over up to 256 rows each time
    half of the recent rows are new, and "always" nothing. Memory: `n_recent` rows, and :math:`O(d^2)` for d units in
    the last hidden layer.

    **Differences from the paper.** It normalises by the statistics of the batch that is predicted, and keeps the
    result, whatever it is: that is ``stats="batch", adapt="always", entropy_margin=None``, with `predict` on the rows
    that were just given to `partial_fit`; the parameters are then those of the official code. The prediction here comes
    after the step, not before it. Pooled statistics, the prior, the margin, the evidence and the reset are additions.
    """,
    "references": r"""
    .. [1] D. Wang, E. Shelhamer, S. Liu, B. Olshausen, T. Darrell, "Tent: Fully Test-Time Adaptation by Entropy
       Minimization", ICLR 2021. https://arxiv.org/abs/2006.10726.
       Official code: https://github.com/DequanWang/tent
    .. [2] S. Niu, J. Wu, Y. Zhang, Y. Chen, S. Zheng, P. Zhao, M. Tan, "Efficient Test-Time Model Adaptation without
       Forgetting", ICML 2022. https://arxiv.org/abs/2204.02610
    .. [3] S. Schneider, E. Rusak, L. Eck, O. Bringmann, W. Brendel, M. Bethge, "Improving robustness against common
       corruptions by covariate shift adaptation", NeurIPS 2020. https://arxiv.org/abs/2006.16971
    .. [4] T. Gong, J. Jeong, T. Kim, Y. Kim, J. Shin, S.-J. Lee, "NOTE: Robust Continual Test-time Adaptation Against
       Temporal Correlation", NeurIPS 2022, Section 3.2. https://arxiv.org/abs/2208.05117
    """,
}
