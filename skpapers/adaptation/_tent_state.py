"""What adaptation has changed in a network, as arrays, and the network that it came from.

A state belongs to an estimator: it can be pickled, and a stream goes on from it. A network that has just made a state
is kept beside it in memory, so that the next batch need not build it again. That changes no number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.optimizers import Optimizer, make_optimizer
from skpapers.adaptation._adaptive_norms import Norm, make_adaptive
from skpapers.adaptation._target_statistics import Moments, StatisticsRule

Arrays = dict[str, NDArray]


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


class AdaptiveNetwork:
    """A network whose normalisation adapts.

    Parameters
    ----------
    network : nn.Module
        With the weights of the source.

    state : TentState
        Where the adaptation stands.

    rule : StatisticsRule
        Of the statistics.

    learning_rate : float
        Of Adam.
    """

    def __init__(self, network: nn.Module, state: TentState, rule: StatisticsRule, learning_rate: float) -> None:
        self.settings = rule, learning_rate
        self.norms: dict[str, Norm] = make_adaptive(network, rule)
        self.module = network
        self.parameters = {
            f"{name}.{part}": value
            for name, norm in self.norms.items()
            for part, value in norm.layer.named_parameters()
        }
        groups = [{"params": [parameter], "lr": learning_rate} for parameter in self.parameters.values()]
        self.optimizer: Optimizer = make_optimizer(groups, "adam")
        for parameter in self.parameters.values():
            self.optimizer.state[parameter] = self.optimizer.start(parameter)
        if state.norms:
            self._load(state)

    @torch.no_grad()
    def _load(self, state: TentState) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(torch.from_numpy(state.norms[name]))
            for key, value in self.optimizer.state[parameter].items():
                value.copy_(torch.from_numpy(state.optimizer[f"{name}.{key}"]))
        for name, norm in self.norms.items():
            like = norm.source.mean
            mean, variance = (torch.from_numpy(state.seen[f"{name}.{part}"]).to(like) for part in ("mean", "variance"))
            norm.seen = Moments(float(state.seen[f"{name}.rows"]), mean, variance)

    def step(self, loss: Tensor) -> None:
        """Take a step of Adam."""
        for parameter in self.parameters.values():
            parameter.grad = None
        loss.backward()
        for parameter in self.parameters.values():
            if parameter.grad is None:  # of a layer that the rows do not pass
                parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()

    def state(self) -> TentState:
        """Return what adaptation has changed.

        Raises
        ------
        FloatingPointError
            If a parameter or a statistic is not finite.
        """
        norms: Arrays = {}
        seen: Arrays = {}
        optimizer: Arrays = {}
        for name, parameter in self.parameters.items():
            norms[name] = _array(parameter)
            optimizer |= {f"{name}.{key}": _array(value) for key, value in self.optimizer.state[parameter].items()}
        for name, norm in self.norms.items():
            mean, variance = norm.statistics()
            norms[f"{name}.running_mean"] = _array(mean)
            norms[f"{name}.running_var"] = _array(variance)
            seen[f"{name}.rows"] = np.array(norm.seen.rows)
            seen[f"{name}.mean"] = _array(norm.seen.mean)
            seen[f"{name}.variance"] = _array(norm.seen.variance)
        if not all(np.isfinite(value).all() for value in norms.values()):
            raise FloatingPointError("a parameter or a statistic of a layer is not finite.")
        made = TentState(norms, seen, optimizer)
        _KEPT[made] = self
        return made


_KEPT: WeakKeyDictionary[TentState, AdaptiveNetwork] = WeakKeyDictionary()


def resume(
    make: Callable[[], nn.Module], state: TentState, rule: StatisticsRule, learning_rate: float
) -> AdaptiveNetwork:
    """Return the network that made a state, or a new one at this state."""
    kept = _KEPT.pop(state, None)
    if kept is not None and kept.settings == (rule, learning_rate):
        return kept
    return AdaptiveNetwork(make(), state, rule, learning_rate)


@torch.no_grad()
def put_arrays(network: nn.Module, arrays: Arrays) -> None:
    """Put arrays into parameters and buffers of a network, by name; the loader of torch takes three times as long."""
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for name, value in arrays.items():
        own[name].copy_(torch.from_numpy(value))


def _array(tensor: Tensor) -> NDArray:
    return tensor.detach().cpu().numpy().copy()
