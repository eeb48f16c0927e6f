r"""Linear attention (Katharopoulos et al. 2020): sums over keys in place of a matrix of weights.

For a feature map :math:`\phi`, the output at query t is

.. math:: o_t = \frac{\phi(q_t)^\top S_t}{\phi(q_t)^\top z_t}, \qquad
          S_t = \sum_s \phi(k_s) v_s^\top, \qquad z_t = \sum_s \phi(k_s),

with sums over all keys, or over :math:`s \le t` if attention is causal. With a gate :math:`g_t`,
:math:`S_t = g_t S_{t-1} + (1 - g_t) \phi(k_t) v_t^\top`, and z likewise.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import torch
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap
from skpapers.attention._linear_attention_function import attend
from skpapers.attention._linear_attention_state import LinearAttentionState, dtype_of_sums


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
        True for keys that are padding: they count for nothing, as long as they and their values are finite. Queries
        without any key give zeros.

    gate : Tensor of shape (B, H, L), default=None
        g between 0 and 1, for causal attention: sums are multiplied by g, and the key enters with the factor 1 - g.
        Padding leaves the sums as they are. A gate that is closer to 0 or 1 than the dtype resolves near 1 (1.2e-7 for
        float32) counts as that close.

    normalizer : {"sum", "count", None}, default="sum"
        What weighted sums are divided by: the sum of weights, the number of keys that count so far, or nothing.

    state : LinearAttentionState, default=None
        Keys before these, from a call with `return_state=True`, the same feature map and the same normalizer. No
        gradient flows into it.

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
    computes features again, so a training step stores no array of shape (L, m). It is a function of its own: there are
    first derivatives only, and transforms of `torch.func` do not work.

    For inputs of float16 and bfloat16, all is computed in float32, under autocast too. Exponential features are scaled
    where the dtype would overflow or a sum of weights vanish: results are right for queries and keys of any length. A
    later key changes earlier causal outputs by rounding only. If one is NaN or infinite, or its value or gate, causal
    outputs from there on are NaN, and so are those of a pass that continues from the state.

    **Differences from the papers.** Their code adds a small number to exponential features, and scales keys by a
    maximum over the whole sequence, through which a causal output depends on later keys. Here nothing is added, and
    each chunk has its own scale.

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
    _check_map(feature_map, q)
    lost = None
    if causal and not _is_finite(k, v, gate):
        lost = _from_first_not_finite(k, v, gate)
        k, v = (x.masked_fill(lost[..., None], 0.0) for x in (k, v))
        gate = None if gate is None else gate.masked_fill(lost, 0.5)
    weight = None
    log_gate = None
    if gate is not None:
        weight, log_gate = gate_terms(gate.to(dtype_of_sums(v.dtype)), key_padding_mask)
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
    if lost is not None:
        out = out.masked_fill(lost[..., None], torch.nan)
        ended = lost[:, :, -1, None]
        state = state._replace(
            S=state.S.masked_fill(ended[..., None], torch.nan), z=state.z.masked_fill(ended, torch.nan)
        )
    return (out, state) if return_state else out


def _is_finite(k: Tensor, v: Tensor, gate: Tensor | None) -> bool:
    """Return whether no number is NaN or infinite; sums that overflow count as infinite."""
    total = k.sum() + v.sum()
    return bool(torch.isfinite(total if gate is None else total + gate.sum()))


def _from_first_not_finite(k: Tensor, v: Tensor, gate: Tensor | None) -> Tensor:
    """Return where outputs (B, H, L) depend on a key, value or gate that is not finite."""
    finite = torch.isfinite(k).all(-1) & torch.isfinite(v).all(-1)
    if gate is not None:
        finite &= torch.isfinite(gate)
    return (~finite).cumsum(-1) > 0


def gate_terms(gate: Tensor, key_padding_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return what gates g make of a key: its factor 1 - g, and log g, which is 0 for padding."""
    # A gate of exactly 0 has an infinite logarithm. With exactly 1 a key would count for nothing, but give the scale.
    eps = torch.finfo(gate.dtype).eps
    gate = gate.clamp(eps, 1.0 - eps)
    log_gate = torch.log(gate)
    if key_padding_mask is not None:
        log_gate = log_gate.masked_fill(key_padding_mask[:, None], 0.0)
    return 1.0 - gate, log_gate


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
    if 0 in (H, d, v.shape[-1]):
        raise ValueError(
            "q, k and v must have one head and one dimension or more, "
            f"got shapes {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)}."
        )
    if not q.is_floating_point() or not q.dtype == k.dtype == v.dtype:
        raise ValueError(f"q, k and v must have one floating dtype, got {q.dtype}, {k.dtype} and {v.dtype}.")
    S = k.shape[2]
    if causal and S != L:
        raise ValueError(f"With causal=True there are as many keys as queries, got {S} and {L}.")
    if normalizer not in ("sum", "count", None):
        raise ValueError(f'normalizer must be "sum", "count" or None, got {normalizer!r}.')
    if chunk_size is not None and not (isinstance(chunk_size, Integral) and chunk_size >= 1):
        raise ValueError(f"chunk_size must be None or an integer from 1, got {chunk_size!r}.")
    if gate is not None and not causal:
        raise ValueError("gate needs causal=True.")
    if gate is not None and gate.shape != (B, H, L):
        raise ValueError(f"gate must have shape {(B, H, L)}, got {tuple(gate.shape)}.")
    if key_padding_mask is not None and (key_padding_mask.shape != (B, S) or key_padding_mask.dtype != torch.bool):
        raise ValueError(
            f"key_padding_mask must be boolean of shape {(B, S)}, got {key_padding_mask.dtype} of shape "
            f"{tuple(key_padding_mask.shape)}."
        )


def _check_map(feature_map: Callable[[Tensor], Tensor] | None, q: Tensor) -> None:
    """Raise a ValueError if a map of a layer is for heads of another number or size."""
    if isinstance(feature_map, FeatureMap):
        _, H, _, d = q.shape
        if feature_map.n_dims != d or feature_map.n_heads not in (None, H):
            heads = "heads" if feature_map.n_heads is None else f"{feature_map.n_heads} heads"
            raise ValueError(f"feature_map is for {heads} of {feature_map.n_dims} dimensions; q has {H} of {d}.")
