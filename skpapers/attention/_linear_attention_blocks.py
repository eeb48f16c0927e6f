r"""Linear attention block by block, forward and backward: no array of features outlives its block.

For queries :math:`q_t`, keys :math:`k_s` and rows :math:`\bar v_s = \omega_s [v_s, 1]`, with the 1 only if the sum of
weights is needed, the passes compute

.. math:: \bar o_t = \phi(q_t)^\top \bar S_t, \qquad \bar S_t = \sum_s \phi(k_s) \bar v_s^\top,

over all keys, or over :math:`s \le t` in a causal pass. A causal pass may have gates :math:`g_t`. Within a chunk, with
:math:`c_t = \sum_{r \le t} \log g_r`, key s has the factor :math:`e^{c_t - c_s}` for query t, hence
:math:`\omega_s = (1 - g_s) e^{-c_s}`, and :math:`e^{c_t}` multiplies the output.

Exponential features overflow or vanish for long queries and keys. A pass that is *scaled* stores :math:`\phi_i(k)
e^{-M_i}`, where :math:`M_i` is the largest exponent of feature i so far, and gives :math:`M_i` back to the exponents of
the queries, from which each row then subtracts its largest one. The latter cancels in the quotient of weighted sums and
sums of weights. The sum of weights is at least 1 by construction, whatever the lengths of the keys.

The backward pass computes features again, unless they are few. `_linear_attention_full.py` has the pass over all keys,
`_linear_attention_causal.py` the causal one, `_linear_attention_gradients.py` what both backward passes fill.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap, of_rows

KEPT = 2**21  # features of queries and keys: if there are no more in all, they are kept for the backward pass
BLOCK = 2**18  # features in one block: with their rows and sums they stay in the cache
ROWS = (64, 512)  # of a block, at least and at most
CHUNK = 64  # rows of a causal chunk


@dataclass
class Pass:
    """One call: its tensors, and the way features are computed.

    Parameters
    ----------
    q, k, v : Tensor of shape (B, H, L, d), (B, H, S, d) and (B, H, S, e)
        Queries, keys and values.

    weight : Tensor of shape (B, H, S) or (B, 1, S), or None
        Factors of the keys: 1 - gate, and 0 for padding.

    log_gate : Tensor of shape (B, H, L) or None
        Logarithms of the gates, 0 for padding.

    padding : Tensor of shape (B, S) or None
        True for keys that count for nothing.

    feature_map : FeatureMap
        The map.

    W : Tensor of shape (m, d) or (H, m, d)
        Its scaled frequencies. In training it is a copy, so that both passes have the same.

    normalized : bool
        Whether weighted sums are divided by the sums of weights.

    share : Tensor of shape (B, 1, L) or None
        Factor of the outputs: 1 / number of keys.

    scaled : bool
        Whether exponents are scaled.

    causal : bool
        Whether query t sees the keys up to t.

    chunk_size : int
        Rows of a causal chunk.

    training : bool
        Whether a backward pass follows.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    weight: Tensor | None
    log_gate: Tensor | None
    padding: Tensor | None
    feature_map: FeatureMap
    W: Tensor
    normalized: bool
    share: Tensor | None
    scaled: bool
    causal: bool
    chunk_size: int = CHUNK
    training: bool = False

    @property
    def keeps_features(self) -> bool:
        """Whether features are kept for the backward pass: short sequences, where that is faster."""
        n = self.q.numel() // max(self.q.shape[-1], 1) + self.k.numel() // max(self.k.shape[-1], 1)
        return self.training and (self.causal or not self.scaled) and n * self.n_features <= KEPT

    def groups(self) -> Iterator[slice]:
        """Return slices of the batch whose rows are processed together."""
        B, H, L, _ = self.q.shape
        rows = self.chunk_size if self.causal else max(L, self.k.shape[2])
        size = max(1, BLOCK // (H * self.n_features * max(rows, 1)))
        return (slice(start, min(start + size, B)) for start in range(0, B, size))

    @property
    def n_features(self) -> int:
        return self.feature_map.n_features or self.q.shape[-1]

    def group(self, batch: slice) -> Group:
        """Return the part of some rows of the batch."""
        return Group(self, batch)


class Group:
    """Some rows of the batch in one pass: n = rows times heads sequences, and the blocks of their tensors."""

    def __init__(self, of: Pass, batch: slice) -> None:
        self.of = of
        self.batch = batch
        self.n = (batch.stop - batch.start) * of.q.shape[1]
        self.map = of.feature_map
        self.smallest = self.map.smallest_denominator / self.map.factor
        self.W = of_rows(of.W, batch.stop - batch.start)
        self.n_rows = max(ROWS[0], min(ROWS[1], BLOCK // (self.n * of.n_features)))

    def blocks(self, x: Tensor) -> Iterator[slice]:
        """Return the slices of the positions of x in which its features are computed."""
        L = x.shape[2]
        return (slice(start, min(start + self.n_rows, L)) for start in range(0, L, self.n_rows))

    def tile(self, x: Tensor, rows: slice) -> Tensor:
        """Return a block of x, of shape (B, H, L, d), as (n, r, d)."""
        return x[self.batch, :, rows].reshape(self.n, -1, x.shape[-1])

    def put(self, x: Tensor, rows: slice, block: Tensor) -> None:
        """Store a block of shape (n, r, d) in x."""
        target = x[self.batch, :, rows]
        target.copy_(block.view(target.shape))

    def scalars(self, x: Tensor, rows: slice) -> Tensor:
        """Return a block of one number a position, of shape (B, H or 1, L), as (n, r, 1)."""
        x = x[self.batch, :, rows]
        return x.expand(-1, self.of.q.shape[1], -1).reshape(self.n, -1, 1)

    def value_rows(self, rows: slice, decay: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the rows omega [v, 1] or omega v of a block, and omega of shape (n, r, 1), None for 1."""
        v = self.tile(self.of.v, rows)
        omega = None if self.of.weight is None else self.scalars(self.of.weight, rows)
        if omega is not None and decay is not None:
            omega = omega * torch.exp(-decay)
        if not self.of.normalized:
            return (v if omega is None else v * omega), omega
        *shape, e = v.shape
        extended = v.new_empty(*shape, e + 1)
        extended[..., e:] = 1.0 if omega is None else omega
        extended[..., :e] = v
        if omega is not None:
            extended[..., :e] *= omega
        return extended, omega

    def key_exponents(self, rows: slice) -> Tensor:
        """Return the exponents of the keys of a block, -inf for padding."""
        exponents = self.map.exponents(self.tile(self.of.k, rows), self.W, offset=True)
        if self.of.padding is not None:
            padding = self.of.padding[self.batch, None, rows].expand(-1, self.of.q.shape[1], -1)
            exponents.masked_fill_(padding.reshape(self.n, -1, 1), -torch.inf)
        return exponents

    def keys(self, rows: slice, M: Tensor | None) -> Tensor:
        """Return the features of the keys of a block, of shape (n, r, m)."""
        if M is None:
            return self.map.block(self.tile(self.of.k, rows), self.W)
        return self.key_exponents(rows).sub_(M[:, None]).exp_()

    def queries(self, rows: slice, M: Tensor | None) -> Tensor:
        """Return the features of the queries of a block, of shape (n, r, m)."""
        x = self.tile(self.of.q, rows)
        # What depends on the row alone cancels in a quotient.
        offset = not self.of.normalized
        if M is None:
            return self.map.block(x, self.W, offset=offset)
        exponents = self.map.exponents(x, self.W, offset=offset).add_(M[:, None])
        if self.of.normalized:
            exponents.sub_(exponents.amax(-1, keepdim=True))
        return exponents.exp_()

    def put_outputs(self, rows: slice, extended: Tensor, out: Tensor, inverse: Tensor | None) -> None:
        """Store the outputs of a block, and the reciprocals of the sums of weights if they are asked for."""
        target = out[self.batch, :, rows]
        extended = extended.view(*target.shape[:-1], -1)
        if not self.of.normalized:
            share = self.map.factor if self.of.share is None else self.of.share[self.batch, :, rows, None]
            torch.mul(extended, share, out=target)
            return
        reciprocal = reciprocals(extended[..., -1:], self.smallest)
        torch.mul(extended[..., :-1], reciprocal, out=target)
        if inverse is not None:
            inverse[self.batch, :, rows] = reciprocal

    def output_gradients(
        self, rows: slice, gradient: Tensor, out: Tensor, inverse: Tensor | None, decay: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients of the extended outputs of a block, and of the logarithm of their factor exp(c)."""
        gradient = self.tile(gradient, rows)
        of_factor = (gradient * self.tile(out, rows)).sum(-1, keepdim=True)
        if inverse is None:
            share = self.map.factor if self.of.share is None else self.scalars(self.of.share, rows)
            return gradient * (share if decay is None else share * decay), of_factor
        inverse = self.tile(inverse, rows)
        free = (inverse.abs() * self.smallest < 1.0).to(gradient.dtype)
        extended = torch.cat([gradient * inverse, -of_factor * inverse * free], dim=-1)
        return (extended if decay is None else extended.mul_(decay)), of_factor * (1.0 - free)


def reciprocals(denominator: Tensor, smallest: float) -> Tensor:
    """Return 1 / denominator, at most 1 / smallest in size; with smallest = 0 it is 0 for a denominator of 0."""
    if smallest == 0.0:
        return torch.where(denominator == 0.0, 0.0, 1.0 / denominator)
    return 1.0 / torch.copysign(denominator.abs().clamp(min=smallest), denominator)
