"""Gates, and the activation patterns 1(X g > 0) they make."""

import numpy as np
from numpy.typing import NDArray

from skpapers.convex._products import pack
from skpapers.convex._row_products import open_gates

Array = NDArray[np.float64]


def patterns(X: Array, G: Array) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the different patterns of gates, none of them empty.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    G : ndarray of shape (d, P) or (d + 1, P)
        One gate per column; a last row holds intercepts.

    Returns
    -------
    B : ndarray of uint8 of shape (n / 8, P')
        As `_products.pack` makes them.

    kept : ndarray of shape (P',)
        The gates they belong to, the first one of each pattern, in ascending order.
    """
    step = max(1, (1 << 21) // max(1, len(X)))
    parts = [pack(open_gates(X, G[:, start : start + step])) for start in range(0, G.shape[1], step)]
    return unique_patterns(np.concatenate(parts, axis=1))


def unique_patterns(B: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the different patterns that are not empty in the order of their first places, and these places."""
    _, kept = np.unique(_keys(B), return_index=True)
    kept = np.sort(kept)
    kept = kept[B[:, kept].any(axis=0)]
    return np.ascontiguousarray(B[:, kept]), kept


def locate(B: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return the places in B of the patterns `wanted`; -1 for those that are not there."""
    keys = _keys(B)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys[order], _keys(wanted)), len(keys) - 1)
    found = order[place]
    return np.where(keys[found] == _keys(wanted), found, -1)


def _keys(B: NDArray[np.uint8]) -> NDArray:
    """Return every pattern as one value that can be compared and sorted."""
    return np.ascontiguousarray(B.T).view(np.dtype((np.void, len(B)))).ravel()
