"""Pictures of how many rows an estimator needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skpapers.convolution._rows_needed import exponent_of_dimension
from skpapers.convolution._sample_complexity import SampleComplexityCurve, sample_complexity_curve


class SampleComplexityDisplay:
    """Scores by the number of rows, or the rows needed by the number of columns.

    Use :meth:`from_estimator` for one estimator, and the constructor to compare several.

    Parameters
    ----------
    curves : dict
        By the name of the estimator either a :class:`SampleComplexityCurve`, or a dict of them by the number of
        columns.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    sample_complexity_curve : Measures a curve.
    sklearn.model_selection.LearningCurveDisplay : Scores of training and test by cross-validation.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from functools import partial
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skpapers.convolution import SampleComplexityDisplay, sample_complexity_curve
    >>> from skpapers.datasets import make_quadratic_halves
    >>> curves = {
    ...     d: sample_complexity_curve(
    ...         GaussianNB(), partial(make_quadratic_halves, n_features=d), [30, 100, 300], 0.9, random_state=0
    ...     )
    ...     for d in (4, 8)
    ... }
    >>> display = SampleComplexityDisplay({"naive Bayes": curves}).plot(kind="scaling")
    >>> display.ax_.get_xlabel()
    'columns d'
    """

    def __init__(self, curves: Mapping[str, SampleComplexityCurve | Mapping[int, SampleComplexityCurve]]) -> None:
        self.curves = curves

    @classmethod
    def from_estimator(
        cls, estimator: Any, make_data: Any, n_samples: Any, target_score: float, *, ax: Any = None, **options: Any
    ) -> SampleComplexityDisplay:
        """Measure a curve and draw it.

        Parameters
        ----------
        estimator : estimator
            See :func:`sample_complexity_curve`.

        make_data : callable, or tuple (X, y)
            See there.

        n_samples : array-like of int
            Numbers of training rows.

        target_score : float
            The score to reach.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **options : dict
            Further arguments of :func:`sample_complexity_curve`.

        Returns
        -------
        display : SampleComplexityDisplay
            The display, whose `curves` hold the curve by the name of the estimator's class.
        """
        curve = sample_complexity_curve(estimator, make_data, n_samples, target_score, **options)
        return cls({type(estimator).__name__: curve}).plot(ax=ax)

    def exponents(self) -> dict[str, tuple[float, float, float]]:
        """Return the slope of the logarithm of the rows needed on that of the columns, for each estimator.

        Returns
        -------
        exponents : dict of str to tuple of float
            Slope and ends of its t interval over the repeats. NaN if in some repeat the target was not reached, or was
            reached by the fewest rows already: the rows needed are not known then.
        """
        return {name: _exponent(by_dim) for name, by_dim in self._by_dimension().items()}

    def plot(self, *, kind: str = "curve", ax: Any = None) -> SampleComplexityDisplay:
        """Draw the curves.

        Parameters
        ----------
        kind : {"curve", "scaling", "collapse"}, default="curve"
            "curve": mean scores with their intervals by the number of rows. "scaling": rows needed by the number of
            columns; an arrow marks an interval that goes on beyond the most rows, or below the fewest rows, that were
            tried. "collapse": mean scores by the number of rows over the squared number of columns, which lie on one
            line where the rows needed grow as that square.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SampleComplexityDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the curves are not given by the number of columns, for "scaling" and "collapse".
        """
        draw = {"curve": self._draw_curves, "scaling": self._draw_scaling, "collapse": self._draw_collapse}
        if kind not in draw:
            raise ValueError(f'kind must be "curve", "scaling" or "collapse", not {kind!r}.')
        if kind != "curve":
            self._by_dimension()
        if ax is None:
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        draw[kind](ax)
        ax.legend()
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _by_dimension(self) -> dict[str, Mapping[int, SampleComplexityCurve]]:
        found = {}
        for name, curves in self.curves.items():
            if isinstance(curves, SampleComplexityCurve):
                raise ValueError(f"{name} has one curve; give a dict of curves by the number of columns.")
            found[name] = curves
        return found

    def _named(self) -> list[tuple[str, SampleComplexityCurve]]:
        named = []
        for name, curves in self.curves.items():
            if isinstance(curves, SampleComplexityCurve):
                named.append((name, curves))
            else:
                named += [(f"{name}, d = {d}", curve) for d, curve in curves.items()]
        return named

    def _draw_curves(self, ax: Any) -> None:
        named = self._named()
        for name, curve in named:
            (line,) = ax.plot(curve.n_samples, curve.mean_scores, marker="o", label=name)
            low, high = curve.score_intervals.T
            ax.fill_between(curve.n_samples, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
            if curve.censored is None:
                ax.axvline(curve.rows_needed, color=line.get_color(), linestyle=":", linewidth=1)
        for target in {curve.target_score for _, curve in named}:
            ax.axhline(target, color="gray", linewidth=1)
        ax.set(xscale="log", xlabel="training rows", ylabel="score")

    def _draw_scaling(self, ax: Any) -> None:
        for name, by_dim in self._by_dimension().items():
            dims = np.array(sorted(by_dim))
            curves = [by_dim[d] for d in dims]
            most = np.array([curve.n_samples[-1] for curve in curves])
            fewest = np.array([curve.n_samples[0] for curve in curves])
            rows = np.array([curve.rows_needed for curve in curves])
            ends = np.array([curve.rows_interval for curve in curves])
            missed = np.isinf(rows)
            shown = np.where(missed, most, rows)
            low = np.maximum(shown - np.minimum(ends[:, 0], shown), 0)
            high = np.maximum(np.minimum(ends[:, 1], most) - shown, 0)
            slope, slope_low, slope_high = _exponent(by_dim)
            label = name if np.isnan(slope) else f"{name}: d^{slope:.2f} [{slope_low:.2f}, {slope_high:.2f}]"
            points = ax.errorbar(dims, shown, yerr=(low, high), marker="o", capsize=3, label=label)
            color = points.lines[0].get_color()
            above = np.isinf(ends[:, 1])
            ax.scatter(dims[above], 1.1 * most[above], marker="^", color=color)
            below = ends[:, 0] <= fewest
            ax.scatter(dims[below], fewest[below] / 1.1, marker="v", color=color)
        ax.set(xscale="log", yscale="log", xlabel="columns d", ylabel="rows needed")

    def _draw_collapse(self, ax: Any) -> None:
        for name, by_dim in self._by_dimension().items():
            for d, curve in sorted(by_dim.items()):
                ax.plot(curve.n_samples / d**2, curve.mean_scores, marker="o", label=f"{name}, d = {d}")
        ax.set(xscale="log", xlabel="training rows / d²", ylabel="score")


def _exponent(by_dim: Mapping[int, SampleComplexityCurve]) -> tuple[float, float, float]:
    dims = sorted(by_dim)
    if len({len(curve.scores) for curve in by_dim.values()}) != 1:
        return np.nan, np.nan, np.nan
    known = [np.where(by_dim[d].scores[:, 0] < by_dim[d].target_score, 1.0, np.nan) for d in dims]
    rows = np.column_stack([by_dim[d].rows_needed_of_repeats * mask for d, mask in zip(dims, known, strict=True)])
    return exponent_of_dimension(dims, rows, by_dim[dims[0]].confidence)
