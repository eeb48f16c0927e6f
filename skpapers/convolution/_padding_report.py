"""What padding each layer of a network uses, and the input sizes at which all of them use it evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skpapers.convolution._foveation import map_of_paths
from skpapers.convolution._mind_the_pad import flip_asymmetry
from skpapers.convolution._network_trace import network_of, record
from skpapers.convolution._padding_recorder import LayerWindow, Trace, Unread

# Larger asymmetries than those of rounding in float64.
ROUNDING = 1e-9
COLUMNS = ("module", "operation", "size", "kernel", "stride", "mode", "padding", "used", "dropped", "even")


@dataclass(frozen=True)
class LayerPadding:
    """A row of a :class:`PaddingReport`: one call of a convolution or pooling.

    Parameters
    ----------
    module : str
        Name of the module that made the call; empty for the outermost one, which then called a function.

    operation : {"convolution", "max pooling", "average pooling", "unfold"}
        What was called.

    mode : str
        What the padded cells contain: "zeros", "reflect", "replicate", "circular", "symmetric", "ignored" if a pooling
        leaves them out, several of them joined by "+", or "none".

    size, kernel, stride, dilation : tuple of int
        Size of the input without padding, and the window, for each axis.

    padding : tuple of (int, int)
        Padding before and after the input, for each axis.

    used : tuple of (int, int)
        How much of it is read, for each axis.

    leftover : tuple of int
        Cells at the end of the padded input that no window reaches.

    dropped : tuple of int
        How many of these are values of the input.

    See Also
    --------
    padding_report : Makes the rows.

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import padding_report
    >>> (row,) = padding_report(nn.Conv1d(1, 1, 3, stride=2, padding=1), (1, 8), foveation=False).layers
    >>> row.used, row.even
    (((1, 0),), False)
    """

    module: str
    operation: str
    mode: str
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    used: tuple[tuple[int, int], ...]
    leftover: tuple[int, ...]
    dropped: tuple[int, ...]

    @classmethod
    def _of(cls, window: LayerWindow) -> LayerPadding:
        axes = window.axes
        return cls(
            module=window.module,
            operation=window.operation,
            mode=window.mode,
            size=tuple(axis.size for axis in axes),
            kernel=tuple(axis.kernel for axis in axes),
            stride=tuple(axis.stride for axis in axes),
            dilation=tuple(axis.dilation for axis in axes),
            padding=tuple((axis.before, axis.after) for axis in axes),
            used=tuple((axis.used_before, axis.used_after) for axis in axes),
            leftover=tuple(axis.leftover for axis in axes),
            dropped=tuple(axis.dropped for axis in axes),
        )

    @property
    def even(self) -> bool:
        """Whether as much padding is used before the input as after it, on every axis."""
        return all(before == after for before, after in self.used)

    @property
    def strided(self) -> bool:
        """Whether the layer has a stride above 1."""
        return max(self.stride) > 1

    @property
    def _cells(self) -> tuple[str, ...]:
        def written(values: tuple) -> str:
            return "x".join(map(str, values))

        def pairs(values: tuple[tuple[int, int], ...]) -> str:
            return " ".join(f"{before}+{after}" for before, after in dict.fromkeys(values))

        return (
            self.module or "(outermost)",
            self.operation,
            written(self.size),
            written(self.kernel),
            written(self.stride),
            self.mode,
            pairs(self.padding),
            pairs(self.used),
            written(self.dropped) if any(self.dropped) else "",
            "yes" if self.even else "NO",
        )


@dataclass(frozen=True, repr=False)
class PaddingReport:
    """What padding the layers of a network use: printed as a table, in notebooks as HTML.

    Use :func:`padding_report` rather than the constructor. `pandas.DataFrame(report.layers)` is a frame of the rows.

    Parameters
    ----------
    name : str
        Class of the network.

    input_shape : tuple of int
        Channels and sizes of its input.

    layers : tuple of LayerPadding
        One row for each call of a convolution or pooling, in the order of the calls.

    unread : tuple
        Operations whose effect on the padding could not be read off, each with `module`, `operation` and `reason`.

    asymmetry : tuple of float
        Asymmetry of the map of paths along each axis, from 0 to 1. NaN if the map was not made.

    asymmetry_error : str
        Why it could not be made; empty otherwise.

    See Also
    --------
    padding_report : Makes the report.
    foveation_map : The map whose asymmetry is reported.

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import padding_report
    >>> report = padding_report(nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU()), (1, 16, 16))
    >>> report.is_even, report.is_complete
    (False, True)
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[LayerPadding, ...]
    unread: tuple[Unread, ...]
    asymmetry: tuple[float, ...]
    asymmetry_error: str = ""

    @property
    def is_even(self) -> bool:
        """Whether every layer in the table uses its padding evenly and drops no values."""
        return all(layer.even and not any(layer.dropped) for layer in self.layers)

    @property
    def is_complete(self) -> bool:
        """Whether the padding of every operation could be read off."""
        return not self.unread

    def _summary(self) -> list[str]:
        strided = [layer for layer in self.layers if layer.strided]
        uneven = sum(not layer.even for layer in strided)
        others = sum(not layer.even for layer in self.layers) - uneven
        lines = [f"{uneven} of {len(strided)} strided layers use their padding unevenly"]
        if others:
            lines[0] += f", and {others} of {len(self.layers) - len(strided)} others"
        if dropping := sum(any(layer.dropped) for layer in self.layers):
            lines.append(f"layers that drop values at the end of their input: {dropping}")
        for unread in self.unread:
            lines.append(f"not read: {unread.operation} in {unread.module or '(outermost)'}: {unread.reason}")
        if self.asymmetry_error:
            lines.append(f"no map of paths: {self.asymmetry_error}")
        elif not np.isnan(self.asymmetry).any():
            shown = ", ".join(f"{value:.3f}" for value in self.asymmetry)
            lines.append(f"asymmetry of the map of paths by axis, 0 if the input is seen evenly: {shown}")
            if self.is_even and max(self.asymmetry) > ROUNDING:
                lines.append("the layers in the table are even, so that something else makes the map asymmetric")
        return lines

    def __repr__(self) -> str:
        rows = [COLUMNS, *(layer._cells for layer in self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([f"Padding of {self.name}, input {self.input_shape}", *table, *self._summary()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{column}</th>" for column in COLUMNS)
        body = ""
        for layer in self.layers:
            style = "" if layer.even and not any(layer.dropped) else ' style="background: #f7d9d0; color: #000"'
            body += f"<tr{style}>{''.join(f'<td>{escape(cell)}</td>' for cell in layer._cells)}</tr>"
        title = escape(f"Padding of {self.name}, input {self.input_shape}")
        notes = "".join(f"<li>{escape(line)}</li>" for line in self._summary())
        return (
            f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<ul>{notes}</ul>"
        )


def padding_report(
    module: Any, input_shape: Sequence[int] | None = None, *, layer: str | None = None, foveation: bool = True
) -> PaddingReport:
    """Report for each convolution and pooling of a network how much of its padding is used on each side.

    A strided layer may leave cells at the end of its padded input unread. It then uses less padding after the input
    than before it, or drops values of the input: the network sees one side of its input less than the other.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        Any module of torch that maps a batch of inputs, or a fitted estimator of this package with `to_torch`.

    input_shape : sequence of int or None, default=None
        Channels and sizes of the input: (C, L), (C, H, W) or (C, D, H, W). None: what an estimator was fitted on.

    layer : str or None, default=None
        Name of a submodule, as in `named_modules`, after whose first call the network is cut off. None: its end.

    foveation : bool, default=True
        Whether the asymmetry of :func:`foveation_map` is computed as well. It needs no knowledge of layers, and shows
        what the table cannot read.

    Returns
    -------
    report : PaddingReport
        A table of layers. Operations whose padding could not be read are listed in `unread`.

    Raises
    ------
    TypeError
        If `module` is neither a module nor an estimator with `to_torch`.

    ValueError
        If the shape or the layer is wrong, or if the network does not accept the input.

    See Also
    --------
    valid_image_sizes : Sizes at which all layers use their padding evenly.
    foveation_map : How often each input counts.

    Notes
    -----
    The operations of one forward pass of a copy in evaluation mode are recorded where torch dispatches them, so that
    functional calls are seen as layers are. Forward hooks of the module run as well. A circular padding joins both
    ends: at sizes that the strides divide, it treats all places alike, though what it uses is uneven. Cost: that pass,
    and three more in float64 for the map.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import padding_report
    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
    >>> padding_report(module, (1, 16, 16))
    Padding of Sequential, input (1, 16, 16)
    module  operation    size   kernel  stride  mode   padding  used  dropped  even
    0       convolution  16x16  3x3     2x2     zeros  1+1      1+0            NO
    2       convolution  8x8    3x3     1x1     zeros  1+1      1+1            yes
    1 of 1 strided layers use their padding unevenly
    asymmetry of the map of paths by axis, 0 if the input is seen evenly: 0.500, 0.500
    >>> padding_report(module, (1, 17, 17)).is_even
    True
    """
    network, shape = network_of(module, input_shape)
    trace = record(network, shape, layer=layer)
    asymmetry = (float("nan"),) * trace.n_axes
    error = ""
    if foveation:
        try:
            asymmetry = _asymmetry(trace)
        except (ValueError, RuntimeError, NotImplementedError, TypeError) as raised:
            error = str(raised).splitlines()[0]
    layers = tuple(LayerPadding._of(window) for window in trace.windows)
    return PaddingReport(type(network).__name__, shape, layers, tuple(trace.unread), asymmetry, error)


def _asymmetry(trace: Trace) -> tuple[float, ...]:
    return tuple(flip_asymmetry(map_of_paths(trace)).tolist())


def valid_image_sizes(
    module: Any,
    low: int,
    high: int,
    *,
    n_channels: int | None = None,
    n_axes: int | None = None,
    layer: str | None = None,
) -> NDArray[np.int64]:
    """Return the input sizes at which every layer of a network uses its padding evenly.

    Parameters
    ----------
    module : nn.Module or fitted network estimator
        As for :func:`padding_report`.

    low, high : int
        Smallest and largest size to try. All axes of the input have this size.

    n_channels : int or None, default=None
        Channels of the input. None: those of the first convolution.

    n_axes : {1, 2, 3} or None, default=None
        Number of axes: 1 for series, 2 for images. None: those of the first convolution.

    layer : str or None, default=None
        As for :func:`padding_report`: give the last layer before a part that accepts one size only.

    Returns
    -------
    sizes : ndarray of int
        Sizes at which each layer uses as much padding before its input as after it, and drops no values. If the padding
        of an operation cannot be read, the map of paths has to be symmetric as well. Sizes that the network does not
        accept are left out.

    Raises
    ------
    ValueError
        If the sizes are not whole numbers in ascending order, if channels or axes are needed, or if the network accepts
        none of the sizes.

    See Also
    --------
    padding_report : The table for one size.

    Notes
    -----
    For d layers of stride 2 with odd kernels and the usual padding they are the sizes 2^d a + 1. Cost: a forward pass
    for each size.

    References
    ----------
    .. [1] B. Alsallakh, N. Kokhlikyan, V. Miglani, J. Yuan, O. Reblitz-Richardson, "Mind the Pad: CNNs Can Develop
       Blind Spots", ICLR 2021. https://arxiv.org/abs/2010.02178

    Examples
    --------
    >>> from torch import nn
    >>> from skpapers.convolution import valid_image_sizes
    >>> layers = [nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(3)]
    >>> valid_image_sizes(nn.Sequential(*layers), 8, 40)
    array([ 9, 17, 25, 33])
    """
    if not (isinstance(low, Integral) and isinstance(high, Integral) and 1 <= low <= high):
        raise ValueError(f"low and high must be whole numbers with 1 <= low <= high, got {low!r} and {high!r}.")
    network, channels, axes = _channels_and_axes(module, n_channels, n_axes)
    valid = []
    failed: ValueError | None = None
    n_accepted = 0
    for size in range(low, high + 1):
        shape = (channels, *[size] * axes)
        try:
            report = padding_report(network, shape, layer=layer, foveation=False)
            if report.is_even and not report.is_complete:
                report = padding_report(network, shape, layer=layer)
        except ValueError as error:
            failed = error
            continue
        n_accepted += 1
        if report.is_even and (report.is_complete or max(report.asymmetry) <= ROUNDING):
            valid.append(size)
    if failed is not None and n_accepted == 0:
        raise failed
    return np.array(valid, dtype=np.int64)


def _channels_and_axes(module: Any, n_channels: int | None, n_axes: int | None) -> tuple[nn.Module, int, int]:
    """Return the network, and the channels and the number of axes of its input."""
    if not isinstance(module, nn.Module):
        network, shape = network_of(module, None)
        return network, shape[0], len(shape) - 1
    parts: list[Any] = list(module.modules())
    first = next((part for part in parts if hasattr(part, "in_channels") and hasattr(part, "kernel_size")), None)
    if first is not None:
        n_channels = first.in_channels if n_channels is None else n_channels
        n_axes = len(first.kernel_size) if n_axes is None else n_axes
    if n_channels is None or n_axes is None:
        raise ValueError("The network has no convolution that shows its input: n_channels and n_axes are needed.")
    return module, n_channels, n_axes
