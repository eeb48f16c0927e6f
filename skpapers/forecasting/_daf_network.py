"""The network of DAF: blocks of private modules and shared attention, and one pass of it over whole series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.networks import Generators, draw, parameter_groups
from skpapers.forecasting._daf import (
    PrivateModules,
    SharedAttention,
    extrapolation,
    interpolation,
)


@dataclass(frozen=True)
class Pass:
    """What one pass over series makes, block after block.

    Parameters
    ----------
    forecast : Tensor of shape (b, stop - first, n_outputs)
        Of all blocks together; each step is forecast from the values before it.

    left : list of Tensor of shape (b, T, C)
        What each block gets: the series, then what the forecasts of the blocks before have left of it.

    interpolated : list of Tensor of shape (b, T, n_outputs)
        By each block.

    queries, keys : list of Tensor of shape (b, T, d)
        Of each block.

    keys_before, values_next : list of Tensor of shape (b, T - w, d)
        Keys of the windows before values w .. T - 1, and what the extrapolation takes for these values.
    """

    forecast: Tensor
    left: list[Tensor] = field(default_factory=list)
    interpolated: list[Tensor] = field(default_factory=list)
    queries: list[Tensor] = field(default_factory=list)
    keys: list[Tensor] = field(default_factory=list)
    keys_before: list[Tensor] = field(default_factory=list)
    values_next: list[Tensor] = field(default_factory=list)


class Block(nn.Module):
    """Private modules of every domain around one shared attention."""

    def __init__(
        self,
        n_domains: int,
        n_channels: int,
        d: int,
        n_heads: int,
        kernel_sizes: tuple[int, ...],
        n_outputs: int,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.private: Any = nn.ModuleList(
            PrivateModules(n_channels, d, kernel_sizes, n_outputs, dtype) for _ in range(n_domains)
        )
        self.shared = SharedAttention(d, n_heads, dtype)

    def by_domain(self, method: Callable[[Any, Tensor], Tensor], x: Tensor, domain: Tensor) -> Tensor:
        """Return the results of a method of :class:`PrivateModules`, for each row that of its domain."""
        codes = domain.unique().tolist()
        if len(codes) == 1:
            return method(self.private[codes[0]], x)
        rows = [torch.nonzero(domain == code).squeeze(1) for code in codes]
        found = [method(self.private[code], x[some]) for code, some in zip(codes, rows, strict=True)]
        return torch.cat(found)[torch.cat(rows).argsort()]


class DAFNetwork(nn.Module):
    """Forecasts of scaled series; a :class:`skpapers._torch.networks.Network`.

    Domain 0 is the target.

    Parameters
    ----------
    row_shape : tuple of int
        (L, C).

    horizon, n_outputs : int
        H, and the outputs for each step: one, or one for each quantile.

    point : int
        The output that is the forecast itself.

    n_domains : int
        Number of domains.

    d_model, n_heads, n_layers : int
        Width, heads, and blocks.

    kernel_sizes : tuple of int
        Of the patterns, each from 1 to L - 1.

    dtype : torch.dtype
        Of all parameters.
    """

    n_members = 1

    def __init__(
        self,
        row_shape: tuple[int, ...],
        horizon: int,
        *,
        n_outputs: int,
        point: int,
        n_domains: int,
        d_model: int,
        n_heads: int,
        n_layers: int,
        kernel_sizes: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.length = row_shape[0]
        self.horizon = horizon
        self.point = point
        self.n_heads = n_heads
        self.d_model = d_model
        self.w = max(kernel_sizes)
        self.left = self.w // 2  # values of a window before its middle
        self.right = self.w - 1 - self.left
        self.blocks: Any = nn.ModuleList(
            Block(n_domains, row_shape[1], d_model, n_heads, kernel_sizes, n_outputs, dtype) for _ in range(n_layers)
        )

    def draw(self, generators: Generators) -> DAFNetwork:
        """Draw all weights, on the CPU; biases stay 0."""
        for block in self.blocks:
            for private in block.private:
                private.draw(generators)
            for part in block.shared.children():
                draw(part, generators)
        return self

    @torch.no_grad()
    def copy_private(self, start: int, to: int = 0) -> None:
        """Give one domain copies of the private modules of another."""
        for block in self.blocks:
            block.private[to].load_state_dict(block.private[start].state_dict())

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Matrices with weight decay, the rest without."""
        return [
            group
            for block in self.blocks
            for part in (*block.private, *block.shared.children())
            for group in parameter_groups(part)
        ]

    def row_size(self) -> int:
        """Return how many numbers of a row are in memory at once in a forward pass without gradients."""
        n_steps = self.length + self.horizon
        scores = self.n_heads * n_steps if len(self.blocks) > 1 else 0
        return n_steps * (12 * self.d_model + scores)

    def run(
        self,
        z: Tensor,
        domain: Tensor,
        observed: Tensor | None,
        *,
        first: int,
        stop: int,
        interpolates: bool = True,
    ) -> Pass:
        """Interpolate whole series, and forecast steps first .. stop - 1 of them from the steps before each.

        Parameters
        ----------
        z : Tensor of shape (b, T, C)
            Scaled series, 0 where a value is missing. Channel 0 is forecast.

        domain : Tensor of int of shape (b,)
            The domain of each series.

        observed : Tensor of bool of shape (b, T), or None
            Where channel 0 was observed; None if it always was.

        first, stop : int
            From w + 1, and at most T + 1.

        interpolates : bool
            Whether to interpolate as well.
        """
        n_steps = z.shape[1]
        total = torch.zeros((), dtype=z.dtype, device=z.device)
        made = Pass(total)
        for number, block in enumerate(self.blocks):
            follows = number + 1 < len(self.blocks)
            begin = self.w + 1 if follows else first  # a block after this one needs what is left of every step
            p = block.by_domain(PrivateModules.patterns, z, domain)
            q, k = block.shared.queries_and_keys(p)
            v, v_next = block.by_domain(PrivateModules.values, z, domain).chunk(2, dim=-1)
            allowed = extrapolation(begin, stop, n_steps, self.w, observed, z.device)
            made.keys_before.append(k[:, self.left : n_steps - self.right - 1])
            made.values_next.append(v_next[:, self.w :])
            queries = q[:, begin - self.right - 1 : stop - self.right - 1]
            o = block.shared.attend(queries, made.keys_before[-1], made.values_next[-1], allowed)
            if interpolates:
                inside = block.shared.attend(q, k, v, interpolation(n_steps, observed, z.device))
                o = torch.cat([inside, o], dim=1)
            outputs = block.by_domain(PrivateModules.decode, block.shared.mixed(o), domain)
            n_inside = n_steps if interpolates else 0
            forecast = outputs[:, n_inside:]
            total = total + forecast[:, first - begin :]
            made.left.append(z)
            made.interpolated.append(outputs[:, :n_inside])
            made.queries.append(q)
            made.keys.append(k)
            if follows:
                sees = None if observed is None else allowed.any(dim=-1)
                z = self._rest(z, forecast, begin, observed, sees)
        return replace(made, forecast=total)

    def _rest(self, z: Tensor, forecast: Tensor, begin: int, observed: Tensor | None, sees: Tensor | None) -> Tensor:
        """Return the series less the forecasts of its steps; what is left of a step depends on no later one.

        A forecast that sees no value (`sees`) is left out, as are those of the first steps.
        """
        stop = min(z.shape[1], begin + forecast.shape[1])
        taken = forecast[:, : stop - begin, self.point]
        if observed is not None and sees is not None:
            taken = taken * (sees[:, : stop - begin] & observed[:, begin:stop])
        channel = torch.cat([z[:, :begin, 0], z[:, begin:stop, 0] - taken, z[:, stop:, 0]], dim=1)
        return torch.cat([channel[..., None], z[..., 1:]], dim=-1)
