"""The report's figures of predictions and of scores over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import PredictionErrorDisplay

from skpapers.comparison._report_svg import FIRST, SERIES, TEXT, Drawing

# Points of a scatter plot: more would make the file large, and hide one another.
N_POINTS = 1000
# Points of a line.
_N_DATES = 600
# Curves of a picture.
_N_CURVES = len(SERIES)
_N_BINS = 10


@dataclass(frozen=True)
class Series:
    """A line of a picture: its name, and one value for each window or date."""

    name: str
    values: NDArray[np.float64]


def _shortened(name: object, length: int = 28) -> str:
    """Return the text of a legend, which must not be hidden for its underscore."""
    text = str(name)
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    return f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text


def _thinned(n: int, limit: int) -> NDArray[np.intp]:
    """Return at most `limit` of n numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(np.intp))


def _time_axis(axes: Axes, times: pd.Series | NDArray, name: str) -> None:
    if np.issubdtype(np.asarray(times).dtype, np.datetime64):
        locator = AutoDateLocator(minticks=3, maxticks=6)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(name)


def _legend_above(axes: Axes, n: int) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2 if n > 1 else 1, borderaxespad=0.2, handlelength=1.4)


def over_time(
    drawing: Drawing, series: Sequence[Series], windows: Sequence[tuple[object, object]], *, metric: str, time: str
) -> Markup:
    """Draw the score of every fold over the dates of its test window.

    Parameters
    ----------
    drawing : Drawing
    series : sequence of Series
        At most four; one value for each window.
    windows : sequence of (first, last)
        Times, or numbers where rows have an order only.
    metric, time : str
        What the axes say.
    """
    title = f"{metric} over time: {', '.join(line.name for line in series)}"
    first = np.array([window[0] for window in windows])
    last = np.array([window[1] for window in windows])
    middle = first + (last - first) / 2
    order = np.argsort(middle, kind="stable")
    with drawing.figure(title) as (axes, picture):
        for colour, line in zip(SERIES, series, strict=False):
            values = line.values[order]
            axes.plot(middle[order], values, color=colour, linewidth=1, marker="o", markersize=3.5)
            axes.hlines(values, first[order], last[order], color=colour, linewidth=3, alpha=0.45)
            axes.plot([], [], color=colour, marker="o", markersize=3.5, label=_shortened(line.name))
        _zero_line(axes)
        _time_axis(axes, first, time)
        axes.set_ylabel(f"{metric} in the test window")
        _legend_above(axes, len(series))
    return picture[0]


def _zero_line(axes: Axes) -> None:
    low, high = axes.get_ylim()
    if low < 0 < high:
        axes.axhline(0, color=TEXT, linewidth=0.8)


def rank_ic_over_time(drawing: Drawing, series: Sequence[Series], times: NDArray, *, window: int, time: str) -> Markup:
    """Draw the rank information coefficient of every date, and its rolling mean.

    Parameters
    ----------
    drawing : Drawing
    series : sequence of Series
        One value for each date; NaN where it is undefined. The single dates of the first alone are drawn.
    times : ndarray of shape (n_dates,)
        In order.
    window : int
        Dates of the rolling mean.
    time : str
        What the axis says.
    """
    title = f"rank information coefficient per date, rolling mean over {window} dates"
    kept = _thinned(len(times), _N_DATES)
    with drawing.figure(f"{title}: {', '.join(line.name for line in series)}") as (axes, picture):
        axes.plot(times[kept], series[0].values[kept], ".", color=FIRST, markersize=2.5, alpha=0.35)
        for colour, line in zip(SERIES, series, strict=False):
            rolling = pd.Series(line.values).rolling(window, min_periods=max(2, window // 2)).mean().to_numpy()
            axes.plot(times[kept], rolling[kept], color=colour, linewidth=1.6, label=_shortened(line.name))
        _zero_line(axes)
        _time_axis(axes, times, time)
        axes.set_ylabel("rank IC")
        _legend_above(axes, len(series))
    return picture[0]


def calibration(
    drawing: Drawing, y: NDArray, probabilities: NDArray[np.float64], classes: NDArray, *, name: str
) -> Markup:
    """Draw how often a class occurs among rows of equal predicted probability.

    Parameters
    ----------
    drawing : Drawing
    y : ndarray of shape (n,)
    probabilities : ndarray of shape (n, n_classes)
    classes : ndarray of shape (n_classes,)
    name : str
        The candidate that predicts.

    Notes
    -----
    For two classes the curve is that of the rarer one. For more there is a curve for each of the four most frequent.
    """
    counts = np.array([np.sum(y == label) for label in classes])
    order = np.argsort(-counts, kind="stable")
    largest = 0.1
    shown = order[1:] if len(classes) == 2 else np.sort(order[:_N_CURVES])
    with drawing.figure(f"calibration curve of {name}, out of fold") as (axes, picture):
        for colour, number in zip(SERIES, shown, strict=False):
            chance = np.clip(probabilities[:, number], 0, 1)
            display = CalibrationDisplay.from_predictions(
                y == classes[number],
                chance,
                n_bins=_N_BINS,
                strategy="quantile",
                name=_shortened(classes[number], 20),
                ref_line=bool(number == shown[0]),
                ax=axes,
            )
            display.line_.set(color=colour, marker="o", markersize=3.5, linewidth=1.4)
            largest = max(largest, display.prob_true.max(), display.prob_pred.max())
        axes.set_xlabel(f"predicted probability, mean of each of {_N_BINS} equal groups")
        axes.set_ylabel("observed share")
        handles, labels = axes.get_legend_handles_labels()
        labels = ["perfect" if label == "Perfectly calibrated" else f"class {label}" for label in labels]
        axes.legend(handles, labels, loc="upper left")
        # the curve of a rare class lies in a corner of the unit square
        top = min(1.0, 1.1 * largest)
        axes.set(xlim=(-0.02 * top, 1.02 * top), ylim=(-0.02 * top, 1.02 * top))
    return picture[0]


def residuals(drawing: Drawing, y: NDArray, predictions: NDArray, *, name: str, target: str) -> Markup:
    """Draw actual minus predicted values over the predicted ones.

    Parameters
    ----------
    drawing : Drawing
    y, predictions : ndarray of shape (n,)
        At most `N_POINTS` of the rows are drawn.
    name : str
        The candidate that predicts.
    target : str
        Name of the target.
    """
    with drawing.figure(f"residuals of {name}, out of fold") as (axes, picture):
        PredictionErrorDisplay.from_predictions(
            y,
            predictions,
            kind="residual_vs_predicted",
            subsample=min(N_POINTS, len(y)),
            random_state=0,
            ax=axes,
            scatter_kwargs={"color": FIRST, "s": 6, "alpha": 0.45, "linewidths": 0},
            line_kwargs={"color": TEXT, "linewidth": 0.9},
        )
        axes.set_xlabel(f"predicted {_shortened(target)}")
        axes.set_ylabel("residual (actual − predicted)")
        axes.xaxis.set_major_locator(MaxNLocator(6))
    return picture[0]
