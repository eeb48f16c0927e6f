"""A network with a gradient projection memory, for classes."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.metrics import accuracy_score

from skpapers._docstrings import filled_docstring
from skpapers._torch.network_classifier import NetworkClassifier, probabilities
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.targets import Target
from skpapers._validation import fit_context
from skpapers.continual._gpm_base import GPMEstimator
from skpapers.continual._gpm_docs import PARTS


@filled_docstring(PARTS)
class GPMClassifier(GPMEstimator, NetworkClassifier):
    r"""Network for classes that learns task after task and keeps what it learned before (GPM).

    For data that come in different parts, such as market regimes, machines or customers, if the earlier rows cannot
    be kept, or if what was learned from them must not change. Where all rows are at hand, a network fitted on all of
    them at once is better.

    Parameters
    ----------
    {memory}

    {steps}

    {first_scaling}

    {state}

    {training_device}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.

    {fitted_tasks}

    {fitted_losses}

    {fitted_rows}

    See Also
    --------
    GPMRegressor : The same for numbers.
    score_by_task : Scores of every task after each task, on rows held back.
    ForgettingDisplay : A plot of these scores.

    Notes
    -----
    {notes}

    With `heads="multi"` the head of a task has the classes that the task has rows of; the probability of another class
    is 0. With two classes in all, every head has both.

    {differences}

    References
    ----------
    {references}

    Examples
    --------
    The second task has the same digits with their pixels in another order. Fine-tuning forgets the first task:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.continual import GPMClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X[:600] / 16
    >>> order = np.random.default_rng(0).permutation(64)
    >>> for threshold in (0, (0.95, 0.99)):
    ...     model = GPMClassifier(threshold=threshold, scaling=None, max_iter=8, random_state=0)
    ...     model = model.partial_fit(X, y[:600], classes=range(10)).partial_fit(X[:, order], y[:600])
    ...     print(model.score(X, y[:600]) > 0.8)
    False
    True
    >>> bool(model.memory_usage_.max() < 0.6)
    True
    """

    __metadata_request__predict_proba: ClassVar[dict] = {"task": True}

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
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: Any = None, *, task: Any = None
    ) -> Any:
        """Learn one more task, or several, each to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels. A task need not have all classes.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out.

        task : array-like of shape (n_samples,), default=None
            Id of each row's task. None: the rows are a new task, whose id is the largest so far plus 1.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        return self._learn(Given(X, y, sample_weight), self._target_of_all(classes), task, goes_on=True)

    def predict_proba(self, X: Any, task: Any = None) -> NDArray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : object or array-like of shape (n_samples,), default=None
            Id of each row's task, or one id for all rows, which chooses the head; None is the task learned last. With
            `heads="single"` it has no effect.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return probabilities(self._task_outputs(X, task))

    def predict(self, X: Any, task: Any = None) -> NDArray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : object or array-like of shape (n_samples,), default=None
            Id of each row's task, or one id for all rows, which chooses the head; None is the task learned last. With
            `heads="single"` it has no effect.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        return self._labels(self._task_outputs(X, task))

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        task : object or array-like of shape (n_samples,), default=None
            Id of each row's task, or one id for all rows, as in `predict`.

        Returns
        -------
        score : float
            Share of the rows, by weight, whose label is right.
        """
        return float(accuracy_score(y, self.predict(X, task), sample_weight=sample_weight))

    def _score_of(self, target: Target, outputs: NDArray, rows: Rows[NDArray]) -> float:
        return target.score(outputs, rows)
