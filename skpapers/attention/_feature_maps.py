r"""Feature maps of linear attention: what turns a query or a key into the vector whose products are the weights.

A map :math:`\phi` has frequencies :math:`w_1, \dots, w_m`, fixed numbers that are drawn at random, and applies
functions to the products :math:`u_i = w_i^\top x`. The weight of key k for query q is :math:`\phi(q)^\top \phi(k)`.

Attention does not call a map on whole sequences. It asks for the features of a block, and in the backward pass for the
gradient with respect to the block. Maps whose features are exponentials give the exponents too, from which a pass can
subtract the largest ones.
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

    A map defines :meth:`features` and :meth:`features_backward`, and more where it does more than apply functions to
    products.

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

    exponential = False  # whether there are exponents
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

    @property
    def factor(self) -> float:
        """What products of features are multiplied by: phi is the root of it times what :meth:`features` returns."""
        return 1.0

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

    def features(self, u: Tensor) -> Tensor:
        """Return the features of products u of shape (..., number of frequencies), without the root of the factor."""
        raise NotImplementedError

    def features_backward(self, phi: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to u, given the features phi and the gradient with respect to them."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of x, of shape (..., H, L, d): phi(x) of shape (..., H, L, m)."""
        return self.features(x @ self.scaled_projection().mT) * self.factor**0.5

    # What attention uses, for a block of n sequences ---------------------------------------------------------------

    def is_small(self, q: Tensor, k: Tensor) -> bool:
        """Return whether the features of all queries and keys, and sums of their products, are normal numbers."""
        return True

    @property
    def parameter(self) -> nn.Parameter | None:
        """What of the map is learned, if anything is."""
        return None

    def scaled_projection(self) -> Tensor:
        """Return W times what is learned of it."""
        return self.projection

    def block(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        """Return the features of x of shape (n, r, d); without `offset` up to a factor of each row."""
        return self.features(project(x, W))

    def exponents(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        """Return the logarithms of the features of an exponential map."""
        raise NotImplementedError

    def block_backward(
        self,
        x: Tensor,
        W: Tensor,
        phi: Tensor,
        gradient: Tensor,
        *,
        offset: bool = True,
        of_parameter: Tensor | None = None,
    ) -> Tensor:
        """Return the gradient with respect to x, given the one with respect to its features, which may be overwritten.

        The gradient of what the map learns is added to `of_parameter`.
        """
        return project_back(self.features_backward(phi, gradient), W)


class Identity(FeatureMap):
    """Queries and keys that are features already."""

    def __init__(self) -> None:
        super().__init__(0, 0)

    def block(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        return x

    def block_backward(
        self,
        x: Tensor,
        W: Tensor,
        phi: Tensor,
        gradient: Tensor,
        *,
        offset: bool = True,
        of_parameter: Tensor | None = None,
    ) -> Tensor:
        return gradient


def of_rows(W: Tensor, n_rows: int) -> Tensor:
    """Return W of shape (m, d) itself, and one of shape (n_heads, m, d) repeated for some rows of a batch."""
    return W if W.ndim == 2 else W.repeat(n_rows, 1, 1)


def project(x: Tensor, W: Tensor) -> Tensor:
    """Return the products x W^T of shape (n, r, m), for W of shape (m, d) or (n, m, d)."""
    if W.ndim == 3:
        return torch.bmm(x, W.mT)
    n, r, d = x.shape
    return torch.mm(x.reshape(n * r, d), W.mT).view(n, r, len(W))


def project_back(u: Tensor, W: Tensor) -> Tensor:
    """Return u W of shape (n, r, d)."""
    if W.ndim == 3:
        return torch.bmm(u, W)
    n, r, m = u.shape
    return torch.mm(u.reshape(n * r, m), W).view(n, r, W.shape[1])
