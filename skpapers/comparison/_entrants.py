"""The estimators of a comparison: each is built once and fitted on every fold; what goes wrong becomes a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from skpapers._weights import weight_parameter
from skpapers.comparison._contract import fit_paths, selections, takes_groups, time_limits
from skpapers.comparison._jobs import Jobs
from skpapers.comparison._problem import Problem
from skpapers.comparison._splits import inner_cv
from skpapers.comparison._worker import Job, Outcome, Table, first_line
from skpapers.papers import Contest, Paper, Spec

# Part of an estimator's seconds that its `time_limit` gets. The rest is for preprocessing and scoring.
_SHARE = 0.9


@dataclass
class Entrant:
    """An estimator that runs on every fold, once, however many contests it takes part in."""

    number: int
    spec: Spec
    budget: float
    estimator: BaseEstimator | None = None
    outcomes: list[Outcome | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def scores(self) -> np.ndarray:
        """Return the score of every fold, NaN for a fold without a score."""
        return np.array([np.nan if outcome is None else outcome.score for outcome in self.outcomes])

    def fit_seconds(self) -> np.ndarray:
        """Return the seconds of every fit, NaN for a fold without a fit."""
        return np.array([np.nan if outcome is None else outcome.fit_seconds for outcome in self.outcomes])

    def certificate(self) -> str:
        """Return the certificate of the worst fold."""
        done = [outcome for outcome in self.outcomes if outcome is not None and not outcome.error]
        if not done or any(np.isnan(outcome.gap) for outcome in done):
            return ""
        if all(outcome.optimal for outcome in done):
            return "optimal"
        percent = 100 * max(outcome.gap for outcome in done)
        return "gap <0.01%" if percent < 0.01 else f"gap {percent:.{2 if percent < 10 else 3}g}%"


def build_entrants(contests: Iterable[tuple[Paper, Contest]], time_budget: float | None) -> dict[str, Entrant]:
    """Build each distinct estimator once. Its budget is the largest of the papers it serves."""
    entrants: dict[str, Entrant] = {}
    for paper, contest in contests:
        budget = paper.time_budget if time_budget is None else float(time_budget)
        for spec in (contest.method, contest.baseline):
            entrant = entrants.setdefault(repr(spec), Entrant(len(entrants), spec, budget))
            entrant.budget = max(entrant.budget, budget)
    for entrant in entrants.values():
        try:
            entrant.estimator = entrant.spec.build()
        except Exception as error:
            entrant.notes.append(f"failed: {first_line(error)}")
    return entrants


def _jobs(entrant: Entrant, problem: Problem) -> Iterator[Job]:
    """Yield one job per fold, the estimator set up for it."""
    estimator = entrant.estimator
    folds = problem.plan.folds
    if estimator is None:
        return
    weight = None if problem.sample_weight is None else weight_parameter(estimator)
    if problem.sample_weight is not None and weight is None:
        entrant.notes.append("fitted without sample_weight")
    groups = problem.groups if takes_groups(estimator) and problem.plan.ranks is None else None
    inner = [inner_cv(estimator, problem.plan, train, groups) for train, _ in folds]
    if groups is not None and "cv" in estimator.get_params() and not all(inner):
        entrant.notes.append("its own folds ignore groups if the training rows are all of one group")
    params: dict[str, Any] = time_limits(estimator, _SHARE * entrant.budget / len(folds))
    if problem.scoring is not None:
        selected, all_use_it = selections(estimator, problem.scoring, inner)
        params |= selected
        if not all_use_it:
            entrant.notes.append(f"its own selection does not use {problem.metric}")
    fit_params = {path: name for name in problem.metadata for path in fit_paths(estimator, name)}
    if weight is not None:
        fit_params[weight] = "sample_weight"
    for number, (train, test) in enumerate(folds):
        grouped = {"groups": "groups"} if groups is not None and "cv" in inner[number] else {}
        fitted = clone(estimator).set_params(**params, **inner[number])
        yield Job(
            entrant=entrant.number,
            fold=number,
            estimator=fitted,
            train=train,
            test=test,
            fit_params=fit_params | grouped,
            scorer=problem.scorer,
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


def run_entrants(entrants: list[Entrant], problem: Problem, n_workers: int, verbose: int) -> None:
    """Run every entrant on every fold, and note what went wrong."""
    per_row = {"sample_weight": problem.sample_weight, "groups": problem.groups, **problem.metadata}
    table = Table(
        problem.frame, problem.y, per_row, tuple(problem.metadata), problem.preprocessing, problem.score_weighted
    )
    todo = [job for entrant in entrants for job in _jobs(entrant, problem)]
    budgets = {entrant.number: entrant.budget for entrant in entrants}
    with _progress(len(todo), verbose) as advance:
        jobs = Jobs(todo, budgets, n_workers, advance)
        jobs.run(table)
    n_folds = len(problem.plan.folds)
    for entrant in entrants:
        entrant.outcomes = [jobs.outcomes.get((entrant.number, fold)) for fold in range(n_folds)]
        done = [outcome for outcome in entrant.outcomes if outcome is not None]
        errors = [outcome.error for outcome in done if outcome.error]
        if entrant.number in jobs.stopped:
            entrant.notes.append(f"stopped after {len(done)} of {n_folds} folds (budget {entrant.budget:g} s)")
        if errors:
            where = "" if len(errors) == n_folds else f" in {len(errors)} of {n_folds} folds"
            entrant.notes.append(f"failed{where}: {errors[0]}")
        undefined = sum(not outcome.error and bool(np.isnan(outcome.score)) for outcome in done)
        if undefined:
            entrant.notes.append(f"{problem.metric} undefined in {undefined} of {n_folds} folds")
        counted = sum((Counter(outcome.warnings) for outcome in done), Counter())
        entrant.notes += [f"{name} x{count}" for name, count in sorted(counted.items())]
