"""Batches of two domains: each target row of an epoch brings source rows with it."""

import torch
from torch import Tensor


def rounds(n_source: int, n_target: int, batch_size: int) -> tuple[int, int]:
    """Return how often an epoch visits the target rows, and how many source rows each brings with it.

    Source rows are to be visited about once as well, in batches that are whole even where target rows are few.
    """
    n_partners = max(1, min(batch_size, n_source) // n_target)
    return max(1, round(n_source / (n_target * n_partners))), n_partners


def draw_partners(n_source: int, n_target: int, n_rounds: int, n_partners: int, generator: torch.Generator) -> Tensor:
    """Return the source rows of each target row, of shape (n_rounds, n_target, n_partners).

    An order of the source rows is drawn when the last one is used up, so that no row comes twice before all others.
    """
    turns = -(-n_rounds * n_target * n_partners // n_source)
    device = generator.device
    orders = [torch.randperm(n_source, generator=generator, device=device) for _ in range(turns)]
    return torch.cat(orders)[: n_rounds * n_target * n_partners].view(n_rounds, n_target, n_partners)
