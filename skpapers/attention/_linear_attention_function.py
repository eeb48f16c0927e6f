"""Linear attention as one node of the graph of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap, Identity
from skpapers.attention._linear_attention_blocks import CHUNK, Pass
from skpapers.attention._linear_attention_causal import causal_backward, causal_forward
from skpapers.attention._linear_attention_full import full_backward, full_forward
from skpapers.attention._linear_attention_gradients import Grads, Trace
from skpapers.attention._linear_attention_state import LinearAttentionState, check_state, dtype_of_sums, extended_start


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    feature_map: Callable[[Tensor], Tensor] | None,
    *,
    causal: bool,
    padding: Tensor | None,
    weight: Tensor | None,
    log_gate: Tensor | None,
    normalizer: str | None,
    state: LinearAttentionState | None = None,
    chunk_size: int | None = None,
) -> tuple[Tensor, LinearAttentionState]:
    """Return outputs and state of attention whose keys have factors of their own; see :func:`linear_attention`.

    Parameters
    ----------
    weight : Tensor of shape (B, H, S) or None
        Factor of each key in both sums.

    log_gate : Tensor of shape (B, H, L) or None
        Logarithms of the gates, 0 for padding.
    """
    if not isinstance(feature_map, FeatureMap):
        if feature_map is not None:
            q = feature_map(q)
            k = feature_map(k)
        feature_map = Identity()
    B, H, _, d = q.shape
    check_state(state, (B, H, feature_map.n_features or d, v.shape[-1]))
    returned = v.dtype
    dtype = dtype_of_sums(returned)
    q, k, v = (x.to(dtype) for x in (q, k, v))
    if padding is not None:
        keep = (~padding).to(dtype)[:, None]
        weight = keep if weight is None else weight * keep
    n_keys = _numbers_of_keys(padding, state, k, running=causal and normalizer == "count")
    share = None
    if normalizer == "count":
        share = (feature_map.factor / n_keys.clamp(min=1.0))[:, None].expand(-1, -1, q.shape[2])
    parameter = None if feature_map.parameter is None else feature_map.parameter.to(dtype)
    tracked = (q, k, v, weight, log_gate, parameter)
    training = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tracked)
    # Frequencies may be drawn anew before the backward pass, which needs those of now.
    W = feature_map.scaled_projection().detach().to(dtype, copy=training)
    problem = Pass(
        q,
        k,
        v,
        weight,
        log_gate,
        padding,
        feature_map,
        W,
        normalized=normalizer == "sum",
        share=share,
        scaled=feature_map.exponential and not _is_small(feature_map, q, k, state),
        causal=causal,
        training=training,
        chunk_size=CHUNK if chunk_size is None else chunk_size,
    )
    out, S, M = _Attention.apply(q, k, v, weight, log_gate, parameter, problem, state)
    z = S[..., -1] if problem.normalized else torch.zeros_like(S[..., 0])
    return out.to(returned), LinearAttentionState(S[..., : v.shape[-1]], z, M, n_keys[:, -1:].sum(1))


def _is_small(feature_map: FeatureMap, q: Tensor, k: Tensor, state: LinearAttentionState | None) -> bool:
    """Return whether features need no scale, now and in the keys before."""
    if state is not None and bool(state.log_scale.any()):
        return False
    with torch.no_grad():
        return feature_map.is_small(q, k)


def _numbers_of_keys(padding: Tensor | None, state: LinearAttentionState | None, k: Tensor, *, running: bool) -> Tensor:
    """Return the numbers of keys that count, at the end as (B, 1) or at each position as (B, S)."""
    B, _, S, _ = k.shape
    counts = k.new_ones(B, S) if padding is None else (~padding).to(k.dtype)
    counts = counts.cumsum(1) if running else counts.sum(1, keepdim=True)
    return counts if state is None else counts + state.n_keys[:, None]


class _Attention(torch.autograd.Function):
    """Extended sums and outputs; features are computed again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        weight: Tensor | None,
        log_gate: Tensor | None,
        parameter: Tensor | None,
        problem: Pass,
        state: LinearAttentionState | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        B, H, L, _ = q.shape
        m = problem.n_features
        e = v.shape[-1]
        out = q.new_empty(B, H, L, e)
        training = problem.training
        inverse = q.new_empty(B, H, L, 1) if training and problem.normalized else None
        S_end = q.new_empty(B, H, m, e + problem.normalized)
        M_end = q.new_zeros(B, H, m)
        traces: list[Trace] = []
        with torch.autocast(q.device.type, enabled=False):
            for batch in problem.groups():
                group = problem.group(batch)
                S, M = extended_start(problem, state, batch)
                if problem.causal:
                    trace, S, M = causal_forward(group, S, M, out, inverse)
                else:
                    trace = full_forward(group, S, M, out, inverse)
                    M = trace.M
                S_end[batch] = S.view(S_end[batch].shape)
                if M is not None:
                    M_end[batch] = M.view(M_end[batch].shape)
                if training:
                    traces.append(trace)
        ctx.mark_non_differentiable(S_end, M_end)
        if training:
            ctx.save_for_backward(q, k, v, weight, log_gate, out, inverse)
            ctx.problem = problem
            ctx.traces = traces
        return out, S_end, M_end

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        *_inputs, out, inverse = ctx.saved_tensors
        problem: Pass = ctx.problem
        grads = Grads(problem)
        backward = causal_backward if problem.causal else full_backward
        with torch.autocast(gradient.device.type, enabled=False):
            for batch, trace in zip(problem.groups(), ctx.traces, strict=True):
                backward(problem.group(batch), trace, gradient, out, inverse, grads)
        return grads.q, grads.k, grads.v, grads.of_weight(), grads.of_log_gate(), grads.parameter, None, None
