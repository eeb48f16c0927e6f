"""Everything that is checked and decided about a table before the first fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from skpapers.comparison import _roles
from skpapers.comparison._records import Metric
from skpapers.comparison._scoring import choose_metrics
from skpapers.comparison._splits import Plan, Windows, make_plan
from skpapers.comparison._tables import clean_features, preprocessing, to_frame
from skpapers.comparison._windows import Folds

# What compare passes to fit by arguments of its own.
_OWN_NAMES = ("X", "y", "sample_weight", "groups")


@dataclass(frozen=True)
class Problem:
    """A table ready for cross-validation. Rows without a target are dropped; rows with a time are in its order.

    The first of the `metrics` decides; `scoring` is the argument of the user, None by default. `classes` are sorted,
    None for regression. `times` are readable and not features; `assets` name the series of a panel. `metadata` has an
    array for each name.
    """

    frame: pd.DataFrame
    y: np.ndarray
    task: str
    plan: Plan
    groups: np.ndarray | None
    sample_weight: np.ndarray | None
    metadata: dict[str, np.ndarray]
    preprocessing: ColumnTransformer
    metrics: tuple[Metric, ...]
    scoring: Any
    classes: np.ndarray | None
    times: pd.Series | None
    assets: np.ndarray | None
    notes: tuple[str, ...]


def _taken(
    values: Any, name: str, n_given: int, kept: np.ndarray, clean: Callable[[pd.Series], np.ndarray]
) -> np.ndarray:
    """Clean values that were given for each row, in the rows that are kept."""
    return clean(_roles.to_series(values, name, n_given).iloc[kept].reset_index(drop=True))


def _clean_groups(groups: pd.Series) -> np.ndarray:
    if groups.isna().any():
        raise ValueError(f"groups is missing in {int(groups.isna().sum())} rows; every row needs a group.")
    return pd.factorize(groups)[0]


def _clean_metadata(values: pd.Series) -> np.ndarray:
    if values.isna().any():
        raise ValueError(f"{values.name} is missing in {int(values.isna().sum())} rows; every row needs a value.")
    return values.to_numpy()


def _check_metadata(metadata: Any) -> dict[str, Any]:
    """Return the metadata as a dict, {} for None."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise ValueError(f"metadata must be a dict of names and values per row, got {type(metadata).__name__}.")
    for name in metadata:
        if not isinstance(name, str) or not name.isidentifier() or name in _OWN_NAMES:
            raise ValueError(
                f"metadata: {name!r} is no valid name; a name must be that of a parameter of fit, such as "
                f"'sample_domain' or 'task', other than {', '.join(_OWN_NAMES)}."
            )
    return dict(metadata)


def _check_gap(gap: Any) -> None:
    if not isinstance(gap, Integral) or isinstance(gap, bool) or gap < 0:
        raise ValueError(f"gap={gap!r} must be a whole number of timestamps, 0 or more.")


def _rows_with_target(target: pd.Series) -> np.ndarray:
    kept = np.flatnonzero(target.notna())
    if len(kept) == 0:
        raise ValueError("The target is missing in every row.")
    return kept


def _rows_in_order(
    kept: np.ndarray, times: pd.Series | None, time_name: str, cv: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows in time order, unless `cv` is a number, and the ranks of their times."""
    if times is None:
        return kept, None
    ranks = _roles.clean_time(times.iloc[kept].reset_index(drop=True), time_name)
    if isinstance(cv, Integral):
        return kept, ranks
    order = np.argsort(ranks, kind="stable")
    return kept[order], ranks[order]


def _train_on_the_future(folds: Folds, times: pd.Series) -> bool:
    """Whether some training row of a fold is no older than some test row."""
    return any(times.iloc[train].max() >= times.iloc[test].min() for train, test in folds)


def _time_notes(folds: Folds, cv: Any, ranks: np.ndarray | None, time_name: str, dates: pd.DataFrame) -> list[str]:
    """Note how the time is used, and which of the user's folds train on the future."""
    notes = []
    if time_name:
        notes.append(f"{time_name} {'' if isinstance(cv, Integral) else 'orders the rows and '}is not a feature")
    if cv is None or isinstance(cv, str):
        return notes
    given = f"cv={cv}" if isinstance(cv, Integral) else f"cv={type(cv).__name__}"
    if not isinstance(cv, Integral) and not hasattr(cv, "split"):
        given = "the splits given"
    future = f"with {given} the folds train on the future of their test rows"
    if ranks is not None:
        return notes + [future] * _train_on_the_future(folds, pd.Series(ranks))
    late = [name for name in dates if _train_on_the_future(folds, dates[name])]
    return notes + [f"{future} if {' or '.join(late)} orders them"] * bool(late)


def _group_notes(plan: Plan, groups: np.ndarray | None) -> list[str]:
    """Note folds that have rows of one group on both sides, or training rows left out because of their group."""
    if groups is None:
        return []
    if plan.groups is not None:
        return ["training rows of groups with test rows are left out"]
    straddling = sum(bool(np.isin(groups[train], groups[test]).any()) for train, test in plan.folds)
    if not straddling:
        return []
    return [f"rows of one group are in training and in test in {straddling} of {len(plan.folds)} folds"]


def _class_notes(y: np.ndarray, task: str, n_folds: int) -> list[str]:
    """Name classes that have fewer rows than there are folds."""
    if task != "classification":
        return []
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[counts < n_folds]
    return [f"fewer rows than folds in class {', '.join(map(str, rare[:5]))}"] if len(rare) else []


def make_problem(
    X: Any,
    y: Any,
    *,
    task: str,
    cv: Any,
    time: Any,
    gap: int,
    groups: Any,
    sample_weight: Any,
    metadata: Any,
    scoring: Any,
) -> Problem:
    """Check and convert the input of :func:`skpapers.compare`."""
    _check_gap(gap)
    given = _check_metadata(metadata)
    frame = to_frame(X)
    n_given = len(frame)
    target = _roles.to_series(y, "y", n_given)
    kept = _rows_with_target(target)
    frame, times, time_name, doubts = _roles.find_time(frame, time, cv, kept)
    kept, ranks = _rows_in_order(kept, times, time_name, cv)
    rows = np.full(n_given, -1)
    rows[kept] = np.arange(len(kept))
    target = target.iloc[kept].reset_index(drop=True)
    task = _roles.choose_task(target, task)
    labels = _roles.clean_target(target, task)
    group_codes = None if groups is None else _taken(groups, "groups", n_given, kept, _clean_groups)
    weights = None
    if sample_weight is not None:
        weights = _taken(sample_weight, "sample_weight", n_given, kept, _roles.clean_weights)
    per_row = {
        name: _taken(values, f"metadata[{name!r}]", n_given, kept, _clean_metadata) for name, values in given.items()
    }
    features, kinds, notes = clean_features(frame.iloc[kept].reset_index(drop=True))
    metrics = choose_metrics(scoring, task, labels, timed=times is not None)
    plan = make_plan(
        cv,
        features,
        labels,
        task,
        ranks=ranks,
        groups=group_codes,
        rows=rows,
        windows=Windows(gap=int(gap)),
        time_name=time_name,
    )
    if len(kept) < n_given:
        notes.append(f"dropped, target missing: {n_given - len(kept)} of {n_given} rows")
    unweighted = [metric.label for metric in metrics if not metric.weightable]
    if weights is not None and unweighted:
        notes.append(f"scores without sample weights, which the metric does not take: {', '.join(unweighted)}")
    notes += doubts + _time_notes(plan.folds, cv, ranks, time_name, features[kinds["dates"]])
    notes += _group_notes(plan, group_codes) + _class_notes(labels, task, len(plan.folds))
    return Problem(
        frame=features,
        y=labels,
        task=task,
        plan=plan,
        groups=group_codes,
        sample_weight=weights,
        metadata=per_row,
        preprocessing=preprocessing(features, kinds),
        metrics=metrics,
        scoring=scoring,
        classes=np.unique(labels) if task == "classification" else None,
        times=None if times is None else times.iloc[kept].reset_index(drop=True),
        assets=None,
        notes=tuple(notes),
    )
