"""A convolution with every way of padding that Alsallakh et al. (2021) compare, and for stacked members.

What a layer reads of its padding is in `_mind_the_pad` (Eqs. 1 to 3).
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.networks import Generators

PADDING_MODES = ("zeros", "circular", "reflect", "replicate", "symmetric", "partial", "valid")
ZEROS = ("zeros", "partial", "valid")
# what remains of an axis of size h at the largest padding that a mode allows on a side
LEAST_REST = {"circular": 0, "symmetric": 0, "reflect": 1}


def fits(size: int, kernel: int, padding: tuple[int, int], padding_mode: str) -> bool:
    """Return whether a kernel and its padding before and after an axis fit an axis of this size."""
    if size < 1 or size + sum(padding) < kernel:
        return False
    return padding_mode not in LEAST_REST or size >= max(padding) + LEAST_REST[padding_mode]


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

    padding : tuple of (int, int)
        Above and below the image, and on its left and right.

    padding_mode : str
        One of `PADDING_MODES`. "symmetric" mirrors with the edge, "reflect" without it. "partial" divides by the share
        of the kernel that lies in the image (partial convolution). "valid" has no padding of its own; further lines
        are zeros.

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
        padding: tuple[tuple[int, int], tuple[int, int]],
        padding_mode: str,
        input_size: tuple[int, int],
        n_members: int,
        dtype: torch.dtype,
    ) -> None:
        (top, bottom), (left, right) = padding
        # a convolution of torch pads with zeros, both ends of an axis alike
        is_own = padding_mode in ZEROS and top == bottom and left == right
        super().__init__(
            n_members * n_inputs,
            n_members * n_outputs,
            kernel_size,
            stride=stride,
            padding=(top, left) if is_own else (0, 0),
            groups=n_members,
            dtype=dtype,
            device="cpu",
        )
        self.padding_mode = padding_mode  # type: ignore[assignment]  # more than torch has
        self.n_members = n_members
        self.margins = (0, 0, 0, 0) if is_own else (left, right, top, bottom)
        if n_members > 1:
            self.weight = nn.Parameter(self.weight.detach().unflatten(0, (n_members, -1)))
            self.bias = nn.Parameter(torch.zeros(n_members, n_outputs, dtype=dtype, device="cpu"))
        share = None
        if padding_mode == "partial":
            inside = F.pad(torch.ones(1, 1, *input_size, dtype=dtype, device="cpu"), (left, right, top, bottom))
            kernel = torch.ones(1, 1, *kernel_size, dtype=dtype, device="cpu")
            # further lines may be wider than the kernel: a window of padding alone counts as one with one pixel
            share = kernel.sum() / F.conv2d(inside, kernel, stride=stride).clamp(min=1)
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
        x = self._padded(x)
        if self.inverse_share is None:
            return F.conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)
        found = F.conv2d(x, weight, None, self.stride, self.padding, groups=self.groups) * self.inverse_share
        return found if bias is None else found + bias[:, None, None]

    def _padded(self, x: Tensor) -> Tensor:
        if not any(self.margins):
            return x
        mode = str(self.padding_mode)
        if mode == "symmetric":
            return symmetric(x, self.margins)
        return F.pad(x, self.margins, "constant" if mode in ZEROS else mode)


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
