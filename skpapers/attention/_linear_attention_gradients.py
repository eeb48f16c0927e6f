"""What the passes of linear attention keep for their backward pass, and the gradients it fills block by block."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from skpapers.attention._linear_attention_blocks import Group, Pass


@dataclass
class Trace:
    """What the backward pass needs of the forward pass of one group.

    Parameters
    ----------
    S : Tensor of shape (n, m, e + 1) or (n, m, e)
        The sums: at the end, or at the start of a causal pass.

    M : Tensor of shape (n, m) or None
        Scale of the exponents at the end.

    chunks : list of slice
        Rows of the causal chunks.

    scales : list of Tensor of shape (n, m) or None
        M of each chunk.

    factors : list of Tensor of shape (n, m, 1) or (n, 1, 1), or None
        What the sums are multiplied by before each chunk.

    keeps : bool
        Whether features are kept.

    Q, K : dict of Tensor
        Features by the first row of their block, if they are kept; if not, they are computed again.

    sums, weights : dict of Tensor
        Of causal chunks, kept likewise: the sums before the chunk, and the products of its queries and keys.
    """

    S: Tensor
    M: Tensor | None
    keeps: bool
    chunks: list[slice] = field(default_factory=list)
    scales: list[Tensor | None] = field(default_factory=list)
    factors: list[Tensor | None] = field(default_factory=list)
    Q: dict[int, Tensor] = field(default_factory=dict)
    K: dict[int, Tensor] = field(default_factory=dict)
    sums: dict[int, Tensor] = field(default_factory=dict)
    weights: dict[int, Tensor] = field(default_factory=dict)

    def keep(self, kept: dict[int, Tensor], rows: slice, x: Tensor) -> None:
        """Keep what belongs to a block in one of the dicts, if features are kept."""
        if self.keeps:
            kept[rows.start] = x


class Grads:
    """The gradients of one call, filled block by block."""

    def __init__(self, of: Pass) -> None:
        self.of = of
        self.q = torch.empty_like(of.q)
        self.k = torch.empty_like(of.k)
        self.v = torch.empty_like(of.v)
        heads = (*of.k.shape[:3], 1)
        self.weight = None if of.weight is None else of.k.new_empty(heads)
        parameter = of.feature_map.parameter
        self.parameter = None if parameter is None else torch.zeros_like(parameter, dtype=of.q.dtype)
        # Row by row, what the gradient of the sums c of the logarithms of gates is.
        self.c = None if of.log_gate is None else of.k.new_empty(heads)

    def query(self, group: Group, rows: slice, phi: Tensor, gradient: Tensor) -> None:
        x = group.tile(self.of.q, rows)
        offset = not self.of.normalized
        of_x = group.map.block_backward(x, group.W, phi, gradient, offset=offset, of_parameter=self.parameter)
        group.put(self.q, rows, of_x)

    def key(self, group: Group, rows: slice, phi: Tensor, gradient: Tensor) -> None:
        x = group.tile(self.of.k, rows)
        of_x = group.map.block_backward(x, group.W, phi, gradient, of_parameter=self.parameter)
        group.put(self.k, rows, of_x)

    def value(self, group: Group, rows: slice, gradient: Tensor, omega: Tensor | None, decay: Tensor | None) -> None:
        v = group.tile(self.of.v, rows)
        e = v.shape[-1]
        of_value = gradient[..., :e]
        group.put(self.v, rows, of_value if omega is None else of_value * omega)
        if self.weight is None or omega is None:
            return
        of_omega = (of_value * v).sum(-1, keepdim=True)
        if self.of.normalized:
            of_omega += gradient[..., e:]
        group.put(self.weight, rows, of_omega if decay is None else of_omega * torch.exp(-decay))
        if self.c is not None:
            self.c[group.batch, :, rows] -= (of_omega * omega).view(-1, self.of.q.shape[1], v.shape[1], 1)

    def factor(self, group: Group, rows: slice, gradient: Tensor) -> None:
        if self.c is not None:
            group.put(self.c, rows, gradient)

    def of_log_gate(self) -> Tensor | None:
        """Return the gradient of the logarithms of gates: each is in all sums from its row on."""
        return None if self.c is None else self.c[..., 0].flip(-1).cumsum(-1).flip(-1)

    def of_weight(self) -> Tensor | None:
        """Return the gradient of the factors of keys, summed over heads that share them."""
        if self.weight is None or self.of.weight is None:
            return None
        gradient = self.weight[..., 0]
        return gradient if self.of.weight.shape[1] > 1 else gradient.sum(1, keepdim=True)
