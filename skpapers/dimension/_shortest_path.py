r"""The dimension from the distribution of shortest paths.

Equations have numbers of this file; the method is that of D. Granata, V. Carnevale, "Accurate estimation of the
intrinsic dimension using graph distances: unraveling the geometric complexity of datasets", Scientific Reports 6, 2016.
Distances r along the graph of the k nearest neighbours approximate geodesics. On a sphere of dimension D their density
is proportional to sin^(D-1), and up to its mode r_max most other manifolds resemble it:

    log( p(r) / p(r_max) ) = (D - 1) log sin( pi r / (2 r_max) )                            (1)

p is a histogram of 50 bins. r_max is the top of a parabola, fitted to log p in the largest bin and three on either
side; it lies at most one bin from the largest. D - 1 is the slope of (1), a line through the origin, over the bins from
r_max - 2 sigma to r_max, with sigma the standard deviation of the distances. The weight of a bin is its number of
distances.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

Floats = NDArray[np.float64]

BINS = 50
CHUNK = 64  # sources whose paths are computed at a time


def graph_of_neighbors(T: Floats, neighbors: NDArray[np.intp]) -> csr_array:
    """Return the graph of all rows and their neighbours, with distances in units of the largest one."""
    n, k = T.shape
    return csr_array(((T / T.max()).ravel(), neighbors.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))


def shortest_path_dimension(graph: csr_array, sources: NDArray[np.intp]) -> tuple[float, int]:
    """Return the dimension from the paths of some rows to all rows, and the number of components of the graph.

    Only the largest component counts. The dimension is NaN if the largest bin is among the first three, as for a line
    of rows, whose density of distances has no mode above 0.
    """
    n_components, labels = connected_components(graph, directed=False)
    largest = labels == np.argmax(np.bincount(labels))
    sources = sources[largest[sources]]
    found = []
    for start in range(0, len(sources), CHUNK):
        paths = dijkstra(graph, directed=False, indices=sources[start : start + CHUNK])
        paths = paths[np.isfinite(paths)]
        found.append(paths[paths > 0].astype(np.float32))
    return _fitted(np.concatenate(found) if found else np.empty(0, np.float32)), int(n_components)


def _fitted(r: NDArray) -> float:
    """Return the dimension whose density (1) fits the distances."""
    if len(r) < 2:
        return np.nan
    counts, edges = np.histogram(r, bins=BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    top = int(np.argmax(counts))
    if top < 3:
        return np.nan
    near = slice(top - 3, top + 4)
    used = counts[near] > 0
    a = 0.0
    if used.sum() >= 3:
        a, b, c = np.polyfit(middles[near][used], np.log(counts[near][used]), 2)
    r_max = -b / (2 * a) if a < 0 else middles[top]
    r_max = float(np.clip(r_max, edges[top - 1], edges[min(top + 2, BINS)]))
    highest = a * r_max**2 + b * r_max + c if a < 0 else np.log(counts[top])
    left = (middles < r_max) & (middles > r_max - 2 * r.std()) & (counts > 0)
    x = np.log(np.sin(np.pi * middles[left] / (2 * r_max)))
    y = np.log(counts[left]) - highest
    weights = counts[left]
    total = (weights * x) @ x
    return float(1.0 + (weights * x) @ y / total) if total > 0 else np.nan
