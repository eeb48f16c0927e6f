"""Tent (Wang et al., 2021): normalisation layers that adapt to unlabelled rows by minimising the entropy.

The objective is the mean over rows of the Shannon entropy of the predictions (Section 3.1),

    H(x) = -sum_c p_c(x) log p_c(x),

over the scale gamma and the shift beta of each unit (Eq. of Section 3.2), by Adam. A batch of Algorithm 1 is:

=====================================================  =====================================
step                                                   function
=====================================================  =====================================
forward: estimate the statistics, transform the units  ``Norm.normalise``, `_target_statistics`
backward: gradient of the entropy                      :func:`row_entropy`, :func:`entropy_loss`
update of gamma and beta                               ``AdaptiveNetwork.step``
=====================================================  =====================================

With an entropy margin m, rows with H > m log C are left out of the mean (Niu et al., 2022, Eq. 2).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf, log

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers.adaptation._target_statistics import StatisticsRule, layer_shift
from skpapers.adaptation._tent_state import AdaptiveNetwork, TentState, resume


@dataclass(frozen=True)
class TentSettings:
    """How a network adapts.

    Parameters
    ----------
    rule : StatisticsRule
        Of the normalisation layers.

    learning_rate : float
        Of Adam.

    n_steps : int
        Steps for each batch; 0 changes the statistics alone.

    margin : float or None
        m; None keeps all rows.
    """

    rule: StatisticsRule = field(default_factory=StatisticsRule)
    learning_rate: float = 0.001
    n_steps: int = 1
    margin: float | None = 0.4


@dataclass(frozen=True, eq=False)
class Visit:
    """What was measured on one batch, before the step.

    Parameters
    ----------
    entropy : float
        Mean H, in nats.

    shift : float
        See :func:`layer_shift`.

    changed : bool
        Whether a layer has forgotten the rows before.

    codes : ndarray of int of shape (b,)
        Predicted classes.
    """

    entropy: float
    shift: float
    changed: bool
    codes: NDArray[np.intp]


def class_logits(outputs: Tensor) -> Tensor:
    """Return logits (..., n_classes) for the outputs of a network; one output is the log-odds of the second class."""
    return torch.cat([torch.zeros_like(outputs), outputs], dim=-1) if outputs.shape[-1] == 1 else outputs


def row_entropy(outputs: Tensor) -> Tensor:
    """Return H of each row, in nats, for outputs of shape (..., n_outputs)."""
    log_p = torch.log_softmax(class_logits(outputs), dim=-1)
    return -(log_p.exp() * log_p).sum(dim=-1)


def predicted_codes(outputs: Tensor) -> NDArray[np.intp]:
    """Return the most probable class of each row, for outputs (b, n_outputs), or (K, b, n_outputs) of K members."""
    logits = class_logits(outputs.detach())
    scores = logits if logits.ndim == 2 else torch.softmax(logits, dim=-1).mean(dim=0)
    return scores.argmax(dim=-1).cpu().numpy()


def entropy_loss(entropy: Tensor, largest: float) -> Tensor | None:
    """Return the mean of the entropies (..., b) up to `largest`, summed over members; None if all are above it."""
    kept = entropy.detach() <= largest
    if not bool(kept.any()):
        return None
    return ((kept * entropy).sum(dim=-1) / kept.sum(dim=-1).clamp(min=1)).sum()


def adapt(
    make: Callable[[], nn.Module], state: TentState, batches: Iterable[Tensor], settings: TentSettings
) -> tuple[TentState, list[Visit]]:
    """Adapt a network to batches of rows, one after another (Algorithm 1).

    Parameters
    ----------
    make : callable
        Return a new network with the weights of the source. Its layers are replaced: it is of no further use.

    state : TentState
        Where the adaptation stands.

    batches : iterable of Tensor
        Rows as the network takes them.

    settings : TentSettings
        How to adapt.

    Returns
    -------
    state : TentState
        Where it stands afterwards.

    visits : list of Visit
        What was measured on each batch.

    Raises
    ------
    FloatingPointError
        If a parameter or a statistic is not finite afterwards.
    """
    network = resume(make, state, settings.rule, settings.learning_rate)
    visits = []
    for X in batches:
        visits.append(_visit(network, X, settings))
        for norm in network.norms.values():
            norm.commit()
    return network.state(), visits


def _visit(network: AdaptiveNetwork, X: Tensor, settings: TentSettings) -> Visit:
    visit = None
    for _ in range(max(settings.n_steps, 1)):
        with torch.set_grad_enabled(settings.n_steps > 0):
            outputs = network.module(X)
            outputs = outputs.unsqueeze(-1) if outputs.ndim == 1 else outputs
            entropy = row_entropy(outputs)
        if visit is None:
            first = next(iter(network.norms.values()))
            mean = entropy.detach().mean().item()
            visit = Visit(
                mean,
                layer_shift(first.source, first.batch),
                any(norm.changed for norm in network.norms.values()),
                predicted_codes(outputs),
            )
        largest = inf if settings.margin is None else settings.margin * log(max(outputs.shape[-1], 2))
        loss = entropy_loss(entropy, largest) if settings.n_steps > 0 else None
        if loss is None or not loss.requires_grad:  # the layers may have neither scales nor shifts
            break
        network.step(loss)
    assert visit is not None
    return visit
