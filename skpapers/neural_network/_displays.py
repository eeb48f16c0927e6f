"""Pictures of how a network was trained, and of the loss around the weights it ended with."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skpapers._torch.chunks import chunk_length
from skpapers._torch.state import own_modes
from skpapers.neural_network._sharpness import landscape


class LossLandscapeDisplay:
    r"""The loss along one or two random directions through the weights of a fitted network.

    It shows what :meth:`SAMMLPClassifier.sharpness` measures: which of two networks of equal training loss lies in the
    wider valley. Use :meth:`from_estimator` rather than the constructor.

    Parameters
    ----------
    steps : ndarray of shape (n_steps,)
        Distances from the weights, as multiples of the directions.

    losses : ndarray of shape (n_steps,) or (n_steps, n_steps)
        Mean loss of the rows at each place; without penalty, dropout and mixup.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    SAMMLPClassifier : Its landscape is what is drawn.
    SAMMLPRegressor : The same for numbers.
    TrainingCurveDisplay : The loss from epoch to epoch.

    Notes
    -----
    Directions are drawn from a normal distribution, and the weights into each unit are given the norm of the network's
    own (filter normalisation): otherwise a network looks flatter by having larger weights. Biases stay where they are.
    Of an ensemble the mean over its members is drawn, each along directions of its own. Evaluations are in float64,
    with the stored statistics of batch normalisation.

    References
    ----------
    .. [1] H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS
       2018. https://arxiv.org/abs/1712.09913

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skpapers.neural_network import LossLandscapeDisplay, SAMMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SAMMLPClassifier((16,), max_iter=20, random_state=0).fit(X, y)
    >>> display = LossLandscapeDisplay.from_estimator(model, X, y, n_steps=11)
    >>> display.losses.argmin() in (4, 5, 6)
    True
    """

    def __init__(self, *, steps: NDArray, losses: NDArray) -> None:
        self.steps = steps
        self.losses = losses

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        n_dims: int = 1,
        distance: float = 1.0,
        n_steps: int = 25,
        random_state: int = 0,
        ax: Any = None,
    ) -> "LossLandscapeDisplay":
        """Evaluate the loss of some rows around the weights, and draw it.

        Parameters
        ----------
        estimator : SAMMLPClassifier or SAMMLPRegressor
            A fitted estimator.

        X : array-like of shape (n_samples, n_features)
            Rows, usually those of training.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        n_dims : {1, 2}, default=1
            Number of directions.

        distance : float, default=1.0
            Largest distance in each direction. At 1 what is added to the weights of a unit has their norm.

        n_steps : int, default=25
            Places along each direction; an odd number has the weights themselves among them.

        random_state : int, default=0
            Seed of the directions: networks of one shape are compared along the same ones.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LossLandscapeDisplay
        """
        if n_dims not in (1, 2):
            raise ValueError(f"n_dims must be 1 or 2, got {n_dims}.")
        if n_steps < 2:
            raise ValueError(f"n_steps must be 2 or more, got {n_steps}.")
        if not hasattr(estimator, "_problem"):
            name = type(estimator).__name__
            raise TypeError(f"LossLandscapeDisplay takes a fitted network of this package, not {name}.")
        steps = np.linspace(-distance, distance, n_steps)
        generator = torch.Generator().manual_seed(random_state)
        network, objective, rows = estimator._problem(X, y, sample_weight)
        with own_modes():
            length = chunk_length(network)
            losses = landscape(network, objective, rows, steps, n_dims, generator, length)
        return cls(steps=steps, losses=losses).plot(ax=ax)

    def plot(self, *, ax: Any = None, label: str | None = None) -> "LossLandscapeDisplay":
        """Draw the loss: a curve, or level lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        label : str, default=None
            Name of a curve, for a legend of several.

        Returns
        -------
        display : LossLandscapeDisplay
            Itself, with `ax_` and `figure_`.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        if self.losses.ndim == 1:
            ax.plot(self.steps, self.losses, label=label)
            ax.set(xlabel="distance from the weights", ylabel="loss")
        else:
            low = max(self.losses.min(), 1e-12)
            levels = np.geomspace(low, max(self.losses.max(), 2.0 * low), 15)
            lines = ax.contour(self.steps, self.steps, self.losses.T, levels=levels)
            ax.clabel(lines, fmt="%.2g", fontsize=7)
            ax.plot(0.0, 0.0, marker="+", color="black")
            ax.set(xlabel="first direction", ylabel="second direction", aspect="equal")
        self.ax_ = ax
        self.figure_ = ax.figure
        return self


class TrainingCurveDisplay:
    """Training loss and, with early stopping, the validation score, from epoch to epoch.

    It shows whether a network had enough epochs, and which epoch early stopping kept. Use :meth:`from_estimator` rather
    than the constructor.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Mean training loss of each epoch.

    validation_scores : array-like of shape (n_epochs,) or None, default=None
        Score of the rows held back after each epoch.

    best_iter : int or None, default=None
        The epoch whose weights were kept, counted from 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the loss.

    score_ax_ : matplotlib Axes or None
        The axes of the score, on the right.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    LossLandscapeDisplay : The loss around the weights at the end.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skpapers.neural_network import SAMMLPClassifier, TrainingCurveDisplay
    >>> model = SAMMLPClassifier((16,), max_iter=20, random_state=0).fit(*load_iris(return_X_y=True))
    >>> TrainingCurveDisplay.from_estimator(model).ax_.get_ylabel()
    'training loss'
    """

    def __init__(self, *, loss_curve: Any, validation_scores: Any = None, best_iter: int | None = None) -> None:
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores
        self.best_iter = best_iter

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "TrainingCurveDisplay":
        """Draw the training of a fitted network.

        Parameters
        ----------
        estimator : SAMMLPClassifier or SAMMLPRegressor
            A fitted estimator.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        check_is_fitted(estimator, "loss_curve_")
        scores = estimator.validation_scores_
        best = estimator.best_iter_
        return cls(loss_curve=estimator.loss_curve_, validation_scores=scores, best_iter=best).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "TrainingCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            Itself, with `ax_`, `score_ax_` and `figure_`.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        epochs = np.arange(1, len(self.loss_curve) + 1)
        lines = ax.plot(epochs, self.loss_curve, color="C0", label="training loss")
        ax.set(xlabel="epoch", ylabel="training loss")
        if min(self.loss_curve) > 0:
            ax.set_yscale("log")
        self.score_ax_ = None
        if self.validation_scores is not None:
            self.score_ax_ = ax.twinx()
            lines += self.score_ax_.plot(epochs, self.validation_scores, color="C1", label="validation score")
            self.score_ax_.set_ylabel("validation score")
            if self.best_iter is not None:
                lines.append(ax.axvline(self.best_iter, color="0.6", linestyle="--", label=f"best: {self.best_iter}"))
        ax.legend(handles=lines)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
