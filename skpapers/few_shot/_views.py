"""Augmentations of tabular rows: two random views of a row that self-supervision takes for one."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

View = Callable[[Tensor, torch.Generator], Tensor]
JITTER = 0.3  # standard deviation of the noise, in units of the scaled columns
SHARE = 0.2  # probability that a value is hidden or exchanged


def jitter(X: Tensor, generator: torch.Generator) -> Tensor:
    """Add normal noise to every value."""
    return X + JITTER * torch.randn(X.shape, dtype=X.dtype, device=X.device, generator=generator)


def mask(X: Tensor, generator: torch.Generator) -> Tensor:
    """Replace values here and there by 0, the centre of the scaled column."""
    return X.masked_fill(_chosen(X, generator), 0.0)


def exchange(X: Tensor, generator: torch.Generator) -> Tensor:
    """Replace values here and there by those of the same column in other rows of the batch (Bahri et al. 2022)."""
    donor = torch.randint(len(X), X.shape, device=X.device, generator=generator)
    return torch.where(_chosen(X, generator), X.gather(0, donor), X)


def _chosen(X: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(X.shape, dtype=X.dtype, device=X.device, generator=generator) < SHARE


NAMED: dict[str, tuple[View, ...]] = {
    "jitter": (jitter,),
    "mask": (mask,),
    "exchange": (exchange,),
    "jitter+mask": (jitter, mask),
    "jitter+exchange": (exchange, jitter),
}


def named_view(name: str) -> View:
    """Return an augmentation of scaled rows."""

    def view(X: Tensor, generator: torch.Generator) -> Tensor:
        for part in NAMED[name]:
            X = part(X, generator)
        return X

    return view


def given_view(
    augment: Callable[[NDArray, np.random.Generator], NDArray],
    inputs: Callable[[NDArray], Tensor],
    rng: np.random.Generator,
) -> View:
    """Return a caller's augmentation of raw rows, as one of what the network takes.

    Parameters
    ----------
    augment : callable
        ``augment(X, rng)`` of arrays.

    inputs : callable
        What makes raw rows the inputs of the network.

    rng : numpy.random.Generator
        Its source of randomness, the only one.
    """

    def view(X: Tensor, generator: torch.Generator) -> Tensor:
        made = np.asarray(augment(X.cpu().numpy().copy(), rng), dtype=np.float64)
        if made.shape != tuple(X.shape):
            raise ValueError(f"augment returned an array of shape {made.shape} for rows of shape {tuple(X.shape)}.")
        if not np.isfinite(made).all():
            raise ValueError("augment returned NaN or infinite values; all must be finite.")
        return inputs(made)

    return view
