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
from skpapers.attention._linear_attention_causal import causal_backward, causal_forward
from skpapers.attention._linear_attention_passes import CHUNK, Grads, Pass, Trace, full_backward, full_forward


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
    r"""Return attention whose weights are products of features, at a cost linear in the length.

    Use it inside networks of your own; :class:`FavorAttention` and :class:`RandomFeatureAttention` are whole layers.

    Parameters
    ----------
    q : Tensor of shape (B, H, L, d)
        Queries of B rows and H heads.

    k : Tensor of shape (B, H, S, d)
        Keys.

    v : Tensor of shape (B, H, S, e)
        Values.

    feature_map : callable, default=None
        Maps queries and keys to features. The maps of the layers (their attribute `feature_map`) are computed block by
        block. Any other function from (..., d) to (..., m) is applied to all queries and keys first. None: q and k are
        features already.

    causal : bool, default=False
        Whether query t sees keys 1 to t only; then S = L.

    key_padding_mask : Tensor of bool, of shape (B, S), default=None
        True for keys that are padding: they count for nothing. Queries without any key give zeros.

    gate : Tensor of shape (B, H, L), default=None
        g between 0 and 1, for causal attention: sums are multiplied by g, and the key enters with the factor 1 - g.
        Padding leaves the sums as they are.

    normalizer : {"sum", "count", None}, default="sum"
        What weighted sums are divided by: the sum of weights, the number of keys that count so far, or nothing.

    state : LinearAttentionState, default=None
        Keys before these, from a call with `return_state=True`. No gradient flows into it.

    return_state : bool, default=False
        Whether to return the state after the last key too.

    chunk_size : int, default=None
        Positions of a causal pass that are processed together. It changes the time and rounding. None is 64.

    Returns
    -------
    out : Tensor of shape (B, H, L, e)
        The outputs.

    state : LinearAttentionState
        With `return_state=True`.

    Raises
    ------
    ValueError
        If shapes do not fit, or a parameter has another value than those above.

    See Also
    --------
    FavorAttention : The layer of Performers.
    RandomFeatureAttention : The layer of RFA.
    torch.nn.functional.scaled_dot_product_attention : Exact attention, faster for short sequences.

    Notes
    -----
    A pass costs O(L m (d + e)) for m features, and memory for the outputs and one block of features. The backward pass
    computes features again, so a training step stores no array of shape (L, m); only one derivative can be taken.

    Exponential features are scaled where the dtype would overflow or a sum of weights vanish: results are right for
    queries and keys of any length. A later key changes earlier causal outputs by rounding only.

    **Differences from the papers.** Their code adds a small number to all features, and scales keys by a maximum over
    the whole sequence, through which a causal output depends on later keys. Here nothing is added, and each chunk has
    its own scale.

    References
    ----------
    .. [1] A. Katharopoulos, A. Vyas, N. Pappas, F. Fleuret, "Transformers are RNNs: Fast Autoregressive Transformers
       with Linear Attention", ICML 2020. https://arxiv.org/abs/2006.16236

    Examples
    --------
    A stream gives what one causal pass gives:

    >>> import torch
    >>> from skpapers.attention import linear_attention
    >>> q, k, v = torch.rand(3, 1, 2, 100, 8, generator=torch.Generator().manual_seed(0))
    >>> out = linear_attention(q, k, v, causal=True)
    >>> first, state = linear_attention(q[:, :, :99], k[:, :, :99], v[:, :, :99], causal=True, return_state=True)
    >>> last = linear_attention(q[:, :, 99:], k[:, :, 99:], v[:, :, 99:], causal=True, state=state)
    >>> torch.allclose(last, out[:, :, 99:])
    True
    """
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
    n_keys = _numbers_of_keys(padding, state, k, running=causal and normalizer == "count")
    share = None
    if normalizer == "count":
        share = (feature_map.factor / n_keys.clamp(min=1.0))[:, None].expand(-1, -1, q.shape[2])
    problem = Pass(
        q,
        k,
        v,
        weight,
        log_gate,
        padding,
        feature_map,
        normalized=normalizer == "sum",
        share=share,
        scaled=feature_map.exponential and not _is_small(feature_map, q, k, state),
        causal=causal,
        chunk_size=CHUNK if chunk_size is None else chunk_size,
    )
    out, S, M = _Attention.apply(q, k, v, weight, log_gate, feature_map.parameter, problem, state)
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
