"""The layer of FLASH, whose mathematics is in `_flash`; its last position alone, and its streams."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._docstrings import filled_docstring
from skpapers.attention._draws import RandomState, normal, seeded_generator
from skpapers.attention._flash import LIN_K, LIN_Q, QUAD_K, QUAD_Q, Chunks, Parameters
from skpapers.attention._flash_backward import flash
from skpapers.attention._gated_functions import attention_function, toeplitz
from skpapers.attention._gated_unit import GatedUnit, check_at_least_one
from skpapers.attention._layer_docs import GATED_PARTS


@dataclass(frozen=True)
class FLASHState:
    """What a causal layer remembers of a stream.

    Parameters
    ----------
    n_steps : Tensor of int, shape (B,)
        Positions so far; i of them are in the chunk that is not complete.

    z : Tensor of shape (B, C, s)
        Z of this chunk; the first i positions count.

    v : Tensor of shape (B, C, e)
        V likewise.

    sums : Tensor of shape (B, s, e)
        Sum of K'^T V over the complete chunks.
    """

    n_steps: Tensor
    z: Tensor
    v: Tensor
    sums: Tensor


@filled_docstring(GATED_PARTS)
class FLASH(GatedUnit):
    r"""Layer of FLASH: gated attention, quadratic within chunks and linear across them.

    It takes the place of attention and feed-forward layer together, at a cost linear in the length. For windows of a
    few hundred positions it costs about as much as they do; it is several times faster from a few thousand on.

    Parameters
    ----------
    {width}

    d_query : int, default=128
        Width of queries and keys (s).

    chunk_size : int, default=256
        Positions of a chunk (C). It divides the scores in shorter sequences as well.

    {causal}

    activation : {"relu2", "laplace"}, default="relu2"
        Attention function of the quadratic part: squared ReLU, or the Laplace function of Mega, which is bounded.

    normalize : {"position", "chunk"}, default="position"
        Divisor of the causal linear part: the number of keys that it sums, or the paper's C, with which the linear
        part grows along the sequence.

    {added}

    {drawing}

    Attributes
    ----------
    {in_weight}

    gamma, beta : torch.nn.Parameter of shape (4, s)
        Rows make Q, Q', K and K' from Z: queries of the quadratic and the linear part, then keys.

    position_bias : torch.nn.Parameter of shape (2 C - 1,), or None
        Bias of the distances i - j = 1 - C, ..., C - 1.

    {out_weight}

    See Also
    --------
    GatedAttentionUnit : Quadratic over the whole sequence.

    Notes
    -----
    A sequence of L positions costs L (3 d e + d s + C (e + s) + 2 s e) multiplications.

    Chunks count positions that are not padding, so a window gives the same outputs alone and padded in a batch.

    {one_derivative}

    **Differences from the paper.** gamma starts at 1 + N(0, .02^2), not at N(0, .02^2). The non-causal linear part is
    divided by the number of valid keys, and the causal one by the number of keys in it. Queries and keys are not
    rotated; scores have a position bias only. Projections start as those of `torch.nn.Linear` do.

    References
    ----------
    {references}

    Examples
    --------
    >>> import torch
    >>> from skpapers.attention import FLASH
    >>> layer = FLASH(8, d_query=16, chunk_size=4, causal=True, random_state=0)
    >>> x = torch.linspace(-1, 1, 80).view(1, 10, 8)
    >>> y = layer(x)
    >>> y.shape
    torch.Size([1, 10, 8])
    >>> state = layer.init_state(1)
    >>> for t in range(10):
    ...     y_t, state = layer.step(x[:, t], state)
    >>> torch.allclose(y_t, y[:, -1], atol=1e-5)
    True
    """

    def __init__(
        self,
        d_model: int,
        *,
        expansion: float = 2,
        d_query: int = 128,
        chunk_size: int = 256,
        causal: bool = False,
        activation: str = "relu2",
        normalize: str = "position",
        position_bias: bool = True,
        norm: bool | str = True,
        residual: bool = True,
        random_state: RandomState = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            d_model, expansion, d_query, 4,
            causal=causal, activation=activation, norm=norm, residual=residual, device=device, dtype=dtype,
        )  # fmt: skip
        check_at_least_one("chunk_size", chunk_size)
        if normalize not in ("position", "chunk"):
            raise ValueError(f"normalize must be 'position' or 'chunk', got {normalize!r}.")
        self.chunk_size = chunk_size
        self.normalize = normalize
        self.position_bias: nn.Parameter | None = None
        if position_bias:
            self.position_bias = nn.Parameter(torch.empty(2 * chunk_size - 1, device=device, dtype=dtype))
        self.draw(seeded_generator(random_state))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Draw all weights again.

        Projections start as those of `torch.nn.Linear` do; gamma at 1 + N(0, .02^2), beta at 0, and the position bias
        at N(0, .02^2).

        Parameters
        ----------
        generator : torch.Generator
            On the CPU.
        """
        super().draw(generator)
        if self.position_bias is not None:
            self.position_bias.copy_(0.02 * normal(self.position_bias, generator))

    def _lost(self, x: Tensor) -> Tensor | None:
        return None if bool(torch.isfinite(x.sum())) else super()._lost(x)

    def _branch(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Return the outputs without the residual, from normalised inputs and where they are valid."""
        length = x.shape[1]
        width = min(self.chunk_size, length)
        padding = -length % width
        if padding:
            x = F.pad(x, (0, 0, 0, padding))
            valid = F.pad(x.new_ones(len(x), length, dtype=torch.bool) if valid is None else valid, (0, padding))
        hidden = F.linear(x, self.in_weight, self.in_bias).unflatten(1, (-1, width))
        p = Parameters(self.gamma, self.beta, self._bias(width), self.out_weight, self.out_bias)
        chunks = self._chunks(None if valid is None else valid.unflatten(1, (-1, width)))
        return flash(hidden, p, chunks).flatten(1, 2)[:, :length]

    def _chunks(self, valid: Tensor | None) -> Chunks:
        return Chunks(self.chunk_size, self.causal, self.activation, self.normalize == "position", valid)

    def _bias(self, width: int) -> Tensor | None:
        """Return the position bias of chunks of `width` positions, (C, C); None if the layer has none."""
        if self.position_bias is None:
            return None
        return toeplitz(self.position_bias[self.chunk_size - width : self.chunk_size + width - 1], width)

    def _last_weights(self, z: Tensor, last: Tensor, valid: Tensor | None) -> Tensor:
        """Return the weights (B, L) by which values count at position `last` (B,), from Z and where it is valid."""
        steps = torch.arange(z.shape[1], device=z.device)
        chunk = steps // self.chunk_size
        own = last[:, None] // self.chunk_size
        keys = chunk < own if self.causal else torch.ones_like(chunk < own)
        query = z[torch.arange(len(z), device=z.device), last]
        linear = self._query_linear_weights(query, z, keys if valid is None else keys & valid)
        return self._query_weights(query, z, last[:, None] - steps, chunk == own) + linear

    def _query_weights(self, query: Tensor, z: Tensor, offset: Tensor, chunk: Tensor) -> Tensor:
        """Return the weights (B, L) of one query's chunk, from its Z (B, s), all Z, offsets and where the chunk is."""
        scores = (self._offset(z, QUAD_K) @ self._offset(query, QUAD_Q)[..., None])[..., 0] / self.chunk_size
        if self.position_bias is not None:
            index = (offset + self.chunk_size - 1).clamp(0, 2 * self.chunk_size - 2)
            scores = scores + self.position_bias[index]
        return attention_function(scores, self.activation) * chunk

    def _query_linear_weights(self, query: Tensor, z: Tensor, keys: Tensor) -> Tensor:
        """Return the weights (B, L) of the linear part of one query."""
        scores = (self._offset(z, LIN_K) @ self._offset(query, LIN_Q)[..., None])[..., 0] * keys
        if self.causal and self.normalize == "chunk":
            return scores / self.chunk_size
        return scores / keys.sum(1, keepdim=True).clamp(min=1)

    def init_state(self, batch_size: int) -> FLASHState:
        """Return the state before the first position of a stream.

        Parameters
        ----------
        batch_size : int
            Number of streams (B).

        Returns
        -------
        state : FLASHState
            A dataclass of tensors; it can be pickled.
        """
        self._check_causal()
        like = self.in_weight.detach()
        return FLASHState(
            n_steps=torch.zeros(batch_size, dtype=torch.int64, device=like.device),
            z=like.new_zeros(batch_size, self.chunk_size, self.d_query),
            v=like.new_zeros(batch_size, self.chunk_size, self.d_inner),
            sums=like.new_zeros(batch_size, self.d_query, self.d_inner),
        )

    def step(self, x_t: Tensor, state: FLASHState) -> tuple[Tensor, FLASHState]:
        """Return the output at the next position, and the state after it.

        Parameters
        ----------
        x_t : Tensor of shape (B, d_model)
            Inputs of the next position.

        state : FLASHState
            The state before it, which does not change.

        Returns
        -------
        y_t : Tensor of shape (B, d_model)
            The outputs of `forward` at this position.

        state : FLASHState
            The state after it.
        """
        self._check_step(x_t, len(state.n_steps))
        u, v_t, z_t = self._projected(self.norm(x_t))
        slots = torch.arange(self.chunk_size, device=x_t.device)
        slot = (state.n_steps % self.chunk_size)[:, None]
        own = (slots == slot)[..., None]
        z = torch.where(own, z_t[:, None], state.z)
        v = torch.where(own, v_t[:, None], state.v)
        weights = self._query_weights(z_t, z, slot - slots, slots <= slot)
        if self.normalize == "chunk":
            divisor = torch.full_like(slot, self.chunk_size)
        else:
            divisor = (state.n_steps[:, None] - slot).clamp(min=1)
        linear = self._offset(z_t, LIN_Q)[:, None, :] @ state.sums / divisor[..., None]
        y = self._output(x_t, u * (weights[:, None, :] @ v + linear)[:, 0])
        complete = slot + 1 == self.chunk_size
        sums = state.sums
        if bool(complete.any()):
            sums = sums + (self._offset(z, LIN_K) * complete[..., None]).mT @ v
        return y, FLASHState(state.n_steps + 1, z, v, sums)

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
        width = 2 * self.d_inner + self.d_query
        states = self.d_query * self.d_inner * (1 + length // self.chunk_size if self.causal else 1)
        return length * (2 * self.d_model + 2 * width + 2 * min(self.chunk_size, length)) + states
