r"""Linear attention (Katharopoulos et al. 2020): sums over keys in place of a matrix of weights.

For a feature map :math:`\phi`, the output at query t is

.. math:: o_t = \frac{\phi(q_t)^\top S_t}{\phi(q_t)^\top z_t}, \qquad
          S_t = \sum_s \phi(k_s) v_s^\top, \qquad z_t = \sum_s \phi(k_s),

with sums over all keys, or over :math:`s \le t` if attention is causal. With a gate :math:`g_t`,
:math:`S_t = g_t S_{t-1} + (1 - g_t) \phi(k_t) v_t^\top`, and z likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap, Identity
from skpapers.attention._linear_attention_passes import (
    CHUNK,
    Grads,
    Pass,
    Trace,
    causal_backward,
    causal_forward,
    full_backward,
    full_forward,
)


class LinearAttentionState(NamedTuple):
    """What linear attention keeps of the keys so far.

    Parameters
    ----------
    S : Tensor of shape (B, H, m, e)
        Sum of phi(k) v^T, divided by exp(log_scale) feature by feature.

    z : Tensor of shape (B, H, m)
        Sum of phi(k), divided likewise; zeros if the normalizer does not need it.

    log_scale : Tensor of shape (B, H, m)
        Logarithm of the scale of each feature. It is not 0 only for exponential maps of long queries or keys.

    n_keys : Tensor of shape (B,)
        Number of keys that counted.
    """

    S: Tensor
    z: Tensor
    log_scale: Tensor
    n_keys: Tensor


def empty_state(
    n_rows: int, n_heads: int, n_features: int, n_values: int, dtype: torch.dtype, device: torch.device
) -> LinearAttentionState:
    """Return the state before the first key."""
    z = torch.zeros(n_rows, n_heads, n_features, dtype=dtype, device=device)
    S = torch.zeros(n_rows, n_heads, n_features, n_values, dtype=dtype, device=device)
    return LinearAttentionState(S, z, z, torch.zeros(n_rows, dtype=dtype, device=device))


def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: Callable[[Tensor], Tensor] | None = None,
    causal: bool = False,
    key_padding_mask: Tensor | None = None,
    gate: Tensor | None = None,
    normalizer: str | None = "sum",
    state: LinearAttentionState | None = None,
    return_state: bool = False,
    chunk_size: int | None = None,
) -> Tensor | tuple[Tensor, LinearAttentionState]:
    _check(q, k, v, causal, key_padding_mask, gate, normalizer, chunk_size)
    if gate is None:
        weight = None
        log_gate = None
    else:
        # A gate of exactly 0 or 1 would give infinite logarithms and gradients.
        eps = torch.finfo(gate.dtype).eps
        gate = gate.clamp(eps, 1.0 - eps)
        weight = 1.0 - gate
        log_gate = torch.log(gate)
        if key_padding_mask is not None:
            log_gate = log_gate.masked_fill(key_padding_mask[:, None], 0.0)
    out, state = attend(
        q,
        k,
        v,
        feature_map,
        causal=causal,
        padding=key_padding_mask,
        weight=weight,
        log_gate=log_gate,
        normalizer=normalizer,
        state=state,
        chunk_size=chunk_size,
    )
    return (out, state) if return_state else out


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
    if padding is not None:
        keep = (~padding).to(q.dtype)[:, None]
        weight = keep if weight is None else weight * keep
    problem = Pass(
        q,
        k,
        v,
        weight,
        log_gate,
        padding,
        feature_map,
        normalized=normalizer == "sum",
        scaled=feature_map.exponential and not _is_small(feature_map, q, k, state),
        causal=causal,
        chunk_size=CHUNK if chunk_size is None else chunk_size,
    )
    out, S, M = _Attention.apply(q, k, v, weight, log_gate, feature_map.parameter, problem, state)
    n_keys = _numbers_of_keys(padding, state, k, running=causal and normalizer == "count")
    if normalizer == "count":
        out = out / n_keys[:, None, :, None].clamp(min=1.0)
    z = S[..., -1] if problem.normalized else torch.zeros_like(S[..., 0])
    return out, LinearAttentionState(S[..., : v.shape[-1]], z, M, n_keys[:, -1:].sum(1))


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
        training = problem.training = any(ctx.needs_input_grad)
        inverse = q.new_empty(B, H, L, 1) if training and problem.normalized else None
        S_end = q.new_empty(B, H, m, e + problem.normalized)
        M_end = q.new_zeros(B, H, m)
        traces: list[Trace] = []
        for batch in problem.groups():
            group = problem.group(batch)
            S, M = _start(problem, state, batch)
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
        for batch, trace in zip(problem.groups(), ctx.traces, strict=True):
            backward(problem.group(batch), trace, gradient, out, inverse, grads)
        return grads.q, grads.k, grads.v, grads.of_weight(), grads.of_log_gate(), grads.parameter, None, None


def _start(problem: Pass, state: LinearAttentionState | None, batch: slice) -> tuple[Tensor, Tensor | None]:
    """Return the extended sums and the scale before the first key, for a group of n sequences."""
    _, H, _, _ = problem.q.shape
    n = (batch.stop - batch.start) * H
    m = problem.n_features
    lowest = torch.finfo(problem.q.dtype).min / 4
    if state is None:
        S = problem.q.new_zeros(n, m, problem.v.shape[-1] + problem.normalized)
        return S, problem.q.new_full((n, m), lowest) if problem.scaled else None
    parts = [state.S[batch], state.z[batch][..., None]] if problem.normalized else [state.S[batch]]
    S = torch.cat(parts, dim=-1).flatten(0, 1).clone()
    if not problem.scaled:
        return S, None
    M = state.log_scale[batch].flatten(0, 1)
    return S, torch.where((S == 0.0).all(-1), lowest, M)


def _check(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    causal: bool,
    key_padding_mask: Tensor | None,
    gate: Tensor | None,
    normalizer: str | None,
    chunk_size: int | None,
) -> None:
    """Raise a ValueError that names the argument of a wrong shape or value."""
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4:
        raise ValueError(f"q, k and v must have 4 dimensions, got {q.ndim}, {k.ndim} and {v.ndim}.")
    B, H, L, d = q.shape
    if k.shape[:2] != (B, H) or k.shape[-1] != d:
        raise ValueError(f"k must have shape ({B}, {H}, S, {d}), as q has, got {tuple(k.shape)}.")
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"v must have shape {(*k.shape[:3], 'e')}, as k has, got {tuple(v.shape)}.")
    S = k.shape[2]
    if causal and S != L:
        raise ValueError(f"With causal=True there are as many keys as queries, got {S} and {L}.")
    if normalizer not in ("sum", "count", None):
        raise ValueError(f'normalizer must be "sum", "count" or None, got {normalizer!r}.')
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be None or 1 or more, got {chunk_size!r}.")
    if gate is not None and not causal:
        raise ValueError("gate needs causal=True.")
    if gate is not None and gate.shape != (B, H, L):
        raise ValueError(f"gate must have shape {(B, H, L)}, got {tuple(gate.shape)}.")
    if key_padding_mask is not None and (key_padding_mask.shape != (B, S) or key_padding_mask.dtype != torch.bool):
        raise ValueError(
            f"key_padding_mask must be boolean of shape {(B, S)}, got {key_padding_mask.dtype} of shape "
            f"{tuple(key_padding_mask.shape)}."
        )
