"""Find features that were computed over all rows, test rows included, and estimate how far labels look ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from skpapers.comparison._columns import as_numbers
from skpapers.comparison._leaks import Target, by_reason, correlation

_FEWEST = 50
_TOLERANCE = 1e-6
_CENTRED = 1e-10
_MOSTLY_DISTINCT = 0.6
# The mean of the first half must differ from 0 by more than so many deviations: it does not if each date has mean 0.
_ELSEWHERE = 1e-4
_MOST_LAGS = 60
_ACF = 0.1
_FEWEST_FOR_ACF = 1000


def _moments(values: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the number, mean and standard deviation (of a population) of the known values of each group."""
    known = np.isfinite(values)
    values = values[known]
    codes = codes[known]
    counts = np.bincount(codes)
    means = np.bincount(codes, values) / np.maximum(counts, 1)
    deviations = np.sqrt(np.bincount(codes, (values - means[codes]) ** 2) / np.maximum(counts, 1))
    return counts, means, deviations


def _is_standardized(values: np.ndarray, codes: np.ndarray) -> bool:
    """Whether every group has mean 0 and standard deviation 1, or mean 0 up to rounding."""
    if not abs(np.nanmean(values)) <= _TOLERANCE * np.nanmax(np.abs(values)):
        return False  # a cheap check that most columns end with
    counts, means, deviations = _moments(values, codes)
    used = counts > 1
    if not used.any() or not (deviations[used] > 0).all():
        return False
    offset = np.abs(means[used])
    if (offset > _TOLERANCE * deviations[used]).any():
        return False
    unbiased = deviations * np.sqrt(counts / np.maximum(counts - 1, 1))
    unit = any((np.abs(sd[used] - 1) < _TOLERANCE).all() for sd in (deviations, unbiased))
    return unit or bool((offset < _CENTRED * deviations[used]).all() and not _repeats(values))


def _repeats(values: np.ndarray) -> bool:
    """Whether many values occur more than once, as in the sine of the hour, whose mean over whole days is 0."""
    known = values[np.isfinite(values)]
    return len(np.unique(np.round(known / np.abs(known).max(), 9))) < _MOSTLY_DISTINCT * len(known)


def _has_own_mean(values: np.ndarray, early: np.ndarray) -> bool:
    """Whether the mean of the first half of the timestamps is not 0."""
    _, means, deviations = _moments(values[early], np.zeros(int(early.sum()), dtype=np.int64))
    return bool(len(means)) and bool(abs(means[0]) > _ELSEWHERE * deviations[0])


def _is_rank(values: np.ndarray) -> bool:
    """Whether the values are a linear function of their ranks."""
    known = values[np.isfinite(values)]
    if len(known) < _FEWEST:
        return False
    # ranks are evenly spaced: the quartiles of some rows show for most columns that they are not, without a sort
    low, first, middle, third, high = np.quantile(known[:: max(1, len(known) // 2000)], [0, 0.25, 0.5, 0.75, 1])
    even = np.array([first - low, middle - first, third - middle, high - third]) / max(high - low, 1e-300)
    if (np.abs(even - 0.25) > 0.1).any() or len(np.unique(known)) < 0.5 * len(known):
        return False
    return correlation(known, rankdata(known)) > 1 - 1e-10


def whole_sample_features(
    whole: pd.DataFrame, kept: np.ndarray, ranks: np.ndarray, names: list[str], assets: np.ndarray | None
) -> dict[str, str]:
    """Return the columns that were standardized or ranked over all rows, or over all rows of each asset, and how.

    Parameters
    ----------
    whole : DataFrame
        The table as it was given: rows without a target may have been part of a mean.
    kept : ndarray
        Numbers of the rows that are used, in time order.
    ranks : ndarray of shape (n_kept,)
    names : list of str
        Columns of numbers.
    assets : ndarray of shape (n_kept,) or None
    """
    found: dict[str, str] = {}
    if len(kept) < _FEWEST:
        return found
    early = ranks < np.median(ranks)
    one = np.zeros(len(whole), dtype=np.int64)
    codes = None if assets is None else pd.factorize(assets)[0]
    for name in names:
        numbers = as_numbers(whole[name])
        values = np.empty(0) if numbers is None else numbers.to_numpy()
        first = values[np.isfinite(values)][:_FEWEST]  # a window over the past has no value in the first rows
        if len(np.unique(first)) < _FEWEST // 2:
            continue
        used = values[kept]
        samples = (used,) if len(used) == len(values) else (values, used)
        if any(_is_standardized(v, one[: len(v)]) for v in samples):
            reason = "mean 0 over all rows"
        elif codes is not None and _is_standardized(used, codes):
            reason = "mean 0 over all rows of each asset"
        else:
            reason = ""
        if reason and _has_own_mean(used, early):
            found[name] = reason
        if name not in found and any(map(_is_rank, samples)) and not _is_rank(used[early]):
            found[name] = "ranked among all rows"
    return found


def whole_sample_notes(found: dict[str, str]) -> list[str]:
    """Say which features were computed over all rows."""
    return [
        f"possible leak: {columns}: {what}, test rows included; compute it from earlier rows only"
        for columns, what in by_reason(found)
    ]


def likely_horizon(target: Target) -> int:
    """Return about how many timestamps overlapping labels look ahead, 1 if they do not overlap.

    Sums of h independent steps, one step apart, have the autocorrelation 1 - k / h at lag k < h, and 0 from h on.
    """
    if target.order is None or target.n_classes or len(target.values) < _FEWEST_FOR_ACF:
        return 1
    found = []
    for lag in range(1, _MOST_LAGS + 1):
        earlier, later = target.pairs(lag)
        if len(earlier) < _FEWEST_FOR_ACF // 2:
            break
        found.append(correlation(target.values[earlier], target.values[later]))
        if len(found) > 3 and max(found[-3:]) < _ACF:
            break
    lags = np.arange(1, len(found) + 1)
    # the last lag must lie beyond the overlap
    horizons = np.arange(2, len(found))
    if not len(horizons):
        return 1
    errors = np.array(found) - np.maximum(0, 1 - lags / horizons[:, np.newaxis])
    best = int(np.argmin((errors**2).sum(axis=1)))
    # a moving average, too, is correlated at one lag alone
    allowed = _ACF if horizons[best] > 2 else _ACF / 2
    return int(horizons[best]) if np.abs(errors[best]).max() < allowed else 1
