"""What a comparison consists of: metrics, candidates, and one outcome for each fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

# "method": of a paper; "baseline": what a method is measured against; "reference": what one would use anyway; "own": an
# estimator of the user.
Kind = Literal["method", "baseline", "reference", "own"]


@dataclass(frozen=True)
class Metric:
    """A metric of a comparison. Scores are such that greater is better.

    Parameters
    ----------
    name : str
        scikit-learn's name of the scorer, or the name of a function.
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=...)``.
    label : str
        What the tables show, such as "R2" or "MAE".
    loss : bool
        Whether the scorer returns a loss with its sign changed: tables show ``-score``.
    weightable : bool
        Whether the scorer takes sample weights.
    """

    name: str
    scorer: Callable[..., float]
    label: str
    loss: bool = False
    weightable: bool = True

    def shown(self, score: float) -> float:
        """Return the value in the units of the metric."""
        return 0.0 - score if self.loss else score  # a loss of 0 has no sign


@dataclass(frozen=True)
class Candidate:
    """An estimator that is fitted on every fold.

    Parameters
    ----------
    name : str
        Unique in the comparison.
    kind : {"method", "baseline", "reference", "own"}
    estimator : estimator or None
        Unfitted; None if it could not be built, for the reason in `error`.
    code : str
        A Python expression that builds it, with the packages' names: ``"skpapers.SAMMLPRegressor(random_state=0)"``.
    baseline : str
        The name of the candidate that a method is compared with; "" without one.
    paper : str
        Title and venue of the paper of a method.
    error : str
    """

    name: str
    kind: Kind
    estimator: BaseEstimator | None
    code: str
    baseline: str = ""
    paper: str = ""
    error: str = ""


@dataclass(frozen=True)
class Prediction:
    """What a fitted candidate predicts for the test rows of a fold.

    Parameters
    ----------
    rows : ndarray of shape (n_test,)
        Numbers of the rows.
    values : ndarray of shape (n_test,)
        The result of `predict`.
    probabilities : ndarray of shape (n_test, n_classes) or None
        In the order of `Problem.classes`; None without `predict_proba`. A class that the training rows lack has 0.
    """

    rows: NDArray[np.intp]
    values: NDArray
    probabilities: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of one fit: NaN for a metric that is undefined, `gap` NaN without a certificate.

    `fit_seconds` are those of the fit, `seconds` those of all that was done; `warnings` counts warnings by their
    category and first line; `error` is "" without an error.
    """

    scores: dict[str, float] = field(default_factory=dict)
    fit_seconds: float = np.nan
    seconds: float = 0.0
    gap: float = np.nan
    optimal: bool = False
    warnings: dict[str, int] = field(default_factory=dict)
    error: str = ""
    prediction: Prediction | None = None


class Key(NamedTuple):
    """A fit: the name of the candidate, the number of the fold, and the most training rows, None for all."""

    candidate: str
    fold: int
    max_rows: int | None = None


@dataclass(frozen=True)
class Fits:
    """All outcomes of a comparison.

    Parameters
    ----------
    outcomes : dict of Key to Outcome
    shown : dict of str to int or None
        For each candidate the `max_rows` of the fits that its row reports. A candidate without an entry has no fit.
    notes : dict of str to list of str
        For each candidate what went wrong or was cut short.
    interrupted : bool
        Whether the run was ended before all fits were done.
    """

    outcomes: dict[Key, Outcome]
    shown: dict[str, int | None]
    notes: dict[str, list[str]] = field(default_factory=dict)
    interrupted: bool = False

    def of(self, candidate: str, max_rows: int | None, n_folds: int) -> list[Outcome | None]:
        """Return the outcome of every fold; None for a fold without a fit."""
        return [self.outcomes.get(Key(candidate, fold, max_rows)) for fold in range(n_folds)]

    def scores(self, candidate: str, metric: str, max_rows: int | None, n_folds: int) -> NDArray[np.float64]:
        """Return the score of every fold, NaN for a fold without a score."""
        outcomes = self.of(candidate, max_rows, n_folds)
        return np.array([np.nan if outcome is None else outcome.scores.get(metric, np.nan) for outcome in outcomes])
