"""The result of a comparison: a table, a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits
from skpapers.comparison._summary import fold_scores, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Comparison:
    """Cross-validated scores of methods and their baselines on one table, returned by :func:`skpapers.compare`.

    Read it in a notebook, or take the numbers with `to_frame`, the scores of single folds with `fold_scores_`.

    Parameters
    ----------
    problem : Problem
        The table, the folds and the metrics. A pickled comparison holds the table.

    candidates : tuple of Candidate
        The estimators.

    fits : Fits
        The outcomes of all fits.

    command : str, default=""
        The command that reproduces the comparison.

    notes : tuple of str, default=()
        What was done to the table, and what to beware of.

    Attributes
    ----------
    fold_scores_ : DataFrame
        One row for each candidate, fold and metric: candidate, kind, fold, max_rows, n_train, n_test, metric, score,
        fit_seconds (seconds). NaN where an estimator failed or was stopped.

    task : {"classification", "regression"}
        The task that was solved.

    metric : str
        Name of the metric that decides; greater is better.

    folds : str
        The cross-validation in words.

    n_rows, n_columns : int
        Rows with a target, and features before preprocessing.

    See Also
    --------
    skpapers.compare : Make one.
    ComparisonDisplay : Its picture.

    Examples
    --------
    >>> from skpapers import compare
    >>> from skpapers.datasets import load_raisin
    >>> X, y = load_raisin(return_X_y=True, as_frame=True)
    >>> result = compare(X[:200], y[:200], methods=["HS tree"], cv=2)
    >>> result.task, result.metric
    ('classification', 'accuracy')
    """

    problem: Problem = field(repr=False)
    candidates: tuple[Candidate, ...]
    fits: Fits = field(repr=False)
    command: str = ""
    notes: tuple[str, ...] = field(default=())

    how_to_read: ClassVar[str] = (
        "difference = score of the method minus score of its baseline over the same folds, with its 95% interval "
        "(Nadeau and Bengio's corrected t): above 0 the method is better, below 0 the baseline; an interval that holds "
        "0 does not decide."
    )

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
        """Rows, columns, task, folds and metric in one line."""
        return f"{self.n_rows} rows, {self.n_columns} columns | {self.task} | {self.folds} | {self.metric}"

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame of its own.

        Returns
        -------
        DataFrame
            One row per method: method, paper, score and sd (mean and standard deviation over the folds that the method
            and its baseline completed; over its own where they share none), baseline (its class), baseline_score,
            difference, interval_low, interval_high (95%), fit_seconds and baseline_fit_seconds (mean per fold),
            certificate ("optimal", "gap 1.2%", or "" where none is given), notes.
        """
        return self.frame.copy()

    def plot(self, ax: Axes | None = None) -> ComparisonDisplay:
        """Draw the paired differences with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ComparisonDisplay
            With `ax_` and `figure_`.
        """
        return ComparisonDisplay(self.frame, metric=self.metric).plot(ax=ax)

    def __repr__(self) -> str:
        return "\n".join([self.title, self.frame.to_string(index=False, float_format="{:.4g}".format), *self.notes])

    def _repr_html_(self) -> str:
        table = self.frame.to_html(index=False, float_format="{:.4g}".format, na_rep="", border=0)
        lines = "".join(f"<p>{escape(note)}</p>" for note in (*self.notes, self.how_to_read))
        return f"<div><p><b>{escape(self.title)}</b></p>{table}{lines}</div>"


class ComparisonDisplay:
    """Paired differences between methods and their baselines, each with its 95% interval, and the zero line.

    Use :meth:`Comparison.plot`, or the class where a saved table is at hand.

    Parameters
    ----------
    frame : DataFrame
        The table of :meth:`Comparison.to_frame`.

    metric : str, default="score"
        Name of the metric on the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the differences are drawn.

    figure_ : matplotlib Figure
        The figure of `ax_`.

    lines_ : matplotlib ErrorbarContainer
        The points with their intervals.

    See Also
    --------
    skpapers.compare : Cross-validates methods and baselines.

    Examples
    --------
    >>> import pandas as pd
    >>> from skpapers.comparison import ComparisonDisplay
    >>> row = {"method": "A", "baseline": "B", "difference": 0.1, "interval_low": -0.1, "interval_high": 0.3}
    >>> display = ComparisonDisplay(pd.DataFrame([row]), metric="r2").plot()
    >>> display.ax_.get_xlabel()
    'difference in r2, method - baseline, 95% interval'
    """

    def __init__(self, frame: pd.DataFrame, *, metric: str = "score") -> None:
        self.frame = frame
        self.metric = metric

    def plot(self, ax: Axes | None = None) -> ComparisonDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ComparisonDisplay
            Itself.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(7, 1.2 + 0.5 * len(self.frame)), layout="constrained")
        difference = self.frame["difference"].to_numpy(dtype=float)
        bounds = self.frame[["interval_low", "interval_high"]].to_numpy(dtype=float)
        lengths = np.nan_to_num(np.abs(bounds - difference[:, None]).T)
        places = np.arange(len(self.frame))
        ax.axvline(0.0, color="0.6", linewidth=1)
        self.lines_ = ax.errorbar(difference, places, xerr=lengths, fmt="o", capsize=3)
        ax.set_yticks(places, [f"{method} - {base}" for method, base in zip(*self._names(), strict=True)])
        ax.set_ylim(len(self.frame) - 0.5, -0.5)
        ax.set_xlabel(f"difference in {self.metric}, method - baseline, 95% interval")
        self.ax_: Any = ax
        self.figure_: Figure | Any = ax.figure
        return self

    def _names(self) -> tuple[pd.Series, pd.Series]:
        return self.frame["method"], self.frame["baseline"]
