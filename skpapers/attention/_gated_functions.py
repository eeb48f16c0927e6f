"""Functions of the gated layers: attention functions, matrices of offsets, and padding."""

from __future__ import annotations

from math import pi, sqrt

import torch
from torch import Tensor


def attention_function(scores: Tensor, activation: str) -> Tensor:
    """Return relu(x)^2, or the Laplace function .5 (1 + erf((x - mu) / (sigma sqrt 2))) of scores.

    mu = sqrt(1/2) and sigma = sqrt(1 / 4 pi), by which the two functions touch at sqrt(2) with equal slope
    (Ma et al., 2023, Section 3.2).
    """
    if activation == "relu2":
        return torch.relu(scores).square()
    return 0.5 * (1.0 + torch.erf((scores - sqrt(0.5)) * sqrt(2.0 * pi)))


def attention_slope(scores: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    """Return the attention function of scores, and its derivative. The scores are overwritten."""
    if activation == "relu2":
        positive = scores.relu_()
        return positive.square(), positive.mul_(2.0)
    weights = attention_function(scores, activation)
    return weights, scores.sub_(sqrt(0.5)).square_().mul_(-2.0 * pi).exp_().mul_(sqrt(2.0))


def toeplitz(offsets: Tensor, n: int) -> Tensor:
    """Return the (n, n) matrix T[i, j] = offsets[i - j + n - 1] of 2 n - 1 numbers."""
    return offsets.unfold(0, n, 1).flip(1)


def later(n_queries: int, n_keys: int, device: torch.device) -> Tensor:
    """Return where a key is later than the query; the last query is as late as the last key."""
    ones = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device)
    return ones.triu(1 + n_keys - n_queries)


def valid_positions(x: Tensor, key_padding_mask: Tensor | None, d_model: int) -> Tensor | None:
    """Return where positions are not padding; None if none is. Raise a ValueError for wrong shapes or dtypes."""
    if x.ndim != 3 or x.shape[2] != d_model:
        raise ValueError(f"x must have shape (batch, length, {d_model}), got {tuple(x.shape)}.")
    if key_padding_mask is None:
        return None
    if key_padding_mask.dtype != torch.bool or key_padding_mask.shape != x.shape[:2]:
        raise ValueError(
            f"key_padding_mask must be boolean of shape {tuple(x.shape[:2])}, "
            f"got {str(key_padding_mask.dtype).removeprefix('torch.')} of shape {tuple(key_padding_mask.shape)}."
        )
    return None if not bool(key_padding_mask.any()) else ~key_padding_mask


def without_padding(x: Tensor, valid: Tensor | None) -> Tensor:
    """Return the inputs (B, L, d) with zeros at padding, so that NaN and infinity there reach nothing."""
    return x if valid is None else x.masked_fill(~valid[..., None], 0.0)


def from_first_not_finite(x: Tensor) -> Tensor:
    """Return where a position of (..., L, d), or one before it, has an entry that is NaN or infinite."""
    return torch.isnan((0.0 * x.detach()).sum(-1)).cumsum(-1) > 0


def valid_first(valid: Tensor) -> Tensor | None:
    """Return the order (B, L) that moves valid positions before padding; None if they already are."""
    if not bool((valid[:, 1:] & ~valid[:, :-1]).any()):
        return None
    return (~valid).to(torch.uint8).argsort(dim=1, stable=True)


def moved(x: Tensor, order: Tensor) -> Tensor:
    """Return the positions of (B, L, d) in the order (B, L)."""
    return x.gather(1, order[..., None].expand_as(x))
