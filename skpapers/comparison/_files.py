"""A user's .csv or .parquet file becomes a pandas frame."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITERS = ",;\t|"
# How pandas writes and reads an index without a name.
_UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__")


def _delimiter(path: str) -> str:
    """Return the delimiter that stands most often in the header, outside of quotes; the comma where none does."""
    with open(path, encoding="utf-8", newline="") as file:
        header = re.sub(r'"[^"]*"', "", file.readline())
    return max(_DELIMITERS, key=header.count)


def _read_csv(path: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    parse = csv.ParseOptions(delimiter=_delimiter(path))
    # one block, so that a column's type is inferred from all of its rows
    block = csv.ReadOptions(block_size=min(max(os.path.getsize(path), 1 << 20), (1 << 31) - 1))

    def read(**options: Any) -> pa.Table:
        convert = csv.ConvertOptions(strings_can_be_null=True, **options)
        return csv.read_csv(path, read_options=block, parse_options=parse, convert_options=convert)

    table = read()
    if pa.binary() in table.schema.types:
        raise UnicodeError("bytes that are no text")
    once = [name for name, count in Counter(table.column_names).items() if count == 1]
    strings = [name for name in once if table.schema.field(name).type == pa.string()]
    if parse.delimiter == ";" and strings:  # it stands where the comma is the decimal point
        numbers = read(decimal_point=",", include_columns=strings)
        for name in strings:
            table = table.set_column(table.column_names.index(name), name, numbers[name])
    return table


def _read(path: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    if Path(path).suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path}: a table is a .csv or .parquet file.")
    if not Path(path).is_file():
        raise ValueError(f"{path}: there is no such file.")
    try:
        return _read_csv(path) if path.lower().endswith(".csv") else parquet.read_table(path)
    except UnicodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text; save it in UTF-8.") from error
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({str(error).splitlines()[0]}).") from error


def _counts_rows(column: pd.Series) -> bool:
    """Whether an unnamed column is the index of a pandas table: distinct whole numbers."""
    return bool(_UNNAMED.fullmatch(str(column.name))) and column.dtype.kind in "iu" and column.is_unique


def read_table(path: str, named: Sequence[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Read a .csv or .parquet file; any failure is a ValueError of one line.

    Parameters
    ----------
    path : str
        A .csv file in UTF-8, its columns separated by commas, semicolons, tabs or bars, or a .parquet file.

    named : sequence of str, default=()
        Columns that have a role: they stay, row numbers or not.

    Returns
    -------
    frame : DataFrame
        The table without unnamed columns of row numbers.

    notes : list of str
        What was dropped.
    """
    table = _read(path)
    twice = sorted(name for name, count in Counter(table.column_names).items() if count > 1)
    if twice:
        raise ValueError(f"{path}: column names must be unique; {', '.join(twice)} stands more than once.")
    if 0 in table.shape:
        raise ValueError(f"{path}: the table is empty ({table.num_rows} rows, {table.num_columns} columns).")
    frame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    counts = [name for name in frame if name not in named and _counts_rows(frame[name])]
    notes = [f"column {name!r} is a row number and not a feature" for name in counts]
    return frame.drop(columns=counts), notes
