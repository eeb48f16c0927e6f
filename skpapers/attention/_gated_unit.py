"""What the gated attention unit and FLASH share: projections, attention weights, where weights start.

In the paper's symbols, for one sequence of n positions::

    U = silu(X' W_u)   V = silu(X' W_v)   Z = silu(X' W_z)       X' = Norm(X), widths e, e and s
    Q = gamma_q * Z + beta_q,  K likewise                         one pair of vectors for each use of Z
    A = relu(Q K^T / n + bias)^2                                  or the Laplace function of Mega
"""

from __future__ import annotations

from math import inf
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers.attention._draws import draw_uniform, normal
from skpapers.attention._gated_functions import (
    from_first_not_finite,
    moved,
    valid_first,
    valid_positions,
    without_padding,
)

ACTIVATIONS = ("relu2", "laplace")


class GatedUnit(nn.Module):
    """The gated projections of a layer, and the vectors by which queries and keys are made from Z.

    Parameters
    ----------
    d_model, d_query : int
        Widths d and s.

    expansion : float
        The width e is `expansion * d_model`, rounded down.

    n_uses : int
        Number of pairs gamma, beta.

    causal : bool
        Whether a position attends to itself and earlier ones only.

    activation : {"relu2", "laplace"}
        Attention function.

    norm : bool or "scale"
        True for layer normalisation of the input, "scale" for ScaleNorm, False for none.

    residual : bool
        Whether the input is added to the output.

    device : torch.device
        Where the weights are.

    dtype : torch.dtype
        Of the weights.
    """

    def __init__(
        self,
        d_model: int,
        expansion: float,
        d_query: int,
        n_uses: int,
        *,
        causal: bool,
        activation: str,
        norm: bool | str,
        residual: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        check_at_least_one("d_model", d_model)
        check_at_least_one("d_query", d_query)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(map(repr, ACTIVATIONS))}, got {activation!r}.")
        if not isinstance(norm, bool) and norm != "scale":
            raise ValueError(f"norm must be True, False or 'scale', got {norm!r}.")
        self.d_model = d_model
        self.d_inner = inner_width(expansion, d_model)
        self.d_query = d_query
        self.causal = causal
        self.activation = activation
        self.residual = residual
        self.dropout: nn.Module = nn.Identity()  # estimators replace it by one with a generator of its own
        self.norm: nn.Module = nn.Identity()
        if norm is True:
            self.norm = nn.LayerNorm(d_model, device=device, dtype=dtype)
        elif norm:
            self.norm = ScaleNorm(d_model, device=device, dtype=dtype)
        width = 2 * self.d_inner + d_query
        self.in_weight = nn.Parameter(torch.empty(width, d_model, device=device, dtype=dtype))
        self.in_bias = nn.Parameter(torch.empty(width, device=device, dtype=dtype))
        self.gamma = nn.Parameter(torch.empty(n_uses, d_query, device=device, dtype=dtype))
        self.beta = nn.Parameter(torch.empty(n_uses, d_query, device=device, dtype=dtype))
        self.out_weight = nn.Parameter(torch.empty(d_model, self.d_inner, device=device, dtype=dtype))
        self.out_bias = nn.Parameter(torch.empty(d_model, device=device, dtype=dtype))

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Draw all weights again.

        Projections start as those of `torch.nn.Linear` do; gamma at 1 + N(0, .02^2), beta at 0.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU.
        """
        for weight, bias in ((self.in_weight, self.in_bias), (self.out_weight, self.out_bias)):
            bound = weight.shape[1] ** -0.5
            for parameter in (weight, bias):
                draw_uniform(parameter, bound, generator)
        self.gamma.copy_(1.0 + 0.02 * normal(self.gamma, generator))
        self.beta.zero_()
        if isinstance(self.norm, nn.LayerNorm | ScaleNorm):
            self.norm.reset_parameters()

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the outputs at all positions.

        Parameters
        ----------
        x : Tensor of shape (B, L, d_model)
            Inputs.

        key_padding_mask : Tensor of bool, shape (B, L), default=None
            True for padding, which counts for nothing: the other outputs are those of the sequence without it, wherever
            it stands.

        Returns
        -------
        y : Tensor of shape (B, L, d_model)
            Outputs. At padding, the gated attention is zero. If an input of a causal layer is NaN or infinite, the
            outputs from there on are NaN, and those before are not changed.
        """
        valid = valid_positions(x, key_padding_mask, self.d_model)
        if not x.numel():
            return x
        order = None if valid is None else valid_first(valid)
        # Before the normalisation, whose gradients would be NaN otherwise.
        known = without_padding(x, valid)
        lost = self._lost(known) if self.causal else None
        if lost is not None:
            known = known.masked_fill(lost[..., None], 0.0)
        normed = self.norm(known)
        if valid is None or order is None:
            y = self._branch(normed, valid)
        else:
            y = moved(self._branch(moved(normed, order), valid.gather(1, order)), order.argsort(1))
        y = self._added(x, y)
        if lost is None:
            return y
        return y.masked_fill((lost if valid is None else lost & valid)[..., None], torch.nan)

    def _lost(self, x: Tensor) -> Tensor | None:
        """Return where outputs of a causal layer depend on an input that is not finite, (B, L); None if nowhere."""
        return from_first_not_finite(x)

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        """Return the output at the last position that is not padding, without computing the others.

        Parameters
        ----------
        x : Tensor of shape (B, L, d_model)
            Inputs, L >= 1.

        key_padding_mask : Tensor of bool, shape (B, L), default=None
            True for padding. For a row of padding only, the first position counts.

        Returns
        -------
        y : Tensor of shape (B, d_model)
            The outputs of `forward` there.
        """
        valid = valid_positions(x, key_padding_mask, self.d_model)
        if not x.shape[1]:
            raise ValueError(f"x has no position: its shape is {tuple(x.shape)}.")
        order = None if valid is None else valid_first(valid)
        if valid is not None and order is not None:
            x = moved(x, order)
            valid = valid.gather(1, order)
        rows = torch.arange(len(x), device=x.device)
        last = rows.new_full((len(x),), x.shape[1] - 1) if valid is None else (valid.sum(1) - 1).clamp(min=0)
        normed = self.norm(without_padding(x, valid))
        e = self.d_inner
        v, z = F.silu(F.linear(normed, self.in_weight[e:], self.in_bias[e:])).split((e, self.d_query), -1)
        u = F.silu(F.linear(normed[rows, last], self.in_weight[:e], self.in_bias[:e]))
        weights = self._last_weights(z, last, valid)
        weights = weights if valid is None else weights * valid
        return self._output(x[rows, last], u * (weights[:, None, :] @ v)[:, 0])

    def _branch(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """Return the outputs without the residual, from normalised inputs and where they are valid.

        In each row, padding comes after the positions that are valid.
        """
        raise NotImplementedError

    def _last_weights(self, z: Tensor, last: Tensor, valid: Tensor | None) -> Tensor:
        """Return the weights (B, L) by which values count at position `last` (B,), from Z and where it is valid."""
        raise NotImplementedError

    def _check_causal(self) -> None:
        """Raise a ValueError unless the layer is causal."""
        if not self.causal:
            raise ValueError("Only a causal layer has a state; construct it with causal=True.")

    def _check_step(self, x_t: Tensor, n_streams: int) -> None:
        """Raise a ValueError unless a layer is causal, and inputs are one position of each stream."""
        self._check_causal()
        if x_t.shape != (n_streams, self.d_model):
            raise ValueError(f"x_t must have shape ({n_streams}, {self.d_model}), got {tuple(x_t.shape)}.")

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return U, V and Z of normalised inputs (..., d)."""
        return F.silu(F.linear(x, self.in_weight, self.in_bias)).split((self.d_inner, self.d_inner, self.d_query), -1)

    def _offset(self, z: Tensor, use: int) -> Tensor:
        """Return gamma * Z + beta."""
        return torch.addcmul(self.beta[use], z, self.gamma[use])

    def _output(self, x: Tensor, gated: Tensor) -> Tensor:
        """Return the outputs of inputs (..., d) whose gated attention is (..., e)."""
        return self._added(x, F.linear(gated, self.out_weight, self.out_bias))

    def _added(self, x: Tensor, y: Tensor) -> Tensor:
        """Return what follows on the gated attention: dropout, and the residual."""
        y = self.dropout(y)
        return x + y if self.residual else y

    def extra_repr(self) -> str:
        """Return what the representation of a module shows.

        Returns
        -------
        text : str
            Widths and options.
        """
        return (
            f"d_model={self.d_model}, d_inner={self.d_inner}, d_query={self.d_query}, causal={self.causal}, "
            f"activation={self.activation!r}, residual={self.residual}"
        )


class ScaleNorm(nn.Module):
    """x divided by the root mean square of its entries, times one learned number (Nguyen and Salazar, 2019)."""

    def __init__(
        self,
        d_model: int,
        eps: float = 1e-5,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.d_model = d_model
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, device=device, dtype=dtype))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set the weight to 1."""
        self.weight.fill_(1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised inputs."""
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * self.d_model**-0.5
        return x / length.clamp(min=self.eps) * self.weight


def inner_width(expansion: object, d_model: int) -> int:
    """Return the width e; raise a ValueError unless it is an integer from 1."""
    is_number = isinstance(expansion, Real) and not isinstance(expansion, bool)
    width = float(expansion) * d_model if is_number else 0.0  # type: ignore[arg-type]
    if not 1 <= width < inf:
        raise ValueError(f"expansion must be a finite number from 1 / d_model, got {expansion!r}.")
    return int(width)


def check_at_least_one(name: str, value: object) -> None:
    """Raise a ValueError unless a number is an integer from 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer from 1, got {value!r}.")
