"""What a fit of the forecaster reads, and which rows have which part in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from skpapers._torch.fitted import Architecture
from skpapers._torch.inputs import Windows
from skpapers._torch.network_base import NetworkEstimator
from skpapers._torch.reading import Given, read_rows
from skpapers._torch.rows import Rows
from skpapers._torch.targets import Numbers
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_stages import Roles
from skpapers.forecasting._held_windows import hold_back

FEWEST_TO_JUDGE = 5  # target windows, for early_stopping="auto"


class DAFBase(NetworkEstimator):
    """Reading, roles of the rows, and the network."""

    d_model: int
    n_heads: int
    n_layers: int
    kernel_sizes: Any
    quantiles: Sequence[float] | None
    conformal: bool
    calibration_fraction: float
    n_channels: int
    mask_nan: bool
    early_stopping: bool | str
    validation_fraction: float

    def _read(self, blank: Any, given: Given, *, reset: bool, inputs: Windows | None = None) -> tuple[Windows, Rows]:
        """Return the shape of the windows, and validated rows with windows of shape (n, L, C)."""
        inputs = Windows(n_channels=self.n_channels, allow_nan=self.mask_nan) if inputs is None else inputs
        inputs, _, rows = read_rows(blank, inputs, Numbers(), given, reset=reset)  # type: ignore[assignment]
        _check_length(inputs.known_shape)
        X = rows.X.reshape(-1, *inputs.known_shape)
        unseen = np.flatnonzero(np.isnan(X[:, :, 0]).all(axis=1))
        if len(unseen):
            raise ValueError(f"Row {unseen[0]} of X has no observed value of the series: a history needs at least one.")
        return inputs, replace(rows, X=X)

    def _read_validation(self, blank: Any, inputs: Windows, X_val: Any, y_val: Any) -> Rows[NDArray] | None:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: only one of them was given.")
        if X_val is None:
            return None
        if self.early_stopping is False:
            raise ValueError("X_val and y_val are for early_stopping; it is False.")
        _, rows = self._read(blank, Given(X_val, y_val), reset=False, inputs=inputs)
        return replace(rows, extra={"domain": np.zeros(len(rows), dtype=np.intp)})

    def _roles(self, rows: Rows[NDArray], held: Rows[NDArray] | None) -> tuple[Roles, Rows[NDArray] | None]:
        """Return the rows of each part, and those of the calibration."""
        is_target = rows.extra["domain"] == 0
        source = rows.take(np.flatnonzero(~is_target))
        target = rows.take(np.flatnonzero(is_target))
        if not len(target):
            raise ValueError("No row of the target (a negative sample_domain) has a weight above 0.")
        calibration = None
        if self.conformal:
            target, calibration = self._hold_back(target, self.calibration_fraction, "conformal=True")
        judges = self.early_stopping is True
        if self.early_stopping == "auto":
            judges = len(source) > 0 and len(target) >= FEWEST_TO_JUDGE
        if held is None and judges:
            rest, held = hold_back(target, self.validation_fraction)
            if len(rest):
                target = rest
            elif self.early_stopping == "auto":
                held = None
            else:
                raise ValueError(self._nothing_left("early_stopping=True", self.validation_fraction, len(target)))
        return Roles(source, target, held), calibration

    def _hold_back(self, target: Rows[NDArray], fraction: float, what: str) -> tuple[Rows[NDArray], Rows[NDArray]]:
        rest, held = hold_back(target, fraction)
        if not len(rest):
            raise ValueError(self._nothing_left(what, fraction, len(target)))
        return rest, held

    def _nothing_left(self, what: str, fraction: float, n: int) -> str:
        return (
            f"{what} holds back {fraction:g} of the n_samples={n} target windows, and the horizon of every "
            "other window shares a step with theirs, or repeats it: give more windows or a smaller fraction."
        )

    def _levels(self) -> tuple[float, ...] | None:
        """Return the quantiles of the outputs, the median among them.

        Raises
        ------
        ValueError
            If they are not numbers between 0 and 1, or if there is nothing to calibrate.
        """
        if self.quantiles is None:
            if self.conformal:
                raise ValueError("conformal=True calibrates quantiles; quantiles is None.")
            return None
        given = np.asarray(self.quantiles, dtype=np.float64)
        if given.ndim != 1 or not len(given) or not np.all((given > 0) & (given < 1)):
            raise ValueError(f"quantiles must hold numbers between 0 and 1, got {self.quantiles!r}.")
        return tuple(sorted({0.5, *given.tolist()}))

    def _architecture(
        self, inputs: Windows, rows: Rows, n_domains: int, levels: tuple[float, ...] | None
    ) -> Architecture:
        """Return the arguments of `_build`. A fitted model keeps them, since its parameters may change."""
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model={self.d_model} must be a multiple of n_heads={self.n_heads}.")
        sizes = np.atleast_1d(np.asarray(self.kernel_sizes, dtype=object))
        if (
            sizes.ndim != 1
            or not 1 <= len(sizes) <= self.d_model
            or not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes)
        ):
            raise ValueError(
                f"kernel_sizes must hold integers from 1, at most d_model={self.d_model} of them; got "
                f"{self.kernel_sizes!r}."
            )
        return {
            "row_shape": inputs.known_shape,
            "horizon": rows.y.shape[1],
            "n_outputs": 1 if levels is None else len(levels),
            "point": 0 if levels is None else levels.index(0.5),
            "n_domains": n_domains,
            "d_model": self.d_model,
            "n_heads": self.n_heads,
            "n_layers": self.n_layers,
            "kernel_sizes": tuple(min(int(size), inputs.known_shape[0] - 1) for size in sizes),
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> DAFNetwork:
        return DAFNetwork(**architecture, dtype=dtype)


def _check_length(shape: tuple[int, ...]) -> None:
    if shape[0] < 2:
        raise ValueError(
            f"A history needs two steps or more; X has {shape[0] * shape[1]} feature(s), which is {shape[0]} step of "
            f"{shape[1]} channel(s)."
        )


def places_of(numbers: NDArray) -> tuple[float, ...]:
    """Return the numbers of the domains in ascending order: the target's, and those of the sources.

    Raises
    ------
    ValueError
        If there is no target, or more than one.
    """
    domains = tuple(np.unique(numbers).tolist())
    targets = [number for number in domains if number < 0]
    if len(targets) != 1:
        raise ValueError(
            f"sample_domain must be negative, and one number, for the rows of the target; got "
            f"{targets if targets else 'no negative number'}. Without sources leave sample_domain out."
        )
    return domains
