"""Which target windows are held back: the last ones, and none whose horizon shares a step with theirs trains."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from skpapers._torch.rows import Rows


def hold_back(rows: Rows[NDArray], fraction: float) -> tuple[Rows[NDArray], Rows[NDArray]]:
    """Split off the last windows, and leave out the others whose horizon shares a step with a horizon held back.

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


def overlapping(rows: Rows[NDArray], held: Rows[NDArray]) -> NDArray[np.bool_]:
    """Return which windows have a step of their horizon in common with the horizon of a window that is held back.

    Windows of one series are recognised by their values: a window, moved on by 0 .. H - 1 steps, is the other one. Rows
    may have lost their order, so both directions count. Constant histories are no evidence.

    Parameters
    ----------
    rows, held : Rows
        Windows.

    Returns
    -------
    overlaps : ndarray of shape (n,)
    """
    horizon = rows.y.shape[1]
    both = _whole_series(np.concatenate([rows.X[:, :, 0], held.X[:, :, 0]]), np.concatenate([rows.y, held.y]))
    series = both[: len(rows)]
    changes = [not _is_constant(window) for window in held.X[:, :, 0]]
    others = both[len(rows) :][changes]
    n_steps = both.shape[1]
    found = np.zeros(len(rows), dtype=bool)
    for shift in range(horizon):
        n_common = n_steps - shift
        found |= _is_among(series[:, shift:], others[:, :n_common])
        found |= _is_among(series[:, :n_common], others[:, shift:])
    return found


def _whole_series(X: NDArray, y: NDArray) -> NDArray:
    """Return histories with their horizons, in one precision, without first steps that no history has."""
    if _is_single(X) or _is_single(y):
        X = X.astype(np.float32)
        y = y.astype(np.float32)
    begins = int(np.argmax(~np.isnan(X).all(axis=0))) if len(X) else 0
    return np.concatenate([X[:, begins:], y], axis=1)


def _is_single(values: NDArray) -> bool:
    """Whether all values are of single precision: the same series in double precision then has other values."""
    with np.errstate(over="ignore"):
        return np.array_equal(values.astype(np.float32), values, equal_nan=True)


def _is_among(windows: NDArray, others: NDArray) -> NDArray[np.bool_]:
    known = {window.tobytes() for window in others}
    return np.array([window.tobytes() in known for window in windows], dtype=bool)


def _is_constant(window: NDArray) -> bool:
    return bool(np.nanmin(window) == np.nanmax(window))
