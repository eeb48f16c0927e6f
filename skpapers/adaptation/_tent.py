"""Tent (Wang et al., 2021): normalisation layers that adapt to unlabelled rows by minimising the entropy.

The objective is the mean over rows of the Shannon entropy of the predictions (Section 3.1),

    H(x) = -sum_c p_c(x) log p_c(x),

over the scale gamma and the shift beta of each unit (Eq. of Section 3.2), by Adam. A batch of Algorithm 1 is:

=====================================================  =====================================
step                                                   function
=====================================================  =====================================
forward: estimate the statistics, transform the units  ``Norm.normalise``, `_target_statistics`
backward: gradient of the entropy                      :func:`row_entropy`, :func:`entropy_loss`
update of gamma and beta                               :func:`adapt`
=====================================================  =====================================

With an entropy margin m, rows with H > m log C are left out of the mean (Niu et al., 2022, Eq. 2).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.optimizers import Optimizer, make_optimizer
from skpapers.adaptation._adaptive_norms import Norm, make_adaptive
from skpapers.adaptation._target_statistics import Moments, StatisticsRule, layer_shift

Arrays = dict[str, NDArray]


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
    learning_rate: float = 0.005
    n_steps: int = 1
    margin: float | None = 0.4


@dataclass(frozen=True, eq=False)
class TentState:
    """What adaptation has changed, by name; empty before the first batch.

    Parameters
    ----------
    norms : dict of str to ndarray
        Parameters and statistics of each layer, under the names that the network gives them.

    seen : dict of str to ndarray
        Rows, mean and variance of the target rows in each layer.

    optimizer : dict of str to ndarray
        State of Adam.
    """

    norms: Arrays = field(default_factory=dict)
    seen: Arrays = field(default_factory=dict)
    optimizer: Arrays = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Visit:
    """What was measured on one batch, before the step.

    Parameters
    ----------
    entropy : float
        Mean H, in nats.

    shift : float
        See :func:`layer_shift`.

    codes : ndarray of int of shape (b,)
        Predicted classes.
    """

    entropy: float
    shift: float
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
    p = torch.softmax(class_logits(outputs.detach()), dim=-1)
    return (p if p.ndim == 2 else p.mean(dim=0)).argmax(dim=-1).cpu().numpy()


def entropy_loss(outputs: Tensor, margin: float | None) -> Tensor | None:
    """Return the mean entropy of the rows within the margin, summed over members; None if there is no such row."""
    entropy = row_entropy(outputs)
    if margin is None:
        return entropy.mean(dim=-1).sum()
    n_classes = class_logits(outputs).shape[-1]
    kept = (entropy <= margin * log(n_classes)).to(entropy.dtype)
    if not bool(kept.any()):
        return None
    return ((kept * entropy).sum(dim=-1) / kept.sum(dim=-1).clamp(min=1.0)).sum()


def adapt(
    network: nn.Module, state: TentState, batches: Iterable[Tensor], settings: TentSettings
) -> tuple[TentState, list[Visit]]:
    """Adapt a network to batches of rows, one after another (Algorithm 1).

    Parameters
    ----------
    network : nn.Module
        With the weights of the source. Its layers are replaced: it is of no further use.

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
    norms = make_adaptive(network, settings.rule)
    optimizer = _resume(norms, state, settings.learning_rate)
    visits = []
    for X in batches:
        visits.append(_visit(network, norms, optimizer, X, settings))
        for norm in norms.values():
            norm.commit()
    return _state(norms, optimizer), visits


def _visit(
    network: nn.Module, norms: dict[str, Norm], optimizer: Optimizer, X: Tensor, settings: TentSettings
) -> Visit:
    visit = None
    for step in range(max(settings.n_steps, 1)):
        with torch.set_grad_enabled(settings.n_steps > 0):
            outputs = network(X)
            outputs = outputs.unsqueeze(-1) if outputs.ndim == 1 else outputs
        if step == 0:
            entropy = row_entropy(outputs.detach()).mean().item()
            first = next(iter(norms.values()))
            visit = Visit(entropy, layer_shift(first.source, first.batch), predicted_codes(outputs))
        loss = entropy_loss(outputs, settings.margin) if settings.n_steps > 0 else None
        if loss is None:
            break
        for block in optimizer.state:
            block.grad = None
        loss.backward()
        optimizer.step()
    assert visit is not None
    return visit


def _parameters(norms: dict[str, Norm]) -> dict[str, nn.Parameter]:
    return {f"{name}.{part}": value for name, norm in norms.items() for part, value in norm.layer.named_parameters()}


def _resume(norms: dict[str, Norm], state: TentState, learning_rate: float) -> Optimizer:
    """Bring a state into the layers, and return the optimiser."""
    parameters = _parameters(norms)
    groups = [{"params": [parameter], "lr": learning_rate} for parameter in parameters.values()]
    optimizer = make_optimizer(groups, "adam")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if name in state.norms:
                parameter.copy_(torch.from_numpy(state.norms[name]))
            own = optimizer.start(parameter)
            optimizer.state[parameter] = {
                key: value.copy_(torch.from_numpy(state.optimizer[f"{name}.{key}"])) if state.optimizer else value
                for key, value in own.items()
            }
    for name, norm in norms.items():
        if state.seen:
            like = norm.source.mean
            mean, variance = (torch.from_numpy(state.seen[f"{name}.{part}"]).to(like) for part in ("mean", "variance"))
            norm.seen = Moments(float(state.seen[f"{name}.rows"]), mean, variance)
    return optimizer


def _state(norms: dict[str, Norm], optimizer: Optimizer) -> TentState:
    """Return the layers and the optimiser as arrays."""
    arrays: Arrays = {}
    seen: Arrays = {}
    moments: Arrays = {}
    parameters = _parameters(norms)
    for name, parameter in parameters.items():
        arrays[name] = _array(parameter)
        moments |= {f"{name}.{key}": _array(value) for key, value in optimizer.state[parameter].items()}
    for name, norm in norms.items():
        mean, variance = norm.statistics()
        arrays[f"{name}.running_mean"] = _array(mean)
        arrays[f"{name}.running_var"] = _array(variance)
        seen[f"{name}.rows"] = np.array(norm.seen.rows)
        seen[f"{name}.mean"] = _array(norm.seen.mean)
        seen[f"{name}.variance"] = _array(norm.seen.variance)
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise FloatingPointError("a parameter or a statistic of a layer is not finite.")
    return TentState(arrays, seen, moments)


def _array(tensor: Tensor) -> NDArray:
    return tensor.detach().cpu().numpy().copy()
