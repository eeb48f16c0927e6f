"""The folds of a comparison, and the cross-validation that an estimator may run inside one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

N_FOLDS = 5
Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Plan:
    """The folds, their name in the result, and whether models must be selected forward in time inside them.

    Parameters
    ----------
    folds : list of (train, test) arrays of row numbers
    name : str
    ranks : ndarray of shape (n_rows,) or None
        Ranks of the timestamps; given when training rows come before test rows, also inside a training fold.
    gap : int
        Distinct timestamps between training and test rows.
    """

    folds: Folds
    name: str
    ranks: np.ndarray | None = None
    gap: int = 0


def time_folds(ranks: np.ndarray, gap: int = 0, n_splits: int = N_FOLDS, time_name: str = "") -> Folds:
    """Expanding windows over distinct timestamps: all rows of a timestamp fall on the same side.

    `time_name` is the source of the ranks, for the error message if there are too few.
    """
    n_times = int(ranks.max()) + 1
    if n_times - gap - n_splits * (n_times // (n_splits + 1)) <= 0 or n_times <= n_splits:
        raise ValueError(
            f"{time_name}{': ' * bool(time_name)}cv='time' with gap={gap} needs more distinct timestamps for "
            f"{n_splits} windows; there are {n_times}. Choose another time (--time-column) or a number of folds (--cv)."
        )
    windows = TimeSeriesSplit(n_splits, gap=gap).split(np.arange(n_times))
    return [(np.flatnonzero(np.isin(ranks, train)), np.flatnonzero(np.isin(ranks, test))) for train, test in windows]


def rows_of_gap(ranks: np.ndarray, gap: int) -> int:
    """Return the gap in rows that keeps `gap` whole timestamps, and no part of another, between the two sides."""
    counts = np.bincount(ranks)
    counts = counts[counts > 0]
    window = np.ones(min(gap + 1, len(counts)), dtype=np.int64)
    return int(np.convolve(counts, window, mode="valid").max()) - 1


def _count(cv: Any) -> int:
    if isinstance(cv, bool) or cv < 2:
        raise ValueError(f"cv={cv!r} is not a number of folds; it must be 2 or more, 'time', a splitter or splits.")
    return int(cv)


def _counted_folds(n_splits: int, y: np.ndarray, task: str, groups: np.ndarray | None) -> Plan:
    kinds: dict[tuple[bool, bool], type] = {
        (True, False): StratifiedKFold,
        (True, True): StratifiedGroupKFold,
        (False, False): KFold,
        (False, True): GroupKFold,
    }
    splitter = kinds[task == "classification", groups is not None](n_splits)
    things, n = ("groups", len(np.unique(groups))) if groups is not None else ("rows", len(y))
    if n < n_splits:
        raise ValueError(f"cv={n_splits} needs at least {n_splits} {things}; there are {n}.")
    if task == "classification" and max(np.unique(y, return_counts=True)[1]) < n_splits:
        raise ValueError(f"cv={n_splits} needs a class with at least {n_splits} rows; the largest class has fewer.")
    folds = list(splitter.split(np.zeros((len(y), 1)), y, groups))
    return Plan(folds, f"{n_splits} folds ({type(splitter).__name__}, not shuffled)")


def _rows(part: Any, rows: np.ndarray, number: int) -> np.ndarray:
    """Return a side of a user's split as sorted row numbers; `rows` maps given rows to ordered ones, -1 if dropped."""
    if isinstance(part, list) and part and all(isinstance(piece, np.ndarray) for piece in part):
        part = np.concatenate(part)  # the test sets of skfolio's combinatorial splitters
    indices = np.asarray(part)
    if indices.dtype == bool and len(indices) == len(rows):
        indices = np.flatnonzero(indices)
    if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(f"cv: split {number} must be two one-dimensional arrays of row numbers.")
    if len(indices) and (indices.min() < 0 or indices.max() >= len(rows)):
        raise ValueError(f"cv: split {number} names rows outside 0 to {len(rows) - 1}.")
    kept = np.sort(rows[indices])
    return kept[kept >= 0]


def _given_folds(cv: Any, X: Any, y: np.ndarray, groups: np.ndarray | None, rows: np.ndarray) -> Folds:
    """Fold by the user's splitter, or by splits that name the rows as they were given."""
    if hasattr(cv, "split"):
        splits = cv.split(X, y, groups) if groups is not None else cv.split(X, y)
        rows = np.arange(len(y))
    elif isinstance(cv, Iterable) and not isinstance(cv, str):
        splits = cv
    else:
        raise ValueError(f"cv={cv!r} is unknown; it must be a number of folds, 'time', a splitter or splits.")
    folds = []
    for number, split in enumerate(splits, start=1):
        if not isinstance(split, tuple | list) or len(split) != 2:
            raise ValueError(f"cv: split {number} must be a pair (train, test).")
        train, test = (_rows(part, rows, number) for part in split)
        if not len(train) or not len(test):
            raise ValueError(f"cv: split {number} has no training rows or no test rows.")
        if len(np.intersect1d(train, test)):
            raise ValueError(f"cv: split {number} tests on rows that it trains on.")
        folds.append((train, test))
    if not folds:
        raise ValueError("cv gives no split at all.")
    return folds


def make_plan(
    cv: Any,
    X: Any,
    y: np.ndarray,
    task: str,
    *,
    ranks: np.ndarray | None,
    gap: int,
    groups: np.ndarray | None,
    rows: np.ndarray,
    time_name: str = "",
) -> Plan:
    """Choose the folds. The rows are in time order if `ranks` are given; `rows` maps given rows to ordered ones."""
    if gap and (isinstance(cv, Integral) or (cv is None and ranks is None)):
        raise ValueError("gap keeps distance in time; it needs cv='time', a time column or a splitter.")
    if isinstance(cv, str) and cv != "time":
        raise ValueError(f"cv={cv!r} is unknown; it must be a number of folds, 'time', a splitter or splits.")
    if isinstance(cv, Integral) or (cv is None and ranks is None):
        return _counted_folds(N_FOLDS if cv is None else _count(cv), y, task, groups)
    order = np.arange(len(y)) if ranks is None else ranks
    if cv is None or isinstance(cv, str):
        folds = time_folds(order, gap, time_name=time_name)
        return Plan(folds, f"{len(folds)} expanding windows in time, gap {gap}", order, gap)
    folds = _given_folds(cv, X, y, groups, rows)
    name = f"{len(folds)} folds ({type(cv).__name__ if hasattr(cv, 'split') else 'given splits'})"
    forward = all(order[train].max() < order[test].min() for train, test in folds)
    return Plan(folds, name, order if forward or ranks is not None else None, gap)


def inner_cv(estimator: BaseEstimator, plan: Plan, train: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    """Return parameters that keep an estimator's own folds from training on the future, or on a group they test."""
    names = [name for name in estimator.get_params() if name == "cv" or name.endswith("__cv")]
    if not names:
        return {}
    if plan.ranks is not None:
        gap = rows_of_gap(plan.ranks[train], plan.gap)
        free = len(train) - gap
        n_splits = max(2, min(N_FOLDS, free - 1))
        # scikit-learn sizes its test sets as if there were no gap; where that leaves no training rows, smaller ones do
        size = None if free > n_splits * (len(train) // (n_splits + 1)) else max(1, free // (n_splits + 1))
        return dict.fromkeys(names, TimeSeriesSplit(n_splits, gap=gap, test_size=size))
    if groups is not None and "cv" in names:
        n_groups = len(np.unique(groups[train]))
        return {"cv": GroupKFold(min(N_FOLDS, n_groups))} if n_groups > 1 else {}
    return {}
