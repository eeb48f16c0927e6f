"""A fitted model as one module: raw rows in, predictions out."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.networks import n_members


def bounded(x: Tensor) -> Tensor:
    """Return inputs clipped to values whose sums and squares are finite: a scaling without a clip leaves huge ones."""
    bound = torch.finfo(x.dtype).max ** 0.4
    return x.clamp(-bound, bound)


class Predictor(nn.Module):
    """Raw rows to what is predicted: scaling, network, members combined, the target's own units.

    Parameters
    ----------
    scaling : nn.Module or None
        The first layer.

    network : nn.Module
        Its output has shape (n, ...), or (K, n, ...) if its `n_members` K exceeds 1.

    combine : {"mean", "probabilities"}
        Members' outputs are averaged, or taken for logits whose probabilities are averaged: the logarithms of the means
        are logits again.

    units : tuple of two ndarray, or None
        Location and scale of the outputs.

    single : bool
        Whether outputs of shape (n, 1) become (n,).

    row_shape : tuple of int or None
        Shape of a row as the network takes it; None for rows as they are.
    """

    center: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        scaling: nn.Module | None,
        network: nn.Module,
        combine: str,
        units: tuple[NDArray, NDArray] | None = None,
        *,
        single: bool = True,
        row_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.scaling = scaling
        self.network = network
        self.combine = combine
        self.single = single
        self.row_shape = row_shape
        for i, name in enumerate(("center", "scale")):
            self.register_buffer(name, None if units is None else torch.from_numpy(np.asarray(units[i])))

    def forward(self, X: Tensor) -> Tensor:
        outputs = self.network(self.inputs(X))
        if n_members(self.network) > 1:
            outputs = self._combined(outputs)
        if self.center is not None:
            outputs = outputs * self.scale + self.center
        return outputs.squeeze(-1) if self.single else outputs

    def inputs(self, X: Tensor) -> Tensor:
        """Return what the network gets for raw rows."""
        scaled = bounded(X if self.scaling is None else self.scaling(X))
        return scaled if self.row_shape is None else scaled.reshape(-1, *self.row_shape)

    def _combined(self, outputs: Tensor) -> Tensor:
        if self.combine == "mean":
            return outputs.mean(dim=0)
        if outputs.shape[-1] == 1:
            return F.logsigmoid(outputs).logsumexp(dim=0) - F.logsigmoid(-outputs).logsumexp(dim=0)
        return F.log_softmax(outputs, dim=-1).logsumexp(dim=0) - np.log(len(outputs))
