"""The result of a comparison."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skpapers.comparison._display import Against, ComparisonDisplay
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits
from skpapers.comparison._summary import fold_scores, summarize
from skpapers.comparison._verdict import verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The title names at most so many classes.
_NAMED_CLASSES = 4


@dataclass(frozen=True)
class Comparison:
    """Cross-validated scores of methods, baselines and references on one table, returned by :func:`skpapers.compare`.

    Read it in a notebook or on a terminal, take the numbers with `to_frame`, and the scores of single folds with
    `fold_scores_`. A comparison can be pickled; it holds the table.

    Parameters
    ----------
    problem : Problem
        The table, the folds and the metrics.

    candidates : tuple of Candidate
        The estimators.

    fits : Fits
        The outcomes of all fits.

    command : str, default=""
        The command that reproduces the comparison, or the call of :func:`skpapers.compare`. In a call a value that is
        no short literal, such as the table, is written as the name of its parameter.

    notes : tuple of str, default=()
        What was done to the table, and what to beware of.

    Attributes
    ----------
    fold_scores_ : DataFrame
        One row for each candidate, fold and metric: candidate, kind, fold, max_rows, n_train, n_test, metric, score,
        fit_seconds (seconds). NaN if the estimator failed or was stopped.

    best_method_ : str
        Name of the row with the best score; see `verdict` for those that cannot be told apart from it.

    best_estimator_ : Pipeline
        The best method with its preprocessing, fitted on all rows when it is first used. A method that was fitted on a
        sample is fitted on as many rows as its row says.

    verdict : str
        Which methods are best, in words.

    title : str
        Rows, columns, task, metric and folds in one line.

    metric : str
        Name of the metric that decides.

    task : {"classification", "regression"}
        The task that was solved.

    See Also
    --------
    skpapers.compare : Make one.
    ComparisonDisplay : Its picture.

    Examples
    --------
    >>> from skpapers import compare
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True, as_frame=True)
    >>> result = compare(X[:200], y[:200], methods=["HS tree"], references=[], cv=2)
    >>> result.task, result.metric
    ('classification', 'accuracy')
    """

    problem: Problem = field(repr=False)
    candidates: tuple[Candidate, ...]
    fits: Fits = field(repr=False)
    command: str = ""
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table of `to_frame`."""
        return summarize(self.problem, self.candidates, self.fits)

    @cached_property
    def fold_scores_(self) -> pd.DataFrame:
        """The scores of single folds."""
        return fold_scores(self.problem, self.candidates, self.fits)

    @property
    def task(self) -> str:
        """The task."""
        return self.problem.task

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return self.problem.metrics[0].name

    @property
    def metric_label(self) -> str:
        """The metric that decides, as tables name it."""
        return self.problem.metrics[0].label

    @property
    def folds(self) -> str:
        """The folds in words."""
        return self.problem.plan.name

    @property
    def n_rows(self) -> int:
        """Rows with a target."""
        return len(self.problem.y)

    @property
    def n_columns(self) -> int:
        """Features before preprocessing."""
        return self.problem.frame.shape[1]

    @property
    def title(self) -> str:
        """Rows, columns, task, metric and folds in one line."""
        problem = self.problem
        balance = "" if problem.classes is None else f" ({class_balance(problem.y)})"
        size = f"{self.n_rows} rows, {self.n_columns} columns"
        return f"{size}, {self.task}{balance}, {self.metric_label}, {self.folds}"

    @cached_property
    def verdict(self) -> str:
        """Which methods are best, in words."""
        return verdict(self.problem, self.candidates, self.fits)

    @property
    def how_to_read(self) -> str:
        """What the differences and intervals of the table mean."""
        from skpapers.comparison._text import how_to_read

        return how_to_read(self.frame)

    @property
    def best_method_(self) -> str:
        """The row with the best score, "" without a score."""
        scored = self.frame[self.frame["score"].notna()]
        return "" if scored.empty else str(scored["method"].iloc[0])

    @cached_property
    def best_estimator_(self) -> Pipeline:
        """The best method fitted on all rows, or on as many as its row says; fitted when it is first used.

        It takes a table with the columns of X.
        """
        from skpapers.comparison._refit import refit

        best = next((candidate for candidate in self.candidates if candidate.name == self.best_method_), None)
        if best is None:
            raise ValueError("There is no best estimator: no method has a score.")
        return refit(self.problem, best, self.fits.shown.get(best.name))

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame of its own.

        Returns
        -------
        DataFrame
            One row for each method, reference and estimator of your own, the best first; see the notes.

        Notes
        -----
        The columns are

        - method, kind: the name; "method", "reference" or "own"
        - estimator, code: what to import, and the expression that builds it with its parameters
        - paper: title and venue
        - rows: "", or such as "on 20,000 rows" for a method that was cut short, and "2 of 5 folds" for one that lacks
          scores of some folds
        - score, sd: mean and standard deviation over the folds of the first metric, a loss as a positive number;
          further metrics have a column each; "rank IC t" is the Newey-West t-value of the mean rank IC over all dates,
          "deflated Sharpe" the probability that the true ratio is above the best of as many methods without skill
        - baseline, baseline_score, difference, interval_low, interval_high, p_value: the gain over the method's own
          baseline on the same folds, positive if the method is better, with its interval and p-value, both
          Holm-adjusted for the number of methods
        - reference, reference_difference, reference_low, reference_high: the same against the best reference
        - fit_seconds, baseline_fit_seconds: mean seconds of a fit
        - certificate: "optimal", "gap 1.2%", or "" if none is given
        - notes: what failed, was stopped, or warned
        """
        return self.frame.copy()

    def to_markdown(self) -> str:
        """Return the table, the verdict, the code of every row and the notes as Markdown.

        Returns
        -------
        str
        """
        from skpapers.comparison._markup import markdown

        return markdown(self)

    def plot(self, *, against: Against = "baseline", ax: Axes | None = None) -> ComparisonDisplay:
        """Draw the paired differences with their intervals.

        Parameters
        ----------
        against : {"baseline", "reference"}, default="baseline"
            What is subtracted: each method's own baseline, or the best reference.

        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ComparisonDisplay
            With `ax_` and `figure_`.
        """
        return ComparisonDisplay(self.frame, metric=self.metric_label, against=against).plot(ax=ax)

    def report(self, path: str | Path, *, name: str = "Comparison") -> Path:
        """Write a report: one HTML file that needs no network.

        It has the table, which sorts by any column, with the differences and their intervals as a picture; the scores
        of every fold; scores over the test windows of folds in time, and the rank information coefficient of a panel
        over its dates; a calibration curve or residuals, out of fold; permutation importances of the best method; the
        optimal tree; the notes; and the code of every row.

        Parameters
        ----------
        path : str or Path
            The file, such as "report.html". Its folder must exist.

        name : str, default="Comparison"
            The heading.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            If the path is a folder, or its folder does not exist.

        Notes
        -----
        Two fits are made for it: the best method on the training rows of the last fold, for its importances, and the
        optimal tree on all rows, for at most 30 seconds.
        """
        from skpapers.comparison._report import write_report

        return write_report(self, path, name)

    def __repr__(self) -> str:
        from rich.console import Console

        from skpapers.comparison._text import result_text

        width = shutil.get_terminal_size().columns
        return result_text(self, "", Console(file=io.StringIO(), width=width, highlight=False)).rstrip("\n")

    def _repr_html_(self) -> str:
        from skpapers.comparison._markup import html

        return html(self)


def class_balance(y: np.ndarray) -> str:
    """Return the shares of the classes, the largest first; of many classes the number and the range.

    Examples
    --------
    >>> import numpy as np
    >>> class_balance(np.array(["no", "no", "no", "yes"]))
    'no: 75 %, yes: 25 %'
    >>> class_balance(np.repeat(np.arange(8), [1, 1, 1, 1, 1, 1, 1, 3]))
    '8 classes of 10 to 30 %'
    """
    classes, counts = np.unique(y, return_counts=True)
    shares = [_percent(count / len(y)) for count in counts]
    if len(classes) > _NAMED_CLASSES:
        return f"{len(classes)} classes of {_percent(counts.min() / len(y))} to {_percent(counts.max() / len(y))} %"
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{classes[place]}: {shares[place]} %" for place in order)


def _percent(share: float) -> str:
    """Write a share in percent, with two digits near 0 and near 100."""
    percent = 100 * share
    return f"{percent:.0f}" if 9.5 <= percent <= 90.5 else f"{percent:.1f}"
