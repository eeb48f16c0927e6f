"""What a row is to a convolutional network: an image of channels, or a series of channels."""

from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any, Self

import numpy as np

from skpapers._torch.inputs import Images


@dataclass(frozen=True)
class ImageRows(Images):
    """An image (C, H, W), or a series (C, L).

    Flat rows without a shape are one channel: a square image where that is possible, or one line. Images (H, W) without
    an axis of channels are accepted where the known shape has one channel.
    """

    def read(self, X: Any) -> tuple[Self, Any]:
        """Return the inputs with the shape of rows of more than two dimensions, and flat rows.

        Raises
        ------
        ValueError
            If the rows have another shape than the one known, or no shape of an image or a series.
        """
        shape = np.shape(X) if isinstance(X, list | tuple) else tuple(getattr(X, "shape", ()))
        if len(shape) <= 2:
            return self, X
        row = shape[1:]
        known = self.shape
        if known is None and len(row) > 3:
            raise ValueError(f"Each row of X has shape {row}; it must be (C, H, W) or (C, L), or flat.")
        if known is not None and row != known and (1, *row) != known:
            raise ValueError(f"Each row of X has shape {row}; it must be {known}, or flat.")
        return replace(self, shape=row if known is None else known), np.reshape(np.asarray(X), (shape[0], prod(row)))

    def completed(self, n_columns: int) -> Self:
        """Return the inputs with the shape of rows that have `n_columns` values.

        Raises
        ------
        ValueError
            If the known shape has another number of values.
        """
        if self.shape is not None and prod(self.shape) != n_columns:
            raise ValueError(f"image_shape={self.shape} needs {prod(self.shape)} values in a row; X has {n_columns}.")
        return super().completed(n_columns)


def checked_shape(image_shape: Any) -> tuple[int, ...] | None:
    """Return a parameter `image_shape` as a tuple.

    Raises
    ------
    ValueError
        If it is neither (C, H, W) nor (C, L).
    """
    if image_shape is None:
        return None
    given = tuple(image_shape)
    if len(given) not in (2, 3) or not all(isinstance(size, Integral) and int(size) >= 1 for size in given):
        raise ValueError(f"image_shape must be (C, H, W), (C, L) or None, of integers from 1; got {image_shape!r}.")
    return tuple(int(size) for size in given)


def checked_strides(strides: Any, n_layers: int) -> tuple[int, ...]:
    """Return a parameter `strides` as one number for each layer.

    Raises
    ------
    ValueError
        If it is not one integer from 1, or one for each layer.
    """
    given = np.ravel(np.asarray(strides, dtype=object)).tolist()
    if not all(isinstance(stride, Integral) and int(stride) >= 1 for stride in given) or len(given) not in (
        1,
        n_layers,
    ):
        raise ValueError(f"strides must be an integer from 1, or {n_layers} of them, one a layer; got {strides!r}.")
    return tuple(int(stride) for stride in (given if len(given) == n_layers else given * n_layers))
