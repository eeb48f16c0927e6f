"""Find columns that hold the target: of their own row, of another row, or under other names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import rankdata

# A column is checked on this many rows first, and on all rows only if these look suspicious.
_SAMPLE = 5000
_FEWEST = 50
_FEWEST_OF_A_CLASS = 20
_SUSPICIOUS = 0.999
_EXACT = 1e-8  # share of the variance that a linear function of the target may leave unexplained
_MOST_SHIFTS = 20
_SHIFTS = 5
_FEWEST_CHANGES = 20
_ROWS_PER_VALUE = 20
_MOST_NAMED = 5
_KNOWN = "is that known when the prediction is made?"


@dataclass(frozen=True)
class Target:
    """The target, and which rows follow one another.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Numbers, or codes of the classes.
    n_classes : int
        0 for regression.
    labels : list
        The classes.
    order : ndarray or None
        Row numbers by asset and time. None if rows of one timestamp have no asset: then no row follows another.
    assets : ndarray of shape (n_rows,)
        Codes of the assets.
    is_of_date : bool
        Whether all rows of a timestamp have one target. Any column that differs between timestamps then determines it.
    """

    values: np.ndarray
    n_classes: int
    labels: list
    order: np.ndarray | None
    assets: np.ndarray
    is_of_date: bool

    @classmethod
    def of(cls, y: np.ndarray, task: str, ranks: np.ndarray | None, assets: np.ndarray | None) -> Target:
        """Encode the target, and order its rows."""
        labels: list = []
        values = y
        if task == "classification":
            distinct, values = np.unique(y, return_inverse=True)
            labels = distinct.tolist()
        codes = np.zeros(len(y), dtype=np.int64) if assets is None else pd.factorize(assets)[0]
        times = np.arange(len(y)) if ranks is None else ranks
        n_times = int(times.max()) + 1
        order = np.lexsort((times, codes)) if assets is not None or n_times == len(times) else None
        is_of_date = n_times < len(times) and _unexplained(times, values) < 1 - _SUSPICIOUS
        return cls(values, len(labels), labels, order, codes, is_of_date)

    def pairs(self, shift: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows, and for each the row of the same asset that comes `shift` rows later."""
        assert self.order is not None
        earlier = self.order[:-shift]
        later = self.order[shift:]
        same = self.assets[earlier] == self.assets[later]
        return earlier[same], later[same]


def _unexplained(codes: np.ndarray, y: np.ndarray) -> float:
    """Return the share of the variance that lies between rows of one code, 1 for a constant."""
    y = _centred(y)
    variance = np.var(y)
    if variance == 0:
        return 1.0
    sizes = np.bincount(codes)
    means = np.bincount(codes, y) / np.maximum(sizes, 1)
    return float(np.mean((y - means[codes]) ** 2) / variance)


@lru_cache(maxsize=64)
def _thinned(n: int) -> np.ndarray:
    """Return positions of at most `_SAMPLE` of `n` rows, the same in every run."""
    return np.arange(n) if n <= _SAMPLE else np.unique(np.random.default_rng(0).integers(0, n, _SAMPLE))


def _centred(values: np.ndarray) -> np.ndarray:
    """Return the values minus their mean, scaled so that squares of huge or tiny ones are finite and above 0."""
    centred = values - values.mean()
    largest = np.abs(centred).max()
    return centred / largest if largest > 0 else centred


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation of the pairs that are known, 0 for fewer than half of them or for constants."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < max(_FEWEST, 0.5 * len(a)):
        return 0.0
    a = _centred(a[known])
    b = _centred(b[known])
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of what is known."""
    ranks = np.full(len(values), np.nan)
    known = np.isfinite(values)
    ranks[known] = rankdata(values[known])
    return ranks


def _is_linear(a: np.ndarray, b: np.ndarray, rows: np.ndarray, others: np.ndarray) -> bool:
    """Whether a column in some rows is a linear function of another in others."""
    few = _thinned(len(rows))
    if abs(correlation(a[rows[few]], b[others[few]])) < 1 - 1e-4:
        return False
    return 1 - correlation(a[rows], b[others]) ** 2 < _EXACT


def _is_relabelled(a: np.ndarray, b: np.ndarray, n_classes: int) -> bool:
    """Whether codes (-1: missing) are one-to-one with those of classes, and known in at least half of the rows."""
    known = a >= 0
    if known.sum() < max(_FEWEST, 0.5 * len(a)):
        return False
    pairs = np.bincount(a[known] * n_classes + b[known], minlength=n_classes**2).reshape(n_classes, n_classes) > 0
    return pairs.sum() > 1 and bool((pairs.sum(axis=0) <= 1).all() and (pairs.sum(axis=1) <= 1).all())


def _codes(column: pd.Series, most: int) -> np.ndarray | None:
    """Return the codes of a column's values, -1 for missing, None if it has more than `most` values."""
    few = _thinned(len(column))
    if column.iloc[few].nunique() > most:
        return None
    codes, values = pd.factorize(column)
    return codes if len(values) <= most else None


def _persistence(target: Target) -> float:
    """Return the rank correlation of the target with that of the row before."""
    if target.order is None or target.n_classes:
        return 0.0
    earlier, later = target.pairs(1)
    few = _thinned(len(earlier))
    return abs(correlation(_ranks(target.values[earlier[few]]), _ranks(target.values[later[few]])))


def _separation(x: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve of a column, in its better direction; 0.5 if a class has too few rows."""
    known = np.isfinite(x)
    n_pos = int(positive[known].sum())
    n_neg = int(known.sum()) - n_pos
    if known.mean() < 0.5 or min(n_pos, n_neg) < _FEWEST_OF_A_CLASS:
        return 0.5
    area = (rankdata(x[known])[positive[known]].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)
    return max(area, 1 - area)


def _monotone(x: np.ndarray, target: Target, persistence: float) -> str:
    """Say whether a column orders the target almost perfectly."""
    few = _thinned(len(x))
    y = target.values
    if target.n_classes == 2:
        if _separation(x[few], y[few] == 1) > _SUSPICIOUS and (area := _separation(x, y == 1)) > _SUSPICIOUS:
            return f"separates the classes almost perfectly (ROC AUC {area:.4f})"
        return ""
    if target.n_classes:
        return ""
    if abs(correlation(_ranks(x[few]), _ranks(y[few]))) > _SUSPICIOUS:
        found = abs(correlation(_ranks(x), _ranks(y)))
        # today's price orders tomorrow's almost perfectly and is no leak: compare with the target of the row before
        if found > _SUSPICIOUS and 1 - found < (1 - persistence) / 10:
            return f"determines the target almost perfectly (rank correlation {found:.4f})"
    return ""


def _by_value(column: pd.Series, target: Target, persistence: float) -> str:
    """Say whether each of a column's few values has one class, or next to one number."""
    if target.is_of_date:
        return ""
    codes = _codes(column, max(2, min(1000, len(column) // _ROWS_PER_VALUE)))
    if codes is None or (codes < 0).mean() > 0.5 or len(np.unique(codes[codes >= 0])) < 2:
        return ""
    if (np.diff(codes) >= 0).all():
        return ""  # a part of the time, such as the year, or rows that are sorted by this column
    known = codes >= 0
    codes = codes[known]
    y = target.values[known]
    if target.n_classes:
        counts = np.bincount(y, minlength=target.n_classes)
        if np.sort(counts)[-2] < _FEWEST_OF_A_CLASS:
            return ""
        pairs = np.unique(codes * np.int64(target.n_classes) + y)
        return "determines the class" if len(pairs) == len(np.unique(codes)) else ""
    # as in _monotone: today's price, rounded, almost equals tomorrow's and is no leak
    determined = _unexplained(codes, y) < min(1 - _SUSPICIOUS, (1 - persistence) / 10)
    return "determines the target almost perfectly" if determined else ""


def _by_absence(column: pd.Series, target: Target) -> str:
    """Say whether a column is missing for one of two classes, and for no other row."""
    if target.n_classes != 2:
        return ""
    missing = column.isna().to_numpy()
    for code in (0, 1):
        if missing.any() and np.array_equal(missing, target.values == code):
            return f"is missing exactly where the target is {target.labels[code]!r}"
    return ""


def _same_row(
    column: pd.Series, numbers: np.ndarray | None, codes: np.ndarray | None, target: Target, persistence: float
) -> str:
    """Say how a column gives the target of its own row, "" if it does not."""
    every = np.arange(len(column))
    if numbers is not None and not target.n_classes and _is_linear(numbers, target.values, every, every):
        exact = np.array_equal(numbers, target.values)
        return f"is the target{'' if exact else ', up to scale'}"
    if codes is not None and _is_relabelled(codes, target.values, target.n_classes):
        return "is the target under other names"
    if note := _by_absence(column, target) or _by_value(column, target, persistence):
        return note
    return "" if numbers is None else _monotone(numbers, target, persistence)


def _is_target_of(
    numbers: np.ndarray | None, codes: np.ndarray | None, rows: np.ndarray, others: np.ndarray, target: Target
) -> bool:
    """Whether a column holds in some rows the target of others."""
    if not target.n_classes:
        return numbers is not None and _is_linear(numbers, target.values, rows, others)
    if codes is None:
        return False
    few = _thinned(len(rows))
    return all(
        _is_relabelled(codes[rows[part]], target.values[others[part]], target.n_classes) for part in (few, slice(None))
    )


def _shifts(target: Target, horizon: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the pairs of rows that are 1, 2, ... rows apart, for distances with enough pairs."""
    if target.order is None:
        return []
    shifts = [target.pairs(shift) for shift in range(1, min(_MOST_SHIFTS, max(_SHIFTS, horizon)) + 1)]
    shifts = [pair for pair in shifts if len(pair[0]) >= _FEWEST]
    # if the class hardly ever changes, honest columns equal that of other rows, too
    changes = np.count_nonzero(np.diff(target.values[target.order]))
    return [] if target.n_classes and changes < _FEWEST_CHANGES else shifts


def _other_row(
    numbers: np.ndarray | None,
    codes: np.ndarray | None,
    target: Target,
    shifts: list[tuple[np.ndarray, np.ndarray]],
    horizon: int,
) -> str:
    """Say whether a column is the target of a later row, or of an earlier one whose label is not known yet."""
    for shift, (earlier, later) in enumerate(shifts, start=1):
        rows = f"{shift} row{'s' * (shift > 1)}{' of its asset' * bool(target.assets.any())}"
        if _is_target_of(numbers, codes, earlier, later, target):
            return f"is the target of {rows} later"
        if shift < horizon and _is_target_of(numbers, codes, later, earlier, target):
            return f"is the target of {rows} before, which is known only after {horizon} timestamps"
    return ""


def find_leaks(frame: pd.DataFrame, kinds: dict[str, list[str]], target: Target, horizon: int = 0) -> dict[str, str]:
    """Return the columns that hold the target, and what they do.

    Parameters
    ----------
    frame : DataFrame
        Clean features.
    kinds : dict
        Names of the columns by kind.
    target : Target
    horizon : int, default=0
        Timestamps until a label is known, if the rows are in time order.
    """
    found: dict[str, str] = {}
    if len(frame) < _FEWEST:
        return found
    persistence = _persistence(target)
    shifts = _shifts(target, horizon)
    for name in frame:
        column = frame[name]
        numbers = column.to_numpy() if name in kinds["numbers"] else None
        codes = _codes(column, target.n_classes) if target.n_classes else None
        note = _same_row(column, numbers, codes, target, persistence)
        note = note or _other_row(numbers, codes, target, shifts, horizon)
        if note:
            found[name] = note
    return found


def by_reason(found: dict[str, str]) -> list[tuple[str, str]]:
    """Return the columns that have one reason in common, in words, and the reason."""
    names: dict[str, list[str]] = {}
    for name, reason in found.items():
        names.setdefault(reason, []).append(repr(name))
    words = []
    for reason, columns in names.items():
        rest = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
        words.append((f"column{'s' * (len(columns) > 1)} {', '.join(columns[:_MOST_NAMED])}{rest}", reason))
    return words


def leak_notes(found: dict[str, str]) -> list[str]:
    """Say which columns hold the target."""
    return [f"possible leak: {columns}: {what}; {_KNOWN}" for columns, what in by_reason(found)]
