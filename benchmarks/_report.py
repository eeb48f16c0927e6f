"""A table of results: printed, as markdown, and as JSON; and the versions it was measured with."""

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version

from rich.console import Console
from rich.table import Table as RichTable

# Piped output has no width of its own, and 80 columns would cut the tables.
CONSOLE = Console(width=None if sys.stdout.isatty() else 180)


@dataclass(frozen=True)
class Table:
    """Cells are strings that read alike on a terminal and in markdown; the first column is the name of the row.

    Parameters
    ----------
    title : str

    columns : list of str

    rows : list of list of str

    note : str, default=""
        What the reader must know of the columns.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""

    def print(self) -> None:
        table = RichTable(title=self.title, caption=self.note or None, title_justify="left", caption_justify="left")
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="left" if i == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        CONSOLE.print(table)

    def markdown(self) -> str:
        def line(cells: list[str]) -> str:
            return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

        rule = "|---|" + "---:|" * (len(self.columns) - 1)
        note = f"\n\n{self.note}" if self.note else ""
        return "\n".join([line(self.columns), rule, *map(line, self.rows)]) + note


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of installed packages."""
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def versions_line(numbers: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())
