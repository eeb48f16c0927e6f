"""Problems, candidates and outcomes made by hand: what a comparison consists of, without a single fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import Ridge

from skpapers.comparison._problem import Problem, make_problem
from skpapers.comparison._records import Candidate, Fits, Key, Kind, Outcome, Prediction
from skpapers.comparison._scorers import score_all


@dataclass(frozen=True)
class Row:
    """A candidate and its outcomes.

    `scores` are those of every fold by the names of the metrics, or of the first metric; greater is better, a loss is
    negative, None is a fold without a fit. Without scores they follow from predictions, which are the target times
    `skill` plus noise (for classes: the right class with the probability `skill`). `more` holds further fits, by their
    `max_rows`.
    """

    name: str
    kind: Kind = "method"
    baseline: str = ""
    scores: Mapping[str, Sequence[float | None]] | Sequence[float | None] | None = None
    skill: float = 0.5
    max_rows: int | None = None
    more: Mapping[int | None, Sequence[float]] = field(default_factory=dict)
    fit_seconds: float = 1.0
    gap: float = np.nan
    optimal: bool = False
    notes: Sequence[str] = ()
    code: str = "sklearn.linear_model.Ridge()"
    paper: str = ""
    error: str = ""


def regression(
    n_rows: int = 120, n_columns: int = 3, scoring: Any = None, cv: Any = None, time: bool = False, seed: int = 0
) -> Problem:
    """Return a table of numbers whose target is linear but for noise; with a time the rows are one a day."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n_rows, n_columns)), columns=[f"x{i}" for i in range(n_columns)])
    y = X.sum(axis=1).to_numpy() + rng.normal(size=n_rows)
    return _problem(X, y, "regression", cv, pd.date_range("2020-01-01", periods=n_rows) if time else None, scoring)


def classification(
    n_rows: int = 120, shares: Sequence[float] = (0.5, 0.5), scoring: Any = None, cv: Any = None
) -> Problem:
    """Return a table of numbers whose classes 0, 1, ... have about the given shares."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=list("abc"))
    y = rng.choice(len(shares), size=n_rows, p=shares)
    return _problem(X, y, "classification", cv, None, scoring)


def panel(n_assets: int = 8, n_dates: int = 60, scoring: Any = None, horizon: int = 0) -> Problem:
    """Return a panel of returns in expanding windows; with a horizon, labels are known so many dates later."""
    rng = np.random.default_rng(0)
    n_rows = n_assets * n_dates
    X = pd.DataFrame(rng.normal(size=(n_rows, 3)), columns=["momentum", "value", "size"])
    y = 0.02 * rng.normal(size=n_rows)
    return make_problem(
        X,
        y,
        task="regression",
        cv="time",
        time=np.repeat(pd.date_range("2020-01-01", periods=n_dates), n_assets),
        assets=np.tile([f"A{i}" for i in range(n_assets)], n_dates),
        horizon=horizon or None,
        scoring=scoring,
    )


def _problem(X: pd.DataFrame, y: np.ndarray, task: str, cv: Any, times: Any, scoring: Any) -> Problem:
    return make_problem(X, y, task=task, cv=cv, time=times, scoring=scoring)


class _Regressor(RegressorMixin, BaseEstimator):
    """Predicts what it was made with."""

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction

    def predict(self, X: Any) -> np.ndarray:
        return self.prediction.values


class _Classifier(ClassifierMixin, _Regressor):
    def __init__(self, prediction: Prediction, classes: np.ndarray) -> None:
        super().__init__(prediction)
        self.classes = classes
        self.classes_ = classes

    def predict_proba(self, X: Any) -> np.ndarray | None:
        return self.prediction.probabilities


def predict(problem: Problem, test: np.ndarray, skill: float, rng: np.random.Generator) -> Prediction:
    """Return predictions for the test rows of a fold, good in the measure of the skill."""
    y = problem.y[test]
    if problem.classes is None:
        return Prediction(test, skill * y + (1 - skill) * y.std() * rng.normal(size=len(test)))
    n_classes = len(problem.classes)
    truth = np.searchsorted(problem.classes, y)
    guess = np.where(rng.random(len(test)) < skill, truth, rng.integers(n_classes, size=len(test)))
    probabilities = np.full((len(test), n_classes), 0.3 / n_classes)
    probabilities[np.arange(len(test)), guess] += 0.7
    return Prediction(test, problem.classes[guess], probabilities)


def _outcomes(problem: Problem, row: Row, scores: Any, rng: np.random.Generator) -> list[Outcome | None]:
    """Return the outcome of every fold."""
    if scores is not None and not isinstance(scores, Mapping):
        scores = {problem.metrics[0].name: scores}
    outcomes: list[Outcome | None] = []
    for fold, (_, test) in enumerate(problem.plan.folds):
        prediction = predict(problem, test, row.skill, rng)
        model = _Regressor(prediction) if problem.classes is None else _Classifier(prediction, problem.classes)
        dates = None if problem.times is None else pd.factorize(problem.times, sort=True)[0][test]
        found = score_all(problem.metrics, model, problem.frame.iloc[test], problem.y[test], dates=dates)
        if scores is not None:
            given = {name: values[fold] for name, values in scores.items()}
            if None in given.values():
                outcomes.append(None)
                continue
            found = dict.fromkeys(found, np.nan) | given
        outcomes.append(
            Outcome(
                scores=found,
                fit_seconds=row.fit_seconds,
                seconds=row.fit_seconds + 0.1,
                gap=row.gap,
                optimal=row.optimal,
                prediction=prediction,
            )
        )
    return outcomes


def make_fits(problem: Problem, rows: Sequence[Row], seed: int = 0) -> tuple[list[Candidate], Fits]:
    """Return the candidates of the rows and their outcomes; a row with an error has none."""
    rng = np.random.default_rng(seed)
    candidates = []
    fits = Fits({}, {}, {row.name: list(row.notes) for row in rows})
    for row in rows:
        estimator = None if row.error else Ridge()
        candidates.append(Candidate(row.name, row.kind, estimator, row.code, row.baseline, row.paper, row.error))
        if row.error:
            continue
        fits.shown[row.name] = row.max_rows
        for max_rows, scores in {row.max_rows: row.scores, **row.more}.items():
            for fold, outcome in enumerate(_outcomes(problem, row, scores, rng)):
                if outcome is not None:
                    fits.outcomes[Key(row.name, fold, max_rows)] = outcome
    return candidates, fits
