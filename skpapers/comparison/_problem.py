"""Everything that is checked and decided about a table before the first fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from skpapers.comparison import _roles
from skpapers.comparison._scoring import choose_scorer
from skpapers.comparison._splits import Plan, make_plan
from skpapers.comparison._tables import clean_features, preprocessing, to_frame


@dataclass(frozen=True)
class Problem:
    """A table ready for cross-validation. Rows without a target are gone; rows with a time stand in its order."""

    frame: pd.DataFrame
    y: np.ndarray
    task: str
    plan: Plan
    groups: np.ndarray | None
    sample_weight: np.ndarray | None
    preprocessing: ColumnTransformer
    scorer: Callable[..., float]
    metric: str
    score_weighted: bool
    notes: tuple[str, ...]


def _clean_groups(groups: pd.Series) -> np.ndarray:
    if groups.isna().any():
        raise ValueError(f"groups is missing in {int(groups.isna().sum())} rows; every row needs a group.")
    return pd.factorize(groups)[0]


def _rows_in_order(
    target: pd.Series, times: pd.Series | None, time_name: str, cv: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows that have a target, in time order unless `cv` is a number, and the ranks of their times."""
    kept = np.flatnonzero(target.notna())
    if len(kept) == 0:
        raise ValueError("The target is missing in every row.")
    if times is None:
        return kept, None
    ranks = _roles.clean_time(times.iloc[kept].reset_index(drop=True), time_name)
    if isinstance(cv, Integral):
        return kept, ranks
    order = np.argsort(ranks, kind="stable")
    return kept[order], ranks[order]


def _fold_notes(
    plan: Plan, y: np.ndarray, task: str, cv: Any, groups: Any, time_name: str, dates: list[str]
) -> list[str]:
    """Say what a reader of the scores must know about the folds."""
    notes = []
    future = f"with cv={cv} the folds train on the future of their test rows"
    if time_name:
        notes.append(f"{time_name} {'' if isinstance(cv, Integral) else 'orders the rows and '}is not a feature")
        if isinstance(cv, Integral):
            notes.append(future)
    elif dates and isinstance(cv, Integral):
        notes.append(f"{future} if {' or '.join(dates)} orders them")
    if groups is not None and plan.ranks is not None and (cv is None or isinstance(cv, str)):
        notes.append("groups are not used: the windows are split by time")
    if task == "classification":
        classes, counts = np.unique(y, return_counts=True)
        rare = classes[counts < len(plan.folds)]
        if len(rare):
            notes.append(f"fewer rows than folds in class {', '.join(map(str, rare[:5]))}")
    return notes


def make_problem(
    X: Any, y: Any, *, task: str, cv: Any, time: Any, gap: int, groups: Any, sample_weight: Any, scoring: Any
) -> Problem:
    """Check and convert the input of :func:`skpapers.compare`."""
    if not isinstance(gap, Integral) or isinstance(gap, bool) or gap < 0:
        raise ValueError(f"gap={gap!r} must be a whole number of timestamps, 0 or more.")
    frame = to_frame(X)
    n_given = len(frame)
    target = _roles.to_series(y, "y", n_given)
    frame, times, time_name = _roles.find_time(frame, time, wanted=cv is None or isinstance(cv, str))
    kept, ranks = _rows_in_order(target, times, time_name, cv)
    rows = np.full(n_given, -1)
    rows[kept] = np.arange(len(kept))

    def taken(values: Any, name: str) -> pd.Series | None:
        return None if values is None else _roles.to_series(values, name, n_given).iloc[kept].reset_index(drop=True)

    target = target.iloc[kept].reset_index(drop=True)
    task = _roles.choose_task(target, task)
    labels = _roles.clean_target(target, task)
    group_column, weight_column = taken(groups, "groups"), taken(sample_weight, "sample_weight")
    group_codes = None if group_column is None else _clean_groups(group_column)
    weights = None if weight_column is None else _roles.clean_weights(weight_column)
    features, kinds, notes = clean_features(frame.iloc[kept].reset_index(drop=True))
    scorer, metric, weightable = choose_scorer(scoring, task, labels)
    plan = make_plan(cv, features, labels, task, ranks=ranks, gap=int(gap), groups=group_codes, rows=rows)
    if len(kept) < n_given:
        notes.append(f"dropped, target missing: {n_given - len(kept)} of {n_given} rows")
    if weights is not None and not weightable:
        notes.append(f"{metric} does not take sample weights: scores are unweighted")
    notes += _fold_notes(plan, labels, task, cv, groups, time_name, kinds["dates"])
    return Problem(
        frame=features,
        y=labels,
        task=task,
        plan=plan,
        groups=group_codes,
        sample_weight=weights,
        preprocessing=preprocessing(features, kinds),
        scorer=scorer,
        metric=metric,
        score_weighted=weights is not None and weightable,
        notes=tuple(notes),
    )
