"""What both estimators with FLASH share: their layer, which is a block by itself."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import torch

from skpapers._torch.fitted import Architecture
from skpapers._torch.modules import Dropout
from skpapers._validation import Interval, StrOptions
from skpapers.attention._flash_layer import FLASH
from skpapers.attention._sequence_base import SequenceEstimator


class FLASHEstimator(SequenceEstimator):
    """A stack of FLASH layers."""

    _parameter_constraints: ClassVar[dict] = {
        **SequenceEstimator._parameter_constraints,
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
        "d_query": [Interval(Integral, 1, None, closed="left")],
        "expansion": [Interval(Real, 0, None, closed="neither")],
        "activation": [StrOptions({"relu2", "laplace"})],
    }
    _layer_parameters: ClassVar[tuple[str, ...]] = (
        *SequenceEstimator._layer_parameters,
        "chunk_size",
        "d_query",
        "expansion",
        "activation",
    )

    chunk_size: int
    d_query: int
    expansion: float
    activation: str

    def _block(self, architecture: Architecture, *, first: bool, dtype: torch.dtype) -> FLASH:
        names = ("chunk_size", "d_query", "expansion", "activation", "causal")
        options = {name: architecture[name] for name in names}
        norm = architecture["first_norm"] or not first
        block = FLASH(architecture["d_model"], **options, norm=norm, random_state=0, device="cpu", dtype=dtype)
        if architecture["dropout"] > 0:
            block.dropout = Dropout(architecture["dropout"])
        return block
