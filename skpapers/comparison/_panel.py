"""Panels: rows of several assets at each timestamp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skpapers.comparison._columns import as_categories, as_numbers

# Fewer timestamps per asset, on average, are too little evidence that a column names assets.
_FEWEST_TIMES = 10
# If the values were not those of assets, chance would repeat about so many at one timestamp; then 0 is evidence.
_PAIRS = 10.0


def clean_assets(assets: pd.Series, name: str) -> np.ndarray:
    """Return the asset of every row as a string."""
    if assets.isna().any():
        raise ValueError(f"{name} is missing in {int(assets.isna().sum())} rows; every row of a panel needs an asset.")
    return as_categories(assets).to_numpy()


def panel_notes(ranks: np.ndarray, assets: np.ndarray) -> list[str]:
    """Say how large the panel is, and how many rows repeat an asset at one timestamp."""
    pairs = pd.DataFrame({"time": ranks, "asset": assets})
    notes = [f"panel of {pairs['asset'].nunique()} assets and {pairs['time'].nunique()} timestamps"]
    if repeated := int(pairs.duplicated().sum()):
        notes.append(f"{repeated} rows repeat an asset at one timestamp")
    return notes


def _names_assets(column: pd.Series, ranks: np.ndarray, n_pairs: int) -> bool:
    """Whether each value of a column occurs at many timestamps, and at none of them twice."""
    if column.isna().any():
        return False
    numbers = as_numbers(column)
    if numbers is not None and not (numbers == np.round(numbers)).all():
        return False
    codes, values = pd.factorize(column)
    # random values would occur twice at some timestamp
    if not 2 <= len(values) <= len(column) / _FEWEST_TIMES or n_pairs < _PAIRS * len(values):
        return False
    keys = ranks.astype(np.int64) * len(values) + codes
    return len(np.unique(keys)) == len(keys)


def likely_assets(frame: pd.DataFrame, ranks: np.ndarray) -> pd.Series | None:
    """Return the first column, or level of the index, that looks like the asset column of a panel."""
    counts = np.bincount(ranks)
    n_pairs = int((counts * (counts - 1) // 2).sum())
    if n_pairs == 0:
        return None
    levels = {name: frame.index.get_level_values(name) for name in frame.index.names if name is not None}
    columns: dict[Any, Any] = {name: frame[name] for name in frame} | levels
    for name, values in columns.items():
        column = pd.Series(values).reset_index(drop=True).rename(name)
        discrete = column.dtype.kind in "iuO" or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
        if discrete and _names_assets(column, ranks, n_pairs):
            return column
    return None
