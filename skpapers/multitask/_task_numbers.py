"""Numbers of several tasks as the target of a network."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from torch import Tensor

from skpapers._torch import losses
from skpapers._torch.rows import Rows
from skpapers._torch.running import Statistics, no_statistics, update
from skpapers._torch.scaling import fit_target
from skpapers._torch.targets import LARGEST_TARGET, Numbers
from skpapers.multitask._task_targets import Losses, TaskTarget


@dataclass(frozen=True, eq=False)
class TaskNumbers(TaskTarget, Numbers):
    """Numbers for each task; the network sees each of them with location 0 and scale 1.

    Parameters
    ----------
    loss_names : tuple of str
        A loss for each task, or one for all. "log_loss" is for numbers from 0 to 1: the output is the log-odds.

    of_tasks : tuple of (Statistics or None)
        Statistics of each task over the rows in which its label was known; None if it has none.
    """

    loss_names: tuple[str, ...] = ("squared_error",)
    of_tasks: tuple[Statistics | None, ...] = ()

    @property
    def widths(self) -> list[int]:
        return [1] * self.n_outputs

    @property
    def names(self) -> tuple[str, ...]:
        """The loss of each task."""
        return self.loss_names * self.n_outputs if len(self.loss_names) == 1 else self.loss_names

    @property
    def is_probability(self) -> NDArray[np.bool_]:
        """Which tasks have log-odds as their output."""
        return np.array([name == "log_loss" for name in self.names])

    def read(self, y: NDArray, owner: str) -> tuple[Self, NDArray]:
        y = column_or_1d(y, warn=not self.stacked)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        target = replace(self.with_tasks(y.shape[1]), n_outputs=y.shape[1])
        if len(self.loss_names) not in (1, y.shape[1]):
            raise ValueError(f"loss has {len(self.loss_names)} entries, and there are {y.shape[1]} tasks.")
        largest = np.nanmax(np.abs(y), initial=0.0)
        if largest > LARGEST_TARGET:
            raise ValueError(f"y holds values as large as {largest:.3g}; at most {LARGEST_TARGET:.0e} is possible.")
        of_classes = y[:, target.is_probability]
        if np.any((of_classes < 0.0) | (of_classes > 1.0)):
            raise ValueError('A target of loss "log_loss" must hold numbers from 0 to 1.')
        return target, y

    def continued(self, before: Self) -> Self:
        target = replace(
            self, n_outputs=before.n_outputs, tasks=before.tasks, stacked=before.stacked, of_tasks=before.of_tasks
        )
        if len(target.names) == len(before.names) and (target.is_probability != before.is_probability).any():
            raise ValueError(
                f"A fitted task cannot change its loss to or from 'log_loss', as from {before.loss_names} to "
                f"{self.loss_names}: set loss back, or fit anew with warm_start=False."
            )
        return target

    def fitted(self, y: NDArray, weight: NDArray | None, enough: int) -> Self:
        before = self.of_tasks or (None,) * self.n_outputs
        columns = zip(before, self.names, y.T, strict=True)
        return replace(self, of_tasks=tuple(_of_task(old, name, x, weight, enough) for old, name, x in columns))

    def location_and_scale(self) -> tuple[NDArray, NDArray]:
        found = np.zeros((2, self.n_outputs))
        found[1] = 1.0
        for number, statistics in enumerate(self.of_tasks):
            if statistics is not None:
                found[:, number] = statistics.groups[-1].fitted["location_and_scale"][:, 0]
        return found[0], found[1]

    def encode(self, y: NDArray) -> NDArray:
        return np.nan_to_num(super().encode(y), nan=0.0)

    def _weights_of_labels(self, y: NDArray, known: NDArray[np.bool_], weight: NDArray) -> NDArray[np.float64]:
        varies = self.location_and_scale()[1] > 0  # a constant target is known without the network
        return known * varies * weight[:, np.newaxis]

    def task_losses(self) -> Losses:
        by_name: dict[str, list[int]] = {}
        for number, name in enumerate(self.names):
            by_name.setdefault(name, []).append(number)
        single = {
            name: losses.log_odds if name == "log_loss" else losses.REGRESSION[name](self.quantile) for name in by_name
        }
        if len(by_name) == 1:
            (one,) = single.values()
            return lambda outputs, y: _of_columns(one, outputs, y)

        def of_labels(outputs: Tensor, y: Tensor) -> Tensor:
            found = torch.empty_like(y)
            for name, numbers in by_name.items():
                found[:, numbers] = _of_columns(single[name], outputs[:, numbers], y[:, numbers])
            return found

        return of_labels

    def score(self, outputs: NDArray, rows: Rows[NDArray]) -> float:
        varies = self.location_and_scale()[1] > 0
        of_rows = torch.from_numpy(outputs.reshape(len(rows), -1) * varies)
        return -self._mean_over_tasks(self.task_losses()(of_rows, torch.from_numpy(self.encode(rows.y))).numpy(), rows)

    def predictions(self, outputs: NDArray) -> NDArray:
        """Return numbers for outputs in the units of the targets, of shape (n, m): probabilities for log-odds."""
        outputs = outputs.reshape(len(outputs), -1)
        of_logits = torch.sigmoid(torch.from_numpy(outputs)).numpy()
        return np.where(self.is_probability, of_logits, outputs)

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "tasks_": self.known_tasks, "n_tasks_": self.n_outputs}


def _of_columns(loss: losses.Loss, outputs: Tensor, y: Tensor) -> Tensor:
    """Return a loss of rows with one output for each column."""
    return loss(outputs.unsqueeze(-1), y if loss is losses.log_odds else y.unsqueeze(-1))


def _of_task(old: Statistics | None, name: str, x: NDArray, weight: NDArray | None, enough: int) -> Statistics | None:
    """Return the statistics of a task after the rows in which its label was known."""
    seen = ~np.isnan(x)
    if name == "log_loss" or not seen.any():
        return old
    weight = None if weight is None else weight[seen]
    fit = partial(_location_and_scale, robust=name == "huber")
    return update(old or no_statistics(1), x[seen, np.newaxis], weight, fit, enough)


def _location_and_scale(y: NDArray, weight: NDArray | None, *, robust: bool) -> dict[str, Any]:
    return {"location_and_scale": np.stack(fit_target(y, weight, robust=robust))}
