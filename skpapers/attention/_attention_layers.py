"""What the layers of linear attention with random features share: projections, heads, steps, and how they start."""

from __future__ import annotations

from math import sqrt
from numbers import Integral
from typing import Self, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers.attention._draws import SEEDS, draw_uniform
from skpapers.attention._feature_maps import FeatureMap
from skpapers.attention._linear_attention import gate_terms, linear_attention
from skpapers.attention._linear_attention_function import attend
from skpapers.attention._linear_attention_state import LinearAttentionState, dtype_of_sums, empty_state


class RandomFeatureLayer(nn.Module):
    """Projections, heads and a linear attention between them.

    Parameters
    ----------
    d_model, n_heads : int
        D and H.

    causal : bool
        Whether position t sees no later one.

    normalizer : {"sum", "count", None}
        What a weighted sum is divided by.

    bias : bool
        Whether the projections add a vector.

    redraw_interval : int or None
        Number of forward passes in training after which the frequencies are drawn anew. None: never.

    device, dtype
        Of the weights.
    """

    seed: Tensor
    n_calls: Tensor

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        feature_map: FeatureMap,
        *,
        causal: bool,
        normalizer: str | None,
        bias: bool,
        redraw_interval: int | None,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        if redraw_interval is not None:
            _check_count("redraw_interval", redraw_interval)
        self.d_model = d_model
        self.n_heads = n_heads
        self.causal = causal
        self.normalizer = normalizer
        self.redraw_interval = redraw_interval
        self.feature_map = feature_map
        self.in_projection = linear_layer(d_model, 3 * d_model, bias, device, dtype)
        self.out_projection = linear_layer(d_model, d_model, bias, device, dtype)
        # Buffers, so that a network that was saved in the middle of training draws the same frequencies afterwards.
        self.register_buffer("seed", torch.zeros((), dtype=torch.int64, device=device))
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64, device=device))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> Self:
        """Draw all weights and frequencies anew.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU. Weights on any device are the same for one generator.

        Returns
        -------
        self : object
            The layer.
        """
        bound = sqrt(1.5 / self.d_model)
        for linear in (self.in_projection, self.out_projection):
            draw_uniform(linear.weight, bound, generator)
            if linear.bias is not None:
                linear.bias.zero_()
        self.seed.fill_(int(torch.randint(SEEDS, (), generator=generator, device="cpu")))
        self.n_calls.zero_()
        self._draw_features()
        return self

    def _draw_features(self) -> None:
        """Draw the frequencies of the current interval, which the seed and the number of calls determine."""
        interval = int(self.n_calls) // (self.redraw_interval or SEEDS)
        self.feature_map.draw(np.random.RandomState([int(self.seed), interval]))

    def _count_call(self) -> None:
        """Count a forward pass in training, and draw new frequencies after `redraw_interval` of them."""
        if self.training and self.redraw_interval is not None:
            if self.n_calls > 0 and self.n_calls % self.redraw_interval == 0:
                self._draw_features()
            self.n_calls += 1

    def _split(self, projected: Tensor) -> tuple[Tensor, ...]:
        """Return the parts of (B, L, parts D), each as (B, H, L, d)."""
        B, L, width = projected.shape
        parts = projected.view(B, L, width // self.d_model, self.n_heads, self.d_model // self.n_heads)
        return parts.permute(2, 0, 3, 1, 4).unbind()

    def _merge(self, heads: Tensor) -> Tensor:
        """Return the output of attention, of shape (B, H, L, d), as (B, L, D) after the last projection."""
        return self.out_projection(heads.transpose(1, 2).flatten(2))

    def _gates(self, x: Tensor) -> Tensor | None:
        return None

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at each position.

        Parameters
        ----------
        x : Tensor of shape (B, L, D)
            The input.

        key_padding_mask : Tensor of bool, of shape (B, L), default=None
            True at positions that are padding. They count for nothing, whatever finite or not finite numbers are there.

        Returns
        -------
        y : Tensor of shape (B, L, D)
            The output; at padded positions the bias of the last projection. If an input of a causal layer is NaN or
            infinite, the outputs from there on are NaN, and those before are not changed.
        """
        x = _checked(x, key_padding_mask, self.d_model)
        self._count_call()
        q, k, v = self._split(self.in_projection(x))
        y = linear_attention(
            q,
            k,
            v,
            feature_map=self.feature_map,
            causal=self.causal,
            key_padding_mask=key_padding_mask,
            gate=self._gates(x),
            normalizer=self.normalizer,
        )
        y = cast(Tensor, y)
        if key_padding_mask is not None:
            y = y.masked_fill(key_padding_mask[:, None, :, None], 0.0)
        return self._merge(y)

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at the last position that is not padding; the others are not computed.

        Parameters
        ----------
        x : Tensor of shape (B, L, D)
            The input.

        key_padding_mask : Tensor of bool, of shape (B, L), default=None
            True at positions that are padding.

        Returns
        -------
        y : Tensor of shape (B, D)
            Row by row what :meth:`forward` returns there.
        """
        x = _checked(x, key_padding_mask, self.d_model)
        if x.shape[1] == 0:
            raise ValueError("x must have one position or more, got none.")
        self._count_call()
        newest = x[:, -1]
        if key_padding_mask is not None:
            newest = x[torch.arange(len(x), device=x.device), last_positions(key_padding_mask)]
        weight = self.in_projection.weight
        bias = self.in_projection.bias
        D = self.d_model
        q = F.linear(newest[:, None], weight[:D], None if bias is None else bias[:D])
        (q,) = self._split(q)
        k, v = self._split(F.linear(x, weight[D:], None if bias is None else bias[D:]))
        gate = self._gates(x)
        y, _ = attend(
            q,
            k,
            v,
            self.feature_map,
            causal=False,
            padding=key_padding_mask,
            weight=None if gate is None else _last_weights(gate, key_padding_mask),
            log_gate=None,
            normalizer=self.normalizer,
        )
        return self._merge(y)[:, 0]

    def init_state(self, batch_size: int) -> LinearAttentionState:
        """Return the state before the first position, for :meth:`step`.

        Parameters
        ----------
        batch_size : int
            B.

        Returns
        -------
        state : LinearAttentionState
            Of no keys.

        Raises
        ------
        ValueError
            If the layer is not causal.
        """
        self._check_causal()
        W = self.feature_map.projection
        d = self.d_model // self.n_heads
        return empty_state(batch_size, self.n_heads, self.feature_map.n_features, d, dtype_of_sums(W.dtype), W.device)

    def step(self, x_t: Tensor, state: LinearAttentionState) -> tuple[Tensor, LinearAttentionState]:
        """Return the output at the next position, and the state after it; the given state is not changed.

        Parameters
        ----------
        x_t : Tensor of shape (B, D)
            The input at the position.

        state : LinearAttentionState
            From :meth:`init_state` or the step before.

        Returns
        -------
        y_t : Tensor of shape (B, D)
            What :meth:`forward` returns at this position.

        state : LinearAttentionState
            The next state.

        Raises
        ------
        ValueError
            If the layer is not causal, or shapes do not fit.
        """
        self._check_causal()
        if x_t.ndim != 2 or x_t.shape[1] != self.d_model:
            raise ValueError(f"x_t must have shape (batch, {self.d_model}), got {tuple(x_t.shape)}.")
        x = x_t[:, None]
        q, k, v = self._split(self.in_projection(x))
        y, state = linear_attention(
            q,
            k,
            v,
            feature_map=self.feature_map,
            causal=True,
            gate=self._gates(x),
            normalizer=self.normalizer,
            state=state,
            return_state=True,
        )
        return self._merge(y)[:, 0], state

    def _check_causal(self) -> None:
        if not self.causal:
            raise ValueError(f"Only a causal layer has a state; this {type(self).__name__} has causal=False.")

    def row_size(self, length: int) -> int:
        """Return how many numbers a row of this length needs at once in a forward pass without gradients.

        Parameters
        ----------
        length : int
            L.

        Returns
        -------
        n : int
            An estimate.
        """
        m = self.feature_map.n_features
        of_state = self.n_heads * m * (self.d_model // self.n_heads + 2)
        return 6 * length * self.d_model + 2 * self.n_heads * m * min(length, 256) + of_state


def last_positions(key_padding_mask: Tensor) -> Tensor:
    """Return the index of the last position that is not padding, of shape (B,); 0 where all are."""
    places = torch.arange(key_padding_mask.shape[1], device=key_padding_mask.device)
    return torch.where(key_padding_mask, 0, places).amax(1)


def _last_weights(gate: Tensor, key_padding_mask: Tensor | None) -> Tensor:
    """Return (1 - g_s) g_{s+1} ... g_L of shape (B, H, L), the weights of keys at the last position."""
    weight, log_gate = gate_terms(gate, key_padding_mask)
    later = log_gate.flip(-1).cumsum(-1).flip(-1) - log_gate
    return weight * torch.exp(later)


def _checked(x: Tensor, key_padding_mask: Tensor | None, d_model: int) -> Tensor:
    """Return x with zeros at padded positions; raise a ValueError for wrong shapes."""
    if x.ndim != 3 or x.shape[-1] != d_model:
        raise ValueError(f"x must have shape (batch, length, {d_model}), got {tuple(x.shape)}.")
    if key_padding_mask is None:
        return x
    if key_padding_mask.shape != x.shape[:2] or key_padding_mask.dtype != torch.bool:
        raise ValueError(
            f"key_padding_mask must be boolean of shape {tuple(x.shape[:2])}, got {key_padding_mask.dtype} of shape "
            f"{tuple(key_padding_mask.shape)}."
        )
    return x.masked_fill(key_padding_mask[..., None], 0.0)


def linear_layer(
    n_in: int, n_out: int, bias: bool, device: torch.device | str | None, dtype: torch.dtype | None
) -> nn.Linear:
    """Return a layer whose weights are not drawn yet, so that torch's own generator is not used."""
    device = torch.get_default_device() if device is None else device
    return cast(nn.Linear, nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias, device=device, dtype=dtype))


def head_dim(d_model: int, n_heads: int, n_features: int | None) -> int:
    """Return d; raise a ValueError unless n_heads divides d_model, and there are features."""
    if n_features is not None:
        _check_count("n_features", n_features)
    _check_count("n_heads", n_heads)
    _check_count("d_model", d_model)
    if d_model % n_heads:
        raise ValueError(f"n_heads={n_heads} does not divide d_model={d_model}.")
    return d_model // n_heads


def _check_count(name: str, value: int) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name}={value!r} is not possible: it is an integer from 1.")
