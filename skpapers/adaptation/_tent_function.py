"""Tent for any module of torch with batch normalisation."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skpapers._torch.state import own_modes
from skpapers.adaptation._target_statistics import RULES, StatisticsRule
from skpapers.adaptation._tent import TentSettings, adapt
from skpapers.adaptation._tent_state import TentState


@own_modes()
def tent(
    module: nn.Module,
    X: Any,
    *,
    stats: str = "prior",
    learning_rate: float = 0.001,
    n_steps: int = 1,
    entropy_margin: float | None = 0.4,
    prior_samples: float = 16,
    ema_momentum: float = 0.1,
    batch_size: int = 256,
) -> nn.Module:
    r"""Adapt a copy of a classifier of torch to rows without labels (Tent).

    The statistics of its batch normalisation follow the rows, and the scales and shifts of these layers take steps
    that lower the entropy of the predictions. Everything else stays as it is. Use it on the model that you have
    trained; :class:`TentClassifier` adds streams, a judgement without labels, and scikit-learn's methods.

    Parameters
    ----------
    module : torch.nn.Module
        It returns logits of shape (n, n_classes), or the log-odds of the second of two classes, of shape (n,) or
        (n, 1). It is not changed.

    X : Tensor or array-like of shape (n_samples, ...)
        Rows as the module takes them, in the order of the stream.

    stats : {"prior", "ema", "batch", "source"}, default="prior"
        Statistics of the layers, see :class:`TentClassifier`. "batch" with ``entropy_margin=None`` is the paper.

    learning_rate : float, default=0.001
        Learning rate of Adam.

    n_steps : int, default=1
        Steps for each batch; 0 changes the statistics alone.

    entropy_margin : float or None, default=0.4
        Rows whose entropy exceeds this share of the largest, log(n_classes), take no part in the steps.

    prior_samples : float, default=16
        Rows that the statistics of training count as, for "prior".

    ema_momentum : float, default=0.1
        Share of a batch in the statistics after it, for "ema".

    batch_size : int, default=256
        Largest number of rows of a step.

    Returns
    -------
    adapted : torch.nn.Module
        A copy in evaluation mode: it predicts each row by the statistics that it has now.

    Raises
    ------
    ValueError
        If the module has no batch normalisation with stored statistics, if X has no rows, or values that are not
        finite, or if a parameter is not allowed.

    FloatingPointError
        If the adapted layers are not finite: the learning rate is too high.

    See Also
    --------
    TentClassifier : The same for streams and for the networks of this package.

    References
    ----------
    .. [1] D. Wang, E. Shelhamer, S. Liu, B. Olshausen, T. Darrell, "Tent: Fully Test-Time Adaptation by Entropy
       Minimization", ICLR 2021. https://arxiv.org/abs/2006.10726

    Examples
    --------
    >>> import torch
    >>> from skpapers.adaptation import tent
    >>> generator = torch.Generator().manual_seed(0)
    >>> X = torch.randn(200, 3, generator=generator)
    >>> network = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2)).eval()
    >>> adapted = tent(network, X + 5.0)
    >>> bool((adapted[0].running_mean > 4.5).all()), bool((network[0].running_mean == 0).all())
    (True, True)
    """
    if stats not in RULES:
        raise ValueError(f"stats must be one of {', '.join(RULES)}; got {stats!r}.")
    if entropy_margin is not None and not entropy_margin > 0:
        raise ValueError(f"entropy_margin must be positive, or None; got {entropy_margin}.")
    if n_steps < 0 or batch_size < 1 or not learning_rate > 0 or prior_samples < 0 or not 0 < ema_momentum <= 1:
        raise ValueError(
            "n_steps and prior_samples must not be negative, batch_size and learning_rate must be positive, and "
            f"ema_momentum in (0, 1]; got n_steps={n_steps}, prior_samples={prior_samples}, batch_size={batch_size}, "
            f"learning_rate={learning_rate}, ema_momentum={ema_momentum}."
        )
    adapted = deepcopy(module)
    like = next(adapted.parameters())
    rows = X.detach().to(like) if isinstance(X, Tensor) else torch.from_numpy(np.array(X)).to(like)
    if len(rows) == 0 or not bool(torch.isfinite(rows).all()):
        raise ValueError("X must have rows, and values that are finite in the dtype of the module.")
    settings = TentSettings(StatisticsRule(stats, prior_samples, ema_momentum), learning_rate, n_steps, entropy_margin)
    batches = rows.tensor_split(-(-len(rows) // batch_size))
    state, _ = adapt(lambda: deepcopy(adapted), TentState(), batches, settings)
    changed = {name: torch.from_numpy(value) for name, value in state.norms.items()}
    adapted.load_state_dict({**adapted.state_dict(), **changed})
    return adapted.eval()
