"""How the layers draw: generators from a `random_state`, and weights on any device from a generator on the CPU."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import torch
from torch import Tensor

RandomState = int | np.random.RandomState | None
SEEDS = 2**31 - 1


def seeded_generator(random_state: RandomState) -> torch.Generator:
    """Return a generator of torch on the CPU for scikit-learn's `random_state`; no global generator is used."""
    if not isinstance(random_state, np.random.RandomState):
        whole = isinstance(random_state, Integral) and 0 <= random_state < 2**32
        if random_state is not None and not whole:
            raise ValueError(
                f"random_state must be None, an integer from 0 to 2**32 - 1 or a RandomState, got {random_state!r}."
            )
        random_state = np.random.RandomState(random_state)
    return torch.Generator().manual_seed(int(random_state.randint(SEEDS)))


def draw_uniform(weight: Tensor, bound: float, generator: torch.Generator) -> None:
    """Fill a weight on any device with numbers within the bound, from a generator on the CPU."""
    drawn = torch.empty(weight.shape, dtype=weight.dtype, device="cpu")
    weight.copy_(drawn.uniform_(-bound, bound, generator=generator))


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return normal numbers of a tensor's shape and dtype, drawn on the CPU."""
    return torch.randn(like.shape, generator=generator, dtype=like.dtype, device="cpu")
