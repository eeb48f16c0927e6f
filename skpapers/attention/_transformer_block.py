"""A block of a transformer: attention and two dense layers, each added to its input,

    x + attention(norm(x)),  then  x + W_2 silu(W_1 norm(x)).

The first block of a network does not normalise what its attention gets: a normalisation would remove the size of a
token, by which a rare marker or a large value is known.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.modules import Dropout
from skpapers.attention._softmax_attention import last_of

FFN_FACTOR = 2


class Attention(Protocol):
    """A layer from (b, n, d) to (b, n, d), where positions see one another; True in a mask means padding."""

    def __call__(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the outputs at all positions."""

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at the last position that is not padding, of shape (b, d)."""

    def init_state(self, batch_size: int) -> Any:
        """Return the state before the first position; causal layers only."""

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the output at the next position, and a new state."""

    def draw(self, generator: torch.Generator) -> None:
        """Draw the weights."""

    def row_size(self, length: int) -> int:
        """Return how many numbers a row of this length needs in a forward pass without gradients."""


class TransformerBlock(nn.Module):
    """Attention and two dense layers, each added to its input.

    Parameters
    ----------
    attention : Attention
        The layer in which positions see one another.

    d_model : int
        Width.

    first_norm : bool
        Whether the attention gets normalised inputs.

    dropout : float
        Probability of zeroing what either part adds.

    dtype : torch.dtype
        Of the parameters.
    """

    def __init__(self, attention: Any, d_model: int, *, first_norm: bool, dropout: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.attention = attention
        self.norm_1 = layer_norm(d_model, dtype) if first_norm else nn.Identity()
        self.norm_2 = layer_norm(d_model, dtype)
        width = FFN_FACTOR * d_model
        self.weight_1 = nn.Parameter(torch.zeros(width, d_model, dtype=dtype, device="cpu"))
        self.bias_1 = nn.Parameter(torch.zeros(width, dtype=dtype, device="cpu"))
        self.weight_2 = nn.Parameter(torch.zeros(d_model, width, dtype=dtype, device="cpu"))
        self.bias_2 = nn.Parameter(torch.zeros(d_model, dtype=dtype, device="cpu"))
        self.dropout = Dropout(dropout) if dropout > 0 else nn.Identity()

    def draw(self, generator: torch.Generator) -> None:
        """Draw the matrices with variance 1 / fan-in."""
        self.attention.draw(generator)
        with torch.no_grad():
            for matrix in (self.weight_1, self.weight_2):
                matrix.normal_(0.0, matrix.shape[1] ** -0.5, generator=generator)

    def row_size(self, length: int) -> int:
        return max(self.attention.row_size(length), length * self.weight_1.numel() // self.norm_2.weight.numel() * 2)

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        return self._dense(x + self.dropout(self.attention(self.norm_1(x), key_padding_mask)))

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at the last position that is not padding."""
        seen = self.attention.last(self.norm_1(x), key_padding_mask)
        return self._dense(last_of(x, key_padding_mask) + self.dropout(seen))

    def init_state(self, batch_size: int) -> Any:
        """Return the state of streams before their first position."""
        return self.attention.init_state(batch_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the output at the next position of streams, and the state after it."""
        seen, state = self.attention.step(self.norm_1(x), state)
        return self._dense(x + self.dropout(seen)), state

    def _dense(self, x: Tensor) -> Tensor:
        hidden = F.silu(F.linear(self.norm_2(x), self.weight_1, self.bias_1))
        return x + self.dropout(F.linear(hidden, self.weight_2, self.bias_2))


def layer_norm(d_model: int, dtype: torch.dtype) -> nn.LayerNorm:
    """Return a layer normalisation; it draws nothing."""
    return nn.LayerNorm(d_model, dtype=dtype, device="cpu")
