"""Columns that number or name the rows instead of describing them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from skpapers.comparison._columns import near_dates
from skpapers.comparison._leaks import by_reason

# Fewer rows are too little evidence.
_FEWEST = 50
# Uniform random numbers of the same range would have at least so many equal pairs; those of any other law have more.
_PAIRS = 10.0
_NEARLY_ALL = 0.95
_NAMES = (re.compile(r"(^|[_\W])(id|uid|uuid|guid|index|idx|key)($|[_\W])", re.IGNORECASE), re.compile(r"[a-z]I[dD]$"))


def _numbers_rows(values: np.ndarray, name: str, given: np.ndarray) -> str:
    """Return why a column of numbers identifies the rows, "" if it does not."""
    if not (np.isfinite(values).all() and (values == np.round(values)).all()):
        return ""
    steps = [np.diff(values), np.diff(values[given])]
    if any((step > 0).all() or (step < 0).all() for step in steps):
        return "numbers the rows"
    n = len(values)
    if len(np.unique(values)) < n:
        return ""
    dense = n * (n - 1) / 2 > _PAIRS * (values.max() - values.min() + 1)
    return "each of its whole numbers occurs once" if dense or any(form.search(name) for form in _NAMES) else ""


def find_identifiers(frame: pd.DataFrame, kinds: dict[str, list[str]], given: np.ndarray) -> dict[str, str]:
    """Return the columns that identify the rows, and why.

    There are three kinds: whole numbers that rise or fall with every row; whole numbers that all differ, although
    random ones of the same range would not or under the name of an identifier; text that differs in (nearly) all rows.

    Parameters
    ----------
    frame : DataFrame
        Clean features.
    kinds : dict
        Names of the columns by kind, see :func:`skpapers.comparison._tables.clean_features`.
    given : ndarray of shape (n_rows,)
        The order of the rows in which the user gave them.
    """
    found: dict[str, str] = {}
    if len(frame) < _FEWEST:
        return found
    for name in kinds["numbers"]:
        if reason := _numbers_rows(frame[name].to_numpy(), name, given):
            found[name] = reason
    for name in kinds["categories"]:
        n_distinct = frame[name].nunique()
        if n_distinct >= _NEARLY_ALL * len(frame) and not near_dates(frame[name].dropna().head(_FEWEST)):
            found[name] = f"{'' if n_distinct == len(frame) else 'nearly '}every row has its own value"
    return found


def identifier_notes(found: dict[str, str]) -> list[str]:
    """Say which columns look like identifiers, and what to do."""
    return [f"{columns}: {why}, like an identifier; drop it if it is one (--drop)" for columns, why in by_reason(found)]
