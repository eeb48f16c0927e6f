"""The comparison of methods and their baselines."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from skpapers.comparison._jobs import Jobs
from skpapers.comparison._problem import Problem, make_problem
from skpapers.comparison._result import COLUMNS, Comparison
from skpapers.comparison._splits import inner_cv
from skpapers.comparison._statistics import corrected_interval
from skpapers.comparison._worker import Job, Outcome, Table, first_line
from skpapers.papers import PAPERS, Contest, Paper, Spec

# Part of an estimator's share that its own `time_limit` gets: the rest is for what is not the search.
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
        """Return the score of every fold, NaN where there is none."""
        return np.array([np.nan if outcome is None else outcome.score for outcome in self.outcomes])

    def fit_seconds(self) -> np.ndarray:
        """Return the seconds of every fit, NaN where there is none."""
        return np.array([np.nan if outcome is None else outcome.fit_seconds for outcome in self.outcomes])

    def certificate(self) -> str:
        """Return what the models prove about themselves in the worst fold."""
        done = [outcome for outcome in self.outcomes if outcome is not None and not outcome.error]
        if not done or any(np.isnan(outcome.gap) for outcome in done):
            return ""
        return "optimal" if all(o.optimal for o in done) else f"gap {100 * max(o.gap for o in done):.2g}%"


def _contests(task: str) -> list[tuple[Paper, Contest]]:
    """Return every contest of the task, in the order of the papers."""
    return [(paper, contest) for paper in PAPERS for contest in paper.contests if contest.task == task]


def _chosen(task: str, methods: Sequence[str] | None) -> list[tuple[Paper, Contest]]:
    contests = _contests(task)
    if methods is None:
        return contests
    wanted = [methods] if isinstance(methods, str) else list(methods)
    names = [contest.name for _, contest in contests]
    unknown = [name for name in wanted if name not in names]
    if unknown or not wanted:
        what = f"unknown for {task}: {', '.join(map(str, unknown))}" if unknown else "an empty list"
        raise ValueError(f"methods: {what}; choose among {', '.join(names)}.")
    return [(paper, contest) for paper, contest in contests if contest.name in wanted]


def _entrants(contests: list[tuple[Paper, Contest]], time_budget: float | None) -> dict[str, Entrant]:
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


def _takes(estimator: BaseEstimator, name: str) -> bool:
    """Whether fit takes `name`, by name or among its metadata."""
    parameters = inspect.signature(estimator.fit).parameters.values()
    return has_fit_parameter(estimator, name) or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _jobs(entrant: Entrant, problem: Problem) -> Iterator[Job]:
    """Yield one job per fold, the estimator set up for it."""
    estimator, folds = entrant.estimator, problem.plan.folds
    if estimator is None:
        return
    weighted = problem.sample_weight is not None and has_fit_parameter(estimator, "sample_weight")
    if problem.sample_weight is not None and not weighted:
        entrant.notes.append("fitted without sample_weight")
    groups = problem.groups if _takes(estimator, "groups") else None
    params: dict[str, Any] = {}
    if estimator.get_params().get("time_limit", 0) is None:
        params["time_limit"] = _SHARE * entrant.budget / len(folds)
    for number, (train, test) in enumerate(folds):
        inner = inner_cv(estimator, problem.plan, train, groups)
        grouped = problem.plan.ranks is None and groups is not None and "cv" in inner
        fit_params = ("sample_weight",) * weighted + ("groups",) * grouped
        fitted = clone(estimator).set_params(**params, **inner)
        yield Job(entrant.number, number, fitted, train, test, fit_params, problem.scorer)


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


def _run(entrants: list[Entrant], problem: Problem, n_workers: int, verbose: int) -> None:
    """Run every entrant on every fold, and note what went wrong."""
    table = Table(
        problem.frame, problem.y, problem.sample_weight, problem.groups, problem.preprocessing, problem.score_weighted
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


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def _row(paper: Paper, contest: Contest, method: Entrant, baseline: Entrant, ratios: np.ndarray) -> dict[str, Any]:
    """Return the row of one contest; `ratios` are the test rows per training row of the folds."""
    scores, baseline_scores = method.scores(), baseline.scores()
    both = ~np.isnan(scores - baseline_scores)
    ratio = float(ratios[both].mean()) if both.any() else np.nan
    difference, low, high = corrected_interval((scores - baseline_scores)[both], ratio)
    known = scores[~np.isnan(scores)]
    values = (
        contest.name,
        shorten(f"{paper.venue}: {paper.title.split(':')[0]}", 70, placeholder="..."),
        _mean(scores),
        float(np.std(known, ddof=1)) if len(known) > 1 else np.nan,
        contest.baseline.path.rsplit(".", 1)[-1],
        _mean(baseline_scores),
        difference,
        low,
        high,
        _mean(method.fit_seconds()),
        _mean(baseline.fit_seconds()),
        method.certificate(),
        "; ".join([*method.notes, *(f"baseline {note}" for note in baseline.notes)]),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _fold_scores(contest: Contest, method: Entrant, baseline: Entrant, problem: Problem) -> pd.DataFrame:
    folds = problem.plan.folds
    return pd.DataFrame(
        {
            "method": contest.name,
            "fold": range(len(folds)),
            "n_train": [len(train) for train, _ in folds],
            "n_test": [len(test) for _, test in folds],
            "score": method.scores(),
            "baseline_score": baseline.scores(),
            "fit_seconds": method.fit_seconds(),
            "baseline_fit_seconds": baseline.fit_seconds(),
        }
    )


def _workers(n_jobs: int | None) -> int:
    if n_jobs is None:
        return 1
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        raise ValueError(f"n_jobs={n_jobs!r} must be a whole number of workers, or -1 for all cores.")
    return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
