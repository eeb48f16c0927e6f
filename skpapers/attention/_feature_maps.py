r"""Feature maps of linear attention: what turns a query or a key into the vector whose products are the weights.

A map :math:`\phi` has frequencies :math:`w_1, \dots, w_m`, fixed numbers that are drawn at random, and applies
functions to the products :math:`u_i = w_i^\top x`. The weight of key k for query q is :math:`\phi(q)^\top \phi(k)`.

Attention does not call a map on whole sequences. It asks for the parts, block by block: the projection, the features of
the products, and the gradient with respect to the products. Maps whose features are exponentials give the exponents,
because a block can then subtract its largest one.
"""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from skpapers._random_features import draw_frequencies


class Drawing(TypedDict):
    """How frequencies are drawn, and where they are: parameters of :class:`FeatureMap`."""

    orthogonal: bool
    regularized: bool
    device: torch.device | str | None
    dtype: torch.dtype | None


class FeatureMap(nn.Module):
    """Base of the maps: features f(u) of the products u = W x.

    A map of your own overrides :meth:`features` and :meth:`features_backward`, and :meth:`prepare` if the rows change
    before the projection.

    Parameters
    ----------
    n_dims : int
        d, length of a query.

    n_frequencies : int
        Number of rows of W.

    n_heads : int, default=None
        Number of heads that draw frequencies of their own. None: all heads share one W.

    signs : tuple of float, default=(1.0,)
        W is repeated for each of them, times the sign.

    scale : float, default=1.0
        Factor of the frequencies in W.

    orthogonal, regularized : bool
        How frequencies are drawn: orthogonal in blocks of d or independent; of length sqrt(d) or of a Gaussian's.

    device : torch.device, default=None
        Where W is.

    dtype : torch.dtype, default=None
        Of W.

    Attributes
    ----------
    projection : Tensor of shape (m, d), or (n_heads, m, d)
        W. It is a buffer: fixed, and saved with the module.
    """

    exponential = False  # whether features are exp(u - |scale x|^2 / 2 - log_root), from which a maximum is subtracted
    smallest_denominator = 0.0  # the sum of weights is kept this far from zero; 0 where weights are positive
    projection: Tensor

    def __init__(
        self,
        n_dims: int,
        n_frequencies: int,
        *,
        n_heads: int | None = None,
        signs: tuple[float, ...] = (1.0,),
        scale: float = 1.0,
        orthogonal: bool = True,
        regularized: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.n_dims = n_dims
        self.n_frequencies = n_frequencies
        self.n_heads = n_heads
        self.signs = signs
        self.scale = scale
        self.orthogonal = orthogonal
        self.regularized = regularized
        heads = () if n_heads is None else (n_heads,)
        shape = (*heads, len(signs) * n_frequencies, n_dims)
        self.register_buffer("projection", torch.zeros(shape, device=device, dtype=dtype))

    @property
    def n_features(self) -> int:
        """Length m of the features."""
        return self.projection.shape[-2]

    @torch.no_grad()
    def draw(self, rng: np.random.RandomState) -> None:
        """Draw the frequencies anew."""
        norms: Literal["chi", "fixed"] = "fixed" if self.regularized else "chi"
        drawn = [
            draw_frequencies(rng, self.n_frequencies, self.n_dims, orthogonal=self.orthogonal, norms=norms)
            for _ in range(self.n_heads or 1)
        ]
        W = self.scale * np.concatenate([sign * np.stack(drawn) for sign in self.signs], axis=1)
        self.projection.copy_(torch.from_numpy(W).reshape(self.projection.shape))

    def prepare(self, x: Tensor) -> Tensor:
        """Return what is projected, for queries or keys of shape (..., H, L, d)."""
        return x

    def features(self, u: Tensor) -> Tensor:
        """Return the features of the products u of shape (..., number of frequencies)."""
        raise NotImplementedError

    def features_backward(self, u: Tensor, phi: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to u, given the one with respect to the features phi."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of x, of shape (..., H, L, d): phi(x) of shape (..., H, L, m)."""
        return self.features(self.prepare(x) @ self.projection.mT)
