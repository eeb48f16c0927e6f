"""Networks for numbers."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from skpapers._torch import losses
from skpapers._torch.reading import Given
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._torch.targets import Numbers
from skpapers._validation import Interval, StrOptions


class NetworkRegressor(RegressorMixin, SupervisedNetwork):
    """Regression; the network sees each output with location 0 and scale 1."""

    _loss_constraints: ClassVar[dict] = {
        "loss": [StrOptions(set(losses.REGRESSION))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    loss: str = "squared_error"
    quantile: float = 0.5

    def _target(self) -> Numbers:
        return Numbers(self.loss, self.quantile)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling of X and y is refitted during the first 512 rows, and then fixed. A column or target that was
        constant until then is scaled by the rows from its first other value on. Weights count against those of
        earlier calls: what counts as 1 is the mean weight of `fit`, or of the first 512 rows. A call in which all
        weights are 0 changes nothing; as the first call it is an error.

        Parameters may be set to other values between calls, `dtype` and `device` among them. A change
        of `scaling`, or of the shape of the network, raises an error.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        self._validate_params()
        return self._partial_fit(Given(X, y, sample_weight), self._target())

    def predict(self, X: Any) -> NDArray:
        """Predict the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._outputs(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
