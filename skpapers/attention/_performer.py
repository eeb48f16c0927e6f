r"""FAVOR+ (Choromanski et al. 2021): positive orthogonal random features of the softmax kernel.

Softmax attention weighs key k for query q by :math:`\exp(q^\top k / \sqrt d)`. With :math:`x = d^{-1/4} q` and
:math:`y = d^{-1/4} k` it is an expectation over :math:`w \sim N(0, I_d)` of products of positive features (Lemma 1),

.. math:: \exp(x^\top y) = E\left[\exp\left(w^\top x - \tfrac{\|x\|^2}{2}\right)
          \exp\left(w^\top y - \tfrac{\|y\|^2}{2}\right)\right],

and of the hyperbolic ones, where w and -w are both used. m frequencies give :math:`\phi(x) = m^{-1/2} \exp(W x -
\|x\|^2 / 2)`, and attention is linear in the length (Eq. 4): with :math:`\hat Q = \phi(Q)` and :math:`\hat K =
\phi(K)`, out :math:`= \hat D^{-1} \hat Q (\hat K^\top V)`, :math:`\hat D = \mathrm{diag}(\hat Q \hat K^\top 1)`.

=====================================================================  =======================================
Step of the paper                                                      Function
=====================================================================  =======================================
Positive features of the softmax kernel (Eq. 5, Lemma 1)               :class:`PositiveFeatures`
Hyperbolic features (Lemma 1)                                          its parameter `hyperbolic`
Orthogonal frequencies (Section 2.4), regularised (Theorem 1)          `draw_frequencies`
Generalised attention, f(W x) (Eq. 5 with h = 1)                       :class:`GeneralizedFeatures`
Attention of both kinds, causal prefix sums (Eq. 4, Appendix B.1)      `linear_attention`
=====================================================================  =======================================
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log

import torch
import torch.nn.functional as F
from torch import Tensor

from skpapers.attention._feature_maps import FeatureMap, project, project_back

OFFSET = 1e-3  # what generalised attention adds to each feature, so that no query is without weights


class PositiveFeatures(FeatureMap):
    """Positive features of the softmax kernel exp(q . k / sqrt(d)).

    Parameters
    ----------
    n_dims : int
        d, length of a query.

    n_features : int
        m. With `hyperbolic`, it is rounded up to an even number.

    hyperbolic : bool, default=False
        Use each frequency with both signs: half as many draws, and a lower variance for as many features.

    orthogonal : bool, default=True
        Draw the frequencies orthogonal in blocks of d.

    regularized : bool, default=False
        Give all frequencies the length sqrt(d). It lowers the variance, and the kernel is estimated too low.

    device, dtype
        Of the frequencies.
    """

    exponential = True

    def __init__(
        self,
        n_dims: int,
        n_features: int,
        *,
        hyperbolic: bool = False,
        orthogonal: bool = True,
        regularized: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        signs = (1.0, -1.0) if hyperbolic else (1.0,)
        super().__init__(
            n_dims,
            ceil(n_features / len(signs)),
            signs=signs,
            scale=n_dims**-0.25,
            orthogonal=orthogonal,
            regularized=regularized,
            device=device,
            dtype=dtype,
        )

    @property
    def factor(self) -> float:
        return 1.0 / self.n_features

    def forward(self, x: Tensor) -> Tensor:
        """Return phi(x) of shape (..., m); it overflows for long x, which attention avoids."""
        half = 0.5 * self.scale**2 * x.square().sum(-1, keepdim=True)
        return torch.exp(x @ self.projection.mT - half) * self.factor**0.5

    def is_small(self, q: Tensor, k: Tensor) -> bool:
        """Return whether exponents stay within the range of the dtype, by the inequality of Cauchy and Schwarz."""
        w = float(torch.linalg.vector_norm(self.projection, dim=-1).amax())
        of_q, of_k = (float(torch.linalg.vector_norm(x, dim=-1).amax()) if x.numel() else 0.0 for x in (q, k))
        half = 0.5 * (self.scale * of_k) ** 2
        limit = log(torch.finfo(q.dtype).max) - 2.0
        largest = w * of_q + max(w * of_k - half, 0.0) + log(max(k.shape[-2], 1))
        # Not all products are as negative as they can be if frequencies point in min(m, d) orthogonal directions.
        n_directions = min(self.n_frequencies, self.n_dims) if self.orthogonal else 1
        lowest = w * (of_q + of_k) / n_directions**0.5 + half
        return largest < limit and w * of_k + half < limit and lowest < limit

    def exponents(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        u = project(x, W)
        if offset:
            squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
            u.sub_(squares, alpha=0.5 * self.scale**2)
        return u

    def block(self, x: Tensor, W: Tensor, *, offset: bool = True) -> Tensor:
        return self.exponents(x, W, offset=offset).exp_()

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
        of_exponents = gradient.mul_(phi)
        of_x = project_back(of_exponents, W)
        if offset:
            of_x.addcmul_(x, of_exponents.sum(-1, keepdim=True), value=-(self.scale**2))
        return of_x


def _relu_backward(f: Tensor) -> Tensor:
    return f > 0


def _sigmoid_backward(f: Tensor) -> Tensor:
    return f * (1.0 - f)


def _softplus_backward(f: Tensor) -> Tensor:
    return -torch.expm1(-f)


# Each function of generalised attention, and its derivative as a function of its value.
GENERALIZED: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "relu": (torch.relu, _relu_backward),
    "sigmoid": (torch.sigmoid, _sigmoid_backward),
    "softplus": (F.softplus, _softplus_backward),
}


class GeneralizedFeatures(FeatureMap):
    """Features f(W x) of generalised attention, which estimate no kernel of a known form.

    Parameters
    ----------
    n_dims, n_features : int
        d and m.

    function : {"relu", "sigmoid", "softplus"}
        f.

    orthogonal, regularized : bool
        As in :class:`PositiveFeatures`.

    device, dtype
        Of the frequencies.
    """

    def __init__(
        self,
        n_dims: int,
        n_features: int,
        function: str = "relu",
        *,
        orthogonal: bool = True,
        regularized: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            n_dims,
            n_features,
            scale=n_dims**-0.25,
            orthogonal=orthogonal,
            regularized=regularized,
            device=device,
            dtype=dtype,
        )
        self.function = function

    def features(self, u: Tensor) -> Tensor:
        function, _ = GENERALIZED[self.function]
        return function(u) + OFFSET

    def features_backward(self, phi: Tensor, gradient: Tensor) -> Tensor:
        _, derivative = GENERALIZED[self.function]
        return gradient * derivative(phi - OFFSET)
