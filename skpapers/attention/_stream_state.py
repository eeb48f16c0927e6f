"""Where streams of steps stand in a network, and a state whose rows are those of two others."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class StreamState:
    """Where streams of steps stand.

    Parameters
    ----------
    n_steps : Tensor of int of shape (b,)
        Steps so far.

    layers : tuple
        The state of each block.

    pooled : Tensor of shape (b, d_model)
        The last output of the last block; the sum of all its outputs for `pool="mean"`.
    """

    n_steps: Tensor
    layers: tuple[Any, ...]
    pooled: Tensor


def where(chosen: Tensor, new: Any, old: Any) -> Any:
    """Return a state whose rows are those of `new` where `chosen` is true, and those of `old` elsewhere.

    A state is a tensor with one entry for each row, or a tuple or dataclass of states; one that keeps its rows in
    another way has a method `where(chosen, old)`.
    """
    if isinstance(new, Tensor):
        return torch.where(chosen.reshape(-1, *[1] * (new.ndim - 1)), new, old)
    if hasattr(new, "where"):
        return new.where(chosen, old)
    if isinstance(new, tuple):
        parts = [where(chosen, a, b) for a, b in zip(new, old, strict=True)]
        return type(new)(*parts) if hasattr(new, "_fields") else tuple(parts)
    if is_dataclass(new) and not isinstance(new, type):
        return replace(new, **{f.name: where(chosen, getattr(new, f.name), getattr(old, f.name)) for f in fields(new)})
    raise TypeError(f"{type(new).__name__} is not a state whose rows can be chosen.")
