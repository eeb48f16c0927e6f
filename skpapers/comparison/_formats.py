"""Numbers as text, with the digits that their spread supports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

# A score has at most this many significant digits, however small its spread is.
_DIGITS = 4
# Outside these powers of ten a number is written with an exponent.
_SMALLEST = -4
_LARGEST = 5
_MOST_DECIMALS = 8


def _exponent(value: float) -> int:
    """Return the power of ten of the first digit."""
    return math.floor(math.log10(value))


def _largest(*values: float) -> float:
    """Return the largest absolute value of the finite ones, 0 without any."""
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)


@dataclass(frozen=True)
class NumberFormat:
    """Decimals and exponent that the numbers of one row share.

    Parameters
    ----------
    decimals : int
    exponent : int, default=0
        Numbers are written as multiples of ten to this power.
    """

    decimals: int
    exponent: int = 0

    @classmethod
    def of(cls, magnitude: float, spread: float) -> NumberFormat:
        """Return the format that shows two digits of the spread and at most four of a number of this magnitude."""
        top = _largest(magnitude, spread)
        if top == 0:
            return cls(_DIGITS - 1)
        first = _exponent(top)
        exponent = 0 if _SMALLEST <= first <= _LARGEST else first
        most = _DIGITS - 1 - (first - exponent)
        decimals = most
        if math.isfinite(spread) and spread > 0:
            decimals = min(most, 1 - _exponent(spread) + exponent)
        return cls(min(max(decimals, 0), _MOST_DECIMALS), exponent)

    @classmethod
    def shared(cls, formats: Sequence[NumberFormat]) -> NumberFormat | None:
        """Return a format for all numbers of a column, None if their magnitudes differ too much."""
        exponents = {write.exponent for write in formats}
        if len(exponents) != 1:
            return None
        return cls(median_low(write.decimals for write in formats), exponents.pop())

    @property
    def resolution(self) -> float:
        """The smallest number above 0 that can be written."""
        return 10.0 ** (self.exponent - self.decimals)

    def __call__(self, value: float, sign: str = "-") -> str:
        """Write a number; "" if it is not finite.

        Parameters
        ----------
        value : float
        sign : {"-", "+"}, default="-"
            "+" writes the sign of a positive number as well.
        """
        if not math.isfinite(value):
            return ""
        text = f"{value / 10.0**self.exponent:{sign}.{self.decimals}f}"
        if float(text) == 0:
            text = text.lstrip("+-")
        return text + (f"e{self.exponent}" if self.exponent else "")


def score_texts(scores: Sequence[float], sds: Sequence[float], plus_minus: str = "±") -> list[str]:
    """Write the scores of a column with their standard deviations over the folds; "" without a score.

    Parameters
    ----------
    scores, sds : sequence of float
        NaN for what is unknown.
    plus_minus : str, default="±"
        "" leaves the standard deviations out.
    """
    pairs = list(zip(scores, sds, strict=True))
    own = [NumberFormat.of(score, sd) for score, sd in pairs]
    shared = NumberFormat.shared([write for write, score in zip(own, scores, strict=True) if math.isfinite(score)])
    return [_score_text(*pair, shared or write, plus_minus) for pair, write in zip(pairs, own, strict=True)]


def _score_text(score: float, sd: float, write: NumberFormat, plus_minus: str) -> str:
    if not math.isfinite(score) or not math.isfinite(sd) or not plus_minus:
        return write(score)
    small = 0 < sd < write.resolution / 2
    return f"{write(score)} {plus_minus} {'<' + write(write.resolution) if small else write(sd)}"


@dataclass(frozen=True)
class Difference:
    """A difference of two scores and its interval, NaN for what is unknown; `scale` is the magnitude of the scores."""

    value: float
    low: float
    high: float
    scale: float

    @property
    def is_bounded(self) -> bool:
        """Whether the interval is known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def format(self) -> NumberFormat:
        """Two digits of half the interval, and no more than the scores have."""
        spread = (self.high - self.low) / 2 if self.is_bounded else abs(self.value)
        return NumberFormat.of(_largest(self.scale, self.value), spread)

    def texts(self, shared: NumberFormat) -> tuple[str, str]:
        """Return the difference and its interval as text."""
        if not math.isfinite(self.value):
            return "", ""
        if self.value == 0 and (not self.is_bounded or self.low == self.high == 0):
            return "0", "[0, 0]" if self.is_bounded else ""
        nearest = min(abs(self.low), abs(self.high)) if self.low * self.high > 0 else math.inf
        write = self.format if nearest < shared.resolution / 2 else shared
        if _largest(self.value, self.low, self.high) < write.resolution / 2:
            limit = write(write.resolution)
            return f"<{limit}", f"[-{limit}, +{limit}]" if self.is_bounded else ""
        interval = f"[{write(self.low, '+')}, {write(self.high, '+')}]" if self.is_bounded else ""
        return write(self.value, "+"), interval


def difference_texts(differences: Sequence[Difference]) -> list[tuple[str, str]]:
    """Write the differences of a column, and their intervals.

    All have the same decimals, except where an interval lies so near to 0 that they would not show its side. What is
    below the last digit of the scores is written as such: ``"<0.0001"``.
    """
    known = [difference.format for difference in differences if math.isfinite(difference.value) and difference.value]
    shared = NumberFormat.shared(known)
    return [difference.texts(shared or difference.format) for difference in differences]


def seconds_text(seconds: float) -> str:
    """Write seconds with two digits, or three decimals; "" if they are unknown."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 0.0005:
        return "<0.001"
    if seconds < 0.1:
        return f"{seconds:.3f}"
    if seconds < 1:
        return f"{seconds:.2f}"
    return f"{seconds:.0f}" if seconds >= 9.95 else f"{seconds:.1f}"
