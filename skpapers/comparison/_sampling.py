"""Samples of training rows that a table of any size affords."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_rows(
    train: NDArray[np.intp], max_rows: int | None, *, in_time: bool, y: NDArray | None = None
) -> NDArray[np.intp]:
    """Return at most `max_rows` training rows of a fold.

    A smaller sample is part of a larger one of the same fold, and nothing about it is random from run to run.

    Parameters
    ----------
    train : ndarray of shape (n_train,)
        Row numbers, ascending.
    max_rows : int or None
        None: all.
    in_time : bool
        Whether rows are in the order of time. The latest ones are taken then, whose past is the nearest.
    y : ndarray of shape (n_rows,) or None
        Classes of all rows of the table, which keep their shares in the sample; each has a row in it if there is room.
        None for regression.

    Returns
    -------
    rows : ndarray
        Row numbers, ascending.
    """
    if max_rows is None or len(train) <= max_rows:
        return train
    if in_time:
        return train[-max_rows:]
    order = np.random.default_rng(0).permutation(len(train))
    if y is None:
        return np.sort(train[order[:max_rows]])
    labels = np.unique(y[train[order]], return_inverse=True)[1]
    counts = np.bincount(labels)
    # rank of each row inside its class, in the drawn order, as a share of the class: equal shares of all classes first
    by_class = np.argsort(labels, kind="stable")
    ranks = np.empty(len(order))
    ranks[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.argsort(ranks / counts[labels], kind="stable")[:max_rows]
    return np.sort(train[order[chosen]])
