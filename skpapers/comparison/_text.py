"""The result as text: for a terminal, a pipe or a file, in whatever encoding it has."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from skpapers.comparison._result import Comparison

_PIPED_WIDTH = 120
# Below this many columns the paper's name is left out and long names of baselines are folded.
_WIDE = 100


def _fixed(values: Sequence[float], spread: float) -> list[str]:
    """Write numbers with as many decimals as show two digits of their spread."""
    known = math.isfinite(spread) and spread > 0
    decimals = min(max(1 - math.floor(math.log10(spread)), 0), 9) if known else 4
    return [f"{value:.{decimals}f}" if math.isfinite(value) else "?" for value in values]


def _cells(row: Any, plus_minus: str) -> list[str]:
    """Write a row of the result; an estimator without a score leaves its cells empty."""
    score, sd, base = _fixed([row.score, row.sd, row.baseline_score], row.sd)
    half = (row.interval_high - row.interval_low) / 2
    signed = _fixed([row.difference, row.interval_low, row.interval_high], half)
    difference, low, high = (f"+{text}" if text[0] not in "-?" else text for text in signed)
    seconds = [
        f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in (row.fit_seconds, row.baseline_fit_seconds)
    ]
    return [
        row.method,
        row.paper,
        "" if math.isnan(row.score) else f"{score} {plus_minus} {sd}",
        row.baseline,
        "" if math.isnan(row.baseline_score) else base,
        "" if math.isnan(row.difference) else f"{difference}\n[{low}, {high}]",
        "\n".join("?" if text == "nan" else text for text in seconds),
        row.certificate,
    ]


def _table(result: Comparison, width: int, plus_minus: str) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method", overflow="fold")
    certified = bool(result.frame["certificate"].any())
    wide = width >= _WIDE + 12 * certified
    if wide:
        table.add_column("paper", overflow="fold", min_width=12)
    table.add_column(f"score {plus_minus} sd", justify="right", no_wrap=True)
    table.add_column("baseline", no_wrap=wide, overflow="fold", min_width=11)
    table.add_column("its\nscore", justify="right", no_wrap=True)
    table.add_column("difference\n[95% interval]", justify="right", no_wrap=True)
    table.add_column("fit s\n/ its", justify="right", no_wrap=True)
    if certified:
        table.add_column("certificate" if wide else "proof", no_wrap=True)
    for row in result.frame.itertuples():
        cells = _cells(row, plus_minus)
        shown = [cells[0], *cells[1:2] * wide, *cells[2:-1], *cells[-1:] * certified]
        table.add_row(*map(escape, shown))
    return table


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(highlight=False, width=_PIPED_WIDTH)
    return console


def _can_write(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def print_result(name: str, result: Comparison) -> None:
    """Print title, table, notes and how to read it; a character that the encoding cannot write becomes "?"."""
    from rich.markup import escape

    console = _console()
    with console.capture() as capture:
        console.print(f"[bold]{escape(name)}[/bold] | {escape(result.title)}")
        console.print(_table(result, console.width, "±" if _can_write("±", console.encoding) else "+-"))
        for row in result.frame.itertuples():
            if row.notes:
                console.print(escape(f"{row.method}: {row.notes}"))
        for note in result.notes:
            console.print(escape(f"Note: {note}."))
        console.print(f"{result.how_to_read}\n")
    console.file.write(capture.get().encode(console.encoding, "replace").decode(console.encoding))
    console.file.flush()
