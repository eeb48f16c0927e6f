"""Neighbours at positive distances, for every metric."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.neighbors import NearestNeighbors

from skpapers.dimension._neighbors import nearest_rows
from skpapers.dimension._sparse_neighbors import nearest_sparse_rows

Metric = str | Callable[..., float]
Found = tuple[NDArray[np.float64], NDArray[np.intp]]

# Metrics whose balls of radius r have a volume of the order r^d. Cosine distances and squares are of the order r^2.
METRICS = frozenset({"euclidean", "l2", "manhattan", "l1", "cityblock", "chebyshev", "canberra"})
SPARSE_METRICS = frozenset({"euclidean", "l2", "manhattan", "l1", "cityblock"})


def positive_neighbors(
    X: Any, n_neighbors: int, Q: Any = None, *, metric: Metric = "euclidean", n_jobs: int | None = None
) -> Found:
    """Return the nearest rows of X at positive distances from each row of Q, ascending.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
        Distinct rows, of float32 or float64.

    n_neighbors : int
        Number of neighbours, less than n.

    Q : ndarray or CSR matrix of shape (m, d), default=None
        Rows that need not be in X. None: all rows of X.

    metric : str or callable, default="euclidean"
        One of `METRICS`, or a function of two rows.

    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    distances, places : ndarray of shape (m, n_neighbors)

    Raises
    ------
    ValueError
        If a row has fewer rows at a positive distance, or a distance is not finite.
    """
    n_asked = n_neighbors + 1  # one row of X may equal the query
    distances, places = _nearest(X, n_asked, Q, metric, n_jobs)
    if not np.isfinite(distances).all():
        raise ValueError("Distances between rows are infinite or NaN: scale the columns of X.")
    queries = X if Q is None else Q
    found = _positive(distances, places, n_neighbors)
    short = np.flatnonzero((distances > 0).sum(axis=1) < n_neighbors)
    while len(short):  # under a metric of the user's own, distinct rows may have distance 0
        if n_asked == X.shape[0]:
            raise ValueError(f"A row has fewer than n_neighbors={n_neighbors} rows at a positive distance.")
        n_asked = min(2 * n_asked, X.shape[0])
        distances, places = _nearest(X, n_asked, queries[short], metric, n_jobs)
        again = _positive(distances, places, n_neighbors)
        found[0][short] = again[0]
        found[1][short] = again[1]
        short = short[(distances > 0).sum(axis=1) < n_neighbors]
    return found


def _positive(distances: NDArray[np.float64], places: NDArray[np.intp], n_neighbors: int) -> Found:
    """Return the first neighbours at positive distances; rows that lack some are filled with others."""
    order = np.argsort(distances <= 0, axis=1, kind="stable")[:, :n_neighbors]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(places, order, axis=1)


def _nearest(X: Any, K: int, Q: Any, metric: Metric, n_jobs: int | None) -> Found:
    if metric not in ("euclidean", "l2"):
        search = NearestNeighbors(n_neighbors=K, metric=metric, n_jobs=n_jobs).fit(X)
        return search.kneighbors(X if Q is None else Q)
    if issparse(X):
        return nearest_sparse_rows(X, K, X if Q is None else Q, n_jobs)
    return nearest_rows(X, K, Q, n_jobs)
