"""Out-of-fold predictions date by date: rank information coefficients, spreads, and the returns of a strategy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from skpapers.comparison._backtest import (
    deflated_sharpe_ratio,
    overfitting_probability,
    sharpe_ratio,
    strategy_returns,
)
from skpapers.comparison._differences import rows_of, shown
from skpapers.comparison._information_coefficient import (
    Codes,
    Floats,
    newey_west_lag,
    newey_west_t,
    rank_information_coefficients,
    spreads,
)
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits

Statistic = Callable[[Floats, Floats, Codes], Floats]


def label_horizon(problem: Problem) -> int:
    """Return how many timestamps a label looks ahead; if this is not known, the gap, and at least 1."""
    plan = problem.plan
    if plan.label_end is not None and plan.ranks is not None:
        return max(1, math.ceil(np.mean(plan.label_end - plan.ranks)))
    return max(1, plan.gap)


def _series(problem: Problem, candidate: Candidate, fits: Fits, statistic: Statistic) -> pd.Series:
    """Return a statistic on each date of the test rows; a date that several folds test has the mean over them.

    NaN on the dates of a fold without predictions, or with one that is not finite.
    """
    codes, times = pd.factorize(problem.times, sort=True)
    sums = np.zeros(len(times))
    counts = np.zeros(len(times))
    for outcome in fits.of(*shown(fits, candidate.name), len(problem.plan.folds)):
        if outcome is None or outcome.prediction is None:
            continue
        rows = outcome.prediction.rows
        prediction = np.asarray(outcome.prediction.values, dtype=np.float64).ravel()
        if not np.isfinite(prediction).all():
            continue
        dates, numbers = np.unique(codes[rows], return_inverse=True)
        values = statistic(prediction, problem.y[rows], numbers)
        known = ~np.isnan(values)
        sums[dates[known]] += values[known]
        counts[dates[known]] += 1
    tested = np.unique(np.concatenate([codes[test] for _, test in problem.plan.folds]))
    values = np.divide(sums, counts, out=np.full(len(times), np.nan), where=counts > 0)
    return pd.Series(values[tested], index=times[tested], name=candidate.name)


def by_date(problem: Problem, candidates: Sequence[Candidate], fits: Fits, statistic: Statistic) -> pd.DataFrame:
    """Return a statistic of out-of-fold predictions: a row for each tested date, a column for each row of the result.

    Parameters
    ----------
    problem : Problem
        Of regression, with times.
    candidates : sequence of Candidate
    fits : Fits
    statistic : callable
        ``statistic(prediction, y, dates)`` returns a value for each whole number of `dates`, such as
        `rank_information_coefficients` or `spreads`.
    """
    series = [_series(problem, candidate, fits, statistic) for candidate in rows_of(candidates)]
    return pd.concat(series, axis=1) if series else pd.DataFrame()


def rank_ic_by_date(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return the rank information coefficient of each row of the comparison on each date of the test rows."""
    return by_date(problem, candidates, fits, rank_information_coefficients)


def spread_by_date(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> pd.DataFrame:
    """Return the top-minus-bottom spread of each row of the comparison on each date of the test rows."""
    return by_date(problem, candidates, fits, spreads)


def t_values(problem: Problem, frame: pd.DataFrame) -> pd.Series:
    """Return the Newey-West t-value of the mean of each column of a table by date."""
    lag = newey_west_lag(len(frame), label_horizon(problem))
    return frame.apply(lambda column: newey_west_t(column.to_numpy(), lag))


@dataclass(frozen=True)
class Backtest:
    """Strategies on the predictions of all rows of a comparison.

    Parameters
    ----------
    returns : DataFrame of shape (n_dates, n_rows)
        Out of fold, before costs.
    sharpe : Series of shape (n_rows,)
        Sharpe ratios per date (or per horizon of the labels), not annualised.
    deflated : Series of shape (n_rows,)
        Probability that the true ratio is above the largest one to expect of as many methods without skill.
    overfitting : float
        Probability of backtest overfitting over the rows with a return on every date.
    """

    returns: pd.DataFrame
    sharpe: pd.Series
    deflated: pd.Series
    overfitting: float


def backtest(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> Backtest:
    """Return the strategies on the out-of-fold predictions; the target is a return.

    With assets the weights of a date are the centred ranks of the predictions, else their signs; see
    :func:`skpapers.comparison._backtest.strategy_returns`. Candidates without predictions do not count.
    """
    statistic = partial(strategy_returns, ranked=problem.assets is not None)
    returns = by_date(problem, candidates, fits, statistic).dropna(axis=1, how="all")
    horizon = label_horizon(problem)
    sharpe = returns.apply(lambda column: sharpe_ratio(column.to_numpy()))
    ratios = sharpe.to_numpy(dtype=np.float64)
    deflated = returns.apply(lambda column: deflated_sharpe_ratio(column.to_numpy(), ratios, horizon))
    complete = returns.dropna(axis=1).to_numpy(dtype=np.float64)
    return Backtest(returns, sharpe, deflated, overfitting_probability(complete))
