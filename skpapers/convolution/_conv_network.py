"""Convolutions, a pooling of what they found at all places, and a linear head; K members in one set of tensors.

Inside, members are groups of channels: maps have shape (b, K C, H, W). A series is an image of height 1 whose kernels
have height 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.modules import ACTIVATIONS, BatchNorm, Dropout, Linear
from skpapers._torch.networks import Generators
from skpapers._torch.padded_convolution import PaddedConvolution, draw_all, fits
from skpapers.convolution._mind_the_pad import AxisPadding, even_size, is_even, layers_along_axis


@dataclass(frozen=True)
class Axis:
    """The layers along one axis of the image.

    Parameters
    ----------
    size : int
        Of the image.

    kernel, padding : int
        Of every layer.

    padding_mode : str
        One of `PADDING_MODES`.

    strides : tuple of int
        One for each layer.

    lines : tuple of int
        Further padding of the first layer, before and after the image.
    """

    size: int
    kernel: int
    padding: int
    padding_mode: str
    strides: tuple[int, ...]
    lines: tuple[int, int] = (0, 0)

    @property
    def layers(self) -> list[AxisPadding]:
        """What each layer reads."""
        return layers_along_axis(self.size, self.kernel, self.strides, self.padding, self.lines)

    @property
    def sizes(self) -> list[int]:
        """The sizes before the first layer and after each."""
        return [self.size, *(layer.n_outputs for layer in self.layers)]

    @property
    def is_even(self) -> bool:
        """Whether no end of the axis, further lines included, is read less than the other."""
        return is_even(self.size + sum(self.lines), self.kernel, self.strides, self.padding, self.padding_mode)

    @property
    def even_size(self) -> int:
        """The smallest size, this one or a larger one, that is even."""
        return even_size(self.size, self.kernel, self.strides, self.padding, self.padding_mode)

    def fixed(self) -> "Axis":
        """Return the axis with lines up to its even size: half on each side, and an odd one after the image."""
        missing = self.even_size - self.size
        return replace(self, lines=(missing // 2, missing - missing // 2))


def axes_of(
    row_shape: tuple[int, ...], kernel_size: int, strides: Sequence[int], padding_mode: str, *, fix: bool = False
) -> list[Axis]:
    """Return height and width; an axis of size 1, such as the height of a series, is left as it is.

    With `fix` they have further lines, so that every layer uses its padding evenly.

    Raises
    ------
    ValueError
        If the kernel or its padding does not fit into some layer's input.
    """
    axes = []
    for size in (row_shape if len(row_shape) == 3 else (row_shape[0], 1, row_shape[1]))[1:]:
        kernel = 1 if size == 1 else kernel_size
        padding = 0 if padding_mode == "valid" else kernel // 2
        axis = Axis(size, kernel, padding, padding_mode, tuple(1 if size == 1 else stride for stride in strides))
        if fix:
            axis = axis.fixed()
        for number, layer in enumerate(axis.layers, start=1):
            if not fits(layer.size, kernel, (layer.before, layer.after), padding_mode):
                lines = ' and even_padding="fix"' if any(axis.lines) else ""
                raise ValueError(
                    f"kernel_size={kernel_size} with padding_mode={padding_mode!r}{lines} does not fit layer {number}: "
                    f"its input has {max(layer.size, 0)} values along an axis. Use fewer layers, a smaller kernel or "
                    'stride, or padding_mode="zeros".'
                )
        axes.append(axis)
    return axes


class ConvNetwork(nn.Module):
    """Convolutions with normalisation and activation, a global pooling and a linear layer.

    Parameters
    ----------
    row_shape : tuple of int
        (C, H, W) of an image, or (C, L) of a series.

    n_outputs : int
        Width of the output.

    hidden_channels, strides : tuple of int
        Output channels and stride of each convolution.

    kernel_size : int
        Height and width of the kernels.

    pooling : {"average", "max", "flatten"}
        How the last maps become one vector.

    padding_mode : str
        One of `PADDING_MODES`.

    fix_padding : bool
        Whether the first layer pads up to the next size at which every layer uses its padding evenly.

    activation : str
        A key of `ACTIVATIONS`.

    batch_norm : bool
        Normalise before each activation.

    dropout : float
        Probability of zeroing an input of the linear layer.

    n_members : int
        K.

    dtype : torch.dtype
        Of all parameters.
    """

    def __init__(
        self,
        row_shape: tuple[int, ...],
        n_outputs: int,
        *,
        hidden_channels: tuple[int, ...],
        strides: tuple[int, ...],
        kernel_size: int,
        pooling: str,
        padding_mode: str,
        fix_padding: bool,
        activation: str,
        batch_norm: bool,
        dropout: float,
        n_members: int,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.n_members = n_members
        self.row_shape = row_shape
        self.pooling = pooling
        self.activation = ACTIVATIONS[activation]
        axes = axes_of(row_shape, kernel_size, strides, padding_mode, fix=fix_padding)
        self.lines = tuple(axis.lines for axis in axes)
        layers = list(zip(*(axis.layers for axis in axes), strict=True))
        sizes = list(zip(*(axis.sizes for axis in axes), strict=True))
        channels = (row_shape[0], *hidden_channels)
        self.convolutions = nn.ModuleList(
            PaddedConvolution(
                channels[i],
                channels[i + 1],
                kernel_size=(high.kernel, wide.kernel),
                stride=(high.stride, wide.stride),
                padding=((high.before, high.after), (wide.before, wide.after)),
                padding_mode=padding_mode,
                input_size=(high.size, wide.size),
                n_members=n_members,
                dtype=dtype,
            )
            for i, (high, wide) in enumerate(layers)
        )
        self.norms = nn.ModuleList(BatchNorm(c, n_members, dtype) for c in hidden_channels if batch_norm)
        self.dropout = Dropout(dropout, n_members) if dropout > 0 else None
        places = sizes[-1][0] * sizes[-1][1] if pooling == "flatten" else 1
        self.head = Linear(channels[-1] * places, n_outputs, n_members, dtype)
        self.map_sizes = [c * h * w for c, (h, w) in zip(channels, sizes, strict=True)]

    def draw(self, generators: Generators) -> "ConvNetwork":
        """Draw each member's weights from its generator, on the CPU; biases stay 0."""
        draw_all(self.convolutions, generators)
        for k, generator in enumerate(generators):
            weight = self.head.weight.data if self.n_members == 1 else self.head.weight.data[k]
            start = torch.empty(weight.shape, dtype=weight.dtype, device="cpu")
            limit = 0.5 * (3.0 / len(weight)) ** 0.5  # of variance 1 / (4 fan-in), as that of the perceptrons
            weight.copy_(start.uniform_(-limit, limit, generator=generator))
        return self

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Kernels and matrices with weight decay; biases and normalisation without."""
        decaying = [layer.weight for layer in (*self.convolutions, self.head)]
        known = {id(p) for p in decaying}
        learning = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in learning if id(p) in known], "decay": 1.0},
            {"params": [p for p in learning if id(p) not in known], "decay": 0.0},
        ]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        return self.n_members * (self.map_sizes[0] + 3 * max(self.map_sizes[1:]))

    def maps(self, x: Tensor) -> Tensor:
        """Return the last maps, (b, K C, H, W), of rows (b, ...) that all members see, or (K, b, ...)."""
        if x.ndim > 1 + len(self.row_shape):
            x = x.transpose(0, 1).flatten(1, 2)
        elif self.n_members > 1:
            x = x.repeat(1, self.n_members, *[1] * (len(self.row_shape) - 1))
        if len(self.row_shape) == 2:
            x = x.unsqueeze(-2)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if len(self.norms):
                x = self.norms[i].wide(x)  # type: ignore[operator]
            x = self.activation(x)
        return x

    def features(self, x: Tensor) -> Tensor:
        """Return what the head sees: (b, F), or (K, b, F)."""
        maps = self.maps(x)
        if self.pooling != "flatten":
            maps = maps.mean(dim=(-2, -1)) if self.pooling == "average" else maps.amax(dim=(-2, -1))
        if self.n_members == 1:
            return maps.flatten(1)
        return maps.reshape(len(maps), self.n_members, -1).transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of rows: (b, n_outputs), or (K, b, n_outputs)."""
        found = self.features(x)
        return self.head(found if self.dropout is None else self.dropout(found))
