"""Which target windows are held back: the last ones, and none whose horizon overlaps theirs trains."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from skpapers._torch.rows import Rows


def hold_back(rows: Rows[NDArray], fraction: float) -> tuple[Rows[NDArray], Rows[NDArray]]:
    """Split off the last windows, and leave out those before whose horizon has steps of a horizon held back.

    Parameters
    ----------
    rows : Rows
        X of shape (n, L, C) and y of shape (n, H), in the order of time.

    fraction : float
        Share of the windows to hold back.

    Returns
    -------
    rest, held : Rows
        `rest` may be empty.
    """
    n_held = min(ceil(fraction * len(rows)), len(rows))
    n_rest = len(rows) - n_held
    rest = rows.take(np.arange(n_rest))
    held = rows.take(np.arange(n_rest, len(rows)))
    return rest.take(np.flatnonzero(~overlapping(rest, held))), held


def overlapping(rows: Rows[NDArray], later: Rows[NDArray]) -> NDArray[np.bool_]:
    """Return which windows have steps of their horizon in the horizon of one of the later windows.

    Windows of one series are recognised by their values: a later window whose history is that of an earlier one moved
    on by 1 .. H - 1 steps. Constant histories are no evidence.

    Parameters
    ----------
    rows, later : Rows
        Windows.

    Returns
    -------
    overlaps : ndarray of shape (n,)
    """
    history = rows.X.shape[1]
    horizon = rows.y.shape[1]
    series = np.concatenate([rows.X[:, :, 0], rows.y], axis=1)
    known = {window.tobytes() for window in later.X[:, :, 0] if not _is_constant(window)}
    found = np.zeros(len(rows), dtype=bool)
    for shift in range(1, horizon):
        moved = np.ascontiguousarray(series[:, shift : shift + history])
        found |= np.array([window.tobytes() in known for window in moved], dtype=bool)
    return found


def _is_constant(window: NDArray) -> bool:
    return bool(np.nanmin(window) == np.nanmax(window))
