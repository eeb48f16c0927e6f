"""Gated attention unit (GAU): one head of attention whose output is gated, in place of attention and feed-forward.

Hua, Dai, Liu and Le (2022), Section 3.1, in the symbols of `_gated_unit`::

    A = relu(Q K^T / n + bias)^2                    key j counts for query i if it is valid, and j <= i if causal
    Y = X + (U * (A V)) W_o
    bias[i, j] = rope(a, i) . rope(b, j)            depends on i - j only (the paper's form for long sequences)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._docstrings import filled_docstring
from skpapers.attention._draws import RandomState, normal, seeded_generator
from skpapers.attention._gated_functions import attention_function, later, toeplitz
from skpapers.attention._gated_unit import GatedUnit, check_at_least_one
from skpapers.attention._layer_docs import GATED_PARTS

QUERY, KEY = range(2)  # rows of gamma and beta
CAUSAL_LENGTH = 256


@dataclass(frozen=True)
class GatedAttentionState:
    """What a causal layer remembers of a stream of t positions.

    Parameters
    ----------
    k : Tensor of shape (B, t, s)
        Keys.

    v : Tensor of shape (B, t, e)
        Values.

    padding : Tensor of bool, shape (B, t)
        Positions that count for nothing.
    """

    k: Tensor
    v: Tensor
    padding: Tensor

    def where(self, chosen: Tensor, old: GatedAttentionState) -> GatedAttentionState:
        """Return the state in which the last position is padding unless `chosen` is true, as in `old`."""
        k = self.k[:, -1:].masked_fill(~chosen[:, None, None], 0.0)
        v = self.v[:, -1:].masked_fill(~chosen[:, None, None], 0.0)
        padding = torch.cat((old.padding, ~chosen[:, None]), 1)
        return replace(self, k=torch.cat((old.k, k), 1), v=torch.cat((old.v, v), 1), padding=padding)


@filled_docstring(GATED_PARTS)
class GatedAttentionUnit(GatedUnit):
    r"""Gated attention unit: one head of quadratic attention whose output is gated.

    It takes the place of attention and feed-forward layer together, with one weak head instead of many. Its cost is
    quadratic in the length; :class:`FLASH` is the linear one.

    Parameters
    ----------
    {width}

    d_query : int, default=128
        Width of queries and keys (s); even with a position bias.

    {causal}

    activation : {"relu2", "laplace"}, default="relu2"
        Attention function: squared ReLU, or the Laplace function of Mega, which is bounded.

    length : int, default=None
        Divisor of the scores (n in the paper). None is the number of valid keys of each row, or 256 in a causal layer,
        where a position cannot know how many follow. A smaller one makes attention stronger.

    {added}

    {drawing}

    Attributes
    ----------
    {in_weight}

    gamma, beta : torch.nn.Parameter of shape (2, s)
        Rows make Q and K from Z.

    position_bias : torch.nn.Parameter of shape (2, s), or None
        a and b, whose rotated inner product is the bias.

    {out_weight}

    See Also
    --------
    FLASH : Quadratic within chunks and linear across them.

    Notes
    -----
    A sequence of L positions costs L (3 d e + d s + L (e + s)) multiplications, and memory for L^2 scores.

    **Differences from the paper.** gamma starts at 1 + N(0, .02^2), not N(0, .02^2). A causal layer divides by a
    constant. The bias has the paper's form for long sequences at all lengths. Queries and keys are not rotated.
    Projections start as those of `torch.nn.Linear` do.

    References
    ----------
    {references}

    Examples
    --------
    >>> import torch
    >>> from skpapers.attention import GatedAttentionUnit
    >>> layer = GatedAttentionUnit(8, d_query=16, random_state=0)
    >>> x = torch.linspace(-1, 1, 80).view(2, 5, 8)
    >>> padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    >>> y = layer(x, padding)
    >>> torch.allclose(y[1, :3], layer(x[1:, :3])[0], atol=1e-6)
    True
    """

    def __init__(
        self,
        d_model: int,
        *,
        expansion: float = 2,
        d_query: int = 128,
        causal: bool = False,
        activation: str = "relu2",
        length: int | None = None,
        position_bias: bool = True,
        norm: bool | str = True,
        residual: bool = True,
        random_state: RandomState = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            d_model, expansion, d_query, 2,
            causal=causal, activation=activation, norm=norm, residual=residual, device=device, dtype=dtype,
        )  # fmt: skip
        if length is not None:
            check_at_least_one("length", length)
        if position_bias and d_query % 2:
            raise ValueError(f"d_query must be even with a position bias, got {d_query}.")
        self.length = CAUSAL_LENGTH if causal and length is None else length
        self.position_bias: nn.Parameter | None = None
        if position_bias:
            self.position_bias = nn.Parameter(torch.empty(2, d_query, device=device, dtype=dtype))
        self.draw(seeded_generator(random_state))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Draw all weights again.

        Projections start as those of `torch.nn.Linear` do; gamma at 1 + N(0, .02^2), beta at 0, and the vectors a and
        b of the position bias at N(0, .02^2).

        Parameters
        ----------
        generator : torch.Generator
            On the CPU.
        """
        super().draw(generator)
        if self.position_bias is not None:
            self.position_bias.copy_(0.02 * normal(self.position_bias, generator))

    def _branch(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Return the outputs without the residual, from normalised inputs and where they are valid."""
        n = x.shape[1]
        u, v, z = self._projected(x)
        scores = self._offset(z, QUERY) @ self._offset(z, KEY).mT / self._divisor(x, valid)
        offsets = self._offsets(torch.arange(1 - n, n, device=x.device))
        weights = attention_function(scores if offsets is None else scores + toeplitz(offsets, n), self.activation)
        if valid is not None:
            weights = weights * valid[:, None, :]
        if self.causal:
            weights = weights.masked_fill(later(n, n, x.device), 0.0)
        attended = weights @ v
        gated = u * (attended if valid is None else attended * valid[..., None])
        return F.linear(gated, self.out_weight, self.out_bias)

    def _divisor(self, x: Tensor, valid: Tensor | None) -> Tensor | int:
        """Return n of the scores, an integer or (B, 1, 1)."""
        if self.length is not None:
            return self.length
        return x.shape[1] if valid is None else valid.sum(1)[:, None, None].clamp(min=1).to(x.dtype)

    def _offsets(self, distance: Tensor) -> Tensor | None:
        """Return the position bias of distances i - j; None if the layer has none.

        Rotated by the angles i f and j f, pair f of a and b has the inner product
        (a1 b1 + a2 b2) cos((i - j) f) + (a1 b2 - a2 b1) sin((i - j) f).
        """
        if self.position_bias is None:
            return None
        (a1, a2), (b1, b2) = self.position_bias.unflatten(1, (2, -1))
        half = len(a1)
        like = self.position_bias
        frequency = 10000.0 ** (-torch.arange(half, device=like.device, dtype=like.dtype) / half)
        angle = distance.to(like.dtype)[..., None] * frequency
        return angle.cos() @ (a1 * b1 + a2 * b2) + angle.sin() @ (a1 * b2 - a2 * b1)

    def _last_weights(self, z: Tensor, last: Tensor, valid: Tensor | None) -> Tensor:
        """Return the weights (B, L) by which values count at position `last` (B,), from Z and where it is valid."""
        distance = last[:, None] - torch.arange(z.shape[1], device=z.device)
        divisor = self._divisor(z, valid)
        divisor = divisor[:, 0] if isinstance(divisor, Tensor) else divisor
        q = self._offset(z[torch.arange(len(z), device=z.device), last], QUERY)
        return self._query_weights(q, self._offset(z, KEY), distance, divisor)

    def _query_weights(self, q: Tensor, k: Tensor, distance: Tensor, divisor: Tensor | int) -> Tensor:
        """Return the weights (B, L) of one query (B, s) for keys (B, L, s) at distances (B, L) or (L,)."""
        scores = (k @ q[..., None])[..., 0] / divisor
        offsets = self._offsets(distance)
        return attention_function(scores if offsets is None else scores + offsets, self.activation)

    def init_state(self, batch_size: int) -> GatedAttentionState:
        """Return the state before the first position of a stream.

        Parameters
        ----------
        batch_size : int
            Number of streams (B).

        Returns
        -------
        state : GatedAttentionState
            A dataclass of tensors; it can be pickled.
        """
        self._check_causal()
        like = self.in_weight
        return GatedAttentionState(
            k=like.new_zeros(batch_size, 0, self.d_query),
            v=like.new_zeros(batch_size, 0, self.d_inner),
            padding=like.new_zeros(batch_size, 0, dtype=torch.bool),
        )

    def step(self, x_t: Tensor, state: GatedAttentionState) -> tuple[Tensor, GatedAttentionState]:
        """Return the output at the next position, and the state after it.

        Parameters
        ----------
        x_t : Tensor of shape (B, d_model)
            Inputs of the next position.

        state : GatedAttentionState
            The state before it, which does not change.

        Returns
        -------
        y_t : Tensor of shape (B, d_model)
            The outputs of `forward` at this position.

        state : GatedAttentionState
            The state after it.
        """
        self._check_step(x_t, len(state.k))
        assert self.length is not None
        u, v_t, z_t = self._projected(self.norm(x_t))
        k = torch.cat((state.k, self._offset(z_t, KEY)[:, None]), 1)
        v = torch.cat((state.v, v_t[:, None]), 1)
        padding = F.pad(state.padding, (0, 1))
        distance = torch.arange(k.shape[1] - 1, -1, -1, device=k.device)
        if bool(padding.any()):
            distance = distance - (padding.sum(1, keepdim=True) - padding.cumsum(1))  # padding in between
        weights = self._query_weights(self._offset(z_t, QUERY), k, distance, self.length) * ~padding
        return self._output(x_t, u * (weights[:, None, :] @ v)[:, 0]), GatedAttentionState(k, v, padding)

    def row_size(self, length: int) -> int:
        """Return how many numbers of one sequence are in memory at once in a forward pass without gradients.

        Parameters
        ----------
        length : int
            L.

        Returns
        -------
        n : int
            The number, approximately.
        """
        return length * (2 * self.d_model + 2 * (2 * self.d_inner + self.d_query) + 2 * length)
