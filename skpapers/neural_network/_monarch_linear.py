"""A linear layer of torch whose matrix is a Monarch matrix."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from skpapers.neural_network._monarch import monarch_dense, monarch_project
from skpapers.neural_network._monarch_rows import rows_multiply
from skpapers.neural_network._monarch_shape import monarch_shape


class MonarchLinear(nn.Module):
    r"""Linear layer whose weight is a Monarch matrix; takes the place of `torch.nn.Linear` in networks of your own.

    It has :math:`\sqrt n / 2` times fewer weights than a dense layer of order n, and trains faster from n = 256 on.

    Parameters
    ----------
    in_features, out_features : int
        Numbers of inputs and outputs; any, and they may differ.

    bias : bool, default=True
        Whether to add a learned vector.

    n_blocks : int or "sqrt", default="sqrt"
        Number of blocks of each factor: the more, the fewer weights, down to the root of the smaller size. "sqrt" is
        about that root. The paper's networks have 4.

    rank : int, default=None
        Rank of each submatrix, by which the number of weights is multiplied. None is the lowest one with which the
        weight can have full rank; 1 for "sqrt".

    device : torch.device, default=None
        Where the weights are.

    dtype : torch.dtype, default=None
        Of the weights.

    Attributes
    ----------
    L : torch.nn.Parameter of shape (l, s, r)
        Blocks of the second factor.

    R : torch.nn.Parameter of shape (k, q, p)
        Blocks of the first factor.

    bias : torch.nn.Parameter of shape (out_features,), or None
        What is added.

    See Also
    --------
    monarch_project : The nearest Monarch matrix of a given one.
    MonarchMLPClassifier : Whole networks, trained.
    torch.nn.Linear : The dense layer.

    Notes
    -----
    The weight is M = P L P^T R, see :func:`monarch_project` for the blocks. Entries of each factor start uniformly
    within :math:`\pm 1 / \sqrt{\text{columns of its block}}`, and the bias within
    :math:`\pm 1 / \sqrt{\text{in\_features}}`, the range of `torch.nn.Linear`. (The paper's code takes the root of
    `out_features` for the bias.) The generator is torch's own, as for every layer of torch.

    Features come first inside, so that the layer transposes its output. Estimators such as
    :class:`MonarchMLPClassifier` do so once for the whole network. Without a gradient it takes a few rows at a time.

    References
    ----------
    .. [1] T. Dao et al., "Monarch: Expressive Structured Matrices for Efficient and Accurate Training", ICML 2022.
       https://arxiv.org/abs/2204.00595. Official code: https://github.com/HazyResearch/fly

    Examples
    --------
    >>> import torch
    >>> from skpapers.neural_network import MonarchLinear
    >>> layer = MonarchLinear(1024, 1024, bias=False)
    >>> sum(p.numel() for p in layer.parameters())
    65536
    >>> X = torch.randn(8, 1024)
    >>> torch.allclose(layer(X), X @ layer.to_dense().T, atol=1e-5)
    True
    """

    L: nn.Parameter
    R: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        n_blocks: int | str = "sqrt",
        *,
        rank: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.shape = monarch_shape(in_features, out_features, n_blocks, rank)
        self.R = nn.Parameter(torch.empty(self.shape.R, device=device, dtype=dtype))
        self.L = nn.Parameter(torch.empty(self.shape.L, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        for factor in (self.R, self.L):
            factor.uniform_(-1.0 / sqrt(factor.shape[-1]), 1.0 / sqrt(factor.shape[-1]))
        if self.bias is not None:
            self.bias.uniform_(-1.0 / sqrt(self.in_features), 1.0 / sqrt(self.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Return x M^T + bias.

        Parameters
        ----------
        x : Tensor of shape (..., in_features)
            Inputs, contiguous or not.

        Returns
        -------
        y : Tensor of shape (..., out_features)
            Outputs.
        """
        if x.shape[-1] != self.in_features:
            raise ValueError(f"x has {x.shape[-1]} features, and the layer {self.in_features}.")
        rows = x.reshape(-1, self.in_features)
        y = rows_multiply(rows, self.L, self.R, self.bias, self.out_features)
        return y.view(*x.shape[:-1], self.out_features)

    def to_dense(self) -> Tensor:
        """Return the weight.

        Returns
        -------
        weight : Tensor of shape (out_features, in_features)
            As that of `torch.nn.Linear`; gradients flow through it.
        """
        return monarch_dense(self.L, self.R)[: self.out_features, : self.in_features]

    @classmethod
    def from_dense(
        cls, W: ArrayLike | Tensor, bias: ArrayLike | Tensor | None = None, n_blocks: int | str = "sqrt",
        *, rank: int | None = None,
    ) -> MonarchLinear:  # fmt: skip
        """Return the layer whose weight is nearest to a dense one.

        Parameters
        ----------
        W : array-like or Tensor of shape (out_features, in_features)
            The weight. A tensor decides the device of the layer, and a floating-point one its dtype.

        bias : array-like or Tensor of shape (out_features,), default=None
            The bias; None for a layer without one.

        n_blocks : int or "sqrt", default="sqrt"
            Number of blocks of each factor.

        rank : int, default=None
            Rank of each submatrix.

        Returns
        -------
        layer : MonarchLinear
            Its weight is the projection, see :func:`monarch_project`.

        Raises
        ------
        ValueError
            If W is not a matrix of finite real numbers, has no such blocks or rank, or if `bias` has another shape.
        """
        factors = monarch_project(W, n_blocks, rank=rank)
        n_out, n_in = np.shape(W)
        added = bias if bias is None or isinstance(bias, Tensor) else torch.tensor(np.asarray(bias, np.float64))
        if added is not None and added.shape != (n_out,):
            raise ValueError(f"bias has shape {tuple(added.shape)}, and a layer of {n_out} outputs needs ({n_out},).")
        device = None
        dtype = None
        if isinstance(W, Tensor):
            device = W.device
            dtype = W.dtype if W.is_floating_point() else None
        layer = cls(n_in, n_out, bias is not None, n_blocks, rank=rank, device=device, dtype=dtype)
        with torch.no_grad():
            layer.L.copy_(torch.from_numpy(factors.L))
            layer.R.copy_(torch.from_numpy(factors.R))
            if added is not None and layer.bias is not None:
                layer.bias.copy_(added)
        return layer

    def extra_repr(self) -> str:
        """Return what the representation of a module shows.

        Returns
        -------
        text : str
            Sizes and blocks.
        """
        shape = self.shape
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"blocks=({shape.k}, {shape.l}), rank={shape.rank}"
        )
