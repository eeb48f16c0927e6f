"""A table of what padding the layers of a network use, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from skpapers.convolution._padding_trace import LayerWindow, Unread

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
    def of(cls, window: LayerWindow) -> LayerPadding:
        """Return the row of a recorded window."""
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
