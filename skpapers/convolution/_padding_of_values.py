"""How a tensor was padded, found by comparing its values with those of the tensor that it was made from."""

from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Symmetric before replicate: at a width of 1 they are equal, and torch has an operation for the second only.
NUMPY_MODES = {
    "zeros": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
}


def locate(source: Tensor, padded: Tensor, n_axes: int) -> tuple[str, tuple[int, ...], tuple[int, ...]] | None:
    """Return mode, padding before and padding after, or None unless the source stands in exactly one place.

    Parameters
    ----------
    source : Tensor of shape (1, C, *sizes)
        The values before padding.

    padded : Tensor of shape (1, C, *larger_sizes)
        The values after it.

    n_axes : int
        Number of spatial axes, the last ones.
    """
    inner = _as_array(source)
    outer = _as_array(padded)
    if inner.shape[:-n_axes] != outer.shape[:-n_axes]:
        return None
    sizes = inner.shape[-n_axes:]
    spare = [large - small for large, small in zip(outer.shape[-n_axes:], sizes, strict=True)]
    first: Any = (0,) * n_axes
    corner = inner[(..., *first)]
    places = []
    for before in product(*(range(n + 1) for n in spare)):
        place: Any = before
        if not np.array_equal(outer[(..., *place)], corner):
            continue  # most places fail here already
        block: Any = tuple(slice(start, start + size) for start, size in zip(before, sizes, strict=True))
        if np.array_equal(outer[(..., *block)], inner):
            places.append(before)
    if len(places) != 1:
        return None
    before = places[0]
    after = tuple(n - start for n, start in zip(spare, before, strict=True))
    widths = [(0, 0)] * (inner.ndim - n_axes) + list(zip(before, after, strict=True))
    for name, mode in NUMPY_MODES.items():
        if np.array_equal(np.pad(inner, widths, mode=mode), outer):  # type: ignore[call-overload]
            return name, before, after
    return "other values", before, after


def _as_array(tensor: Tensor) -> NDArray:
    """Return the values; numpy has no bfloat16, whose values float32 holds exactly."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().cpu().numpy()
