"""Rows of any dtype and memory order as a network takes them, converted a chunk at a time to save memory."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.networks import row_size
from skpapers._torch.state import own_precision

CHUNK_BYTES = 2**24  # of float64 in a forward pass: small compared with the rows, and fast, since it stays in the cache
GRAPH_BYTES = 2**26  # the same where the graph of the gradient is kept: it takes about eight times as much
# Rows of these dtypes are converted chunk by chunk.
NUMBERS = [np.dtype(code) for code in "dfe?bBhHiIlLqQ"]


def to_tensor(rows: NDArray) -> Tensor:
    """Return a copy in float64 and C order: torch refuses negative strides, foreign byte orders, read-only arrays."""
    return torch.from_numpy(np.array(rows, dtype=np.float64, order="C"))


def chunk_length(network: nn.Module, n_bytes: int | None = None) -> int:
    """Return the number of rows that need `n_bytes`, by default `CHUNK_BYTES`, in a forward pass."""
    return max(1, (n_bytes or CHUNK_BYTES) // (8 * row_size(network)))


def in_chunks(function: Callable[[Tensor], Tensor], X: NDArray, length: int) -> Tensor:
    """Return the results of a function for all rows; it gets `length` of them at a time.

    The memory is that of the result and of one chunk: X is neither copied nor converted as a whole.
    """
    first = function(to_tensor(X[:length]))
    if len(X) <= length:
        return first
    made = first.new_empty(len(X), *first.shape[1:])
    made[:length] = first
    for start in range(length, len(X), length):
        made[start : start + length] = function(to_tensor(X[start : start + length]))
    return made


@own_precision()
def outputs_in_chunks(module: nn.Module, network: nn.Module, X: NDArray) -> NDArray:
    """Return the outputs of a module in float64; the network in it knows how much memory a row takes."""
    with torch.no_grad():
        return in_chunks(module, X, chunk_length(network)).numpy()


def network_inputs(scaling: nn.Module | None, device: torch.device, dtype: torch.dtype) -> Callable[[NDArray], Tensor]:
    """Return a function from raw rows to the inputs of a network in training, scaled in float64 for every dtype.

    The function raises a ValueError if the scaled values are too large for the network's dtype.
    """

    def inputs(X: NDArray) -> Tensor:
        length = max(1, CHUNK_BYTES // (32 * X.shape[1]))
        made = in_chunks(lambda rows: (rows if scaling is None else scaling(rows)).to(device, dtype), X, length)
        if bool(torch.isinf(made).any()):  # NaN is a missing value, or refused by validation
            raise ValueError(
                f"X holds values as large as {np.nanmax(np.abs(X)):.3g}, too large for training in "
                f'dtype="{str(dtype).removeprefix("torch.")}"; use scaling="robust", or clip them.'
            )
        return made

    return inputs
