"""What linear attention keeps of the keys so far, and what a pass makes of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from skpapers.attention._linear_attention_blocks import Pass


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

    See Also
    --------
    linear_attention : Returns a state, and continues from one.
    FavorAttention : Its `step` takes and returns a state.

    Notes
    -----
    All are float32 for inputs of float16 or bfloat16, in which long sums would stop growing.

    Examples
    --------
    >>> import torch
    >>> from skpapers.attention import RandomFeatureAttention
    >>> layer = RandomFeatureAttention(8, n_features=4, causal=True, random_state=0)
    >>> state = layer.init_state(batch_size=3)
    >>> _, state = layer.step(torch.zeros(3, 8), state)
    >>> state.n_keys.tolist()
    [1.0, 1.0, 1.0]
    """

    S: Tensor
    z: Tensor
    log_scale: Tensor
    n_keys: Tensor


def dtype_of_sums(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which attention of inputs of this dtype is computed."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def empty_state(
    n_rows: int, n_heads: int, n_features: int, n_values: int, dtype: torch.dtype, device: torch.device
) -> LinearAttentionState:
    """Return the state before the first key."""
    z = torch.zeros(n_rows, n_heads, n_features, dtype=dtype, device=device)
    S = torch.zeros(n_rows, n_heads, n_features, n_values, dtype=dtype, device=device)
    return LinearAttentionState(S, z, z, torch.zeros(n_rows, dtype=dtype, device=device))


def check_state(state: LinearAttentionState | None, shape: tuple[int, ...]) -> None:
    """Raise a ValueError if the sums of a state do not have the shape (B, H, m, e)."""
    if state is not None and state.S.shape != shape:
        raise ValueError(f"state.S must have shape {shape} for these inputs, got {tuple(state.S.shape)}.")


def extended_start(problem: Pass, state: LinearAttentionState | None, batch: slice) -> tuple[Tensor, Tensor | None]:
    """Return the extended sums and the scale before the first key, for a group of n sequences."""
    _, H, _, _ = problem.q.shape
    n = (batch.stop - batch.start) * H
    m = problem.n_features
    lowest = torch.finfo(problem.q.dtype).min / 4
    if state is None:
        S = problem.q.new_zeros(n, m, problem.v.shape[-1] + problem.normalized)
        return S, problem.q.new_full((n, m), lowest) if problem.scaled else None
    parts = [state.S[batch], state.z[batch][..., None]] if problem.normalized else [state.S[batch]]
    S = torch.cat(parts, dim=-1).flatten(0, 1).to(problem.q.dtype, copy=True)
    if not problem.scaled:
        return S, None
    M = state.log_scale[batch].flatten(0, 1).to(S.dtype)
    return S, torch.where((S == 0.0).all(-1), lowest, M)
