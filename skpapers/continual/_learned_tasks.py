"""What is known of the tasks that a network has learned: their ids, their heads, the memory, the scores."""

from dataclasses import dataclass, field, replace
from datetime import date
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from skpapers._torch.setup import Setup

KINDS = {"i": "numbers", "f": "numbers", "U": "strings", "M": "dates"}


@dataclass(frozen=True, eq=False)
class LearnedTasks:
    """The tasks of a network, in the order in which they were first learned.

    Parameters
    ----------
    ids : ndarray of shape (n_tasks,)
        Their ids.

    own_heads : bool
        Whether each task has a head of its own.

    has_class : ndarray of shape (n_tasks, n_classes)
        Whether a task has rows of a class; without columns for regression.

    current : int
        Number of the task that is being learned, or was learned last.

    bases : tuple of ndarray of shape (d, m)
        The memory: M of each layer.

    ranks_before : tuple of int
        m of each layer before the current task; empty if that is the first one.

    scores : ndarray of shape (n_visits, n_tasks)
        After each visit to a task, the score on the training rows of every task; NaN where it is not known.
    """

    ids: NDArray
    own_heads: bool
    has_class: NDArray[np.bool_]
    current: int = -1
    bases: tuple[NDArray[np.float64], ...] = ()
    ranks_before: tuple[int, ...] = ()
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def visiting(self, number: int, ids: NDArray, present: NDArray[np.bool_]) -> "LearnedTasks":
        """Return the tasks at the start of a visit to one of them.

        Parameters
        ----------
        number : int
            Of the task that is visited; it is a new one if there are not so many.

        ids : ndarray
            Ids of these tasks and of others that may follow.

        present : ndarray of bool of shape (n_classes,)
            Whether the visit has rows of a class.
        """
        has_class = self.has_class.copy()
        if number == len(self.ids):
            has_class = np.vstack([has_class.reshape(number, len(present)), np.zeros_like(present)])
        has_class[number] |= present
        # a task that goes on is not held by what it has stored itself
        ranks = self.ranks_before if number == self.current else tuple(M.shape[1] for M in self.bases)
        return replace(self, ids=ids[: len(has_class)], has_class=has_class, current=number, ranks_before=ranks)

    def remembering(self, bases: tuple[NDArray, ...], scores: NDArray[np.float64]) -> "LearnedTasks":
        """Return the tasks at the end of a visit: the new memory, and the scores of all tasks."""
        table = np.full((len(self.scores) + 1, len(self.ids)), np.nan)
        table[:-1, : self.scores.shape[1]] = self.scores
        table[-1] = scores
        return replace(self, bases=bases, scores=table)

    def protecting(self) -> tuple[NDArray[np.float64], ...]:
        """Return the part of the memory that the current task must not change; it is empty for the first task."""
        if not self.ranks_before:
            return ()
        return tuple(M[:, :m] for M, m in zip(self.bases, self.ranks_before, strict=True))

    def head_of(self, number: int) -> dict[str, Any]:
        """Return the arguments of the network that choose the head of a task."""
        if not self.own_heads:
            return {"n_heads": 1, "head": 0, "absent": ()}
        lacking = np.flatnonzero(~self.has_class[number]) if self.has_class.shape[1] > 2 else ()
        return {"n_heads": len(self.ids), "head": number, "absent": tuple(int(k) for k in lacking)}

    def numbers_of(self, task: Any, n_rows: int) -> NDArray[np.intp]:
        """Return the number of the task of each row, by which its head is chosen.

        Parameters
        ----------
        task : object, array-like of shape (n_rows,) or None
            One id, an id for each row, or None for the task learned last. If all tasks share a head, the ids do not
            matter, and may be new ones.

        n_rows : int
            Number of rows.

        Raises
        ------
        ValueError
            If an id is needed and unknown, or if there is not one for each row.
        """
        if task is None:
            return np.full(n_rows, self.current)
        given = read_ids(np.full(n_rows, task) if np.ndim(task) == 0 else task, n_rows)
        if not self.own_heads:
            return np.full(n_rows, self.current)
        ids, numbers = numbered(given, self.ids)
        if len(ids) > len(self.ids):
            raise ValueError(f"task={ids[len(self.ids)]!s} is unknown; the tasks learned are {self.ids.tolist()}.")
        return numbers


@dataclass(frozen=True, eq=False)
class ContinualSetup(Setup):
    """What is known before the first step of a task.

    Parameters
    ----------
    tasks : LearnedTasks
        The earlier tasks, and which one follows.
    """

    tasks: LearnedTasks


def read_ids(task: Any, n_rows: int) -> NDArray:
    """Return validated ids, one for each row: int64, float64, strings or dates.

    Raises
    ------
    ValueError
        If they are neither numbers, strings nor dates, if one is missing, or if there is not one for each row.
    """
    shape = np.shape(task)
    if len(shape) != 1 and shape[1:] != (1,):
        raise ValueError(f"task must have one id for each row, of shape ({n_rows},); got shape {shape}.")
    ids = column_or_1d(task)
    if ids.dtype.kind in "OT":
        ids = _of_one_kind(ids)
    if ids.dtype.kind == "f":
        ids = ids.astype(np.float64)
    # one type for all integers, since numpy turns mixed ones into floats; True is the id 1
    if ids.dtype.kind in "biu" and not np.any(ids > np.iinfo(np.int64).max):
        ids = ids.astype(np.int64)
    if ids.dtype.kind not in KINDS:
        raise ValueError(
            "task must hold numbers, strings or dates without time zones, one id for each row and all of one kind; got "
            f"{ids.dtype}."
        )
    if ids.dtype.kind in "fM" and not np.isfinite(ids).all():
        raise ValueError("task has a missing or infinite id; every row needs one.")
    if len(ids) != n_rows:
        raise ValueError(f"task has {len(ids)} entries, and X has {n_rows} rows.")
    return ids.astype(ids.dtype.newbyteorder("="))


def _of_one_kind(ids: NDArray) -> NDArray:
    """Return Python objects as an array of strings, numbers or dates; mixed or other ones as they are."""
    values = ids.tolist()
    if all(isinstance(one, str) for one in values):
        return np.array(values, dtype=str)
    if all(isinstance(one, Real) for one in values):
        return np.array(values)
    if all(isinstance(one, date) and getattr(one, "tzinfo", None) is None for one in values):
        return np.array(values, dtype="datetime64[us]")
    return ids


def numbered(given: NDArray, known: NDArray) -> tuple[NDArray, NDArray[np.intp]]:
    """Return the known ids followed by the new ones in ascending order, and the number of each given one.

    Raises
    ------
    ValueError
        If the new ids are of another kind than the known ones.
    """
    if len(known) and KINDS[known.dtype.kind] != KINDS[given.dtype.kind]:
        raise ValueError(
            f"task holds {KINDS[given.dtype.kind]}, and the ids of the tasks learned are {KINDS[known.dtype.kind]}: "
            f"{known.tolist()}."
        )
    found, inverse = np.unique(given, return_inverse=True)
    new = found[~np.isin(found, known)] if len(known) else found
    ids = np.concatenate([known, new]) if len(known) else new
    order = np.argsort(ids, kind="stable")
    return ids, order[np.searchsorted(ids, found, sorter=order)][inverse]


def new_id(known: NDArray) -> NDArray:
    """Return the id of a task that came without one: 0 for the first, and then one more than the largest.

    Raises
    ------
    ValueError
        If the known ids are not numbers, or if one more than the largest cannot be represented.
    """
    if not len(known):
        return np.zeros(1, dtype=np.int64)
    if KINDS[known.dtype.kind] != "numbers":
        raise ValueError(f"The tasks learned have the ids {known.tolist()}: give the next one by `task`.")
    new = known.max(keepdims=True) + 1
    if new[0] <= known.max():
        raise ValueError(f"The largest id, {known.max()}, has no number after it: give the next one by `task`.")
    return new
