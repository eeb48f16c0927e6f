"""What the user sees during a run, on standard error: a bar on a terminal, lines of a log elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from skpapers.comparison._records import Key, Metric, Outcome

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


def duration(seconds: float) -> str:
    """Return seconds in words, to about two digits.

    Examples
    --------
    >>> [duration(s) for s in (0.034, 4.21, 61, 260, 7500)]
    ['0.03 s', '4.2 s', '1 min', '4 min', '2.1 h']
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 55:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def on_rows(max_rows: int | None) -> str:
    """Return the label of a sample."""
    return "" if max_rows is None else f"on {max_rows:,} rows"


class Progress(Protocol):
    """What a run reports."""

    def estimated(self, seconds: float, budget: float, n_candidates: int, n_folds: int) -> None:
        """Take the estimated seconds of everything on all rows, once every candidate was tried."""

    def started(self, key: Key) -> None:
        """Take the fit that begins."""

    def fitted(self, key: Key, outcome: Outcome) -> None:
        """Take a fit that is done."""

    def stopped(self, name: str, why: str) -> None:
        """Take a candidate whose fits were stopped."""

    def row(self, name: str, max_rows: int | None, outcomes: list[Outcome]) -> None:
        """Take the row of a candidate; a later one of more rows replaces it."""

    def advanced(self, done: int, total: int, seconds_left: float) -> None:
        """Take the number of candidates with a row, and the estimated time left."""


class Silence:
    """Report nothing."""

    def estimated(self, seconds: float, budget: float, n_candidates: int, n_folds: int) -> None:
        """Ignore it."""

    def started(self, key: Key) -> None:
        """Ignore it."""

    def fitted(self, key: Key, outcome: Outcome) -> None:
        """Ignore it."""

    def stopped(self, name: str, why: str) -> None:
        """Ignore it."""

    def row(self, name: str, max_rows: int | None, outcomes: list[Outcome]) -> None:
        """Ignore it."""

    def advanced(self, done: int, total: int, seconds_left: float) -> None:
        """Ignore it."""


def _estimate(seconds: float, budget: float, n_candidates: int, n_folds: int) -> str:
    what = f"for {n_candidates} methods x {n_folds} folds"
    if seconds <= budget:
        return f"about {duration(seconds)} {what}"
    return f"about {duration(seconds)} {what} on all rows; slow ones run on samples within {duration(budget)}"


def _row_line(metric: Metric, name: str, max_rows: int | None, outcomes: list[Outcome]) -> str:
    scores = np.array([metric.shown(outcome.scores.get(metric.name, np.nan)) for outcome in outcomes])
    known = scores[~np.isnan(scores)]
    seconds = np.array([outcome.fit_seconds for outcome in outcomes])
    score = f"{metric.label} {known.mean():.4g}" if len(known) else f"no {metric.label}"
    spread = f" +- {known.std(ddof=1):.2g}" if len(known) > 1 else ""
    fit = f", fit {duration(float(np.nanmean(seconds)))}" if not np.isnan(seconds).all() else ""
    return f"{name}: {score}{spread}{fit}{', ' * (max_rows is not None)}{on_rows(max_rows)}"


class Log:
    """Print a line for every fit and every row.

    Parameters
    ----------
    metric : Metric
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._start = time.monotonic()

    def _print(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:6.1f} s] {text}", file=sys.stderr, flush=True)

    def estimated(self, seconds: float, budget: float, n_candidates: int, n_folds: int) -> None:
        """Print the estimate."""
        self._print(_estimate(seconds, budget, n_candidates, n_folds))

    def started(self, key: Key) -> None:
        """Print nothing: the line of a fit follows when it is done."""

    def fitted(self, key: Key, outcome: Outcome) -> None:
        """Print method, fold, seconds and score."""
        score = self.metric.shown(outcome.scores.get(self.metric.name, np.nan))
        found = f"failed, {outcome.error}" if outcome.error else f"{self.metric.label} {score:.4g}"
        rows = f", {on_rows(key.max_rows)}" if key.max_rows is not None else ""
        self._print(f"{key.candidate}, fold {key.fold + 1}{rows}: {duration(outcome.seconds)}, {found}")

    def stopped(self, name: str, why: str) -> None:
        """Print why."""
        self._print(f"{name}: {why}")

    def row(self, name: str, max_rows: int | None, outcomes: list[Outcome]) -> None:
        """Print the mean score."""
        self._print(f"= {_row_line(self.metric, name, max_rows, outcomes)}")

    def advanced(self, done: int, total: int, seconds_left: float) -> None:
        """Print nothing."""


class Bar:
    """Show a bar with the current fit and the time left, and print rows above it.

    Parameters
    ----------
    metric : Metric
    display : rich Progress
        With a field `left`.
    """

    def __init__(self, metric: Metric, display: RichProgress) -> None:
        self.metric = metric
        self._display = display
        self._task = display.add_task("starting", total=None, left="")

    def _print(self, text: str) -> None:
        from rich.markup import escape

        self._display.console.print(escape(text), highlight=False)

    def estimated(self, seconds: float, budget: float, n_candidates: int, n_folds: int) -> None:
        """Print the estimate."""
        self._print(_estimate(seconds, budget, n_candidates, n_folds))

    def started(self, key: Key) -> None:
        """Show method and fold."""
        rows = f", {on_rows(key.max_rows)}" if key.max_rows is not None else ""
        self._display.update(self._task, description=f"{key.candidate}, fold {key.fold + 1}{rows}")

    def fitted(self, key: Key, outcome: Outcome) -> None:
        """Print nothing."""

    def stopped(self, name: str, why: str) -> None:
        """Print why."""
        self._print(f"{name}: {why}")

    def row(self, name: str, max_rows: int | None, outcomes: list[Outcome]) -> None:
        """Print the mean score."""
        self._print(_row_line(self.metric, name, max_rows, outcomes))

    def advanced(self, done: int, total: int, seconds_left: float) -> None:
        """Move the bar."""
        self._display.update(self._task, completed=done, total=total, left=f"{duration(seconds_left)} left")


@contextmanager
def progress(metric: Metric, verbose: int) -> Iterator[Progress]:
    """Yield what reports a run: nothing if `verbose` is 0."""
    if not verbose:
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield Log(metric)
        return
    columns = (
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.description}", markup=False),
    )
    with RichProgress(*columns, console=console, transient=True) as display:
        yield Bar(metric, display)
