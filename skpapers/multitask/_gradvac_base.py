"""What both estimators trained by Gradient Vaccine share: parameters, tasks of rows, the step, the similarities."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from torch import Tensor, nn

from skpapers._labels import missing_labels
from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.mlp_base import MLPEstimator
from skpapers._torch.modules import MLP, layer_sizes
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Run, Setup
from skpapers._torch.steps import Batch, Gradient, Objective, backward
from skpapers._torch.targets import Target
from skpapers._validation import Interval, StrOptions, check_sample_weight, fit_context
from skpapers.multitask._task_gradients import (
    GRANULARITIES,
    group_sizes,
    mean_similarities,
    shared_parameters,
    vaccinated,
)
from skpapers.multitask._task_rows import check_column_names, column_names, read_tasks, stacked_labels
from skpapers.multitask._task_targets import TaskTarget


class GradVacEstimator(MLPEstimator):
    """A perceptron whose last layer has outputs for several tasks."""

    __metadata_request__fit: ClassVar[dict] = {"task": True}
    __metadata_request__partial_fit: ClassVar[dict] = {"task": True}
    __metadata_request__predict: ClassVar[dict] = {"task": True}
    __metadata_request__score: ClassVar[dict] = {"task": True}

    _parameter_constraints: ClassVar[dict] = {
        **MLPEstimator._parameter_constraints,
        **MLPEstimator._optimizer_constraints,
        **MLPEstimator._stopping_constraints,
        **MLPEstimator._scaling_constraints,
        **{name: MLPEstimator._network_constraints[name] for name in ("hidden_layer_sizes", "activation")},
        **{name: MLPEstimator._network_constraints[name] for name in ("numeric_embedding", "dropout")},
        "warm_start": ["boolean"],
        "method": [StrOptions({"gradvac", "pcgrad", "sum"})],
        "beta": [Interval(Real, 0, 1, closed="both")],
        "granularity": [StrOptions(set(GRANULARITIES))],
        "task_weights": ["array-like", None],
    }
    batch_norm: bool = False
    _matrix_dtype: ClassVar[type]  # of stacked labels as a matrix

    method: str
    beta: float
    granularity: str
    task_weights: ArrayLike | None

    @property
    def target_similarity_(self) -> NDArray[np.float64] | None:
        """Targets of the cosines after training."""
        found = self._fitted.training.get("memory.target_similarity")
        if found is not None and len(found) == 1 and self.granularity == "whole":
            return found[0]
        return found

    @property
    def similarity_history_(self) -> NDArray[np.float64] | None:
        """Mean cosines of the tasks' gradients in each epoch."""
        training = self._fitted.training
        if "memory.similarity_sum" not in training:
            return None
        return mean_similarities(training["memory.similarity_sum"], training["memory.similarity_count"])

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        task: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        task_val: Any = None,
    ) -> Any:
        """Train the network on all tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, dense and without missing values.

        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            Labels or targets. With several columns an entry may be missing (NaN, None or NA): the row then does not
            train this task. With `task` one label for each row.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0, and rows without any label, are left out.

        task : array-like of shape (n_samples,), default=None
            The task of each row, numbers or strings, for stacked rows.

        X_val, y_val, task_val : array-like, default=None
            Rows for `early_stopping`, instead of some of the training rows.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite, if a task has no label, if weights are negative or all 0, or if
            validation rows are given without `early_stopping`.
        """
        before = self._model_to_continue() if self.warm_start else None
        y, target = self._labels_of_tasks(y, task, before)
        if y_val is not None:
            y_val = self._as_matrix(y_val, task_val, target.tasks)
        return self._fit(Given(X, y, sample_weight), X_val, y_val, target)

    def _labels_of_tasks(
        self, y: Any, task: Any, before: FittedNetwork | None, tasks: ArrayLike | None = None
    ) -> tuple[Any, TaskTarget]:
        """Return the labels with a column for each task, and the target that knows the tasks.

        `tasks` are all that will ever come; None: those of the model before, or of these rows.
        """
        target = self._target()
        assert isinstance(target, TaskTarget)
        if tasks is not None and task is None:
            raise ValueError("tasks is for stacked rows, which come with task; the columns of y are the tasks.")
        known = None if tasks is None else np.unique(np.asarray(tasks))
        if before is not None:
            assert isinstance(before.setup.target, TaskTarget)
            if known is not None and not np.array_equal(known, before.setup.target.known_tasks):
                raise ValueError(f"tasks={tasks!r} are not those of the first call.")
            known = before.setup.target.known_tasks
        if task is None:
            check_column_names(y, known)
            return y, replace(target, tasks=column_names(y) if known is None else known)
        known, matrix = self._stacked(y, task, known)
        return matrix, replace(target, tasks=known, stacked=True)

    def _as_matrix(self, y: Any, task: Any, tasks: NDArray | None) -> Any:
        """Return labels with a column for each task: stacked ones are spread over the columns."""
        if task is not None:
            return self._stacked(y, task, tasks)[1]
        self._check_given(y)
        check_column_names(y, tasks)
        return y

    def _stacked(self, y: Any, task: Any, tasks: NDArray | None) -> tuple[NDArray, NDArray]:
        """Return the tasks, and stacked labels with a column for each of them."""
        self._check_given(y)
        tasks, numbers = read_tasks(task, len(y), tasks)
        return tasks, stacked_labels(y, numbers, len(tasks), self._matrix_dtype)

    def _check_given(self, y: Any) -> None:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")

    def _checked_task_weights(self) -> tuple[float, ...] | None:
        if self.task_weights is None:
            return None
        weights = np.asarray(self.task_weights, dtype=np.float64)
        if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                f"task_weights must hold a finite number from 0 for each task, not all 0; got {self.task_weights!r}."
            )
        return tuple((weights / weights.max()).tolist())

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        given: Given,
        *,
        one_of_many: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        setup, rows = super()._read(blank, before, target, given, one_of_many=one_of_many)
        assert isinstance(setup.target, TaskTarget)
        setup.target.check_missing(rows.y, all_tasks=not one_of_many)
        if not one_of_many:  # rows without any label must not be those that early stopping holds back
            rows = rows.where(~np.isnan(rows.y).all(axis=1))
        return setup, rows

    def _read_validation(self, blank: BaseEstimator, setup: Setup, X_val: Any, y_val: Any) -> Rows[NDArray] | None:
        held = super()._read_validation(blank, setup, X_val, y_val)
        if held is not None:
            self._check_held(held, setup.target)
        return held

    def _check_held(self, held: Rows[NDArray], target: Target) -> None:
        assert isinstance(target, TaskTarget)
        target.check_held(held)

    def _partial_fit(self, given: Given, target: Target) -> Any:
        before = self._model_to_continue()
        targets = None if before is None else before.training.get("memory.target_similarity")
        if before is not None and targets is not None and self.method != "sum":
            network = self._build(before.architecture, torch.float32)
            if len(targets) != len(group_sizes(shared_parameters(network), self.granularity)):
                raise ValueError(
                    f"granularity={self.granularity!r} is not that of the earlier calls, whose targets of the "
                    "similarities belong to other groups of parameters: set it back, or fit anew."
                )
        return super()._partial_fit(given, target)

    def _train(
        self, setup: Setup, rows: Rows[NDArray], *args: Any, one_of_many: bool = False, **kwargs: Any
    ) -> FittedNetwork:
        assert isinstance(setup.target, TaskTarget)
        # anew: labels of rows of weight 0, and of those held back, do not train
        setup.target.check_missing(rows.y, all_tasks=not one_of_many)
        return super()._train(setup, rows, *args, one_of_many=one_of_many, **kwargs)

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _architecture(self, setup: Setup) -> Architecture:
        return {
            "n_inputs": setup.inputs.known_shape[0],
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes, fewest=1),
            "n_outputs": setup.target.output_shape[0],
            "activation": self.activation,
            "dropout": self.dropout,
            "numeric_embedding": self.numeric_embedding,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> MLP:
        return MLP(**architecture, dtype=dtype)

    def _tensors(self, setup: Setup, rows: Rows[NDArray]) -> Rows[Tensor]:
        tensors = super()._tensors(setup, rows)
        assert isinstance(setup.target, TaskTarget)
        weights = torch.from_numpy(setup.target.label_weights(rows.y, rows.weight)).to(tensors.X)
        return Rows(tensors.X, tensors.y, None, {"label_weight": weights})

    def _objective(self, run: Run) -> Objective:
        assert isinstance(run.setup.target, TaskTarget)
        of_labels = run.setup.target.task_losses()

        def objective(network: nn.Module, batch: Batch) -> Tensor:
            return (of_labels(network(batch.X), batch.y) * batch.extra["label_weight"]).mean(dim=0)

        return objective

    def _gradient(self, run: Run) -> Gradient:
        target = run.setup.target
        assert isinstance(target, TaskTarget)
        if self.method == "sum" or len(target.widths) == 1:
            return backward
        return vaccinated(
            target.columns,
            granularity=self.granularity,
            beta=0.0 if self.method == "pcgrad" else self.beta,
            steps_per_epoch=None if run.n_steps is None else run.n_steps // run.setup.settings.n_epochs,
            memory=run.memory,
        )

    # Prediction -----------------------------------------------------------------------------------------------------

    def _fitted_target(self) -> TaskTarget:
        check_is_fitted(self)
        target = self._fitted.setup.target
        assert isinstance(target, TaskTarget)
        return target

    def _of_task(self, predictions: NDArray, task: Any) -> NDArray:
        """Return the prediction for each row's own task out of those for all tasks, or without `task` all of them."""
        target = self._fitted_target()
        if task is not None:
            _, numbers = read_tasks(task, len(predictions), target.known_tasks)
            return predictions[np.arange(len(predictions)), numbers]
        single = predictions.shape[1] == 1 and not target.stacked
        return predictions[:, 0] if single else predictions

    def _mean_over_tasks(self, metric: Any, Y: NDArray, predicted: NDArray, sample_weight: Any) -> float:
        """Return the mean over the tasks of a metric on the known labels."""
        check_consistent_length(predicted, Y)
        if Y.shape != predicted.shape:
            raise ValueError(
                f"y has {Y.shape[1]} columns, and the model has {predicted.shape[1]} tasks; stacked rows need task."
            )
        weight = check_sample_weight(sample_weight, predicted)
        counts = ~missing_labels(Y)
        if weight is not None:
            counts &= weight[:, np.newaxis] > 0
        if not counts.any():
            raise ValueError("y has no label to score, or none with a weight above 0.")
        scores = [
            metric(known[seen], found[seen], sample_weight=None if weight is None else weight[seen])
            for known, found, seen in zip(Y.T, predicted.T, counts.T, strict=True)
            if seen.any()
        ]
        return float(np.mean(scores))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
