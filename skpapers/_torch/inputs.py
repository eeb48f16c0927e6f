"""What a row is to a network: columns, a window of a series, or an image. An estimator declares which.

Inside the estimators rows are flat, of shape (n, p), so that pipelines, frames and scikit-learn's checks work. Arrays
of more dimensions are accepted as well. The network gets the rows in their shape.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import isqrt, prod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class Inputs(ABC):
    """The shape of a row.

    Parameters
    ----------
    shape : tuple of int or None
        None: it follows from the rows of the first fit.

    allow_nan : bool
        Whether a value may be missing. The network then gets NaN, and statistics are those of the observed values.
    """

    axes: ClassVar[tuple[str, ...]]
    channel_axis: ClassVar[int]  # of `shape`; values of one channel are scaled alike

    shape: tuple[int, ...] | None = None
    allow_nan: bool = False

    @abstractmethod
    def _shape_of(self, n_columns: int) -> tuple[int, ...]:
        """Return the shape of flat rows that come without one."""

    def read(self, X: Any) -> tuple[Self, Any]:
        """Return the inputs with the shape of rows of more than two dimensions, and flat rows.

        Raises
        ------
        ValueError
            If the rows have another shape than the one known.
        """
        if len(self.axes) == 1:  # scikit-learn's own error names arrays of too many dimensions
            return self, X
        shape = np.shape(X) if isinstance(X, list | tuple) else tuple(getattr(X, "shape", ()))
        if len(shape) <= 2:
            return self, X
        row = shape[1:]
        if len(row) != len(self.axes) or self.shape not in (None, row):
            wanted = ", ".join(self.axes) if self.shape is None else ", ".join(map(str, self.shape))
            raise ValueError(f"Each row of X has shape {row}; it must be ({wanted}), or flat.")
        return replace(self, shape=row), np.reshape(np.asarray(X), (shape[0], prod(row)))

    def completed(self, n_columns: int) -> Self:
        """Return the inputs with the shape of rows that have `n_columns` values.

        Raises
        ------
        ValueError
            If the known shape has another number of values.
        """
        if self.shape is None:
            return replace(self, shape=self._shape_of(n_columns))
        if prod(self.shape) != n_columns:
            raise ValueError(f"Each row of X has {n_columns} values; shape {self.shape} needs {prod(self.shape)}.")
        return self

    def fitted(self, X: NDArray) -> Self:
        """Return the inputs with what they learn from the first flat rows to train on; later rows change nothing."""
        return self

    @property
    def finite(self) -> bool | str:
        """What scikit-learn's validation takes as `ensure_all_finite`."""
        return "allow-nan" if self.allow_nan else True

    @property
    def known_shape(self) -> tuple[int, ...]:
        """The shape, once it is known."""
        assert self.shape is not None
        return self.shape

    @property
    def values_per_channel(self) -> int:
        """Number of values of a row in each channel."""
        return prod(self.known_shape) // self.known_shape[self.channel_axis]

    def by_channel(self, X: NDArray) -> NDArray:
        """Return flat rows as a table with one column for each channel, and `values_per_channel` rows for each row."""
        shaped = np.moveaxis(X.reshape(-1, *self.known_shape), 1 + self.channel_axis, -1)
        return np.ascontiguousarray(shaped).reshape(-1, shaped.shape[-1])

    def scaled(self, scaling: nn.Module | None) -> nn.Module | None:
        """Return a scaling of channels as one of flat rows."""
        return None if scaling is None else ChannelScaling(scaling, self.known_shape, self.channel_axis)


class ChannelScaling(nn.Module):
    """Flat rows whose channels are scaled as columns.

    Parameters
    ----------
    scaling : nn.Module
        Of a table with one column for each channel.

    shape : tuple of int
        Of a row.

    axis : int
        The one of the channels.
    """

    def __init__(self, scaling: nn.Module, shape: tuple[int, ...], axis: int) -> None:
        super().__init__()
        self.scaling = scaling
        self.shape = shape
        self.axis = axis

    def forward(self, X: Tensor) -> Tensor:
        shaped = X.reshape(-1, *self.shape).movedim(1 + self.axis, -1)
        table = self.scaling(shaped.reshape(-1, shaped.shape[-1]))
        return table.reshape(shaped.shape).movedim(-1, 1 + self.axis).reshape(X.shape)


@dataclass(frozen=True)
class Columns(Inputs):
    """A row of a table, (p,): each column is a channel."""

    axes = ("columns",)
    channel_axis = 0

    def _shape_of(self, n_columns: int) -> tuple[int, ...]:
        return (n_columns,)

    def by_channel(self, X: NDArray) -> NDArray:
        """Return the rows themselves."""
        return X

    def scaled(self, scaling: nn.Module | None) -> nn.Module | None:
        """Return the scaling itself."""
        return scaling


@dataclass(frozen=True)
class Windows(Inputs):
    """A window of a series, (L, C): L steps of C channels.

    Parameters
    ----------
    n_channels : int
        C of flat rows that come without a shape: they hold the channels of the first step, then those of the second.
    """

    axes = ("steps", "channels")
    channel_axis = 1

    n_channels: int = 1

    def _shape_of(self, n_columns: int) -> tuple[int, ...]:
        if n_columns % self.n_channels:
            raise ValueError(
                f"X has {n_columns} columns, which is not a multiple of n_channels={self.n_channels}: a row holds all "
                "channels of each step."
            )
        return (n_columns // self.n_channels, self.n_channels)


@dataclass(frozen=True)
class Images(Inputs):
    """An image, (C, H, W). Flat rows without a shape are one channel: a square where that is possible, or one line."""

    axes = ("channels", "height", "width")
    channel_axis = 0

    def _shape_of(self, n_columns: int) -> tuple[int, ...]:
        side = isqrt(n_columns)
        return (1, side, side) if side * side == n_columns else (1, 1, n_columns)
