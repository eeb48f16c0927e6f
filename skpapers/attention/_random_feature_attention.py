r"""Random Feature Attention (Peng et al. 2021): sines and cosines in place of softmax, and a gate that forgets.

Queries and keys are divided by their lengths. For w of distribution :math:`N(0, \sigma^{-2} I_d)`,

.. math:: \phi(x) = D^{-1/2} [\sin(w_1^\top x), \dots, \sin(w_D^\top x), \cos(w_1^\top x), \dots, \cos(w_D^\top x)],
          \qquad E\,\phi(x)^\top \phi(y) = \exp\left(-\frac{\|x - y\|^2}{2 \sigma^2}\right),

which on the unit sphere is :math:`\exp(x^\top y / \sigma^2)` up to a constant that cancels (Theorem 1, Eq. 4). The
causal form keeps two sums (Eq. 6), and the gated one forgets (Eq. 7): with :math:`g_t = \mathrm{sigmoid}(w_g^\top x_t +
b_g)`,

.. math:: S_t = g_t S_{t-1} + (1 - g_t)\, \phi(k_t) v_t^\top, \qquad z_t = g_t z_{t-1} + (1 - g_t)\, \phi(k_t).

=====================================================================  =======================================
Step of the paper                                                      Function
=====================================================================  =======================================
Fourier features of unit vectors (Eq. 2 to 4)                          :class:`FourierFeatures`
Arc-cosine features (Section 3.3, Appendix A.3)                        :class:`ArcCosineFeatures`
Attention (Eq. 5), causal (Eq. 6), gated (Eq. 7)                       `linear_attention`
Learned variance of the frequencies (Section 3.1)                      `FourierFeatures.log_sigma`
=====================================================================  =======================================
"""

from __future__ import annotations

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skpapers.attention._feature_maps import FeatureMap, project, project_back

SHORTEST = 1e-12  # a vector that is shorter has no direction: it counts as zero


class UnitFeatures(FeatureMap):
    """A map of vectors that are divided by their lengths.

    Parameters
    ----------
    n_dims : int
        d, length of a query.

    n_frequencies : int
        D.

    n_heads : int
        Heads, each with frequencies of its own.

    orthogonal : bool, default=True
        Draw the frequencies orthogonal in blocks of d.

    device, dtype
        Of the frequencies.
    """

    def __init__(
        self,
        n_dims: int,
        n_frequencies: int,
        n_heads: int,
        *,
        orthogonal: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(n_dims, n_frequencies, n_heads=n_heads, orthogonal=orthogonal, device=device, dtype=dtype)

    @property
    def factor(self) -> float:
        return 1.0 / self.n_frequencies

    def forward(self, x: Tensor) -> Tensor:
        u = F.normalize(x, dim=-1, eps=SHORTEST) @ self.scaled_projection().mT
        return self.features(u) * self.factor**0.5

    def products(self, x: Tensor, W: Tensor) -> Tensor:
        """Return W x / |x| for a block."""
        return project(x, W).mul_(_reciprocal_lengths(x))

    def block(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        return self.features(self.products(x, W))

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
        of_unit = project_back(self.features_backward(phi, gradient), W)
        reciprocal = _reciprocal_lengths(x)
        unit = x * reciprocal
        along = (unit * of_unit).sum(-1, keepdim=True)
        if of_parameter is not None:
            # W has the factor exp(-log_sigma): the derivative by log_sigma is that by the length, with a minus.
            of_parameter -= along.view(-1, *of_parameter.shape[:1], x.shape[1]).sum((0, 2)).view_as(of_parameter)
        return of_unit.addcmul_(unit, along, value=-1.0).mul_(reciprocal)


def _reciprocal_lengths(x: Tensor) -> Tensor:
    """Return 1 / |x| of shape (..., 1), and 0 for x = 0."""
    lengths = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.where(lengths > SHORTEST, 1.0 / lengths, 0.0)


class FourierFeatures(UnitFeatures):
    """Sines and cosines: the Gaussian kernel exp(-|x - y|^2 / (2 sigma^2)) of vectors divided by their lengths.

    Parameters
    ----------
    n_dims, n_frequencies, n_heads, orthogonal, device, dtype
        As in :class:`UnitFeatures`; there are m = 2 D features.

    sigma : float, default=1.0
        Start of sigma, of which each head learns its own.

    Attributes
    ----------
    log_sigma : torch.nn.Parameter of shape (n_heads, 1, 1)
        Logarithms of sigma.
    """

    smallest_denominator = 1e-3
    log_sigma: nn.Parameter

    def __init__(
        self,
        n_dims: int,
        n_frequencies: int,
        n_heads: int,
        *,
        sigma: float = 1.0,
        orthogonal: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(n_dims, n_frequencies, n_heads, orthogonal=orthogonal, device=device, dtype=dtype)
        self.sigma = sigma
        self.log_sigma = nn.Parameter(torch.empty(n_heads, 1, 1, device=device, dtype=dtype))
        self.reset_parameters()

    @property
    def n_features(self) -> int:
        return 2 * self.n_frequencies

    @property
    def parameter(self) -> nn.Parameter:
        return self.log_sigma

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Set sigma to its start."""
        self.log_sigma.fill_(log(self.sigma))

    def scaled_projection(self) -> Tensor:
        return self.projection * torch.exp(-self.log_sigma)

    def features(self, u: Tensor) -> Tensor:
        return torch.cat([torch.sin(u), torch.cos(u)], dim=-1)

    def features_backward(self, phi: Tensor, gradient: Tensor) -> Tensor:
        sine, cosine = phi.chunk(2, dim=-1)
        of_sine, of_cosine = gradient.chunk(2, dim=-1)
        return (of_sine * cosine).addcmul_(of_cosine, sine, value=-1.0)


class ArcCosineFeatures(UnitFeatures):
    r"""Rectified products: the arc-cosine kernel of order 1 of vectors divided by their lengths.

    It is :math:`(\sin\theta + (\pi - \theta) \cos\theta) / (2 \pi)` for an angle :math:`\theta`. It has no sigma,
    which would only scale all weights. Parameters are those of :class:`UnitFeatures`; there are m = D features.
    """

    def features(self, u: Tensor) -> Tensor:
        return torch.relu(u)

    def features_backward(self, phi: Tensor, gradient: Tensor) -> Tensor:
        return gradient * (phi > 0)
