"""The picture of a regularisation path of hierarchical shrinkage."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted


class HierarchicalShrinkagePathDisplay:
    """Scores along the path of `reg_param`, fold by fold and on the mean.

    Use :meth:`from_estimator` on a fitted CV estimator rather than the constructor.

    Parameters
    ----------
    reg_params : ndarray of shape (n_reg_params,)
        Values of lambda.

    scores : ndarray of shape (n_splits, n_reg_params)
        Score of every fold; higher is better.

    reg_param : float
        The chosen value.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the plot.

    figure_ : matplotlib Figure
        The figure of the plot.

    See Also
    --------
    HierarchicalShrinkageRegressorCV : Its `cv_results_` is what is drawn.
    HierarchicalShrinkageClassifierCV : The same for classes.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_diabetes
    >>> from skpapers.tree import HierarchicalShrinkagePathDisplay, HierarchicalShrinkageRegressorCV
    >>> model = HierarchicalShrinkageRegressorCV().fit(*load_diabetes(return_X_y=True))
    >>> display = HierarchicalShrinkagePathDisplay.from_estimator(model)
    >>> display.ax_.get_xlabel()
    'reg_param'
    """

    def __init__(self, *, reg_params: NDArray, scores: NDArray, reg_param: float) -> None:
        self.reg_params = reg_params
        self.scores = scores
        self.reg_param = reg_param

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "HierarchicalShrinkagePathDisplay":
        """Draw the path of a fitted CV estimator.

        Parameters
        ----------
        estimator : HierarchicalShrinkageRegressorCV or HierarchicalShrinkageClassifierCV
            A fitted estimator.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : HierarchicalShrinkagePathDisplay
        """
        check_is_fitted(estimator, "cv_results_")
        results = estimator.cv_results_
        scores = np.stack([results[f"split{i}_test_score"] for i in range(estimator.n_splits_)])
        return cls(reg_params=results["param_reg_param"], scores=scores, reg_param=estimator.reg_param_).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "HierarchicalShrinkagePathDisplay":
        """Draw the path.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : HierarchicalShrinkagePathDisplay
            Itself, with `ax_` and `figure_`.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        order = np.argsort(self.reg_params)
        x = self.reg_params[order]
        scores = self.scores[:, order]
        if len(scores) > 1:
            ax.plot(x, scores.T, color="C0", alpha=0.3, linewidth=1)
        label = "mean of the folds" if len(scores) > 1 else "score"
        ax.plot(x, scores.mean(axis=0), color="C0", marker="o", label=label)
        ax.axvline(self.reg_param, color="C1", linestyle="--", label=f"chosen: {self.reg_param:g}")
        if np.any(x > 0):
            smallest = x[x > 0].min()
            ax.set_xscale("symlog", linthresh=smallest)  # linear between 0 and the smallest positive value
            ax.set_xlim(left=-0.3 * smallest if x[0] == 0 else smallest / 1.5)
        ax.set(xlabel="reg_param", ylabel="score")
        ax.legend()
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
