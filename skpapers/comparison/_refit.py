"""A candidate fitted on all rows of the table."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._references import prefers_raw_columns
from skpapers.comparison._run import table_of
from skpapers.comparison._setup import Setup
from skpapers.comparison._typed_columns import TypedColumns
from skpapers.comparison._worker import fit_pipeline


def kinds_of(problem: Problem) -> dict[str, str]:
    """Return what each column holds, in the order of the table."""
    kinds = {name: kind for kind, _, names in problem.preprocessing.transformers for name in names}
    return {name: kinds[name] for name in problem.frame}


def refit(problem: Problem, candidate: Candidate, max_rows: int | None = None) -> Pipeline:
    """Fit a candidate as in the folds, on all rows.

    Parameters
    ----------
    problem : Problem
    candidate : Candidate
        With an estimator.
    max_rows : int, default=None
        Fit on a sample of so many rows, the latest ones in time, as in the folds. None: on all.

    Returns
    -------
    Pipeline
        Steps "columns", "preprocessing" and "model". It takes a table with the columns of the user's.
    """
    assert candidate.estimator is not None
    raw = candidate.kind == "own" and prefers_raw_columns(candidate.estimator, problem.frame, problem.y)
    rows = np.arange(len(problem.y))
    job = Setup(candidate, problem, raw).job(Key(candidate.name, 0, max_rows), rows, rows[:0])
    fitted = fit_pipeline(table_of(problem), job, job.estimator, job.train)
    return Pipeline([("columns", TypedColumns(kinds_of(problem))), *fitted.steps])
