"""FLASH: gated attention, quadratic within chunks and linear across them.

Hua, Dai, Liu and Le (2022), Section 3.2. With U, V and Z of the gated attention unit and chunks g of C positions::

    O_g = A_g V_g + Q'_g S_g,     A_g = relu(Q_g K_g^T / C + bias)^2                     (quadratic and linear part)
    S_g = (1/n) sum_h K'_h^T V_h                  for every g, n valid keys in all
    S_g = (1/m_g) sum_(h<g) K'_h^T V_h            causal; m_g valid keys before chunk g
    Y_g = (U_g * O_g) W_o

Q, Q', K and K' are gamma * Z + beta with four pairs of vectors.

======================================================  ==============================================
Step                                                    Function, and the one that propagates gradients
======================================================  ==============================================
K'^T V of each chunk                                    :func:`chunk_sums`, :func:`chunk_sums_backward`
S of each chunk                                         :func:`linear_states`, :func:`linear_states_backward`
Y of each chunk                                         :func:`chunk_outputs`, :func:`chunk_outputs_backward`
======================================================  ==============================================

A forward pass stores nothing but its inputs and S. The backward pass computes the rest again, some chunks at a time. So
the memory of a training step is that of the projections, and scores stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from skpapers.attention._gated_unit import attention_function, attention_slope, toeplitz, toeplitz_backward

QUAD_Q, LIN_Q, QUAD_K, LIN_K = range(4)  # rows of gamma and beta
BLOCK_NUMBERS = 2**20  # of the chunks that are computed at a time


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
        Where positions are no padding; None if all are.
    """

    divisor: int
    causal: bool
    activation: str
    by_position: bool
    valid: Tensor | None


@dataclass(frozen=True)
class Parameters:
    """The parameters that act on chunks; `bias` has 2 C - 1 numbers, or is None."""

    gamma: Tensor
    beta: Tensor
    bias: Tensor | None
    out_weight: Tensor
    out_bias: Tensor

    @property
    def d_inner(self) -> int:
        return self.out_weight.shape[1]

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


class FlashBranch(torch.autograd.Function):
    """Y of all chunks, (B, G, C, d), from X' W_in before SiLU, (B, G, C, 2 e + s), and the fields of `Parameters`."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, *arguments: Any) -> Tensor:
        *parameters, chunks = arguments
        p = Parameters(*parameters)
        batch, n_chunks, width, _ = hidden.shape
        sums = hidden.new_empty(batch, n_chunks, p.gamma.shape[1], p.d_inner)
        blocks = list(chunk_blocks(hidden, p))
        for block in blocks:
            sums[block] = chunk_sums(hidden[block], p, at(chunks.valid, block))
        states = linear_states(sums, chunks, width)
        y = hidden.new_empty(batch, n_chunks, width, len(p.out_weight))
        for block in blocks:
            chunk_outputs(hidden[block], states_at(states, block), p, chunks, at(chunks.valid, block), y[block])
        ctx.save_for_backward(hidden, states, *parameters)
        ctx.chunks = chunks
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        hidden, states, *parameters = ctx.saved_tensors
        p = Parameters(*parameters)
        chunks = ctx.chunks
        gradients = p.zeros()
        gradients.out_bias.copy_(dy.sum((0, 1, 2)))
        dhidden = torch.empty_like(hidden)
        dstates = hidden.new_empty(*hidden.shape[:2], *states.shape[2:])
        blocks = list(chunk_blocks(hidden, p))
        for block in blocks:
            dstates[block] = chunk_outputs_backward(
                hidden[block], states_at(states, block), dy[block], p, chunks, at(chunks.valid, block), dhidden[block],
                gradients,
            )  # fmt: skip
        dsums = linear_states_backward(dstates, chunks, hidden.shape[2])
        for block in blocks:
            chunk_sums_backward(
                hidden[block], states_at(dsums, block), p, at(chunks.valid, block), dhidden[block], gradients
            )
        return (
            dhidden, gradients.gamma, gradients.beta, gradients.bias, gradients.out_weight, gradients.out_bias, None
        )  # fmt: skip


Block = tuple[slice, slice]


def chunk_blocks(hidden: Tensor, p: Parameters) -> Iterator[Block]:
    """Yield rows and chunks that are computed at a time: chunks of one row, or all chunks of some rows."""
    batch, n_chunks, width, n_hidden = hidden.shape
    numbers = width * (2 * n_hidden + 3 * p.d_inner + 4 * p.gamma.shape[1] + 2 * width)
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


def chunk_sums(hidden: Tensor, p: Parameters, valid: Tensor | None) -> Tensor:
    """Return K'^T V of chunks, (r, g, s, e)."""
    v, z = F.silu(hidden[..., p.d_inner :]).split((p.d_inner, p.gamma.shape[1]), -1)
    k = p.use(z, LIN_K)
    return (k if valid is None else k * valid[..., None]).mT @ v


def chunk_sums_backward(
    hidden: Tensor, dsums: Tensor, p: Parameters, valid: Tensor | None, dhidden: Tensor, gradients: Parameters
) -> None:
    """Add the gradient of sums to that of U, V and Z in `dhidden`, and replace it by the one of `hidden`."""
    e = p.d_inner
    v, z = F.silu(hidden[..., e:]).split((e, p.gamma.shape[1]), -1)
    k = p.use(z, LIN_K)
    dk = product(v, dsums.mT)
    if valid is not None:
        k.mul_(valid[..., None])
        dk.mul_(valid[..., None])
    dhidden[..., e : 2 * e] += product(k, dsums)
    use_backward(dk, z, LIN_K, p, dhidden[..., 2 * e :], gradients)
    torch.ops.aten.silu_backward.grad_input(dhidden, hidden, grad_input=dhidden)


def use_backward(d: Tensor, z: Tensor, row: int, p: Parameters, dz: Tensor, gradients: Parameters) -> None:
    """Add the gradients of Z, gamma and beta, from that of gamma * Z + beta."""
    dz.addcmul_(d, p.gamma[row])
    gradients.gamma[row] += (d * z).sum((0, 1, 2))
    gradients.beta[row] += d.sum((0, 1, 2))


def keys_before(chunks: Chunks, like: Tensor, width: int) -> Tensor:
    """Return the divisor of S of each chunk, (B, G, 1, 1), or (B, 1, 1, 1) if it is the same for all chunks."""
    batch, n_chunks = like.shape[:2]
    if chunks.valid is None:
        counts = torch.full((batch, n_chunks), width, dtype=like.dtype, device=like.device)
    else:
        counts = chunks.valid.sum(2).to(like.dtype)
    if not chunks.causal:
        counts = counts.sum(1, keepdim=True)
    elif chunks.by_position:
        counts = counts.cumsum(1) - counts
    else:
        counts = torch.full_like(counts, chunks.divisor)
    return counts.clamp_(min=1.0)[..., None, None]


def linear_states(sums: Tensor, chunks: Chunks, width: int) -> Tensor:
    """Return S of chunks of `width` positions, (B, G, s, e), or (B, 1, s, e) if it is the same for all of them."""
    if not chunks.causal:
        return sums.sum(1, keepdim=True) / keys_before(chunks, sums, width)
    before = torch.zeros_like(sums)
    torch.cumsum(sums[:, :-1], 1, out=before[:, 1:])
    return before.div_(keys_before(chunks, sums, width))


def linear_states_backward(dstates: Tensor, chunks: Chunks, width: int) -> Tensor:
    """Return the gradient of `sums` from that of S, which has an entry for each chunk."""
    if not chunks.causal:
        return dstates.sum(1, keepdim=True) / keys_before(chunks, dstates, width)
    scaled = dstates / keys_before(chunks, dstates, width)
    return scaled.flip(1).cumsum(1).flip(1).sub_(scaled)


def chunk_outputs(
    hidden: Tensor, states: Tensor, p: Parameters, chunks: Chunks, valid: Tensor | None, y: Tensor
) -> None:
    """Write Y of chunks, (r, g, C, d)."""
    u, v, z = F.silu(hidden).split((p.d_inner, p.d_inner, p.gamma.shape[1]), -1)
    weights = attention_function(chunk_scores(z, p, chunks), chunks.activation)
    masked(weights, chunks, valid)
    gated = attention(weights, v, product(p.use(z, LIN_Q), states), valid).mul_(u)
    torch.addmm(p.out_bias, gated.flatten(0, 2), p.out_weight.T, out=y.flatten(0, 2))


def chunk_outputs_backward(
    hidden: Tensor, states: Tensor, dy: Tensor, p: Parameters, chunks: Chunks, valid: Tensor | None, dhidden: Tensor,
    gradients: Parameters,
) -> Tensor:  # fmt: skip
    """Return the gradient of S of each chunk; write that of U, V and Z into `dhidden`, and add that of parameters."""
    u, v, z = F.silu(hidden).split((p.d_inner, p.d_inner, p.gamma.shape[1]), -1)
    du, dv, dz = dhidden.split((p.d_inner, p.d_inner, p.gamma.shape[1]), -1)
    weights, slope = attention_slope(chunk_scores(z, p, chunks), chunks.activation)
    masked(weights, chunks, valid)
    masked(slope, chunks, valid)
    lin_q = p.use(z, LIN_Q)
    attended = attention(weights, v, product(lin_q, states), valid)
    gradients.out_weight.addmm_(dy.flatten(0, 2).T, (u * attended).flatten(0, 2))
    dgated = dy @ p.out_weight
    torch.mul(dgated, attended, out=du)
    dattended = dgated.mul_(u)
    if valid is not None:
        dattended.mul_(valid[..., None])
    torch.matmul(weights.mT, dattended, out=dv)
    dscores = (dattended @ v.mT).mul_(slope)
    if gradients.bias is not None:
        gradients.bias.add_(toeplitz_backward(dscores.sum((0, 1))))
    dscores.div_(chunks.divisor)
    dz.zero_()
    use_backward(dscores @ p.use(z, QUAD_K), z, QUAD_Q, p, dz, gradients)
    use_backward(dscores.mT @ p.use(z, QUAD_Q), z, QUAD_K, p, dz, gradients)
    use_backward(product(dattended, states.mT), z, LIN_Q, p, dz, gradients)
    return lin_q.mT @ dattended


def chunk_scores(z: Tensor, p: Parameters, chunks: Chunks) -> Tensor:
    """Return Q K^T / C + bias, (r, g, C, C)."""
    q = p.use(z, QUAD_Q).flatten(0, 1)
    k = p.use(z, QUAD_K).flatten(0, 1)
    if p.bias is None:
        scores = q.div_(chunks.divisor) @ k.mT
    else:
        scores = torch.baddbmm(toeplitz(p.bias, z.shape[2]), q, k.mT, alpha=1.0 / chunks.divisor)
    return scores.unflatten(0, z.shape[:2])


def masked(weights: Tensor, chunks: Chunks, valid: Tensor | None) -> None:
    """Set weights (r, g, C, C) of keys that a query may not see to zero."""
    if chunks.causal:
        weights.tril_()
    if valid is not None:
        weights.mul_(valid[:, :, None, :])


def attention(weights: Tensor, v: Tensor, linear: Tensor, valid: Tensor | None) -> Tensor:
    """Return O of chunks, which takes the place of its linear part."""
    linear.flatten(0, 1).baddbmm_(weights.flatten(0, 1), v.flatten(0, 1))
    return linear if valid is None else linear.mul_(valid[..., None])
