"""Numbers written with groups of thousands, a decimal comma, a currency or a percent sign."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

# (decimal, thousands); a number without groups fits as well
_CONVENTIONS = ((".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
_SPACES = "[\u00a0\u2007\u2009\u202f]"
# Values of --decimal and --thousands. Several characters mean the same sign.
DECIMALS = (".", ",")
THOUSANDS = {",": ",", ".": ".", " ": " ", "\u00a0": " ", "\u202f": " ", "'": "'", "\u2019": "'"}
_UNIT = (
    "(?:US|CA|AU|NZ|HK|R|A|C|S)?[$]|[€£¥₹₽₩₺₱₪₴฿%]|kr|zł|"
    "USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|KRW|SGD|HKD"
)
_BEFORE = rf"^([+-]?)\s*(?:{_UNIT})\s*"
_AFTER = rf"\s*(?:{_UNIT})$"
_IN_BRACKETS = r"^\(([^()+-]*[0-9][^()+-]*)\)$"  # an accountant's minus, before or after the unit
_WITH_UNIT = r"[+-]?[0-9][0-9.,]*(?:\s?[kKMB]|\s[^\W\d]{1,5}|bps?|[kcm]?[gm]|pct|days?|x)"
_INFINITE = r"[+-]?(?i:inf|infinity)"
_NUMERAL = rf"-?[0-9., ']*[0-9][0-9., ']*(?:[eE][+-]?[0-9]+)?|{_INFINITE}"
_WHOLE = r"-?[0-9]+"
LEADING_ZEROS = r"-?0[0-9]+"
# Larger whole numbers lose digits in float64, which a column with missing values needs.
EXACT = 2**53
_FIRST = 100


def _pattern(decimal: str, thousands: str) -> str:
    sign = re.escape(decimal)
    group = re.escape(thousands)
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+)"
    return rf"[+-]?(?:{whole}(?:{sign}[0-9]*)?|{sign}[0-9]+)(?:[eE][+-]?[0-9]+)?|{_INFINITE}"


@dataclass(frozen=True)
class Written:
    """A text column that may hold numbers.

    `numerals` are its values without units, `looks` says which of them look like a number, `units` are the signs that
    were removed, and `mixed` says whether the rows have different ones.
    """

    numerals: pd.Series
    looks: pd.Series
    units: tuple[str, ...]
    mixed: bool

    @classmethod
    def of(cls, strings: pd.Series) -> Written:
        """Remove units, brackets and unusual signs from strings; none is missing."""
        if strings.str.fullmatch(_NUMERAL).all():
            return cls(strings, pd.Series(True, index=strings.index), (), False)
        plain = strings.str.replace(_SPACES, " ", regex=True).str.replace("\u2212", "-", regex=False)
        plain = plain.str.replace("\u2019", "'", regex=False).str.replace(_IN_BRACKETS, r"-\1", regex=True)
        units = plain.str.extract(f"({_UNIT})", expand=False).where(plain.str.contains(r"[0-9]"))
        found = tuple(sorted(units.dropna().unique()))
        if found:
            plain = plain.str.replace(_BEFORE, r"\1", regex=True).str.replace(_AFTER, "", regex=True)
            plain = plain.str.replace(_IN_BRACKETS, r"-\1", regex=True)
        plain = plain.str.replace(r"^([0-9][0-9., ']*)-$", r"-\1", regex=True).str.replace(r"^\+", "", regex=True)
        plain = plain.str.strip()
        looks = plain.str.fullmatch(_NUMERAL).astype(bool)
        # in a column with 50% and 0.5, the second may be 0.5 or 50 percent
        some_percent = "%" in found and bool(units[looks].isna().any())
        return cls(plain, looks, found, len(found) > 1 or some_percent)


def _conventions(decimal: str | None, thousands: str | None) -> list[tuple[str, str]]:
    """Return the pairs of a decimal and a thousands sign that agree with what the user says."""
    return [
        (point, group)
        for point, group in _CONVENTIONS
        if decimal in (None, point) and (thousands is None or THOUSANDS[thousands] == group)
    ]


def readings(numerals: pd.Series, decimal: str | None = None, thousands: str | None = None) -> dict[str, pd.Series]:
    """Return the numbers by their decimal sign, in every way that all numerals can be read; equal readings count once.

    Parameters
    ----------
    numerals : Series of str
        None missing.

    decimal, thousands : str, default=None
        The signs that the user gives.

    Returns
    -------
    readings : dict of Series
        Empty if these are not numbers; two readings if a dot or a comma may be either sign.
    """
    found: dict[str, pd.Series] = {}
    for point, group in _conventions(decimal, thousands):
        pattern = _pattern(point, group)
        grouped = numerals.str.contains(group, regex=False).any()
        if (point in found and not grouped) or not _fit(numerals, pattern):
            continue
        plain = numerals.str.replace(group, "", regex=False).str.replace(point, ".", regex=False)
        numbers = _converted(plain)
        if not any(np.array_equal(numbers, other) for other in found.values()):
            found[point] = numbers
    return found


def misfits(numerals: pd.Series, decimal: str | None = None, thousands: str | None = None) -> pd.Series:
    """Return the numerals that the best signs do not fit."""
    unread = [numerals[~numerals.str.fullmatch(_pattern(*signs))] for signs in _conventions(decimal, thousands)]
    return min(unread, key=len)


def _fit(numerals: pd.Series, pattern: str) -> bool:
    """Whether all strings match, the first of them first."""
    return bool(numerals.head(_FIRST).str.fullmatch(pattern).all() and numerals.str.fullmatch(pattern).all())


def _converted(plain: pd.Series) -> pd.Series:
    """Return whole numbers as int64 where they fit, others as float64: pyarrow's conversion is exact."""
    import pyarrow as pa

    strings = pa.array(plain.to_numpy(dtype=object), type=pa.string())
    if plain.str.fullmatch(_WHOLE).all():
        try:
            return pd.Series(strings.cast(pa.int64()).to_numpy(zero_copy_only=False), index=plain.index)
        except pa.ArrowInvalid:
            pass
    return pd.Series(strings.cast(pa.float64()).to_numpy(zero_copy_only=False), index=plain.index)


def with_unknown_units(strings: pd.Series) -> str:
    """Return what to say where all strings are a number with a unit that is not known, such as 5 kg; "" elsewhere."""
    if strings.empty or not strings.str.fullmatch(_WITH_UNIT).all():
        return ""
    return f"its values are numbers with a unit, such as {strings.iloc[0]!r}; remove the units to make them numbers"


def has_leading_zeros(numerals: pd.Series) -> bool:
    """Whether whole numbers are written as identifiers are: 00123."""
    return bool(numerals.str.fullmatch(_WHOLE).all() and numerals.str.fullmatch(LEADING_ZEROS).any())


def loses_digits(numerals: pd.Series, numbers: pd.Series, missing: bool) -> bool:
    """Whether whole numbers are too long for the type that a column with or without missing values has."""
    if not numerals.str.fullmatch(_WHOLE).all():
        return False
    return numbers.dtype.kind == "f" or (missing and bool((numbers.abs() > EXACT).any()))


def likely_decimal(numerals: pd.Series, shown: set[str], sep: str) -> str:
    """Choose the decimal sign if a dot or a comma may be either sign.

    Parameters
    ----------
    numerals : Series of str
        Such as 1.200 and 900.

    shown : set of str
        The decimal signs of the file's other columns.

    sep : str
        The separator of the columns.
    """
    if len(shown) == 1:
        return next(iter(shown))
    sign, other = (".", ",") if numerals.str.contains(".", regex=False).any() else (",", ".")
    # three fixed decimals would appear in every value; groups appear only from 1000 on
    without = numerals[~numerals.str.contains(sign, regex=False)]
    if len(without) and (without.str.len() <= 3 + without.str.startswith("-")).all():
        return other
    return sign if sign == "." or sep == ";" else other
