"""Pictures of how often inputs count, and of scores by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpapers.convolution._foveation import foveation_map
from skpapers.convolution._mind_the_pad import flip_asymmetry
from skpapers.convolution._position_accuracy import PositionAccuracy, position_accuracy


class FoveationDisplay:
    """The map of paths of a network: a picture for images, a curve for series.

    Use :meth:`from_estimator` rather than the constructor.

    Parameters
    ----------
    values : ndarray of shape (L,) or (H, W)
        The map, as :func:`foveation_map` returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    foveation_map : The map.
    PositionAccuracyDisplay : What it does to the scores.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from torch import nn
    >>> from skpapers.convolution import FoveationDisplay
    >>> display = FoveationDisplay.from_estimator(nn.Conv2d(1, 1, 3, stride=2, padding=1), (1, 8, 8))
    >>> display.ax_.get_title()
    'asymmetry 0.50, 0.50'
    """

    def __init__(self, *, values: NDArray[np.float64]) -> None:
        self.values = values

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        input_shape: Sequence[int] | None = None,
        *,
        layer: str | None = None,
        weights: str = "uniform",
        ax: Any = None,
    ) -> FoveationDisplay:
        """Compute the map of a network, and draw it.

        Parameters
        ----------
        estimator : nn.Module or fitted network estimator
            As for :func:`foveation_map`.

        input_shape : sequence of int or None, default=None
            Channels and sizes of the input: (C, L) or (C, H, W). None: what an estimator was fitted on.

        layer : str or None, default=None
            As for :func:`foveation_map`.

        weights : {"uniform", "trained"}, default="uniform"
            As for :func:`foveation_map`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FoveationDisplay
        """
        values = foveation_map(estimator, input_shape, layer=layer, weights=weights)
        return cls(values=values).plot(ax=ax)

    def plot(self, *, ax: Any = None, label: str | None = None) -> FoveationDisplay:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        label : str or None, default=None
            Label of the curve of a series.

        Returns
        -------
        display : FoveationDisplay
            Itself, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If the map has three axes: give one slice of it to the constructor.
        """
        if self.values.ndim > 2:
            raise ValueError(
                f"A map of {self.values.ndim} axes cannot be drawn: FoveationDisplay(values=map[k]).plot()."
            )
        ax = _axes(ax)
        shown = ", ".join(f"{value:.2f}" for value in flip_asymmetry(self.values))
        if self.values.ndim == 1:
            ax.plot(self.values, marker=".", label=label)
            ax.set(xlabel="step", ylabel="paths, relative to the maximum")
            ax.set_ylim(bottom=0)
        else:
            picture = ax.imshow(self.values, vmin=0, vmax=1, cmap="viridis")
            ax.figure.colorbar(picture, ax=ax, label="paths, relative to the maximum")
        ax.set_title(f"asymmetry {shown}")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


class PositionAccuracyDisplay:
    """Scores of an estimator by the place of an object: a picture for images, a curve for series.

    Use :meth:`from_estimator` rather than the constructor.

    Parameters
    ----------
    accuracy : PositionAccuracy
        The scores, as :func:`position_accuracy` returns them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    position_accuracy : The scores.
    FoveationDisplay : How often each position counts.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from skpapers.convolution import PositionAccuracy, PositionAccuracyDisplay
    >>> scores = np.array([[0.9, 1.0], [0.8, 0.6]])
    >>> found = PositionAccuracy((np.array([0, 9]), np.array([0, 9])), scores, 100)
    >>> PositionAccuracyDisplay(accuracy=found).plot().ax_.get_title()
    'mean 0.825, worst 0.600 at (9, 9)'
    """

    def __init__(self, *, accuracy: PositionAccuracy) -> None:
        self.accuracy = accuracy

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        make_image: Callable[[tuple[int, ...]], tuple[ArrayLike, ArrayLike]],
        grid: Sequence[ArrayLike],
        *,
        ax: Any = None,
    ) -> PositionAccuracyDisplay:
        """Score an estimator at every place of a grid, and draw the scores.

        Parameters
        ----------
        estimator : object
            A fitted estimator.

        make_image : callable
            As for :func:`position_accuracy`.

        grid : sequence of array-like of int
            As for :func:`position_accuracy`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : PositionAccuracyDisplay
        """
        return cls(accuracy=position_accuracy(estimator, make_image, grid)).plot(ax=ax)

    def plot(
        self, *, ax: Any = None, vmin: float | None = None, vmax: float | None = None, label: str | None = None
    ) -> PositionAccuracyDisplay:
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        vmin, vmax : float or None, default=None
            Scores at the ends of the colours of a picture; None takes those of the scores.

        label : str or None, default=None
            Label of the curve of a series.

        Returns
        -------
        display : PositionAccuracyDisplay
            Itself, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If the grid has three axes.
        """
        found = self.accuracy
        if found.scores.ndim > 2:
            raise ValueError(f"Scores on a grid of {found.scores.ndim} axes cannot be drawn.")
        ax = _axes(ax)
        if found.scores.ndim == 1:
            ax.plot(found.grid[0], found.scores, marker=".", label=label)
            ax.set(xlabel="place", ylabel="score")
        else:
            picture = ax.imshow(found.scores, vmin=vmin, vmax=vmax, cmap="viridis")
            ax.figure.colorbar(picture, ax=ax, label="score")
            ax.set(xlabel="column", ylabel="row")
            ax.set_xticks(range(len(found.grid[1])), map(str, found.grid[1]))
            ax.set_yticks(range(len(found.grid[0])), map(str, found.grid[0]))
        place = ", ".join(map(str, found.worst_position))
        ax.set_title(f"mean {found.mean:.3f}, worst {found.worst:.3f} at ({place})")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


def _axes(ax: Any) -> Any:
    """Return the axes given, or those of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
