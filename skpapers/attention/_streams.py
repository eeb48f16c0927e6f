"""A fitted network on series that go on: one step of each at a time."""

from __future__ import annotations

from numbers import Integral

import torch
from numpy.typing import NDArray
from sklearn.utils import check_scalar
from torch import nn

from skpapers._torch.predictor import Predictor, bounded
from skpapers._torch.setup import Setup
from skpapers._torch.state import own_precision
from skpapers.attention._sequence_network import SequenceNetwork
from skpapers.attention._stream_state import StreamState


class Stream:
    """A fitted network that gets raw steps.

    Parameters
    ----------
    setup : Setup
        Of a model on windows.

    network : SequenceNetwork
        In float64 and evaluation mode.
    """

    def __init__(self, setup: Setup, network: SequenceNetwork) -> None:
        self.n_channels = setup.inputs.known_shape[1]
        self.scaling = setup.scaling.layer()  # of a table with a column for each channel: a step is a row of it
        self.network = network
        self.start = network.init_state(1)
        self.predictor = Predictor(
            None, nn.Identity(), setup.target.combine, setup.target.units(), single=setup.target.output_shape == (1,)
        )

    def init_state(self, n_rows: int) -> StreamState:
        """Return the state of series before their first step."""
        n_rows = check_scalar(n_rows, "n_rows", Integral, min_val=1)
        with own_precision(), torch.no_grad():
            return self.network.init_state(n_rows)

    def step(self, x_t: NDArray, state: StreamState) -> tuple[NDArray, StreamState]:
        """Return the outputs after a step of each series (n, C), in the units of the target, and the state after it."""
        self._check(state)
        n_rows = len(state.n_steps)
        if x_t.shape != (n_rows, self.n_channels):
            raise ValueError(f"x_t has shape {x_t.shape}; it must be ({n_rows}, {self.n_channels}).")
        with own_precision(), torch.no_grad():
            x = torch.tensor(x_t, dtype=torch.float64, device="cpu")
            outputs, state = self.network.step(bounded(x if self.scaling is None else self.scaling(x)), state)
            return self.predictor(outputs).numpy(), state

    def _check(self, state: StreamState) -> None:
        """Raise a ValueError unless the state has the layers and the width of this network."""
        if (
            not isinstance(state, StreamState)
            or state.pooled.shape[1:] != self.start.pooled.shape[1:]
            or [type(layer) for layer in state.layers] != [type(layer) for layer in self.start.layers]
        ):
            raise ValueError("state must be what init_state or partial_predict of this model has returned.")
