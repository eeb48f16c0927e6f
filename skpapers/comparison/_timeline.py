"""The order of the rows: their timestamps, when their labels are known, and the assets of a panel."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from skpapers.comparison import _roles
from skpapers.comparison._panel import clean_assets, panel_notes
from skpapers.comparison._splits import Windows
from skpapers.comparison._weights import average_uniqueness, uniqueness_weights

# No table has more timestamps, and int64 holds sums of a few such lengths.
_MOST = 10**9


@dataclass(frozen=True)
class TimeOptions:
    """The arguments of :func:`skpapers.compare` that are about time."""

    cv: Any = None
    time: Any = None
    gap: Any = 0
    horizon: Any = None
    label_end: Any = None
    embargo: Any = None
    train_size: Any = None
    step: Any = None
    assets: Any = None

    def check(self) -> None:
        """Refuse lengths that are not whole numbers, and arguments that contradict each other."""
        for name, least in (("gap", 0), ("horizon", 1), ("embargo", 0), ("train_size", 1), ("step", 1)):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if value is not None and not (whole and value >= least):
                raise ValueError(f"{name}={value!r} must be a whole number of timestamps, {least} or more.")
            if value is not None and value > _MOST:
                raise ValueError(f"{name}={value!r} is too large; it must be at most {_MOST} timestamps.")
        if self.gap is None:
            raise ValueError("gap=None must be a whole number of timestamps, 0 or more.")
        if self.horizon is not None and self.label_end is not None:
            raise ValueError("horizon and label_end both say when labels are known; give one of them.")
        roles: dict[str, str] = {}
        for name in ("time", "label_end", "assets"):
            column = getattr(self, name)
            if isinstance(column, str) and column in roles:
                raise ValueError(f"{roles[column]} and {name} both name {column!r}; they need different columns.")
            if isinstance(column, str):
                roles[column] = name

    def windows(self, label_end: np.ndarray | None) -> Windows:
        """Return these lengths with the rank at which each label is known."""

        def length(value: Any) -> int | None:
            return None if value is None else int(value)

        return Windows(
            gap=int(self.gap),
            horizon=length(self.horizon),
            label_end=label_end,
            embargo=length(self.embargo),
            train_size=length(self.train_size),
            step=length(self.step),
        )


@dataclass(frozen=True)
class Timeline:
    """The rows that are used, in time order unless the folds are a number, and what is known about their time.

    Parameters
    ----------
    kept : ndarray of shape (n_rows,)
        Numbers of the rows, as they were given.
    ranks : ndarray of shape (n_rows,) or None
        Ranks of their timestamps.
    times : Series of shape (n_rows,) or None
        Dates or numbers.
    assets : ndarray of shape (n_rows,) or None
    windows : Windows
    name : str
        Source of the times, for messages.
    notes : tuple of str
    """

    kept: np.ndarray
    ranks: np.ndarray | None
    times: pd.Series | None
    assets: np.ndarray | None
    windows: Windows
    name: str
    notes: tuple[str, ...]

    def uniqueness_weights(self) -> tuple[np.ndarray, str]:
        """Return the weights by the average uniqueness of the labels, and a note."""
        ends = self.windows.label_end
        if ends is None:
            raise ValueError(
                "sample_weight='uniqueness' needs to know which labels overlap: give horizon (--horizon) or label_end "
                "(--label-end)."
            )
        order = np.arange(len(self.kept)) if self.ranks is None else self.ranks
        uniqueness = average_uniqueness(order, ends, self.assets)
        note = f"sample weights are the average uniqueness of the labels, {uniqueness.mean():.2g} on average"
        return uniqueness_weights(uniqueness), note


def _ends_of_labels(
    given: pd.Series | None, name: str, times: np.ndarray | None, horizon: int | None, order: np.ndarray
) -> np.ndarray | None:
    """Return the rank at which the label of each row is known, None if the user does not say it."""
    if horizon is not None:
        return order + int(horizon)
    if given is None:
        return None
    if times is None:
        raise ValueError(f"{name} says when labels are known; it needs a time in every row (--time-column).")
    return _roles.clean_label_end(given, name, times)


def make_timeline(frame: pd.DataFrame, kept: np.ndarray, options: TimeOptions) -> tuple[pd.DataFrame, Timeline]:
    """Return the frame without the columns that are about time, and the timeline of the rows that are `kept`."""
    frame, end_column, end_name = _roles.take_column(frame, options.label_end, "label_end", "label end")
    frame, asset_column, asset_name = _roles.take_column(frame, options.assets, "assets", "asset")
    frame, column, name, notes = _roles.find_time(frame, options.time, options.cv, kept)
    if column is not None and end_column is not None:
        _roles.check_zones(column, name, end_column, end_name)
    ranks = None
    times = None
    if column is not None:
        values = _roles.time_values(column.iloc[kept].reset_index(drop=True), name)
        ranks = np.unique(values, return_inverse=True)[1]
        if not isinstance(options.cv, Integral):
            order = np.argsort(ranks, kind="stable")
            kept = kept[order]
            ranks = ranks[order]
            values = values[order]
        times = pd.Series(values, name=name)
    elif asset_column is not None:
        raise ValueError("assets make a panel, which needs a time in every row (--time-column).")

    def used(given: pd.Series | None) -> pd.Series | None:
        return None if given is None else given.iloc[kept].reset_index(drop=True)

    ends = _ends_of_labels(
        used(end_column),
        end_name,
        None if times is None else times.to_numpy(),
        options.horizon,
        np.arange(len(kept)) if ranks is None else ranks,
    )
    taken = used(asset_column)
    assets = None if taken is None else clean_assets(taken, asset_name)
    if assets is not None and ranks is not None:
        notes = [*panel_notes(ranks, assets), *notes]
    return frame, Timeline(kept, ranks, times, assets, options.windows(ends), name, tuple(notes))
