"""Figures of matplotlib as SVG inside a page: text stays text, and colours follow the page's light or dark scheme."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from itertools import count
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colours that no figure uses otherwise, and what the page has in their place.
TEXT = "#010101"
MUTED = "#020202"
FIRST = "#030303"
SECOND = "#040404"
THIRD = "#050505"
FOURTH = "#060606"
SERIES = (FIRST, SECOND, THIRD, FOURTH)
_VARIABLES = {
    TEXT: "currentColor",
    "#000000": "currentColor",
    MUTED: "var(--muted)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    THIRD: "var(--third)",
    FOURTH: "var(--fourth)",
}
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "skpapers",
    "text.parse_math": False,
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "grid.color": MUTED,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.transparent": True,
}


class Drawing:
    """The SVG pictures of one report, whose identifiers do not clash."""

    def __init__(self) -> None:
        self._numbers = count(1)

    @contextmanager
    def figure(self, title: str, height: float = 2.9, width: float = 4.6) -> Iterator[tuple[Axes, list[Markup]]]:
        """Yield axes to draw on, and a list that holds the picture afterwards.

        Parameters
        ----------
        title : str
            What the picture shows, for those who cannot see it.
        height, width : float
            In inches; the page scales the picture to its width.
        """
        result: list[Markup] = []
        with style.context("default", after_reset=True), matplotlib.rc_context(_SETTINGS):
            figure = Figure(figsize=(width, height), layout="constrained")
            yield figure.subplots(), result
            result.append(self._svg(figure, title))

    def _svg(self, figure: Figure, title: str) -> Markup:
        buffer = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        with warnings.catch_warnings():
            # text stays text: the browser has the letters that matplotlib's font lacks
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            figure.savefig(buffer, format="svg", metadata=metadata)
        text = buffer.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
        prefix = f"figure-{next(self._numbers)}-"
        text = text.replace("xlink:href", "href")
        text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}", text)
        for colour, variable in _VARIABLES.items():
            text = text.replace(colour, variable)
        size = re.search(r'viewBox="[^"]*"', text)
        assert size is not None
        label = f"{prefix}title"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" {size[0]} role="img" aria-labelledby="{label}">'
        head += f'<title id="{label}">{escape(title)}</title>'
        body = re.sub(r">\s+<", "><", text[text.index(">") + 1 :])
        return Markup(head + body)
