"""Parameters of convolutional networks, and the network that they describe."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.image_rows import ImageRows, checked_shape, checked_strides
from skpapers._torch.modules import ACTIVATIONS
from skpapers._torch.padded_convolution import PADDING_MODES
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.sam import sharpness_aware
from skpapers._torch.setup import Run, Setup
from skpapers._torch.steps import Gradient
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._torch.targets import Target
from skpapers._validation import Interval, StrOptions
from skpapers._warnings import warn_user
from skpapers.convolution._conv_network import Axis, ConvNetwork, axes_of


class ConvNetEstimator(SupervisedNetwork):
    """An estimator whose network is a stack of convolutions, a global pooling and a linear layer."""

    _parameter_constraints: ClassVar[dict] = {
        **SupervisedNetwork._parameter_constraints,
        **SupervisedNetwork._optimizer_constraints,
        **SupervisedNetwork._stopping_constraints,
        **SupervisedNetwork._scaling_constraints,
        "image_shape": ["array-like", None],
        "hidden_channels": ["array-like", Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "strides": ["array-like", Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({"average", "max", "flatten"})],
        "padding_mode": [StrOptions(set(PADDING_MODES))],
        "even_padding": [StrOptions({"warn", "raise", "fix"})],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_ensemble": [Interval(Integral, 1, None, closed="left")],
        "rho": [Interval(Real, 0, None, closed="left")],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }
    _parameter_names: ClassVar[dict[str, str]] = {"n_members": "n_ensemble", "row_shape": "image_shape"}

    image_shape: ArrayLike | None
    hidden_channels: ArrayLike
    kernel_size: int
    strides: ArrayLike
    pooling: str
    padding_mode: str
    even_padding: str
    activation: str
    batch_norm: bool
    dropout: float
    rho: float

    @property
    def image_shape_(self) -> tuple[int, ...]:
        """Shape of a row: (C, H, W), or (C, L)."""
        return self._fitted.setup.inputs.known_shape

    def _inputs(self) -> ImageRows:
        return ImageRows(checked_shape(self.image_shape))

    def _architecture(self, setup: Setup) -> Architecture:
        channels = _checked_channels(self.hidden_channels)
        return {
            "row_shape": setup.inputs.known_shape,
            "n_outputs": setup.target.output_shape[0],
            "hidden_channels": channels,
            "strides": checked_strides(self.strides, len(channels)),
            "kernel_size": int(self.kernel_size),
            "pooling": self.pooling,
            "padding_mode": self.padding_mode,
            "fix_padding": self.even_padding == "fix",
            "activation": self.activation,
            "batch_norm": self.batch_norm,
            "dropout": self.dropout,
            "n_members": self.n_ensemble,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> ConvNetwork:
        return ConvNetwork(**architecture, dtype=dtype)

    def _gradient(self, run: Run) -> Gradient:
        return sharpness_aware(self.rho)

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        given: Given,
        *,
        one_of_many: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        shape = checked_shape(self.image_shape)
        if before is not None and shape not in (None, before.setup.inputs.known_shape):
            raise ValueError(
                f"The network was fitted with image_shape={before.setup.inputs.known_shape} and cannot continue with "
                f"{shape}: set it back, or fit anew with warm_start=False."
            )
        setup, rows = super()._read(blank, before, target, given, one_of_many=one_of_many)
        if before is None:
            self._check_padding(setup.inputs.known_shape)
        return setup, rows

    def _check_padding(self, row_shape: tuple[int, ...]) -> None:
        """Raise or warn if some layer uses its padding on one side only; raise if the layers do not fit."""
        channels = _checked_channels(self.hidden_channels)
        if self.kernel_size % 2 == 0 and self.padding_mode != "valid":
            raise ValueError(
                f"kernel_size={self.kernel_size} is even and has no centre, so that its padding cannot be even; use "
                'an odd one, or padding_mode="valid".'
            )
        strides = checked_strides(self.strides, len(channels))
        is_fixed = self.even_padding == "fix"
        axes = axes_of(row_shape, int(self.kernel_size), strides, self.padding_mode, fix=is_fixed)
        if is_fixed or all(axis.is_even for axis in axes):
            return
        message = _uneven(axes[3 - len(row_shape) :], self.padding_mode)
        if self.even_padding == "raise":
            raise ValueError(message)
        warn_user(message)


def _uneven(axes: list[Axis], padding_mode: str) -> str:
    """Return what uneven strides do to images or series, and what helps."""
    rows = "series" if len(axes) == 1 else "images"
    size = " x ".join(str(axis.size) for axis in axes)
    better = " x ".join(str(axis.even_size) for axis in axes)
    cause = "leave the last values of some layer's padded input unread, so that the network sees that side less"
    if padding_mode == "circular":
        cause = "do not divide the size, so that places on the circle are not read alike"
    return (
        f"For {rows} of size {size} the strides {cause}. Use {rows} of size {better}, strides=1, or "
        'even_padding="fix", which adds lines to the padding of the first layer.'
    )


def _checked_channels(hidden_channels: Any) -> tuple[int, ...]:
    given = np.ravel(np.asarray(hidden_channels, dtype=object)).tolist()
    if not given or not all(isinstance(size, Integral) and int(size) >= 1 for size in given):
        raise ValueError(f"hidden_channels must hold integers from 1, one for each layer; got {hidden_channels!r}.")
    return tuple(int(size) for size in given)
