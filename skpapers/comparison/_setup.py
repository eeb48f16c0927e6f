"""How an estimator is set up for a fold: its own folds, metric, seconds, weights and the rows that it holds back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skpapers._weights import weight_parameter
from skpapers.comparison._contract import (
    early_stopping,
    fit_paths,
    parameters_named,
    selections,
    takes_groups,
    time_limits,
)
from skpapers.comparison._problem import Problem
from skpapers.comparison._purging import N_INNER, held_back
from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._sampling import sample_rows
from skpapers.comparison._scoring import selection
from skpapers.comparison._splits import inner_cv
from skpapers.comparison._worker import Job


@dataclass
class Setup:
    """A candidate on a table, from which the jobs of single folds are made.

    Parameters
    ----------
    candidate : Candidate
        With an estimator.
    problem : Problem
    raw : bool, default=False
        Whether it gets the columns as they are.

    Attributes
    ----------
    notes : list of str
        What does not apply to it, known after the first job.
    """

    candidate: Candidate
    problem: Problem
    raw: bool = False
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        problem = self.problem
        estimator = self.candidate.estimator
        assert estimator is not None
        self.estimator = estimator
        self.fit_params = {path: name for name in problem.metadata for path in fit_paths(estimator, name)}
        weight = None if problem.sample_weight is None else weight_parameter(estimator)
        if problem.sample_weight is not None and weight is None:
            self._note("fitted without sample_weight")
        if weight is not None:
            self.fit_params[weight] = "sample_weight"
        self.groups = problem.groups if takes_groups(estimator) and problem.plan.ranks is None else None

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    @property
    def is_anytime(self) -> bool:
        """Whether the estimator ends in time by itself."""
        return bool(time_limits(self.estimator, 1.0))

    def rows(self, train: NDArray[np.intp], max_rows: int | None) -> NDArray[np.intp]:
        """Return the training rows, or a sample of them."""
        plan = self.problem.plan
        y = self.problem.y if self.problem.task == "classification" else None
        return sample_rows(train, max_rows, in_time=plan.ranks is not None, y=y)

    def job(self, key: Key, train: NDArray[np.intp], test: NDArray[np.intp], seconds: float = math.inf) -> Job:
        """Return the job of a fold.

        Parameters
        ----------
        key : Key
        train : ndarray
            Row numbers, of which `key.max_rows` are taken.
        test : ndarray
            Row numbers.
        seconds : float, default=inf
            For a time limit of the estimator.
        """
        problem = self.problem
        rows = self.rows(train, key.max_rows)
        rows, validation = self._hold_back(rows)
        inner = inner_cv(self.estimator, problem.plan, rows, self.groups)
        params: dict[str, Any] = {} if math.isinf(seconds) else time_limits(self.estimator, seconds)
        scoring = selection(problem.metrics[0], lacking=self._lacks_a_class(rows, inner))
        selected, all_use_it = selections(self.estimator, scoring, [inner])
        if not all_use_it:
            self._note(f"its own selection does not use {problem.metrics[0].label}")
        if self.groups is not None and "cv" in self.estimator.get_params() and not inner:
            self._note("its own folds ignore groups if the training rows are all of one group")
        grouped = {"groups": "groups"} if self.groups is not None and "cv" in inner else {}
        return Job(
            key=key,
            estimator=clone(self.estimator).set_params(**params, **selected, **inner),
            train=rows,
            test=test,
            fit_params=self.fit_params | grouped,
            validation=validation,
            raw=self.raw,
        )

    def _lacks_a_class(self, rows: NDArray[np.intp], inner: dict[str, Any]) -> bool:
        """Whether a side of some fold inside the estimator may lack a class of the training rows."""
        if self.problem.classes is None or not parameters_named(self.estimator, "scoring"):
            return False
        y = self.problem.y[rows]
        counts = np.unique(y, return_counts=True)[1]
        if not inner:
            # folds of its own are stratified
            return bool(counts.min() < N_INNER)
        splitter = next(iter(inner.values()))
        groups = None if self.groups is None else self.groups[rows]
        try:
            splits = list(splitter.split(np.zeros((len(y), 1)), y, groups))
        except ValueError:  # too few rows for folds: the fit says so, in the row of the estimator
            return False
        return any(len(np.unique(y[side])) < len(counts) for split in splits for side in split)

    def _hold_back(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
        """Return the rows to fit and those that end the training, with rows in the order of time."""
        plan = self.problem.plan
        stops = early_stopping(self.estimator, len(rows))
        if plan.ranks is None or stops is None:
            return rows, None
        if not stops.takes_rows:
            self._note("its early stopping holds back random rows, also with rows in the order of time")
            return rows, None
        fitted, validation = held_back(rows, plan, stops.fraction)
        if self.problem.classes is not None:
            # a class that the fitted rows lack is unknown to the estimator
            validation = validation[np.isin(self.problem.y[validation], self.problem.y[fitted])]
        return (fitted, validation) if len(validation) else (rows, None)
