"""Labels of several tasks: one column for each task, or stacked rows with the task of each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from skpapers._labels import label_values, missing_labels


def read_tasks(task: Any, n: int, known: NDArray | None = None) -> tuple[NDArray, NDArray[np.intp]]:
    """Return the tasks, and the number of each row's task among them.

    Parameters
    ----------
    task : array-like of shape (n,), or one task
        Of each row.

    n : int
        Number of rows.

    known : ndarray of shape (m,) or None
        All tasks; None takes them from the rows, sorted.

    Raises
    ------
    ValueError
        If a task is missing or not among those known, or if there is not one for each row.
    """
    values = label_values(np.full(n, task) if np.isscalar(task) else task)
    if values.ndim != 1 or len(values) != n:
        raise ValueError(f"task must be one entry for each of {n} rows, got shape {values.shape}.")
    if missing_labels(values).any():
        raise ValueError("task holds missing entries; every row belongs to a task.")
    if values.dtype == object:
        values = np.array(values.tolist())
    tasks = np.unique(values) if known is None else known
    places = {value: number for number, value in enumerate(tasks.tolist())}
    unknown = [value for value in np.unique(values).tolist() if value not in places]
    if unknown:
        raise ValueError(f"task holds {unknown[0]!r}, which is not among the tasks known: {tasks.tolist()}.")
    return tasks, np.array([places[value] for value in values.tolist()], dtype=np.intp)


def stacked_labels(y: Any, numbers: NDArray[np.intp], m: int, dtype: type) -> NDArray:
    """Return stacked labels as a matrix of shape (n, m), with missing entries for the other tasks.

    Parameters
    ----------
    y : array-like of shape (n,)
        A label for each row.

    numbers : ndarray of shape (n,)
        Its task.

    m : int
        Number of tasks.

    dtype : type
        float for numbers, whose missing entries are NaN; object for labels, whose missing entries are None.
    """
    values = column_or_1d(label_values(y))
    if len(values) != len(numbers):
        raise ValueError(f"y has {len(values)} entries and task has {len(numbers)}.")
    Y: NDArray = np.full((len(values), m), np.nan if dtype is float else None, dtype=dtype)
    Y[np.arange(len(values)), numbers] = values
    return Y


def column_names(y: Any) -> NDArray | None:
    """Return the names of the columns of a frame with several columns; None for other labels."""
    columns = getattr(y, "columns", None)
    return None if columns is None or len(columns) < 2 else np.array(list(columns))


def label_columns(y: Any) -> Any:
    """Return a frame of labels as an array of objects, each of its own type; other labels unchanged."""
    if column_names(y) is None:
        return y
    columns = [label_values(y[name]) for name in y.columns]
    Y = np.empty((len(columns[0]), len(columns)), dtype=object)
    for number, values in enumerate(columns):
        Y[:, number] = values
    return Y
