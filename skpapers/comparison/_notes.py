"""What a reader must know about the rows and columns of a comparison."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skpapers.comparison._identifiers import find_identifiers, identifier_notes
from skpapers.comparison._leaks import Target, find_leaks, leak_notes
from skpapers.comparison._panel import likely_assets
from skpapers.comparison._records import Metric
from skpapers.comparison._splits import Plan, Windows
from skpapers.comparison._timeline import Timeline
from skpapers.comparison._whole_sample import likely_horizon, whole_sample_features, whole_sample_notes
from skpapers.comparison._windows import Folds

# A note appears if labels seem to be this many times as long as the user says; the estimate is not exact.
_MUCH_LONGER = 1.5


def _train_on_the_future(folds: Folds, times: pd.Series) -> bool:
    """Whether some training row of a fold is no older than some test row."""
    return any(times.iloc[train].max() >= times.iloc[test].min() for train, test in folds)


def time_notes(folds: Folds, cv: Any, timeline: Timeline, dates: pd.DataFrame) -> list[str]:
    """Note how the time is used, and which of the user's folds train on the future."""
    notes = []
    if timeline.name:
        notes.append(f"{timeline.name} {'' if isinstance(cv, Integral) else 'orders the rows and '}is not a feature")
    order = pd.Series(np.arange(len(timeline.kept)) if timeline.ranks is None else timeline.ranks)
    if timeline.windows.embargo and not _train_on_the_future(folds, order):
        notes.append("the embargo changes nothing: no fold trains on rows after its test rows")
    if cv is None or isinstance(cv, str):
        return notes
    given = f"cv={cv}" if isinstance(cv, Integral) else f"cv={type(cv).__name__}"
    if not isinstance(cv, Integral) and not hasattr(cv, "split"):
        given = "the splits given"
    future = f"with {given} the folds train on the future of their test rows"
    if timeline.ranks is not None:
        return notes + [future] * _train_on_the_future(folds, pd.Series(timeline.ranks))
    late = [name for name in dates if _train_on_the_future(folds, dates[name])]
    return notes + [f"{future} if {' or '.join(late)} orders them"] * bool(late)


def group_notes(plan: Plan, groups: np.ndarray | None) -> list[str]:
    """Note folds that have rows of one group on both sides, or training rows left out because of their group."""
    if groups is None:
        return []
    if plan.groups is not None:
        return ["training rows of groups with test rows are left out"]
    straddling = sum(bool(np.isin(groups[train], groups[test]).any()) for train, test in plan.folds)
    if not straddling:
        return []
    return [f"rows of one group are in training and in test in {straddling} of {len(plan.folds)} folds"]


def class_notes(y: np.ndarray, task: str, n_folds: int) -> list[str]:
    """Name classes that have fewer rows than there are folds."""
    if task != "classification":
        return []
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[counts < n_folds]
    return [f"fewer rows than folds in class {', '.join(map(str, rare[:5]))}"] if len(rare) else []


def _label_length(windows: Windows, order: np.ndarray) -> int:
    """Return the number of timestamps until a label is known, 0 if the user does not say it."""
    if windows.label_end is None:
        return 0
    return int(np.median(windows.label_end - order))


def unweighted_notes(weights: np.ndarray | None, metrics: tuple[Metric, ...]) -> list[str]:
    """Name the metrics that take no weights, if there are weights."""
    names = [metric.label for metric in metrics if not metric.weightable]
    if weights is None or not names:
        return []
    return [f"scores without sample weights, which the metric does not take: {', '.join(names)}"]


def column_notes(
    whole: pd.DataFrame,
    features: pd.DataFrame,
    kinds: dict[str, list[str]],
    y: np.ndarray,
    task: str,
    *,
    timeline: Timeline,
    plan: Plan,
) -> list[str]:
    """Name identifiers, possible leaks and unnamed assets.

    Parameters
    ----------
    whole : DataFrame
        The columns of X that may be features, all rows as they were given.
    features : DataFrame
        Clean features, in the order of the rows that are used.
    kinds : dict
        Their names by kind.
    y : ndarray of shape (n_rows,)
    task : {"classification", "regression"}
    timeline : Timeline
    plan : Plan
    """
    kept = timeline.kept
    ranks = timeline.ranks
    assets = timeline.assets
    identifiers = find_identifiers(features, kinds, np.argsort(kept, kind="stable"))
    notes = identifier_notes(identifiers)
    guessed = None if assets is not None or ranks is None else likely_assets(whole.iloc[kept], ranks)
    if guessed is not None:
        assets = guessed.to_numpy()
        notes.append(f"the rows look like a panel: use --assets {guessed.name} if {guessed.name!r} names its assets")
    target = Target.of(y, task, ranks, assets)
    if plan.ranks is None:
        return notes + leak_notes(find_leaks(features, kinds, target))
    length = _label_length(timeline.windows, plan.ranks)
    notes += leak_notes(find_leaks(features, kinds, target, length))
    measured = [name for name in kinds["numbers"] if name not in identifiers]
    notes += whole_sample_notes(whole_sample_features(whole, kept, plan.ranks, measured, assets))
    ahead = likely_horizon(target)
    if ahead > _MUCH_LONGER * max(1, length, timeline.windows.gap):
        notes.append(
            f"possible leak: the labels seem to overlap over about {ahead} timestamps; --horizon {ahead} leaves out "
            "training rows that overlap test rows"
        )
    return notes
