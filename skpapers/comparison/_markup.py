"""The result as Markdown, and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from skpapers.comparison._layout import Column, interval_side, row_notes, table_columns, table_notes
from skpapers.comparison._text import how_to_read

if TYPE_CHECKING:
    from skpapers.comparison._result import Comparison

_STYLE = """<style>
.skpapers-comparison {font-size: 13px; overflow-x: auto}
.skpapers-comparison table {border-collapse: collapse; font-size: inherit; margin: 0.5em 0;
  font-variant-numeric: tabular-nums}
.skpapers-comparison td, .skpapers-comparison th {padding: 2px 8px; text-align: left; white-space: nowrap;
  vertical-align: top; border: 0; background: none}
.skpapers-comparison th {border-bottom: 1px solid currentColor; font-weight: 600; line-height: 1.2;
  vertical-align: bottom}
.skpapers-comparison td.right, .skpapers-comparison th.right {text-align: right}
.skpapers-comparison tr.reference {opacity: 0.7}
.skpapers-comparison .better {color: #1a8754}
.skpapers-comparison .worse {color: #c2410c}
.skpapers-comparison p {margin: 0.3em 0; max-width: 75em}
.skpapers-comparison details td:last-child {white-space: normal; min-width: 14em}
.skpapers-comparison code {display: block; max-width: 54em; white-space: pre-wrap; overflow-wrap: anywhere;
  background: none}
</style>"""


def _cell_of_markdown(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _rows_of_markdown(columns: Sequence[Column]) -> Iterator[str]:
    headers = [_cell_of_markdown(column.header) for column in columns]
    yield "| " + " | ".join(headers) + " |"
    yield "|" + "|".join("---:" if column.right else "---" for column in columns) + "|"
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield "| " + " | ".join(map(_cell_of_markdown, cells)) + " |"


def code_columns(result: Comparison) -> list[Column]:
    """Return the columns method, code and paper, in full."""
    frame = result.frame
    columns = [Column("method", "method", tuple(frame["method"])), Column("code", "code", tuple(frame["code"]))]
    papers = Column("paper", "paper", tuple(frame["paper"]))
    return [*columns, papers] if any(papers.cells) else columns


def _remarks(result: Comparison) -> list[str]:
    """Return what went wrong in a row, and the notes about the table."""
    rows = [f"{names}: {notes}" for names, notes in row_notes(result.frame)]
    return [*rows, *table_notes(result.notes)]


def markdown(result: Comparison) -> str:
    """Return the table with the verdict, the code of every row and the notes as Markdown."""
    code = code_columns(result)
    quoted = [
        Column(column.key, column.header, tuple(f"`{cell}`" if cell else "" for cell in column.cells))
        if column.key == "code"
        else column
        for column in code
    ]
    parts = [
        f"**{_cell_of_markdown(result.title)}**",
        "\n".join(_rows_of_markdown(table_columns(result.frame, result.metric_label))),
        f"**{_cell_of_markdown(result.verdict)}** {how_to_read(result.frame)}".strip(),
        "\n".join(_rows_of_markdown(quoted)),
        "\n".join(f"- {_cell_of_markdown(remark)}" for remark in _remarks(result)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _classes(column: Column, cell: str) -> str:
    side = interval_side(cell) if column.key.endswith("interval") else ""
    names = [name for name in ("right" if column.right else "", side) if name]
    return f' class="{" ".join(names)}"' if names else ""


def _table_of_html(columns: Sequence[Column], kinds: Sequence[str]) -> str:
    headers = "".join(
        f'<th scope="col"{_classes(column, "")}>{escape(column.header).replace(chr(10), "<br>")}</th>'
        for column in columns
    )
    rows = []
    for kind, *cells in zip(kinds, *(column.cells for column in columns), strict=True):
        inside = (
            f"<code>{escape(cell)}</code>" if column.key == "code" else escape(cell)
            for column, cell in zip(columns, cells, strict=True)
        )
        tags = (
            f"<td{_classes(column, cell)}>{text}</td>"
            for column, cell, text in zip(columns, cells, inside, strict=True)
        )
        rows.append(f'<tr class="{escape(kind)}">{"".join(tags)}</tr>')
    return f"<table><thead><tr>{headers}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def html(result: Comparison) -> str:
    """Return the table with the verdict, the code of every row and the notes as HTML."""
    kinds = list(result.frame["kind"])
    table = _table_of_html(table_columns(result.frame, result.metric_label), kinds)
    code = _table_of_html(code_columns(result), kinds)
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in _remarks(result))
    meaning = f"<p>{escape(text)}</p>" if (text := how_to_read(result.frame)) else ""
    return (
        f'{_STYLE}<div class="skpapers-comparison"><p>{escape(result.title)}</p>{table}'
        f"<p><b>{escape(result.verdict)}</b></p>{meaning}"
        f"<details><summary>Code of every row</summary>{code}</details>{remarks}</div>"
    )
