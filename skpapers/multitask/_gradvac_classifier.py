"""A network for several tasks of classes, trained by Gradient Vaccine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from skpapers._docstrings import filled_docstring
from skpapers._torch.reading import Given
from skpapers._validation import StrOptions
from skpapers.multitask._gradvac_base import GradVacEstimator
from skpapers.multitask._gradvac_docs import PARTS
from skpapers.multitask._task_classes import TaskClasses, among_all_labels, classes_of_tasks
from skpapers.multitask._task_rows import label_matrix


@filled_docstring(PARTS)
class GradVacClassifier(ClassifierMixin, GradVacEstimator):
    r"""Network for several tasks of classes, whose conflicting gradients are corrected (Gradient Vaccine).

    For labels of several kinds on the same rows, some of them missing, or for several tables of the same columns. Each
    task has its own classes. Do not expect better predictions than those of `method="sum"` on tables; the
    similarities show which tasks agree.

    Parameters
    ----------
    {network}

    {vaccine}

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes within each task, multiplied by `sample_weight`; a list has an entry for each task. With
        several tasks they are, in `partial_fit`, relative to the weights of the task's other labels in the same call.

    {activation}

    {solver}

    {steps}

    {optimizer}

    {early_stopping_classes}

    {validation}

    {patience}

    {tol}

    {state}

    {features}

    {training_device}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of ndarray
        The class labels. For y with several columns a list with those of each task; for stacked rows those of all tasks
        in one array.

    {fitted_tasks}

    {fitted_losses}

    {fitted_epochs}

    {fitted_scores_classes}

    {best_score}

    {fitted_end}

    See Also
    --------
    GradVacRegressor : The same for numbers, and for probabilities beside numbers.
    SAMMLPClassifier : One task, with further options.
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
    Two tasks on the same rows: which digit it is, and whether it is odd.

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skpapers.multitask import GradVacClassifier
    >>> X, digit = load_digits(return_X_y=True)
    >>> Y = np.column_stack([digit, digit % 2])
    >>> model = GradVacClassifier((32,), max_iter=10, random_state=0).fit(X[:600], Y[:600])
    >>> model.score(X[600:], Y[600:]) > 0.8
    True
    >>> [p.shape for p in model.predict_proba(X[:3])]
    [(3, 10), (3, 2)]
    """

    __metadata_request__predict_proba: ClassVar[dict] = {"task": True}

    _parameter_constraints: ClassVar[dict] = {
        **GradVacEstimator._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    _matrix_dtype = object
    classes_: NDArray | list[NDArray]

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (64, 64),
        *,
        method: str = "gradvac",
        beta: float = 0.01,
        granularity: str = "whole",
        task_weights: ArrayLike | None = None,
        class_weight: dict | list | str | None = None,
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
        self.class_weight = class_weight
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

    def _target(self) -> TaskClasses:
        return TaskClasses(class_weight=self.class_weight, task_weights=self._checked_task_weights())

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        *,
        task: Any = None,
        tasks: ArrayLike | None = None,
    ) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling is refitted during the first 512 rows, and then fixed. A task may be absent from a call: its
        outputs are then not trained. All tasks with labels in a call have the same weight.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Labels; NaN, None or NA where one is missing. With `task` one label for each row.

        classes : array-like of shape (n_classes,), or list of them, default=None
            All labels that will ever come, one array for all tasks or one for each; needed in the first call only.

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
        given = self.class_weight if isinstance(self.class_weight, list) else [self.class_weight]
        if "balanced" in given:
            raise ValueError('partial_fit does not see all rows: class_weight="balanced" is for fit; give a dict.')
        before = self._model_to_continue()
        y, target = self._labels_of_tasks(y, task, before, tasks)
        assert isinstance(target, TaskClasses)
        if before is None or classes is not None:
            n_tasks = len(target.tasks) if target.tasks is not None else label_matrix(y).shape[1]
            target = replace(target, classes=classes_of_tasks(classes, n_tasks))
        if before is not None and classes is not None:
            known = self._fitted_target()
            assert isinstance(known, TaskClasses)
            if not all(map(np.array_equal, known.classes, target.classes)):
                raise ValueError(f"classes={classes!r} are not those of the first call.")
        return self._partial_fit(Given(X, y, sample_weight), target)

    def predict_proba(self, X: Any, task: Any = None) -> Any:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : array-like of shape (n_samples,), or one task, default=None
            The task of each row, for a model of stacked rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or list of them
            In the order of `classes_`. Without `task` a list with an array for each task if there are several. A model
            of stacked rows gives 0 to the classes that a task does not have.
        """
        target = self._fitted_target()
        assert isinstance(target, TaskClasses)
        found = target.probabilities(self._outputs(X))
        if target.stacked:
            found = [among_all_labels(p, own, target.label_set) for p, own in zip(found, target.classes, strict=True)]
        if task is None:
            return found if target.stacked or len(found) > 1 else found[0]
        if len(found) > 1 and not target.stacked:
            raise ValueError("predict_proba takes task for a model that was fitted with task; leave it out.")
        return self._of_task(np.stack(found, axis=1), task)

    def predict(self, X: Any, task: Any = None) -> NDArray:
        """Predict the most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        task : array-like of shape (n_samples,), or one task, default=None
            The task of each row, an entry of `tasks_`. None: predict all tasks for every row.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Labels of each row's task, or of all tasks. The shape is (n_samples,) with `task`, and for y of one column.
        """
        return self._of_task(self._all_tasks(X), task)

    def _all_tasks(self, X: Any) -> NDArray:
        target = self._fitted_target()
        assert isinstance(target, TaskClasses)
        codes = target.codes(self._outputs(X))
        kinds = {classes.dtype.kind for classes in target.classes}
        labels = [classes[numbers] for classes, numbers in zip(target.classes, codes.T, strict=True)]
        if len(kinds) > 1:  # strings beside numbers keep their types
            labels = [values.astype(object) for values in labels]
        return np.stack(labels, axis=1)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> float:
        """Return the accuracy, averaged over the tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test rows.

        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            True labels. Missing ones do not count, and tasks without a known label are left out.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        task : array-like of shape (n_samples,), default=None
            The task of each row, for stacked rows.

        Returns
        -------
        score : float
            Mean of the tasks' accuracies. :class:`sklearn.multioutput.MultiOutputClassifier` counts rows whose labels
            are all correct instead; with missing labels this is unknown.
        """
        predicted = self._all_tasks(X)
        Y = label_matrix(self._as_matrix(y, task, self._fitted_target().known_tasks))
        return self._mean_over_tasks(_accuracy, Y, predicted, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _accuracy(y: NDArray, predicted: NDArray, *, sample_weight: NDArray | None) -> float:
    return accuracy_score(y.tolist(), predicted.tolist(), sample_weight=sample_weight)  # NumPy's objects have no type
