"""A plot of what a stream does to a fitted model, and of whether adaptation is trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted


class DriftMonitorDisplay:
    """Drift of a stream: how far the rows have moved, how sure the model is, and which model predicts.

    The upper plot shows the shift of each batch, in standard deviations of the training rows, and the level of batches
    of this length without drift. The lower plot shows the mean entropy of the adapted model's predictions for the
    batch, before its step. The adapted model predicts after the shaded batches, and the source after the others.

    Parameters
    ----------
    shift : array-like of shape (n_batches,)
        Shift of each batch.

    entropy : array-like of shape (n_batches,)
        Mean entropy of the predictions for each batch, in nats.

    batch_sizes : array-like of shape (n_batches,)
        Rows of each batch.

    uses_adapted : array-like of bool of shape (n_batches,)
        Whether the adapted model predicts after the batch.

    Attributes
    ----------
    expected_shift_ : ndarray of shape (n_batches,)
        About what the shift of a batch of b rows is without drift, :math:`\\sqrt{1.5 / b}`.

    axes_ : ndarray of matplotlib Axes of shape (2,)
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    TentClassifier : Measures all this while it adapts.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from skpapers.adaptation import DriftMonitorDisplay
    >>> display = DriftMonitorDisplay([0.2, 0.1, 0.9], [0.3, 0.2, 0.8], [64, 64, 64], [False, False, True]).plot()
    >>> display.expected_shift_.round(2)
    array([0.15, 0.15, 0.15])
    """

    def __init__(self, shift: ArrayLike, entropy: ArrayLike, batch_sizes: ArrayLike, uses_adapted: ArrayLike) -> None:
        self.shift = np.asarray(shift, dtype=np.float64)
        self.entropy = np.asarray(entropy, dtype=np.float64)
        self.batch_sizes = np.asarray(batch_sizes, dtype=np.intp)
        self.uses_adapted = np.asarray(uses_adapted, dtype=bool)
        lengths = [len(values) for values in (self.shift, self.entropy, self.batch_sizes, self.uses_adapted)]
        if len(set(lengths)) > 1:
            raise ValueError(f"shift, entropy, batch_sizes and uses_adapted differ in length: {lengths}.")
        self.expected_shift_ = np.sqrt(1.5 / self.batch_sizes)

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: ArrayLike | None = None) -> DriftMonitorDisplay:
        """Draw what an estimator has measured in its calls of `partial_fit`.

        Parameters
        ----------
        estimator : TentClassifier
            Fitted, and adapted to rows.

        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DriftMonitorDisplay
        """
        check_is_fitted(estimator)
        return cls(
            estimator.shift_history_,
            estimator.entropy_history_,
            estimator.batch_size_history_,
            estimator.is_adapted_history_,
        ).plot(axes=axes)

    def plot(self, *, axes: ArrayLike | None = None) -> DriftMonitorDisplay:
        """Draw shift and entropy over the rows of the stream.

        Parameters
        ----------
        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DriftMonitorDisplay
            The display itself.
        """
        if axes is None:
            from matplotlib import pyplot as plt

            _, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 4), layout="constrained")
        self.axes_ = np.ravel(np.asarray(axes, dtype=object))
        if len(self.axes_) != 2:
            raise ValueError(f"The plot needs two axes, got {len(self.axes_)}.")
        self.figure_ = self.axes_[0].figure
        ends = np.cumsum(self.batch_sizes)
        for ax, values, label in zip(self.axes_, (self.shift, self.entropy), ("shift", "entropy"), strict=True):
            ax.plot(ends, values, marker="o", markersize=3, color="C0")
            for start, end, uses_adapted in zip(ends - self.batch_sizes, ends, self.uses_adapted, strict=True):
                if uses_adapted:
                    ax.axvspan(start, end, color="C1", alpha=0.2, linewidth=0)
            ax.set(ylabel=label, ylim=(0, None))
        self.axes_[0].plot(ends, self.expected_shift_, color="grey", linestyle="--", label="without drift")
        self.axes_[0].plot([], [], color="C1", alpha=0.4, linewidth=8, label="adapted model predicts")
        self.axes_[0].legend(loc="upper left")
        self.axes_[1].set(xlabel="rows of the stream")
        return self
