"""What each method needs: numbers of neighbours, anchors and distinct rows, and the errors if they are missing."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpapers._warnings import warn_user
from skpapers.dimension._duplicates import distinct_rows
from skpapers.dimension._geo_mle import largest_k, search_depth

Rows = NDArray[np.intp]


def needed_rows(method: str, k: int) -> int:
    """Return the number of distinct rows that a method needs."""
    if method == "geomle":
        return 2 * largest_k(k) + 1
    return (max(k, 3) if method == "twonn" else k) + 1


def needed_neighbors(method: str, k: int) -> int:
    """Return the number of neighbours that a method uses: one more than k for the standard error of "mle"."""
    if method == "geomle":
        return search_depth(k)
    return {"twonn": max(k, 3), "shortest_path": k}.get(method, k + 1)


def check_anchors(max_anchors: int | None, method: str) -> None:
    """Raise an error if a method needs more anchors; a sample of "geomle" keeps about 63 % of them."""
    least = {"geomle": 30, "twonn": 2}.get(method, 1)
    if max_anchors is not None and max_anchors < least:
        raise ValueError(f"max_anchors must be {least} or more with method={method!r}, not {max_anchors}.")


def numbers_of_neighbors(n_neighbors: int | ArrayLike, normalization: str) -> Rows:
    """Return `n_neighbors` as an array, or raise an error if it cannot be used."""
    ks = np.atleast_1d(np.asarray(n_neighbors))
    least = 3 if normalization == "k-2" else 2
    if ks.ndim != 1 or not len(ks) or ks.dtype.kind not in "iu" or ks.min() < least:
        raise ValueError(
            f"n_neighbors must be an integer or a list of integers, {least} or more with "
            f"normalization={normalization!r}, not {n_neighbors!r}."
        )
    return ks.astype(np.intp)


def usable_rows(X: Any, k: int, method: str, duplicates: str) -> Rows:
    """Return the places of the distinct rows, or raise an error if they are too few for k neighbours."""
    kept = distinct_rows(X)
    n = X.shape[0]
    if duplicates == "raise" and len(kept) < n:
        copy = int(np.setdiff1d(np.arange(n), kept, assume_unique=True)[0])
        raise ValueError(
            f"{n - len(kept)} of {n} rows equal an earlier row, the first of them row {copy}; "
            'duplicates="drop" leaves them out.'
        )
    needed = needed_rows(method, k)
    if len(kept) < needed:
        given = f"n_samples = {n}" if len(kept) == n else f"n_samples = {n}, of which {len(kept)} are distinct"
        raise ValueError(
            f"method={method!r} with n_neighbors={k} needs at least {needed} distinct rows; X has {given}."
        )
    if 2 * len(kept) < n:
        warn_user(f"Only {len(kept)} of {n} rows are distinct; the others are left out.")
    return kept
