"""What a network offers to the training loop, and how that is asked for."""

from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

Generators = tuple[torch.Generator, ...]


@runtime_checkable
class Network(Protocol):
    """A module of torch that an estimator can train.

    Members are networks of one shape whose parameters are stacked, and which learn side by side. The number of members
    says whether there is a member axis; it is never guessed from the number of dimensions. With one member, parameters,
    inputs and outputs have no such axis. With K > 1, parameters have shape (K, ...), and outputs (K, b, ...).

    Attributes
    ----------
    n_members : int
        K.
    """

    n_members: int

    def draw(self, generators: Generators) -> Any:
        """Draw the weights of each member from its generator, on the CPU, and return the network."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters that learn.

        Each group has its parameters as "params". It may have "decay", a factor of the weight decay, and "rate", a
        factor of the learning rate; both are 1 by default.
        """

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""

    def __call__(self, X: Tensor) -> Tensor:
        """Return the outputs of rows: (b, ...), or (K, b, ...)."""


def check_network(module: nn.Module, members: int | None = None) -> nn.Module:
    """Return the module, or raise a TypeError if it is no :class:`Network`, or not one of so many members."""
    lacking = [name for name in ("n_members", "draw", "parameter_groups", "row_size") if not hasattr(module, name)]
    if lacking:
        raise TypeError(f"{type(module).__name__} is no Network: it lacks {', '.join(lacking)}.")
    if members not in (None, n_members(module)):
        raise TypeError(f"{type(module).__name__} has {n_members(module)} members, and the estimator {members}.")
    return module


def draw(network: nn.Module, generators: Generators) -> nn.Module:
    """Draw the weights of a network, and return it."""
    cast(Network, network).draw(generators)
    return network


def row_size(network: nn.Module) -> int:
    """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
    return cast(Network, network).row_size()


def n_members(network: nn.Module) -> int:
    """Return the number of stacked members; 1 for a module of torch without such an attribute."""
    return getattr(network, "n_members", 1)


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Return the network's own groups, or else matrices with weight decay and vectors without."""
    if hasattr(network, "parameter_groups"):
        return cast(Network, network).parameter_groups()
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in learning if parameter.ndim > 1], "decay": 1.0},
        {"params": [parameter for parameter in learning if parameter.ndim <= 1], "decay": 0.0},
    ]
