"""The score of an estimator by the place of an object in its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PositionAccuracy:
    """Scores of an estimator at every place of a grid.

    Parameters
    ----------
    grid : tuple of ndarray
        The places along each axis.

    scores : ndarray of shape (len(grid[0]), ...)
        Score at each place.

    n_samples : int
        Samples at each place, the smallest number of them.

    See Also
    --------
    position_accuracy : Makes it.
    PositionAccuracyDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skpapers.convolution import PositionAccuracy
    >>> found = PositionAccuracy((np.array([0, 4, 8]),), np.array([1.0, 0.9, 0.6]), 100)
    >>> found.worst, found.worst_position
    (0.6, (8,))
    """

    grid: tuple[NDArray, ...]
    scores: NDArray[np.float64]
    n_samples: int

    @property
    def mean(self) -> float:
        """Mean over all places."""
        return float(self.scores.mean())

    @property
    def worst(self) -> float:
        """The lowest score. As the lowest of many it is too low by chance: compare it at equal `n_samples` only."""
        return float(self.scores.min())

    @property
    def worst_position(self) -> tuple[int, ...]:
        """A place with the lowest score."""
        place = np.unravel_index(int(self.scores.argmin()), self.scores.shape)
        return tuple(values[i].item() for values, i in zip(self.grid, place, strict=True))


def position_accuracy(
    estimator: Any,
    make_image: Callable[[tuple[int, ...]], tuple[ArrayLike, ArrayLike]],
    grid: Sequence[ArrayLike],
) -> PositionAccuracy:
    """Score an estimator on samples whose object is at a known place, for every place of a grid.

    A network with blind spots scores lower where its padding is used unevenly. A mean score hides that.

    Parameters
    ----------
    estimator : object
        A fitted classifier or regressor; its `score` is what is computed.

    make_image : callable
        It gets a place, a tuple with one integer for each axis, and returns (X, y): samples with the object there. Give
        every place the same noise, so that places differ in nothing else.

    grid : sequence of array-like of int
        The places along each axis: two sequences for images, one for series.

    Returns
    -------
    found : PositionAccuracy
        With `scores` of shape (len(grid[0]), ...), `mean`, `worst` and `worst_position`.

    Raises
    ------
    ValueError
        If the grid is empty, or if `make_image` returns no samples or a different number of targets.

    See Also
    --------
    PositionAccuracyDisplay : Draws the scores.
    foveation_map : How often each position counts in a network, before training.

    Notes
    -----
    Cost: one call of `make_image` and of `estimator.score` for each place.

    Examples
    --------
    A bump at one of eight places of a series, and a model that sees the first half only.

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skpapers.convolution import position_accuracy
    >>> def make_series(place):
    ...     y = np.arange(40) % 2
    ...     X = np.zeros((40, 8))
    ...     X[:, place[0]] = 2 * y - 1
    ...     return X, y
    >>> X, y = map(np.concatenate, zip(*(make_series((place,)) for place in range(4))))
    >>> found = position_accuracy(LogisticRegression().fit(X, y), make_series, [[0, 3, 4, 7]])
    >>> found.scores
    array([1. , 1. , 0.5, 0.5])
    """
    axes = tuple(np.asarray(values) for values in grid)
    if not axes or any(values.ndim != 1 or not len(values) or values.dtype.kind not in "iu" for values in axes):
        raise ValueError("grid must have one sequence of integers for each axis, none of them empty.")
    scores = np.empty(tuple(map(len, axes)))
    counts = []
    for index in product(*(range(len(values)) for values in axes)):
        place = tuple(values[i].item() for values, i in zip(axes, index, strict=True))
        X, y = make_image(place)
        n = np.shape(y)[0] if np.ndim(y) else 0
        if n == 0 or np.shape(X)[0] != n:
            raise ValueError(f"make_image({place}) must return one or more samples and as many targets.")
        scores[index] = estimator.score(X, y)
        counts.append(n)
    return PositionAccuracy(axes, scores, min(counts))
