"""A fitted DAF forecaster in numpy, and the module of torch that makes its forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.fitted import Architecture, Arrays
from skpapers._torch.inputs import Windows
from skpapers.forecasting._daf import scale_history
from skpapers.forecasting._daf_network import DAFNetwork
from skpapers.forecasting._daf_roll_out import roll_out


@dataclass(frozen=True, eq=False)
class FittedDAF:
    """A network after training.

    Parameters
    ----------
    architecture : dict
        What the network is built from.

    inputs : Windows
        The shape of a window.

    domains : tuple of float
        The number of each domain, in the order of the network's private modules; the first is the target's.

    levels : tuple of float or None
        The quantiles that the outputs are, in ascending order, the median among them. None: one output, the forecast.

    weights : dict of str to ndarray
        Parameters by name.

    before : dict of str to ndarray
        Those before the joint training: of the source, with the source's private modules copied to the target. Empty
        if there was no such stage.

    offsets : ndarray of shape (H, n_outputs) or None
        Added to the quantiles, in scales of the history.
    """

    architecture: Architecture
    inputs: Windows
    domains: tuple[float, ...]
    levels: tuple[float, ...] | None
    weights: Arrays
    before: Arrays
    offsets: NDArray | None = None


class Forecaster(nn.Module):
    """Flat raw windows to forecasts of one domain in their own units, of shape (n, H, n_outputs).

    Parameters
    ----------
    network : DAFNetwork
        Of scaled series.

    row_shape : tuple of int
        (L, C).

    domain : int
        The place of the domain.

    offsets : ndarray of shape (H, n_outputs) or None
        Added to the outputs, in scales of the history.
    """

    offsets: Tensor | None

    def __init__(self, network: DAFNetwork, row_shape: tuple[int, ...], domain: int, offsets: NDArray | None) -> None:
        super().__init__()
        self.network = network
        self.row_shape = row_shape
        self.domain = domain
        self.register_buffer("offsets", None if offsets is None else torch.from_numpy(np.array(offsets)))

    def forward(self, X: Tensor) -> Tensor:
        z, location, scale = scale_history(X.reshape(-1, *self.row_shape))
        domain = torch.full((len(z),), self.domain, dtype=torch.int64, device=z.device)
        outputs = roll_out(self.network, z, domain)
        if outputs.shape[-1] > 1:
            outputs = self._ordered(outputs)
        return outputs * scale[:, 0, None, None] + location[:, 0, None, None]

    def _ordered(self, outputs: Tensor) -> Tensor:
        """Return moved quantiles that do not cross; the point forecast stays where it is."""
        middle = self.network.point
        point = outputs[..., middle : middle + 1]
        outputs = outputs.sort(dim=-1).values
        if self.offsets is not None:
            outputs = outputs + self.offsets.to(outputs)
        below = torch.minimum(outputs[..., :middle], point).sort(dim=-1).values
        above = torch.maximum(outputs[..., middle + 1 :], point).sort(dim=-1).values
        return torch.cat([below, point, above], dim=-1)


class PointForecaster(nn.Module):
    """The same without the other quantiles: flat raw windows to forecasts of shape (n, H), or (n,) for one step."""

    def __init__(self, forecaster: Forecaster) -> None:
        super().__init__()
        self.forecaster = forecaster
        self.network = forecaster.network

    def forward(self, X: Tensor) -> Tensor:
        outputs = self.forecaster(X)[..., self.network.point]
        return outputs.squeeze(-1) if self.network.horizon == 1 else outputs
