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
    values = as_numbers(values) if dtype is float else values
    if len(values) != len(numbers):
        raise ValueError(f"y has {len(values)} entries and task has {len(numbers)}.")
    Y: NDArray = np.full((len(values), m), np.nan if dtype is float else None, dtype=dtype)
    Y[np.arange(len(values)), numbers] = values
    return Y


def as_numbers(values: NDArray) -> NDArray[np.float64]:
    """Return numbers as float64, with NaN for None and NA."""
    if values.dtype == object:
        values = np.where(missing_labels(values), np.nan, values)
    return values.astype(np.float64)


def column_names(y: Any) -> NDArray | None:
    """Return the names of the columns of a frame with several columns; None for other labels.

    Raises
    ------
    ValueError
        If two columns have the same name.
    """
    columns = getattr(y, "columns", None)
    if columns is None or len(columns) < 2:
        return None
    given = list(columns)
    twice = [name for name in given if given.count(name) > 1]
    if twice:
        raise ValueError(f"y has several columns of the name {twice[0]!r}; the names are those of the tasks.")
    names = np.array(given)
    if names.ndim > 1:  # names of several levels are tuples
        names = np.empty(len(given), dtype=object)
        names[:] = given
    return names


def check_column_names(y: Any, tasks: NDArray | None) -> None:
    """Raise an error if the columns of a frame have other names, or another order, than the tasks.

    Names that only number the columns are not compared.
    """
    names = column_names(y)
    if names is None or tasks is None or len(names) != len(tasks):
        return
    numbers = list(range(len(names)))
    if names.tolist() not in (numbers, tasks.tolist()) and tasks.tolist() != numbers:
        raise ValueError(f"The columns of y are {names.tolist()}, and the tasks of the model are {tasks.tolist()}.")


def label_columns(y: Any) -> Any:
    """Return a frame, or lists, of labels as an array whose entries keep their types; other labels unchanged."""
    if isinstance(y, list):
        return label_values(y)  # NumPy would turn a NaN among strings into "nan"
    if column_names(y) is None:
        return y
    columns = [label_values(y[name]) for name in y.columns]
    Y = np.empty((len(columns[0]), len(columns)), dtype=object)
    for number, values in enumerate(columns):
        Y[:, number] = values
    return Y


def label_matrix(y: Any) -> NDArray:
    """Return labels of any kind as an array with a column for each task."""
    y = label_columns(y)
    values = np.asarray(y if np.ndim(y) > 1 else label_values(y))
    return values.reshape(len(values), -1)
