"""Parameters of multi-layer perceptrons, and the network that they describe."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import torch
from numpy.typing import ArrayLike

from skpapers._torch.fitted import Architecture
from skpapers._torch.modules import ACTIVATIONS, MLP, layer_sizes
from skpapers._torch.setup import Setup
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._validation import Interval, StrOptions


class MLPEstimator(SupervisedNetwork):
    """An estimator whose network is a stack of multi-layer perceptrons."""

    _network_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "numeric_embedding": [StrOptions({"none", "periodic"})],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_ensemble": [Interval(Integral, 1, None, closed="left")],
    }
    _parameter_names: ClassVar[dict[str, str]] = {"n_members": "n_ensemble"}

    hidden_layer_sizes: ArrayLike
    activation: str
    numeric_embedding: str
    batch_norm: bool
    dropout: float

    def _architecture(self, setup: Setup) -> Architecture:
        return {
            "n_inputs": setup.inputs.known_shape[0],
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            "n_outputs": setup.target.output_shape[0],
            "activation": self.activation,
            "n_members": self.n_ensemble,
            "batch_norm": self.batch_norm,
            "dropout": self.dropout,
            "numeric_embedding": self.numeric_embedding,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> MLP:
        return MLP(**architecture, dtype=dtype)
