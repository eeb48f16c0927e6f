"""The global dimension by each method, from one search for neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skpapers._warnings import warn_user
from skpapers.dimension._geo_mle import geo_mle
from skpapers.dimension._maximum_likelihood import Aggregation, aggregate, inverse_dimensions, standard_error
from skpapers.dimension._shortest_path import graph_of_neighbors, shortest_path_dimension
from skpapers.dimension._two_nn import two_nn, two_nn_error

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighborhoods:
    """What one search found.

    Parameters
    ----------
    T, neighbors : ndarray of shape (n_searched, depth)
        Distances from the nearest neighbours, ascending, and their rows; of the anchors, or of all rows.

    anchors : ndarray of shape (n_anchors,)
        Rows with a local estimate.

    n_rows : int
        Number of rows among which the neighbours are.
    """

    T: Floats
    neighbors: NDArray[np.intp]
    anchors: NDArray[np.intp]
    n_rows: int

    @property
    def T_of_anchors(self) -> Floats:
        """The distances of the anchors alone."""
        return self.T if len(self.T) == len(self.anchors) else self.T[self.anchors]


def global_dimension(
    found: Neighborhoods, k: int, method: str, offset: int, aggregation: Aggregation, rng: np.random.RandomState
) -> tuple[float, float]:
    """Return the global dimension for one k, and its standard error.

    Parameters
    ----------
    found : Neighborhoods
        The distances.

    k : int
        Number of neighbours.

    method, offset, aggregation
        See `IntrinsicDimension`; `offset` is what is subtracted from k.

    rng : RandomState
        Draws the samples of "geomle".
    """
    rest = (found.neighbors, found.anchors, found.n_rows)
    error = np.nan
    if method == "twonn":
        dimension = two_nn(found.T)
    elif method == "geomle":
        dimension, error = geo_mle(found.T, *rest, k, rng)
    elif method == "shortest_path":
        graph = graph_of_neighbors(found.T[:, :k], found.neighbors[:, :k])
        dimension, n_components = shortest_path_dimension(graph, found.anchors)
        if n_components > 1:
            warn_user(
                f"The graph of {k} neighbours has {n_components} components, of which the largest is used; more "
                "neighbours connect it."
            )
    else:
        dimension = aggregate(inverse_dimensions(found.T, k, offset), aggregation)
    if not np.isfinite(dimension):
        raise ValueError(
            "The distances have no dimension: the neighbours of a row are all equally far, or the rows lie in few "
            "places. Rounded columns have such rows."
        )
    if method == "twonn":
        error = two_nn_error(found.T, *rest)
    elif method == "mle":
        error = standard_error(found.T, *rest, k, offset, aggregation)
    return dimension, error


def local_dimensions(T: Floats, ks: NDArray[np.intp], offset: int) -> Floats:
    """Return local dimensions of shape (n_searched, n_k); infinity where all neighbours are equally far."""
    with np.errstate(divide="ignore"):
        return 1.0 / np.column_stack([inverse_dimensions(T, int(k), offset) for k in ks])
