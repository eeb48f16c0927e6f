"""How sharp a minimum is: the Hessian's top eigenvalue, and the loss along random directions (Li et al. 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.training import Batch, Objective, n_members


def _whole(X: Tensor, y: Tensor, weight: Tensor | None, members: int) -> Batch:
    """Return all rows as one batch, which stacked members share."""
    if members > 1:
        X, y = X.expand(members, *X.shape), y.expand(members, *y.shape)
        weight = None if weight is None else weight.expand(members, *weight.shape)
    return Batch(X, y, weight, torch.arange(X.shape[-2]), ())


def top_eigenvalues(
    network: nn.Module,
    objective: Objective,
    X: Tensor,
    y: Tensor,
    weight: Tensor | None = None,
    *,
    max_iter: int = 200,
    tol: float = 1e-4,
) -> NDArray[np.float64]:
    """Return the largest eigenvalue of each member's Hessian, by power iteration with Hessian-vector products.

    Power iteration finds the eigenvalue of the largest modulus. Where that one is negative, a second iteration, on the
    Hessian shifted by it, finds the largest.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    members = n_members(network)
    loss = objective(network, _whole(X, y, weight, members))
    gradients = torch.autograd.grad(loss.sum(), parameters, create_graph=True)
    flat = torch.cat([g.reshape(members, -1) for g in gradients], dim=1)

    def product(v: Tensor) -> Tensor:
        parts = torch.autograd.grad(flat, parameters, grad_outputs=v, retain_graph=True, materialize_grads=True)
        return torch.cat([part.reshape(members, -1) for part in parts], dim=1)

    def iterate(shift: Tensor) -> Tensor:
        start = torch.Generator().manual_seed(0)
        v = torch.randn(flat.shape, generator=start, dtype=flat.dtype).to(flat.device)
        value = torch.zeros(members, 1, dtype=flat.dtype, device=flat.device)
        for _ in range(max_iter):
            v = v / torch.linalg.vector_norm(v, dim=1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)
            w = product(v) - shift * v
            before, value = value, (v * w).sum(dim=1, keepdim=True)
            if bool(((value - before).abs() <= tol * value.abs()).all()):
                break
            v = w
        return value + shift

    value = iterate(torch.zeros(members, 1, dtype=flat.dtype, device=flat.device))
    if bool((value < 0).any()):
        value = iterate(value.clamp(max=0.0))
    return value.detach().reshape(-1).cpu().numpy()


def filter_normalised(network: nn.Module, generator: torch.Generator) -> list[Tensor]:
    """Draw a direction for every parameter; each filter, the weights into one unit, has the norm of the network's own.

    Biases and other vectors stay, as in the paper's code.
    """
    direction = []
    for parameter in network.parameters():
        if parameter.ndim < 2 or parameter.shape[-2] == 1:
            direction.append(torch.zeros_like(parameter))
            continue
        drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        norms = [torch.linalg.vector_norm(t.detach(), dim=-2, keepdim=True) for t in (parameter, drawn)]
        direction.append(drawn * (norms[0] / norms[1].clamp(min=torch.finfo(drawn.dtype).tiny)))
    return direction


@torch.no_grad()
def landscape(
    network: nn.Module,
    objective: Objective,
    X: Tensor,
    y: Tensor,
    weight: Tensor | None,
    steps: NDArray[np.float64],
    n_directions: int,
    generator: torch.Generator,
) -> NDArray[np.float64]:
    """Return the loss, averaged over members, at w + a d_1 (+ b d_2) for all a (and b) in `steps`."""
    batch = _whole(X, y, weight, n_members(network))
    parameters = list(network.parameters())
    saved = [p.detach().clone() for p in parameters]
    directions = [filter_normalised(network, generator) for _ in range(n_directions)]
    grid = np.stack(np.meshgrid(*[steps] * n_directions, indexing="ij"), axis=-1)
    values = np.empty(grid.shape[:-1])
    for place in np.ndindex(values.shape):
        for i, (parameter, start) in enumerate(zip(parameters, saved, strict=True)):
            shift = sum(float(a) * d[i] for a, d in zip(grid[place], directions, strict=True))
            parameter.copy_(start + shift)
        values[place] = objective(network, batch).mean().item()
    for parameter, start in zip(parameters, saved, strict=True):
        parameter.copy_(start)
    return values
