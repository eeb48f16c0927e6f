r"""Exact multi-head attention, with the interface of the layers in linear time, for comparison and for short windows.

For each head, with queries q_t, keys k_s and values v_s that are linear maps of the inputs,

    y_t = \sum_s a_ts v_s,    a_ts = exp(q_t . k_s / sqrt(d)) / \sum_r exp(q_t . k_r / sqrt(d)),

over the keys that are not padding; with `causal` over s <= t. The cost is O(n^2 d) for n positions, and a step of a
stream O(n d): its state holds all keys and values.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class KeyValueCache:
    """The keys and values of a stream so far.

    Parameters
    ----------
    keys, values : Tensor of shape (b, n_heads, t, d_head)
        Of the positions so far.

    padding : Tensor of bool of shape (b, t)
        Positions that count for nothing.
    """

    keys: Tensor
    values: Tensor
    padding: Tensor

    def where(self, chosen: Tensor, old: "KeyValueCache") -> "KeyValueCache":
        """Return the state in which the last position is padding unless `chosen` is true, as in `old`."""
        return replace(self, padding=torch.cat([old.padding, ~chosen[:, None]], dim=1))


class SoftmaxAttention(nn.Module):
    """Multi-head attention by torch's fused kernel.

    Parameters
    ----------
    d_model : int
        Width of inputs and outputs, a multiple of `n_heads`.

    n_heads : int
        Number of heads.

    causal : bool
        Whether a position sees itself and earlier ones only.

    dtype : torch.dtype
        Of all parameters. They are undrawn: see :meth:`draw`.
    """

    def __init__(self, d_model: int, n_heads: int = 4, *, causal: bool = False, dtype: torch.dtype) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model={d_model} must be a multiple of n_heads={n_heads}.")
        self.d_model = d_model
        self.n_heads = n_heads
        self.causal = causal
        self.projection = nn.Parameter(torch.zeros(3 * d_model, d_model, dtype=dtype, device="cpu"))
        self.projection_bias = nn.Parameter(torch.zeros(3 * d_model, dtype=dtype, device="cpu"))
        self.output = nn.Parameter(torch.zeros(d_model, d_model, dtype=dtype, device="cpu"))
        self.output_bias = nn.Parameter(torch.zeros(d_model, dtype=dtype, device="cpu"))

    def draw(self, generator: torch.Generator) -> None:
        """Draw the matrices with variance 1 / d_model; biases are 0."""
        with torch.no_grad():
            for matrix in (self.projection, self.output):
                matrix.normal_(0.0, self.d_model**-0.5, generator=generator)
            self.projection_bias.zero_()
            self.output_bias.zero_()

    def row_size(self, length: int) -> int:
        """Return the numbers of memory that a row of this length needs: projections, heads, and their copies."""
        return 8 * length * self.d_model

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the outputs at all positions of x, of shape (b, n, d_model)."""
        q, k, v = F.linear(x, self.projection, self.projection_bias).chunk(3, dim=-1)
        n = x.shape[1]
        allowed = None if key_padding_mask is None else ~key_padding_mask[:, None, None, :]
        if allowed is not None and self.causal:
            allowed = allowed & torch.ones(n, n, dtype=torch.bool, device=x.device).tril()
        return self._attended(q, k, v, allowed, causal=self.causal and allowed is None)

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at the last position that is not padding, of shape (b, d_model)."""
        of_query = (self.projection[: self.d_model], self.projection_bias[: self.d_model])
        of_keys = (self.projection[self.d_model :], self.projection_bias[self.d_model :])
        q = F.linear(last_of(x, key_padding_mask), *of_query)[:, None]
        k, v = F.linear(x, *of_keys).chunk(2, dim=-1)
        allowed = None if key_padding_mask is None else ~key_padding_mask[:, None, None, :]
        return self._attended(q, k, v, allowed)[:, 0]

    def init_state(self, batch_size: int) -> KeyValueCache:
        """Return the state of streams before their first position."""
        self._check_causal()
        like = self.projection
        nothing = like.new_zeros(batch_size, self.n_heads, 0, self.d_model // self.n_heads).detach()
        return KeyValueCache(nothing, nothing, torch.zeros(batch_size, 0, dtype=torch.bool, device=like.device))

    def step(self, x: Tensor, state: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """Return the outputs at the next position of streams, of shape (b, d_model), and the state after it."""
        self._check_causal()
        q, k, v = (
            self._heads(part[:, None]) for part in F.linear(x, self.projection, self.projection_bias).chunk(3, 1)
        )
        padding = F.pad(state.padding, (0, 1))
        state = KeyValueCache(torch.cat([state.keys, k], 2), torch.cat([state.values, v], 2), padding)
        allowed = ~padding[:, None, None, :] if bool(padding.any()) else None
        return self._output(F.scaled_dot_product_attention(q, state.keys, state.values, attn_mask=allowed))[:, 0], state

    def _check_causal(self) -> None:
        if not self.causal:
            raise ValueError("Streaming needs causal=True: outputs of a stream cannot depend on later positions.")

    def _attended(self, q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None, causal: bool = False) -> Tensor:
        q, k, v = map(self._heads, (q, k, v))
        if allowed is None:
            return self._output(F.scaled_dot_product_attention(q, k, v, is_causal=causal))
        none = ~allowed.any(dim=-1, keepdim=True)  # a row without any key would be NaN, and so would its gradient
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed | none)
        return self._output(out.masked_fill(none, 0.0))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def _output(self, heads: Tensor) -> Tensor:
        return F.linear(heads.transpose(1, 2).flatten(2), self.output, self.output_bias)


def last_of(x: Tensor, key_padding_mask: Tensor | None) -> Tensor:
    """Return the last position of each row that is not padding, of shape (b, d); the first one if all are."""
    if key_padding_mask is None:
        return x[:, -1]
    places = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    last = places.masked_fill(key_padding_mask, 0).amax(dim=1)
    return x[torch.arange(len(x), device=x.device), last]
