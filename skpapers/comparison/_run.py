"""Every candidate is fitted on every fold, within the budget of the run; what goes wrong becomes a note."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skpapers.comparison._budget import LIMIT_PART, PROBE_ROWS, Planner, Step, least_rows
from skpapers.comparison._checkpoint import Checkpoint
from skpapers.comparison._jobs import Workers, workers
from skpapers.comparison._problem import Problem
from skpapers.comparison._progress import Progress, duration, progress
from skpapers.comparison._records import Candidate, Fits, Key, Outcome
from skpapers.comparison._setup import Setup
from skpapers.comparison._splits import Plan
from skpapers.comparison._worker import Table, first_line

# Part of a time limit's seconds that the estimator gets. The rest is for preprocessing and scoring.
_SHARE = 0.9
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?")
# Part of the budget that imports and compilation may take before they count as a fit that overruns.
_PREPARATION = 0.5


def table_of(problem: Problem) -> Table:
    """Return what the workers read of a table."""
    return Table(
        frame=problem.frame,
        y=problem.y,
        classes=problem.classes,
        dates=None if problem.times is None else pd.factorize(problem.times, sort=True)[0],
        per_row={"sample_weight": problem.sample_weight, "groups": problem.groups, **problem.metadata},
        metadata=tuple(problem.metadata),
        preprocessing=problem.preprocessing,
        metrics=problem.metrics,
    )


def _least_rows(plan: Plan) -> int:
    if plan.ranks is None:
        return PROBE_ROWS
    longest = plan.gap if plan.label_end is None else max(plan.gap, int((plan.label_end - plan.ranks).max()))
    return least_rows(len(plan.ranks) / len(np.unique(plan.ranks)), longest)


@dataclass
class Run:
    """The run of a comparison.

    Parameters
    ----------
    candidates : sequence of Candidate
    problem : Problem
    budget : float
        Seconds of the whole run, infinite for none.
    n_workers : int
    raw : collection of str
        The candidates that get the columns as they are.
    started : float
        When the run began, by `time.monotonic`.
    report : Progress
    checkpoint : Checkpoint or None
    """

    candidates: Sequence[Candidate]
    problem: Problem
    budget: float
    n_workers: int
    raw: frozenset[str]
    started: float
    report: Progress
    checkpoint: Checkpoint | None = None
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)  # why a step of a candidate was stopped
    interrupted: bool = False

    def __post_init__(self) -> None:
        built = [candidate for candidate in self.candidates if candidate.estimator is not None]
        self.setups = {c.name: Setup(c, self.problem, c.name in self.raw) for c in built}
        self.planner = Planner(
            {c.name: c.baseline if c.baseline in self.setups else "" for c in built},
            [c.name for c in built if c.kind != "baseline"],
            [len(train) for train, _ in self.problem.plan.folds],
            self.budget,
            self.n_workers,
            frozenset(name for name, setup in self.setups.items() if setup.is_anytime),
            _least_rows(self.problem.plan),
        )
        self._is_estimated = False

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return time.monotonic() - self.started

    def run(self) -> None:
        """Run until everything is done, the budget is spent, or the user interrupts."""
        for key, outcome in self.checkpoint.load() if self.checkpoint is not None else ():
            self._take(key, outcome)
        try:
            with workers(table_of(self.problem), self.n_workers) as team:
                while self.elapsed() < self.budget:
                    self._submit(team)
                    if not team.running:
                        break
                    for key, outcome in team.collect():
                        self._take(key, outcome)
                        if self.checkpoint is not None:
                            self.checkpoint.save(key, outcome)
                    self._end_overdue(team)
        except KeyboardInterrupt:
            if not self.outcomes:
                raise
            self.interrupted = True

    def _submit(self, team: Workers) -> None:
        """Keep every worker busy."""
        while team.is_free():
            found = self.planner.start(self.elapsed(), team.n_preparing())
            if found is None:
                return
            key, step = found
            train, test = self.problem.plan.folds[key.fold]
            try:
                job = self.setups[key.candidate].job(key, train, test, self._limit(step))
            except Exception as error:  # such as rows that are too few for folds inside the fold
                self._take(key, Outcome(error=first_line(error)))
                continue
            team.submit(job)
            self.report.started(key)

    def _limit(self, step: Step) -> float:
        """Return the seconds of an estimator with a time limit in one fit of a step."""
        return _SHARE * LIMIT_PART * step.share / len(self.problem.plan.folds)

    def _take(self, key: Key, outcome: Outcome) -> None:
        self.outcomes[key] = outcome
        step = self.planner.finish(key, outcome.fit_seconds, outcome.seconds, bool(outcome.error))
        self.report.fitted(key, outcome)
        if step is not None and not step.probe:
            found = self._outcomes_of(step.candidate, step.max_rows)
            self.report.row(step.candidate, step.max_rows, [outcome for outcome in found if outcome is not None])
        if not self._is_estimated and self.planner.is_known():
            self._is_estimated = True
            n_folds = len(self.problem.plan.folds)
            self.report.estimated(self.planner.total(), self.budget, len(self.planner.alone), n_folds)
        done = sum(self.planner.has_row(name) for name in self.planner.alone)
        left = min(self.planner.total(), max(self.budget - self.elapsed(), 0.0))
        self.report.advanced(done, len(self.planner.alone), left)

    def _end_overdue(self, team: Workers) -> None:
        seconds = team.seconds(_PREPARATION * self.budget)
        for step in self.planner.overdue(seconds):
            spent = step.spent + sum(seconds.get(key, 0.0) for key in step.running)
            rows = "all rows" if step.max_rows is None else f"{step.max_rows:,} rows"
            self.stopped[step.candidate] = f"stopped on {rows} after {duration(spent)}"
            self.report.stopped(step.candidate, self.stopped[step.candidate])
            team.end(step.running)
            self.planner.stop(step, seconds)

    def _outcomes_of(self, name: str, max_rows: int | None) -> list[Outcome | None]:
        return [self.outcomes.get(key) for key in self.planner.keys(name, max_rows)]

    # ------------------------------------------------------------------ the result

    def fits(self) -> Fits:
        """Return all outcomes, the size that each row reports, and the notes."""
        shown = {name: self.planner.best_size(name) for name in self.setups if self.planner.sizes_of(name)}
        outcomes = dict(self.outcomes)
        # a fold with no more rows than the sample was used whole: its fit counts for both sizes
        for name, size in shown.items():
            for member in filter(None, (name, self.planner.baselines[name])):
                for fold, key in enumerate(self.planner.keys(member, size)):
                    if key in outcomes:
                        outcomes[Key(member, fold, size)] = outcomes[key]
        notes = {candidate.name: self._notes(candidate, shown) for candidate in self.candidates}
        return Fits(outcomes, shown, notes, self.interrupted)

    def _notes(self, candidate: Candidate, shown: dict[str, int | None]) -> list[str]:
        """Describe what was cut short or went wrong in the fits that the row reports."""
        name = candidate.name
        if candidate.estimator is None:
            return [f"failed: {candidate.error}"]
        notes = list(self.setups[name].notes)
        if name not in shown:
            why = "the run was interrupted" if self.interrupted else f"the budget of {duration(self.budget)} was spent"
            return [*notes, self.stopped.get(name, f"not fitted: {why}")]
        size = shown[name]
        n_folds = len(self.problem.plan.folds)
        done = [outcome for outcome in self._outcomes_of(name, size) if outcome is not None]
        notes += self._cut_short(name, size, len(done), n_folds)
        notes += _failures(done, n_folds)
        for metric in self.problem.metrics:
            undefined = sum(not outcome.error and bool(np.isnan(outcome.scores[metric.name])) for outcome in done)
            if undefined:
                notes.append(f"{metric.label} undefined in {undefined} of {n_folds} folds")
        return notes + _warnings(done)

    def _cut_short(self, name: str, size: int | None, n_done: int, n_folds: int) -> list[str]:
        """Say why a row has less than all rows and folds."""
        if name not in self.planner.alone:
            return []
        notes = [self._why_sampled(name, size, n_folds)] if size is not None else []
        if n_done < n_folds:
            notes += [f"ended after {n_done} of {n_folds} folds", self.stopped.get(name, "")]
        return [note for note in notes if note]

    def _why_sampled(self, name: str, size: int, n_folds: int) -> str:
        """Say why a row shows a sample: a larger one failed, was stopped, or was too expensive."""
        for other in reversed(self.planner.sizes_of(name)):
            larger = other is None or other > size
            if larger and self.planner.is_complete(name, other):
                done = [outcome for outcome in self._outcomes_of(name, other) if outcome is not None]
                return f"with more rows {'; '.join(_failures(done, n_folds)) or 'its baseline failed'}"
        if name in self.stopped:
            return self.stopped[name]
        cost = self.planner.costs[name]
        seconds = sum(cost.seconds(rows) for rows in self.planner.fold_rows)
        return f"all rows would take about {duration(seconds)}"


def _warnings(done: list[Outcome]) -> list[str]:
    """Return the texts of warnings with their counts; texts that differ in numbers alone count as one."""
    counted = sum((Counter(outcome.warnings) for outcome in done), Counter())
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for text, count in sorted(counted.items()):
        kind = _NUMBER.sub("0", text)
        first.setdefault(kind, text)
        counts[kind] += count
    return [f"{first[kind]} (x{count})" for kind, count in counts.items()]


def _failures(done: list[Outcome], n_folds: int) -> list[str]:
    errors = [outcome.error for outcome in done if outcome.error]
    where = "" if len(errors) == n_folds else f" in {len(errors)} of {n_folds} folds"
    return [f"failed{where}: {errors[0]}"] if errors else []


def run_candidates(
    candidates: Sequence[Candidate],
    problem: Problem,
    *,
    budget: float,
    n_workers: int,
    verbose: int,
    raw: frozenset[str] = frozenset(),
    started: float | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fits:
    """Fit every candidate on every fold, or on samples of the folds, and note what went wrong.

    Parameters
    ----------
    candidates : sequence of Candidate
    problem : Problem
    budget : float
        Seconds of the whole run, infinite for none.
    n_workers : int
        Worker processes.
    verbose : int
        Whether the progress is reported on standard error.
    raw : frozenset of str
        The candidates that get the columns as they are.
    started : float, default=None
        When the run began, by `time.monotonic`; None for now.
    checkpoint : Checkpoint, default=None
        Where fits are kept.
    """
    began = time.monotonic() if started is None else started
    with progress(problem.metrics[0], verbose) as report:
        run = Run(candidates, problem, budget, n_workers, raw, began, report, checkpoint)
        run.run()
    return run.fits()
