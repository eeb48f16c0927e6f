"""How a tensor was padded, found by comparing its values with those of the tensor that it was made from."""

from itertools import product
from typing import Any

import numpy as np
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
    inner = source.detach().cpu().numpy()
    outer = padded.detach().cpu().numpy()
    if inner.shape[:-n_axes] != outer.shape[:-n_axes]:
        return None
    sizes = inner.shape[-n_axes:]
    spare = [large - small for large, small in zip(outer.shape[-n_axes:], sizes, strict=True)]
    places = []
    for before in product(*(range(n + 1) for n in spare)):
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
