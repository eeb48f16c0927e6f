"""Scores of a model on every task after each task that it learns, which show forgetting."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import indexable

from skpapers._validation import safe_indexing
from skpapers.continual._learned_tasks import read_ids


def score_by_task(
    estimator: Any,
    X: Any,
    y: Any,
    task: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    task_test: Any = None,
) -> NDArray:
    """Return the score of every task after each task that a clone of an estimator learns.

    Use it to compare how much continual learning and plain fine-tuning forget. It takes any estimator with
    `partial_fit`.

    Parameters
    ----------
    estimator : estimator object
        It is cloned, and learns one task after another by `partial_fit`. Its `partial_fit` and `score` get `task` if
        they have a parameter of this name.

    X, y : array-like
        Training rows.

    task : array-like of shape (n_samples,)
        Id of each row's task; tasks are learned in ascending order.

    X_test, y_test, task_test : array-like, default=None
        Rows of the same tasks to score on. None scores on the training rows.

    Returns
    -------
    scores : ndarray of shape (n_tasks, n_tasks)
        Row t holds the scores after task t, column j those of task j. If the estimator has ``heads="multi"``, the
        scores of tasks that it has not learned yet are NaN.

    Raises
    ------
    ValueError
        If only some of the test arrays are given, or if a task has no rows to score on.

    See Also
    --------
    average_score : The mean score after the last task.
    backward_transfer : What was forgotten.
    ForgettingDisplay : A plot of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import SGDClassifier
    >>> from skpapers.continual import score_by_task
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> task = np.repeat([0, 1], 100)
    >>> y = np.where(task == 0, X[:, 0] > 0, X[:, 0] < 0)
    >>> score_by_task(SGDClassifier(random_state=0), X, y, task).shape
    (2, 2)
    """
    given = [values is not None for values in (X_test, y_test, task_test)]
    if any(given) != all(given):
        raise ValueError("X_test, y_test and task_test go together: only some of them were given.")
    X, y, task = indexable(X, y, task)
    tests = indexable(X_test, y_test, task_test) if any(given) else (X, y, task)
    ids, test_ids = (read_ids(of_rows, len(of_rows)) for of_rows in (task, tests[2]))
    order = np.unique(ids)
    lacking = np.setdiff1d(order, test_ids)
    if len(lacking):
        raise ValueError(f"Task {lacking[0]!s} has no rows to score on.")
    model = clone(estimator)
    first = {"classes": np.unique(np.asarray(y))} if is_classifier(model) else {}
    scores = np.full((len(order), len(order)), np.nan)
    for t, learned in enumerate(order):
        rows = np.flatnonzero(ids == learned)
        model.partial_fit(*_parts(X, y, rows), **first, **_task_of(model.partial_fit, ids[rows]))
        first = {}
        own_heads = getattr(model, "heads", "single") == "multi"
        for j, scored in enumerate(order[: t + 1] if own_heads else order):
            rows_j = np.flatnonzero(test_ids == scored)
            keywords = _task_of(model.score, test_ids[rows_j]) if own_heads else {}
            scores[t, j] = model.score(*_parts(tests[0], tests[1], rows_j), **keywords)
    return scores


def _parts(X: Any, y: Any, rows: NDArray[np.intp]) -> tuple[Any, Any]:
    return safe_indexing(X, rows), safe_indexing(y, rows)


def _task_of(method: Any, ids: NDArray) -> dict[str, NDArray]:
    """Return the ids as an argument of a method, if it has this parameter."""
    return {"task": ids} if "task" in signature(method).parameters else {}


def average_score(scores: ArrayLike) -> float:
    """Return the mean score of all tasks after the last one (ACC of the paper).

    Parameters
    ----------
    scores : array-like of shape (n_tasks, n_tasks)
        As :func:`score_by_task` returns them.

    Returns
    -------
    score : float
        The mean of the last row.

    See Also
    --------
    score_by_task : Makes the scores.
    backward_transfer : What was forgotten.

    Examples
    --------
    >>> from skpapers.continual import average_score
    >>> average_score([[0.9, 0.1], [0.7, 0.9]])
    0.8
    """
    return float(_checked(scores)[-1].mean())


def backward_transfer(scores: ArrayLike) -> float:
    """Return the mean change of a task's score from its own end to the end of the last task (BWT of the paper).

    Parameters
    ----------
    scores : array-like of shape (n_tasks, n_tasks)
        As :func:`score_by_task` returns them.

    Returns
    -------
    change : float
        Over all tasks but the last; negative where tasks were forgotten. NaN for one task.

    See Also
    --------
    score_by_task : Makes the scores.
    average_score : The mean score after the last task.

    Examples
    --------
    >>> from skpapers.continual import backward_transfer
    >>> round(backward_transfer([[0.9, 0.1], [0.7, 0.9]]), 3)
    -0.2
    """
    table = _checked(scores)
    if len(table) == 1:
        return np.nan
    return float((table[-1] - table.diagonal())[:-1].mean())


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not len(table) or len(table) != table.shape[1]:
        raise ValueError(f"scores must be a square matrix, one row and one column for each task; got {table.shape}.")
    return table
