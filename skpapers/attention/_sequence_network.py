"""The network of the estimators: tokens, blocks of attention, one vector for a row, and a linear head.

A block is one of a transformer, or a layer with a gate of its own (FLASH).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers._torch.modules import Dropout
from skpapers._torch.networks import Generators
from skpapers._torch.predictor import Predictor
from skpapers.attention._stream_state import StreamState, where
from skpapers.attention._tokens import ColumnTokens, Positions, StepTokens
from skpapers.attention._transformer_block import layer_norm


class SequenceNetwork(nn.Module):
    """A network on windows of series, or on the columns of a table; a :class:`skpapers._torch.networks.Network`.

    Parameters
    ----------
    row_shape : tuple of int
        (L, C) for steps, (p,) for columns.

    output_shape : tuple of int
        (n_outputs,).

    make_block : callable
        ``make_block(first)`` returns a block; `first` says whether it is the first one.

    n_layers, d_model : int
        Number of blocks, and their width.

    pool : {"mean", "last", "cls"}
        How the outputs of the last block become one vector. "last" computes one position only; "cls" appends a learned
        token, and takes its output.

    positions : {"learned", "sinusoidal"} or None
        What is added to the tokens.

    position_scale : float
        Standard deviation of learned positions at the start.

    n_codes : tuple of int
        See :class:`ColumnTokens`; for columns only.

    n_gates : int
        Heads of each block whose mean gate is kept with the weights; NaN until it is measured.

    dropout : float
        Probability of zeroing a value of the tokens.

    dtype : torch.dtype
        Of all parameters.
    """

    n_members = 1

    def __init__(
        self,
        row_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
        make_block: Callable[[bool], Any],
        *,
        n_layers: int,
        d_model: int,
        pool: str,
        positions: str | None,
        position_scale: float = 0.5,
        n_codes: tuple[int, ...] = (),
        n_gates: int = 0,
        dropout: float = 0.0,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.length = row_shape[0]
        self.pool = pool
        self.position_scale = position_scale
        self.tokens: Any = (
            ColumnTokens(n_codes, d_model, dtype) if len(row_shape) == 1 else StepTokens(row_shape[1], d_model, dtype)
        )
        self.positions = None if positions is None else Positions(positions, self.length, d_model, dtype)
        self.dropout = Dropout(dropout) if dropout > 0 else nn.Identity()
        self.blocks = nn.ModuleList([make_block(i == 0) for i in range(n_layers)])
        if pool == "cls":
            self.cls = nn.Parameter(torch.zeros(d_model, dtype=dtype, device="cpu"))
        if n_gates:
            unknown = torch.full((n_layers, n_gates), torch.nan, dtype=dtype, device="cpu")
            self.register_buffer("mean_gates", unknown)
        self.norm = layer_norm(d_model, dtype)
        self.head = nn.Parameter(torch.zeros(output_shape[0], d_model, dtype=dtype, device="cpu"))
        self.head_bias = nn.Parameter(torch.zeros(output_shape[0], dtype=dtype, device="cpu"))

    # What the training loop asks for ---------------------------------------------------------------------------------

    def draw(self, generators: Generators) -> SequenceNetwork:
        """Draw all weights from one generator, on the CPU, and return the network."""
        (generator,) = generators
        self.tokens.draw(generator)
        if self.positions is not None:
            self.positions.draw(generator, self.position_scale)
        for block in self.blocks:
            block.draw(generator)  # type: ignore[operator]
        with torch.no_grad():
            if self.pool == "cls":
                self.cls.normal_(generator=generator)
            self.head.normal_(0.0, 0.5 * self.head.shape[1] ** -0.5, generator=generator)
        return self

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return matrices of the blocks and the head with weight decay, and everything else without."""
        learning = {name: p for name, p in self.named_parameters() if p.requires_grad}
        decaying = {name for name, p in learning.items() if p.ndim > 1 and name.startswith(("blocks.", "head"))}
        return [
            {"params": [p for name, p in learning.items() if name in decaying], "decay": 1.0},
            {"params": [p for name, p in learning.items() if name not in decaying], "decay": 0.0},
        ]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        n = self.length + (self.pool == "cls")
        return max(block.row_size(n) for block in self.blocks) + 3 * n * self.norm.weight.numel()  # type: ignore[operator]

    # All steps at once -----------------------------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of rows, of shape (b, n_outputs)."""
        tokens, padding = self._tokens_of_steps(x)
        if self.pool == "cls":
            tokens, padding = self._with_cls(tokens, padding)
        for block in self.blocks[:-1]:
            tokens = block(tokens, padding)
        if self.pool == "mean":
            return self._head(mean_of(self.blocks[-1](tokens, padding), padding))
        pooled = self.blocks[-1].last(tokens, padding)  # type: ignore[operator]
        if padding is not None:  # a row without any step is 0, as its mean is
            n_tokens = (~padding).sum(dim=1, keepdim=True) - int(self.pool == "cls")
            pooled = pooled.masked_fill(n_tokens == 0, 0.0)
        return self._head(pooled)

    def _tokens_of_steps(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return tokens of steps or columns, and where they are padding; None if nowhere."""
        tokens, padding = self.tokens(x)
        if self.positions is not None:
            tokens = tokens + self.positions(tokens.shape[1])
        return self.dropout(tokens), padding

    def _with_cls(self, tokens: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Put the learned token after the last token of each row that is not padding."""
        tokens = torch.cat([tokens, self.cls.expand(len(tokens), 1, -1)], dim=1)
        if padding is None:
            return tokens, None
        places = torch.arange(tokens.shape[1], device=tokens.device)
        behind = (places[1:] * ~padding).amax(dim=1, keepdim=True)  # 0 for a row without any token
        chosen = places == behind
        return torch.where(chosen[..., None], self.cls, tokens), F.pad(padding, (0, 1), value=True) & ~chosen

    def _head(self, pooled: Tensor) -> Tensor:
        return F.linear(self.norm(pooled), self.head, self.head_bias)

    # One step after the other ----------------------------------------------------------------------------------------

    def init_state(self, batch_size: int) -> StreamState:
        """Return the state of streams before their first step."""
        layers = tuple(block.init_state(batch_size) for block in self.blocks)  # type: ignore[operator]
        n_steps = torch.zeros(batch_size, dtype=torch.int64, device=self.head.device)
        return StreamState(n_steps, layers, self.head.new_zeros(batch_size, self.head.shape[1]).detach())

    def step(self, x: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        """Return the outputs of streams after their next step (b, C), and the state after it.

        A stream whose channels are all NaN has no step: it stays where it was.
        """
        tokens, padding = self.tokens(x[:, None])
        token = tokens[:, 0]
        if self.positions is not None:
            places = state.n_steps if padding is None else state.n_steps.masked_fill(padding[:, 0], 0)
            token = token + self.positions.at(places)
        token, layers = self._through(token, state.layers)
        pooled = state.pooled + token if self.pool == "mean" else token
        after = StreamState(state.n_steps + 1, layers, pooled)
        if padding is not None:
            after = where(~padding[:, 0], after, state)
        return self._head(self._pooled(after)), after

    def _pooled(self, state: StreamState) -> Tensor:
        if self.pool == "mean":
            return state.pooled / state.n_steps.clamp(min=1)[:, None]
        if self.pool == "last":
            return state.pooled
        seen = self._through(self.cls.expand_as(state.pooled), state.layers)[0]
        return seen.masked_fill((state.n_steps == 0)[:, None], 0.0)

    def _through(self, token: Tensor, states: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
        after = []
        for block, state in zip(self.blocks, states, strict=True):
            token, state = block.step(token, state)  # type: ignore[operator]
            after.append(state)
        return token, tuple(after)


class GateSums(nn.Module):
    """Raw rows to the sum of each head's gates over the steps of a row that are not padding, and the number of these.

    Parameters
    ----------
    predictor : Predictor
        Of a causal :class:`SequenceNetwork` whose attention layers have `gates`.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.scaled = predictor.inputs
        self.network = predictor.network

    def forward(self, X: Tensor) -> Tensor:
        """Return sums of the gates, and the number of steps after them, of shape (b, n_layers, n_heads + 1)."""
        tokens, padding = self.network._tokens_of_steps(self.scaled(X))  # type: ignore[operator]
        present = tokens.new_ones(tokens.shape[:2]) if padding is None else (~padding).to(tokens.dtype)
        found = []
        for i, block in enumerate(self.network.blocks):  # type: ignore[arg-type]
            if i:
                tokens = self.network.blocks[i - 1](tokens, padding)  # type: ignore[index, operator]
            gates = block.attention.gates(block.norm_1(tokens))
            found.append(torch.cat([gates, torch.ones_like(gates[:, :1])], dim=1) @ present[..., None])
        return torch.stack(found, dim=1)[..., 0]


def mean_of(tokens: Tensor, padding: Tensor | None) -> Tensor:
    """Return the mean of the tokens of each row that are not padding, and 0 if all are."""
    if padding is None:
        return tokens.mean(dim=1)
    present = ~padding[..., None]
    return (tokens * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
