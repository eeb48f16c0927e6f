r"""Linear attention (Katharopoulos et al. 2020): two sums over keys in place of a matrix of weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap


class LinearAttentionState(NamedTuple):
    """What a causal pass keeps of the keys so far.

    Parameters
    ----------
    S : Tensor of shape (B, H, m, e)
        Sum of phi(k) v^T, divided by exp(log_scale) feature by feature.

    z : Tensor of shape (B, H, m)
        Sum of phi(k), divided likewise.

    log_scale : Tensor of shape (B, H, m)
        Logarithm of the scale of each feature; 0 for maps without exponentials.

    n_keys : Tensor of shape (B,)
        Number of keys that counted.
    """

    S: Tensor
    z: Tensor
    log_scale: Tensor
    n_keys: Tensor


def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: FeatureMap | None = None,
    causal: bool = False,
    key_padding_mask: Tensor | None = None,
    gate: Tensor | None = None,
    normalizer: str | None = "sum",
    state: LinearAttentionState | None = None,
    return_state: bool = False,
    chunk_size: int | None = None,
) -> Tensor | tuple[Tensor, LinearAttentionState]:
    """Return attention whose weights are products of features."""
    B, H, L, _ = q.shape
    S_len = k.shape[2]
    if feature_map is not None:
        q = feature_map(q)
        k = feature_map(k)
    keep = (
        torch.ones(B, S_len, dtype=q.dtype, device=q.device)
        if key_padding_mask is None
        else (~key_padding_mask).to(q.dtype)
    )
    weight = keep[:, None]
    log_gate = torch.zeros(B, 1, S_len, dtype=q.dtype, device=q.device)
    if gate is not None:
        eps = torch.finfo(q.dtype).eps
        gate = gate.clamp(eps, 1 - eps)
        weight = weight * (1 - gate)
        log_gate = torch.log(gate) * keep[:, None]
    m = q.shape[-1]
    if state is None:
        state = LinearAttentionState(
            q.new_zeros(B, H, m, v.shape[-1]), q.new_zeros(B, H, m), q.new_zeros(B, H, m), q.new_zeros(B)
        )
    count0 = state.n_keys
    if causal:
        C = chunk_size or 64
        S, z = state.S, state.z
        nums, dens = [], []
        for t in range(0, L, C):
            Q, K, V = (x[:, :, t : t + C] for x in (q, k, v))
            c = log_gate[..., t : t + C].cumsum(-1)
            w = weight[..., t : t + C]
            n = Q.shape[2]
            future = torch.ones(n, n, dtype=torch.bool, device=q.device).triu(1)
            decay = (c[..., :, None] - c[..., None, :]).masked_fill(future, -torch.inf).exp()
            A = Q @ K.mT * decay * w[..., None, :]
            nums.append(A @ V + c.exp()[..., None] * (Q @ S))
            dens.append(A.sum(-1, keepdim=True) + c.exp()[..., None] * (Q @ z[..., None]))
            last = w * (c[..., -1:] - c).exp()
            S = c[..., -1].exp()[..., None, None] * S + (K * last[..., None]).mT @ V
            z = c[..., -1].exp()[..., None] * z + (K * last[..., None]).sum(-2)
        num, den = torch.cat(nums, 2), torch.cat(dens, 2)
        count = count0[:, None] + keep.cumsum(1)
    else:
        k = k * weight[..., None]
        S = state.S + k.mT @ v
        z = state.z + k.sum(-2)
        num = q @ S
        den = q @ z[..., None]
        count = (count0 + keep.sum(1))[:, None]
    if normalizer == "sum":
        smallest = max(getattr(feature_map, "smallest_denominator", 0.0), torch.finfo(q.dtype).tiny)
        den = torch.where(den.abs() < smallest, torch.copysign(torch.full_like(den, smallest), den), den)
        num = num / den
    elif normalizer == "count":
        num = num / count[:, None, :, None].clamp(min=1)
    if not return_state:
        return num
    return num, LinearAttentionState(S, z, state.log_scale, count[:, -1])
