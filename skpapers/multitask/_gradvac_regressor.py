"""A network for several targets, trained by Gradient Vaccine."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from skpapers._docstrings import filled_docstring
from skpapers._torch import losses
from skpapers._torch.reading import Given
from skpapers._validation import Interval, StrOptions
from skpapers.multitask._gradvac_base import GradVacEstimator
from skpapers.multitask._gradvac_docs import PARTS
from skpapers.multitask._task_numbers import TaskNumbers
from skpapers.multitask._task_rows import as_numbers, label_matrix

LOSSES = {*losses.REGRESSION, "log_loss"}


@filled_docstring(PARTS)
class GradVacRegressor(RegressorMixin, GradVacEstimator):
    r"""Network for several targets, whose conflicting gradients are corrected (Gradient Vaccine).

    For targets that are related, such as returns over several horizons, some of them missing in some rows. Targets of
    0 and 1 may be mixed with other numbers. Do not expect better predictions than those of `method="sum"` on tables;
    the similarities show which tasks agree.

    Parameters
    ----------
    {network}

    {vaccine}

    loss : str or list of str, default="squared_error"
        "squared_error", "absolute_error", "huber", "quantile" or "log_loss", of the standardised targets; one for all
        tasks or one for each. "log_loss" is for targets from 0 to 1, such as events: `predict` returns their
        probability.

    quantile : float, default=0.5
        The quantile predicted, for "quantile".

    {activation}

    {solver}

    {steps}

    {optimizer}

    {early_stopping_numbers}

    {validation}

    {patience}

    {tol}

    {state}

    {features}

    {training_device}

    Attributes
    ----------
    n_outputs_ : int
        Number of targets.

    y_center_, y_scale_ : ndarray of shape (n_tasks,)
        What is subtracted from the targets, and what they are divided by: mean and standard deviation of the known
        labels; for "huber" median and interquartile range / 1.349; for "log_loss" 0 and 1. A constant target has scale
        0: it is predicted exactly, and has no gradient.

    {fitted_tasks}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_numbers}

    {best_score}

    {fitted_end}

    See Also
    --------
    GradVacClassifier : The same for classes.
    SAMMLPRegressor : Several targets by the summed loss, with further options.
    combine_gradients : The step alone, for your own training loop.
    TaskSimilarityDisplay : How the tasks' gradients agree.

    Notes
    -----
    {objective}

    {cost}

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    Two targets, the second of which is known in every third row only:

    >>> import numpy as np
    >>> from skpapers.multitask import GradVacRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 4))
    >>> Y = np.column_stack([X[:, 0] + X[:, 1], X[:, 0] - X[:, 2]])
    >>> missing = Y.copy()
    >>> missing[np.arange(300) % 3 > 0, 1] = np.nan
    >>> model = GradVacRegressor((32,), max_iter=40, random_state=0).fit(X, missing)
    >>> model.score(X, Y) > 0.9
    True
    >>> model.similarity_history_.shape
    (40, 2, 2)

    The same rows stacked, with the task of each:

    >>> task = np.repeat(["both", "one"], 300)
    >>> model = GradVacRegressor((32,), max_iter=20, random_state=0)
    >>> model.fit(np.vstack([X, X]), Y.T.ravel(), task=task).predict(X[:2], task=["one", "both"]).shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **GradVacEstimator._parameter_constraints,
        "loss": [StrOptions(LOSSES), "array-like"],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _matrix_dtype = float

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (64, 64),
        *,
        method: str = "gradvac",
        beta: float = 0.01,
        granularity: str = "whole",
        task_weights: ArrayLike | None = None,
        loss: str | ArrayLike = "squared_error",
        quantile: float = 0.5,
        activation: str = "silu",
        solver: str = "adamw",
        alpha: float = 0.1,
        batch_size: int = 64,
        learning_rate_init: float = 0.005,
        max_iter: int = 60,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        validation_split: str = "last",
        n_iter_no_change: int = 10,
        tol: float = 0.0001,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool | int = False,
        scaling: str | None = "robust",
        numeric_embedding: str = "none",
        dropout: float = 0.0,
        dtype: str = "float32",
        device: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.method = method
        self.beta = beta
        self.granularity = granularity
        self.task_weights = task_weights
        self.loss = loss
        self.quantile = quantile
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
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_split = validation_split
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.scaling = scaling
        self.numeric_embedding = numeric_embedding
        self.dropout = dropout
        self.dtype = dtype
        self.device = device

    def _target(self) -> TaskNumbers:
        names = (self.loss,) if isinstance(self.loss, str) else tuple(np.asarray(self.loss).ravel().tolist())
        unknown = [name for name in names if name not in LOSSES]
        if unknown or not names:
            raise ValueError(f"loss must be one of {', '.join(sorted(LOSSES))}, or a list of them; got {self.loss!r}.")
        return TaskNumbers(quantile=self.quantile, loss_names=names, task_weights=self._checked_task_weights())

    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None, tasks: ArrayLike | None = None
    ) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling of X and y is refitted during the first 512 rows, and then fixed. A task may be absent from a call:
        its outputs are then not trained. All tasks with labels in a call have the same weight.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Targets; NaN where one is missing. With `task` one target for each row.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, relative to those of earlier calls.

        task : array-like of shape (n_samples,), default=None
            The task of each row, for stacked rows.

        tasks : array-like of shape (n_tasks,), default=None
            All tasks that will ever come; needed with `task` in the first call if its rows lack some of them.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        self._validate_params()
        y, target = self._labels_of_tasks(y, task, self._model_to_continue(), tasks)
        return self._partial_fit(Given(X, y, sample_weight), target)

    def predict(self, X: Any, task: Any = None) -> NDArray:
        """Predict the targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : array-like of shape (n_samples,), or one task, default=None
            The task of each row, an entry of `tasks_`. None: predict all tasks for every row.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Predictions for each row's task, or for all tasks. The shape is (n_samples,) with `task`, and for y of one
            column.
        """
        return self._of_task(self._all_tasks(X), task)

    def _all_tasks(self, X: Any) -> NDArray:
        target = self._fitted_target()
        assert isinstance(target, TaskNumbers)
        return target.predictions(self._outputs(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> float:
        """Return the coefficient of determination, averaged over the tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test rows.

        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            True targets. Missing ones do not count, and tasks without a known label are left out.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        task : array-like of shape (n_samples,), default=None
            The task of each row, for stacked rows.

        Returns
        -------
        score : float
            Mean of the tasks' R².
        """
        predicted = self._all_tasks(X)
        Y = as_numbers(label_matrix(self._as_matrix(y, task, self._fitted_target().known_tasks)))
        return self._mean_over_tasks(r2_score, Y, predicted, sample_weight)
