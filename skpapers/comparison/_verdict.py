"""What a comparison shows, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from skpapers.comparison._by_date import backtest, rank_ic_by_date, t_values
from skpapers.comparison._differences import TRIVIAL, Ranking, compare_pairs, is_reference, rows_text, shown
from skpapers.comparison._problem import Problem
from skpapers.comparison._records import Candidate, Fits
from skpapers.comparison._statistics import Family, holm

_ALPHA = 0.05
_MOST_NAMES = 5


def _listed(names: Sequence[str]) -> str:
    """Join names; beyond a few, count the others."""
    if len(names) > _MOST_NAMES + 1:
        names = [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _against(
    problem: Problem, ranking: Ranking, fits: Fits, other: Candidate, *, methods_only: bool = False
) -> tuple[list[Candidate], Family]:
    """Return the complete rows but one, and their tests against that one.

    Rows that lack a fold count in the family, as in the table: they were tried.
    """
    rows = [row for row in ranking.rows if row is not other and not (methods_only and is_reference(row))]
    family = compare_pairs(problem, fits, [(shown(fits, row.name), shown(fits, other.name)) for row in rows])
    names = {row.name for row in rows}
    complete = [row for row in ranking.complete if row.name in names]
    n = len(complete)  # the complete rows come first
    return complete, Family(family.mean[:n], family.low[:n], family.high[:n], family.p_value[:n])


def _gains(family: Family) -> np.ndarray:
    """Whether each difference is a gain beyond chance."""
    return (family.p_value <= _ALPHA) & (family.mean > 0)


def _places(problem: Problem, n_folds: int) -> str:
    """Return the folds in words; folds in time with their number, since they are few."""
    if n_folds == 1:
        return "this one fold, which cannot show what is chance"
    return f"these {n_folds} folds in time" if problem.plan.ranks is not None else "these folds"


def _name(row: Candidate, fits: Fits) -> str:
    """Return the name of a row, and the sample that it was fitted on."""
    rows = rows_text(shown(fits, row.name))
    return f"{row.name} ({rows})" if rows else row.name


def _best(problem: Problem, ranking: Ranking, fits: Fits) -> str:
    leader = ranking.complete[0]
    others, family = _against(problem, ranking, fits, leader)
    alike = [_name(row, fits) for row, p in zip(others, family.p_value, strict=True) if not p <= _ALPHA]
    best = _name(leader, fits)
    place = _places(problem, ranking.n_folds)
    n_tried = len(ranking.rows)
    n_complete = len(ranking.complete)
    tried = f"{n_tried} methods were tried" if n_tried != 1 else "1 method was tried"
    of_these = "" if n_complete == n_tried else f" of the {n_complete} with a score on every fold"
    if n_complete == 1 and n_tried > 1:
        return f"Only {best} has a score on every fold; {tried}."
    if ranking.n_folds == 1:
        return f"Best{of_these}: {best} on {place}; {tried}."
    if not alike:
        worse = f"; the others{' of these' * bool(of_these)} are worse beyond chance on {place}" * bool(others)
        return f"Best{of_these}: {best}{worse}; {tried}."
    if len(alike) == len(others) and len(others) > 1:
        return f"No method is best: none{of_these} can be told apart from {best} on {place}; {tried}."
    return f"Best{of_these}: {_listed([best, *alike])} cannot be told apart on {place}; {tried}."


def _beyond_the_mean(problem: Problem, ranking: Ranking, fits: Fits) -> str:
    """Say so if no row beats the reference that ignores the features."""
    trivial = next((row for row in ranking.complete if row.kind == "reference" and row.name in TRIVIAL), None)
    if trivial is None:
        return ""
    others, family = _against(problem, ranking, fits, trivial)
    if not others or _gains(family).any():
        return ""
    chance = " beyond chance" if (family.mean > 0).any() else ""
    return f"No method beats the {trivial.name}{chance}."


def _beyond_zero(problem: Problem, candidates: Sequence[Candidate], ranking: Ranking, fits: Fits) -> str:
    """Say which rank information coefficients are above 0: the dates decide this better than a few windows do."""
    if problem.metrics[0].name != "rank_ic":
        return ""
    complete = {row.name: row for row in ranking.complete}
    frame = rank_ic_by_date(problem, candidates, fits)
    t = t_values(problem, frame).to_numpy(dtype=np.float64)
    if np.isnan(t).all():
        return ""
    p_values = holm(2 * stats.norm.sf(np.abs(t)))
    gains = dict(zip(frame, (p_values <= _ALPHA) & (t > 0), strict=True))
    above = [_name(row, fits) for name, row in complete.items() if gains[name]]
    count = np.count_nonzero(~np.isnan(t))
    family = f", Holm over {count} methods" if count > 1 else ""
    test = f"beyond chance over {len(frame)} test dates (Newey-West{family})"
    if not above:
        return f"No method's rank IC is above 0 {test}."
    subject = f"rank IC of {above[0]} is" if len(above) == 1 else f"rank ICs of {_listed(above)} are"
    return f"The {subject} above 0 {test}."


def _beyond_the_reference(problem: Problem, ranking: Ranking, fits: Fits) -> str:
    """Say which papers' methods beat the best reference."""
    reference = ranking.best_reference()
    if reference is None:
        return ""
    methods, family = _against(problem, ranking, fits, reference, methods_only=True)
    if not methods:
        return ""
    winners = [_name(row, fits) for row, gain in zip(methods, _gains(family), strict=True) if gain]
    if winners:
        beat = "beats" if len(winners) == 1 else "beat"
        return f"{_listed(winners)} {beat} {_name(reference, fits)}, the best reference, beyond chance."
    chance = " beyond chance" if (family.mean > 0).any() else ""
    return f"No paper's method beats {_name(reference, fits)}, the best reference,{chance}".rstrip(",") + "."


def _share(probability: float) -> str:
    """Write a probability, never as 0 or 1."""
    if probability >= 0.995:
        return "above 0.99"
    return "below 0.01" if probability < 0.005 else f"{probability:.2f}"


def _of_returns(problem: Problem, candidates: Sequence[Candidate], ranking: Ranking, fits: Fits) -> str:
    """Return the highest Sharpe ratio, and how likely it is more than the luck of the best of all methods."""
    if all(metric.name != "sharpe" for metric in problem.metrics):
        return ""
    found = backtest(problem, candidates, fits)
    rows = {row.name: row for row in ranking.complete}
    complete = found.sharpe[found.sharpe.index.isin(rows)].dropna()
    if complete.empty:
        return ""
    best = complete.idxmax()
    parts = [f"{_name(rows[best], fits)} has the highest Sharpe ratio over all dates, {complete[best]:.2f} per period"]
    if np.isfinite(found.deflated[best]):
        parts.append(
            f"with probability {_share(found.deflated[best])} its true ratio is above what luck gives the best of "
            f"{found.sharpe.count()} methods (deflated Sharpe ratio)"
        )
    if np.isfinite(found.overfitting):
        parts.append(f"the probability of backtest overfitting is {_share(found.overfitting)}")
    return "; ".join(parts) + "."


def verdict(problem: Problem, candidates: Sequence[Candidate], fits: Fits) -> str:
    """Return which methods are best, and whether they beat the mean or majority and the best reference.

    Each sentence rests on paired tests of one family, Holm-adjusted: of all rows against the best one, against the mean
    or majority, and of the papers' methods against the best reference. Whether a rank information coefficient is above
    0 is tested over the dates. Rows that lack a score on some fold cannot win,
    but count in the number of tests. Whether two intervals overlap decides nothing.
    """
    ranking = Ranking(problem, candidates, fits)
    if not ranking.complete:
        return "No method has a score."
    sentences = [_best(problem, ranking, fits)]
    if ranking.n_folds > 1:
        beyond_the_mean = _beyond_zero(problem, candidates, ranking, fits) or _beyond_the_mean(problem, ranking, fits)
        reference = ranking.best_reference()
        sentences.append(beyond_the_mean)
        if not beyond_the_mean or reference is None or reference.name not in TRIVIAL:
            sentences.append(_beyond_the_reference(problem, ranking, fits))
    sentences.append(_of_returns(problem, candidates, ranking, fits))
    return " ".join(sentence for sentence in sentences if sentence)
