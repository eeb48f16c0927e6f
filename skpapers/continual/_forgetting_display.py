"""A plot of the scores of every task after each task, which shows forgetting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skpapers.continual._learned_tasks import read_ids
from skpapers.continual._task_scores import average_score, backward_transfer, score_by_task


class ForgettingDisplay:
    """Scores of every task after each task, as a heat map.

    Reading down a column shows how the score of one task changes while others are learned.

    Parameters
    ----------
    scores : array-like of shape (n_tasks, n_tasks)
        As :func:`score_by_task` returns them: row t after task t, column j on the rows of task j.

    tasks : array-like of shape (n_tasks,), default=None
        Their names; None numbers them.

    Attributes
    ----------
    average_score_ : float
        Mean score after the last task (ACC).

    backward_transfer_ : float
        Mean change of a task's score since its own end (BWT).

    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    score_by_task : Makes the scores.
    GPMClassifier : A network that forgets little.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skpapers.continual import ForgettingDisplay
    >>> display = ForgettingDisplay([[0.9, 0.1], [0.7, 0.9]], [2008, 2020]).plot()
    >>> round(display.backward_transfer_, 3)
    -0.2
    """

    def __init__(self, scores: ArrayLike, tasks: ArrayLike | None = None) -> None:
        self.average_score_ = average_score(scores)
        self.backward_transfer_ = backward_transfer(scores)
        self.scores = np.asarray(scores, dtype=np.float64)
        self.tasks = np.arange(len(self.scores)) if tasks is None else np.asarray(tasks)
        if len(self.tasks) != len(self.scores):
            raise ValueError(f"There are {len(self.scores)} rows of scores, and {len(self.tasks)} names of tasks.")

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        task: ArrayLike,
        *,
        X_test: Any = None,
        y_test: Any = None,
        task_test: ArrayLike | None = None,
        ax: Any = None,
    ) -> ForgettingDisplay:
        """Let a clone of an estimator learn task after task, and draw its scores.

        Parameters
        ----------
        estimator : estimator object
            Any estimator with `partial_fit`; it is cloned.

        X, y : array-like
            Training rows.

        task : array-like of shape (n_samples,)
            Id of each row's task; tasks are learned in ascending order.

        X_test, y_test, task_test : array-like, default=None
            Rows of the same tasks to score on. None scores on the training rows.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ForgettingDisplay
        """
        scores = score_by_task(estimator, X, y, task, X_test=X_test, y_test=y_test, task_test=task_test)
        return cls(scores, np.unique(read_ids(task, len(np.ravel(task))))).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> ForgettingDisplay:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ForgettingDisplay
            The display itself.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(figsize=(5, 4), layout="constrained")
        low, high = np.nanmin(self.scores), np.nanmax(self.scores)
        ax.imshow(self.scores, vmin=low, vmax=high, cmap="viridis")
        for (t, j), score in np.ndenumerate(self.scores):
            if np.isfinite(score):
                color = "black" if score > (low + high) / 2 else "white"
                ax.text(j, t, f"{score:.2f}", ha="center", va="center", color=color)
        names = [str(task) for task in self.tasks]
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(names)), names)
        ax.set(xlabel="score of task", ylabel="after task")
        ax.set_title(f"ACC {self.average_score_:.3f}, BWT {self.backward_transfer_:+.3f}")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
