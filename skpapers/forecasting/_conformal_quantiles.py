"""Conformal quantiles: offsets of predicted quantiles, from windows that took no part in training.

Romano, Patterson and Candes, "Conformalized Quantile Regression", NeurIPS 2019, for each quantile and each step of the
horizon by itself. With n calibration windows, e = (y - predicted quantile) / scale, and e_(1) <= .. <= e_(n),

    offset = e_(ceil((n + 1) level))       for a level above 1/2,                                                    (1)
    offset = e_(floor((n + 1) level))      for a level below 1/2.                                                    (2)

If a further window is exchangeable with them, its value is at most the moved quantile with probability `level` or more
(1), or with `level` or less (2). The median is the forecast itself, and stays.
"""

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray


def fewest_windows(levels: tuple[float, ...]) -> int:
    """Return how many windows make the ranks of (1) and (2) those of windows that exist."""
    fewest = 1
    for level in levels:
        tail = min(level, 1.0 - level)
        if tail < 0.5:
            fewest = max(fewest, ceil((1.0 - tail - 1e-9) / tail))
    return fewest


def offsets(errors: NDArray, levels: tuple[float, ...]) -> NDArray:
    """Return what is added to each quantile, in scales of the history.

    Parameters
    ----------
    errors : ndarray of shape (n, H, K)
        Observed value minus predicted quantile, in scales of the history, on n windows or more than
        :func:`fewest_windows`.

    levels : tuple of float
        The K quantiles.

    Returns
    -------
    offsets : ndarray of shape (H, K)
    """
    n = len(errors)
    found = np.zeros(errors.shape[1:])
    ordered = np.sort(errors, axis=0)
    for k, level in enumerate(levels):
        if level > 0.5:
            found[:, k] = ordered[ceil((n + 1) * level - 1e-9) - 1, :, k]
        elif level < 0.5:
            found[:, k] = ordered[floor((n + 1) * level + 1e-9) - 1, :, k]
    return found
