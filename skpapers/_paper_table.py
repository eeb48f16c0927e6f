"""The list of papers as text, Markdown and HTML. Standard library only."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from html import escape

_HEADER = ("paper", "use it for", "estimators", "claims, measured here")


@dataclass(frozen=True)
class PaperRow:
    """What a list of papers says of one of them.

    Parameters
    ----------
    key, title, venue, url, use, verdict : str
    code : str or None
    names : tuple of str
        Estimators.
    """

    key: str
    title: str
    venue: str
    url: str
    code: str | None
    use: str
    names: tuple[str, ...]
    verdict: str

    @property
    def short_title(self) -> str:
        """The title up to its colon."""
        return self.title.partition(":")[0]


def heading_anchor(title: str) -> str:
    """Return the anchor that GitHub and MyST give to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@dataclass(frozen=True)
class PaperTable:
    """A list of papers that shows itself on a terminal and in a notebook.

    Parameters
    ----------
    rows : tuple of PaperRow
    """

    rows: tuple[PaperRow, ...]

    def to_text(self, width: int = 100) -> str:
        """Return one paragraph a paper, of lines that are at most `width` wide."""
        return "\n\n".join(_paragraph(row, width) for row in self.rows)

    def to_markdown(self, folder: str = "docs/") -> str:
        """Return a table of Markdown.

        Parameters
        ----------
        folder : str, default="docs/"
            Path from the page to the folder of the documentation.
        """
        lines = [f"| {' | '.join(_HEADER)} |", "|---" * len(_HEADER) + "|"]
        for row in self.rows:
            names = ", ".join(f"[`{name}`]({folder}guide/{row.key}.md)" for name in row.names)
            code = "" if row.code is None else f" ([code]({row.code}))"
            verdict = f"[{row.verdict}]({folder}reproduction.md#{heading_anchor(row.title)})"
            lines.append(f"| [{row.short_title}]({row.url}), {row.venue}{code} | {row.use} | {names} | {verdict} |")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _HEADER)
        style = ' style="text-align: left; vertical-align: top"'
        rows = ""
        for row in self.rows:
            paper = f'<a href="{escape(row.url)}">{escape(row.title)}</a>, {escape(row.venue)}'
            names = "<br>".join(f"<code>{escape(name)}</code>" for name in row.names)
            cells = (paper, escape(row.use), names, escape(row.verdict))
            rows += "<tr>" + "".join(f"<td{style}>{cell}</td>" for cell in cells) + "</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _paragraph(row: PaperRow, width: int) -> str:
    lines = textwrap.wrap(f"{row.title}, {row.venue}", width)
    for name, text in (
        ("for", row.use),
        ("classes", ", ".join(row.names)),
        ("claims", row.verdict),
        ("paper", row.url),
    ):
        start = f"  {name:<8} "
        lines += textwrap.wrap(
            text, width, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False
        )
    return "\n".join(lines)
