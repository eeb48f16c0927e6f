"""The tables of a comparison: one row for each method, and the scores of single folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits, Outcome
from skpapers.comparison._statistics import corrected_interval

COLUMNS = (
    "method",
    "kind",
    "estimator",
    "code",
    "paper",
    "rows",
    "score",
    "sd",
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


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def certificate(outcomes: Sequence[Outcome | None]) -> str:
    """Return the certificate of the worst fold."""
    done = [outcome for outcome in outcomes if outcome is not None and not outcome.error]
    if not done or any(np.isnan(outcome.gap) for outcome in done):
        return ""
    if all(outcome.optimal for outcome in done):
        return "optimal"
    percent = 100 * max(outcome.gap for outcome in done)
    return "gap <0.01%" if percent < 0.01 else f"gap {percent:.{2 if percent < 10 else 3}g}%"


def _seconds(outcomes: Sequence[Outcome | None]) -> float:
    return _mean(np.array([np.nan if outcome is None else outcome.fit_seconds for outcome in outcomes]))


def _row(problem: Problem, candidate: Candidate, fits: Fits) -> dict[str, Any]:
    folds = problem.plan.folds
    metric = problem.metrics[0]
    max_rows = fits.shown.get(candidate.name)
    ratios = np.array([len(test) / min(len(train), max_rows or len(train)) for train, test in folds])
    scores = fits.scores(candidate.name, metric.name, max_rows, len(folds))
    baseline_scores = fits.scores(candidate.baseline, metric.name, max_rows, len(folds))
    both = ~np.isnan(scores - baseline_scores)
    difference, low, high = corrected_interval((scores - baseline_scores)[both], _mean(ratios[both]))
    if both.any():
        scores = scores[both]
        baseline_scores = baseline_scores[both]
    known = scores[~np.isnan(scores)]
    outcomes = fits.of(candidate.name, max_rows, len(folds))
    baseline_notes = (f"baseline {note}" for note in fits.notes.get(candidate.baseline, []))
    return {
        "method": candidate.name,
        "kind": candidate.kind,
        "estimator": candidate.code.partition("(")[0],
        "code": candidate.code,
        "paper": candidate.paper,
        "rows": "" if max_rows is None else f"on {max_rows:,} rows",
        "score": metric.shown(_mean(scores)),
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else np.nan,
        "baseline": candidate.baseline,
        "baseline_score": metric.shown(_mean(baseline_scores)),
        "difference": difference,
        "interval_low": low,
        "interval_high": high,
        "reference": "",
        "fit_seconds": _seconds(outcomes),
        "baseline_fit_seconds": _seconds(fits.of(candidate.baseline, max_rows, len(folds))),
        "certificate": certificate(outcomes),
        "notes": "; ".join([*fits.notes.get(candidate.name, []), *baseline_notes]),
    }


def summarize(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return one row for each candidate that is not a baseline alone."""
    rows = [_row(problem, candidate, fits) for candidate in candidates if candidate.kind != "baseline"]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def fold_scores(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return one row for each candidate, fold and metric."""
    rows = []
    folds = problem.plan.folds
    for candidate in candidates:
        max_rows = fits.shown.get(candidate.name)
        for fold, outcome in enumerate(fits.of(candidate.name, max_rows, len(folds))):
            train, test = folds[fold]
            for metric in problem.metrics:
                score = np.nan if outcome is None else outcome.scores.get(metric.name, np.nan)
                rows.append(
                    {
                        "candidate": candidate.name,
                        "kind": candidate.kind,
                        "fold": fold,
                        "max_rows": max_rows,
                        "n_train": min(len(train), max_rows or len(train)),
                        "n_test": len(test),
                        "metric": metric.label,
                        "score": metric.shown(score),
                        "fit_seconds": np.nan if outcome is None else outcome.fit_seconds,
                    }
                )
    return pd.DataFrame(rows)
