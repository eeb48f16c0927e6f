"""Statistics of columns for `partial_fit`: refitted during the first rows, and for late columns.

The first `ENOUGH` rows are kept, and the statistics are refitted as they become more. The network has taken few steps
by then, and learns the change of its inputs as it learns everything else. After that the statistics are fixed: another
scaling would change the function of a trained network. Columns that were constant until then are remembered. When one
varies, it is fitted on the rows from there on, with the constant as the first one. The function of the network stays
as it is for rows that have the constant (:class:`skpapers._torch.scaling_layers.PatchedScaling`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers._columns import constant_columns

ENOUGH = 512
LARGEST_RATIO = 1e6  # of the mean weight of a call to the mean weight that counts as 1

Fit = Callable[[NDArray, NDArray | None], dict[str, Any]]


@dataclass(frozen=True)
class Group:
    """Columns that are fitted on the same rows.

    Parameters
    ----------
    columns : ndarray of shape (n_columns,)
        Their places.

    origin : ndarray of shape (n_columns,) or None
        The constants that were seen before; None for the first group.

    rows, weight : ndarray of shape (n_rows, n_columns) and (n_rows,)
        Rows to refit on; empty once there were enough.

    n_fitted : int
        Rows of the last fit.

    fitted : dict
        The statistics.
    """

    columns: NDArray[np.intp]
    origin: NDArray[np.float64] | None
    rows: NDArray[np.float64]
    weight: NDArray[np.float64]
    n_fitted: int
    fitted: dict[str, Any]

    def grown(self, X: NDArray, weight: NDArray | None, fit: Fit) -> "Group":
        """Return the group with more rows, refitted if these are an eighth more: the cost stays that of a few fits."""
        new = np.ones(len(X)) if weight is None else weight
        if self.origin is not None:
            X = X[:, self.columns]
            if not self.n_fitted:
                X = np.vstack([self.origin, X])
                new = np.append(new.mean(), new)
        rows, weight = (X, new) if not len(self.rows) else (np.vstack([self.rows, X]), np.append(self.weight, new))
        if len(rows) < self.n_fitted + self.n_fitted // 8:
            return replace(self, rows=rows, weight=weight)
        fitted = fit(rows, None if weight.min() == weight.max() else weight)
        return replace(self, rows=rows, weight=weight, n_fitted=len(rows), fitted=fitted)


@dataclass(frozen=True)
class Statistics:
    """Groups of columns; for its columns a later group overrides the earlier ones.

    Parameters
    ----------
    groups : tuple of Group
        The first has all columns.

    waiting : ndarray of shape (n_waiting,)
        Columns that are constant in the rows they were fitted on, once these were enough.

    constants : ndarray of shape (n_waiting,)
        Their values.
    """

    groups: tuple[Group, ...]
    waiting: NDArray[np.intp]
    constants: NDArray[np.float64]


def no_statistics(n_columns: int) -> Statistics:
    """Return the statistics of no rows."""
    columns = np.arange(n_columns)
    nothing = np.zeros(0)
    first = Group(columns, None, np.zeros((0, n_columns)), nothing, 0, {})
    return Statistics((first,), columns[:0], nothing)


def update(old: Statistics, X: NDArray, weight: NDArray | None, fit: Fit, enough: int = ENOUGH) -> Statistics:
    """Return the statistics after more rows.

    Parameters
    ----------
    old : Statistics
        Those of the rows before; they are left as they are.

    X : ndarray of shape (n_samples, n_columns)
        Rows, at least one.

    weight : ndarray of shape (n_samples,) or None
        Positive weights, in units that are the same in all calls.

    fit : callable
        ``fit(rows, weight)`` returns the statistics of some columns.

    enough : int
        Rows after which statistics are fixed.
    """
    moved = np.zeros(len(old.waiting), dtype=bool)
    if len(moved):
        moved = ~constant_columns(np.vstack([old.constants, X[:, old.waiting]]))
    groups = list(old.groups)
    waiting = [old.waiting[~moved]]
    constants = [old.constants[~moved]]
    if moved.any():
        late = old.waiting[moved]
        groups.append(Group(late, old.constants[moved], np.zeros((0, len(late))), np.zeros(0), 0, {}))
    for i, group in enumerate(groups):
        if group.n_fitted and not len(group.rows):
            continue
        group = group.grown(X, weight, fit)
        if len(group.rows) >= enough:
            still = constant_columns(group.rows)
            waiting.append(group.columns[still])
            constants.append(group.rows[0, still])
            # copies, since a view would keep all rows in memory
            group = replace(group, rows=group.rows[:0].copy(), weight=group.weight[:0].copy())
        groups[i] = group
    return Statistics(tuple(groups), np.concatenate(waiting), np.concatenate(constants))


@dataclass(frozen=True)
class MeanWeight:
    """The mean weight of the first rows, by which those of all calls are divided: a common factor changes nothing.

    It is fixed after `ENOUGH` rows, so that a weight of 20 counts as 20 rows of weight 1 of an earlier call. It is
    raised where weights grow without bound.
    """

    value: float = 0.0
    n_rows: int = 0

    def after(self, weight: NDArray | None, n_rows: int) -> "MeanWeight":
        """Return the mean after more rows; without weights each of them counts 1."""
        own = mean_weight(weight)
        value = self.value
        n = self.n_rows + n_rows
        if self.n_rows < ENOUGH:
            value += (own - value) * (n_rows / n)
        return MeanWeight(max(value, own / LARGEST_RATIO), n)


def mean_weight(weight: NDArray | None) -> float:
    """Return the mean of positive weights, whose sum may be infinite; 1 for no weights."""
    if weight is None:
        return 1.0
    exponent = np.frexp(weight.max())[1]
    return float(np.ldexp(np.ldexp(weight, -exponent).mean(), exponent))
