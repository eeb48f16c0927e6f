"""What the report fits itself: the best method for its importances, and the optimal tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from skpapers.comparison._problem import Problem
from skpapers.comparison._report_tree import Node, class_answer, prepared_columns, read_tree, regression_answer

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


def optimal_tree(problem: Problem, estimator: BaseEstimator, max_rows: int | None = None) -> tuple[Node, BaseEstimator]:
    """Fit the preprocessing and the tree, for at most `TREE_SECONDS`.

    Parameters
    ----------
    problem : Problem
    estimator : QuantBnBTree or QuantBnBTreeClassifier
    max_rows : int, default=None
        The last so many rows are fitted. None: all rows.

    Returns
    -------
    root : Node
    tree : estimator
        Fitted.
    """
    frame = problem.frame if max_rows is None else problem.frame.iloc[-max_rows:]
    y = problem.y[-len(frame) :]
    limited = clone(estimator)
    if limited.time_limit is None:
        limited.set_params(time_limit=TREE_SECONDS)
    pipeline = Pipeline([("preprocessing", clone(problem.preprocessing)), ("model", limited)]).fit(frame, y)
    tree = pipeline[-1]
    if problem.task == "classification":
        answer = class_answer(tree.classes_)
    else:
        answer = regression_answer(float(np.std(y)))
    spreads = np.std(pipeline[0].transform(frame), axis=0)
    return read_tree(tree.tree_, prepared_columns(pipeline[0]), answer, spreads), tree
