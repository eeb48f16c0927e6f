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
Sizes of the blocks (Section 3.1)                                      :func:`monarch_shape`
Product with a matrix                                                  :func:`monarch_multiply`
M itself                                                               :func:`monarch_dense`
Projection, :math:`\min_M \|A - M\|_F^2` (Eq. 1, Algorithm 1)          :func:`monarch_project`
=====================================================================  ===========================

Activations are feature-major, of shape (n, b) for b rows: then both permutations move whole rows of b numbers, and
the first one is a stride of the second product. Per row the product costs :math:`2 b k l (p + s)` operations for blocks
of p inputs and s outputs, :math:`4 n^{3/2}` for the paper's square matrices, instead of :math:`2 n^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

WIDEST_RATIO = 4  # of the numbers of blocks of the two factors: few inputs in a block are slow to multiply
DIVIDING = 1.25  # a pair of numbers that divides both sizes is worth so many times the parameters: nothing is padded


@dataclass(frozen=True)
class MonarchShape:
    """Sizes of the two factors of a Monarch matrix.

    Parameters
    ----------
    n_in, n_out : int
        Columns and rows of the matrix.

    k, l : int
        Number of blocks of R and of L.

    rank : int
        Rank of each of the k l submatrices, b above; the paper's square matrices have 1.
    """

    n_in: int
    n_out: int
    k: int
    l: int  # noqa: E741
    rank: int

    @property
    def p(self) -> int:
        """Inputs of a block of R."""
        return ceil(self.n_in / self.k)

    @property
    def s(self) -> int:
        """Outputs of a block of L."""
        return ceil(self.n_out / self.l)

    @property
    def R(self) -> tuple[int, int, int]:
        """Shape of the blocks of R: number, rows, columns."""
        return (self.k, self.rank * self.l, self.p)

    @property
    def L(self) -> tuple[int, int, int]:
        """Shape of the blocks of L: number, rows, columns."""
        return (self.l, self.s, self.rank * self.k)

    @property
    def n_parameters(self) -> int:
        """Number of entries of both factors."""
        return self.rank * self.k * self.l * (self.p + self.s)

    @property
    def largest_rank(self) -> int:
        """The rank at which the factors represent any matrix."""
        return min(self.p, self.s)


def monarch_shape(n_in: int, n_out: int, n_blocks: int | str = "sqrt", rank: int | None = None) -> MonarchShape:
    """Return the sizes of the factors for a matrix of `n_out` rows and `n_in` columns.

    Parameters
    ----------
    n_in, n_out : int
        Columns and rows.

    n_blocks : int or "sqrt"
        Number of blocks of each factor. "sqrt": about the root of the smaller size in each, so that the vector between
        the factors has at least as many entries as the smaller size. Among such pairs of numbers, at most
        `WIDEST_RATIO` apart, it is the one of the fewest parameters, where numbers that divide both sizes count
        `DIVIDING` times less.

    rank : int or None
        Rank of each submatrix. None: the lowest one whose vector between the factors is not shorter than the smaller
        size; 1 for "sqrt".

    Raises
    ------
    ValueError
        If the number of blocks is not between 1 and the smaller size, or the rank not between 1 and the smaller size
        of a submatrix.
    """
    smaller = min(n_in, n_out)
    if n_blocks == "sqrt":
        k, l = _numbers_of_blocks(n_in, n_out)  # noqa: E741
    elif isinstance(n_blocks, Integral) and 1 <= n_blocks <= smaller:
        k = l = int(n_blocks)  # noqa: E741
    else:
        raise ValueError(
            f'n_blocks={n_blocks!r} is not possible for a matrix of shape ({n_out}, {n_in}): it is "sqrt" or an '
            f"integer from 1 to {smaller}."
        )
    shape = MonarchShape(n_in, n_out, k, l, 1)
    if rank is None:
        rank = min(ceil(smaller / (k * l)), shape.largest_rank)
    if not (isinstance(rank, Integral) and 1 <= rank <= shape.largest_rank):
        raise ValueError(
            f"rank={rank!r} is not possible for submatrices of shape ({shape.s}, {shape.p}): it is an integer from 1 "
            f"to {shape.largest_rank}."
        )
    return MonarchShape(n_in, n_out, k, l, int(rank))


def _numbers_of_blocks(n_in: int, n_out: int) -> tuple[int, int]:
    """Return k and l with k l at least the smaller size, of the fewest parameters: see `monarch_shape`."""
    smaller = min(n_in, n_out)
    root = isqrt(smaller - 1) + 1
    highest = min(2 * root, smaller)
    pairs = []
    for k in range(max(1, root // 2), highest + 1):
        least = ceil(smaller / k)
        for l in {least, *(d for d in range(least, highest + 1) if n_out % d == 0)}:  # noqa: E741
            if max(k, l) <= WIDEST_RATIO * min(k, l):
                pairs.append((k, l))

    def cost(pair: tuple[int, int]) -> tuple[float, int]:
        shape = MonarchShape(n_in, n_out, *pair, 1)
        divides = n_in % pair[0] == 0 and n_out % pair[1] == 0
        return shape.n_parameters * (1.0 if divides else DIVIDING), abs(pair[0] - pair[1])

    return min(pairs, key=cost)


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


def monarch_project(W: ArrayLike, n_blocks: int | str = "sqrt", *, rank: int | None = None) -> MonarchFactors:
    r"""Return the Monarch matrix that is nearest to a matrix in the Frobenius norm.

    Use it to compress a weight matrix, or to see how well its structure fits: exactly for a Hadamard matrix, badly for
    Gaussian noise.

    Parameters
    ----------
    W : array-like of shape (n_out, n_in)
        The matrix, with finite entries.

    n_blocks : int or "sqrt", default="sqrt"
        Number of blocks of each factor. "sqrt" is about the root of the smaller size, with which the factors have the
        fewest parameters.

    rank : int, default=None
        Rank of each submatrix. None: the lowest one with which the vector between the factors is not shorter than the
        smaller size of W; 1 for "sqrt", as in the paper.

    Returns
    -------
    factors : MonarchFactors
        The blocks `L` of shape (l, s, r) and `R` of shape (k, q, p), in float64, and `residual`, the squared Frobenius
        norm of W - M. Both factors have equal norms.

    Raises
    ------
    ValueError
        If W is not a matrix of finite numbers, or if it has no such blocks or rank.

    See Also
    --------
    MonarchLinear : A layer of torch; `MonarchLinear.from_dense` starts from the projection.

    Notes
    -----
    Each submatrix of W with fixed blocks is replaced by its truncated singular value decomposition (Algorithm 1), which
    no matrix of that rank beats. `residual` is the sum of the squares of the singular values that were left out. Sizes
    that the blocks do not divide are padded with zeros, which change neither. Cost:
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
    A = np.asarray(W, dtype=np.float64)
    if A.ndim != 2 or A.size == 0 or not np.isfinite(A).all():
        raise ValueError(f"W must be a matrix of finite numbers; it has shape {A.shape}.")
    return project(A, monarch_shape(A.shape[1], A.shape[0], n_blocks, rank))


def project(A: NDArray, shape: MonarchShape) -> MonarchFactors:
    """Return the projection (Algorithm 1): a truncated decomposition of each submatrix, shared equally by the factors.

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
