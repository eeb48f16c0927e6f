"""What both Performers share: their attention layer."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

import torch

from skpapers._torch.fitted import Architecture
from skpapers._validation import Interval, StrOptions
from skpapers.attention._performer import GENERALIZED
from skpapers.attention._performer_layer import FavorAttention
from skpapers.attention._transformer_base import TransformerEstimator


class PerformerEstimator(TransformerEstimator):
    """A transformer with FAVOR+."""

    _parameter_constraints: ClassVar[dict] = {
        **TransformerEstimator._parameter_constraints,
        "n_features": [Interval(Integral, 1, None, closed="left"), None],
        "kernel": [StrOptions({"softmax", *GENERALIZED})],
    }
    _layer_parameters: ClassVar[tuple[str, ...]] = (*TransformerEstimator._layer_parameters, "n_features", "kernel")

    n_features: int | None
    kernel: str

    def _linear_attention(self, architecture: Architecture, dtype: torch.dtype) -> FavorAttention:
        names = ("n_heads", "n_features", "kernel", "causal", "redraw_interval")
        options = {name: architecture[name] for name in names}
        return FavorAttention(architecture["d_model"], **options, random_state=0, device="cpu", dtype=dtype)
