"""Every candidate is fitted on every fold; what goes wrong becomes a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from skpapers._weights import weight_parameter
from skpapers.comparison._contract import fit_paths, selections, takes_groups, time_limits
from skpapers.comparison._jobs import Jobs
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits, Key, Outcome
from skpapers.comparison._scoring import selection
from skpapers.comparison._splits import inner_cv
from skpapers.comparison._worker import Job, Table

# Part of an estimator's seconds that its `time_limit` gets. The rest is for preprocessing and scoring.
_SHARE = 0.9


def _jobs(candidate: Candidate, problem: Problem, budget: float, notes: list[str]) -> Iterator[Job]:
    """Yield one job per fold, the estimator set up for it."""
    estimator = candidate.estimator
    folds = problem.plan.folds
    if estimator is None:
        notes.append(f"failed: {candidate.error}")
        return
    weight = None if problem.sample_weight is None else weight_parameter(estimator)
    if problem.sample_weight is not None and weight is None:
        notes.append("fitted without sample_weight")
    groups = problem.groups if takes_groups(estimator) and problem.plan.ranks is None else None
    inner = [inner_cv(estimator, problem.plan, train, groups) for train, _ in folds]
    if groups is not None and "cv" in estimator.get_params() and not all(inner):
        notes.append("its own folds ignore groups if the training rows are all of one group")
    params: dict[str, Any] = time_limits(estimator, _SHARE * budget / len(folds))
    selected, all_use_it = selections(estimator, selection(problem.metrics[0]), inner)
    params |= selected
    if not all_use_it:
        notes.append(f"its own selection does not use {problem.metrics[0].label}")
    fit_params = {path: name for name in problem.metadata for path in fit_paths(estimator, name)}
    if weight is not None:
        fit_params[weight] = "sample_weight"
    for number, (train, test) in enumerate(folds):
        grouped = {"groups": "groups"} if groups is not None and "cv" in inner[number] else {}
        fitted = clone(estimator).set_params(**params, **inner[number])
        yield Job(
            key=Key(candidate.name, number),
            estimator=fitted,
            train=train,
            test=test,
            fit_params=fit_params | grouped,
        )


@contextmanager
def _progress(n_jobs: int, verbose: int) -> Iterator[Callable[[], object]]:
    """Show a bar with the time left on a terminal's standard error; yield the function that moves it on."""
    if not verbose:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    silent = not (console.is_terminal or console.is_jupyter)
    with Progress(*columns, console=console, transient=True, disable=silent) as progress:
        bar = progress.add_task("fits", total=n_jobs)
        yield lambda: progress.advance(bar)


def run_candidates(
    candidates: Sequence[Candidate], problem: Problem, budgets: dict[str, float], n_workers: int, verbose: int
) -> Fits:
    """Run every candidate on every fold, and note what went wrong."""
    per_row = {"sample_weight": problem.sample_weight, "groups": problem.groups, **problem.metadata}
    table = Table(
        frame=problem.frame,
        y=problem.y,
        classes=problem.classes,
        dates=None if problem.times is None else pd.factorize(problem.times, sort=True)[0],
        per_row=per_row,
        metadata=tuple(problem.metadata),
        preprocessing=problem.preprocessing,
        metrics=problem.metrics,
    )
    notes: dict[str, list[str]] = {candidate.name: [] for candidate in candidates}
    todo = [
        job
        for candidate in candidates
        for job in _jobs(candidate, problem, budgets[candidate.name], notes[candidate.name])
    ]
    with _progress(len(todo), verbose) as advance:
        jobs = Jobs(todo, budgets, n_workers, advance)
        jobs.run(table)
    n_folds = len(problem.plan.folds)
    fits = Fits(jobs.outcomes, {key.candidate: key.max_rows for key in jobs.outcomes}, notes)
    for candidate in candidates:
        name = candidate.name
        done = [outcome for outcome in fits.of(name, None, n_folds) if outcome is not None]
        if name in jobs.stopped:
            notes[name].append(f"stopped after {len(done)} of {n_folds} folds (budget {budgets[name]:g} s)")
        notes[name] += _notes(done, problem, n_folds)
    return fits


def _notes(done: list[Outcome], problem: Problem, n_folds: int) -> list[str]:
    """Describe the errors, undefined scores and warnings of a candidate's fits."""
    notes = []
    errors = [outcome.error for outcome in done if outcome.error]
    if errors:
        where = "" if len(errors) == n_folds else f" in {len(errors)} of {n_folds} folds"
        notes.append(f"failed{where}: {errors[0]}")
    for metric in problem.metrics:
        undefined = sum(not outcome.error and bool(np.isnan(outcome.scores[metric.name])) for outcome in done)
        if undefined:
            notes.append(f"{metric.label} undefined in {undefined} of {n_folds} folds")
    counted = sum((Counter(outcome.warnings) for outcome in done), Counter())
    return notes + [f"{name} x{count}" for name, count in sorted(counted.items())]
