"""Made windows of series whose targets ask for one skill of a sequence model: to retrieve, or to weight by age."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state


def make_adding_problem(
    n_samples: int = 1000, length: int = 192, *, random_state: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make windows in which two steps are marked; the target is the sum of the two marked values.

    Use it to see whether a sequence model can retrieve steps from anywhere in a long window.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of windows.

    length : int, default=192
        Number of steps of a window, 2 or more.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw. A longer draw of windows of one length begins with the windows of a shorter one.

    Returns
    -------
    X : ndarray of shape (n_samples, length, 2)
        The first channel holds the values, uniform in [0, 1). The second one is 1 at two steps and 0 elsewhere: one
        step of the first ``length // 2`` and one of the others, each uniformly at random.

    y : ndarray of shape (n_samples,)
        The sum of the two marked values, of mean 1 and variance 1/6.

    See Also
    --------
    make_weighted_mean : Windows whose target weights each step by its age.

    Notes
    -----
    A model that looks at no step, at the mean of all steps or at the last ones only explains next to nothing: the
    two values are independent of all others, and a marked step is one of `length`.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, proposed the problem. One
    mark in each half: M. Arjovsky, A. Shah, Y. Bengio, "Unitary Evolution Recurrent Neural Networks", ICML 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.datasets import make_adding_problem
    >>> X, y = make_adding_problem(100, length=20, random_state=0)
    >>> X.shape
    (100, 20, 2)
    >>> bool(np.allclose(y, np.sum(X[:, :, 0] * X[:, :, 1], axis=1)))
    True
    """
    _check_size(n_samples, length, shortest=2)
    # one window after another, so that a longer draw continues a shorter one
    draws = check_random_state(random_state).random_sample((n_samples, length + 2))
    half = length // 2
    first = np.floor(half * draws[:, -2]).astype(np.intp)
    second = half + np.floor((length - half) * draws[:, -1]).astype(np.intp)
    rows = np.arange(n_samples)
    X = np.zeros((n_samples, length, 2))
    X[:, :, 0] = draws[:, :-2]
    X[rows, first, 1] = 1.0
    X[rows, second, 1] = 1.0
    return X, X[rows, first, 0] + X[rows, second, 0]


def make_weighted_mean(
    n_samples: int = 1000, length: int = 64, *, decay: float = 0.9, random_state: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make windows of noise; the target is their exponentially weighted mean, in which recent steps count most.

    Use it to see whether a sequence model can learn how fast to forget.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of windows.

    length : int, default=64
        Number of steps of a window, 1 or more.

    decay : float, default=0.9
        Weight of a step over that of the next one, above 0 and up to 1. The half-life is ``-log(2) / log(decay)``
        steps, which is 6.6 for 0.9. With 1 the target is the plain mean.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw. A longer draw of windows of one length begins with the windows of a shorter one.

    Returns
    -------
    X : ndarray of shape (n_samples, length, 1)
        Independent standard normal values.

    y : ndarray of shape (n_samples,)
        ``sum(w * x) / sum(w)`` over the steps of each window, with ``w = decay ** (length - 1 - step)``.

    See Also
    --------
    make_adding_problem : Windows of which two steps matter, anywhere.

    Notes
    -----
    The steps are exchangeable. A model that reads the last step and sees the others as a set, without positions and
    without a memory that fades, can at best combine the last step and the mean of the others: with the weights
    :math:`w_t` scaled to the sum 1, and L steps, it explains the share

    .. math::
        \\frac{w_L^2 + (1 - w_L)^2 / (L - 1)}{\\sum_t w_t^2}

    of the variance, which is 0.43 for the defaults.

    Examples
    --------
    >>> import pandas as pd
    >>> from skpapers.datasets import make_weighted_mean
    >>> X, y = make_weighted_mean(5, length=30, decay=0.8, random_state=0)
    >>> X.shape
    (5, 30, 1)
    >>> last = pd.Series(X[0, :, 0]).ewm(alpha=0.2).mean().iloc[-1]
    >>> bool(abs(last - y[0]) < 1e-12)
    True
    """
    _check_size(n_samples, length, shortest=1)
    if not isinstance(decay, Real) or not 0 < decay <= 1:
        raise ValueError(f"decay must be a number above 0 and up to 1, not {decay!r}.")
    values = check_random_state(random_state).standard_normal((n_samples, length))
    weights = float(decay) ** np.arange(length - 1, -1, -1)
    return values[:, :, np.newaxis], values @ (weights / weights.sum())


def _check_size(n_samples: object, length: object, *, shortest: int) -> None:
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer, not {n_samples!r}.")
    if not isinstance(length, Integral) or length < shortest:
        raise ValueError(f"length must be an integer of {shortest} or more, not {length!r}.")
