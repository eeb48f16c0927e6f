"""The tables of a comparison: one row for each method, and the scores of single folds.

The table has three families of paired tests, each adjusted by Holm's method for the number of its tests: the methods
against their own baselines, the methods against the best reference, and the other references against the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skpapers.comparison._by_date import backtest, rank_ic_by_date, t_values
from skpapers.comparison._differences import (
    Ranking,
    Shown,
    compare_pairs,
    fold_values,
    is_reference,
    mean,
    rows_text,
    shown,
)
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits, Outcome

_FIRST = ("method", "kind", "estimator", "code", "paper", "rows", "score", "sd")
_LAST = (
    "baseline",
    "baseline_score",
    "difference",
    "interval_low",
    "interval_high",
    "p_value",
    "reference",
    "reference_difference",
    "reference_low",
    "reference_high",
    "fit_seconds",
    "baseline_fit_seconds",
    "certificate",
    "notes",
)
_FOLD_COLUMNS = (
    "candidate",
    "kind",
    "fold",
    "max_rows",
    "n_train",
    "n_test",
    "metric",
    "score",
    "fit_seconds",
)


def metric_columns(problem: Problem) -> dict[str, str]:
    """Return the columns of the further metrics, by the names of the metrics."""
    taken = {*_FIRST, *_LAST}
    return {m.name: f"{m.label} (metric)" if m.label in taken else m.label for m in problem.metrics[1:]}


def certificate(outcomes: Sequence[Outcome | None]) -> str:
    """Return the certificate of the worst fold."""
    done = [outcome for outcome in outcomes if outcome is not None and not outcome.error]
    if not done or any(np.isnan(outcome.gap) for outcome in done):
        return ""
    if all(outcome.optimal for outcome in done):
        return "optimal"
    percent = 100 * max(outcome.gap for outcome in done)
    if percent >= 1000:
        return "gap >1000%"
    return "gap <0.01%" if percent < 0.01 else f"gap {percent:.{2 if percent < 10 else 3}g}%"


def _seconds(problem: Problem, fits: Fits, which: Shown) -> float:
    outcomes = fits.of(*which, len(problem.plan.folds))
    return mean(np.array([np.nan if outcome is None else outcome.fit_seconds for outcome in outcomes]))


def _folds_text(scores: NDArray[np.float64]) -> str:
    """Return such as "2 of 5 folds" for a row that lacks scores of some folds, which may be easier or harder."""
    known = int((~np.isnan(scores)).sum())
    return f"{known} of {len(scores)} folds" if 0 < known < len(scores) else ""


def _own(problem: Problem, candidate: Candidate, fits: Fits) -> dict[str, Any]:
    """Return the cells of a row that concern the candidate alone."""
    which = shown(fits, candidate.name)
    scores = fold_values(problem, fits, which)
    known = scores[~np.isnan(scores)]
    cells = {
        "method": candidate.name,
        "kind": candidate.kind,
        "estimator": candidate.code.partition("(")[0],
        "code": candidate.code,
        "paper": candidate.paper,
        "rows": ", ".join(filter(None, [rows_text(which), _folds_text(scores)])),
        "score": problem.metrics[0].shown(mean(scores)),
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else np.nan,
        "fit_seconds": _seconds(problem, fits, which),
        "certificate": certificate(fits.of(*which, len(problem.plan.folds))),
    }
    columns = metric_columns(problem)
    for metric in problem.metrics[1:]:
        cells[columns[metric.name]] = metric.shown(mean(fold_values(problem, fits, which, metric.name)))
    return cells


def _against_baselines(problem: Problem, rows: Sequence[Candidate], fits: Fits) -> dict[str, dict[str, Any]]:
    """Return the cells of the rows with a baseline; a method on a sample faces its baseline on the same sample."""
    compared = [row for row in rows if row.baseline]
    pairs = [(shown(fits, row.name), Shown(row.baseline, shown(fits, row.name).max_rows)) for row in compared]
    family = compare_pairs(problem, fits, pairs)
    return {
        row.name: {
            "baseline": row.baseline,
            "baseline_score": problem.metrics[0].shown(mean(fold_values(problem, fits, pairs[i][1]))),
            "difference": family.mean[i],
            "interval_low": family.low[i],
            "interval_high": family.high[i],
            "p_value": family.p_value[i],
            "baseline_fit_seconds": _seconds(problem, fits, pairs[i][1]),
        }
        for i, row in enumerate(compared)
    }


def _against_the_reference(
    problem: Problem, rows: Sequence[Candidate], reference: Candidate | None, fits: Fits
) -> dict[str, dict[str, Any]]:
    """Return the cells of all rows but the reference; methods are one family, other references another."""
    cells: dict[str, dict[str, Any]] = {}
    if reference is None:
        return cells
    others = [row for row in rows if row is not reference]
    for group in ([row for row in others if not is_reference(row)], [row for row in others if is_reference(row)]):
        pairs = [(shown(fits, row.name), shown(fits, reference.name)) for row in group]
        family = compare_pairs(problem, fits, pairs)
        for i, row in enumerate(group):
            cells[row.name] = {
                "reference": reference.name,
                "reference_difference": family.mean[i],
                "reference_low": family.low[i],
                "reference_high": family.high[i],
            }
    return cells


def _of_dates(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return the columns by date, indexed by the names of the rows: those of the metrics that are asked for."""
    asked = {metric.name for metric in problem.metrics}
    columns = {}
    if "rank_ic" in asked:
        columns["rank IC t"] = t_values(problem, rank_ic_by_date(problem, candidates, fits))
    if "sharpe" in asked:
        columns["deflated Sharpe"] = backtest(problem, candidates, fits).deflated
    return pd.DataFrame(columns)


def _notes(row: Candidate, fits: Fits) -> str:
    of_baseline = (f"baseline: {note}" for note in fits.notes.get(row.baseline, []))
    return "; ".join([*fits.notes.get(row.name, []), *of_baseline])


def summarize(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return one row for each candidate that is not a baseline alone, sorted by the first metric, best first.

    Returns
    -------
    frame : DataFrame
        method, kind, estimator, code, paper, rows ("" for all; or such as "on 20,000 rows", and "2 of 5 folds" for a
        row that lacks some); score and sd, the mean and the standard deviation over the folds in the first metric; a
        column for each further metric, and for metrics by date "rank IC t" (Newey-West t-value of the mean over all
        dates) and "deflated Sharpe"; baseline, baseline_score, difference, interval_low, interval_high, p_value;
        reference, reference_difference, reference_low, reference_high; fit_seconds, baseline_fit_seconds, certificate,
        notes. A positive difference is a gain, also where the score is a loss. Intervals and p-values are adjusted by
        Holm's method.
    """
    ranking = Ranking(problem, candidates, fits)
    against_baselines = _against_baselines(problem, ranking.rows, fits)
    against_the_reference = _against_the_reference(problem, ranking.rows, ranking.best_reference(), fits)
    words = {"baseline": "", "reference": ""}
    records = [
        words
        | _own(problem, row, fits)
        | against_baselines.get(row.name, {})
        | against_the_reference.get(row.name, {})
        | {"notes": _notes(row, fits)}
        for row in ranking.rows
    ]
    dated = _of_dates(problem, candidates, fits)
    columns = [*_FIRST, *metric_columns(problem).values(), *_LAST]
    frame = pd.DataFrame(records, columns=columns)
    for place, name in enumerate(dated, start=columns.index("baseline")):
        frame.insert(place, name, dated[name].reindex(frame["method"]).to_numpy())
    return frame


def fold_scores(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return one row for each candidate, size of the training sample, fold and metric.

    Returns
    -------
    frame : DataFrame
        candidate, kind, fold, max_rows (<NA> for all rows), n_train, n_test, metric (label), score, fit_seconds. NaN
        where an estimator failed or was stopped.
    """
    sizes = {candidate.name: {fits.shown.get(candidate.name): None} for candidate in candidates}
    for key in fits.outcomes:
        sizes.get(key.candidate, {})[key.max_rows] = None
    records = [
        _fold_record(problem, candidate, fits, fold, max_rows, number)
        for candidate in candidates
        for max_rows in sizes[candidate.name]
        for fold in range(len(problem.plan.folds))
        for number in range(len(problem.metrics))
    ]
    frame = pd.DataFrame(records, columns=list(_FOLD_COLUMNS))
    return frame.astype({"max_rows": "Int64"})


def _fold_record(
    problem: Problem, candidate: Candidate, fits: Fits, fold: int, max_rows: int | None, number: int
) -> tuple[Any, ...]:
    train, test = problem.plan.folds[fold]
    metric = problem.metrics[number]
    outcome = fits.of(candidate.name, max_rows, len(problem.plan.folds))[fold]
    score = np.nan if outcome is None else metric.shown(outcome.scores.get(metric.name, np.nan))
    seconds = np.nan if outcome is None else outcome.fit_seconds
    n_train = len(train) if max_rows is None else min(len(train), max_rows)
    return candidate.name, candidate.kind, fold, max_rows, n_train, len(test), metric.label, score, seconds
