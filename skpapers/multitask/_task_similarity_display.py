"""Heat map of how the tasks' gradients agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

SHOWN = ("measured", "target")


class TaskSimilarityDisplay:
    """Heat map of the cosines between the gradients of tasks.

    Use :meth:`from_estimator` for a fitted :class:`GradVacClassifier` or :class:`GradVacRegressor`.

    Parameters
    ----------
    similarity : array-like of shape (n_tasks, n_tasks)
        Cosines; NaN where none was measured. The diagonal is left blank.

    tasks : array-like of shape (n_tasks,), default=None
        Names of the tasks; None numbers them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    im_ : matplotlib AxesImage
        The image.

    See Also
    --------
    GradVacClassifier : Several tasks of classes.
    GradVacRegressor : Several targets.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from skpapers.multitask import GradVacRegressor, TaskSimilarityDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> Y = np.column_stack([X[:, 0], X[:, 0] + 0.1 * X[:, 1], -X[:, 0]])
    >>> model = GradVacRegressor((16,), max_iter=5, random_state=0).fit(X, Y)
    >>> display = TaskSimilarityDisplay.from_estimator(model)
    >>> display.similarity.shape
    (3, 3)
    """

    def __init__(self, similarity: ArrayLike, tasks: ArrayLike | None = None) -> None:
        self.similarity = np.asarray(similarity, dtype=np.float64)
        if self.similarity.ndim != 2 or self.similarity.shape[0] != self.similarity.shape[1]:
            raise ValueError(f"similarity must be a square matrix, got shape {self.similarity.shape}.")
        self.tasks = np.arange(len(self.similarity)) if tasks is None else np.asarray(tasks)
        if len(self.tasks) != len(self.similarity):
            raise ValueError(f"tasks has {len(self.tasks)} names, and similarity has {len(self.similarity)} rows.")

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, kind: str = "measured", epochs: int | None = None, ax: Any = None
    ) -> TaskSimilarityDisplay:
        """Draw the similarities of a fitted model.

        Parameters
        ----------
        estimator : GradVacClassifier or GradVacRegressor
            A fitted model of two tasks or more, not of `method="sum"`.

        kind : {"measured", "target"}, default="measured"
            "measured" shows the mean cosines of the epochs, before the correction; "target" shows
            `target_similarity_`, averaged over the groups of parameters.

        epochs : int, default=None
            Number of last epochs to average, for "measured"; None averages all.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : TaskSimilarityDisplay
            The display, with the plot.

        Raises
        ------
        ValueError
            If the model has no similarities, or an argument is outside its range.
        """
        check_is_fitted(estimator)
        if kind not in SHOWN:
            raise ValueError(f'kind must be "measured" or "target", got {kind!r}.')
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {epochs!r}.")
        if estimator.similarity_history_ is None:
            raise ValueError('The model has no similarities: it has one task, or was fitted with method="sum".')
        if kind == "measured":
            similarity = _mean(estimator.similarity_history_[-epochs if epochs else 0 :])
        else:
            m = estimator.n_tasks_
            similarity = np.asarray(estimator.target_similarity_).reshape(-1, m, m).mean(axis=0)
        return cls(similarity, estimator.tasks_).plot(ax=ax)

    def plot(self, *, ax: Any = None, cmap: str = "RdBu", values_format: str = ".2f") -> TaskSimilarityDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        cmap : str, default="RdBu"
            Colours from -1 to 1.

        values_format : str, default=".2f"
            Format of the numbers in the cells.

        Returns
        -------
        display : TaskSimilarityDisplay
            The display itself.
        """
        if ax is None:
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(layout="constrained")
        shown = np.where(np.eye(len(self.similarity), dtype=bool), np.nan, self.similarity)
        self.im_ = ax.imshow(shown, cmap=cmap, vmin=-1.0, vmax=1.0)
        for (i, j), value in np.ndenumerate(shown):
            if not np.isnan(value):
                dark = abs(value) > 0.6
                text = format(value, values_format)
                ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
        numbers = np.arange(len(self.tasks))
        ax.set_xticks(numbers, [str(task) for task in self.tasks], rotation=45, ha="right")
        ax.set_yticks(numbers, [str(task) for task in self.tasks])
        ax.figure.colorbar(self.im_, ax=ax, label="cosine of the gradients")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


def _mean(history: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over epochs of what was measured; NaN where nothing was."""
    known = ~np.isnan(history)
    counts = known.sum(axis=0)
    sums = np.where(known, history, 0.0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
