"""Generators of images and rows that a convolution learns from few samples, and a dense network only from many."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ortho_group
from sklearn.utils import check_array, check_random_state

# Four textures with the same number of bright pixels: neither the mean nor the energy of an image depends on the label.
GLYPHS = np.array(
    [
        [[1, 1, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]],
        [[1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 1, 0]],
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]],
        [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]],
    ],
    dtype=np.float64,
)


def make_quadratic_halves(
    n_samples: int = 1000,
    n_features: int = 40,
    *,
    rotation: ArrayLike | str | None = None,
    label_noise: float = 0.0,
    random_state: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""Make rows whose label says which half of the columns has the larger sum of squares.

    A network with kernels shared over the columns of a half learns it from a few rows, however many columns there are.
    Any algorithm that is equivariant to rotations, such as gradient descent on a fully connected network, needs a
    number of rows that grows as the square of the number of columns [1]_.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows n.

    n_features : int, default=40
        Number of columns d, even. Reshaped to (2, d / 2), a row is a series of two channels, the halves.

    rotation : {"random"}, array-like of shape (n_features, n_features) or None, default=None
        An orthogonal matrix U. The rows are multiplied by it after they got their labels: ``X @ U``. "random" draws
        it uniformly, after the rows, so that rows and labels are otherwise those of None. A fully connected network
        learns rotated rows as well as others; a convolution does not.

    label_noise : float, default=0.0
        Probability with which a label is flipped, from 0 to 1.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Independent standard normal values, rotated if `rotation` is given.

    y : ndarray of shape (n_samples,)
        1 if the first half has the larger sum of squares, 0 otherwise.

    See Also
    --------
    make_channel_energy : The same question for the channels of an image.
    skpapers.convolution.sample_complexity_curve : The number of rows that an estimator needs.

    Notes
    -----
    The label is the sign of :math:`\sum_{i \le d/2} x_i^2 - \sum_{i > d/2} x_i^2`, the task of the lower bound in
    [1]_.

    References
    ----------
    .. [1] Z. Li, Y. Zhang, S. Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
       ICLR 2021. https://arxiv.org/abs/2010.08515

    Examples
    --------
    >>> from skpapers.datasets import make_quadratic_halves
    >>> X, y = make_quadratic_halves(100, 10, random_state=0)
    >>> bool(((X[:, :5] ** 2).sum(axis=1) > (X[:, 5:] ** 2).sum(axis=1))[y == 1].all())
    True
    """
    _check_count("n_samples", n_samples)
    if not isinstance(n_features, Integral) or n_features < 2 or n_features % 2:
        raise ValueError(f"n_features must be an even integer of 2 or more, not {n_features!r}.")
    if not isinstance(label_noise, Real) or not 0 <= label_noise <= 1:
        raise ValueError(f"label_noise must be a number from 0 to 1, not {label_noise!r}.")
    rng = check_random_state(random_state)
    X = rng.standard_normal((n_samples, n_features))
    squares = np.square(X).reshape(n_samples, 2, -1).sum(axis=2)
    flipped = rng.random_sample(n_samples) < label_noise
    y = ((squares[:, 0] > squares[:, 1]) != flipped).astype(np.int64)
    if rotation is not None:
        X = X @ _rotation(rotation, int(n_features), rng)
    return X, y


def make_channel_energy(
    n_samples: int = 1000,
    image_shape: tuple[int, int, int] = (2, 8, 8),
    *,
    images: ArrayLike | None = None,
    random_state: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make images whose label says which of the first two channels has the larger sum of squares.

    The task of the experiments of [1]_: a convolution with a global average learns it from few images.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images.

    image_shape : tuple of int, default=(2, 8, 8)
        (C, H, W), with two channels or more; the channels from the third one on do not enter the label.

    images : array-like of shape (m, H, W), default=None
        Images to take the channels from, each uniformly at random. None: independent standard normal pixels.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : ndarray of shape (n_samples, C, H, W)
        The images.

    y : ndarray of shape (n_samples,)
        1 if the first channel has the larger sum of squares, 0 otherwise.

    See Also
    --------
    make_quadratic_halves : The same question for the halves of a row.

    References
    ----------
    .. [1] Z. Li, Y. Zhang, S. Arora, "Why Are Convolutional Nets More Sample-Efficient than Fully-Connected Nets?",
       ICLR 2021. https://arxiv.org/abs/2010.08515

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.datasets import make_channel_energy
    >>> X, y = make_channel_energy(50, images=load_digits().images, random_state=0)
    >>> X.shape
    (50, 2, 8, 8)
    """
    _check_count("n_samples", n_samples)
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(shape) != 3 or not all(isinstance(size, Integral) and size >= 1 for size in shape) or shape[0] < 2:
        raise ValueError(f"image_shape must be (channels, height, width) with 2 channels or more, not {image_shape!r}.")
    rng = check_random_state(random_state)
    if images is None:
        X = rng.standard_normal((n_samples, *shape))
    else:
        pool = check_array(images, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name="images")
        if pool.shape[1:] != shape[1:]:
            raise ValueError(f"images must have shape (m, {shape[1]}, {shape[2]}), not {pool.shape}.")
        X = pool[rng.randint(len(pool), size=(n_samples, shape[0]))]
    energy = np.square(X[:, :2]).sum(axis=(2, 3))
    return X, (energy[:, 0] > energy[:, 1]).astype(np.int64)


def make_glyphs(
    n_samples: int = 1000,
    image_size: int = 24,
    *,
    position: tuple[int, int] | None = None,
    noise: float = 0.25,
    random_state: Any = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make noisy images with one of four small glyphs; the label says which one, wherever it is.

    Use it to see at which places of an image a classifier is blind: train on glyphs anywhere, and test with
    `position`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images.

    image_size : int, default=24
        Height and width, 4 or more.

    position : tuple of int, default=None
        Row and column of the glyph's upper left pixel, from 0 to ``image_size - 4``. None draws a place for each image,
        uniformly.

    noise : float, default=0.25
        Standard deviation of the normal noise on each pixel; the glyph is 1 on 8 of its 16 pixels, and 0 elsewhere.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw. With a `position`, labels and noise are those of None with the same seed.

    Returns
    -------
    X : ndarray of shape (n_samples, 1, image_size, image_size)
        The images.

    y : ndarray of shape (n_samples,)
        0: two horizontal bars, 1: two vertical bars, 2: a checkerboard, 3: two blocks on a diagonal. All four are
        equally probable.

    See Also
    --------
    skpapers.convolution.ConvNetClassifier : A network for images.

    Examples
    --------
    >>> from skpapers.datasets import make_glyphs
    >>> X, y = make_glyphs(3, 6, position=(0, 2), noise=0, random_state=0)
    >>> print(X[0, 0].astype(int), y[0])
    [[0 0 1 1 1 1]
     [0 0 0 0 0 0]
     [0 0 1 1 1 1]
     [0 0 0 0 0 0]
     [0 0 0 0 0 0]
     [0 0 0 0 0 0]] 0
    """
    _check_count("n_samples", n_samples)
    size = GLYPHS.shape[1]
    if not isinstance(image_size, Integral) or image_size < size:
        raise ValueError(f"image_size must be an integer of {size} or more, not {image_size!r}.")
    if not isinstance(noise, Real) or not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a finite number of 0 or more, not {noise!r}.")
    n_places = int(image_size) - size + 1
    rng = check_random_state(random_state)
    y = rng.randint(len(GLYPHS), size=n_samples)
    places = rng.randint(n_places, size=(n_samples, 2))
    X = noise * rng.standard_normal((n_samples, 1, image_size, image_size))
    if position is not None:
        given = np.asarray(position)
        if given.shape != (2,) or given.dtype.kind not in "iu" or not np.all((given >= 0) & (given < n_places)):
            raise ValueError(f"position must be two integers from 0 to {n_places - 1}, not {position!r}.")
        places[:] = given
    within = np.arange(size)
    rows = places[:, 0, np.newaxis, np.newaxis] + within[:, np.newaxis]
    columns = places[:, 1, np.newaxis, np.newaxis] + within
    X[np.arange(n_samples)[:, np.newaxis, np.newaxis], 0, rows, columns] += GLYPHS[y]
    return X, y.astype(np.int64)


def _rotation(rotation: ArrayLike | str, n: int, rng: np.random.RandomState) -> NDArray[np.float64]:
    if isinstance(rotation, str):
        if rotation != "random":
            raise ValueError(f'rotation must be "random", an orthogonal matrix or None, not {rotation!r}.')
        return ortho_group.rvs(n, random_state=rng)
    U = check_array(rotation, dtype=np.float64, input_name="rotation")
    if U.shape != (n, n):
        raise ValueError(f"rotation must be an orthogonal matrix of shape ({n}, {n}); this one has shape {U.shape}.")
    error = np.abs(U @ U.T - np.eye(n)).max()
    if error > 1e-8:
        raise ValueError(
            f"rotation must be an orthogonal matrix of shape ({n}, {n}); U U^T differs from the identity by "
            f"{error:.2g}."
        )
    return U


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}.")
