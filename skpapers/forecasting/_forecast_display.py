"""Plots of a forecast and of what its attention looks at, and of the queries of two domains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skpapers._validation import safe_indexing


class ForecastDisplay:
    """A history, its forecast with an interval, and what came.

    Parameters
    ----------
    history : array-like of shape (history,)
        The steps before.

    forecast : array-like of shape (horizon,)
        The forecast.

    truth : array-like of shape (horizon,), default=None
        What came.

    interval : array-like of shape (horizon, 2), default=None
        Lower and upper end at each step.

    coverage : float, default=None
        The share of values that the interval is to hold, for the legend.

    attention : array-like of shape (horizon, history + horizon), default=None
        The weight of each value in the forecast of each step, for :meth:`plot_attention`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the last plot.

    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    DAFForecaster : Makes forecasts.
    AlignmentDisplay : Queries of source and target.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skpapers.forecasting import ForecastDisplay
    >>> display = ForecastDisplay([1.0, 2.0, 3.0], [4.0, 5.0], interval=[[3.5, 4.5], [4.0, 6.0]], coverage=0.8).plot()
    >>> display.ax_.get_xlabel()
    'step after the history'
    """

    def __init__(
        self,
        history: ArrayLike,
        forecast: ArrayLike,
        *,
        truth: ArrayLike | None = None,
        interval: ArrayLike | None = None,
        coverage: float | None = None,
        attention: ArrayLike | None = None,
    ) -> None:
        self.history = _numbers(history, "history", 1)
        self.forecast = _numbers(forecast, "forecast", 1)
        horizon = len(self.forecast)
        self.truth = None if truth is None else _numbers(truth, "truth", 1, (horizon,))
        self.interval = None if interval is None else _numbers(interval, "interval", 2, (horizon, 2))
        self.coverage = coverage
        steps = len(self.history) + horizon
        self.attention = None if attention is None else _numbers(attention, "attention", 2, (horizon, steps))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        row: int = 0,
        sample_domain: float | None = None,
        ax: Any = None,
    ) -> ForecastDisplay:
        """Forecast one window, and plot it.

        Parameters
        ----------
        estimator : DAFForecaster
            A fitted forecaster. With `quantiles`, the interval goes from the lowest to the highest.

        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Windows.

        y : array-like of shape (n_samples, horizon), default=None
            What came.

        row : int, default=0
            The window to plot.

        sample_domain : float, default=None
            Its domain; None is the target.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ForecastDisplay
        """
        window = safe_indexing(X, [row])
        domain = None if sample_domain is None else [sample_domain]
        forecast = np.ravel(estimator.predict(window, sample_domain=domain))
        interval = None
        coverage = None
        if estimator.quantiles_ is not None and len(estimator.quantiles_) > 1:
            ends = np.argsort(estimator.quantiles_)[[0, -1]]
            interval = estimator.predict_quantiles(window, sample_domain=domain)[0][:, ends]
            coverage = float(np.ptp(estimator.quantiles_))
        maps = estimator.attention_maps(window, sample_domain=sample_domain)
        history = np.asarray(window, dtype=np.float64).reshape(estimator.history_, -1)[:, 0]
        truth = None if y is None else np.ravel(np.asarray(y, dtype=np.float64)[row])
        attention = maps.extrapolation[0].mean(axis=0)
        display = cls(history, forecast, truth=truth, interval=interval, coverage=coverage, attention=attention)
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> ForecastDisplay:
        """Draw history, forecast, interval and truth.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ForecastDisplay
            The display itself.
        """
        ax = self._axes(ax, (7, 3.5))
        before = np.arange(1 - len(self.history), 1)
        after = np.arange(1, len(self.forecast) + 1)
        ax.plot(before, self.history, color="black", label="history")
        if self.truth is not None:
            ax.plot(after, self.truth, color="black", linestyle=":", label="truth")
        ax.plot(after, self.forecast, color="C0", label="forecast")
        if self.interval is not None:
            label = "interval" if self.coverage is None else f"{100 * self.coverage:.0f} % interval"
            ax.fill_between(after, *self.interval.T, color="C0", alpha=0.25, linewidth=0, label=label)
        ax.axvline(0.5, color="gray", linewidth=0.8)
        ax.set(xlabel="step after the history", ylabel="value")
        ax.legend()
        return self

    def plot_attention(self, *, ax: Any = None) -> ForecastDisplay:
        """Draw the weight of each earlier value in the forecast of each step, the mean over the heads.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ForecastDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the display was made without weights.
        """
        if self.attention is None:
            raise ValueError("The display has no attention weights; from_estimator has them.")
        ax = self._axes(ax, (7, 2.5))
        n = len(self.history)
        extent = (0.5 - n, len(self.forecast) + 0.5, len(self.forecast) + 0.5, 0.5)
        ax.imshow(self.attention, aspect="auto", extent=extent, cmap="viridis", interpolation="none")
        ax.axvline(0.5, color="white", linewidth=0.8)
        ax.set(xlabel="value attended to (step after the history)", ylabel="step forecast")
        return self

    def _axes(self, ax: Any, size: tuple[float, float]) -> Any:
        self.ax_ = _new_axes(1, size)[0] if ax is None else ax
        self.figure_ = self.ax_.figure
        return self.ax_


class AlignmentDisplay:
    """Queries of source and target in two dimensions, before and after the joint training.

    Parameters
    ----------
    source, target : tuple of two array-like of shape (n_points, d)
        Queries before and after.

    Attributes
    ----------
    points_ : list of tuple of two ndarray of shape (n_points, 2)
        Source and target, before and after, on the two main axes of all of them.

    axes_ : ndarray of two matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    ForecastDisplay : One forecast.
    DAFForecaster : Its method `queries` returns what is drawn.

    Examples
    --------
    >>> import matplotlib
    >>> import numpy as np
    >>> matplotlib.use("agg")
    >>> from skpapers.forecasting import AlignmentDisplay
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 50, 8))
    >>> display = AlignmentDisplay((a, a), (b + 3.0, b)).plot()
    >>> [ax.get_title() for ax in display.axes_]
    ['before', 'after']
    """

    def __init__(self, source: tuple[ArrayLike, ArrayLike], target: tuple[ArrayLike, ArrayLike]) -> None:
        self.source = tuple(_numbers(part, "source", 2) for part in source)
        self.target = tuple(_numbers(part, "target", 2) for part in target)
        self.points_ = [_main_axes(s, t) for s, t in zip(self.source, self.target, strict=True)]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        sample_domain: ArrayLike,
        *,
        max_points: int = 1000,
        axes: Any = None,
    ) -> AlignmentDisplay:
        """Draw the queries of windows of a source and of the target.

        Parameters
        ----------
        estimator : DAFForecaster
            Fitted on source and target.

        X : array-like of shape (n_samples, n_features) or (n_samples, history, n_channels)
            Windows.

        sample_domain : array-like of shape (n_samples,)
            Their domains, one source and the target.

        max_points : int, default=1000
            Largest number of points of each domain; they are spread evenly over the queries.

        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AlignmentDisplay
        """
        numbers = np.asarray(sample_domain, dtype=np.float64)
        known = np.unique(numbers)
        if len(known) != 2 or known[0] >= 0 or known[1] <= 0:
            raise ValueError(f"sample_domain must hold the target and one source, got {known.tolist()}.")
        parts = []
        for number in (known[1], known[0]):
            windows = safe_indexing(X, np.flatnonzero(numbers == number))
            pair = []
            for before in (True, False):
                queries = estimator.queries(windows, sample_domain=number, before=before)
                flat = queries.reshape(-1, queries.shape[-1])
                pair.append(flat[np.linspace(0, len(flat) - 1, min(max_points, len(flat))).astype(int)])
            parts.append((pair[0], pair[1]))
        return cls(*parts).plot(axes=axes)

    def plot(self, *, axes: Any = None) -> AlignmentDisplay:
        """Draw both clouds.

        Parameters
        ----------
        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AlignmentDisplay
            The display itself.
        """
        self.axes_ = _new_axes(2, (8, 3.5)) if axes is None else np.asarray(axes)
        self.figure_ = self.axes_[0].figure
        for ax, title, (source, target) in zip(self.axes_, ("before", "after"), self.points_, strict=True):
            ax.scatter(*source.T, s=4, alpha=0.4, label="source", color="C0")
            ax.scatter(*target.T, s=4, alpha=0.4, label="target", color="C1")
            ax.set_title(title)
            ax.set(xlabel="first axis", ylabel="second axis")
        self.axes_[0].legend()
        return self


def _new_axes(n: int, size: tuple[float, float]) -> NDArray:
    from matplotlib import pyplot as plt

    return plt.subplots(1, n, figsize=size, layout="constrained", squeeze=False)[1][0]


def _main_axes(source: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
    """Return both clouds on the two axes along which both together vary most."""
    both = np.concatenate([source, target])
    centre = both.mean(axis=0)
    axes = np.linalg.svd(both - centre, full_matrices=False)[2][:2]
    signs = np.where(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)] < 0, -1.0, 1.0)
    turned = (axes * signs[:, None]).T
    return (source - centre) @ turned, (target - centre) @ turned


def _numbers(values: ArrayLike, name: str, ndim: int, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    made = np.asarray(values, dtype=np.float64)
    if made.ndim != ndim or shape not in (None, made.shape):
        wanted = f"shape {shape}" if shape is not None else f"{ndim} dimension(s)"
        raise ValueError(f"{name} must have {wanted}, got shape {made.shape}.")
    return made
