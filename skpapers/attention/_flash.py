"""FLASH: gated attention, quadratic within chunks and linear across them.

Hua, Dai, Liu and Le (2022), Section 3.2. With U, V and Z of the gated attention unit and chunks g of C positions, the
quadratic and the linear part are, in equations numbered here::

    O_g = A_g V_g + Q'_g S_g,     A_g = relu(Q_g K_g^T / C + bias)^2                       (1)
    S_g = (1/n) sum_h K'_h^T V_h                  for every g, n valid keys in all         (2)
    S_g = (1/m_g) sum_(h<g) K'_h^T V_h            causal; m_g valid keys before chunk g    (3)
    Y_g = (U_g * O_g) W_o                                                                  (4)

Q, Q', K and K' are gamma * Z + beta with four pairs of vectors.

=================================  =========================
Step                               Function
=================================  =========================
K'^T V of each chunk               :func:`chunk_sums`
S of each chunk                    :func:`linear_states`
O of each chunk                    :func:`chunk_attention`
=================================  =========================

Gradients are in `_flash_backward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from skpapers.attention._gated_functions import attention_function

QUAD_Q, LIN_Q, QUAD_K, LIN_K = range(4)  # rows of gamma and beta
BLOCK_NUMBERS = 2**20  # entries of the tensors of a block of chunks, which are computed at once
Block = tuple[slice, slice]


@dataclass(frozen=True)
class Chunks:
    """What describes the chunks, and how they attend.

    Parameters
    ----------
    divisor : int
        C of the scores.

    causal : bool
        Whether a position attends to itself and earlier ones only.

    activation : {"relu2", "laplace"}
        Attention function.

    by_position : bool
        Whether the causal linear part is divided by the number of its keys, not by C.

    valid : Tensor of bool, shape (B, G, C), or None
        Where positions are not padding; None if none is padding.
    """

    divisor: int
    causal: bool
    activation: str
    by_position: bool
    valid: Tensor | None


@dataclass(frozen=True)
class Parameters:
    """The parameters that act on chunks; `bias` is the (C, C) matrix of the position bias, or None."""

    gamma: Tensor
    beta: Tensor
    bias: Tensor | None
    out_weight: Tensor
    out_bias: Tensor

    @property
    def widths(self) -> tuple[int, int, int]:
        """Widths of U, V and Z."""
        return self.out_weight.shape[1], self.out_weight.shape[1], self.gamma.shape[1]

    def zeros(self) -> Parameters:
        """Return zeros of the same shapes."""
        bias = None if self.bias is None else torch.zeros_like(self.bias)
        zeros_like = torch.zeros_like
        return Parameters(
            zeros_like(self.gamma), zeros_like(self.beta), bias, zeros_like(self.out_weight), zeros_like(self.out_bias)
        )

    def use(self, z: Tensor, row: int) -> Tensor:
        """Return gamma * Z + beta."""
        return torch.addcmul(self.beta[row], z, self.gamma[row])


def outputs(
    hidden: Tensor, units: Tensor, p: Parameters, chunks: Chunks, attended: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return Y of all chunks and S, from X' W_in, (B, G, C, 2 e + s); write U, V and Z into `units`, O into `attended`.

    `units` may be `hidden` itself.
    """
    batch, n_chunks, width, _ = hidden.shape
    e, _, s = p.widths
    sums = hidden.new_empty(batch, n_chunks, s, e)
    blocks = list(chunk_blocks(hidden, p))
    for block in blocks:
        torch.ops.aten.silu.out(hidden[block], out=units[block])
        sums[block] = chunk_sums(units[block], p, at(chunks.valid, block))
    states = linear_states(sums, chunks, width)
    y = units.new_empty(batch, n_chunks, width, len(p.out_weight))
    for block in blocks:
        gated = chunk_attention(units[block], states_at(states, block), p, chunks, at(chunks.valid, block))
        if attended is not None:
            attended[block] = gated
        gated.mul_(units[block][..., :e])
        torch.addmm(p.out_bias, gated.flatten(0, 2), p.out_weight.T, out=y[block].flatten(0, 2))
    return y, states


def chunk_blocks(hidden: Tensor, p: Parameters) -> Iterator[Block]:
    """Yield the blocks that are computed at once: some chunks of one row, or all chunks of some rows."""
    batch, n_chunks, width, n_hidden = hidden.shape
    numbers = width * (n_hidden + width)
    at_a_time = max(1, BLOCK_NUMBERS // numbers)
    rows = max(1, at_a_time // n_chunks)
    for row in range(0, batch, rows):
        for chunk in range(0, n_chunks, at_a_time):
            yield slice(row, row + rows), slice(chunk, chunk + at_a_time)


def at(x: Tensor | None, block: Block) -> Tensor | None:
    """Return the block of a tensor that may be None."""
    return None if x is None else x[block]


def states_at(states: Tensor, block: Block) -> Tensor:
    """Return the block of states, which are the same for all chunks if there is one a row."""
    return states[block] if states.shape[1] > 1 else states[block[0]]


def product(x: Tensor, states: Tensor) -> Tensor:
    """Return the products of (r, g, C, a) and states (r, g or 1, a, b), a matrix multiplication for each state."""
    if states.shape[1] == x.shape[1]:
        return x @ states
    return (x.flatten(1, 2) @ states[:, 0]).unflatten(1, x.shape[1:3])


def chunk_sums(units: Tensor, p: Parameters, valid: Tensor | None) -> Tensor:
    """Return K'^T V of chunks, (r, g, s, e)."""
    _, v, z = units.split(p.widths, -1)
    k = p.use(z, LIN_K)
    return (k if valid is None else k.mul_(valid[..., None])).mT @ v


def keys_before(chunks: Chunks, like: Tensor, width: int) -> Tensor:
    """Return the divisor of S of each chunk, (B, G, 1, 1), or (B, 1, 1, 1) if it is the same for all chunks."""
    batch, n_chunks = like.shape[:2]
    if chunks.valid is None:
        counts = torch.full((batch, n_chunks), width, dtype=torch.int64, device=like.device)
    else:
        counts = chunks.valid.sum(2)
    if not chunks.causal:
        counts = counts.sum(1, keepdim=True)
    elif chunks.by_position:
        counts = counts.cumsum(1) - counts
    else:
        counts = torch.full_like(counts, chunks.divisor)
    return counts.clamp_(min=1).to(like.dtype)[..., None, None]


def linear_states(sums: Tensor, chunks: Chunks, width: int) -> Tensor:
    """Return S of chunks of `width` positions, (B, G, s, e), or (B, 1, s, e) if it is the same for all of them.

    The sums are overwritten.
    """
    divisor = keys_before(chunks, sums, width)
    if not chunks.causal:
        return sums.sum(1, keepdim=True).div_(divisor)
    shift_sums(sums, range(sums.shape[1]))
    return sums.div_(divisor)


def shift_sums(x: Tensor, chunks: Iterable[int]) -> None:
    """Replace the entry of each chunk, in the given order, by the sum of the entries before it."""
    total = torch.zeros_like(x[:, 0])
    for chunk in chunks:
        own = x[:, chunk].clone()
        x[:, chunk] = total
        total += own


def chunk_attention(units: Tensor, states: Tensor, p: Parameters, chunks: Chunks, valid: Tensor | None) -> Tensor:
    """Return O of chunks, (r, g, C, e)."""
    _, v, z = units.split(p.widths, -1)
    weights = attention_function(chunk_scores(z, p, chunks), chunks.activation)
    masked(weights, chunks, valid)
    attended = product(p.use(z, LIN_Q), states)
    attended.flatten(0, 1).baddbmm_(weights.flatten(0, 1), v.flatten(0, 1))
    return attended if valid is None else attended.mul_(valid[..., None])


def chunk_scores(z: Tensor, p: Parameters, chunks: Chunks) -> Tensor:
    """Return Q K^T / C + bias, (r, g, C, C)."""
    q = p.use(z, QUAD_Q).flatten(0, 1)
    k = p.use(z, QUAD_K).flatten(0, 1)
    if p.bias is None:
        scores = q.div_(chunks.divisor) @ k.mT
    else:
        scores = torch.baddbmm(p.bias, q, k.mT, alpha=1.0 / chunks.divisor)
    return scores.unflatten(0, z.shape[:2])


def masked(weights: Tensor, chunks: Chunks, valid: Tensor | None) -> None:
    """Set weights (r, g, C, C) of keys that a query may not see to zero."""
    if chunks.causal:
        weights.tril_()
    if valid is not None:
        weights.mul_(valid[:, :, None, :])
