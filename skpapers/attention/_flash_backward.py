"""The training step of FLASH: what it stores, and how gradients propagate through each step of `_flash`.

X' W_in, O and S are stored; scores are computed again, some chunks at a time. So the memory is that of the projections,
and scores stay in the cache. With dX for the gradient of X::

    dO = (dY W_o^T) * U          dU = (dY W_o^T) * O          dS_g = Q'_g^T dO_g         dQ'_g = dO_g S_g^T
    dV_g = A_g^T dO_g + K'_g T_g        dK'_g = V_g T_g^T     T: the gradient of K'^T V, sums of dS over later chunks
    dP = (dO V^T) * a'(P)        dQ = dP K / C                dK = dP^T Q / C            P the scores, A = a(P)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from skpapers.attention._flash import (
    LIN_K,
    LIN_Q,
    QUAD_K,
    QUAD_Q,
    Chunks,
    Parameters,
    at,
    chunk_blocks,
    chunk_scores,
    keys_before,
    masked,
    outputs,
    product,
    shift_sums,
    states_at,
)
from skpapers.attention._gated_functions import attention_slope


def flash(hidden: Tensor, p: Parameters, chunks: Chunks) -> Tensor:
    """Return Y of all chunks, (B, G, C, d), from X' W_in, (B, G, C, 2 e + s), which may be overwritten."""
    if hidden.dtype != p.gamma.dtype:  # autocast has made X' W_in; it would miss products that are written in place
        with torch.autocast(hidden.device.type, enabled=False):
            return flash(hidden.to(p.gamma.dtype), p, chunks)
    if torch.is_grad_enabled():
        return FlashBranch.apply(hidden, p.gamma, p.beta, p.bias, p.out_weight, p.out_bias, chunks)
    return outputs(hidden, hidden, p, chunks)[0]


class FlashBranch(torch.autograd.Function):
    """The function :func:`flash`, whose backward pass computes scores again."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, *arguments: Any) -> Tensor:
        *parameters, chunks = arguments
        p = Parameters(*parameters)
        attended = hidden.new_empty(*hidden.shape[:3], p.widths[0])
        y, states = outputs(hidden, torch.empty_like(hidden), p, chunks, attended)
        ctx.save_for_backward(hidden, attended, states, *parameters)
        ctx.chunks = chunks
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(dy.device.type, enabled=False):  # as in :func:`flash`
            return FlashBranch.gradients(ctx, dy)

    @staticmethod
    def gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        hidden, attended, states, *parameters = ctx.saved_tensors
        p = Parameters(*parameters)
        chunks = ctx.chunks
        gradients = p.zeros()
        gradients.out_bias.copy_(dy.sum((0, 1, 2)))
        dhidden = torch.empty_like(hidden)
        dstates = hidden.new_empty(*hidden.shape[:2], *states.shape[2:])
        blocks = list(chunk_blocks(hidden, p))
        for block in blocks:
            dstates[block] = chunk_outputs_backward(
                hidden[block], attended[block], states_at(states, block), dy[block], p, chunks,
                at(chunks.valid, block), dhidden[block], gradients,
            )  # fmt: skip
        dsums = linear_states_backward(dstates, chunks, hidden.shape[2])
        for block in blocks:
            chunk_sums_backward(
                hidden[block], states_at(dsums, block), p, at(chunks.valid, block), dhidden[block], gradients
            )
        return (
            dhidden, gradients.gamma, gradients.beta, gradients.bias, gradients.out_weight, gradients.out_bias, None
        )  # fmt: skip


def chunk_sums_backward(
    hidden: Tensor, dsums: Tensor, p: Parameters, valid: Tensor | None, dhidden: Tensor, gradients: Parameters
) -> None:
    """Add the gradient of sums to that of U, V and Z in `dhidden`, and replace it by the one of `hidden`."""
    e, _, s = p.widths
    v, z = F.silu(hidden[..., e:]).split((e, s), -1)
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


def linear_states_backward(dstates: Tensor, chunks: Chunks, width: int) -> Tensor:
    """Return the gradient of `sums` from that of S, which has an entry for each chunk and is overwritten."""
    divisor = keys_before(chunks, dstates, width)
    if not chunks.causal:
        return dstates.sum(1, keepdim=True).div_(divisor)
    dstates.div_(divisor)
    shift_sums(dstates, reversed(range(dstates.shape[1])))
    return dstates


def chunk_outputs_backward(
    hidden: Tensor, attended: Tensor, states: Tensor, dy: Tensor, p: Parameters, chunks: Chunks, valid: Tensor | None,
    dhidden: Tensor, gradients: Parameters,
) -> Tensor:  # fmt: skip
    """Return the gradient of S of each chunk; write that of U, V and Z into `dhidden`, and add that of parameters."""
    u, v, z = F.silu(hidden).split(p.widths, -1)
    du, dv, dz = dhidden.split(p.widths, -1)
    weights, slope = attention_slope(chunk_scores(z, p, chunks), chunks.activation)
    masked(weights, chunks, valid)
    masked(slope, chunks, valid)
    gradients.out_weight.addmm_(dy.flatten(0, 2).T, (u * attended).flatten(0, 2))
    dgated = dy @ p.out_weight
    torch.mul(dgated, attended, out=du)
    dattended = dgated.mul_(u)
    if valid is not None:
        dattended.mul_(valid[..., None])
    torch.matmul(weights.mT, dattended, out=dv)
    dscores = (dattended @ v.mT).mul_(slope)
    if gradients.bias is not None:
        gradients.bias.add_(dscores.sum((0, 1)))
    dscores.div_(chunks.divisor)
    dz.zero_()
    use_backward(dscores @ p.use(z, QUAD_K), z, QUAD_Q, p, dz, gradients)
    use_backward(dscores.mT @ p.use(z, QUAD_Q), z, QUAD_K, p, dz, gradients)
    use_backward(product(dattended, states.mT), z, LIN_Q, p, dz, gradients)
    return p.use(z, LIN_Q).mT @ dattended
