"""Mind the Pad: CNNs can develop blind spots (Alsallakh, Kokhlikyan, Miglani, Yuan, Reblitz-Richardson; ICLR 2021).

Along one axis a layer with kernel k, dilation D and stride s reads an input of h values, with b padded cells before and
a after it: output i reads the cells i s + j D of the padded input, j = 0, ..., k - 1. Equations, numbered here:

  leftover       r = (h + b + a - D (k - 1) - 1) mod s                                       (1)
  padding read   before: cells below b; after: cells from b + h on; for k >= s, D = 1:
                 b before and max(0, a - r) after                                            (2)
  dropped        max(0, r - a) values at the end that no output reads                        (3)
  valid sizes    h = 2^d a + 1 for d layers of stride 2 with k odd and (k - 1) / 2 padding   (4)
  paths          M(x) = sum over outputs y of the number of paths from x to y
                      = sum_y dF_y / dx, F with all weights equal, no biases, activations
                        and normalisations replaced by the identity, max by mean pooling     (5)
  asymmetry      max |M - flip(M)| / max M                                                   (6)
  kernels        |W - flip(W)| / |W|, W the mean kernel of a layer                           (7)

| the paper's step                              | function                                             |
|-----------------------------------------------|------------------------------------------------------|
| padding that each layer really uses           | `AxisPadding`, Eqs. 1 to 3                           |
| what a stack of layers reads along an axis    | `layers_along_axis`, `is_even`, Eq. 1                |
| image sizes that use it evenly                | `even_size`, Eq. 4; `valid_image_sizes`, by Eq. 2    |
| foveation: paths from each input to the end   | `path_counts` of `_linear_paths.LinearPaths`, Eq. 5  |
| how lopsided a map of paths is                | `flip_asymmetry`, Eq. 6                              |
| asymmetric mean kernels                       | `kernel_flip_distance`, Eq. 7                        |
| line artefacts in feature maps                | `response_deviation`                                 |

Which layers a network has, and with which padding, `_padding_recorder` reads off one forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class AxisPadding:
    """What a convolution or a pooling layer reads along one axis.

    Parameters
    ----------
    size : int
        Values of the input without padding (h).

    kernel, stride, dilation : int
        Of the layer (k, s, D).

    before, after : int
        Padding at either end (b, a).

    n_outputs : int
        Values of the output. With a ceiling mode the last window may end behind the padding.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    n_outputs: int

    @property
    def cells_read(self) -> NDArray[np.intp]:
        """Cells of the padded input that some output reads, in order."""
        starts = self.stride * np.arange(self.n_outputs)
        return np.unique(starts[:, None] + self.dilation * np.arange(self.kernel))

    @property
    def leftover(self) -> int:
        """Cells at the end of the padded input that no window reaches (r in Eq. 1)."""
        last = self.stride * (self.n_outputs - 1) + self.dilation * (self.kernel - 1)
        return max(0, self.before + self.size + self.after - 1 - last)

    @property
    def used_before(self) -> int:
        """Padded cells before the input that are read (Eq. 2)."""
        return int(np.count_nonzero(self.cells_read < self.before))

    @property
    def used_after(self) -> int:
        """Padded cells after the input that are read (Eq. 2)."""
        return int(np.count_nonzero(self.cells_read >= self.before + self.size))

    @property
    def dropped(self) -> int:
        """Values at the end of the input that no window reaches (Eq. 3)."""
        return max(0, self.leftover - self.after)


def layers_along_axis(
    size: int, kernel: int, strides: Sequence[int], padding: int, lines: tuple[int, int] = (0, 0)
) -> list[AxisPadding]:
    """Return what each layer of a stack reads along one axis; `n_outputs` is below 1 if a kernel does not fit.

    Parameters
    ----------
    size : int
        Values of the stack's input.

    kernel, padding : int
        Of every layer; the padding is the one at either end.

    strides : sequence of int
        One for each layer.

    lines : tuple of int, default=(0, 0)
        Further padding of the first layer, before and after the input.
    """
    layers: list[AxisPadding] = []
    for i, stride in enumerate(strides):
        before = padding + (lines[0] if i == 0 else 0)
        after = padding + (lines[1] if i == 0 else 0)
        n_outputs = (size + before + after - kernel) // stride + 1
        layers.append(AxisPadding(size, kernel, stride, 1, before, after, n_outputs))
        size = n_outputs
    return layers


def is_even(size: int, kernel: int, strides: Sequence[int], padding: int, padding_mode: str) -> bool:
    """Return whether no end of an axis is read less than the other.

    Every layer reads the padded axis to its end (r = 0 in Eq. 1), or, if the axis is a circle, the strides divide it.
    """
    if padding_mode == "circular":
        return size % prod(strides) == 0
    return not any(layer.leftover for layer in layers_along_axis(size, kernel, strides, padding))


def even_size(size: int, kernel: int, strides: Sequence[int], padding: int, padding_mode: str) -> int:
    """Return the smallest size, this one or a larger one, that is even.

    An axis of m positions after a layer has size s (m - 1) + k - 2 p before it, the only one that is read to its end.
    From the last layer to the first one this gives the even sizes, those of Eq. 4 for strides of 2. On a circle they
    are the multiples of the strides' product.
    """
    if padding_mode == "circular":
        return -(-size // prod(strides)) * prod(strides)
    positions = max(1, layers_along_axis(size, kernel, strides, padding)[-1].n_outputs)
    while True:
        found = positions
        for stride in reversed(strides):
            found = stride * (found - 1) + kernel - 2 * padding
        if found >= size:
            return found
        positions += 1


def path_counts(
    linear: Callable[[Tensor], Tensor], a: Tensor, b: Tensor, place: tuple[int, ...] | None = None
) -> tuple[Tensor, float, float]:
    """Return the derivative of the sum of a linear map's outputs by each input (Eq. 5): one backward pass.

    Parameters
    ----------
    linear : callable
        A map from inputs of shape (1, C, *sizes) to feature maps.

    a, b : Tensor of shape (1, C, *sizes)
        Two inputs, on which it is tested that the map is linear.

    place : tuple of int or None, default=None
        One index for each axis of the feature maps, if the outputs at one position are summed.

    Returns
    -------
    counts : Tensor of shape (1, C, *sizes)
        The derivative.

    error : float
        Largest difference of f(a + b) and f(a) + f(b), relative to the largest value.

    scale : float
        The largest absolute value of f(a) and f(b).
    """
    x = (a + b).requires_grad_()
    outputs = linear(x)
    parts = [linear(part.clone().requires_grad_()).detach() for part in (a, b)]
    difference = outputs.detach() - parts[0] - parts[1]
    scale = max(float(part.abs().max()) for part in parts)
    error = float(difference.abs().max()) / (scale or 1.0)
    for i, index in enumerate(place or ()):
        outputs = outputs.select(i + outputs.ndim - len(place or ()), index)
    (counts,) = torch.autograd.grad(outputs.sum(), x)
    return counts, error, scale


def flip_asymmetry(values: NDArray) -> NDArray[np.float64]:
    """Return the asymmetry of a map along each axis (Eq. 6), from 0 to 1 for maps without negative values."""
    scale = np.abs(values).max()
    if scale == 0:
        return np.zeros(values.ndim)
    return np.array([np.abs(values - np.flip(values, axis)).max() / scale for axis in range(values.ndim)])


def kernel_flip_distance(kernel: NDArray) -> NDArray[np.float64]:
    """Return the distance of a mean kernel from its mirror image along each axis, relative to its norm (Eq. 7)."""
    norm = np.linalg.norm(kernel)
    if norm == 0:
        return np.zeros(kernel.ndim)
    return np.array([np.linalg.norm(kernel - np.flip(kernel, axis)) / norm for axis in range(kernel.ndim)])


def response_deviation(maps: NDArray) -> NDArray[np.float64]:
    """Return how far feature maps are from their own values in the middle, relative to these.

    Parameters
    ----------
    maps : ndarray of shape (n_channels, *sizes)
        Feature maps, usually of a constant input: away from the padding each of them is constant.

    Returns
    -------
    deviation : ndarray of shape sizes
        Mean over channels of the absolute difference, divided by the mean absolute value in the middle, or by the mean
        absolute value anywhere if the middle is 0.
    """
    axes = tuple(range(1, maps.ndim))
    middle = maps[(slice(None), *(size // 2 for size in maps.shape[1:]))]
    scale = np.abs(middle).mean() or np.abs(maps).mean()
    difference = np.abs(maps - np.expand_dims(middle, axes)).mean(axis=0)
    return difference / scale if scale else difference
