"""Labels of several tasks as the target of a network."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from skpapers._labels import check_labels, missing_labels
from skpapers._torch import losses
from skpapers._torch.rows import Rows
from skpapers._weights import weigh_classes
from skpapers.multitask._task_rows import label_columns
from skpapers.multitask._task_targets import Losses, TaskTarget


@dataclass(frozen=True, eq=False)
class TaskClasses(TaskTarget):
    """Labels for each task: one logit for two classes, and one for each of three classes or more.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
        Weights of the classes, a dict for each task or one for all.

    classes : tuple of ndarray
        The classes of each task; empty until they are known.

    multiple : bool
        Whether y has several columns.
    """

    class_weight: Any = None
    classes: tuple[NDArray, ...] = ()
    multiple: bool = False

    dtype = None
    combine = "mean"

    @property
    def widths(self) -> list[int]:
        return [1 if len(classes) == 2 else len(classes) for classes in self.classes]

    @property
    def slices(self) -> list[slice]:
        """Outputs of each task."""
        ends = np.cumsum(self.widths).tolist()
        return [slice(end - width, end) for end, width in zip(ends, self.widths, strict=True)]

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (sum(self.widths),)

    @property
    def label_set(self) -> NDArray:
        """All labels of all tasks."""
        return np.unique(np.concatenate(self.classes))

    def check(self, y: Any) -> Any:
        y = label_columns(y)
        shape = np.asarray(y).shape
        return y if len(shape) == 2 and shape[1] > 1 else check_labels(y)

    def read(self, y: NDArray, owner: str) -> tuple[Self, NDArray]:
        y = column_or_1d(y, warn=not self.stacked)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        target = self.with_tasks(y.shape[1])
        codes = np.full(y.shape, np.nan)
        found = []
        for number, name in enumerate(target.known_tasks):
            of = f" of task {name!s}" if y.shape[1] > 1 else ""
            known = self.classes[number] if self.classes else None
            classes, codes[:, number] = _codes(y[:, number], known, owner, of)
            found.append(classes)
        for given, classes in zip(self._class_weights(y.shape[1]), found, strict=True):
            weigh_classes(given, classes, np.arange(len(classes)))  # an error if they leave no class
        return replace(target, classes=tuple(found), multiple=y.shape[1] > 1), codes

    def continued(self, before: Self) -> Self:
        return replace(
            self, classes=before.classes, tasks=before.tasks, stacked=before.stacked, multiple=before.multiple
        )

    def lacking(self, y: NDArray) -> list:
        lacking: list = []
        for classes, codes in zip(self.classes, y.T, strict=True):
            lacking += np.delete(classes, np.unique(codes[~np.isnan(codes)]).astype(int)).tolist()
        return lacking

    def encode(self, y: NDArray) -> NDArray:
        return np.nan_to_num(y, nan=0.0)

    def weigh(self, y: NDArray, weight: NDArray | None, *, allow_all_zero: bool = False) -> NDArray | None:
        if y.shape[1] > 1:
            return super().weigh(y, weight, allow_all_zero=allow_all_zero)
        # the class weights of a single task are row weights, by which the columns are scaled too
        codes = y[:, 0].astype(int)
        (class_weight,) = self._class_weights(1)
        return weigh_classes(class_weight, self.classes[0], codes, weight, allow_all_zero=allow_all_zero)

    def _weights_of_labels(self, y: NDArray, known: NDArray[np.bool_], weight: NDArray) -> NDArray[np.float64]:
        if y.shape[1] == 1:
            return super()._weights_of_labels(y, known, weight)
        found = np.zeros(y.shape)
        class_weights = self._class_weights(y.shape[1])
        for number, (classes, seen) in enumerate(zip(self.classes, known.T, strict=True)):
            if seen.any():
                codes = y[seen, number].astype(int)
                weighted = weigh_classes(class_weights[number], classes, codes, weight[seen], allow_all_zero=True)
                found[seen, number] = weighted
        largest = found.max(axis=0, initial=0.0)
        return found / np.where(largest > 0.0, largest, 1.0)  # sums of huge weights may be infinite

    def _class_weights(self, m: int) -> list:
        """Return the class weights of each task.

        Raises
        ------
        ValueError
            If a list does not hold those of each task.
        """
        if not isinstance(self.class_weight, list):
            return [self.class_weight] * m
        if len(self.class_weight) != m:
            raise ValueError(f"class_weight has {len(self.class_weight)} entries, and there are {m} tasks.")
        for given in self.class_weight:
            if given is not None and given != "balanced" and not isinstance(given, dict):
                raise ValueError(f'A list class_weight must hold dicts, "balanced" or None; it holds {given!r}.')
        return self.class_weight

    def task_losses(self) -> Losses:
        slices = self.slices
        if all(width == 1 for width in self.widths):
            return lambda outputs, y: losses.log_odds(outputs.unsqueeze(-1), y)
        of_classes = losses.cross_entropy()

        def of_labels(outputs: Tensor, y: Tensor) -> Tensor:
            found = [
                losses.log_odds(outputs[:, part], y[:, number])
                if part.stop - part.start == 1
                else of_classes(outputs[:, part], y[:, number].long())
                for number, part in enumerate(slices)
            ]
            return torch.stack(found, dim=1)

        return of_labels

    def score(self, outputs: NDArray, rows: Rows[NDArray]) -> float:
        return self._mean_over_tasks(self.codes(outputs) == rows.y, rows)

    def codes(self, outputs: NDArray) -> NDArray[np.intp]:
        """Return the numbers of the most probable classes, of shape (n, m)."""
        return np.stack([p.argmax(axis=1) for p in self.probabilities(outputs)], axis=1)

    def probabilities(self, outputs: NDArray) -> list[NDArray]:
        """Return the probabilities of each task's classes."""
        outputs = outputs.reshape(len(outputs), -1)
        return [_probabilities(torch.from_numpy(outputs[:, part])) for part in self.slices]

    def attributes(self) -> dict[str, Any]:
        classes: Any = self.label_set if self.stacked else list(self.classes) if self.multiple else self.classes[0]
        return {"classes_": classes, "tasks_": self.known_tasks, "n_tasks_": len(self.classes)}


def classes_of_tasks(classes: Any, n_tasks: int) -> tuple[NDArray, ...]:
    """Return the sorted classes of each task, given for each of them or once for all."""
    if classes is None:
        raise ValueError("The first call of partial_fit needs classes, all labels that will ever come.")
    of_each = list(classes)
    if not of_each or np.ndim(of_each[0]) == 0:
        of_each = [of_each] * n_tasks
    found = tuple(np.unique(np.asarray(of_task)) for of_task in of_each)
    if len(found) != n_tasks:
        raise ValueError(f"classes has {len(found)} arrays, and there are {n_tasks} tasks.")
    few = [known.tolist() for known in found if len(known) < 2]
    if few:
        raise ValueError(f"A task needs two classes or more; classes holds {few[0]}.")
    return found


def among_all_labels(p: NDArray, own: NDArray, label_set: NDArray) -> NDArray:
    """Return probabilities of a task's own classes as those of all labels."""
    spread = np.zeros((len(p), len(label_set)))
    spread[:, np.searchsorted(label_set, own)] = p
    return spread


def _probabilities(logits: Tensor) -> NDArray:
    if logits.shape[1] > 1:
        return torch.softmax(logits, dim=1).numpy()
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1).numpy()


def _codes(y: NDArray, classes: NDArray | None, owner: str, of: str) -> tuple[NDArray, NDArray]:
    """Return the classes of one task and the numbers of its labels, NaN where they are missing."""
    seen = ~missing_labels(y)
    values = np.array(y[seen].tolist()) if y.dtype == object else y[seen]
    if not of and not seen.all():
        raise ValueError("Input y contains NaN; labels may be missing only where there are several tasks.")
    if y.dtype == object and len({isinstance(label, str) for label in y[seen]}) > 1:
        raise ValueError(f"y{of} mixes strings with other labels.")
    if len(values):
        check_classification_targets(values)
    known = np.unique(values) if classes is None else classes
    if len(known) < 2:
        held = f"holds one class, {known.tolist()[0]!r}" if len(known) else "holds no label"
        raise ValueError(f"{owner} needs two classes or more; y{of} {held}.")
    unknown = np.setdiff1d(values, known).tolist()
    if unknown:
        raise ValueError(f"y{of} holds class {unknown[0]!r}, which is not among the classes known: {known.tolist()}.")
    codes = np.full(len(y), np.nan)
    codes[seen] = np.searchsorted(known, values)
    return known, codes
