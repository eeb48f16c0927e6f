"""What a network learns of several tasks: one column for each task, with missing entries."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from skpapers._torch import losses
from skpapers._torch.rows import Rows
from skpapers._torch.scaling import in_unit
from skpapers._torch.targets import Target

Losses = Callable[[Tensor, Tensor], Tensor]  # outputs (b, n_outputs) and y (b, m) to (b, m)


@dataclass(frozen=True, eq=False)
class TaskTarget(Target):
    """What both kinds have in common. Read rows hold numbers of shape (n, m), and NaN where a label is missing.

    Parameters
    ----------
    tasks : ndarray of shape (m,) or None
        Identifiers of the tasks. None: they are numbered.

    stacked : bool
        Whether the rows of training came with a task each.

    task_weights : tuple of float or None
        Factors of the tasks' losses. None: all are 1.
    """

    tasks: NDArray | None = None
    stacked: bool = False
    task_weights: tuple[float, ...] | None = None

    finite = "allow-nan"

    @property
    def known_tasks(self) -> NDArray:
        """The identifiers, once they are known."""
        assert self.tasks is not None
        return self.tasks

    @property
    @abstractmethod
    def widths(self) -> list[int]:
        """Number of outputs of each task."""

    @property
    def columns(self) -> NDArray[np.bool_]:
        """Which outputs belong to a task, of shape (m, n_outputs)."""
        owner = np.repeat(np.arange(len(self.widths)), self.widths)
        return owner == np.arange(len(self.widths))[:, np.newaxis]

    def with_tasks(self, m: int) -> Self:
        """Return the target for m columns.

        Raises
        ------
        ValueError
            If another number of tasks is known, or another number of weights was given.
        """
        tasks = np.arange(m) if self.tasks is None else self.tasks
        if len(tasks) != m:
            raise ValueError(f"y has {m} columns, and the model has {len(tasks)} tasks.")
        weights = self.task_weights
        if weights is not None and len(weights) != m:
            raise ValueError(f"task_weights has {len(weights)} entries, and there are {m} tasks.")
        return replace(self, tasks=tasks)

    def check_missing(self, y: NDArray, *, all_tasks: bool) -> None:
        """Raise an error if labels of a single task are missing, or for `all_tasks` those of some task in every row."""
        missing = np.isnan(y)
        if y.shape[1] == 1 and missing.any():
            raise ValueError("Input y contains NaN; labels may be missing only where there are several tasks.")
        empty = np.flatnonzero(missing.all(axis=0))
        if all_tasks and len(empty):
            raise ValueError(f"Task {self.known_tasks[empty[0]]!s} has no label in the rows to train on.")

    def weigh(self, y: NDArray, weight: NDArray | None, *, allow_all_zero: bool = False) -> NDArray | None:
        """Return the row weights; a row without any label weighs nothing."""
        useful = ~np.isnan(y).all(axis=1)
        return weight if useful.all() else useful * (1.0 if weight is None else weight)

    def label_weights(self, y: NDArray, weight: NDArray | None) -> NDArray[np.float64]:
        """Return the weight of each label in its task's loss, of shape (n, m).

        The mean over the rows is the weight of the task times the mean of the row weights, which is 1 in `fit`.

        Parameters
        ----------
        y : ndarray of shape (n, m)
            All rows of this training.

        weight : ndarray of shape (n,) or None
            Their weights.
        """
        known = ~np.isnan(y)
        row_weight = np.ones(len(y)) if weight is None else weight
        found = self._weights_of_labels(y, known, row_weight)
        means = found.mean(axis=0)
        factors = self._factors(y.shape[1]) * row_weight.mean()
        return found * np.divide(factors, means, out=np.zeros_like(means), where=means > 0.0)

    def _factors(self, m: int) -> NDArray[np.float64]:
        """Return the factors of the tasks' losses."""
        return np.ones(m) if self.task_weights is None else np.asarray(self.task_weights)

    def _weights_of_labels(self, y: NDArray, known: NDArray[np.bool_], weight: NDArray) -> NDArray[np.float64]:
        return known * weight[:, np.newaxis]

    @abstractmethod
    def task_losses(self) -> Losses:
        """Return the loss of each label, a function of outputs and encoded rows."""

    def loss(self) -> losses.Loss:
        """Return the loss of each row: the sum over the tasks."""
        of_labels = self.task_losses()
        return lambda outputs, y: of_labels(outputs, y).sum(dim=-1)

    def _mean_over_tasks(self, of_labels: NDArray, rows: Rows[NDArray]) -> float:
        """Return the mean over the tasks, with their weights, of the mean over the known labels of a task."""
        weight = _weights_of_known(rows)
        totals = weight.sum(axis=0)
        means = np.divide((weight * of_labels).sum(axis=0), totals, out=np.zeros(len(totals)), where=totals > 0)
        return float(np.average(means, weights=self._factors(len(totals)) * (totals > 0)))

    def check_held(self, rows: Rows[NDArray]) -> None:
        """Raise an error if validation rows have no label that counts."""
        counts = _weights_of_known(rows).any(axis=0) * self._factors(rows.y.shape[1])
        if not counts.any():
            raise ValueError(
                "The validation rows of early_stopping have no label with a weight above 0; give other X_val and "
                "y_val, use validation_split='random', or set early_stopping=False."
            )


def _weights_of_known(rows: Rows[NDArray]) -> NDArray:
    """Return the row weights of the known labels, and 0 for the missing ones; of shape (n, m)."""
    known = ~np.isnan(rows.y)
    weight = in_unit(rows.weight)  # sums of huge weights may be infinite
    return known if weight is None else known * weight[:, np.newaxis]
