"""Sample weights by the average uniqueness of overlapping labels."""

from __future__ import annotations

import numpy as np


def average_uniqueness(ranks: np.ndarray, label_end: np.ndarray, assets: np.ndarray | None = None) -> np.ndarray:
    """Return the average uniqueness of each label [1]_, from 0 (exclusive) to 1.

    The label of a row is made of the returns of the timestamps after its own, up to `label_end`. The uniqueness of a
    label at a timestamp is one over the number of the asset's labels that are made of this timestamp's return, and its
    average is over the label's timestamps. A label that is known at once overlaps no other.

    Parameters
    ----------
    ranks, label_end : ndarray of shape (n_rows,)
        Ranks of the timestamps of the rows, and of those at which their labels are known.
    assets : ndarray of shape (n_rows,) or None
        Labels of different assets do not overlap.

    Returns
    -------
    uniqueness : ndarray of shape (n_rows,)

    Notes
    -----
    All assets are laid out one after another on one time axis. The number of concurrent labels changes only where a
    label begins or ends, so that these points are sorted and counted. Cost: O(n log n).

    References
    ----------
    .. [1] M. López de Prado, "Advances in Financial Machine Learning", sections 4.3 and 4.4, Wiley, 2018.
    """
    n_times = int(max(ranks.max(), label_end.max())) + 1
    codes = 0 if assets is None else np.unique(assets, return_inverse=True)[1].astype(np.int64)
    start = codes * (n_times + 1) + ranks + 1
    stop = codes * (n_times + 1) + label_end + 1
    points, where = np.unique(np.concatenate([start, stop]), return_inverse=True)
    first, last = np.split(where, 2)
    change = np.bincount(first, minlength=len(points)) - np.bincount(last, minlength=len(points))
    n_labels = np.cumsum(change)[:-1]
    lengths = np.diff(points)
    shares = np.divide(lengths, n_labels, out=np.zeros(len(lengths)), where=n_labels > 0)
    total = np.concatenate([[0.0], np.cumsum(shares)])
    length = stop - start
    return np.divide(total[last] - total[first], length, out=np.ones(len(length)), where=length > 0)


def uniqueness_weights(uniqueness: np.ndarray) -> np.ndarray:
    """Return sample weights in proportion to the uniqueness, of mean 1."""
    return uniqueness / uniqueness.mean()
