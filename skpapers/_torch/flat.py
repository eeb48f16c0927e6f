"""Parameters of a network laid out in a few blocks of memory: one operation for each block, not for each parameter."""

from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.networks import n_members, parameter_groups


def flatten(network: nn.Module) -> list[dict[str, Any]]:
    """Lay each group of parameters, and its gradients, into one block of memory of shape (K, P).

    The parameters become views of the blocks. A norm, a perturbation, a copy of the weights, a step of the optimiser is
    then one operation for a group rather than one for each parameter: at small sizes most of a step's time is the
    number of operations. `blocks(network)` returns the blocks afterwards.
    """
    members = n_members(network)
    groups = []
    learning = []
    for group in parameter_groups(network):
        if not group["params"]:
            continue
        block = nn.Parameter(torch.cat([p.detach().reshape(members, -1) for p in group["params"]], dim=1))
        block.grad = torch.zeros_like(block)
        start = 0
        for parameter in group["params"]:
            stop = start + parameter.numel() // members
            parameter.data = block.data[:, start:stop].view(parameter.shape)
            parameter.grad = block.grad[:, start:stop].view(parameter.shape)
            start = stop
        groups.append({**group, "params": [block]})
        learning += group["params"]
    # not part of the module's own state
    object.__setattr__(network, "_blocks", [group["params"][0] for group in groups])
    object.__setattr__(network, "_learning", learning)
    return groups


def blocks(network: nn.Module) -> list[nn.Parameter]:
    """Return the blocks of a flattened network; ``block.grad`` holds the gradients."""
    return network._blocks  # type: ignore[return-value]


def snapshot(network: nn.Module) -> list[Tensor]:
    """Return copies of all weights and buffers."""
    return [tensor.detach().clone() for tensor in (*blocks(network), *network.buffers())]


@torch.no_grad()
def restore(network: nn.Module, saved: list[Tensor]) -> None:
    """Bring a snapshot back, bit for bit."""
    for tensor, value in zip((*blocks(network), *network.buffers()), saved, strict=True):
        tensor.copy_(value)


@torch.no_grad()
def clip_gradient(network: nn.Module, max_norm: float) -> None:
    """Scale the gradient of each member whose norm exceeds `max_norm` down to it."""
    squares = [torch.linalg.vector_norm(block.grad, dim=1, keepdim=True).square() for block in blocks(network)]
    factor = (max_norm / (sum(squares).sqrt() + 1e-12)).clamp(max=1.0)
    for block in blocks(network):
        block.grad.mul_(factor)  # type: ignore[union-attr]
