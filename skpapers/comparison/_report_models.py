"""What the report fits itself: the best method for its importances, and the optimal tree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Key
from skpapers.comparison._references import prefers_raw_columns
from skpapers.comparison._report_tree import Node, class_answer, prepared_columns, read_tree, regression_answer
from skpapers.comparison._run import table_of
from skpapers.comparison._setup import Setup
from skpapers.comparison._worker import fit_pipeline

N_TEST_ROWS = 2000
N_REPEATS = 5
N_COLUMNS = 15
TREE_SECONDS = 30.0
# With more columns the first permutation alone chooses the columns that are permuted again.
_MANY_COLUMNS = 60


@dataclass(frozen=True)
class Importance:
    """By how much a score falls when the values of a column are permuted."""

    column: str
    mean: float
    low: float
    high: float


def sampled(test: NDArray[np.intp], dates: NDArray | None, *, random_state: int = 0) -> NDArray[np.intp]:
    """Return at most `N_TEST_ROWS` of the test rows, in their order.

    Parameters
    ----------
    test : ndarray of shape (n_test,)
        Numbers of rows.
    dates : ndarray of shape (n_test,) or None
        The date of each row of a panel, whose dates stay whole: at least two of them, evenly spread.
    random_state : int, default=0
    """
    if len(test) <= N_TEST_ROWS:
        return test
    if dates is None:
        return np.sort(np.random.default_rng(random_state).choice(test, N_TEST_ROWS, replace=False))
    names = np.unique(dates)
    n_dates = min(len(names), max(2, N_TEST_ROWS * len(names) // len(test)))
    chosen = names[np.linspace(0, len(names) - 1, n_dates).astype(np.intp)]
    return test[np.isin(dates, chosen)]


def importances(
    model: Any, X: pd.DataFrame, y: NDArray, scorer: Callable[[Any, pd.DataFrame, NDArray], float]
) -> list[Importance]:
    """Permute each column of the test rows, and score the fitted model.

    Parameters
    ----------
    model : fitted Pipeline
        It takes the table as the user gave it, so that a column that is encoded as several is permuted as a whole.
    X : DataFrame of shape (n_test, n_features)
    y : ndarray of shape (n_test,)
    scorer : callable
        ``scorer(model, X, y)``; greater is better.

    Returns
    -------
    list of Importance
        The most important columns first, at most `N_COLUMNS`. `low` and `high` are the smallest and the greatest value
        of the permutations.
    """

    def score(model: Any, part: pd.DataFrame, y: NDArray) -> float:
        whole = X.copy()
        whole[part.columns] = part
        return scorer(model, whole, y)

    columns = X.columns
    if len(columns) > _MANY_COLUMNS:
        once = permutation_importance(model, X, y, scoring=scorer, n_repeats=1, random_state=0)
        columns = columns[np.sort(np.argsort(-once.importances_mean, kind="stable")[:N_COLUMNS])]
    permuted = permutation_importance(model, X[columns], y, scoring=score, n_repeats=N_REPEATS, random_state=1)
    values = permuted.importances
    means = values.mean(axis=1)
    order = [j for j in np.argsort(-means, kind="stable") if np.isfinite(means[j])][:N_COLUMNS]
    return [Importance(str(columns[j]), float(means[j]), float(values[j].min()), float(values[j].max())) for j in order]


def fit(
    problem: Problem,
    candidate: Candidate,
    max_rows: int | None,
    train: NDArray[np.intp],
    *,
    seconds: float = math.inf,
) -> tuple[Pipeline, NDArray[np.intp]]:
    """Fit a candidate as in a fold.

    Parameters
    ----------
    problem : Problem
    candidate : Candidate
        With an estimator.
    max_rows : int or None
        The candidate is fitted on a sample of so many of the training rows. None: on all.
    train : ndarray
        Numbers of the training rows.
    seconds : float, default=inf
        The time limit of an estimator that takes one and has none.

    Returns
    -------
    model : Pipeline
        It takes the columns of the table.
    rows : ndarray
        Numbers of the rows that the estimator was fitted on.
    """
    raw = candidate.kind == "own" and prefers_raw_columns(candidate.estimator, problem.frame, problem.y)
    job = Setup(candidate, problem, raw).job(Key(candidate.name, 0, max_rows), train, train[:0], seconds)
    return fit_pipeline(table_of(problem), job, job.estimator, job.train), job.train


def optimal_tree(problem: Problem, candidate: Candidate, max_rows: int | None = None) -> tuple[Node, Any]:
    """Fit the preprocessing and the tree, for at most `TREE_SECONDS`.

    Parameters
    ----------
    problem : Problem
    candidate : Candidate
        Its estimator is a QuantBnBTree or a QuantBnBTreeClassifier.
    max_rows : int, default=None
        A sample of so many rows is fitted. None: all rows.

    Returns
    -------
    root : Node
    tree : estimator
        Fitted.
    """
    model, rows = fit(problem, candidate, max_rows, np.arange(len(problem.y)), seconds=TREE_SECONDS)
    tree = model[-1]
    if problem.task == "classification":
        answer = class_answer(tree.classes_)
    else:
        answer = regression_answer(float(np.std(problem.y[rows])))
    spreads = np.std(model[0].transform(problem.frame.iloc[rows]), axis=0)
    return read_tree(tree.tree_, prepared_columns(model[0]), answer, spreads), tree
