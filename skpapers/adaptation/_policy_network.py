"""The network of a policy that goes on learning: an adapter, an encoder, and two heads on what the encoder finds."""

from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.modules import ACTIVATIONS, MLP
from skpapers._torch.networks import Generators
from skpapers._torch.padded_convolution import PaddedConvolution, draw_all

TRAINING = "training"
# the parts of the network whose weights learn: in training, and in each scope of the adaptation
LEARNING: dict[str, tuple[str, ...]] = {
    TRAINING: ("convolutions", "dense", "policy", "auxiliary"),
    "adapter": ("adapter",),
    "encoder": ("convolutions", "dense"),
    "encoder+head": ("convolutions", "dense", "auxiliary"),
}


class Adapter(nn.Module):
    """An affine map of the inputs, at first the identity: of each column, or of the channels at each place.

    Parameters
    ----------
    row_shape : tuple of int
        (p,): each column has a gain and an offset. (C, ...): a matrix C x C mixes the channels, such as the colours.

    dtype : torch.dtype
        Of gain and offset.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: torch.dtype) -> None:
        super().__init__()
        n = row_shape[0]
        gain = torch.ones(n, dtype=dtype, device="cpu")
        self.gain = nn.Parameter(gain if len(row_shape) == 1 else torch.diag(gain))
        self.offset = nn.Parameter(torch.zeros(n, dtype=dtype, device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        if self.gain.ndim == 1:
            return x * self.gain + self.offset
        mixed = torch.matmul(self.gain, x.flatten(2)) + self.offset[:, None]
        return mixed.view(x.shape)


class PolicyNetwork(nn.Module):
    """Rows to actions, and pairs of rows or turned rows to what the self-supervised head predicts.

    Parameters
    ----------
    row_shape : tuple of int
        (p,), (C, L) or (C, H, W).

    n_outputs, n_auxiliary : int
        Width of the output of the policy, and of the self-supervised head.

    n_rows : int
        How many rows the self-supervised head sees at once: 2 for inverse dynamics, 1 for rotations.

    hidden_channels, strides : tuple of int
        Output channels and stride of each convolution of the encoder; none for columns.

    kernel_size : int
        Of every convolution, odd. An axis of size 1 has kernels and strides of size 1.

    hidden_layer_sizes : tuple of int
        Width of each dense layer of the encoder, at least one.

    head_layer_sizes : tuple of int
        Width of each hidden layer of both heads.

    activation : str
        A key of `ACTIVATIONS`.

    dtype : torch.dtype
        Of all parameters.
    """

    n_members = 1

    def __init__(
        self,
        row_shape: tuple[int, ...],
        n_outputs: int,
        *,
        n_auxiliary: int,
        n_rows: int,
        hidden_channels: tuple[int, ...],
        strides: tuple[int, ...],
        kernel_size: int,
        hidden_layer_sizes: tuple[int, ...],
        head_layer_sizes: tuple[int, ...],
        activation: str,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.row_shape = row_shape
        self.activation = ACTIVATIONS[activation]
        self.learning = TRAINING
        self.adapter = Adapter(row_shape, dtype)
        self.convolutions = nn.ModuleList()
        shape = row_shape if len(row_shape) != 2 else (row_shape[0], 1, row_shape[1])
        self.map_sizes = [prod(shape)]
        for channels, stride in zip(hidden_channels, strides, strict=True):
            layer = _convolution(shape, channels, kernel_size, stride, dtype)
            self.convolutions.append(layer)
            places = ((size - 1) // step + 1 for size, step in zip(shape[1:], layer.stride, strict=True))
            shape = (channels, *places)
            self.map_sizes.append(prod(shape))
        *inner, width = hidden_layer_sizes
        options: dict[str, Any] = {"activation": activation, "dtype": dtype}
        self.dense = MLP(prod(shape), tuple(inner), width, **options)
        self.policy = MLP(width, head_layer_sizes, n_outputs, **options)
        self.auxiliary = MLP(n_rows * width, head_layer_sizes, n_auxiliary, **options)

    def draw(self, generators: Generators) -> "PolicyNetwork":
        """Draw the start of every layer from the only generator; the adapter stays the identity."""
        draw_all(self.convolutions, generators)
        for part in (self.dense, self.policy, self.auxiliary):
            part.draw(generators)
        return self

    def learn(self, scope: str) -> "PolicyNetwork":
        """Choose which weights learn: a key of `LEARNING`."""
        self.learning = scope
        return self

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The weights that learn: in training matrices with weight decay, and in adaptation none with it."""
        found = [p for name in LEARNING[self.learning] for p in getattr(self, name).parameters()]
        decaying = {id(p) for p in found if p.ndim > 1 and self.learning == TRAINING}
        return [
            {"params": [p for p in found if id(p) in decaying], "decay": 1.0},
            {"params": [p for p in found if id(p) not in decaying], "decay": 0.0},
        ]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        dense = max(part.row_size() for part in (self.dense, self.policy, self.auxiliary))
        return 2 * self.map_sizes[0] + max(3 * max(self.map_sizes), dense)

    def encoded(self, x: Tensor) -> Tensor:
        """Return what the encoder finds in rows that the adapter has seen, (b, h)."""
        if len(self.convolutions) and len(self.row_shape) == 2:
            x = x.unsqueeze(-2)
        for convolution in self.convolutions:
            x = self.activation(convolution(x))
        return self.activation(self.dense(x.flatten(1)))

    def features(self, x: Tensor) -> Tensor:
        """Return what both heads see of rows (b, ...): (b, h)."""
        return self.encoded(self.adapter(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.policy(self.features(x))


def _convolution(
    shape: tuple[int, ...], channels: int, kernel_size: int, stride: int, dtype: torch.dtype
) -> PaddedConvolution:
    """Return a convolution of maps of a shape (C, H, W), padded with zeros by half the kernel."""
    _, high, wide = shape
    kernel = (1 if high == 1 else kernel_size, 1 if wide == 1 else kernel_size)
    step = (1 if high == 1 else stride, 1 if wide == 1 else stride)
    return PaddedConvolution(
        shape[0],
        channels,
        kernel_size=kernel,
        stride=step,
        padding=((kernel[0] // 2, kernel[0] // 2), (kernel[1] // 2, kernel[1] // 2)),
        padding_mode="zeros",
        input_size=(high, wide),
        n_members=1,
        dtype=dtype,
    )
