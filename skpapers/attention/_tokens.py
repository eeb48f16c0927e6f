"""Rows as sequences of tokens: the steps of a window, or the columns of a table; what is missing is padding."""

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BASE = 10_000.0  # of the wavelengths of sinusoids, from 2 pi to 2 pi BASE


class StepTokens(nn.Module):
    """A window (b, L, C) as L tokens: a linear map of the channels.

    A step whose channels are all NaN does not exist: the other steps move together, and padding is at the end. A single
    missing channel counts as 0, its mean if the inputs are standardised.

    Parameters
    ----------
    n_channels, d_model : int
        C, and the width of a token.

    dtype : torch.dtype
        Of the parameters.
    """

    def __init__(self, n_channels: int, d_model: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(d_model, n_channels, dtype=dtype, device="cpu"))
        self.bias = nn.Parameter(torch.zeros(d_model, dtype=dtype, device="cpu"))

    def draw(self, generator: torch.Generator) -> None:
        """Draw the map with variance 1 / C."""
        with torch.no_grad():
            self.weight.normal_(0.0, self.weight.shape[1] ** -0.5, generator=generator)
            self.bias.zero_()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the tokens, and where they are padding; None if nowhere."""
        missing = torch.isnan(x)
        padding = missing.all(dim=-1)
        if bool(missing.any()):
            x = x.masked_fill(missing, 0.0)
        tokens = F.linear(x, self.weight, self.bias)
        if not bool(padding.any()):
            return tokens, None
        order = padding.to(torch.uint8).argsort(dim=1, stable=True)
        return tokens.gather(1, order[..., None].expand_as(tokens)), padding.gather(1, order)


class ColumnTokens(nn.Module):
    """A row (b, p) of a table as p tokens: x_j w_j + b_j for a number, a learned vector for each code of a category.

    A missing column is padding. Code 0 is that of all values that were not seen in training.

    Parameters
    ----------
    n_codes : tuple of int
        Number of codes of each column, code 0 included; 0 for a column of numbers.

    d_model : int
        Width of a token.

    dtype : torch.dtype
        Of the parameters.
    """

    categories: Tensor
    first: Tensor

    def __init__(self, n_codes: tuple[int, ...], d_model: int, dtype: torch.dtype) -> None:
        super().__init__()
        counts = torch.tensor(n_codes, dtype=torch.int64, device="cpu")
        categories = counts.nonzero()[:, 0]
        self.register_buffer("categories", categories, persistent=False)
        self.register_buffer("first", (counts.cumsum(0) - counts)[categories], persistent=False)
        self.weight = nn.Parameter(torch.zeros(len(n_codes), d_model, dtype=dtype, device="cpu"))
        self.bias = nn.Parameter(torch.zeros(len(n_codes), d_model, dtype=dtype, device="cpu"))
        self.table = nn.Parameter(torch.zeros(int(counts.sum()), d_model, dtype=dtype, device="cpu"))

    def draw(self, generator: torch.Generator) -> None:
        """Draw all vectors from the standard normal distribution, except those of unknown codes, which are 0."""
        with torch.no_grad():
            for vectors in (self.weight, self.bias, self.table):
                vectors.normal_(generator=generator)
            self.table[self.first] = 0.0

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the tokens, and where they are padding; None if nowhere."""
        padding = torch.isnan(x)
        if not bool(padding.any()):
            return self._tokens(x), None
        return self._tokens(x.masked_fill(padding, 0.0)), padding

    def _tokens(self, x: Tensor) -> Tensor:
        if not len(self.categories):
            return torch.addcmul(self.bias, x[..., None], self.weight)
        codes = x[:, self.categories].to(torch.int64) + self.first
        numbers = x.index_fill(1, self.categories, 0.0)
        tokens = torch.addcmul(self.bias, numbers[..., None], self.weight)
        return tokens.index_add(1, self.categories, self.table[codes])


class Positions(nn.Module):
    """Vectors that say where a token is; they are added to it.

    Parameters
    ----------
    kind : {"learned", "sinusoidal"}
        "learned": a vector for each of the first `length` positions. "sinusoidal": sines and cosines of wavelengths
        from 2 pi to 20000 pi.

    length, d_model : int
        Number of positions, and the width of a token.

    dtype : torch.dtype
        Of the vectors.
    """

    def __init__(self, kind: str, length: int, d_model: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.kind = kind
        self.length = length
        if kind == "learned":
            self.table = nn.Parameter(torch.zeros(length, d_model, dtype=dtype, device="cpu"))
        else:
            half = torch.arange(0, d_model, 2, dtype=torch.float64, device="cpu")
            self.register_buffer("frequency", torch.exp(-log(BASE) / d_model * half).to(dtype), persistent=False)
            self.d_model = d_model

    def draw(self, generator: torch.Generator, scale: float) -> None:
        """Draw learned vectors with this standard deviation."""
        if self.kind == "learned":
            with torch.no_grad():
                self.table.normal_(0.0, scale, generator=generator)

    def forward(self, n: int) -> Tensor:
        """Return the vectors of the first n positions, of shape (n, d_model)."""
        if self.kind == "learned" and n <= self.length:  # the gradient of a slice is cheaper
            return self.table[:n]
        return self.at(torch.arange(n, device=self._vectors().device))

    def at(self, places: Tensor) -> Tensor:
        """Return the vectors of positions that are counted from 0, of shape (n, d_model).

        Raises
        ------
        ValueError
            If there is no learned vector for one of them.
        """
        if self.kind == "learned":
            if bool((places >= self.length).any()):
                raise ValueError(
                    f'The model was fitted on windows of {self.length} steps, and positions="learned" has no vector '
                    'for a later step; use positions="sinusoidal" or None.'
                )
            return self.table[places]
        frequency = self._vectors()
        angle = places[:, None] * frequency
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, : self.d_model]

    def _vectors(self) -> Tensor:
        return self.table if self.kind == "learned" else self.get_buffer("frequency")
