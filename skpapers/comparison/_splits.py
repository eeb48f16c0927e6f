"""The folds of a comparison, and the cross-validation that an estimator may run inside one of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from skpapers.comparison._purging import N_INNER, PurgedSplit, forward_split, purge, rows_of_gap, without_groups
from skpapers.comparison._windows import (
    IN_TIME,
    N_BLOCKS,
    N_FOLDS,
    N_TESTED,
    Folds,
    combinatorial_folds,
    default_embargo,
    time_folds,
    walk_forward_folds,
    walk_forward_sizes,
)

_KNOWN = "it must be a number of folds, 'time', 'walk-forward', 'purged', a splitter or splits"


@dataclass(frozen=True)
class Plan:
    """The folds, their name in the result, and whether models must be selected forward in time inside them.

    Parameters
    ----------
    folds : list of (train, test) arrays of row numbers
    name : str
    ranks : ndarray of shape (n_rows,) or None
        Ranks of the timestamps, ascending; given if estimators must not train on the future inside a training fold.
    gap : int
        Distinct timestamps between training and test rows.
    label_end : ndarray of shape (n_rows,) or None
        The rank at which the label of each row is known; it may lie beyond the last. None without `ranks`, and if
        labels are known at once.
    groups : ndarray of shape (n_rows,) or None
        Groups that are never on both sides of a window in time.
    """

    folds: Folds
    name: str
    ranks: np.ndarray | None = None
    gap: int = 0
    label_end: np.ndarray | None = None
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Windows:
    """What the user says about time, in distinct timestamps. None: not given.

    `label_end` has the rank at which each label is known; `horizon` is what made it, None if it was given per row.
    """

    gap: int = 0
    horizon: int | None = None
    label_end: np.ndarray | None = None
    embargo: int | None = None
    train_size: int | None = None
    step: int | None = None

    def distance(self) -> int:
        """Return the timestamps that no training row before a test window may be from."""
        return max(self.gap, self.horizon or 0)

    def __str__(self) -> str:
        if self.label_end is None:
            return f"gap {self.gap}"
        purged = "purged by label ends" if self.horizon is None else f"horizon {self.horizon}"
        return f"gap {self.gap}, {purged}" if self.gap else purged


def _count(cv: Any) -> int:
    if isinstance(cv, bool) or cv < 2:
        raise ValueError(
            f"cv={cv!r} is not a number of folds; it must be 2 or more, 'time', 'walk-forward', "
            "'purged', a splitter or splits."
        )
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
    with warnings.catch_warnings():
        # a note names the classes with fewer rows than folds
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
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
        raise ValueError(f"cv={cv!r} is unknown; {_KNOWN}.")
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


def _windows_in_time(
    cv: str, ranks: np.ndarray, windows: Windows, groups: np.ndarray | None, time_name: str
) -> tuple[Folds, str]:
    """Return the folds of a name in `IN_TIME` and what they are called."""
    distance = windows.distance()
    n_times = int(ranks.max()) + 1
    embargo = windows.embargo or 0
    if cv == "time":
        folds = time_folds(ranks, distance, time_name=time_name)
        name = f"{len(folds)} expanding windows in time"
    elif cv == "walk-forward":
        folds = walk_forward_folds(ranks, distance, windows.train_size, windows.step, time_name)
        n_train, n_test = walk_forward_sizes(n_times, distance, windows.train_size, windows.step)
        name = f"{len(folds)} rolling windows in time, {n_train} timestamps to train, {n_test} to test"
    else:
        folds = combinatorial_folds(ranks, time_name)
        embargo = default_embargo(n_times) if windows.embargo is None else embargo
        name = f"{len(folds)} combinatorial folds in time, {N_TESTED} of {N_BLOCKS} blocks tested, embargo {embargo}"
    return purged_folds(folds, ranks, windows, groups, embargo), f"{name}, {windows}"


def purged_folds(
    folds: Folds, ranks: np.ndarray, windows: Windows, groups: np.ndarray | None, embargo: int | None = None
) -> Folds:
    """Return the folds without training rows that a test row's label, gap, embargo or group excludes."""
    embargo = (windows.embargo or 0) if embargo is None else embargo
    # a gap acts as a label of that length, so that it also holds for training rows after test rows
    ends = ranks + windows.gap if windows.gap else None
    purged = []
    for number, (train, test) in enumerate(folds, start=1):
        kept = purge(train, test, ranks, windows.label_end, embargo)
        kept = kept if ends is None else purge(kept, test, ranks, ends)
        if not len(kept):
            embargoed = f", embargo {embargo}" if embargo else ""
            raise ValueError(
                f"No training row of fold {number} is left: each is too close in time to a test row ({windows}"
                f"{embargoed})."
            )
        kept = without_groups(kept, test, groups)
        if not len(kept):
            raise ValueError(
                f"groups: every training row of fold {number} is of a group that has test rows. With folds in "
                "time a group is never on both sides; if the groups are assets, name them as assets (--assets)."
            )
        purged.append((kept, test))
    return purged


def make_plan(
    cv: Any,
    X: Any,
    y: np.ndarray,
    task: str,
    *,
    ranks: np.ndarray | None,
    groups: np.ndarray | None,
    rows: np.ndarray,
    windows: Windows,
    time_name: str = "",
) -> Plan:
    """Choose the folds. The rows are in time order if `ranks` are given; `rows` maps given rows to ordered ones."""
    cv = "time" if cv is None and ranks is not None else cv
    if isinstance(cv, str) and cv not in IN_TIME:
        raise ValueError(f"cv={cv!r} is unknown; {_KNOWN}.")
    _check_windows(cv, windows)
    if cv is None or isinstance(cv, Integral):
        return _counted_folds(N_FOLDS if cv is None else _count(cv), y, task, groups)
    order = np.arange(len(y)) if ranks is None else ranks
    if isinstance(cv, str):
        folds, name = _windows_in_time(cv, order, windows, groups, time_name)
        return Plan(folds, name, order, windows.gap, windows.label_end, groups)
    folds = _given_folds(cv, X, y, groups, rows)
    count = f"{len(folds)} fold{'s' * (len(folds) > 1)}"
    name = f"{count} ({type(cv).__name__ if hasattr(cv, 'split') else 'given splits'})"
    if windows.label_end is not None or windows.embargo:
        # a splitter of the user leaves its own gap
        folds = purged_folds(folds, order, replace(windows, gap=0), None)
        name += f", {windows}"
    forward = all(order[train].max() < order[test].min() for train, test in folds)
    if ranks is None and windows.label_end is None and not forward:
        return Plan(folds, name, None, windows.gap)
    return Plan(folds, name, order, windows.gap, windows.label_end)


def _check_windows(cv: Any, windows: Windows) -> None:
    """Refuse options that the folds do not use."""
    given = {
        "gap": bool(windows.gap),
        "horizon": windows.horizon is not None,
        "label_end": windows.label_end is not None,
        "embargo": windows.embargo is not None,
    }
    if cv is None or isinstance(cv, Integral):
        for name in (name for name, is_given in given.items() if is_given):
            raise ValueError(f"{name} needs folds in time: cv='time', a time column or a splitter.")
    for name in ("train_size", "step"):
        if cv != "walk-forward" and getattr(windows, name) is not None:
            raise ValueError(f"{name} is the length of a rolling window; it needs cv='walk-forward'.")


def inner_cv(estimator: BaseEstimator, plan: Plan, train: np.ndarray, groups: np.ndarray | None) -> dict[str, Any]:
    """Return parameters that keep an estimator's own folds from training on the future, or on a group they test."""
    names = [name for name in estimator.get_params() if name == "cv" or name.endswith("__cv")]
    if not names:
        return {}
    if plan.ranks is not None:
        ranks = plan.ranks[train]
        if plan.label_end is None and plan.groups is None:
            return dict.fromkeys(names, forward_split(len(train), rows_of_gap(ranks, plan.gap)))
        ends = ranks if plan.label_end is None else plan.label_end[train]
        within = None if plan.groups is None else plan.groups[train]
        return dict.fromkeys(names, PurgedSplit(ranks, ends, plan.gap, within))
    if groups is not None and "cv" in names:
        n_groups = len(np.unique(groups[train]))
        return {"cv": GroupKFold(min(N_INNER, n_groups))} if n_groups > 1 else {}
    return {}
