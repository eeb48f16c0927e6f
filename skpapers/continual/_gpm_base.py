"""What the estimators with a gradient projection memory share: one task after another, and the memory between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skpapers._fitting import Fitting
from skpapers._torch.chunks import to_tensor
from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.image_rows import ImageRows, checked_shape, checked_strides
from skpapers._torch.inputs import Columns, Inputs
from skpapers._torch.modules import ACTIVATIONS, layer_sizes
from skpapers._torch.network_base import draw_seeds
from skpapers._torch.reading import Given, rows_to_train_on
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Run, Setup, fit_statistics
from skpapers._torch.state import choose_device, own_modes, to_arrays
from skpapers._torch.steps import Update, apply_step
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._torch.targets import Classes, Target
from skpapers._validation import Interval, StrOptions, fit_context
from skpapers._warnings import warn_user
from skpapers.continual._gpm_network import GPMNetwork
from skpapers.continual._gradient_projection_memory import (
    extend_basis,
    layer_thresholds,
    memory_usage,
    projected,
    representation_matrix,
)
from skpapers.continual._learned_tasks import ContinualSetup, LearnedTasks, new_id, numbered, read_ids

FULL = 0.95  # of a layer's directions: what is left is too little to learn with
VISIT_SEEDS = 3  # of the weights, the orders and the sample


class GPMEstimator(SupervisedNetwork):
    """A network that learns tasks one after another, each to its end, by steps that leave the earlier ones alone."""

    # requested by default: with routing there is no need to call set_fit_request and the like
    __metadata_request__fit: ClassVar[dict] = {"task": True}
    __metadata_request__partial_fit: ClassVar[dict] = {"task": True}
    __metadata_request__predict: ClassVar[dict] = {"task": True}
    __metadata_request__score: ClassVar[dict] = {"task": True}

    _parameter_constraints: ClassVar[dict] = {
        **SupervisedNetwork._parameter_constraints,
        **SupervisedNetwork._optimizer_constraints,
        **SupervisedNetwork._scaling_constraints,
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "threshold": ["array-like", Interval(Real, 0, 1, closed="both")],
        "threshold_increment": [Interval(Real, 0, 1, closed="both")],
        "n_representation_samples": [Interval(Integral, 1, None, closed="left")],
        "heads": [StrOptions({"single", "multi"})],
        "hidden_channels": ["array-like", Interval(Integral, 1, None, closed="left")],
        "image_shape": ["array-like", None],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "strides": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
    }
    _parameter_names: ClassVar[dict[str, str]] = {"row_shape": "image_shape"}

    hidden_layer_sizes: ArrayLike
    threshold: ArrayLike
    threshold_increment: float
    n_representation_samples: int
    heads: str
    hidden_channels: ArrayLike
    image_shape: ArrayLike | None
    kernel_size: int
    strides: ArrayLike
    activation: str

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _score_of(self, target: Target, outputs: NDArray, rows: Rows[NDArray]) -> float:
        """Return what `score` returns, for outputs of training rows."""
        raise NotImplementedError

    def _inputs(self) -> Inputs:
        if self._channels():
            return ImageRows(checked_shape(self.image_shape))
        if self.image_shape is not None:
            raise ValueError("image_shape is for convolutions, and hidden_channels is empty.")
        return Columns()

    def _channels(self) -> tuple[int, ...]:
        given = np.ravel(np.asarray(self.hidden_channels, dtype=object)).tolist()
        if not all(isinstance(size, Integral) and int(size) >= 1 for size in given):
            raise ValueError(f"hidden_channels must hold integers from 1, got {self.hidden_channels!r}.")
        return tuple(int(size) for size in given)

    def _layer_options(self) -> dict[str, Any]:
        """Return the parameters of the network that a fitted one keeps."""
        channels = self._channels()
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} is even and has no centre; use an odd one.")
        return {
            "hidden_channels": channels,
            "strides": checked_strides(self.strides, len(channels)),
            "kernel_size": int(self.kernel_size),
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes),
            "activation": self.activation,
        }

    def _architecture(self, setup: Setup) -> Architecture:
        assert isinstance(setup, ContinualSetup)
        return {
            "row_shape": setup.inputs.known_shape,
            "n_outputs": setup.target.output_shape[0],
            **self._layer_options(),
            "shared_head": not setup.tasks.own_heads,
            **setup.tasks.head_of(setup.tasks.current),
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> GPMNetwork:
        return GPMNetwork(**architecture, dtype=dtype)

    def _update(self, run: Run) -> Update:
        assert isinstance(run.setup, ContinualSetup)
        bases = run.setup.tasks.protecting()
        if not any(M.size for M in bases):
            return apply_step
        device = choose_device(self.device)
        return projected([torch.tensor(M, dtype=self._torch_dtype(), device=device) for M in bases])

    def _start(self, architecture: Architecture, seeds: Iterable[int], before: FittedNetwork | None) -> GPMNetwork:
        """Return the network with the weights of a fitted one, if there is one; a new head has new weights."""
        if before is not None:
            chosen = {name: architecture[name] for name in ("n_heads", "head", "absent")}
            known = {**before.architecture, **chosen}
            weights = before.weights
            if architecture["n_heads"] > before.architecture["n_heads"]:
                weights = to_arrays(self._new_network(known, seeds)) | weights
            before = replace(before, architecture=known, weights=weights)
        network = super()._start(architecture, seeds, before)
        assert isinstance(network, GPMNetwork)
        return network

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, task: Any = None) -> Any:
        """Learn the tasks in ascending order of their ids, each to its end.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, dense, without missing values; for convolutions also images (n_samples, C, H, W) or series
            (n_samples, C, L).

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or targets; several outputs for regression only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out.

        task : array-like of shape (n_samples,), default=None
            Id of each row's task: a number, a string or a date. None: all rows are one task.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite, if weights are negative or all 0, if there are fewer than two classes,
            or if `task` has a missing id or not one for each row.
        """
        return self._learn(Given(X, y, sample_weight), self._target(), task, goes_on=False)

    def _learn(self, given: Given, target: Target, task: Any, *, goes_on: bool) -> Any:
        """Visit the tasks of some rows in ascending order of their ids, each until its end."""
        self._checked_thresholds()
        before = self._model_to_continue() if goes_on else None
        fitting = Fitting(self, resume=before is not None)
        setup, rows = self._read(fitting.blank, before, target, given)
        tasks = self._tasks_before(before)
        given_ids = np.repeat(new_id(tasks.ids), len(rows)) if task is None else read_ids(task, len(rows))
        rows = replace(rows, extra={"task": given_ids})
        rows = rows.with_weight() if goes_on else rows_to_train_on(rows, setup.target, early_stopping=False)
        ids, numbers = numbered(rows.extra["task"], tasks.ids)
        visits = np.unique(numbers)
        n_before = len(tasks.scores)
        seeds = draw_seeds(check_random_state(self.random_state), n_before + len(visits), VISIT_SEEDS)[n_before:]
        fitting.begin(given.X, given.y, len(visits) * setup.settings.n_epochs)
        seen: dict[int, Rows[NDArray]] = {}
        for number, of_visit in zip(visits.tolist(), seeds, strict=True):
            of_task = rows.where(numbers == number)
            before, seen[number] = self._visit(setup, of_task, number, ids, of_visit, before, fitting)
            before = self._remember(before, seen, of_visit[2])
            if fitting.stopped:
                break
        assert before is not None
        if goes_on or task is not None:
            self._warn_if_full(before)
        return fitting.publish(self._attributes(before))

    def _model_to_continue(self) -> FittedNetwork | None:
        """Return the fitted model, if there is one. Under other settings its weights and its memory mean nothing."""
        before: FittedNetwork | None = getattr(self, "_fitted", None)
        if before is None:
            return None
        shape = checked_shape(self.image_shape)
        options = self._layer_options()
        given = {"heads": self.heads, "scaling": self.scaling, "image_shape": shape, **options}
        known = {
            "heads": "multi" if _setup(before).tasks.own_heads else "single",
            "scaling": before.setup.scaling.kind,
            "image_shape": None if shape is None else before.setup.inputs.known_shape,
            **{name: before.architecture[name] for name in options},
        }
        changed = [f"{name}={given[name]!r}, not {known[name]!r}" for name in given if given[name] != known[name]]
        if changed:
            raise ValueError(
                f"The fitted network has other settings ({'; '.join(changed)}): set them back, or call fit."
            )
        return before

    def _visit(
        self,
        setup: Setup,
        rows: Rows[NDArray],
        number: int,
        ids: NDArray,
        seeds: NDArray[np.integer],
        before: FittedNetwork | None,
        fitting: Fitting,
    ) -> tuple[FittedNetwork, Rows[NDArray]]:
        """Train on one task, and return the model and the rows with weights of mean 1."""
        rows = replace(rows, extra={})
        present = np.zeros(0, dtype=bool)
        if isinstance(setup.target, Classes):
            present = np.isin(np.arange(len(setup.target.known)), rows.y)
        tasks = self._tasks_before(before).visiting(number, ids, present)
        if before is not None:  # the scaling is that of the first task: another one would change what is learned
            target = setup.target.continued(before.setup.target)
            setup = replace(setup, inputs=before.setup.inputs, scaling=before.setup.scaling, target=target)
        whole = ContinualSetup(setup.inputs, setup.target, setup.scaling, setup.mean_weight, setup.settings, tasks)
        fitted_setup, rows = fit_statistics(whole, rows)
        done = () if before is None else before.history.losses
        numbers = range(len(done) + 1, len(done) + setup.settings.n_epochs + 1)
        fitted = self._train(fitted_setup, rows, None, seeds[:2, np.newaxis], numbers, before, fitting)
        return replace(fitted, history=replace(fitted.history, losses=done + fitted.history.losses)), rows

    def _tasks_before(self, before: FittedNetwork | None) -> LearnedTasks:
        """Return the tasks that a fitted model has learned."""
        if before is None:
            return LearnedTasks(np.zeros(0), self.heads == "multi", np.zeros((0, 0), dtype=bool))
        return _setup(before).tasks

    def _checked_thresholds(self) -> None:
        given = np.atleast_1d(np.asarray(self.threshold, dtype=np.float64))
        if given.ndim != 1 or not len(given) or not np.all((given >= 0) & (given <= 1)):
            raise ValueError(f"threshold must be a number from 0 to 1, or one for each layer; got {self.threshold!r}.")

    @own_modes()
    def _remember(self, fitted: FittedNetwork, seen: dict[int, Rows[NDArray]], seed: int) -> FittedNetwork:
        """Return the model after a task, with the memory and the scores that follow from its rows."""
        setup = _setup(fitted)
        tasks = setup.tasks
        network = self._network_of(fitted.architecture, fitted.weights).eval()
        assert isinstance(network, GPMNetwork)
        bases = tasks.bases or tuple(np.zeros((len(W), 0)) for W in network.protected())
        thresholds = layer_thresholds(self.threshold, self.threshold_increment, len(bases), tasks.current)
        if any(thresholds):
            rows = _sample(seen[tasks.current], self.n_representation_samples, seed)
            with torch.no_grad():
                inputs = setup.predictor(network).inputs(to_tensor(rows.X))
                found = [values.numpy() for values in network.representations(inputs)]
            matrices = [representation_matrix(values, rows.weight) for values in found]
            bases = tuple(map(extend_basis, bases, matrices, thresholds))
        scores = np.full(len(tasks.ids), np.nan)
        for number, rows in seen.items():
            scores[number] = self._score_of(setup.target, self._outputs_of(_for_task(fitted, number), rows.X), rows)
        return replace(fitted, setup=replace(setup, tasks=tasks.remembering(bases, scores)))

    def _warn_if_full(self, fitted: FittedNetwork) -> None:
        usage = memory_usage(_setup(fitted).tasks.bases)
        full = [f"layer {i + 1} ({share:.0%})" for i, share in enumerate(usage) if share > FULL]
        if full:
            warn_user(
                f"The memory is nearly full in {', '.join(full)}: later tasks can hardly change these layers. Use a "
                "lower threshold or wider layers."
            )

    def _attributes(self, fitted: FittedNetwork) -> dict[str, Any]:
        """Return the attributes of the fitted estimator."""
        tasks = _setup(fitted).tasks
        of_target = {name: v for name, v in fitted.setup.target.attributes().items() if name != "temperature_"}
        return {
            **of_target,
            "loss_curve_": list(fitted.history.losses),
            "loss_": fitted.history.losses[-1],
            "n_iter_": len(fitted.history.losses),
            "tasks_": tasks.ids,
            "memory_": list(tasks.bases),
            "memory_usage_": memory_usage(tasks.bases),
            "task_scores_": tasks.scores,
            "_fitted": fitted,
        }

    # Prediction -----------------------------------------------------------------------------------------------------

    def _task_outputs(self, X: Any, task: Any) -> NDArray:
        """Return the outputs of each row by the head of its task."""
        check_is_fitted(self)
        X = self._flat_rows(self._fitted.setup.inputs, X)
        numbers = _setup(self._fitted).tasks.numbers_of(task, len(X))
        parts = {n: self._outputs_of(_for_task(self._fitted, n), X[numbers == n]) for n in np.unique(numbers).tolist()}
        first = next(iter(parts.values()))
        outputs = np.empty((len(X), *first.shape[1:]))
        for number, part in parts.items():
            outputs[numbers == number] = part
        return outputs


def _setup(fitted: FittedNetwork) -> ContinualSetup:
    assert isinstance(fitted.setup, ContinualSetup)
    return fitted.setup


def _for_task(fitted: FittedNetwork, number: int) -> FittedNetwork:
    """Return the model with the head of a task."""
    return replace(fitted, architecture={**fitted.architecture, **_setup(fitted).tasks.head_of(number)})


def _sample(rows: Rows[NDArray], n: int, seed: int) -> Rows[NDArray]:
    """Return n random rows, or all if there are no more."""
    if len(rows) <= n:
        return rows
    return rows.take(np.random.RandomState(seed).choice(len(rows), n, replace=False))
