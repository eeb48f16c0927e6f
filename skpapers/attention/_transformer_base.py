"""What the estimators share whose blocks are those of a transformer, with attention of two kinds."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

import torch
from torch import nn

from skpapers._torch.fitted import Architecture
from skpapers._torch.setup import Setup
from skpapers._validation import Interval, StrOptions
from skpapers.attention._sequence_base import SequenceEstimator
from skpapers.attention._softmax_attention import SoftmaxAttention
from skpapers.attention._transformer_block import TransformerBlock


class TransformerEstimator(SequenceEstimator):
    """An estimator with blocks of attention and dense layers; a method gives `_linear_attention`."""

    _parameter_constraints: ClassVar[dict] = {
        **SequenceEstimator._parameter_constraints,
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "attention": [StrOptions({"auto", "linear", "softmax"})],
        "redraw_interval": [Interval(Integral, 1, None, closed="left"), None],
    }
    _layer_parameters: ClassVar[tuple[str, ...]] = (*SequenceEstimator._layer_parameters, "n_heads", "redraw_interval")

    # Steps from which "auto" is linear: with all steps seen by each other, and causal. `benchmarks/bench_attention.py`
    # has Performers faster in training from 240 steps; causal ones not up to 512, as exact attention halves its work.
    _break_even: ClassVar[tuple[int, int]] = (256, 1024)

    n_heads: int
    attention: str
    redraw_interval: int | None

    def _linear_attention(self, architecture: Architecture, dtype: torch.dtype) -> nn.Module:
        """Return a layer of linear attention with undrawn weights."""
        raise NotImplementedError

    def _architecture(self, setup: Setup) -> Architecture:
        kind = self.attention
        if kind == "auto":
            kind = "softmax" if setup.inputs.known_shape[0] < self._break_even[self.causal] else "linear"
        return {**super()._architecture(setup), "attention": kind}

    def _block(self, architecture: Architecture, *, first: bool, dtype: torch.dtype) -> nn.Module:
        d_model = architecture["d_model"]
        if architecture["attention"] == "softmax":
            layer: nn.Module = SoftmaxAttention(
                d_model, architecture["n_heads"], causal=architecture["causal"], dtype=dtype
            )
        else:
            layer = self._linear_attention(architecture, dtype)
        first_norm = architecture["first_norm"] or not first
        return TransformerBlock(layer, d_model, first_norm=first_norm, dropout=architecture["dropout"], dtype=dtype)
