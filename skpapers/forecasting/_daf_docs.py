"""Texts of the docstring of the forecaster."""

from skpapers._torch.network_docs import NETWORK_PARTS

PARTS: dict[str, str] = {
    **NETWORK_PARTS,
    "size": """
    d_model : int, default=32
        Width of patterns, queries, keys and values.

    n_heads : int, default=4
        Number of heads of the attention; it divides `d_model`.

    n_layers : int, default=1
        Number of blocks. Each gets what the forecasts of the ones before have left of the series.

    kernel_sizes : array-like of int, or int, default=(3, 5)
        Numbers of steps that a pattern covers (s in the paper); the patterns are shared out among them. The longest is
        the window that the attention compares. Sizes above `history_` - 1 count as that.
    """,
    "domains": """
    warm_start_target : bool, default=True
        Train on the source first, and start the target from its modules. False starts the joint training from drawn
        weights, as the paper does: with few target windows that is worse than no source.

    adversarial_weight : float, default=1.0
        Weight of the discriminator's loss (lambda in the paper). 0: the attention is shared, and nothing asks for
        patterns that look alike.

    source_weight : float, default=1.0
        Weight of the source's loss in the joint training. 0 for this and for `adversarial_weight` is fine-tuning.
    """,
    "objective": """
    forecast_weight : float, default=1.0
        Weight of the forecasts in the loss of a series, beside its interpolation.

    loss : {"absolute_error", "squared_error"}, default="absolute_error"
        The loss of a step in scales of the history; with `quantiles` it is the pinball loss.
    """,
    "quantiles": """
    quantiles : array-like of float, default=None
        Quantiles to forecast, such as (0.1, 0.9) for an interval of 80 %. The median is learned as well, and is the
        forecast. None forecasts one number.

    conformal : bool, default=False
        Correct the quantiles, at each step of the horizon, on target windows that took no part in training. Without it
        they are those of one step ahead of true values, and too narrow at later steps.

    calibration_fraction : float, default=0.2
        Share of the target windows held back for `conformal`, the last ones. An interval of 80 % needs nine.
    """,
    "rows": """
    n_channels : int, default=1
        Number of channels of flat rows. Windows of three dimensions bring their own. The first channel is forecast; the
        others keep their last value over the horizon.

    mask_nan : bool, default=False
        Whether NaN is allowed, and means a missing value. A history that is shorter than the others has NaN at its
        first steps. The attention gives no weight to a missing value. Nor does a forecast give weight to a value if one
        is missing in the window before it.
    """,
    "training": """
    alpha : float, default=0.01
        Weight decay of the matrices (AdamW): each step multiplies them by 1 - learning rate * `alpha`.

    batch_size : int, default=32
        Rows of a step: of one domain, and in the joint training of target and source each.

    learning_rate_init : float, default=0.003
        Learning rate after a warm-up of 20 steps, at most a tenth of all; it falls to 0 along a cosine, in each stage.
        The joint training after a training on the source has a third of it. The norm of a gradient is clipped at 1.

    max_iter : int or "auto", default="auto"
        Number of epochs on the source, or on the target if there is no source. "auto" is the fewest with 300 steps or
        more, and at least 2.

    adaptation_iter : int or "auto", default="auto"
        Number of epochs of the joint training; each visits the larger domain about once. "auto" is the fewest with 100
        steps or more, and at least 2. 0: the target is forecast by the source's modules (zero-shot).
    """,
    "stopping": """
    early_stopping : bool or "auto", default="auto"
        Hold the last target windows back, end training when their forecasts no longer improve, and keep the weights of
        the best epoch. The weights before the joint training are among the candidates. A window whose horizon shares a
        step with one that is held back does not train; it is recognised by its values, which need X and y in the same
        units. "auto" holds windows back if there is a source, if there are five target windows or more, and if one is
        left to train on.

    validation_fraction : float, default=0.2
        Share of the target windows held back for `early_stopping`.

    n_iter_no_change : int, default=10
        Epochs without improvement after which `early_stopping` ends training.

    tol : float, default=0.0001
        An improvement of the validation score is larger than this.
    """,
    "state": """
    random_state : int, RandomState instance or None, default=None
        Seed of weights and orders.

    verbose : bool or int, default=False
        Print a line for each epoch.
    """,
    "fitted": """
    history_, horizon_ : int
        Steps of a history, and steps that are forecast.

    domains_ : ndarray of shape (n_domains,)
        The numbers of the domains: the target's, then those of the sources.

    kernel_sizes_ : tuple of int
        The sizes used.

    quantiles_ : ndarray of shape (n_quantiles,) or None
        The quantiles that :meth:`predict_quantiles` returns.

    loss_curve_ : list of float
        Mean loss of each epoch on the target; with a source that of the joint training.

    source_loss_curve_ : list of float
        The same of the training on the source; empty without one.

    discriminator_accuracies_ : list of float
        Share of queries and keys whose domain the discriminator recognises, the mean over both domains, in each epoch
        of the joint training. 0.5 is chance.

    validation_scores_ : list of float or None
        Minus the loss of the forecasts of the windows held back, after each epoch. With a source the first is that of
        the weights before the joint training.

    best_validation_score_ : float or None
        The best of them.

    best_iter_ : int or None
        The epoch whose weights were kept, counted from 1; 0 means that the joint training did not help.

    n_iter_ : int
        Number of epochs, of all stages.
    """,
    "notes": r"""
    A series is scaled by its own history: mean 0, standard deviation 1. A convolution of each domain's own turns it
    into patterns, and a perceptron that all domains share turns these into queries q and keys k. The forecast of step u
    is

    .. math:: \hat z_u = g\Big(m\Big(
              \sum_{i < u} \mathrm{softmax}_i(q_{[u]} \cdot k_{[i]} / \sqrt{d})\, V z_i\Big)\Big),

    where [i] is the window of values just before i: earlier values count that came after windows like the last one. The
    values V and the decoder g belong to a domain; the attention and the perceptron m are shared. Each step of the
    history is interpolated in the same way, from all other steps. Stages: the source alone; a copy of its modules for
    the target; both domains jointly, where the objective is

    .. math:: b L_S + L_T - \lambda L_{dom},

    :math:`L_D` being the mean loss of interpolations and forecasts of a domain in scales of the history, and
    :math:`L_{dom}` that of a discriminator that learns in turn to tell queries and keys of the domains apart. In
    training each step is forecast from true values; a prediction goes on from its own.

    Several sources have modules of their own; the target starts from those that forecast its training windows best.
    Windows with a constant history have no scale: they are left out of training, and forecast as that constant. Scaled
    steps of a horizon beyond 50 are clipped in training.

    Row weights enter every mean. They equal repeated rows where batches are whole.

    Cost: O(n L (L + d) d) for an epoch with windows of L steps and width d; about 15 ms for a step of 32 windows of 60
    steps on one core. A forecast costs O(L d^2 + H L d). Memory: one copy of X in float64, and one in `dtype`.

    A fit with the same `random_state` repeats itself bit for bit at equal numbers of threads. State is kept as arrays
    of numpy.
    """,
    "differences": """
    **Differences from the paper.** The published code scales a series by history and horizon in training, and by the
    history in prediction; here it is the history in both. Losses are in scales of the history, which takes the place of
    their balance between domains. The joint training starts from the source's modules. Normalisation is by step, since
    one over the steps lets a forecast see later values; for the same reason a further block gets what the forecasts,
    and not the interpolations, have left. Perceptrons have SiLU in place of GELU, and biases. The learning rate of
    the first stage is 3 times the published one, with a warm-up and a cosine. Covariates of the future are not taken.
    """,
}
