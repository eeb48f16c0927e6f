"""What the estimators trained by sharpness-aware minimisation share."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

from skpapers._torch.chunks import GRAPH_BYTES, chunk_length
from skpapers._torch.mlp_base import MLPEstimator
from skpapers._torch.sam import sharpness_aware
from skpapers._torch.setup import Run
from skpapers._torch.state import own_modes
from skpapers._torch.steps import Gradient, backward, switched
from skpapers._validation import Interval, StrOptions
from skpapers.neural_network._automatic import SAMSettings, automatic_settings
from skpapers.neural_network._sharpness import top_eigenvalues


class SharpnessAware(MLPEstimator):
    """What both estimators add to a perceptron: the gradient, and the curvature that it lowers."""

    _parameter_constraints: ClassVar[dict] = {
        **MLPEstimator._parameter_constraints,
        **MLPEstimator._optimizer_constraints,
        **MLPEstimator._stopping_constraints,
        **MLPEstimator._scaling_constraints,
        **MLPEstimator._network_constraints,
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "rho": [Interval(Real, 0, None, closed="left")],
        "adaptive": ["boolean"],
        "sam_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
    }

    rho: float
    adaptive: bool
    sam_fraction: float | str

    def _settings(self, n: int) -> SAMSettings:
        given: dict[str, Any] = {
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate_init,
            "n_epochs": self.max_iter,
            "sam_fraction": self.sam_fraction,
        }
        return replace(automatic_settings(n), **{name: value for name, value in given.items() if value != "auto"})

    def _gradient(self, run: Run) -> Gradient:
        settings = run.setup.settings
        assert isinstance(settings, SAMSettings)
        sam = sharpness_aware(self.rho, self.adaptive)
        if settings.sam_fraction == 0.0:
            return backward
        if run.n_steps is None or settings.sam_fraction == 1.0:
            return sam
        return switched(backward, sam, run.n_steps - round(settings.sam_fraction * run.n_steps))

    def sharpness(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the largest eigenvalue of the Hessian of the mean training loss at the fitted weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, usually those of training.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        Returns
        -------
        eigenvalue : float
            Without dropout, mixup, penalty and batch statistics; in float64; the mean over the members of an ensemble.
            For regression in squared units of the standardised target.
        """
        with own_modes():
            network, objective, rows = self._problem(X, y, sample_weight)
            length = chunk_length(network, GRAPH_BYTES)
            return float(top_eigenvalues(network, objective, rows, length=length).mean())
