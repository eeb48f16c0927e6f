"""A convolution with every way of padding that Alsallakh et al. (2021) compare, and for stacked members.

Along an axis of size h the kernel k of a layer with padding p on each side and stride s has

.. math:: \\left\\lfloor (h + 2 p - k) / s \\right\\rfloor + 1    (1)

positions. The last :math:`r = (h + 2 p - k) \\bmod s` values of the padded axis are never read: with r > 0 a layer uses
less padding at the end of the axis than at its start, and with r > p it does not read some values at all.
:func:`even_size` finds a size at which r is 0 in every layer.
"""

from collections.abc import Iterable, Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.networks import Generators

PADDING_MODES = ("zeros", "circular", "reflect", "replicate", "symmetric", "partial", "valid")
# what remains of an axis of size h at the largest padding that a mode allows on a side
LEAST_REST = {"circular": 0, "symmetric": 0, "reflect": 1}


def output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the number of positions of a kernel along an axis (1); below 1 if it does not fit."""
    return (size + 2 * padding - kernel) // stride + 1


def fits(size: int, kernel: int, padding: int, padding_mode: str) -> bool:
    """Return whether a kernel and its padding fit an axis of this size."""
    return size >= 1 and size + 2 * padding >= kernel and size >= padding + LEAST_REST.get(padding_mode, -padding)


def unread(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return r: how many values at the end of a padded axis no position of the kernel reads."""
    return (size + 2 * padding - kernel) % stride


def axis_sizes(size: int, kernel: int, strides: Sequence[int], padding: int) -> list[int]:
    """Return the sizes of an axis before the first layer and after each."""
    sizes = [size]
    for stride in strides:
        sizes.append(output_size(sizes[-1], kernel, stride, padding))
    return sizes


def is_even(size: int, kernel: int, strides: Sequence[int], padding: int, padding_mode: str) -> bool:
    """Return whether no end of an axis is read less than the other.

    Every layer reads the padded axis to its end, or, if the axis is a circle, the strides divide it.
    """
    if padding_mode == "circular":
        return size % prod(strides) == 0
    before = axis_sizes(size, kernel, strides, padding)[:-1]
    return not any(unread(h, kernel, stride, padding) for h, stride in zip(before, strides, strict=True))


def even_size(size: int, kernel: int, strides: Sequence[int], padding: int, padding_mode: str) -> int:
    """Return the smallest size, this one or a larger one, that is even.

    An axis of m positions after a layer has size :math:`s (m - 1) + k - 2 p` before it, the only one that is read to
    its end. From the last layer to the first one this gives the even sizes. For layers of stride 2 with
    :math:`p = (k - 1) / 2` they are :math:`2^d a + 1`. On a circle they are the multiples of the strides' product.
    """
    if padding_mode == "circular":
        return -(-size // prod(strides)) * prod(strides)
    positions = max(1, axis_sizes(size, kernel, strides, padding)[-1])
    while True:
        found = positions
        for stride in reversed(strides):
            found = stride * (found - 1) + kernel - 2 * padding
        if found >= size:
            return found
        positions += 1


class PaddedConvolution(nn.Conv2d):
    """A convolution of images with stacked members and further padding modes.

    It is a convolution of torch with one group for each member: inputs have shape (b, K C, H, W), and outputs
    (b, K F, H', W'). With K > 1 the parameters have a leading axis of length K.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels C and F of a member.

    kernel_size : tuple of int
        Height and width.

    stride : tuple of int
        Along height and width.

    padding : tuple of int
        On each side of height and width.

    padding_mode : str
        One of `PADDING_MODES`. "symmetric" mirrors with the edge, "reflect" without it. "partial" divides by the share
        of the kernel that lies in the image (partial convolution). "valid" does not pad: `padding` is 0.

    input_size : tuple of int
        Height and width of the inputs.

    n_members : int
        K.

    dtype : torch.dtype
        Of the parameters.
    """

    inverse_share: Tensor | None

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        *,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        padding_mode: str,
        input_size: tuple[int, int],
        n_members: int,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(
            n_members * n_inputs,
            n_members * n_outputs,
            kernel_size,
            stride=stride,
            padding=padding,
            groups=n_members,
            dtype=dtype,
            device="cpu",
        )
        self.padding_mode = padding_mode  # type: ignore[assignment]  # more than torch has
        self.n_members = n_members
        self.margins = (padding[1], padding[1], padding[0], padding[0])
        if n_members > 1:
            self.weight = nn.Parameter(self.weight.detach().unflatten(0, (n_members, -1)))
            self.bias = nn.Parameter(torch.zeros(n_members, n_outputs, dtype=dtype, device="cpu"))
        share = None
        if padding_mode == "partial":
            inside = torch.ones(1, 1, *input_size, dtype=dtype, device="cpu")
            kernel = torch.ones(1, 1, *kernel_size, dtype=dtype, device="cpu")
            share = kernel.sum() / F.conv2d(inside, kernel, stride=stride, padding=padding)
        self.register_buffer("inverse_share", share, persistent=False)

    def reset_parameters(self) -> None:
        """Set the weights to 0: `draw` gives them their start, and torch's own generator stays untouched."""
        nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def draw(self, k: int, generator: torch.Generator) -> None:
        """Draw the start of member k on the CPU: normal of variance 2 / fan-in, and biases of 0 (He et al. 2015)."""
        weight = self.weight.data if self.n_members == 1 else self.weight.data[k]
        start = torch.empty(weight.shape, dtype=weight.dtype, device="cpu")
        weight.copy_(start.normal_(0.0, (2.0 / start[0].numel()) ** 0.5, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of images (b, K C, H, W)."""
        weight = self.weight if self.n_members == 1 else self.weight.flatten(0, 1)
        bias = None if self.bias is None else self.bias.flatten()
        mode = str(self.padding_mode)
        if mode in ("zeros", "valid"):
            return F.conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)
        if self.inverse_share is not None:
            found = F.conv2d(x, weight, None, self.stride, self.padding, groups=self.groups) * self.inverse_share
            return found if bias is None else found + bias[:, None, None]
        padded = symmetric(x, self.margins) if mode == "symmetric" else F.pad(x, self.margins, mode)
        return F.conv2d(padded, weight, bias, self.stride, groups=self.groups)


def symmetric(x: Tensor, sides: tuple[int, int, int, int]) -> Tensor:
    """Return images that continue beyond each edge as their mirror image: b a | a b c | c b."""
    left, right, top, bottom = sides
    width = x.shape[-1]
    x = torch.cat([x[..., :left].flip(-1), x, x[..., width - right :].flip(-1)], dim=-1)
    height = x.shape[-2]
    return torch.cat([x[..., :top, :].flip(-2), x, x[..., height - bottom :, :].flip(-2)], dim=-2)


def draw_all(convolutions: Iterable[nn.Module], generators: Generators) -> None:
    """Draw the start of every layer of each member from the member's generator."""
    for k, generator in enumerate(generators):
        for convolution in convolutions:
            convolution.draw(k, generator)  # type: ignore[operator]
