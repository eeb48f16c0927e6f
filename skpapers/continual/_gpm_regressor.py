"""A network with a gradient projection memory, for numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.metrics import r2_score

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_regressor import NetworkRegressor
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.targets import Numbers, Target
from skpapers._validation import fit_context
from skpapers.continual._gpm_base import GPMEstimator
from skpapers.continual._gpm_docs import PARTS


@dataclass(frozen=True, eq=False)
class FirstUnits(Numbers):
    """Numbers in the units of the first task.

    A target that is constant there has no scale, and gets one in the first later task in which it varies. The constant
    stays its location: the outputs for old rows, which are near 0, go on meaning the constant.
    """

    def fitted(self, y: NDArray, weight: NDArray | None, enough: int) -> Self:
        target = super().fitted(y, weight, enough)
        assert target.statistics is not None
        groups = []
        for group in target.statistics.groups:
            if group.origin is not None:
                location, scale = group.fitted["location_and_scale"]
                around = np.hypot(scale, location - group.origin)
                group = replace(group, fitted={"location_and_scale": np.stack([group.origin, around])})
            groups.append(group)
        return replace(target, statistics=replace(target.statistics, groups=tuple(groups)))


@filled_docstring(PARTS)
class GPMRegressor(GPMEstimator, NetworkRegressor):
    r"""Network for numbers that learns task after task and keeps what it learned before (GPM).

    For data that come in different parts, such as market regimes, machines or customers, if the earlier rows cannot
    be kept, or if what was learned from them must not change. Where all rows are at hand, a network fitted on all of
    them at once is better. There may be several targets.

    Parameters
    ----------
    {memory}

    {steps}

    {first_scaling}

    {loss}

    {state}

    {training_device}

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_outputs,)
        The network learns ``(y - y_center_) / y_scale_`` in every task; both are statistics of the first task. A target
        that is constant there gets its scale in the first task in which it varies.

    {fitted_tasks}

    {fitted_losses}

    {fitted_rows}

    See Also
    --------
    GPMClassifier : The same for classes.
    score_by_task : Scores of every task after each task, on rows held back.
    ForgettingDisplay : A plot of these scores.

    Notes
    -----
    {notes}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    Two tasks on different columns; after the second one the model still knows the first:

    >>> import numpy as np
    >>> from skpapers.continual import GPMRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 30))
    >>> X[:300, 10:] = 0
    >>> X[300:, :10] = 0
    >>> X[:, 20:] = 0
    >>> y = np.where(np.arange(600) < 300, X[:, 0] + X[:, 1], X[:, 10] - X[:, 11])
    >>> task = np.repeat([2008, 2020], 300)
    >>> model = GPMRegressor(scaling=None, random_state=0).fit(X, y, task=task)
    >>> model.score(X[:300], y[:300]) > 0.9
    True
    >>> model.task_scores_.shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict] = {
        **GPMEstimator._parameter_constraints,
        **NetworkRegressor._loss_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (100, 100),
        *,
        threshold: ArrayLike = (0.95, 0.99),
        threshold_increment: float = 0.0,
        n_representation_samples: int = 300,
        heads: str = "single",
        hidden_channels: ArrayLike = (),
        image_shape: ArrayLike | None = None,
        kernel_size: int = 3,
        strides: ArrayLike = 1,
        activation: str = "relu",
        solver: str = "adamw",
        alpha: float = 0.0,
        batch_size: int = 32,
        learning_rate_init: float = 0.003,
        max_iter: int = 20,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        scaling: str | None = "robust",
        loss: str = "squared_error",
        quantile: float = 0.5,
        random_state: Any = None,
        verbose: bool | int = False,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.threshold = threshold
        self.threshold_increment = threshold_increment
        self.n_representation_samples = n_representation_samples
        self.heads = heads
        self.hidden_channels = hidden_channels
        self.image_shape = image_shape
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.scaling = scaling
        self.loss = loss
        self.quantile = quantile
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    def _target(self) -> FirstUnits:
        return FirstUnits(self.loss, self.quantile)

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> Any:
        """Learn one more task, or several, each to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out.

        task : array-like of shape (n_samples,), default=None
            Id of each row's task. None: the rows are a new task, whose id is the largest so far plus 1.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        return self._learn(Given(X, y, sample_weight), self._target(), task, goes_on=True)

    def predict(self, X: Any, task: Any = None) -> NDArray:
        """Predict the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : object or array-like of shape (n_samples,), default=None
            Id of each row's task, or one id for all rows, which chooses the head; None is the task learned last. With
            `heads="single"` it has no effect.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._task_outputs(X, task)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> float:
        """Return the coefficient of determination R².

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        task : object or array-like of shape (n_samples,), default=None
            Id of each row's task, or one id for all rows, as in `predict`.

        Returns
        -------
        score : float
            At most 1; the mean over the targets.
        """
        return float(r2_score(y, self.predict(X, task), sample_weight=sample_weight))

    def _score_of(self, target: Target, outputs: NDArray, rows: Rows[NDArray]) -> float:
        if len(rows) < 2:
            return np.nan
        largest = np.abs(rows.y).max() or 1.0  # the squares of large targets may be infinite
        return float(r2_score(rows.y / largest, outputs.reshape(rows.y.shape) / largest, sample_weight=rows.weight))
