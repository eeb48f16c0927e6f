"""Who is compared with whom, and on which fits: the rows of a comparison in their order, and paired tests of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits
from skpapers.comparison._statistics import Family, paired_family

# The references that ignore the features.
TRIVIAL = ("mean", "majority")
# Scores whose difference is below this fraction of them differ by rounding only.
_ROUNDING = 1e-10


class Shown(NamedTuple):
    """The fits of a candidate on at most `max_rows` training rows, None for all rows."""

    name: str
    max_rows: int | None


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are known, NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def shown(fits: Fits, name: str) -> Shown:
    """Return the fits that the row of a candidate reports."""
    return Shown(name, fits.shown.get(name))


def rows_text(which: Shown) -> str:
    """Return such as "on 20,000 rows" for fits on a sample, "" for those on all rows."""
    return "" if which.max_rows is None else f"on {which.max_rows:,} rows"


def fold_values(problem: Problem, fits: Fits, which: Shown, metric: str | None = None) -> NDArray[np.float64]:
    """Return the score of each fold, NaN without one, in the first metric unless another is named."""
    return fits.scores(which.name, metric or problem.metrics[0].name, which.max_rows, len(problem.plan.folds))


def rows_of(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that have a row of their own."""
    return [candidate for candidate in candidates if candidate.kind != "baseline"]


def is_reference(candidate: Candidate) -> bool:
    """Whether a candidate is what the user would use anyway: a reference, or an estimator of the user."""
    return candidate.kind in ("reference", "own")


class Ranking:
    """The rows by their mean score in the first metric, best first.

    Parameters
    ----------
    problem : Problem
    candidates : sequence of Candidate
    fits : Fits

    Attributes
    ----------
    rows : list of Candidate
        Rows with a score on every fold on which some row has one, then those that lack a fold, since means over
        different folds do not compare, then those without any score. Equal rows stay in the order of the candidates.
    complete : list of Candidate
        Those with a score on every such fold.
    n_folds : int
        Number of these folds.
    """

    def __init__(self, problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> None:
        rows = rows_of(candidates)
        scores = {row.name: fold_values(problem, fits, shown(fits, row.name)) for row in rows}
        known = np.array([~np.isnan(values) for values in scores.values()]).reshape(len(rows), len(problem.plan.folds))
        needed = known.any(axis=0)
        self.n_folds = int(needed.sum())
        full = {row.name: bool(needed.any() and known[i][needed].all()) for i, row in enumerate(rows)}
        means = {name: mean(values) for name, values in scores.items()}

        def place(row: Candidate) -> tuple[bool, bool, float]:
            without = bool(np.isnan(means[row.name]))
            return without, not full[row.name], 0.0 if without else -means[row.name]

        self.rows = sorted(rows, key=place)
        self.complete = [row for row in self.rows if full[row.name]]

    def best_reference(self) -> Candidate | None:
        """Return the first reference, or estimator of the user, that has a score on every fold."""
        return next((row for row in self.complete if is_reference(row)), None)


def _ratio(problem: Problem, known: NDArray[np.bool_], first: Shown, second: Shown) -> float:
    """Return the mean test rows per training row over the folds that both have; the smaller training set counts."""
    folds = [fold for fold, both in zip(problem.plan.folds, known, strict=True) if both]
    limits = [limit for limit in (first.max_rows, second.max_rows) if limit is not None]
    return mean(np.array([len(test) / min([len(train), *limits]) for train, test in folds]))


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the differences of two scores per fold; those that come from rounding are 0."""
    difference = first - second
    return np.where(np.abs(difference) <= _ROUNDING * np.maximum(np.abs(first), np.abs(second)), 0.0, difference)


def compare_pairs(problem: Problem, fits: Fits, pairs: Sequence[tuple[Shown, Shown]]) -> Family:
    """Test the first of each pair against the second, all as one family; a positive difference is a gain."""
    n_folds = len(problem.plan.folds)
    scores = [(fold_values(problem, fits, first), fold_values(problem, fits, second)) for first, second in pairs]
    differences = np.array([_difference(*both) for both in scores]).reshape(len(pairs), n_folds)
    known = ~np.isnan(differences)
    ratios = [_ratio(problem, both, *pair) for both, pair in zip(known, pairs, strict=True)]
    return paired_family(differences, np.array(ratios))
