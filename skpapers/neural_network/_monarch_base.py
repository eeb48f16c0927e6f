"""What the estimators with Monarch matrices share: phases, changes of form, and starts from dense networks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skpapers._fitting import Fitting
from skpapers._torch.fitted import Architecture, Arrays, FittedNetwork, History
from skpapers._torch.modules import layer_sizes
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.sam import sharpness_aware
from skpapers._torch.schedules import Schedule
from skpapers._torch.setup import Run, Setup
from skpapers._torch.steps import Gradient, backward, switched
from skpapers._torch.targets import Target
from skpapers._validation import Interval, StrOptions
from skpapers.neural_network._automatic import SAMSettings
from skpapers.neural_network._monarch_dense_estimators import read_dense
from skpapers.neural_network._monarch_network import (
    Form,
    MonarchMLP,
    converted,
    dense_form,
    layer_widths,
    monarch_form,
    n_matrix_parameters,
)
from skpapers.neural_network._monarch_phases import (
    DENSE_RATE,
    MonarchSettings,
    phases_of,
    schedule_of,
    steps_before,
)
from skpapers.neural_network._sam_base import SharpnessAware

# what a dense network that becomes an estimator decides
DECIDED = frozenset(
    ("hidden_layer_sizes", "activation", "numeric_embedding", "batch_norm", "n_ensemble", "scaling", "residual", "mode")
)


class MonarchEstimator(SharpnessAware):
    """A perceptron whose matrices are Monarch matrices for some or all of its training."""

    _parameter_constraints: ClassVar[dict] = {
        **SharpnessAware._parameter_constraints,
        "n_blocks": [StrOptions({"sqrt"}), Interval(Integral, 1, None, closed="left")],
        "rank": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "mode": [StrOptions({"end_to_end", "sparse_to_dense", "dense_to_sparse", "dense"})],
        "switch_at": [Interval(Real, 0, 1, closed="both")],
        "finetune": [Interval(Real, 0, None, closed="left")],
        "min_compression": [Interval(Real, 1, None, closed="left")],
        "residual": ["boolean"],
    }
    _parameter_names: ClassVar[dict[str, str]] = {
        **SharpnessAware._parameter_names,
        "form": "blocks",
    }

    n_blocks: int | str
    rank: int | str
    mode: str
    switch_at: float
    finetune: float
    min_compression: float
    residual: bool

    # The network and its phases -------------------------------------------------------------------------------------

    def _architecture(self, setup: Setup) -> Architecture:
        settings = setup.settings
        assert isinstance(settings, MonarchSettings)
        return {**super()._architecture(setup), "form": settings.phase.form, "residual": self.residual}

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> Any:
        return MonarchMLP(**architecture, dtype=dtype)

    def _form(self, sizes: tuple[int, ...]) -> Form:
        """Return the form with Monarch matrices that the parameters ask for."""
        rank = None if self.rank == "auto" else int(self.rank)
        return monarch_form(
            sizes, self.n_blocks, rank, self.min_compression if self.mode == "dense_to_sparse" else None
        )

    def _settings(self, n: int) -> SAMSettings:
        """Return the settings of all networks; the automatic rate is that of dense matrices, at `DENSE_RATE` of it."""
        settings = super()._settings(n)
        if self.learning_rate_init == "auto":
            return replace(settings, learning_rate=settings.learning_rate / DENSE_RATE)
        return settings

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        given: Given,
        *,
        one_of_many: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        """Return rows and setup; its settings have the phases."""
        setup, rows = super()._read(blank, before, target, given, one_of_many=one_of_many)
        hidden = layer_sizes(self.hidden_layer_sizes)
        n_outputs = setup.target.output_shape[0]
        sizes = layer_widths(setup.inputs.known_shape[0], hidden, n_outputs, self.numeric_embedding)
        # a model of another shape is an error of the floor, and has no form for these layers
        start = (
            None
            if before is None or len(before.architecture["form"]) != len(sizes) - 1
            else before.architecture["form"]
        )
        n_epochs = 1 if one_of_many else setup.settings.n_epochs
        mode = "end_to_end" if one_of_many and self.mode != "dense" else self.mode
        phases = phases_of(
            mode,
            n_epochs,
            monarch=self._form(sizes),
            dense=dense_form(sizes),
            switch_at=self.switch_at,
            finetune=self.finetune,
            start=start,
        )
        total = sum(phase.n_epochs for phase in phases)
        settings = MonarchSettings(**{**vars(setup.settings), "n_epochs": total}, phases=phases)
        return replace(setup, settings=settings), rows

    def _train(
        self,
        setup: Setup,
        rows: Rows[NDArray],
        held: Rows[NDArray] | None,
        seeds: NDArray[np.integer],
        numbers: Iterable[int],
        before: FittedNetwork | None,
        fitting: Fitting,
        *,
        one_of_many: bool = False,
        silent: bool = False,
    ) -> FittedNetwork:
        """Train phase after phase. If a callback ends one of them, the others change the form and train no more."""
        assert isinstance(setup.settings, MonarchSettings)
        left = iter(numbers)
        fitted = before
        history = None
        for i, phase in enumerate(setup.settings.phases):
            start = None if fitted is None else changed(fitted, phase.form)
            fitted = super()._train(
                replace(setup, settings=setup.settings.of_phase(phase)),
                rows,
                held,
                seeds + np.array([[0], [i]]),  # other orders and masks than in the phase before
                [] if fitting.stopped else islice(left, phase.n_epochs),
                start,
                fitting,
                one_of_many=one_of_many,
                silent=silent,
            )
            history = fitted.history if history is None else joined(history, fitted.history)
        assert fitted is not None
        assert history is not None
        return replace(fitted, setup=setup, history=history)

    def _schedule(self, run: Run) -> Schedule:
        settings = run.setup.settings
        assert isinstance(settings, MonarchSettings)
        return schedule_of(settings.phase, run.n_steps)

    def _gradient(self, run: Run) -> Gradient:
        settings = run.setup.settings
        assert isinstance(settings, MonarchSettings)
        if settings.sam_fraction in (0.0, 1.0) or run.n_steps is None:
            return super()._gradient(run)
        before = steps_before(settings.phase, run.n_steps)
        n_first = run.n_steps - round(settings.sam_fraction * run.n_steps) - before
        return switched(backward, sharpness_aware(self.rho, self.adaptive), n_first)

    # Sizes, and changes of form -------------------------------------------------------------------------------------

    @property
    def n_parameters_(self) -> int:
        """Number of learned parameters, those of all members."""
        check_is_fitted(self)
        network = self._network_of(self._fitted.architecture, self._fitted.weights)
        return sum(parameter.numel() for parameter in network.parameters())

    @property
    def compression_(self) -> float:
        """Parameters of the same network with dense matrices, divided by `n_parameters_`."""
        n = self.n_parameters_
        architecture = self._fitted.architecture
        sizes = sizes_of(architecture)
        dense = n_matrix_parameters(sizes, dense_form(sizes))
        saved = architecture["n_members"] * (dense - n_matrix_parameters(sizes, architecture["form"]))
        return (n + saved) / n

    def densify(self) -> Self:
        """Multiply the factors out: every matrix becomes dense, and the predictions stay.

        Returns
        -------
        self : object
            The estimator. A later `partial_fit` or warm start trains dense matrices; the moments of the optimiser
            restart.
        """
        check_is_fitted(self)
        self._fitted = changed(self._fitted, dense_form(sizes_of(self._fitted.architecture)))
        return self

    @classmethod
    def from_dense(cls, dense: Any, *, classes: Any = None, **params: Any) -> Self:
        """Return a fitted estimator whose matrices are the projections of those of a dense network.

        Parameters
        ----------
        dense : estimator or torch.nn.Module
            A fitted `MLPClassifier` or `MLPRegressor` of scikit-learn, a fitted `SAMMLPClassifier` or
            `SAMMLPRegressor`, or a `torch.nn.Sequential` of linear layers with one kind of activation between them.

        classes : array-like of shape (n_classes,), default=None
            The labels of the outputs of a `torch.nn.Module`, in their order; None for integers from 0. One output is
            the log-odds of the second of two classes.

        **params : dict
            Parameters of the estimator that the network does not decide, such as `n_blocks`, `rank`, `min_compression`
            or `finetune`.

        Returns
        -------
        model : object
            An estimator with `mode="dense_to_sparse"`, `residual=False` and `warm_start=True`: `predict` works at once,
            and `fit` fine-tunes it for the share `finetune` of `max_iter` epochs.

        Raises
        ------
        ValueError
            If the network is not fitted or of another kind, if it predicts something else than this estimator, or if a
            parameter is given that the network decides.
        """
        found = read_dense(dense, issubclass(cls, ClassifierMixin), classes)
        if fixed := sorted(DECIDED & params.keys()):
            raise ValueError(f"{', '.join(fixed)}: the dense network decides what this is.")
        model = cls(**{**found.params, "mode": "dense_to_sparse", "residual": False, "warm_start": True, **params})
        model._validate_params()
        sizes = sizes_of(found.fitted.architecture)
        fitted = changed(found.fitted, model._form(sizes))
        for name, value in {**found.validated, **fitted.attributes()}.items():
            setattr(model, name, value)
        return model


def sizes_of(architecture: Architecture) -> tuple[int, ...]:
    """Return the widths between the layers of a network."""
    names = ("n_inputs", "hidden_layer_sizes", "n_outputs", "numeric_embedding")
    return layer_widths(*(architecture[name] for name in names))


def changed(fitted: FittedNetwork, form: Form) -> FittedNetwork:
    """Return a model in another form; the moments of the optimiser are dropped, since they belong to other weights."""
    old = fitted.architecture["form"]
    if old == form or len(old) != len(form):
        return fitted
    weights: Arrays = converted(fitted.weights, sizes_of(fitted.architecture), old, form)
    training = {name: value for name, value in fitted.training.items() if not name.startswith("optimizer.")}
    return replace(fitted, architecture={**fitted.architecture, "form": form}, weights=weights, training=training)


def joined(first: History, then: History) -> History:
    """Return the history of two phases; the best epoch is that of the last phase that had one."""
    scores = None if first.scores is None else first.scores + (then.scores or ())
    history = replace(first, losses=first.losses + then.losses, scores=scores)
    if not then.best_epoch:  # none, or the phase had no epoch
        return history
    return replace(history, best_score=then.best_score, best_epoch=len(first.losses) + then.best_epoch)
