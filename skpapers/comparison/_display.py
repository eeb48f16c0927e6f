"""The picture of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from skpapers.comparison._layout import best_reference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from skpapers.comparison._result import Comparison

Against = Literal["baseline", "reference"]
_NAMES: dict[Against, list[str]] = {
    "baseline": ["difference", "interval_low", "interval_high"],
    "reference": ["reference_difference", "reference_low", "reference_high"],
}
# Wholly below 0, holding 0, wholly above 0.
_COLOURS = ("#c2410c", "#64748b", "#1a8754")


def figure_of(result: Comparison) -> Figure:
    """Return a figure of the gains over the baselines and, beside them, over the best reference."""
    from matplotlib.figure import Figure

    sides: list[Against] = [side for side in _NAMES if result.frame[_NAMES[side][0]].notna().any()] or ["baseline"]
    rows = max(int(result.frame[_NAMES[side][0]].notna().sum()) for side in sides)
    figure = Figure(figsize=(6.0 * len(sides), 1.2 + 0.4 * rows), layout="constrained")
    for ax, side in zip(figure.subplots(ncols=len(sides), squeeze=False)[0], sides, strict=True):
        result.plot(against=side, ax=ax)
    return figure


class ComparisonDisplay:
    """Paired differences, each with its 95 % interval, and the zero line.

    Use :meth:`Comparison.plot`, or the class if a saved table is at hand.

    Parameters
    ----------
    frame : DataFrame
        The table of :meth:`Comparison.to_frame`.

    metric : str, default="score"
        Name of the metric on the axis.

    against : {"baseline", "reference"}, default="baseline"
        What is subtracted: each method's own baseline, or the best reference.

    Attributes
    ----------
    frame_ : DataFrame
        The rows that are drawn: those with a difference.

    ax_ : matplotlib Axes
        Where the differences are drawn.

    figure_ : matplotlib Figure
        The figure of `ax_`.

    lines_ : list of matplotlib ErrorbarContainer
        The point of each row with its interval.

    See Also
    --------
    skpapers.compare : Cross-validates methods, baselines and references.

    Examples
    --------
    >>> import pandas as pd
    >>> from skpapers.comparison import ComparisonDisplay
    >>> row = {"method": "A", "baseline": "B", "difference": 0.1, "interval_low": -0.1, "interval_high": 0.3}
    >>> display = ComparisonDisplay(pd.DataFrame([row]), metric="R2").plot()
    >>> display.ax_.get_xlabel()
    'gain in R2 over the baseline, 95 % interval'
    """

    def __init__(self, frame: pd.DataFrame, *, metric: str = "score", against: Against = "baseline") -> None:
        if against not in _NAMES:
            raise ValueError(f"against={against!r} must be 'baseline' or 'reference'.")
        self.frame = frame
        self.metric = metric
        self.against = against

    def plot(self, ax: Axes | None = None) -> ComparisonDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        ComparisonDisplay
            Itself.
        """
        names = _NAMES[self.against]
        self.frame_ = self.frame[self.frame[names[0]].notna()].reset_index(drop=True)
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(7, 1.2 + 0.45 * len(self.frame_)), layout="constrained")
        bounds = self.frame_[names].to_numpy(dtype=float)
        ax.axvline(0.0, color="0.6", linewidth=1)
        self.lines_ = [self._draw(ax, place, *row) for place, row in enumerate(bounds)]
        ax.set_yticks(np.arange(len(self.frame_)), self._labels(), parse_math=False)
        ax.set_ylim(max(len(self.frame_), 1) - 0.5, -0.5)
        over = "the baseline" if self.against == "baseline" else best_reference(self.frame) or "the best reference"
        ax.set_xlabel(f"gain in {self.metric} over {over}, 95 % interval", parse_math=False)
        ax.locator_params(axis="x", nbins=5)
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_: Any = ax
        self.figure_: Figure | Any = ax.figure
        return self

    def _draw(self, ax: Axes, place: int, difference: float, low: float, high: float) -> Any:
        """Draw one row; without an interval the point alone."""
        colour = _COLOURS[1 + int(low > 0) - int(high < 0)]
        lengths = np.nan_to_num([[difference - low], [high - difference]])
        return ax.errorbar([difference], [place], xerr=lengths, fmt="o", capsize=3, color=colour)

    def _labels(self) -> list[str]:
        if self.against == "reference":
            return list(self.frame_["method"])
        return [f"{row.method}\nagainst {row.baseline}" for row in self.frame_.itertuples()]
