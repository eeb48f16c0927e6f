"""What the classifiers on windows and tables add: labels and probabilities step by step."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from skpapers._torch.network_classifier import NetworkClassifier, probabilities
from skpapers.attention._sequence_base import SequenceEstimator


class SequenceClassifier(SequenceEstimator, NetworkClassifier):
    """A classifier on windows of series or on tables."""

    def _predicted(self, outputs: NDArray) -> NDArray:
        return self._labels(outputs)

    def partial_predict_proba(self, x_t: ArrayLike, state: Any = None) -> tuple[NDArray, Any]:
        """Predict probabilities after one more step of each series; see :meth:`partial_predict`.

        Parameters
        ----------
        x_t : array-like of shape (n_rows, n_channels)
            The next step of each series.

        state : object, default=None
            What the call for the step before returned, or `init_state`; None before the first step. It is not changed.

        Returns
        -------
        p : ndarray of shape (n_rows, n_classes)
            What `predict_proba` returns.

        state : object
            The state after the step.
        """
        outputs, state = self._partial_outputs(x_t, state)
        return probabilities(outputs), state
