"""Made rows and images of a known intrinsic dimension."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.datasets import load_digits
from sklearn.utils import check_array, check_random_state

BRIGHTEST = 16.0  # of the pixels of scikit-learn's digits


def make_manifold(
    n_samples: int = 1000,
    intrinsic_dim: int = 2,
    n_features: int = 20,
    *,
    kind: str = "affine",
    noise: float = 0.0,
    random_state: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Make rows on a manifold of a known dimension in a space of more columns.

    Use it to see how good an estimate of the intrinsic dimension is, or how many rows a task that depends on a few
    hidden coordinates needs.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows n.

    intrinsic_dim : int, default=2
        Number of hidden coordinates d.

    n_features : int, default=20
        Number of columns p, `intrinsic_dim` or more.

    kind : {"affine", "nonlinear"}, default="affine"
        "affine": the coordinates in d random orthogonal directions. "nonlinear": the same, with a random curved
        function of the coordinates added to each column.

    noise : float, default=0.0
        Standard deviation of the normal noise on each column. With noise the rows have p dimensions at distances of
        the size of the noise, and about d at larger ones.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The rows.

    coordinates : ndarray of shape (n_samples, intrinsic_dim)
        Their hidden coordinates, independent and uniform from -1 to 1.

    See Also
    --------
    make_pixel_noise : Images of a known dimension.
    skpapers.dimension.IntrinsicDimension : The estimate.
    sklearn.datasets.make_swiss_roll : Rows of dimension 2 in three columns.

    Notes
    -----
    With a matrix A of orthonormal columns, and B of independent standard normal values over :math:`\sqrt d`, the rows
    are :math:`x = A z`, or :math:`x = A z + \tanh(B z)`, for coordinates z.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.datasets import make_manifold
    >>> X, coordinates = make_manifold(100, 3, 8, random_state=0)
    >>> print(X.shape, np.linalg.matrix_rank(X))
    (100, 8) 3
    """
    _check_count("n_samples", n_samples)
    _check_count("intrinsic_dim", intrinsic_dim)
    if not isinstance(n_features, Integral) or n_features < intrinsic_dim:
        raise ValueError(f"n_features must be an integer from intrinsic_dim={intrinsic_dim}, not {n_features!r}.")
    if kind not in ("affine", "nonlinear"):
        raise ValueError(f'kind must be "affine" or "nonlinear", not {kind!r}.')
    if not isinstance(noise, Real) or not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a finite number of 0 or more, not {noise!r}.")
    rng = check_random_state(random_state)
    coordinates = rng.uniform(-1.0, 1.0, size=(n_samples, intrinsic_dim))
    A = np.linalg.qr(rng.standard_normal((n_features, intrinsic_dim)))[0]
    B = rng.standard_normal((n_features, intrinsic_dim)) / np.sqrt(intrinsic_dim)
    X = coordinates @ A.T
    if kind == "nonlinear":
        X += np.tanh(coordinates @ B.T)
    if noise:
        X += noise * rng.standard_normal(X.shape)
    return X, coordinates


def make_pixel_noise(
    n_samples: int = 1000, n_pixels: int = 8, *, images: ArrayLike | None = None, random_state: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Make images in which some pixels are replaced by uniform noise.

    Images of a known dimension [1]_: copies of one image have the dimension `n_pixels`, and images of many kinds at
    least that.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images.

    n_pixels : int, default=8
        Number of pixels with noise, at the same random places in all images.

    images : array-like of shape (m, H, W), default=None
        Images to start from, with pixels from 0 to 1; each is drawn uniformly. None: the first of scikit-learn's
        digits, of 8 x 8 pixels.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, H, W)
        The images; ``X.reshape(n_samples, -1)`` are rows.

    pixels : ndarray of shape (n_pixels,)
        Places with noise in the flat images, ascending.

    See Also
    --------
    make_manifold : Rows of a known dimension.
    skpapers.dimension.IntrinsicDimension : The estimate.

    References
    ----------
    .. [1] P. Pope, C. Zhu, A. Abdelkader, M. Goldblum, T. Goldstein, "The Intrinsic Dimension of Images and Its Impact
       on Learning", ICLR 2021. https://arxiv.org/abs/2104.08894

    Examples
    --------
    >>> from skpapers.datasets import make_pixel_noise
    >>> X, pixels = make_pixel_noise(100, 5, random_state=0)
    >>> X.shape, int((X.std(axis=0) > 0).sum())
    ((100, 8, 8), 5)
    """
    _check_count("n_samples", n_samples)
    rng = check_random_state(random_state)
    if images is None:
        images = load_digits().images[:1] / BRIGHTEST
    pool = check_array(images, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name="images")
    if pool.ndim != 3:
        raise ValueError(f"images must have shape (m, H, W), not {pool.shape}.")
    size = pool.shape[1] * pool.shape[2]
    if not isinstance(n_pixels, Integral) or not 1 <= n_pixels <= size:
        raise ValueError(f"n_pixels must be an integer from 1 to {size}, the number of pixels, not {n_pixels!r}.")
    pixels = np.sort(rng.choice(size, n_pixels, replace=False))
    X = pool[rng.randint(len(pool), size=n_samples)].reshape(n_samples, size)
    X[:, pixels] = rng.random_sample((n_samples, n_pixels))
    return X.reshape(n_samples, *pool.shape[1:]), pixels.astype(np.intp)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}.")
