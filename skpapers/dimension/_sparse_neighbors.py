r"""Exact Euclidean neighbours of sparse rows, by the proof of `_neighbors.py`.

scikit-learn's search gives K' > K candidates for each query. Its squared distances are sums of products, which are
rounded, so that those of the candidates are computed again from differences of columns. With D_K the K-th of them, a
row y that is no farther has a norm of at most R = |x| + D_K, and its squared distance was rounded by at most

    (m + 8) u (|x| + R)^2                                                                  (1)

where u is the rounding unit and m the largest number of entries of a row. If the last candidate is farther than D_K by
more than (1), no row was missed. Other queries are compared exactly with every row that (1) does not exclude.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

Found = tuple[NDArray[np.float64], NDArray[np.intp]]

SPARE = 10  # candidates beyond K
CHUNK = 1024  # queries, or candidates of a query, that are compared at a time
LARGEST_EXPONENT = 300  # of numbers whose squares are exact enough in float64


def nearest_sparse_rows(X: Any, K: int, Q: Any, n_jobs: int | None = None) -> Found:
    """Return the K nearest rows of X for each row of Q, ascending, and their distances.

    Parameters
    ----------
    X, Q : CSR matrix of shape (n, d) and (m, d)
        Rows of float32 or float64, without repeated entries.

    K : int
        Number of neighbours, at most n.

    n_jobs : int or None
        Number of threads.
    """
    largest = max(float(np.abs(A.data).max(initial=0.0)) for A in (X, Q))
    exponent = max(int(np.frexp(largest)[1]), -1000)
    if abs(exponent) > LARGEST_EXPONENT:
        scale = 2.0**-exponent
        distances, places = nearest_sparse_rows(X * scale, K, Q * scale, n_jobs)
        return distances / scale, places
    n_candidates = min(K + SPARE, X.shape[0])
    search = NearestNeighbors(n_neighbors=n_candidates, algorithm="brute", n_jobs=n_jobs).fit(X)
    rounded, candidates = search.kneighbors(Q)
    distances = np.empty(candidates.shape)
    for start in range(0, Q.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        queries = np.repeat(np.arange(Q.shape[0])[part], n_candidates)
        found = _distances(Q, queries, X, candidates[part].ravel())
        distances[part] = found.reshape(-1, n_candidates)
    order = np.lexsort((candidates, distances), axis=1)[:, :K]
    distances = np.take_along_axis(distances, order, axis=1)
    places = np.take_along_axis(candidates, order, axis=1).astype(np.intp)
    if n_candidates < X.shape[0]:
        rounding = _rounding(X, Q, distances[:, -1])
        last = rounded[:, -1].astype(np.float64)
        for i in np.flatnonzero(~(last**2 - rounding > distances[:, -1] ** 2)):
            distances[i], places[i] = _compared_with_all(X, K, Q, int(i), distances[i, -1] ** 2 + rounding[i])
    return distances, places


def _rounding(X: Any, Q: Any, farthest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (1) for each query."""
    norms = np.sqrt(_squares(Q))
    m = max(int(np.diff(A.indptr).max(initial=0)) for A in (X, Q))
    u = max(float(np.finfo(A.dtype).eps) for A in (X, Q))
    return (m + 8) * u * (2.0 * norms + farthest) ** 2


def _compared_with_all(X: Any, K: int, Q: Any, i: int, limit: float) -> Found:
    """Return the neighbours of query i among the rows whose rounded squared distance is within a limit."""
    x = Q[[i]].astype(np.float64).toarray().ravel()
    near = np.flatnonzero(_squares(X) - 2.0 * (X @ x) + x @ x <= limit)
    found = np.concatenate(
        [_distances(Q, np.full(len(part), i), X, part) for part in np.split(near, range(CHUNK, len(near), CHUNK))]
    )
    order = np.lexsort((near, found))[:K]
    return found[order], near[order]


def _squares(X: Any) -> NDArray[np.float64]:
    """Return the squared lengths of rows."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    squares = np.square(X.data, dtype=np.float64)
    return np.bincount(rows, squares, minlength=X.shape[0]).astype(np.float64, copy=False)


def _distances(Q: Any, queries: NDArray[np.intp], X: Any, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return distances of pairs from differences of columns, in which equal rows have distance 0."""
    differences = Q[queries].astype(np.float64) - X[places].astype(np.float64)
    return np.sqrt(np.asarray(differences.multiply(differences).sum(axis=1)).ravel())
