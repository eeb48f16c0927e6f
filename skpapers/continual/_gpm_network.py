"""A network whose layers each have one matrix: weights and, as its last row, biases."""

from itertools import pairwise
from math import prod, sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.modules import ACTIVATIONS
from skpapers._torch.networks import Generators


class Affine(nn.Module):
    """(x, 1) W: a linear layer whose bias is the last row of its matrix.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the input without the 1, and of the output.

    gain : float
        Of the start: the weights have variance gain^2 / n_inputs.

    dtype : torch.dtype
        Of the matrix.
    """

    def __init__(self, n_inputs: int, n_outputs: int, gain: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.limit = gain * sqrt(3.0 / n_inputs)
        self.weight = nn.Parameter(torch.zeros(n_inputs + 1, n_outputs, dtype=dtype, device="cpu"))

    def draw(self, generator: torch.Generator) -> None:
        """Draw the start from a uniform distribution, on the CPU; biases stay 0."""
        start = torch.empty(self.weight[:-1].shape, dtype=self.weight.dtype, device="cpu")
        self.weight.data[:-1] = start.uniform_(-self.limit, self.limit, generator=generator)

    def inputs(self, x: Tensor) -> Tensor:
        """Return what the matrix multiplies, of shape (n, places, d)."""
        return F.pad(x, (0, 1), value=1.0).unsqueeze(1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.weight[-1], x, self.weight[:-1])


class AffineConvolution(Affine):
    """The same for every patch of an image: a convolution with a padding of zeros.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.

    kernel_size, stride : tuple of int
        Along height and width; the padding is half the kernel.

    dtype : torch.dtype
        Of the matrix.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, kernel_size: tuple[int, int], stride: tuple[int, int], dtype: torch.dtype
    ) -> None:
        super().__init__(n_inputs * prod(kernel_size), n_outputs, sqrt(2.0), dtype)
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = (kernel_size[0] // 2, kernel_size[1] // 2)

    def inputs(self, x: Tensor) -> Tensor:
        """Return the patches, each followed by a 1, of shape (n, places, d)."""
        patches = F.unfold(x, self.kernel_size, padding=self.padding, stride=self.stride).transpose(1, 2)
        return F.pad(patches, (0, 1), value=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of images (n, C, H, W)."""
        kernels = self.weight[:-1].T.reshape(-1, x.shape[1], *self.kernel_size)
        return F.conv2d(x, kernels, self.weight[-1], self.stride, self.padding)


class GPMNetwork(nn.Module):
    """Convolutions, then dense layers, then one head for all tasks or one for each.

    Parameters
    ----------
    row_shape : tuple of int
        (p,), (C, L) or (C, H, W).

    n_outputs : int
        Width of each head.

    hidden_channels, strides : tuple of int
        Output channels and stride of each convolution; none for a perceptron.

    kernel_size : int
        Of every convolution, odd. An axis of size 1 has kernels and strides of size 1.

    hidden_layer_sizes : tuple of int
        Width of each dense layer.

    activation : str
        A key of `ACTIVATIONS`.

    n_heads : int
        Number of heads.

    head : int
        The one that is in use: only its weights learn.

    shared_head : bool
        Whether the only head serves all tasks, so that it is protected like the layers.

    absent : tuple of int
        Outputs of this head that stand for classes which its task does not have.

    dtype : torch.dtype
        Of all parameters.
    """

    n_members = 1

    def __init__(
        self,
        row_shape: tuple[int, ...],
        n_outputs: int,
        *,
        hidden_channels: tuple[int, ...],
        strides: tuple[int, ...],
        kernel_size: int,
        hidden_layer_sizes: tuple[int, ...],
        activation: str,
        n_heads: int,
        head: int,
        shared_head: bool,
        absent: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.row_shape = row_shape
        self.activation = ACTIVATIONS[activation]
        self.head = head
        self.shared_head = shared_head
        self.absent = list(absent)
        self.convolutions = nn.ModuleList()
        shape = row_shape if len(row_shape) != 2 else (row_shape[0], 1, row_shape[1])
        self.map_sizes = [prod(shape)]
        for channels, stride in zip(hidden_channels, strides, strict=True):
            kernel, step = ([1 if size == 1 else n for size in shape[1:]] for n in (kernel_size, stride))
            convolution = AffineConvolution(shape[0], channels, (kernel[0], kernel[1]), (step[0], step[1]), dtype)
            self.convolutions.append(convolution)
            places = ((size + 2 * (k // 2) - k) // s + 1 for size, k, s in zip(shape[1:], kernel, step, strict=True))
            shape = (channels, *places)
            self.map_sizes.append(prod(shape))
        sizes = (prod(shape), *hidden_layer_sizes)
        self.dense = nn.ModuleList(Affine(a, b, 1.0, dtype) for a, b in pairwise(sizes))
        self.heads = nn.ModuleList(Affine(sizes[-1], n_outputs, 0.5, dtype) for _ in range(n_heads))
        self.map_sizes += sizes[1:]

    def _layers(self) -> list[Affine]:
        return [*self.convolutions, *self.dense, self.heads[self.head]]

    def protected(self) -> list[nn.Parameter]:
        """Return the matrices that all tasks share, from the first layer on."""
        return [layer.weight for layer in (self._layers() if self.shared_head else self._layers()[:-1])]

    def draw(self, generators: Generators) -> "GPMNetwork":
        """Draw the start of every layer and of every head from the only generator."""
        for layer in (*self.convolutions, *self.dense, *self.heads):
            layer.draw(generators[0])
        return self

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Every matrix of the layers and of the head in use, with weight decay."""
        return [{"params": [layer.weight for layer in self._layers()], "decay": 1.0}]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        return self.map_sizes[0] + 3 * max(self.map_sizes)

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, None)

    def representations(self, x: Tensor) -> list[Tensor]:
        """Return the inputs of each of the `protected` matrices, of shape (n, places, d)."""
        seen: list[Tensor] = []
        self._run(x, seen)
        return seen if self.shared_head else seen[:-1]

    def _run(self, x: Tensor, seen: list[Tensor] | None) -> Tensor:
        """Return the outputs; `seen` gets the inputs of the layers."""
        if len(self.convolutions) and len(self.row_shape) == 2:
            x = x.unsqueeze(-2)
        layers = self._layers()
        for i, layer in enumerate(layers):
            if i >= len(self.convolutions) and x.ndim > 2:
                x = x.flatten(1)
            if seen is not None:
                seen.append(layer.inputs(x))
            x = layer(x)
            if i + 1 < len(layers):
                x = self.activation(x)
        if self.absent:
            x = x.index_fill(-1, torch.tensor(self.absent, device=x.device), -torch.inf)
        return x
