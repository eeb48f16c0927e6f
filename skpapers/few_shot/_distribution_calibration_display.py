"""A plot of the rows that were drawn for the rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted, check_random_state, column_or_1d, validate_data

from skpapers.few_shot._distribution_calibration import tukey_transform

# Largest number of classes with a name in the legend and a colour of their own.
MAX_NAMED = 10


class DistributionCalibrationDisplay:
    """Rows, calibrated means and draws of rare classes, in the first two principal components.

    It shows whether the rows drawn for a rare class lie where its own rows lie: give held-out rows of all classes, if
    there are some. Use :meth:`from_estimator` rather than the constructor.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, 2)
        The rows.

    labels : ndarray of shape (n_samples,)
        Their labels.

    means : ndarray of shape (n_support, 2)
        Calibrated means, one for each training row of a rare class.

    mean_labels : ndarray of shape (n_support,)
        Their labels.

    drawn : ndarray of shape (n_drawn, 2)
        Rows drawn from the calibrated distributions.

    drawn_labels : ndarray of shape (n_drawn,)
        Their labels.

    explained_variance_ratio : ndarray of shape (2,)
        Share of the variance of the rows in each component.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    DistributionCalibratedFewShot : The classifier whose draws are shown.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skpapers.few_shot import DistributionCalibratedFewShot, DistributionCalibrationDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DistributionCalibratedFewShot().fit(X[:103], y[:103])
    >>> display = DistributionCalibrationDisplay.from_estimator(model, X, y)
    >>> display.drawn.shape
    (100, 2)
    """

    def __init__(
        self,
        *,
        rows: NDArray,
        labels: NDArray,
        means: NDArray,
        mean_labels: NDArray,
        drawn: NDArray,
        drawn_labels: NDArray,
        explained_variance_ratio: NDArray,
    ) -> None:
        self.rows = rows
        self.labels = labels
        self.means = means
        self.mean_labels = mean_labels
        self.drawn = drawn
        self.drawn_labels = drawn_labels
        self.explained_variance_ratio = explained_variance_ratio

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        n_generate: int = 100,
        random_state: Any = 0,
        ax: Any = None,
    ) -> DistributionCalibrationDisplay:
        """Draw rows from the distributions of a fitted estimator, and plot them beside some rows.

        Parameters
        ----------
        estimator : DistributionCalibratedFewShot
            A fitted estimator.

        X : array-like of shape (n_samples, n_features)
            Training or held-out rows. The components are computed from them, after the transform of `tukey`.

        y : array-like of shape (n_samples,)
            Labels.

        n_generate : int, default=100
            Rows drawn for each rare class.

        random_state : int, RandomState instance or None, default=0
            Decides what is drawn.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DistributionCalibrationDisplay
        """
        check_is_fitted(estimator)
        X = tukey_transform(validate_data(estimator, X, reset=False, dtype=np.float64), estimator._tukey)
        labels = column_or_1d(y)
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} rows, but y has {len(labels)} labels.")
        drawn, drawn_labels = estimator._sample(n_generate, check_random_state(random_state))
        pca = PCA(min(2, *X.shape)).fit(X)

        def plane(rows: NDArray) -> NDArray:
            found = np.zeros((len(rows), 2))
            if len(rows):
                found[:, : pca.n_components_] = pca.transform(rows)
            return found

        return cls(
            rows=plane(X),
            labels=labels,
            means=plane(estimator.calibrated_means_),
            mean_labels=estimator.calibrated_labels_,
            drawn=plane(drawn),
            drawn_labels=drawn_labels,
            explained_variance_ratio=np.append(pca.explained_variance_ratio_, [0.0, 0.0])[:2],
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> DistributionCalibrationDisplay:
        """Plot rows, calibrated means and draws, a colour for each rare class.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DistributionCalibrationDisplay
            Itself, with `ax_` and `figure_`.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        rare = np.unique(self.mean_labels)
        others = ~np.isin(self.labels, rare)
        ax.scatter(*self.rows[others].T, s=6, color="0.85", label="other classes")
        for i, label in enumerate(rare):
            color = f"C{i % MAX_NAMED}"
            rows = self.rows[self.labels == label]
            drawn = self.drawn[self.drawn_labels == label]
            name = str(label) if len(rare) <= MAX_NAMED else None
            ax.scatter(*rows.T, s=14, color=color, alpha=0.5, linewidths=0, label=name)
            ax.scatter(*drawn.T, s=18, color=color, marker="x", linewidths=0.8)
            means = self.means[self.mean_labels == label]
            ax.scatter(*means.T, s=130, color=color, marker="*", edgecolors="black", linewidths=0.8, zorder=3)
        ax.scatter([], [], s=18, color="black", marker="x", linewidths=0.8, label="drawn")
        ax.scatter([], [], s=130, color="white", marker="*", edgecolors="black", label="calibrated mean")
        share = [f"{100 * ratio:.0f}%" for ratio in self.explained_variance_ratio]
        ax.set(xlabel=f"component 1 ({share[0]} of the variance)", ylabel=f"component 2 ({share[1]})")
        ax.legend()
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
