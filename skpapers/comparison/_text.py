"""The result as text: for a terminal, a pipe or a file, in whatever encoding it has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from skpapers.comparison._layout import (
    Column,
    best_reference,
    fitting_columns,
    interval_side,
    row_notes,
    table_columns,
    table_notes,
)

if TYPE_CHECKING:
    import pandas as pd

    from skpapers.comparison._result import Comparison

_PIPED_WIDTH = 120
# Columns are this far apart, and nearer to one another on a screen that is narrower than `_NARROW`.
_GAP = 2
_NARROW = 100
_INDENT = 2
# The most characters of a name on a narrow screen.
_SHORTEST_NAME = 20
_SHORTEST_TITLE = 24
_LAST_STEP = re.compile(r".*\('\w+', ([\w.]+)\(")


def make_console() -> Console:
    """Return a console on standard output; a pipe is 120 columns wide, unless COLUMNS says otherwise."""
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(highlight=False, width=_PIPED_WIDTH)
    return console


def can_write(text: str, encoding: str) -> bool:
    """Whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def shortened(text: str, width: int, mark: str = "…") -> str:
    """Cut a text that is wider than `width`, and mark the place."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - cell_len(mark), 0)).rstrip() + mark


def _name_width(width: int) -> int:
    """Return the most characters of a name: long names leave room for the numbers."""
    return max(_SHORTEST_NAME, width // 4)


def _with_short_names(columns: Sequence[Column], width: int, mark: str) -> list[Column]:
    """Cut long names of methods and baselines."""

    def cut(column: Column, most: int) -> Column:
        return replace(column, cells=tuple(shortened(cell, most, mark) for cell in column.cells))

    found = []
    for column in columns:
        if column.key in ("method", "baseline"):
            column = cut(column, _name_width(width))
        if column.key == "baseline":
            column = replace(column, short=cut(column, _SHORTEST_NAME))
        found.append(column)
    return found


def _style(column: Column, cell: str) -> str:
    """Return the colour of an interval: green above 0, red below."""
    side = interval_side(cell) if column.key in ("interval", "reference_interval") else ""
    return {"better": "green", "worse": "red"}.get(side, "")


def _drawn(columns: Sequence[Column], gap: int) -> Table:
    """Return the table of columns that fit the screen."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap - 1, 0, 0))
    for column in columns:
        table.add_column(Text(column.header), justify="right" if column.right else "left", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(Text(cell, _style(column, cell)) for column, cell in zip(columns, cells, strict=True)))
    return table


def _call(code: str) -> str:
    """Return a call without its arguments, ``"skpapers.QuantBnBTree(...)"``; of a Pipeline the last step is named."""
    head, bracket, arguments = code.partition("(")
    last = _LAST_STEP.search(arguments) if head.endswith(".Pipeline") else None
    if last is not None:
        return f"Pipeline(..., {last[1]}(...))"
    return f"{head}{bracket}...)" if arguments.rstrip(")") else code


def _cut_title(paper: str, width: int, mark: str) -> str:
    """Cut the title of a paper, and keep its venue; the venue alone if little of the title would be left."""
    title, comma, venue = paper.rpartition(", ")
    room = width - cell_len(comma + venue)
    return shortened(title, room, mark) + comma + venue if room >= _SHORTEST_TITLE else venue


def code_lines(frame: pd.DataFrame, width: int, mark: str = "…") -> Iterator[str]:
    """Yield one line for every row: its name, the code that builds it, and its paper.

    Code that is too long is written without its arguments. If that is not enough the title of the paper is cut, or
    left out, and at last its venue as well.
    """
    names = [shortened(name, _name_width(width), mark) for name in frame["method"]]
    start = max(map(cell_len, names)) + _GAP
    room = width - start
    full = list(frame["paper"])
    longest = max((cell_len(_call(code)) for code, paper in zip(frame["code"], full, strict=True) if paper), default=0)
    cut = [_cut_title(paper, room - longest - _GAP, mark) for paper in full]
    venues = [paper.rpartition(", ")[2] for paper in full]
    for papers in (full, cut, venues, [""] * len(frame)):
        reserved = max(map(cell_len, papers), default=0)
        rooms = [room - (reserved + _GAP) * bool(paper) for paper in papers]
        codes = [
            code if cell_len(code) <= most else _call(code) for code, most in zip(frame["code"], rooms, strict=True)
        ]
        rows = zip(codes, rooms, papers, strict=True)
        if all(cell_len(code) <= most for code, most, paper in rows if paper):  # others are cut at the end of the line
            break
    with_paper = [cell_len(code) for code, paper in zip(codes, papers, strict=True) if paper]
    for name, code, paper in zip(names, codes, papers, strict=True):
        padded = set_cell_size(code, max(with_paper)) + " " * _GAP + paper if paper else code
        yield shortened(set_cell_size(name, start) + padded, width, mark)


def how_to_read(frame: pd.DataFrame) -> str:
    """Return the lines that say what the differences and the intervals of the table mean, "" without a difference."""
    over = ["the method's baseline"] if frame["difference"].notna().any() else []
    if frame["reference_difference"].notna().any():
        over.append(f"the best reference ({best_reference(frame)})")
    if not over:
        return ""
    text = f"A difference is the gain over {', and over '.join(over)}: above 0 the method is better."
    if frame[["interval_low", "reference_low"]].notna().any(axis=None):
        text += " Intervals are corrected for training rows that the folds share and for the number of methods."
    return text


def result_text(result: Comparison, name: str, console: Console) -> str:
    """Return title, table, code, verdict and notes for a console; no line is wider than it."""
    plus_minus = "±" if can_write("±", console.encoding) else "+-"
    mark = "…" if can_write("…", console.encoding) else "..."
    narrow = console.width < _NARROW
    gap = 1 if narrow else _GAP
    indent = "" if narrow else " " * _INDENT
    width = console.width - len(indent)
    columns = table_columns(result.frame, result.metric_label, plus_minus)
    kept = fitting_columns(_with_short_names(columns, width, mark), width, gap, cell_len)
    with console.capture() as capture:
        console.print(Padding(_drawn(kept, gap), (0, 0, 0, len(indent))))
    table = capture.get()
    with console.capture() as capture:
        console.print(Text(result.verdict, "bold"))
        if meaning := how_to_read(result.frame):
            console.print(Text(meaning))
        for names, notes in row_notes(result.frame):
            console.print(Text(f"{names}: {notes}"))
        for note in table_notes(result.notes):
            console.print(Text(note))
    words = capture.get()
    with console.capture() as capture:
        console.print(Text(f"{name}: {result.title}" if name else result.title, "bold"))
    code = "".join(f"{indent}{line}\n" for line in code_lines(result.frame, width, mark))
    text = "\n".join([capture.get(), table, code, words])
    return "\n".join(line.rstrip() for line in text.split("\n"))


def print_result(name: str, result: Comparison) -> None:
    """Print the result on standard output; a character that the encoding cannot write becomes "?"."""
    console = make_console()
    text = f"{result_text(result, name, console)}\n"
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))
    console.file.flush()
