"""The sections of the report that need predictions, or fits of their own."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from skpapers.comparison import _report_figures as figures
from skpapers.comparison._by_date import rank_ic_by_date
from skpapers.comparison._layout import row_notes
from skpapers.comparison._records import Candidate
from skpapers.comparison._report_charts import Axis, written
from skpapers.comparison._report_content import Row, out_of_fold, shown_rows
from skpapers.comparison._report_models import N_REPEATS, Importance, fit, importances, optimal_tree, sampled
from skpapers.comparison._report_svg import Drawing
from skpapers.comparison._report_tree import Node
from skpapers.comparison._scorers import score_all
from skpapers.comparison._worker import WithMetadata, first_line
from skpapers.tree import QuantBnBTree, QuantBnBTreeClassifier

if TYPE_CHECKING:
    from skpapers.comparison._result import Comparison

# A tree with more levels is no picture.
_MAX_DEPTH = 3
# Dates of the rolling mean of a panel's rank information coefficient: about a month of trading days.
_IC_DATES = 21


@dataclass(frozen=True)
class Figure:
    """A picture with its caption."""

    picture: Markup
    caption: str


@dataclass(frozen=True)
class Group:
    """The pictures of a section."""

    id: str
    title: str
    figures: list[Figure]


@dataclass(frozen=True)
class Bar:
    """An importance with its text."""

    column: str
    mean: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Importances:
    """The section of permutation importances."""

    name: str
    change: str
    axis: Axis
    bars: list[Bar]
    caption: str


@dataclass(frozen=True)
class TreeSection:
    """The section of the optimal tree."""

    name: str
    root: Node | None
    caption: str


def _plain(times: pd.Series) -> NDArray:
    """Return times as matplotlib takes them."""
    return (times.dt.tz_localize(None) if isinstance(times.dtype, pd.DatetimeTZDtype) else times).to_numpy()


def _times(result: Comparison) -> tuple[NDArray, str]:
    """Return what orders the rows, and its name."""
    problem = result.problem
    times = problem.times
    if times is None:
        return np.arange(len(problem.y)), "row"
    # the problem names a column of the user by its place, such as "Time column 'date'"
    quoted = re.fullmatch(r"\w+ column '(.*)'", str(times.name or "time"))
    return _plain(times), quoted[1] if quoted else str(times.name or "time")


def _time_figure(result: Comparison, names: list[str], drawing: Drawing) -> Figure | None:
    problem = result.problem
    if problem.plan.ranks is None or len(problem.plan.folds) < 2 or not names:
        return None
    times, label = _times(result)
    windows = [(times[test].min(), times[test].max()) for _, test in problem.plan.folds]
    metric = problem.metrics[0]
    lines = []
    for name in names:
        scores = result.fits.scores(name, metric.name, result.fits.shown.get(name), len(windows))
        lines.append(figures.Series(name, np.array([metric.shown(score) for score in scores])))
    picture = figures.over_time(drawing, lines, windows, metric=metric.label, time=label)
    return Figure(picture, f"{metric.label} in the test window of each fold; a thick line spans the window.")


def _rank_ic_figure(result: Comparison, names: list[str], drawing: Drawing) -> Figure | None:
    """Draw the rank information coefficient of a panel, date by date."""
    problem = result.problem
    if problem.assets is None or problem.plan.ranks is None:
        return None
    _, label = _times(result)
    candidates = [_candidate(result, name) for name in names]
    table = rank_ic_by_date(problem, candidates, result.fits).dropna(axis=1, how="all")
    if table.empty or len(table) < 2:
        return None
    window = min(_IC_DATES, max(2, len(table) // 5))
    series = [figures.Series(name, table[name].to_numpy()) for name in table]
    dates = _plain(pd.Series(table.index))
    picture = figures.rank_ic_over_time(drawing, series, dates, window=window, time=label)
    counts = table.count()
    means = ", ".join(f"{name} {table[name].mean():.3f} ({counts[name]:,} dates)" for name in table)
    caption = (
        f"Rank information coefficient per date, out of fold: the lines are means over {window} dates, the points are "
        f"the single dates of {table.columns[0]}. Means: {means}."
    )
    return Figure(picture, caption)


def _prediction_figure(result: Comparison, name: str, drawing: Drawing) -> Figure | None:
    problem = result.problem
    found = out_of_fold(result, name)
    if found is None:
        return None
    actual = problem.y[found.rows]
    if problem.task == "regression":
        picture = figures.residuals(drawing, actual, found.values, name=name, target=problem.target)
        shown = min(len(actual), figures.N_POINTS)
        which = f"{shown:,} of {len(actual):,} test rows, sampled at random" if shown < len(actual) else "all test rows"
        return Figure(picture, f"{name}: residuals, out of fold; {which}.")
    if found.probabilities is None:
        return None
    picture = figures.calibration(drawing, actual, found.probabilities, np.asarray(problem.classes), name=name)
    return Figure(picture, f"{name}: calibration curve, out of fold, {len(actual):,} test rows.")


def figure_groups(result: Comparison, rows: list[Row]) -> list[Group]:
    """Return the sections of pictures; one without a picture is left out by the template."""
    drawing = Drawing()
    names = shown_rows(rows, result.candidates)
    predicted = [_prediction_figure(result, name, drawing) for name in names[:2]]
    over_time = [_time_figure(result, names, drawing), _rank_ic_figure(result, names, drawing)]
    title = "Residuals" if result.problem.task == "regression" else "Calibration"
    return [
        Group("time", "Over time", [figure for figure in over_time if figure is not None]),
        Group("predictions", title, [figure for figure in predicted if figure is not None]),
    ]


def _candidate(result: Comparison, name: str) -> Candidate:
    return next(candidate for candidate in result.candidates if candidate.name == name)


def _bars(found: list[Importance]) -> list[Bar]:
    spread = float(np.median([bar.high - bar.low for bar in found])) or abs(found[0].mean) / 10
    bars = []
    for bar in found:
        mean, low, high = written([bar.mean, bar.low, bar.high], spread, signed=True)
        bars.append(Bar(bar.column, bar.mean, bar.low, bar.high, f"{mean} [{low}, {high}]"))
    return bars


def _without_bars(name: str, reason: str) -> Importances:
    """Return the section that says why there are no importances."""
    return Importances(name, "", Axis(-1.0, 1.0), [], f"There are no importances: {reason}.")


def importance_section(result: Comparison, rows: list[Row]) -> Importances | None:
    """Fit the best row on the training rows of the last fold, and permute the columns of its test rows."""
    problem = result.problem
    best = next(iter(shown_rows(rows, result.candidates)), "")
    if not best:
        return None
    train, test = problem.plan.folds[-1]
    ranks = problem.plan.ranks
    chosen = sampled(test, None if problem.assets is None or ranks is None else ranks[test])
    dates = None if ranks is None else ranks[chosen]
    metric = problem.metrics[0]
    weights = None if problem.sample_weight is None else problem.sample_weight[chosen]
    metadata = {name: values[chosen] for name, values in problem.metadata.items()}

    def score(model: Any, X: pd.DataFrame, y: NDArray) -> float:
        asked = WithMetadata(model, metadata)
        return score_all([metric], asked, X, y, sample_weight=weights, dates=dates)[metric.name]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the comparison has noted them
            model, _ = fit(problem, _candidate(result, best), result.fits.shown.get(best), train)
            found = importances(model, problem.frame.iloc[chosen], problem.y[chosen], score)
    except Exception as error:  # an estimator that fails in this fold must not cost the report
        return _without_bars(best, f"the last fold failed: {first_line(error)}")
    if not found:
        return _without_bars(best, f"{metric.label} is undefined in the last fold")
    axis = Axis.of([bar.mean for bar in found], [(bar.low, bar.high) for bar in found], zero=True)
    caption = (
        f"A bar shows by how much {metric.label} gets worse when the values of a column are permuted: the mean of "
        f"{N_REPEATS} permutations of {len(chosen):,} test rows of the last fold. The line spans their range. Columns "
        "that carry the same information share their importance."
    )
    n_columns = problem.frame.shape[1]
    if len(found) < n_columns:
        caption += f" {len(found)} of {n_columns} columns are shown, the most important first."
    change = f"{'rise' if metric.loss else 'fall'} of {metric.label}"
    return Importances(best, change, axis, _bars(found), caption)


def tree_section(result: Comparison) -> TreeSection | None:
    """Fit the first optimal tree that is small enough, and has a score, on all rows."""
    for candidate in result.candidates:
        estimator: Any = candidate.estimator
        is_tree = isinstance(estimator, QuantBnBTree | QuantBnBTreeClassifier)
        if is_tree and candidate.name in result.fits.shown and estimator.max_depth <= _MAX_DEPTH:
            break
    else:
        return None
    max_rows = result.fits.shown.get(candidate.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root, tree = optimal_tree(result.problem, candidate, max_rows)
    except Exception as error:  # the report does without the tree
        return TreeSection(candidate.name, None, f"It could not be fitted on all rows: {first_line(error)}.")
    proof = "is proved optimal" if getattr(tree, "is_optimal_", False) else f"has a gap of {tree.gap_:.2g}"
    what = (
        f"mean of {result.problem.target}"
        if result.problem.task == "regression"
        else "most frequent class and its share"
    )
    rows = f"{root.n_rows:,} of {len(result.problem.y):,} rows"
    caption = f"The tree is fitted on {rows} and {proof}; its depth is {tree.get_depth()}. A leaf shows the {what}."
    return TreeSection(candidate.name, root, caption)


def all_notes(result: Comparison) -> list[tuple[str, str]]:
    """Return the notes of the table and of its rows, each with its subject."""
    return [("", note) for note in result.notes] + row_notes(result.frame)
