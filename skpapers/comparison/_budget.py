"""Which fit runs next, on how many rows, so that every candidate has a row when the budget of seconds is spent.

Every candidate is first fitted once on few rows, which shows what it costs. Then all of them, cheap ones first, run on
all folds of a sample. What is left of the budget raises them to all rows or, if these take more than a candidate's
share, to the largest sample that fits. Sizes grow at most tenfold at a time, and each step updates the estimated costs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from skpapers.comparison._costs import PRIOR_SECONDS, Cost
from skpapers.comparison._records import Key

# Training rows of the first fit of a large table, and of the first sample. A table of twice as many needs no sample.
PROBE_ROWS = 200
SAMPLE_ROWS = 2000
# Sizes of samples: round numbers for the reader.
SIZES = tuple(digit * 10**power for power in range(2, 9) for digit in (1, 2, 5) if digit * 10**power >= PROBE_ROWS)
_GROWTH = 10
# Timestamps of a sample at least, without those that labels take.
_LEAST_TIMES = 10
# Part of the budget for the first samples of all candidates.
_FIRST_PART = 0.5
# A candidate whose rows cost less than this part of the budget does not wait for the samples of the others.
_CHEAP_PART = 0.01
# A step is stopped when it has taken so many times its share, or so many times its estimate; at least so many seconds,
# and this part of the budget, it may take in any case.
_PATIENCE = 1.5
_SURPRISE = 10.0
_LEAST_SECONDS = 2.0
_LEAST_PART = 0.02
# Part of the budget after which the first fit of a candidate is stopped.
_PROBE_PART = 0.25
# Part of its share that an estimator with a time limit uses.
LIMIT_PART = 0.8


@dataclass
class Step:
    """The fits of one size that a candidate's row needs: its own and those of its baseline.

    Parameters
    ----------
    candidate : str
    max_rows : int or None
        The most training rows, None for all.
    keys : list of Key
        The fits that wait.
    estimate : float
        Estimated seconds of all of them.
    limit : float
        Seconds after which they are stopped.
    share : float
        Seconds for a time limit of the estimators.
    first : bool
        Whether the candidate has no row yet.
    probe : bool
        Whether it is the first fit of the candidate.
    """

    candidate: str
    max_rows: int | None
    keys: list[Key]
    estimate: float
    limit: float
    share: float
    first: bool = False
    probe: bool = False
    running: set[Key] = field(default_factory=set)
    spent: float = 0.0


def least_rows(rows_per_time: float, longest_label: int) -> int:
    """Return the smallest sample of rows in the order of time whose own folds have rows on both sides.

    Parameters
    ----------
    rows_per_time : float
        Rows of a timestamp.
    longest_label : int
        Timestamps until a label is known.
    """
    needed = (_LEAST_TIMES + 2 * longest_label) * rows_per_time
    return next(size for size in SIZES if size >= max(PROBE_ROWS, needed))


class Planner:
    """Order the fits of a comparison.

    Parameters
    ----------
    baselines : mapping of str to str
        The names of all candidates, with the name of the baseline of each, "" if it has none.
    alone : collection of str
        The candidates that have a row: all but those that are baselines only.
    fold_rows : sequence of int
        Training rows of each fold.
    budget : float
        Seconds of the whole run, infinite for none.
    n_workers : int
    anytime : frozenset of str
        The candidates that end in time by themselves, with the best answer that they have found.
    least : int
        Rows of the smallest sample, one of `SIZES`.
    """

    def __init__(
        self,
        baselines: Mapping[str, str],
        alone: Sequence[str],
        fold_rows: Sequence[int],
        budget: float,
        n_workers: int,
        anytime: frozenset[str] = frozenset(),
        least: int = PROBE_ROWS,
    ) -> None:
        self.least = least
        self.sample = max(SAMPLE_ROWS, least)
        self.baselines = dict(baselines)
        self.alone = list(alone)
        self.fold_rows = list(fold_rows)
        self.most = max(self.fold_rows)
        self.work = budget * n_workers
        self.budget = budget
        self.n_workers = n_workers
        self.anytime = anytime
        self.costs = {name: Cost() for name in baselines}
        self.failures: dict[Key, bool] = {}  # the fits that are done, and whether they failed
        self.steps: list[Step] = []
        self.ceilings: dict[str, int] = {}  # a size that was stopped, by the candidate of its row
        self.given_up: set[str] = set()
        self.probing = {name: self._probe_sizes() for name in baselines}
        self.first_spent = 0.0

    def _probe_sizes(self) -> list[int | None]:
        """Return the sizes of a first fit: few rows of a large table; a small one is tried whole at first."""
        if self.most <= self.least:
            return [None]
        return [None, self.least] if self.most <= self.sample else [self.least]

    # ------------------------------------------------------------------ what is known

    def rows_of(self, key: Key) -> int:
        """Return the training rows of a fit."""
        rows = self.fold_rows[key.fold]
        return rows if key.max_rows is None else min(rows, key.max_rows)

    def keys(self, name: str, max_rows: int | None) -> list[Key]:
        """Return the fits of a candidate on all folds. A fold that has no more rows than the sample is used whole."""
        sizes = [None if max_rows is None or rows <= max_rows else max_rows for rows in self.fold_rows]
        return [Key(name, fold, size) for fold, size in enumerate(sizes)]

    def _team(self, name: str) -> list[str]:
        """Return a candidate's baseline, if it has one that runs, and the candidate."""
        baseline = self.baselines[name]
        return [baseline, name] if baseline and baseline not in self.given_up else [name]

    def _missing(self, name: str, max_rows: int | None) -> list[Key]:
        """Return the fits of this size that a row still needs."""
        under_way = {key for step in self.steps for key in (*step.keys, *step.running)}
        found = [key for member in self._team(name) for key in self.keys(member, max_rows)]
        return [key for key in found if key not in self.failures and key not in under_way]

    def is_complete(self, name: str, max_rows: int | None) -> bool:
        """Whether all fits of this size are done that a row needs."""
        return all(key in self.failures for member in self._team(name) for key in self.keys(member, max_rows))

    def sizes_of(self, name: str) -> list[int | None]:
        """Return the sizes at which a candidate has a fit, small ones first, all rows last."""
        sizes = {key.max_rows for key in self.failures if key.candidate == name}
        return sorted(sizes, key=lambda size: math.inf if size is None else size)

    def total(self) -> float:
        """Return the estimated seconds of a run of all candidates on all rows, from now on."""
        keys = {key for name in self.alone for key in self._missing(name, None)}
        return sum(self.costs[key.candidate].seconds(self.rows_of(key)) for key in keys) / self.n_workers

    def is_known(self) -> bool:
        """Whether every candidate was tried once."""
        return all(self.costs[name].fits or name in self.given_up for name in self.costs)

    def has_row(self, name: str) -> bool:
        """Whether a candidate has a complete row, of whatever size."""
        return self._done(name) > 0

    # ------------------------------------------------------------------ what comes next

    def start(self, elapsed: float, n_preparing: int = 0) -> tuple[Key, Step] | None:
        """Return the next fit and its step, None if no further one makes sense now.

        Parameters
        ----------
        elapsed : float
            Seconds since the run began.
        n_preparing : int, default=0
            Workers that import and compile for the first fit of a candidate.
        """
        step = next((step for step in self.steps if step.keys), None)
        if step is None:
            step = min(self._proposals(elapsed, n_preparing), key=lambda step: step.estimate, default=None)
            if step is None:
                return None
            self.steps.append(step)
        key = step.keys.pop(0)
        step.running.add(key)
        return key, step

    def _proposals(self, elapsed: float, n_preparing: int) -> Iterator[Step]:
        """Yield the next step of every candidate."""
        # one worker goes on while the others import and compile: two that compile the same would take no less time
        if n_preparing < max(1, self.n_workers - 1):
            yield from (self._probe(name) for name in self.costs if self._needs_probe(name))
        busy = {step.candidate for step in self.steps}
        waiting = [name for name in self.alone if name not in busy | self.given_up and not self._unknown(name)]
        first = [name for name in waiting if self._done(name) == 0]
        later = [name for name in waiting if self._done(name) not in (0, self.most)]
        unknown = sum(self._unknown(name) for name in self.alone)
        open_first = unknown + len(first)
        share = self._first_pool() / max(open_first, 1)
        yield from (self._first_step(name, share) for name in first)
        yield from self._later_steps(later, self._left(elapsed), open_first)

    def _later_steps(self, names: list[str], left: float, open_first: int) -> Iterator[Step]:
        """Yield the steps to more rows within equal shares of the time that is left.

        A candidate whose next step exceeds its share leaves it to the others, until one of them can use it.
        """
        for n_shares in range(len(names), 0, -1):
            steps = [self._later_step(name, left / (open_first + n_shares)) for name in names]
            found = [step for step in steps if step is not None]
            if open_first:  # the samples of the others come first
                found = [step for step in found if step.estimate <= _CHEAP_PART * self.work]
            if found or open_first:
                yield from found
                return

    def _needs_probe(self, name: str) -> bool:
        return not self.costs[name].fits and name not in self.given_up and not self._is_under_way(name)

    def _is_under_way(self, name: str) -> bool:
        return any(key.candidate == name for step in self.steps for key in (*step.keys, *step.running))

    def _unknown(self, name: str) -> bool:
        """Whether the costs of a row are not known yet."""
        return any(not self.costs[member].fits and member not in self.given_up for member in self._team(name))

    def _done(self, name: str) -> int:
        """Return the most training rows of a candidate's complete row, 0 without one."""
        complete = [size for size in self.sizes_of(name) if self.is_complete(name, size)]
        return 0 if not complete else self.most if complete[-1] is None else complete[-1]

    def _first_pool(self) -> float:
        """Return the seconds that are left for first samples."""
        running = sum(step.estimate for step in self.steps)
        return max(_FIRST_PART * self.work - self.first_spent - running, 0.0)

    def _left(self, elapsed: float) -> float:
        """Return the seconds of all workers that no running step needs."""
        running = sum(max(step.estimate - step.spent, 0.0) for step in self.steps)
        return max((self.budget - elapsed) * self.n_workers - running, 0.0)

    def _probe(self, name: str) -> Step:
        size = self.probing[name][0]
        share = self._first_pool() / len(self.costs)
        keys = self.keys(name, size)[:1]
        return Step(name, size, keys, PRIOR_SECONDS, _PROBE_PART * self.budget, share, first=True, probe=True)

    def _first_step(self, name: str, share: float) -> Step:
        """Return the step of the first sample, the largest that fits the share; the smallest is tried in any case."""
        small = self.most <= 2 * self.sample and self.most < self._ceiling(name)
        if self.most <= self.least or (small and self._affordable(name, None, share)):
            return self._step(name, None, share, first=True)
        sizes = [size for size in SIZES if self.least <= size <= self.sample]
        sizes = [size for size in sizes if size < min(self.most, self._ceiling(name))]
        fitting = [size for size in sizes if self._affordable(name, size, share)]
        return self._step(name, max(fitting, default=min(sizes, default=self.least)), share, first=True)

    def _later_step(self, name: str, share: float) -> Step | None:
        """Return the step to a larger sample, or to all rows; None if none is affordable, or one was stopped before."""
        if name in self.ceilings:
            return None
        done = self._done(name)
        reach = _GROWTH * done
        if self.most <= reach and self._affordable(name, None, share):
            return self._step(name, None, share)
        sizes = [size for size in SIZES if 2 * done <= size <= reach and size < self.most]
        fitting = [size for size in sizes if self._affordable(name, size, share)]
        return self._step(name, max(fitting), share) if fitting else None

    def _ceiling(self, name: str) -> float:
        return self.ceilings.get(name, math.inf)

    def _affordable(self, name: str, max_rows: int | None, share: float) -> bool:
        return self._bounded(name, max_rows, share) <= share

    def _bounded(self, name: str, max_rows: int | None, share: float) -> float:
        """Return the estimated seconds of a row; a candidate that ends in time needs no more than its share."""
        estimate = 0.0
        for member in self._team(name):
            keys = [key for key in self._missing(name, max_rows) if key.candidate == member]
            seconds = sum(self.costs[member].seconds(self.rows_of(key)) for key in keys)
            estimate += min(seconds, LIMIT_PART * share) if member in self.anytime else seconds
        return estimate

    def _step(self, name: str, max_rows: int | None, share: float, first: bool = False) -> Step:
        estimate = self._bounded(name, max_rows, share)
        limit = min(_PATIENCE * max(share, estimate), _SURPRISE * estimate)
        limit = max(limit, _LEAST_SECONDS, _LEAST_PART * self.work)
        return Step(name, max_rows, self._missing(name, max_rows), estimate, limit, share, first)

    # ------------------------------------------------------------------ what happened

    def finish(self, key: Key, fit_seconds: float, seconds: float, failed: bool) -> Step | None:
        """Take the result of a fit; return its step if that was the last fit of it."""
        self.failures[key] = failed
        self.costs[key.candidate].add(self.rows_of(key), fit_seconds, seconds)
        step = next((step for step in self.steps if key in step.running), None)
        if step is None:  # a result of an earlier run
            return None
        step.running.discard(key)
        step.spent += seconds
        if step.keys or step.running:
            return None
        self._close(step)
        return step

    def _close(self, step: Step) -> None:
        self.steps.remove(step)
        self.first_spent += step.spent * step.first

    def overdue(self, running: Mapping[Key, float]) -> list[Step]:
        """Return the steps that overrun their limits; `running` has the seconds of every fit under way."""
        return [
            step for step in self.steps if step.spent + sum(running.get(key, 0.0) for key in step.running) > step.limit
        ]

    def stop(self, step: Step, running: Mapping[Key, float]) -> None:
        """Give a step up. Its seconds so far are a lower bound of the cost of its size."""
        rows = self.most if step.max_rows is None else step.max_rows
        name = step.candidate
        step.spent += sum(running.get(key, 0.0) for key in step.running)
        self._close(step)
        self.ceilings[name] = min(rows, self.ceilings.get(name, rows))
        if step.probe and len(self.probing[name]) > 1:
            self.probing[name].pop(0)
            return
        if step.probe or (step.first and rows <= self.least):
            self.given_up.add(name)
        for key in step.running:
            seconds = running.get(key, 0.0)
            self.costs[key.candidate].add(self.rows_of(key), seconds, seconds)

    def best_size(self, name: str) -> int | None:
        """Return the size that a candidate's row reports: the largest complete one, without failures if there is one.

        Raises
        ------
        LookupError
            If it has no fit at all.
        """
        sizes = self.sizes_of(name)
        if not sizes:
            raise LookupError(f"{name} has no fit.")
        complete = [size for size in sizes if self.is_complete(name, size)]
        sound = [size for size in complete if not self._has_failures(name, size)]
        if sound or complete:
            return (sound or complete)[-1]
        return max(sizes, key=lambda size: sum(key in self.failures for key in self.keys(name, size)))

    def _has_failures(self, name: str, max_rows: int | None) -> bool:
        return any(self.failures[key] for member in self._team(name) for key in self.keys(member, max_rows))
