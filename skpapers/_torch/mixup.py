"""Mixup inside the batch (Zhang et al. 2018): an objective around an objective."""

import torch
from torch import Tensor, nn

from skpapers._torch.steps import Batch, Objective


def beta(alpha: float, generators: tuple[torch.Generator, ...], device: torch.device) -> Tensor:
    """Draw one number of Beta(alpha, alpha) from each generator, in float64."""
    shape = torch.full((2,), alpha, dtype=torch.float64, device=device)
    a, b = torch.stack([torch._standard_gamma(shape, generator=generator) for generator in generators]).unbind(dim=1)
    return torch.where(a + b > 0, a / (a + b), 1.0)  # a tiny alpha: both may underflow, and the draw is 0 or 1


def mixed(objective: Objective, alpha: float) -> Objective:
    r"""Return the objective of mixed rows: fresh partners, and one lambda of Beta(alpha, alpha), for every batch.

    Rows i and j become :math:`\tilde x = \lambda x_i + (1 - \lambda) x_j` with the loss
    :math:`\lambda w_i \ell(\tilde x, y_i) + (1 - \lambda) w_j \ell(\tilde x, y_j)`. It is evaluated as one loss at the
    mixed target, which is the same for losses that are linear in y (cross-entropy with rows of probabilities), and for
    the squared error up to a constant.
    """
    if alpha == 0:
        return objective

    def of_mixed(network: nn.Module, batch: Batch) -> Tensor:
        share = beta(alpha, batch.generators, batch.X.device).to(batch.X.dtype)
        n = batch.indices.shape[-1]
        partner = torch.stack([torch.randperm(n, generator=g, device=batch.X.device) for g in batch.generators])
        if batch.indices.ndim == 1:
            share = share[0]
            partner = partner[0]
        X = _mix(batch.X, share, partner)
        y = _mix(batch.y, share, partner)
        weight = batch.weight
        if weight is not None:
            y = _mix(batch.y * _like(weight, batch.y), share, partner)
            weight = _mix(weight, share, partner)
            y = y / _like(weight, y).clamp(min=torch.finfo(y.dtype).tiny)
        return objective(network, batch.replace(X=X, y=y, weight=weight))

    return of_mixed


def _like(tensor: Tensor, other: Tensor) -> Tensor:
    return tensor.reshape(*tensor.shape, *[1] * (other.ndim - tensor.ndim))


def _mix(tensor: Tensor, share: Tensor, partner: Tensor) -> Tensor:
    if partner.ndim == 1:
        other = tensor[partner]
    else:
        other = torch.stack([rows[order] for rows, order in zip(tensor, partner, strict=True)])
    return torch.lerp(other, tensor, _like(share, tensor))
