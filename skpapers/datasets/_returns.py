"""Simulated returns: rows in the order of time, nearly all noise."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import erf, ndtr, ndtri
from sklearn.utils import check_random_state

# Half-lives in rows, of the fastest and of the slowest feature, and of the volatility.
_FASTEST = 2.0
_SLOWEST = 60.0
_VOLATILITY = 30.0
_SPREAD = 0.8  # standard deviation of the logarithm of the variance
_REVERSED = 1 / 3  # share of the rows in which the trend reverses, and in which the third feature acts
_RARE = 1 / 5


def make_returns(
    n_samples: int = 20000, n_features: int = 20, *, r2: float = 0.01, random_state: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate returns of which features predict next to nothing (regression, or classes with ``np.sign(y)``).

    Use it to see what a method makes of rows in the order of time that are nearly all noise, as in a market. A tree of
    depth 3 can hold the whole signal.

    Parameters
    ----------
    n_samples : int, default=20000
        Number of rows, in the order of time.

    n_features : int, default=20
        Number of features, 3 or more. The first three carry the signal.

    r2 : float, default=0.01
        Share of the variance of `y` that the features explain, from 0 to 1: what a perfect model reaches on rows
        without end. On the rows of one draw it comes out a little above or below.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw. A longer draw from one seed begins with the rows of a shorter one.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The features: independent, persistent, with heavy tails, of mean 0 and variance 1.

    y : ndarray of shape (n_samples,)
        The return that follows each row, of mean 0 and variance 1. It is never 0, so that ``np.sign(y)`` has two
        values, each in about half of the rows.

    See Also
    --------
    load_concrete : A real table for regression, with much signal.
    sklearn.model_selection.TimeSeriesSplit : Folds for rows in the order of time; ``gap=1`` suits these.

    Notes
    -----
    Each feature is an autoregression of order 1 with normal steps, of a half-life between 2 rows (the first feature)
    and 60 rows (the last), mapped to a t distribution with 4 degrees of freedom. With :math:`q_u` the quantiles of
    that distribution, the signal is

    .. math::
        f = \\frac{1}{\\sqrt 2} \\left( \\pm \\operatorname{sign}(x_0)
        + \\frac{1\\{x_2 > q_{4/5}\\} - 1/5}{\\sqrt{4/25}} \\right),

    with a minus where :math:`x_1 > q_{2/3}`: the trend :math:`x_0` is followed two thirds of the time and reversed in
    the rest, and the third feature acts in one row of five. Its mean is 0 and its variance 1, hence
    :math:`y = \\sqrt{r^2} f + \\sqrt{1 - r^2} \\sigma \\varepsilon` has the stated share. The noise
    :math:`\\varepsilon` is t-distributed with 4 degrees of freedom and :math:`\\log \\sigma^2` another autoregression
    (half-life 30 rows, standard deviation 0.8): calm and wild rows come in clusters. Both are scaled to the variance 1
    by their distributions, not by the rows drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.datasets import make_returns
    >>> X, y = make_returns(1000, 5, random_state=0)
    >>> X.shape
    (1000, 5)
    >>> np.unique(np.sign(y)).tolist()
    [-1.0, 1.0]
    """
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer, not {n_samples!r}.")
    if not isinstance(n_features, Integral) or n_features < 3:
        raise ValueError(f"n_features must be an integer of 3 or more, not {n_features!r}: three carry the signal.")
    if not isinstance(r2, Real) or not 0 <= r2 <= 1:
        raise ValueError(f"r2 must be a number from 0 to 1, not {r2!r}.")
    # one row of steps after another, so that a longer draw continues a shorter one
    steps = check_random_state(random_state).standard_normal((n_samples, n_features + 2))
    half_lives = np.append(np.geomspace(_FASTEST, _SLOWEST, n_features), _VOLATILITY)
    states = np.column_stack([_autoregression(steps[:, i], half) for i, half in enumerate(half_lives)])
    trend = states[:, 0]
    regime = states[:, 1]
    rare = states[:, 2]
    follow = np.where(regime > ndtri(1 - _REVERSED), -1.0, 1.0) * np.where(trend > 0, 1.0, -1.0)
    act = ((rare > ndtri(1 - _RARE)) - _RARE) / np.sqrt(_RARE * (1 - _RARE))
    volatility = np.exp(_SPREAD * states[:, -1] / 2 - _SPREAD**2 / 4)  # the mean of its square is 1
    y = np.sqrt(r2 / 2) * (follow + act) + np.sqrt(1 - r2) * volatility * _heavy(steps[:, -1])
    return np.ascontiguousarray(_heavy(states[:, :-1])), y


def _autoregression(steps: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return a stationary autoregression of order 1, of mean 0 and variance 1."""
    kept = 0.5 ** (1 / half_life)
    scaled = np.sqrt(1 - kept**2) * steps
    scaled[0] = steps[0]
    return lfilter([1.0], [1.0, -kept], scaled)


def _heavy(normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map standard normal values to t-distributed ones (4 degrees of freedom) of the same rank, scaled to variance 1.

    W. T. Shaw, "Sampling Student's T distribution - use of the inverse cumulative distribution function", Journal of
    Computational Finance 9(4), 2006: for four degrees of freedom the quantiles have a closed form.
    """
    both_tails = 2 * ndtr(-np.abs(normal))
    cosine = np.sqrt(both_tails * (2 - both_tails))
    angle = np.arctan2(erf(np.abs(normal) / np.sqrt(2)), cosine)  # of all its digits near 0 and in the tails
    return np.copysign(2 * np.sqrt(np.sin(angle / 3) * np.sin(2 * angle / 3) / cosine), normal)
