"""Gaussian and orthogonal frequencies of random feature maps.

A random feature map projects a row on m frequencies w_1, ..., w_m in R^d, each of them distributed as N(0, I_d).
Orthogonal random features [1]_ keep this distribution of every single frequency, and make the frequencies of a block of
d orthogonal to one another: the estimate of the kernel stays unbiased, and its variance falls [2]_. With
``norms="fixed"`` every frequency has length sqrt(d), the root of the mean squared length of a Gaussian vector: the
regularised variant of [2]_, which is biased.

References
----------
.. [1] Yu, F. X., Suresh, A. T., Choromanski, K., Holtmann-Rice, D. and Kumar, S. "Orthogonal Random Features",
   NeurIPS 2016.
.. [2] Choromanski, K. et al. "Rethinking Attention with Performers", ICLR 2021, Section 2.4 and Theorem 2.
"""

from __future__ import annotations

from typing import Literal

import numpy as np


def draw_frequencies(
    rng: np.random.RandomState | np.random.Generator,
    n_frequencies: int,
    n_dims: int,
    *,
    orthogonal: bool = True,
    norms: Literal["chi", "fixed"] = "chi",
) -> np.ndarray:
    """Draw the frequencies W of a random feature map.

    Parameters
    ----------
    rng : RandomState or Generator
        The only source of randomness.

    n_frequencies : int
        Number m of frequencies, 1 or more.

    n_dims : int
        Number d of columns of the data, 1 or more.

    orthogonal : bool, default=True
        Draw blocks of d orthogonal directions, each block uniform over orthogonal matrices (Haar measure). The last
        block is cut off at m. If False, all directions are independent.

    norms : {"chi", "fixed"}, default="chi"
        Lengths of the frequencies. "chi" draws them as those of independent Gaussian vectors, so that every frequency
        is N(0, I_d). "fixed" takes sqrt(d) for all of them.

    Returns
    -------
    W : ndarray of shape (m, d), float64
        One frequency a row.

    Raises
    ------
    ValueError
        If a number is below 1, or norms is neither of the two words.

    Notes
    -----
    The cost is O(m d min(m, d)): an orthonormal basis of min(m, d) vectors for each of the ceil(m / d) blocks.
    """
    if n_frequencies < 1 or n_dims < 1:
        raise ValueError(f"n_frequencies and n_dims must be 1 or more, got {n_frequencies} and {n_dims}.")
    if norms not in ("chi", "fixed"):
        raise ValueError(f"norms must be 'chi' or 'fixed', got {norms!r}.")
    if not orthogonal and norms == "chi":
        return rng.standard_normal((n_frequencies, n_dims))
    directions = _directions(rng, n_frequencies, n_dims, orthogonal)
    if norms == "fixed":
        return np.sqrt(n_dims) * directions
    # The lengths are drawn apart from the directions: a frequency is N(0, I_d) only if the two are independent.
    lengths = np.sqrt(rng.chisquare(n_dims, size=n_frequencies))
    return lengths[:, None] * directions


def _directions(rng: np.random.RandomState | np.random.Generator, m: int, d: int, orthogonal: bool) -> np.ndarray:
    """Unit vectors as rows, shape (m, d): orthogonal within blocks of d, or independent."""
    if not orthogonal:
        vectors = rng.standard_normal((m, d))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    n_blocks = m // d
    directions = [_haar_columns(rng, n_blocks, d, d), _haar_columns(rng, 1, d, m - n_blocks * d)]
    # The transpose of a Haar-distributed matrix has the same distribution: columns become rows.
    return np.concatenate([Q.swapaxes(1, 2).reshape(-1, d) for Q in directions])


def _haar_columns(rng: np.random.RandomState | np.random.Generator, n: int, d: int, k: int) -> np.ndarray:
    """The first k columns of n Haar-distributed orthogonal matrices, shape (n, d, k), for k <= d."""
    Q, R = np.linalg.qr(rng.standard_normal((n, d, k)))
    # LAPACK fixes the signs of R's diagonal; Q is uniform only if the diagonal is positive.
    diagonal = np.diagonal(R, axis1=1, axis2=2)
    return Q * np.where(diagonal < 0, -1.0, 1.0)[:, None, :]
