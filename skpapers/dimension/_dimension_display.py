"""Pictures of the dimension by the number of neighbours, of classes, and of local dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skpapers.dimension._dimension_curve import DimensionCurve, dimension_curve

# Largest number of classes with a line and a name of their own.
MAX_NAMED = 10
KINDS = ("curve", "classes", "histogram")


class DimensionDisplay:
    """Dimensions by the number of neighbours with error bars, of each class, or a histogram of local dimensions.

    Use :meth:`from_data` or :meth:`from_estimator` rather than the constructor.

    Parameters
    ----------
    curve : DimensionCurve
        The dimensions.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    dimension_curve : Measures the dimensions.
    IntrinsicDimension : The estimator.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skpapers.datasets import make_manifold
    >>> from skpapers.dimension import DimensionDisplay
    >>> X, _ = make_manifold(500, 3, random_state=0)
    >>> display = DimensionDisplay.from_data(X, (5, 10, 20))
    >>> display.ax_.get_xlabel()
    'neighbours k'
    """

    def __init__(self, curve: DimensionCurve) -> None:
        self.curve = curve

    @classmethod
    def from_data(
        cls,
        X: Any,
        n_neighbors: ArrayLike = (3, 5, 10, 20),
        *,
        y: ArrayLike | None = None,
        kind: str = "curve",
        ax: Any = None,
        **options: Any,
    ) -> DimensionDisplay:
        """Measure a curve and draw it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        n_neighbors : array-like of int, default=(3, 5, 10, 20)
            Numbers of neighbours.

        y : array-like of shape (n_samples,), default=None
            Labels, for a line of each class.

        kind : {"curve", "classes", "histogram"}, default="curve"
            See :meth:`plot`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **options : dict
            Further parameters of :class:`IntrinsicDimension`.

        Returns
        -------
        display : DimensionDisplay
            The display.
        """
        return cls(dimension_curve(X, n_neighbors, y=y, **options)).plot(kind=kind, ax=ax)

    @classmethod
    def from_estimator(cls, estimator: Any, *, kind: str = "curve", ax: Any = None) -> DimensionDisplay:
        """Draw what a fitted estimator has found.

        Parameters
        ----------
        estimator : IntrinsicDimension
            A fitted estimator.

        kind : {"curve", "histogram"}, default="curve"
            See :meth:`plot`.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DimensionDisplay
            The display.
        """
        check_is_fitted(estimator)
        order = np.argsort(estimator.n_neighbors_, kind="stable")
        local = estimator.local_dimension_.reshape(len(estimator.anchor_indices_), -1)
        curve = DimensionCurve(
            estimator.n_neighbors_[order],
            np.atleast_1d(estimator.dimension_)[order],
            np.atleast_1d(estimator.dimension_std_error_)[order],
            local[:, order],
            estimator.n_duplicates_,
        )
        return cls(curve).plot(kind=kind, ax=ax)

    def plot(self, *, kind: str = "curve", ax: Any = None) -> DimensionDisplay:
        """Draw the dimensions.

        Parameters
        ----------
        kind : {"curve", "classes", "histogram"}, default="curve"
            "curve": dimensions by the number of neighbours, with two standard errors, and a thin line for each class.
            "classes": one bar for each class, at the largest k. "histogram": local dimensions at the largest k;
            the last bar also counts the finite ones above the upper quartile by more than ten interquartile ranges.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DimensionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `kind` is unknown, or "classes" without classes.
        """
        if kind not in KINDS:
            raise ValueError(f'kind must be "curve", "classes" or "histogram", not {kind!r}.')
        if kind == "classes" and not self.curve.classes:
            raise ValueError('kind="classes" needs labels: give y to dimension_curve.')
        if ax is None:
            from matplotlib import pyplot as plt

            _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
        {"curve": self._draw_curves, "classes": self._draw_classes, "histogram": self._draw_histogram}[kind](ax)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def _draw_curves(self, ax: Any) -> None:
        named = len(self.curve.classes) <= MAX_NAMED
        for i, (label, curve) in enumerate(self.curve.classes.items()):
            color = f"C{i % MAX_NAMED}" if named else "0.8"
            ax.plot(curve.n_neighbors, curve.dimension, color=color, linewidth=1, label=str(label) if named else None)
        ax.errorbar(
            self.curve.n_neighbors,
            self.curve.dimension,
            yerr=_bars(self.curve.std_error),
            color="black",
            marker="o",
            capsize=3,
            label="all rows",
        )
        ax.set(xlabel="neighbours k", ylabel="dimension")
        if self.curve.classes:
            ax.legend()

    def _draw_classes(self, ax: Any) -> None:
        labels = [str(label) for label in self.curve.classes]
        dimensions = [curve.dimension[-1] for curve in self.curve.classes.values()]
        errors = np.array([curve.std_error[-1] for curve in self.curve.classes.values()])
        ax.bar(labels, dimensions, yerr=_bars(errors), capsize=3, color="C0")
        ax.axhline(self.curve.dimension[-1], color="black", linewidth=1, label="all rows")
        ax.set(xlabel="class", ylabel=f"dimension, k = {self.curve.n_neighbors[-1]}")
        ax.legend()

    def _draw_histogram(self, ax: Any) -> None:
        local = self.curve.local_dimension[:, -1]
        local = local[np.isfinite(local)]
        if len(local):
            # almost equal distances give local dimensions of many powers of ten, and as many bins
            low, high = np.quantile(local, [0.25, 0.75])
            local = np.minimum(local, high + 10.0 * (high - low))
        ax.hist(local, bins="auto", color="C0", alpha=0.7)
        ax.axvline(self.curve.dimension[-1], color="black", linewidth=1, label="global dimension")
        ax.set(xlabel=f"local dimension, k = {self.curve.n_neighbors[-1]}", ylabel="rows")
        ax.legend()


def _bars(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the half lengths of error bars: two standard errors; no bar where the error is not known."""
    return 2.0 * np.nan_to_num(errors)
