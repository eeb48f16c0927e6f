"""How sharp a minimum is: the Hessian's top eigenvalue, and the loss along random directions (Li et al. 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.networks import n_members
from skpapers._torch.rows import Rows
from skpapers._torch.steps import Batch, Objective


def _batches(rows: Rows[Tensor], members: int, length: int | None) -> list[tuple[float, Batch]]:
    """Return all rows in batches of `length` at most, which stacked members share, and the share of each."""
    n = len(rows)
    batches = []
    for start in range(0, n, length or n):
        indices = torch.arange(n)[start : start + (length or n)]
        part = rows.take(indices)
        if members > 1:
            part = part.apply(lambda values: values.expand(members, *values.shape))
        batches.append((len(indices) / n, Batch(part.X, part.y, part.weight, indices, (), part.extra)))
    return batches


def top_eigenvalues(
    network: nn.Module,
    objective: Objective,
    rows: Rows[Tensor],
    *,
    max_iter: int = 200,
    tol: float = 1e-4,
    length: int | None = None,
) -> NDArray[np.float64]:
    """Return the largest eigenvalue of each member's Hessian, by power iteration with Hessian-vector products.

    Power iteration finds the eigenvalue of the largest modulus. Where that one is negative, a second iteration, on the
    Hessian shifted by it, finds the largest. The graph of the gradient is kept where `length` rows are all; otherwise
    it is built anew for each batch of `length`, which takes less memory and twice the time.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    members = n_members(network)
    batches = _batches(rows, members, length)

    def gradient(share: float, batch: Batch) -> Tensor:
        loss = share * objective(network, batch).sum()
        parts = torch.autograd.grad(loss, parameters, create_graph=True)
        return torch.cat([part.reshape(members, -1) for part in parts], dim=1)

    flat = gradient(*batches[0])
    kept = flat if len(batches) == 1 else None
    flat = flat.detach()

    def product(v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for of_batch in batches:
            gradients = gradient(*of_batch) if kept is None else kept
            parts = torch.autograd.grad(
                gradients, parameters, grad_outputs=v, retain_graph=kept is not None, materialize_grads=True
            )
            total += torch.cat([part.reshape(members, -1) for part in parts], dim=1)
        return total

    def iterate(shift: Tensor) -> Tensor:
        start = torch.Generator().manual_seed(0)
        v = torch.randn(flat.shape, generator=start, dtype=flat.dtype).to(flat.device)
        value = torch.zeros(members, 1, dtype=flat.dtype, device=flat.device)
        for _ in range(max_iter):
            v = v / torch.linalg.vector_norm(v, dim=1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)
            w = product(v) - shift * v
            before = value
            value = (v * w).sum(dim=1, keepdim=True)
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
    rows: Rows[Tensor],
    steps: NDArray[np.float64],
    n_directions: int,
    generator: torch.Generator,
    length: int | None = None,
) -> NDArray[np.float64]:
    """Return the loss, averaged over members, at w + a d_1 (+ b d_2) for all a (and b) in `steps`.

    It is evaluated on `length` rows at a time.
    """
    batches = _batches(rows, n_members(network), length)
    parameters = list(network.parameters())
    saved = [p.detach().clone() for p in parameters]
    directions = [filter_normalised(network, generator) for _ in range(n_directions)]
    grid = np.stack(np.meshgrid(*[steps] * n_directions, indexing="ij"), axis=-1)
    values = np.empty(grid.shape[:-1])
    for place in np.ndindex(values.shape):
        for i, (parameter, start) in enumerate(zip(parameters, saved, strict=True)):
            shift = sum(float(a) * d[i] for a, d in zip(grid[place], directions, strict=True))
            parameter.copy_(start + shift)
        values[place] = sum(share * objective(network, batch).mean().item() for share, batch in batches)
    for parameter, start in zip(parameters, saved, strict=True):
        parameter.copy_(start)
    return values
