r"""Exact Euclidean neighbours: candidates are found in float32, and a bound proves that no neighbour was missed.

Equations have numbers of this file. For centred rows x and y, with :math:`h = \|x\|^2 / 2`,

    |x - y|^2 / 2 = h_x + h_y - x.y                                                        (1)

One matrix product gives (1) for a tile of pairs. Tiles are computed in float32, and of the search among all rows only
one half, since (1) is symmetric. For each row the K' > K pairs with the smallest values are its candidates; their
distances are computed again in float64 from differences of columns, without cancellation. Let t be the largest value
h_y - x.y among the candidates, u the rounding unit, d the number of columns, and D_K the K-th exact distance. A row y
that is not a candidate has at least the value t, and if it is closer than D_K its norm is at most R = |x| + D_K. Its
distance is then at least

    sqrt(2 (h_x + t) - (d + 8) u (|x| + R)^2) - 2 u (|x| + R)                               (2)

by the bounds for inner products (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, Section 3.1) and
for the rounding of the rows themselves. Where (2) is more than D_K, the K nearest rows are among the candidates. The
other rows are searched again, in float64. Rows with many neighbours at one distance may still lack a proof. They are
compared exactly with every row that their bound (2) does not exclude. Of rows at equal distances the first ones count.

| step | function |
|---|---|
| candidates of all tiles | `_candidates` |
| exact distances of candidates, and the proof (2) | `refine` (`_neighbor_kernels.py`) |
| rows without a proof | `_compared_with_all` |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from skpapers.dimension._neighbor_kernels import all_distances, collect, complete, largest_value, refine

Distances = NDArray[np.float64]
Places = NDArray[np.intp]
Lists = tuple[NDArray, NDArray[np.int32]]
# Blocks of queries and of rows by their first row, and tiles of one block of rows.
_Blocks = dict[int, tuple[NDArray, NDArray]]
_Job = tuple[_Blocks, _Blocks | None, list[tuple[slice, slice]]]

# Rows and numbers of a block; the products of two blocks stay in the cache.
BLOCK_ROWS = 1024
BLOCK_NUMBERS = 2**22


@dataclass(frozen=True)
class _Rows:
    """Rows with the centre and the scale by which blocks of them are brought to short precision."""

    X: NDArray
    centre: NDArray[np.float64]
    scale: float

    def block(self, rows: slice | NDArray, dtype: type) -> tuple[NDArray, NDArray]:
        """Return centred rows in another dtype, and half of their squared lengths."""
        Z: NDArray = ((self.X[rows] - self.centre) * self.scale).astype(dtype)
        return Z, (np.einsum("ij,ij->i", Z, Z, dtype=np.float64) / 2).astype(dtype)

    def slices(self) -> list[slice]:
        """Return the blocks of rows, all but the last of equal size."""
        size = int(np.clip(BLOCK_NUMBERS // max(1, self.X.shape[1]), 32, BLOCK_ROWS))
        return [slice(start, min(start + size, len(self.X))) for start in range(0, len(self.X), size)]


def nearest_rows(X: NDArray, K: int, Q: NDArray | None = None, n_jobs: int | None = None) -> tuple[Distances, Places]:
    """Return the K nearest rows of X for each row of Q, ascending, and their distances.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows of float32 or float64, contiguous.

    K : int
        Number of neighbours, at most n.

    Q : ndarray of shape (m, d) or None
        Rows of either dtype. None searches for all rows of X at half the cost; each is then among its own neighbours.

    n_jobs : int or None
        Number of threads.

    Returns
    -------
    distances : ndarray of shape (m, K)
        Exact but for the rounding of float64.

    places : ndarray of shape (m, K)
        Rows of X; those at equal distances ascend.
    """
    rows = _scaled(X)
    queries = _Rows(X if Q is None else Q, rows.centre, rows.scale)
    n = len(queries.X)
    distances = np.empty((n, K))
    places = np.empty((n, K), dtype=np.intp)
    if not (np.isfinite(rows.scale) and np.isfinite(rows.centre).all()):
        return all_distances(queries.X.astype(np.float64), X, K)
    proven = _search(rows, None if Q is None else queries, np.float32, n_jobs, distances, places)
    if not proven.all():
        todo = np.flatnonzero(~proven)
        left = _Rows(queries.X[todo], rows.centre, rows.scale)
        far = np.empty((len(todo), K))
        there = np.empty((len(todo), K), dtype=np.intp)
        proven = _search(rows, left, np.float64, n_jobs, far, there)
        unproven = np.flatnonzero(~proven)
        for start in range(0, len(unproven), BLOCK_ROWS):
            part = unproven[start : start + BLOCK_ROWS]
            far[part], there[part] = _compared_with_all(rows, left, part, far[part])
        distances[todo] = far
        places[todo] = there
    return distances, places


def _compared_with_all(
    rows: _Rows, queries: _Rows, part: NDArray[np.intp], upper: Distances
) -> tuple[Distances, Places]:
    """Return the neighbours of some queries, given distances that are not smaller."""
    Q = queries.X[part].astype(np.float64)
    Z, half = queries.block(part, np.float64)
    bounds = (float(Q.shape[1]), float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny))
    limits = np.array(
        [largest_value(np.sqrt(2 * h), far * rows.scale, *bounds) for h, far in zip(half, upper[:, -1], strict=True)]
    )
    distances = np.full(upper.shape, np.inf)
    places = np.full(upper.shape, len(rows.X), dtype=np.intp)
    for block in rows.slices():
        W, g = rows.block(block, np.float64)
        complete(Q, rows.X, block.start, Z @ W.T, g, limits, distances, places)
    return distances, places


def _scaled(X: NDArray) -> _Rows:
    """Return the rows with their mean, and the factor that brings the largest centred number to 1."""
    rows = _Rows(X, np.zeros(X.shape[1]), 1.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        centre = X.mean(axis=0, dtype=np.float64)
        largest = np.float64(max(np.abs(X[block] - centre).max(initial=0.0) for block in rows.slices()))
        return _Rows(X, centre, float(1.0 / largest) if largest != 0 else 1.0)


def _search(
    rows: _Rows, queries: _Rows | None, dtype: type, n_jobs: int | None, distances: Distances, places: Places
) -> NDArray[np.bool_]:
    """Write the neighbours of the queries, or with None of all rows, and return which answers are proven."""
    K = distances.shape[1]
    values, candidates = _candidates(rows, queries, min(len(rows.X), K + max(10, K // 2)), dtype, n_jobs)
    queries = rows if queries is None else queries
    proven = np.empty(len(queries.X), dtype=bool)
    u = float(np.finfo(dtype).eps)
    tiny = float(np.finfo(dtype).tiny)
    for part in queries.slices():
        h = queries.block(part, dtype)[1].astype(np.float64)
        rounded = (values[part], candidates[part], rows.scale, u, tiny)
        exact = queries.X[part].astype(np.float64)
        proven[part] = refine(exact, rows.X, np.sqrt(2 * h), *rounded, distances[part], places[part])
    return proven


def _candidates(rows: _Rows, queries: _Rows | None, n_candidates: int, dtype: type, n_jobs: int | None) -> Lists:
    """Return the rows of the smallest values of each query, ascending. Threads take tiles; their lists are merged."""
    blocks = rows.slices()
    if queries is None:
        made = {block.start: rows.block(block, dtype) for block in blocks}
        # Tiles near the diagonal come first: rows in the order of time find their neighbours there.
        tiles = [(blocks[i], blocks[i + gap]) for gap in range(len(blocks)) for i in range(len(blocks) - gap)]
        jobs: list[_Job] = [(made, made, [tile]) for tile in tiles]
    else:
        made = {part.start: queries.block(part, dtype) for part in queries.slices()}
        # Blocks in random order: along a curve, each next block may be closer than all before.
        order = np.random.default_rng(0).permutation(len(blocks))
        jobs = [(made, None, [(part, blocks[j]) for part in queries.slices()]) for j in order]
    n = len((rows if queries is None else queries).X)
    n_threads = min(effective_n_jobs(n_jobs), len(jobs))
    if n_threads <= 1:
        return _lists_of_tiles(jobs, rows, n, n_candidates, dtype)
    with threadpool_limits(1, user_api="blas"):  # one thread of BLAS for each of ours, until the search ends
        found = Parallel(n_jobs=n_threads, require="sharedmem")(
            delayed(_lists_of_tiles)(jobs[start::n_threads], rows, n, n_candidates, dtype) for start in range(n_threads)
        )
    values = np.hstack([part[0] for part in found])
    places = np.hstack([part[1] for part in found])
    order = np.argsort(values, axis=1, kind="stable")[:, :n_candidates]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)


def _lists_of_tiles(jobs: Sequence[_Job], rows: _Rows, n: int, n_candidates: int, dtype: type) -> Lists:
    """Return the lists of the n queries after some tiles. Blocks of rows that are not kept are made when needed."""
    values: NDArray = np.full((n, n_candidates), np.inf, dtype=dtype)
    places = np.zeros((n, n_candidates), dtype=np.int32)
    for of_queries, of_rows, tiles in jobs:
        W, g = rows.block(tiles[0][1], dtype) if of_rows is None else of_rows[tiles[0][1].start]
        for part, block in tiles:
            Z, h = of_queries[part.start]
            both = of_rows is not None and part != block
            collect(Z @ W.T, h, g, part.start, block.start, values, places, both)
    return values, places
