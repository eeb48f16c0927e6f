"""Purging: leave out training rows whose labels overlap those of test rows, or of rows that a method holds back.

The label of a row covers the ranks from that of its own timestamp to `label_end`, both included. Two rows overlap if
their labels share a rank, whatever their assets are: returns of one date move together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import TimeSeriesSplit

if TYPE_CHECKING:
    from skpapers.comparison._splits import Plan

N_INNER = 5
_NEVER = np.iinfo(np.int64).min // 2


def label_ends(times: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the rank of the last timestamp at or before each end, ``len(times)`` for an end after all timestamps.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        The distinct timestamps, sorted.
    ends : ndarray of shape (n_rows,)
        When the label of each row is known.
    """
    # labels that end after the table are longer than the rest of it: their last return is not in the table
    return np.searchsorted(times, ends, side="right") - 1 + (ends > times[-1])


def purge(
    train: np.ndarray, test: np.ndarray, ranks: np.ndarray, label_end: np.ndarray | None, embargo: int = 0
) -> np.ndarray:
    """Return the training rows that overlap no test row and do not start in the embargo after one.

    Parameters
    ----------
    train, test : ndarray
        Row numbers.
    ranks, label_end : ndarray of shape (n_rows,)
        First and last rank of each label. None: a label ends with its own timestamp, and rows of one timestamp do not
        exclude each other.
    embargo : int, default=0
        Timestamps after the end of a test row's label in which no training row may lie.
    """
    n_times = int(ranks.max()) + 1
    ends = ranks if label_end is None else label_end
    # latest[r]: the last rank of the test labels that start at rank r or before it
    latest = np.full(n_times, _NEVER, dtype=np.int64)
    np.maximum.at(latest, ranks[test], ends[test])
    latest = np.maximum.accumulate(latest)
    start = ranks[train]
    before = np.where(start > 0, latest[start - 1], _NEVER)
    excluded = start <= before + embargo if embargo else np.zeros(len(train), dtype=bool)
    if label_end is not None:
        excluded |= latest[np.minimum(ends[train], n_times - 1)] >= start
    return train[~excluded]


def without_groups(train: np.ndarray, test: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return the training rows of groups that have no test row."""
    return train if groups is None else train[~np.isin(groups[train], groups[test])]


def rows_of_gap(ranks: np.ndarray, gap: int) -> int:
    """Return the gap in rows that keeps `gap` whole timestamps, and no part of another, between the two sides."""
    counts = np.bincount(ranks)
    counts = counts[counts > 0]
    window = np.ones(min(gap + 1, len(counts)), dtype=np.int64)
    return int(np.convolve(counts, window, mode="valid").max()) - 1


def forward_split(n: int, gap: int) -> TimeSeriesSplit:
    """Return as many forward windows over `n` rows, at most 5, as the gap allows."""
    free = n - gap
    n_splits = max(2, min(N_INNER, free - 1))
    # scikit-learn ignores the gap when it sizes its test sets; if that leaves no training rows, take smaller ones
    size = None if free > n_splits * (n // (n_splits + 1)) else max(1, free // (n_splits + 1))
    return TimeSeriesSplit(n_splits, gap=gap, test_size=size)


class PurgedSplit:
    """Forward windows inside a training fold, without training rows whose labels overlap the window's test rows.

    The arrays are indexed by the position of a row in the training fold. If `split` gets another number of rows, as in
    nested cross-validation, they must be a subset in the same order. It then leaves a gap as long as the longest label
    between training and test rows, and ignores groups.

    Parameters
    ----------
    ranks, label_end : ndarray of shape (n_rows,)
        Ranks of the timestamps at which a label starts and ends; `ranks` in ascending order.
    gap : int, default=0
        Distinct timestamps between training and test rows.
    groups : ndarray of shape (n_rows,) or None
        Groups whose rows must not be on both sides.
    """

    def __init__(
        self, ranks: np.ndarray, label_end: np.ndarray, gap: int = 0, groups: np.ndarray | None = None
    ) -> None:
        self.ranks = ranks
        self.label_end = label_end
        self.gap = gap
        self.groups = groups

    def __repr__(self) -> str:
        return f"PurgedSplit(n_rows={len(self.ranks)}, gap={self.gap}, longest={self._longest()})"

    def _longest(self) -> int:
        """Return the length of the longest label or of the gap, whichever is longer, in timestamps."""
        return max(self.gap, int((self.label_end - self.ranks).max()))

    def _windows(self) -> list[tuple[np.ndarray, np.ndarray]]:
        ranks = self.ranks
        codes = np.unique(ranks, return_inverse=True)[1]
        n_times = int(codes.max()) + 1
        sized = forward_split(n_times, min(self._longest(), n_times - 1))
        windows = TimeSeriesSplit(sized.n_splits, test_size=sized.test_size)
        folds = []
        for _, times in windows.split(np.arange(n_times)):
            test = np.flatnonzero(np.isin(codes, times))
            train = np.flatnonzero(ranks + self.gap < ranks[test].min())
            train = purge(train, test, ranks, self.label_end)
            folds.append((without_groups(train, test, self.groups), test))
        return [fold for fold in folds if len(fold[0])]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the training and test positions of every window that has training rows."""
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != len(self.ranks):
            gap = rows_of_gap(self.ranks, self._longest())
            yield from forward_split(n_rows, gap).split(np.arange(n_rows))
            return
        folds = self._windows()
        if not folds:
            raise ValueError(
                f"The training rows are too few for folds inside them: labels of up to {self._longest()} timestamps "
                "overlap every test row."
            )
        yield from folds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of windows; without rows, that of the training fold."""
        if X is None:
            return len(self._windows())
        return sum(1 for _ in self.split(X))


def held_back(train: np.ndarray, plan: Plan, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Split the training rows of a fold for early stopping: the last timestamps are held back.

    Parameters
    ----------
    train : ndarray
        Row numbers.
    plan : Plan
        It must have ranks.
    fraction : float
        Least share of the rows to hold back; a timestamp is not split.

    Returns
    -------
    fit_rows, validation_rows : ndarray
        Row numbers. Between them lie the rows within the gap, those whose labels overlap the rows held back, and rows
        of their groups. Both are ``train`` and an empty array if no row would be left to fit.
    """
    if plan.ranks is None:
        raise ValueError("Rows are held back by time; the folds of this plan have no time order.")
    ranks = plan.ranks[train]
    distinct, counts = np.unique(ranks, return_counts=True)
    later = np.cumsum(counts[::-1])[::-1]
    first = distinct[np.flatnonzero(later >= max(1.0, fraction * len(train)))[-1]]
    validation = train[ranks >= first]
    fit = train[ranks + plan.gap < first]
    if len(fit) and plan.label_end is not None:
        fit = purge(fit, validation, plan.ranks, plan.label_end)
    fit = without_groups(fit, validation, plan.groups)
    if not len(fit):
        return train, train[:0]
    return fit, validation
