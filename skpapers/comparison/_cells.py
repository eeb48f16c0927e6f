"""The text columns of a file become numbers, dates, booleans or categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skpapers.comparison._columns import DATE_NAME, as_dates, date_readings
from skpapers.comparison._numbers import (
    DECIMALS,
    EXACT,
    LEADING_ZEROS,
    THOUSANDS,
    Written,
    has_leading_zeros,
    likely_decimal,
    loses_digits,
    misfits,
    readings,
    with_unknown_units,
)

if TYPE_CHECKING:
    import pyarrow as pa

# Words for a missing value among numbers or dates, in lower case. In a column of text they are values like others.
_WORDS = frozenset(
    ["na", "n.a.", "n.a", "n/a", "#n/a", "n/d", "nd", "k.a.", "none", "null", "nil", "nan", "missing", "unknown"]
    + ["?", "??", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "error"]
    + ["#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!", "#error!"]
)
# In a category these words are ordinary values and get no note.
_LETTERS = {"*", "error", "unknown", "missing"}
# Other words are missing values only if there are at most this many, in at most this share of the rows.
_MOST_WORDS = 3
_MOST_ROWS = 0.1
_SHOWN = 3
_DATE_DIGITS = 6
_FIRST = 100
_AMBIGUOUS = r"-?[0-9]+|-?[1-9][0-9]{0,2}[.,][0-9]{3}"


@dataclass(frozen=True)
class FileFormat:
    """The user's settings for a .csv file.

    Parameters
    ----------
    sep, decimal, thousands : str or None
        The separator of columns, the decimal sign, and the sign between groups of three digits.

    na : tuple of str
        Words that are missing values in every column.

    date_format : str or None
        As for :func:`pandas.to_datetime`.
    """

    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    na: tuple[str, ...] = ()
    date_format: str | None = None

    def __post_init__(self) -> None:
        if self.sep is not None and (len(self.sep) != 1 or self.sep.isalnum() or self.sep in '"\r\n'):
            raise ValueError(f"--sep {self.sep!r}: must be one character, and no letter, digit or quotation mark.")
        if self.decimal not in (None, *DECIMALS):
            raise ValueError(f"--decimal {self.decimal!r}: must be '.' or ','.")
        if self.thousands not in (None, *THOUSANDS):
            raise ValueError(f"--thousands {self.thousands!r}: must be ',', '.', an apostrophe or a space.")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"--decimal and --thousands are both {self.decimal!r}; they must differ.")


@dataclass
class _Numerals:
    """A column that holds numbers, before it is decided which sign is the decimal one."""

    numerals: pd.Series
    readings: dict[str, pd.Series]


def _quoted(values: Any) -> str:
    """Name some values for a note."""
    distinct = list(dict.fromkeys(values))
    return ", ".join(map(repr, distinct[:_SHOWN])) + ", ..." * (len(distinct) > _SHOWN)


def _rows(n: int) -> str:
    return f"{n} row{'s' * (n != 1)}"


def _known(column: pd.Series, na: Sequence[str], empty: Sequence[str]) -> pd.Series:
    """Return the values that are not missing, without padding and without quotes inside the padding."""
    values = column.str.strip()
    padded = values != column
    if padded.any() and values[padded].str.fullmatch(r'".*"').all():
        values = values.mask(padded, values.str[1:-1])
    return values[~values.isin([*empty, *na])]


def is_plain(column: pa.ChunkedArray, first: pd.Series) -> bool:
    """Whether a column that pyarrow has read can be read in only one way.

    False for whole numbers, which may have had leading zeros: see :func:`has_plain_integers`.

    Parameters
    ----------
    column : ChunkedArray
        As pyarrow's own inference reads it.

    first : Series of str
        The text of its first rows.
    """
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return True
    if not pa.types.is_float64(column.type) or not compute.all(compute.is_finite(column)).as_py():
        return False
    known = first[first.str.contains(r"[0-9]")].str.strip()
    return len(known) > 0 and not known.str.fullmatch(_AMBIGUOUS).all()


def has_plain_integers(column: pa.ChunkedArray, text: pa.ChunkedArray) -> bool:
    """Whether whole numbers that pyarrow has read had no leading zeros and stay exact if some are missing."""
    from pyarrow import compute

    text = compute.ascii_trim_whitespace(text)
    zeros = text.filter(compute.or_(compute.starts_with(text, "0"), compute.starts_with(text, "-0")))
    if compute.any(compute.match_substring_regex(zeros, f"^{LEADING_ZEROS}")).as_py():
        return False
    return not column.null_count or compute.max(compute.abs(column)).as_py() <= EXACT


class _Reader:
    """Reads the columns of one file, and collects notes about them."""

    def __init__(
        self,
        table: pa.Table,
        file_format: FileFormat,
        sep: str,
        shown: set[str],
        named: Sequence[str],
        empty: Sequence[str],
    ) -> None:
        self.file_format = file_format
        self.sep = sep
        self.named = named
        self.table = table
        self.empty = empty
        # the distinct values of each column, the code of each row's value, and the number of rows of each value
        self.known: dict[str, pd.Series] = {}
        self.codes: dict[str, np.ndarray] = {}
        self.counts: dict[str, np.ndarray] = {}
        self.notes: list[str] = []
        self.shown = set(shown)  # decimal signs of columns that can be read in only one way
        # -999 is -999.0, too
        self.na_numbers = [float(word) for word in file_format.na if re.fullmatch(r"-?[0-9]+(\.[0-9]*)?", word)]
        self.date_misfits: dict[str, str] = {}
        self.has_date_format = file_format.date_format is None

    def read(self) -> dict[str, pd.Series]:
        """Return the columns, typed."""
        for name in self.table.column_names:
            self.codes[name], distinct = pd.factorize(self.table[name].to_pandas())
            self.known[name] = _known(pd.Series(distinct), self.file_format.na, self.empty)
            self.counts[name] = np.bincount(self.codes[name], minlength=len(distinct))
        found = {name: self._first_of_all_dates(name) for name in self.known}
        numerals = {name: self._numerals(name) for name, dates in found.items() if dates is None}
        columns = {}
        for name in self.known:
            values = found[name]
            if values is None and (unread := numerals[name]) is not None:
                values = self._decided(name, unread)
            if values is None:
                values = self._dates(name)
            if values is None:
                values = self._booleans(name)
            if values is None:
                values = self._text(name)
            columns[name] = values.reindex(self.codes[name]).reset_index(drop=True)
        if not self.has_date_format:
            odd = "".join(f"; in column {name!r}, {value!r} does not fit" for name, value in self.date_misfits.items())
            raise ValueError(f"--date-format {self.file_format.date_format}: no column has dates of this format{odd}.")
        return columns

    def _n_rows(self, name: str, values: pd.Series) -> int:
        """Return how many rows of a column have one of some distinct values."""
        return int(self.counts[name][values.index].sum())

    def _note(self, name: str, text: str) -> None:
        self.notes.append(f"column {name!r} {text}")

    def _are_missing(self, name: str, words: pd.Series) -> bool:
        """Whether words among numbers or dates are missing values."""
        distinct = set(words.str.casefold())
        n_rows = self._n_rows(name, self.known[name])
        rare = len(distinct) <= _MOST_WORDS and self._n_rows(name, words) <= _MOST_ROWS * n_rows
        return distinct <= _WORDS or (rare and name not in self.named)

    def _leave_out(self, name: str, words: pd.Series, what: str) -> None:
        """Note which words are taken as missing values, except for NA."""
        other = words[words != "NA"]
        if len(other):
            self._note(
                name, f"has {_quoted(other)} among its {what}, taken as missing ({_rows(self._n_rows(name, other))})"
            )

    def _first_of_all_dates(self, name: str) -> pd.Series | None:
        """Return dates in the user's format; this comes first, since digits would be read as numbers.

        Short values, such as a year, are dates only in a column with a role or with the name of a date.
        """
        if self.file_format.date_format is None:
            return None
        if not (name in self.named or DATE_NAME.search(name)) and (self.known[name].str.len() < _DATE_DIGITS).any():
            return None
        return self._dates(name)

    def _numerals(self, name: str) -> _Numerals | None:
        """Return the numbers of a column, or None if it is no column of numbers; a note names near misses."""
        known = self.known[name]
        # more distinct words than can be missing values: not a column of numbers
        if (~Written.of(known.head(10 * _FIRST)).looks).sum() > len(_WORDS) + _MOST_WORDS:
            return None
        written = Written.of(known)
        numerals = written.numerals[written.looks]
        words = known[~written.looks]
        if numerals.empty:
            return None
        if len(words) and not self._are_missing(name, words):
            n_numerals = self._n_rows(name, numerals)
            n_known = self._n_rows(name, known)
            if n_numerals >= 0.5 * n_known:
                counted = f"{n_numerals} of {n_known} values are numbers, the others are {_quoted(words)}"
                self._note(name, f"is a category: {counted}; --na names words that are missing values")
            return None
        if written.mixed:
            self._note(name, f"is a category: its numbers do not all have the same unit ({' '.join(written.units)})")
            return None
        if has_leading_zeros(numerals):
            example = numerals[numerals.str.fullmatch(LEADING_ZEROS)].iloc[0]
            self._note(name, f"is a category: whole numbers with leading zeros are identifiers ({example!r})")
            return None
        found = readings(numerals, self.file_format.decimal, self.file_format.thousands)
        missing = self._n_rows(name, numerals) < len(self.table)
        if not found:
            if not date_readings(known[written.looks]):
                odd = misfits(numerals, self.file_format.decimal, self.file_format.thousands)
                rest = numerals.drop(odd.index)
                fits = f"; they fit {_quoted(rest)}" if len(rest) else ""
                self._note(
                    name,
                    f"is a category: its values look like numbers, but no decimal and thousands signs fit "
                    f"{_quoted(odd)}{fits}; --decimal and --thousands name the signs",
                )
            return None
        if any(loses_digits(numerals, numbers, missing) for numbers in found.values()):
            self._note(name, f"is a category: its whole numbers are too long to stay exact ({numerals.iloc[0]!r})")
            return None
        self._leave_out(name, words, "numbers")
        if written.units:
            self._note(name, f"is read as numbers, without their {' '.join(written.units)}")
        if len(found) == 1 and numerals.str.contains("[.,]", regex=True).any():
            self.shown |= set(found)
        return _Numerals(numerals, found)

    def _decided(self, name: str, unread: _Numerals) -> pd.Series:
        """Return the numbers; if two decimal signs are possible, choose one and add a note."""
        decimal = next(iter(unread.readings))
        if len(unread.readings) > 1:
            decimal = likely_decimal(unread.numerals, self.shown, self.sep)
            example = unread.numerals[unread.numerals.str.contains("[.,]", regex=True)]
            value = unread.readings[decimal][example.index[0]]
            self._note(
                name, f"can be read in two ways: {example.iloc[0]!r} is read as {value:.15g}; --decimal sets the sign"
            )
        numbers = unread.readings[decimal]
        return numbers[~numbers.isin(self.na_numbers)]

    def _dates(self, name: str) -> pd.Series | None:
        """Return the dates of a column; None if it holds no dates, or if day and month are ambiguous."""
        known = self.known[name]
        dated = known.str.contains(r"[0-9]", regex=True).astype(bool) & ~known.str.casefold().isin(_WORDS)
        words = known[~dated]
        written = known[dated]
        if written.empty or (len(words) and not self._are_missing(name, words)):
            return None
        dates = None if self.file_format.date_format is None else as_dates(written, self.file_format.date_format)
        if self.file_format.date_format is not None and dates is None:
            self._remember_misfit(name, written, self.file_format.date_format)
        found = date_readings(written) if dates is None else [dates]
        self.has_date_format |= dates is not None
        if len(found) != 1:
            return None
        self._leave_out(name, words, "dates")
        return found[0]

    def _remember_misfit(self, name: str, written: pd.Series, date_format: str) -> None:
        """Keep the first value of a column that has not the user's format, if other values have it."""
        fits = pd.Series([as_dates(written[[i]], date_format) is not None for i in written.index[:_FIRST]])
        if fits.any() and not fits.all():
            self.date_misfits[name] = written.iloc[int(fits.argmin())]

    def _booleans(self, name: str) -> pd.Series | None:
        known = self.known[name]
        lower = known.str.casefold()
        words = known[lower.isin(_WORDS)]
        values = lower.drop(words.index)
        if values.empty or not values.isin(["true", "false"]).all():
            return None
        self._leave_out(name, words, "truth values")
        return values == "true"

    def _text(self, name: str) -> pd.Series:
        known = self.known[name]
        if unit := with_unknown_units(known):
            self._note(name, f"is a category: {unit}")
        words = known[known.str.casefold().isin(_WORDS - _LETTERS)]
        if len(words):
            option = f"--na={quote(words.iloc[0])}"
            self._note(
                name,
                f"has {_quoted(words)} as a value in {_rows(self._n_rows(name, words))}; {option} makes it missing",
            )
        return known


def read_columns(
    table: pa.Table, file_format: FileFormat, sep: str, shown: set[str], named: Sequence[str], empty: Sequence[str]
) -> tuple[dict[str, pd.Series], list[str]]:
    """Turn text columns into typed ones.

    Parameters
    ----------
    table : Table of strings
        The cells as in the file, none missing.

    file_format : FileFormat
        The user's settings for the file.

    sep : str
        The separator of the columns. If it is a semicolon, a comma is more likely a decimal sign.

    shown : set of str
        The decimal signs of columns that were read before.

    named : sequence of str
        Columns that have a role.

    empty : sequence of str
        The strings that are missing values in every column.

    Returns
    -------
    columns : dict of Series

    notes : list of str
        The columns that could be read in several ways, and how they were read.
    """
    reader = _Reader(table, file_format, sep, shown, named, empty)
    return reader.read(), reader.notes
