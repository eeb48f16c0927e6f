"""What the report fits itself: the best method for its importances, and the optimal tree."""

from __future__ import annotations

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
# With more columns the first permutation alone chooses the columns that are permuted again.
_MANY_COLUMNS = 60


@dataclass(frozen=True)
class Importance:
    """By how much a score falls when the values of a column are permuted."""

    column: str
    mean: float
    low: float
    high: float


def importances(
    model: Any, X: pd.DataFrame, y: NDArray, scorer: Any, *, random_state: int = 0
) -> tuple[list[Importance], int]:
    """Permute each column of the test rows, and score the fitted model.

    Parameters
    ----------
    model : fitted Pipeline
        It takes the table as the user gave it, so that a column that is encoded as several is permuted as a whole.
    X : DataFrame of shape (n_test, n_features)
    y : ndarray of shape (n_test,)
    scorer : callable
    random_state : int, default=0

    Returns
    -------
    found : list of Importance
        The most important columns first, at most `N_COLUMNS`. `low` and `high` are the smallest and the greatest value
        of the permutations.
    n_rows : int
        Rows that were scored: a sample of `N_TEST_ROWS` of many.
    """
    if len(X) > N_TEST_ROWS:
        rows = np.sort(np.random.default_rng(random_state).choice(len(X), N_TEST_ROWS, replace=False))
        X = X.iloc[rows]
        y = y[rows]

    def score(model: Any, part: pd.DataFrame, y: NDArray) -> float:
        whole = X.copy()
        whole[part.columns] = part
        return scorer(model, whole, y)

    columns = X.columns
    if len(columns) > _MANY_COLUMNS:
        once = permutation_importance(model, X, y, scoring=scorer, n_repeats=1, random_state=random_state)
        columns = columns[np.sort(np.argsort(-once.importances_mean, kind="stable")[:N_COLUMNS])]
    permuted = permutation_importance(
        model, X[columns], y, scoring=score, n_repeats=N_REPEATS, random_state=random_state + 1
    )
    values = permuted.importances
    means = values.mean(axis=1)
    order = [j for j in np.argsort(-means, kind="stable") if np.isfinite(means[j])][:N_COLUMNS]
    found = [
        Importance(str(columns[j]), float(means[j]), float(values[j].min()), float(values[j].max())) for j in order
    ]
    return found, len(X)


def optimal_tree(problem: Problem, estimator: BaseEstimator) -> tuple[Node, BaseEstimator]:
    """Fit the preprocessing and the tree on all rows.

    Parameters
    ----------
    problem : Problem
    estimator : QuantBnBTree or QuantBnBTreeClassifier

    Returns
    -------
    root : Node
    tree : estimator
        Fitted.
    """
    pipeline = Pipeline([("preprocessing", clone(problem.preprocessing)), ("model", clone(estimator))])
    pipeline.fit(problem.frame, problem.y)
    prepared = pipeline[0].transform(problem.frame)
    tree = pipeline[-1]
    if problem.task == "classification":
        answer = class_answer(tree.classes_)
    else:
        answer = regression_answer(float(np.std(problem.y)))
    return read_tree(tree.tree_, prepared_columns(pipeline[0]), answer, np.std(prepared, axis=0)), tree
