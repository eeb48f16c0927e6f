"""A user's .csv or .parquet file becomes a pandas frame."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from skpapers.comparison._cells import FileFormat, has_plain_integers, is_plain, read_columns

if TYPE_CHECKING:
    import pyarrow as pa

# In this order: a tab, a semicolon or a bar within a field is rarer than a comma.
_SEPARATORS = "\t;|,"
_SAMPLE_LINES = 200
# How pandas writes and reads an index without a name.
_UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


def _separators(path: str) -> list[str]:
    """Return the separators that give the first lines as many fields as the header has, the likeliest first."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = [line for line, _ in zip(file, range(_SAMPLE_LINES), strict=False) if line.strip()]
    if lines and re.match(r"sep=.$", lines[0].strip()):
        raise ValueError(f"{path}: its first line, {lines[0].strip()}, is for a spreadsheet; remove it.")
    widths = {sep: [len(row) for row in csv.reader(lines, delimiter=sep, skipinitialspace=True)] for sep in _SEPARATORS}
    if len(lines) == _SAMPLE_LINES:  # the last row may continue on the next line
        widths = {sep: width[:-1] for sep, width in widths.items()}
    even = [sep for sep, width in widths.items() if width and 1 < width[0] == min(width) == max(width)]
    if even or not lines:
        return even or [","]
    ragged = [sep for sep, width in widths.items() if width[0] > 1 and max(width[1:], default=2) > 1]
    if ragged:  # the most frequent sign of the header, for the error message of the reader
        return [max(ragged, key=lambda sep: widths[sep][0])]
    return [min(_SEPARATORS, key=lambda sep: max(widths[sep]))]  # one column


class _CSV:
    """A .csv file that pyarrow reads column by column, typed or as text."""

    def __init__(self, path: str, sep: str) -> None:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        self.path = path
        self.sep = sep
        self.parse = arrow_csv.ParseOptions(delimiter=sep)
        # NA is missing among numbers only: in other columns it may be a value
        self.empty = [word for word in arrow_csv.ConvertOptions().null_values if word != "NA"]
        with open(path, "rb") as file:
            self.lines = b"".join(line for line, _ in zip(file, range(_SAMPLE_LINES), strict=False))
        try:
            first = self._read(BytesIO(self.lines))
        except pa.ArrowInvalid:  # the last row may continue on the next line
            self.lines = Path(path).read_bytes()
            first = self._read(BytesIO(self.lines))
        self.names = [_clean_name(name) for name in first.column_names]
        _check(path, self.names, first.num_rows)
        self.raw_names = dict(zip(self.names, first.column_names, strict=True))

    def _read(self, source: Any, **options: Any) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        # one block, so that a column's type is inferred from all of its rows
        block = arrow_csv.ReadOptions(block_size=min(max(os.path.getsize(self.path), 1 << 20), (1 << 31) - 1))
        convert = arrow_csv.ConvertOptions(**options)
        try:
            return arrow_csv.read_csv(source, read_options=block, parse_options=self.parse, convert_options=convert)
        except pa.ArrowInvalid as error:
            message = str(error).splitlines()[0]
            if "Expected" in message:
                message += f"; the separator is {self.sep!r} (--sep sets another)"
            raise pa.ArrowInvalid(message) from error

    def typed(self, names: Sequence[str], decimal: str) -> pa.Table:
        """Return some columns as pyarrow reads them."""
        raw = [self.raw_names[name] for name in names]
        table = self._read(self.path, include_columns=raw, decimal_point=decimal, strings_can_be_null=True)
        return table.rename_columns(list(names))

    def texts(self, names: Sequence[str], first: bool = False) -> pa.Table:
        """Return some columns as text without missing values; if `first`, only their first rows."""
        import pyarrow as pa

        if not names:  # pyarrow would read all of them
            return pa.table({})
        raw = [self.raw_names[name] for name in names]
        types = dict.fromkeys(raw, pa.binary())
        table = self._read(BytesIO(self.lines) if first else self.path, include_columns=raw, column_types=types)
        try:
            return pa.table([column.cast(pa.string()) for column in table.columns], names=list(names))
        except pa.ArrowInvalid as error:
            raise UnicodeError("bytes that are not text") from error


def _clean_name(name: str) -> str:
    """Return the name of a column without padding, and without quotes inside the padding."""
    return re.sub(r'^"(.*)"$', r"\1", name.strip()) if name != name.strip() else name


def _read_plain(file: _CSV) -> tuple[dict[str, pd.Series], set[str]]:
    """Return the columns that can be read in only one way, and their decimal signs."""
    import pyarrow as pa

    columns: dict[str, pd.Series] = {}
    shown: set[str] = set()
    first = file.texts(file.names, first=True).to_pandas()
    for decimal in ".,":
        left = [name for name in file.names if name not in columns]
        if decimal == ",":
            left = [name for name in left if first[name].str.fullmatch(r"\s*-?\d+,\d+\s*").any()]
        if not left:
            continue
        typed = file.typed(left, decimal)
        whole = [name for name in left if pa.types.is_integer(typed[name].type)]
        texts = file.texts(whole)
        for name in left:
            column = typed[name]
            if is_plain(column, first[name]) or (name in whole and has_plain_integers(column, texts[name])):
                columns[name] = column.to_pandas(date_as_object=False)
                shown |= {decimal} if columns[name].dtype.kind == "f" and name not in whole else set()
    return columns, shown


def _read_csv(path: str, file_format: FileFormat, named: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Let pyarrow read the columns that can be read in only one way, and parse the text of the others."""
    separators = _separators(path) if file_format.sep is None else [file_format.sep]
    file = _CSV(path, separators[0])
    columns: dict[str, pd.Series] = {}
    shown: set[str] = set()
    if file_format == FileFormat(sep=file_format.sep):
        columns, shown = _read_plain(file)
    texts = file.texts([name for name in file.names if name not in columns])
    others, notes = read_columns(texts, file_format, file.sep, shown, named, file.empty)
    columns |= others
    if len(separators) > 1:
        notes.insert(0, f"the columns are separated at {separators[0]!r}; --sep {separators[1]!r} fits as well")
    return pd.DataFrame({name: columns[name] for name in file.names}), notes


def _read_parquet(path: str, file_format: FileFormat) -> tuple[pd.DataFrame, list[str]]:
    from pyarrow import parquet

    if file_format != FileFormat():
        raise ValueError("--sep, --decimal, --thousands, --na and --date-format are for .csv files.")
    table = parquet.read_table(path)
    _check(path, table.column_names, table.num_rows)
    return table.to_pandas(date_as_object=False, ignore_metadata=True), []


def _counts_rows(column: pd.Series) -> bool:
    """Whether an unnamed column is the index of a pandas table: distinct whole numbers."""
    return bool(_UNNAMED.fullmatch(str(column.name))) and column.dtype.kind in "iu" and column.is_unique


def _check(path: str, names: Sequence[str], n_rows: int) -> None:
    counts = Counter(names)
    if counts[""] > 1:
        raise ValueError(f"{path}: {counts['']} columns have no name; give each a name, or remove them.")
    twice = sorted(repr(name) for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"{path}: column names must be unique; {', '.join(twice)} occurs more than once.")
    if not n_rows or not names:
        raise ValueError(f"{path}: the table is empty ({n_rows} rows, {len(names)} columns).")


def read_table(
    path: str, named: Sequence[str] = (), file_format: FileFormat | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Read a .csv or .parquet file; any failure is a ValueError of one line.

    Parameters
    ----------
    path : str
        A .csv file in UTF-8, its columns separated by commas, semicolons, tabs or bars, or a .parquet file.

    named : sequence of str, default=()
        Columns that have a role. They are kept even if they hold row numbers.

    file_format : FileFormat, default=None
        The user's settings for a .csv file.

    Returns
    -------
    frame : DataFrame
        The table without unnamed columns of row numbers.

    notes : list of str
        The columns that were dropped, and those that could be read in several ways.
    """
    import pyarrow as pa

    file_format = FileFormat() if file_format is None else file_format
    if Path(path).suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: a table is a .csv or .parquet file.")
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        frame, notes = (
            _read_csv(path, file_format, named) if path.lower().endswith(".csv") else _read_parquet(path, file_format)
        )
    except UnicodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text; save it in UTF-8.") from error
    except (pa.ArrowException, csv.Error, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from error
    counts = [name for name in frame if name not in named and _counts_rows(frame[name])]
    notes = [f"column {name!r} is a row number and not a feature" for name in counts] + notes
    return frame.drop(columns=counts), notes
