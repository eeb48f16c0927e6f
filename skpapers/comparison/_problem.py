"""Everything that is checked and decided about a table before the first fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer

from skpapers.comparison import _roles
from skpapers.comparison._notes import class_notes, column_notes, group_notes, time_notes, unweighted_notes
from skpapers.comparison._records import Metric
from skpapers.comparison._scoring import check_folds, choose_metrics, has_ranks
from skpapers.comparison._splits import Plan, make_plan
from skpapers.comparison._tables import clean_features, preprocessing, to_frame
from skpapers.comparison._timeline import Timeline, TimeOptions, make_timeline

# What compare passes to fit by arguments of its own.
_OWN_NAMES = ("X", "y", "sample_weight", "groups")


@dataclass(frozen=True)
class Problem:
    """A table ready for cross-validation. Rows without a target are dropped; rows with a time are in its order.

    `target` is the name of the target. The first of the `metrics` decides; `scoring` is the argument of the user, None
    by default. `classes` are sorted, None for regression. `times` are dates or numbers and no feature; `assets` name
    the series of a panel. `metadata` has an array for each name.
    """

    frame: pd.DataFrame
    y: np.ndarray
    target: str
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


def _rows_with_target(target: pd.Series) -> np.ndarray:
    kept = np.flatnonzero(target.notna())
    if len(kept) == 0:
        raise ValueError("The target is missing in every row.")
    return kept


def _weights(given: Any, n_given: int, timeline: Timeline) -> tuple[np.ndarray | None, list[str]]:
    """Return the sample weights, and notes about them."""
    if given is None:
        return None, []
    if not isinstance(given, str):
        return _taken(given, "sample_weight", n_given, timeline.kept, _roles.clean_weights), []
    if given != "uniqueness":
        raise ValueError(f"sample_weight={given!r} is unknown; it must be one weight per row or 'uniqueness'.")
    weights, note = timeline.uniqueness_weights()
    return weights, [note]


def _plan(
    cv: Any,
    features: pd.DataFrame,
    y: np.ndarray,
    task: str,
    groups: np.ndarray | None,
    n_given: int,
    timeline: Timeline,
) -> Plan:
    """Return the folds; splits of the user name the rows as they were given."""
    rows = np.full(n_given, -1)
    rows[timeline.kept] = np.arange(len(timeline.kept))
    return make_plan(
        cv,
        features,
        y,
        task,
        ranks=timeline.ranks,
        groups=groups,
        rows=rows,
        windows=timeline.windows,
        time_name=timeline.name,
    )


def make_problem(
    X: Any,
    y: Any,
    *,
    task: str,
    groups: Any = None,
    sample_weight: Any = None,
    metadata: Any = None,
    scoring: Any = None,
    drop: Any = None,
    **in_time: Any,
) -> Problem:
    """Check and convert the input of :func:`skpapers.compare`; `in_time` are the fields of `TimeOptions`."""
    options = TimeOptions(**in_time)
    options.check()
    given = _check_metadata(metadata)
    whole = _roles.drop_columns(to_frame(X), drop)
    n_given = len(whole)
    target = _roles.to_series(y, "y", n_given)
    whole, timeline = make_timeline(whole, _rows_with_target(target), options)
    kept = timeline.kept
    target = target.iloc[kept].reset_index(drop=True)
    task = _roles.choose_task(target, task)
    labels = _roles.clean_target(target, task)
    group_codes = None if groups is None else _taken(groups, "groups", n_given, kept, _clean_groups)
    weights, weight_notes = _weights(sample_weight, n_given, timeline)
    features, kinds, notes = clean_features(whole.iloc[kept].reset_index(drop=True))
    plan = _plan(options.cv, features, labels, task, group_codes, n_given, timeline)
    tests = [test for _, test in plan.folds]
    metrics = choose_metrics(
        scoring,
        task,
        labels,
        timed=timeline.times is not None,
        panel=timeline.assets is not None,
        ranked=task == "regression" and has_ranks(labels, timeline.ranks, tests),
        tested=[labels[test] for test in tests],
    )
    check_folds(metrics, timeline.ranks, tests)
    if len(kept) < n_given:
        notes.append(f"dropped, target missing: {n_given - len(kept)} of {n_given} rows")
    notes += weight_notes + unweighted_notes(weights, metrics) + [*timeline.notes]
    notes += time_notes(plan.folds, options.cv, timeline, features[kinds["dates"]])
    notes += group_notes(plan, group_codes) + class_notes(labels, task, len(plan.folds))
    notes += column_notes(whole, features, kinds, labels, task, timeline=timeline, plan=plan)
    return Problem(
        frame=features,
        y=labels,
        target=_roles.name_of(y) or "target",
        task=task,
        plan=plan,
        groups=group_codes,
        sample_weight=weights,
        metadata={
            name: _taken(values, f"metadata[{name!r}]", n_given, kept, _clean_metadata)
            for name, values in given.items()
        },
        preprocessing=preprocessing(features, kinds),
        metrics=metrics,
        scoring=scoring,
        classes=np.unique(labels) if task == "classification" else None,
        times=timeline.times,
        assets=timeline.assets,
        notes=tuple(notes),
    )
