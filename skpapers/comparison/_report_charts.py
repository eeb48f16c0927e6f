"""Horizontal axes of the report's small charts, which the template draws, one in each row of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

# Values further than so many widths of the middle half from it are drawn as arrows at the edge.
_FAR = 12.0
_MARGIN = 0.04
# Outside these powers of ten a number is written with an exponent.
_SMALLEST = -4
_LARGEST = 5


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def written(values: Iterable[float], spread: float, *, signed: bool = False, unknown: str = "") -> list[str]:
    """Write numbers with as many decimals as show two digits of their spread.

    Parameters
    ----------
    values : iterable of float
    spread : float
        Such as the standard deviation. Four decimals if it is not a positive number.
    signed : bool, default=False
        Whether positive numbers have a sign.
    unknown : str, default=""
        What is written for NaN and infinity.

    Returns
    -------
    list of str
    """
    known = np.isfinite(spread) and spread > 0
    decimals = int(np.clip(1 - np.floor(np.log10(spread)), 0, 9)) if known else 4
    texts = []
    for value in values:
        text = f"{value:{'+' * signed},.{decimals}f}" if np.isfinite(value) else unknown
        is_zero = bool(text) and not any(digit in text for digit in "123456789")
        texts.append(text.lstrip("+-") if is_zero else text.replace("-", "\N{MINUS SIGN}"))
    return texts


def _exponent(values: Sequence[float]) -> int:
    """Return the power of ten that huge and tiny numbers are written with, as the table writes them; 0 for others."""
    top = max(map(abs, values), default=0.0)
    first = math.floor(math.log10(top)) if top else 0
    return 0 if _SMALLEST <= first <= _LARGEST else first


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: where it is in percent of the width, its text, and how the text is aligned."""

    at: float
    text: str
    anchor: str


@dataclass(frozen=True)
class Axis:
    """A range of values that is drawn over the whole width of a chart."""

    low: float
    high: float

    @classmethod
    def of(cls, points: ArrayLike, bounds: Sequence[tuple[float, float]] = (), *, zero: bool = False) -> Axis:
        """Return the axis that shows the points.

        Parameters
        ----------
        points : array-like
            Values that are drawn as points. Very distant ones do not count.
        bounds : sequence of (start, end), default=()
            Ends of intervals. The axis goes beyond the points by at most their range, or the median length of the
            intervals if that is more.
        zero : bool, default=False
            Whether zero must be on the axis.
        """
        known = _finite(points)
        if zero or not len(known):
            known = np.append(known, 0.0)
        first, third = np.quantile(known, [0.25, 0.75])
        reach = _FAR * (third - first)
        near = known[(known >= first - reach) & (known <= third + reach)] if reach > 0 else known
        low = min(near.min(), 0.0) if zero else near.min()
        high = max(near.max(), 0.0) if zero else near.max()
        lengths = _finite([end - start for start, end in bounds])
        if len(lengths):
            most = max(high - low, float(np.median(lengths)))
            ends = _finite(bounds)
            low = min(low, max(ends.min(), low - most))
            high = max(high, min(ends.max(), high + most))
        if high == low:
            half = 0.05 * abs(low) or 1.0
            return cls(float(low - half), float(high + half))
        margin = _MARGIN * (high - low)
        return cls(float(low - margin), float(high + margin))

    def at(self, value: float) -> float:
        """Return the place of a value in percent of the width, at most the edge."""
        place = 100 * (value - self.low) / (self.high - self.low)
        return round(float(np.clip(place, 0, 100)), 2)

    def beyond(self, value: float) -> str:
        """Return "low" or "high" for a value outside the axis, "" for any other."""
        if value < self.low:
            return "low"
        return "high" if value > self.high else ""

    @property
    def zero(self) -> float | None:
        """The place of zero in percent, None if it is outside."""
        return self.at(0.0) if self.low <= 0 <= self.high else None

    @property
    def ticks(self) -> list[Tick]:
        """A few marks at round values."""
        values = MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        values = [value for value in values if self.low <= value <= self.high]
        exponent = _exponent(values)
        step = min(np.diff(values), default=0.0) / 10.0**exponent
        decimals = int(np.clip(np.ceil(-np.log10(step) - 1e-9), 0, 9)) if step else 2
        if step and not np.isclose(step * 10**decimals, round(step * 10**decimals)):
            decimals += 1
        ticks = []
        for value in values:
            place = self.at(value)
            anchor = "start" if place < 8 else "end" if place > 92 else "middle"
            text = f"{value / 10.0**exponent if value else 0.0:,.{decimals}f}"
            text = (text + f"e{exponent}" * bool(exponent and value)).replace("-", "\N{MINUS SIGN}")
            ticks.append(Tick(place, text, anchor))
        return ticks
