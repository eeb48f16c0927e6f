"""What a recorded forward pass consists of: operations, windows of layers, paddings, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from skpapers.convolution._mind_the_pad import AxisPadding


@dataclass(frozen=True)
class LayerWindow:
    """A convolution or pooling that was called, axis by axis; `output` is kept if it was asked for."""

    module: str
    operation: str
    mode: str
    axes: tuple[AxisPadding, ...]
    output: Tensor | None = None


@dataclass(frozen=True)
class Unread:
    """An operation whose effect on the padding could not be read off.

    Parameters
    ----------
    module : str
        Name of the module that called it; empty for the outermost one.

    operation : str
        Its name in torch.

    reason : str
        What it does.
    """

    module: str
    operation: str
    reason: str


@dataclass(frozen=True)
class Call:
    """One operation: what was called, with what, and what it returned."""

    function: Any
    args: tuple
    kwargs: dict[str, Any]
    outputs: Any
    module: str


@dataclass(frozen=True)
class Padded:
    """How a tensor was made from a smaller one. `before` is None until the values have been compared."""

    source: Tensor
    module: str
    operation: str
    mode: str = ""
    before: tuple[int, ...] | None = None
    after: tuple[int, ...] | None = None


@dataclass
class Trace:
    """A recorded forward pass.

    Parameters
    ----------
    module : nn.Module
        A copy of the module, in evaluation mode.

    inputs : Tensor of shape (1, C, *sizes)
        What it was called with.
    """

    module: nn.Module
    inputs: Tensor
    calls: list[Call] = field(default_factory=list)
    windows: list[LayerWindow] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    target: Tensor | None = None
    target_index: int = 0  # the call that returned it
    layer: str | None = None  # the one after which the pass ended

    @property
    def n_axes(self) -> int:
        """Number of spatial axes."""
        return self.inputs.ndim - 2
