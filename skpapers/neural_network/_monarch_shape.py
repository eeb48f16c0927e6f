"""Sizes of the factors of a Monarch matrix: how many blocks they have, and how large these are."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from numbers import Integral

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

    @property
    def rank_of_product(self) -> int:
        """Bound of the rank of the whole matrix: a block passes at most its inputs and outputs that are not padding."""
        full, rest = divmod(self.n_in, self.p)
        through_R = full * min(self.rank * self.l, self.p) + min(self.rank * self.l, rest)
        least, longer = divmod(self.n_out, self.l)  # `longer` blocks of L have one output more than the others
        through_L = longer * min(self.rank * self.k, least + 1) + (self.l - longer) * min(self.rank * self.k, least)
        return min(through_R, through_L)


def monarch_shape(n_in: int, n_out: int, n_blocks: int | str = "sqrt", rank: int | None = None) -> MonarchShape:
    """Return the sizes of the factors for a matrix of `n_out` rows and `n_in` columns.

    Parameters
    ----------
    n_in, n_out : int
        Columns and rows.

    n_blocks : int or "sqrt"
        Number of blocks of each factor. "sqrt": about the root of the smaller size in each, such that the matrix can
        have full rank. Among such pairs of numbers, at most a factor of `WIDEST_RATIO` apart, it is the one with the
        fewest parameters, where those of numbers that divide both sizes are divided by `DIVIDING`.

    rank : int or None
        Rank of each submatrix. None: the lowest one with which the matrix can have full rank; 1 for "sqrt".

    Raises
    ------
    ValueError
        If a size is 0, if the number of blocks is not between 1 and the smaller size, or the rank not between 1 and the
        smaller size of a submatrix.
    """
    smaller = min(n_in, n_out)
    if smaller < 1:
        raise ValueError(f"A Monarch matrix has at least one row and one column; its shape is ({n_out}, {n_in}).")
    if n_blocks == "sqrt":
        k, l = _numbers_of_blocks(n_in, n_out)  # noqa: E741
    elif isinstance(n_blocks, Integral) and 1 <= n_blocks <= smaller:
        k = int(n_blocks)
        l = k  # noqa: E741
    else:
        raise ValueError(
            f'n_blocks={n_blocks!r} is not possible for a matrix of shape ({n_out}, {n_in}): it is "sqrt" or an '
            f"integer from 1 to {smaller}."
        )
    shape = MonarchShape(n_in, n_out, k, l, 1)
    if rank is None:
        ranks = range(1, shape.largest_rank + 1)
        rank = next(b for b in ranks if MonarchShape(n_in, n_out, k, l, b).rank_of_product == smaller)
    if not (isinstance(rank, Integral) and 1 <= rank <= shape.largest_rank):
        raise ValueError(
            f"rank={rank!r} is not possible for submatrices of shape ({shape.s}, {shape.p}): it is an integer from 1 "
            f"to {shape.largest_rank}."
        )
    return MonarchShape(n_in, n_out, k, l, int(rank))


def _numbers_of_blocks(n_in: int, n_out: int) -> tuple[int, int]:
    """Return the k and l of the fewest parameters with which the matrix can have full rank: see `monarch_shape`."""
    smaller = min(n_in, n_out)
    root = isqrt(smaller - 1) + 1
    highest = min(2 * root, smaller)
    pairs = []
    for k in range(max(1, root // 2), highest + 1):
        least = ceil(smaller / k)
        for l in {least, *(d for d in range(least, highest + 1) if n_out % d == 0)}:  # noqa: E741
            full = MonarchShape(n_in, n_out, k, l, 1).rank_of_product == smaller
            if full and max(k, l) <= WIDEST_RATIO * min(k, l):
                pairs.append((k, l))

    def cost(pair: tuple[int, int]) -> tuple[float, int]:
        shape = MonarchShape(n_in, n_out, *pair, 1)
        divides = n_in % pair[0] == 0 and n_out % pair[1] == 0
        return shape.n_parameters * (1.0 if divides else DIVIDING), abs(pair[0] - pair[1])

    return min(pairs, key=cost)
