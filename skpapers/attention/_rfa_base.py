"""What both estimators with random feature attention share: their layer, and the memory that its gate has learned."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skpapers._torch.chunks import outputs_in_chunks
from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Setup
from skpapers._torch.state import own_modes
from skpapers._validation import Interval, StrOptions
from skpapers.attention._rfa_layer import RandomFeatureAttention
from skpapers.attention._sequence_network import GateSums
from skpapers.attention._transformer_base import TransformerEstimator


class RFAEstimator(TransformerEstimator):
    """A transformer with random feature attention."""

    _parameter_constraints: ClassVar[dict] = {
        **TransformerEstimator._parameter_constraints,
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "kernel": [StrOptions({"gaussian", "arccos"})],
        "gate": ["boolean"],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "normalizer": [StrOptions({"count", "sum"}), None],
    }
    _layer_parameters: ClassVar[tuple[str, ...]] = (
        *TransformerEstimator._layer_parameters,
        "n_features",
        "kernel",
        "gate",
        "sigma",
        "normalizer",
    )

    _break_even: ClassVar[tuple[int, int]] = (512, 1024)  # measured: 550 where all steps see each other

    n_features: int
    kernel: str
    gate: bool
    sigma: float
    normalizer: str | None

    def _architecture(self, setup: Setup) -> Architecture:
        architecture = super()._architecture(setup)
        if not self.gate:
            return architecture
        if not self.causal:
            raise ValueError("gate=True forgets earlier steps, which needs their order: set causal=True.")
        if self.attention == "softmax":
            raise ValueError('gate=True is a gate of linear attention: set attention="linear" or "auto".')
        return {**architecture, "attention": "linear", "n_gates": self.n_heads}

    def _linear_attention(self, architecture: Architecture, dtype: torch.dtype) -> RandomFeatureAttention:
        names = ("n_heads", "n_features", "kernel", "causal", "gate", "sigma", "normalizer", "redraw_interval")
        options = {name: architecture[name] for name in names}
        return RandomFeatureAttention(architecture["d_model"], **options, random_state=0, device="cpu", dtype=dtype)

    def _train(self, setup: Setup, rows: Rows[NDArray], *args: Any, **options: Any) -> FittedNetwork:
        """Train, and measure the gates on the training rows."""
        fitted = super()._train(setup, rows, *args, **options)
        if not fitted.architecture["n_gates"]:
            return fitted
        with own_modes():
            module = GateSums(self._module_of(fitted))
        of_rows = outputs_in_chunks(module, module.network, rows.X)
        total = np.tensordot(np.ones(len(of_rows)) if rows.weight is None else rows.weight, of_rows, axes=1)
        with np.errstate(invalid="ignore"):  # rows without any step have no gate
            mean = total[:, :-1] / total[:, -1:]
        return replace(fitted, weights={**fitted.weights, "mean_gates": mean})

    @property
    def half_life_(self) -> NDArray:
        """Steps after which a head has halved the weight of what it has seen, of shape (n_layers, n_heads)."""
        check_is_fitted(self)
        mean = self._fitted.weights.get("mean_gates")
        if mean is None:
            raise AttributeError("half_life_ is for gate=True.")
        return -np.log(2.0) / np.log(mean)
