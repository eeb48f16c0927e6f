r"""Monarch matrices (Dao et al. 2022): two block-diagonal factors between permutations, products and projection.

For sizes that the numbers of blocks divide, with k blocks in R and l blocks in L,

.. math:: M = P L P^\top R \qquad\text{(Definition 3.1)},

where P swaps the two axes of an index: :math:`(P z)_{(j, \ell)} = z_{(\ell, j)}`. With i the place of an input inside
the block :math:`\kappa` of R, and j the place of an output inside the block :math:`\ell` of L, this says

.. math:: M_{(j, \ell), (\kappa, i)} = \sum_{\beta=1}^{b} L_{\ell, j, (\kappa, \beta)} R_{\kappa, (\beta, \ell), i}.

Thus each of the :math:`k l` submatrices of fixed :math:`\ell` and :math:`\kappa` has rank b at most. The paper's square
matrices of order n have :math:`k = l = \sqrt n` and b = 1. A rectangular matrix, or one whose sizes the blocks do not
divide, is the upper left part of such a product.

=====================================================================  ===========================
Step of the paper                                                      Function
=====================================================================  ===========================
Sizes of the blocks                                                    :func:`monarch_shape`
Product with a matrix                                                  :func:`monarch_multiply`
M itself                                                               :func:`monarch_dense`
Projection, :math:`\min_M \|A - M\|_F^2` (Section 3.3, Theorem 1)      :func:`monarch_project`
=====================================================================  ===========================

Activations are feature-major, of shape (n, b) for b rows: then both permutations move whole rows of b numbers, and
the first one is a stride of the second product. Per row the product costs :math:`2 b k l (p + s)` operations for blocks
of p inputs and s outputs, :math:`4 n^{3/2}` for the paper's square matrices, instead of :math:`2 n^2`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from skpapers.neural_network._monarch_shape import MonarchShape, monarch_shape


def monarch_multiply(L: Tensor, R: Tensor, x: Tensor) -> Tensor:
    """Return P L P^T R x (Definition 3.1).

    Parameters
    ----------
    L, R : Tensor of shape (l, s, r) and (k, q, p), or (K, l, s, r) and (K, k, q, p)
        The blocks; with a leading axis those of K matrices.

    x : Tensor of shape (k p, b) or (K, k p, b)
        One column for each row of the data.

    Returns
    -------
    y : Tensor of shape (s l, b) or (K, s l, b)
        The products.
    """
    *members, l, s, r = L.shape  # noqa: E741
    q, p = R.shape[-2:]
    b = x.shape[-1]
    of_R = R.reshape(-1, q, p)
    of_L = L.reshape(-1, s, r)
    z = torch.bmm(of_R, x.reshape(len(of_R), p, b))
    z = z.view(*members, r, l, b).transpose(-3, -2)  # P^T: without members a stride, and no copy below
    y = torch.bmm(of_L, z.reshape(len(of_L), r, b))
    return y.view(*members, l, s, b).transpose(-3, -2).reshape(*members, s * l, b)


def monarch_dense(L: Tensor, R: Tensor) -> Tensor:
    """Return M of shape (..., s l, k p), entry by entry as in the head of this file."""
    *members, l, s, _ = L.shape  # noqa: E741
    k, q, p = R.shape[-3:]
    rank = q // l
    left = L.reshape(*members, l, s, k, rank)
    right = R.reshape(*members, k, rank, l, p)
    M = torch.einsum("...lskb,...kblp->...slkp", left, right)
    return M.reshape(*members, s * l, k * p)


class MonarchFactors(NamedTuple):
    """The Monarch matrix that is nearest to a given one.

    Parameters
    ----------
    L : ndarray of shape (l, s, r)
        Blocks of the second factor.

    R : ndarray of shape (k, q, p)
        Blocks of the first factor.

    residual : float
        Squared Frobenius distance of the two matrices.
    """

    L: NDArray
    R: NDArray
    residual: float


def monarch_project(W: ArrayLike | Tensor, n_blocks: int | str = "sqrt", *, rank: int | None = None) -> MonarchFactors:
    r"""Return the Monarch matrix that is nearest to a matrix in the Frobenius norm.

    Use it to compress a weight matrix, or to see how well its structure fits: exactly for a Hadamard matrix, badly for
    Gaussian noise.

    Parameters
    ----------
    W : array-like or Tensor of shape (n_out, n_in)
        The matrix, with finite real entries.

    n_blocks : int or "sqrt", default="sqrt"
        Number of blocks of each factor. "sqrt" is about the root of the smaller size, with which the factors have the
        fewest parameters.

    rank : int, default=None
        Rank of each submatrix. None: the lowest one with which the result can have full rank; 1 for "sqrt", as in the
        paper.

    Returns
    -------
    factors : MonarchFactors
        The blocks `L` of shape (l, s, r) and `R` of shape (k, q, p), in float64, and `residual`, the squared Frobenius
        norm of W - M, which is infinite where the square overflows. Both factors have equal norms.

    Raises
    ------
    ValueError
        If W is not a matrix of finite real numbers, or if it has no such blocks or rank.

    See Also
    --------
    MonarchLinear : A layer of torch; `MonarchLinear.from_dense` starts from the projection.

    Notes
    -----
    Each submatrix of W with fixed blocks is replaced by its truncated singular value decomposition (Theorem 1 of [1]_),
    which no matrix of that rank beats. `residual` is the sum of the squares of the singular values that were left out.
    Sizes that the blocks do not divide are padded with zeros, which change neither. Cost:
    :math:`O(k l\, p s \min(p, s))`, :math:`O(n^{5/2})` for a square matrix of order n.

    References
    ----------
    .. [1] T. Dao, B. Chen, N. Sohoni, A. Desai, M. Poli, J. Grogan, A. Liu, A. Rao, A. Rudra, C. Ré, "Monarch:
       Expressive Structured Matrices for Efficient and Accurate Training", ICML 2022.
       https://arxiv.org/abs/2204.00595

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skpapers.neural_network import monarch_project
    >>> L, R, residual = monarch_project(hadamard(16))
    >>> L.shape, R.shape, residual < 1e-20
    ((4, 4, 4), (4, 4, 4), True)
    """
    if isinstance(W, Tensor):
        W = (W.detach().cpu() if W.is_complex() else W.detach().cpu().double()).numpy()
    A = np.asarray(W)
    if A.ndim != 2 or A.size == 0 or np.iscomplexobj(A) or not np.isfinite(A.astype(np.float64)).all():
        raise ValueError(f"W must be a matrix of finite real numbers; it has shape {A.shape} and dtype {A.dtype}.")
    A = A.astype(np.float64)
    return project(A, monarch_shape(A.shape[1], A.shape[0], n_blocks, rank))


def project(A: NDArray, shape: MonarchShape) -> MonarchFactors:
    """Return the projection (Theorem 1): a truncated decomposition of each submatrix, shared equally by the factors.

    Parameters
    ----------
    A : ndarray of shape (n_out, n_in)
        The matrix.

    shape : MonarchShape
        Sizes of the factors.
    """
    k = shape.k
    l = shape.l  # noqa: E741
    p = shape.p
    s = shape.s
    b = shape.rank
    padded = np.zeros((s * l, k * p))
    padded[: shape.n_out, : shape.n_in] = A
    blocks = padded.reshape(s, l, k, p).transpose(1, 2, 0, 3)  # of index (l, k), each s x p
    U, S, Vt = np.linalg.svd(blocks, full_matrices=False)
    root = np.sqrt(S[..., :b])
    L = (U[..., :b] * root[..., None, :]).transpose(0, 2, 1, 3).reshape(shape.L)
    R = (root[..., None] * Vt[..., :b, :]).transpose(1, 2, 0, 3).reshape(shape.R)
    return MonarchFactors(L, R, float((S[..., b:] ** 2).sum()))
