"""Networks that are trained on rows with targets: `fit`, `partial_fit`, early stopping, warm starts, predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skpapers._fitting import Fitting
from skpapers._torch.chunks import chunk_length, network_inputs, outputs_in_chunks
from skpapers._torch.fitted import Architecture, FittedNetwork, History
from skpapers._torch.mixup import mixed
from skpapers._torch.network_base import NetworkEstimator, draw_seeds
from skpapers._torch.networks import check_network
from skpapers._torch.predictor import Predictor
from skpapers._torch.reading import Given, read_rows, rows_to_train_on
from skpapers._torch.rows import Rows
from skpapers._torch.running import MeanWeight, mean_weight
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.schedules import Schedule, constant, cosine
from skpapers._torch.settings import Settings
from skpapers._torch.setup import Run, Setup, fit_statistics, update_statistics
from skpapers._torch.state import load_arrays, own_modes, own_precision, to_arrays
from skpapers._torch.steps import Gradient, Objective, Update, apply_step, backward, supervised
from skpapers._torch.stopping import EarlyStopping, hold_out
from skpapers._torch.targets import Target
from skpapers._torch.training import Trainer, batch_starts
from skpapers._validation import Interval, StrOptions, fit_context


class SupervisedNetwork(NetworkEstimator):
    """What classifiers and regressors share.

    A method overrides `_objective`, `_gradient`, `_update` or `_schedule` for another step, `_build` for another
    network, `_inputs` for other rows. A `fit` of its own that takes more for each row gives it to `_fit` as `extra`.
    """

    _stopping_constraints: ClassVar[dict] = {
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_split": [StrOptions({"last", "random"})],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    early_stopping: bool = False
    validation_fraction: float = 0.1
    validation_split: str = "last"
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    n_ensemble: int = 1
    mixup_alpha: float = 0.0

    _parameter_names: ClassVar[dict[str, str]] = {}  # of arguments of `_build` that have another name there
    _fitted: FittedNetwork

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _target(self) -> Target:
        """Return what is predicted, with the options that the parameters set."""
        raise NotImplementedError

    def _architecture(self, setup: Setup) -> Architecture:
        """Return the arguments of `_build`. A fitted model keeps them, since its parameters may change."""
        return {"row_shape": setup.inputs.known_shape, "output_shape": setup.target.output_shape}

    def _settings(self, n: int) -> Settings:
        """Return the settings for a training of n rows."""
        return Settings(int(self.batch_size), float(self.learning_rate_init), int(self.max_iter))

    def _objective(self, run: Run) -> Objective:
        return mixed(supervised(run.setup.target.loss()), self.mixup_alpha)

    def _gradient(self, run: Run) -> Gradient:
        return backward

    def _update(self, run: Run) -> Update:
        return apply_step

    def _schedule(self, run: Run) -> Schedule:
        """Return the schedule of the learning rate; the calls of `partial_fit` keep it."""
        return constant if run.n_steps is None else cosine(run.n_steps)

    def _check_held(self, held: Rows[NDArray], target: Target) -> None:
        """Warn if the rows held back cannot judge the epochs."""

    def _calibrated(
        self,
        fitted: FittedNetwork,
        rows: Rows[NDArray],
        held: Rows[NDArray] | None,
        seeds: NDArray[np.integer],
        rng: np.random.RandomState,
    ) -> FittedNetwork:
        """Return the model with what is fitted on rows that a network has not seen."""
        return fitted

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Any:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, dense. NaN is an error, unless a parameter of the estimator allows missing values.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or targets; several outputs for regression only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out.

        X_val, y_val : array-like, default=None
            Rows for `early_stopping`, instead of some of the training rows.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite, if the rows left for training lack a class, if weights are negative or
            all 0, or if validation rows are given without `early_stopping`.
        """
        return self._fit(Given(X, y, sample_weight), X_val, y_val)

    def _fit(self, given: Given, X_val: Any = None, y_val: Any = None, target: Target | None = None) -> Any:
        """Train; `target` has what a method knows of y before it is read."""
        before = self._model_to_continue() if self.warm_start else None
        fitting = Fitting(self, resume=before is not None)
        setup, rows = self._read(fitting.blank, before, target or self._target(), given)
        held = self._read_validation(fitting.blank, setup, X_val, y_val)
        rng = check_random_state(self.random_state)
        seeds = draw_seeds(rng, 2, self.n_ensemble)
        fitting.begin(given.X, given.y, setup.settings.n_epochs)
        holds_out = self.early_stopping and held is None
        if holds_out:
            rows, held = hold_out(rows, self.validation_fraction, self._order(len(rows), rng))
        rows = rows_to_train_on(rows, setup.target, self.early_stopping)
        if holds_out and held is not None:
            self._check_held(held, setup.target)
        setup, rows = fit_statistics(setup, rows)
        numbers = range(1, setup.settings.n_epochs + 1)
        fitted = self._train(setup, rows, held, seeds, numbers, before, fitting)
        if before is None:
            fitted = self._calibrated(fitted, rows, held, seeds, rng)
        return fitting.publish(fitted.attributes())

    def _partial_fit(self, given: Given, target: Target) -> Any:
        """Visit the rows once; `target` has what the first call has to know."""
        if self.early_stopping:
            raise ValueError("partial_fit sees no validation rows: early_stopping=True is for fit.")
        before = self._model_to_continue()
        fitting = Fitting(self, resume=before is not None)
        setup, rows = self._read(fitting.blank, before, target, given, one_of_many=True)
        weight = setup.target.weigh(rows.y, rows.weight, allow_all_zero=before is not None)
        if weight is not None and not weight.any():
            return self
        seeds = draw_seeds(check_random_state(self.random_state), 2, self.n_ensemble)
        setup, rows = update_statistics(setup, replace(rows, weight=weight).with_weight())
        number = 1 if before is None else 1 + len(before.history.losses)
        fitted = self._train(setup, rows, None, seeds, [number], before, fitting, one_of_many=True)
        return fitting.publish(fitted.attributes())

    def _model_to_continue(self) -> FittedNetwork | None:
        """Return the fitted model, if there is one. Under another scaling its weights would mean nothing."""
        before: FittedNetwork | None = getattr(self, "_fitted", None)
        if before is not None and self.scaling != before.setup.scaling.kind:
            raise ValueError(
                f"The network was fitted with scaling={before.setup.scaling.kind!r} and cannot continue with "
                f"{self.scaling!r}: set it back, or fit anew with warm_start=False."
            )
        return before

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        given: Given,
        *,
        one_of_many: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        """Return validated rows, and the setup without the statistics of these rows."""
        inputs = self._inputs()
        scaling = Scaling(self.scaling)
        mean = MeanWeight()
        if before is not None:
            inputs = before.setup.inputs
            target = target.continued(before.setup.target)
            scaling = before.setup.scaling
            mean = before.setup.mean_weight
        reset = before is None
        allow_all_zero = one_of_many and not reset
        inputs, target, rows = read_rows(blank, inputs, target, given, reset=reset, allow_all_zero=allow_all_zero)
        n = len(rows) if rows.weight is None else int(np.count_nonzero(rows.weight))
        return Setup(inputs, target, scaling, mean, self._settings(1 if one_of_many else n)), rows

    def _read_validation(self, blank: BaseEstimator, setup: Setup, X_val: Any, y_val: Any) -> Rows[NDArray] | None:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: only one of them was given.")
        if X_val is None:
            return None
        if not self.early_stopping:
            raise ValueError("X_val and y_val are for early_stopping=True; it is False.")
        return read_rows(blank, setup.inputs, setup.target, Given(X_val, y_val), reset=False)[2]

    def _order(self, n: int, rng: np.random.RandomState) -> NDArray[np.integer]:
        """Return the order of rows whose last ones are held back."""
        return np.arange(n) if self.validation_split == "last" else rng.permutation(n)

    # Training -------------------------------------------------------------------------------------------------------

    @own_precision()
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
        """Train for the epochs of these numbers, from new weights or from those of a fitted model.

        One of many calls of `partial_fit` has no schedule; optimiser, generators and history continue.
        """
        tensors = self._tensors(setup, rows)
        architecture = self._architecture(setup)
        network = self._start(architecture, seeds[0], before).to(tensors.X.device)
        trainer = self._make_trainer(network, setup, seeds[1], len(rows), one_of_many)
        history = History()
        if one_of_many and before is not None:
            trainer.load_state(before.training)
            history = replace(history, losses=before.history.losses)
        stopper = None if held is None else EarlyStopping(network, self.n_iter_no_change, self.tol)
        X_held = None if held is None else self._input_tensor(setup, held.X)

        def fitted() -> FittedNetwork:
            return FittedNetwork(setup, architecture, to_arrays(network), trainer.state(), history.judged_by(stopper))

        for number in numbers:
            with fitting.step("epoch", number, silent=silent) as step:
                try:
                    loss = trainer.run_epoch(tensors).mean().item()
                except FloatingPointError:
                    self._raise_diverged(f"epoch {number}", setup.settings.learning_rate)
                score = None
                if held is not None and X_held is not None:
                    score = setup.target.score(_current_outputs(network, setup, X_held), held)
                history = history.after(loss, score)
                stops = stopper is not None and score is not None and stopper.update(score)
                step.figures = history.figures()
                step.fitted = lambda: fitting.validated | fitted().attributes()
            if stops or step.stopped:
                break
        if stopper is not None:
            stopper.restore()
        return fitted()

    @own_modes()
    def _start(self, architecture: Architecture, seeds: Iterable[int], before: FittedNetwork | None) -> nn.Module:
        """Return the network with the weights of a fitted model, or with new ones."""
        if before is None:
            return self._new_network(architecture, seeds)
        network = check_network(self._build(architecture, self._torch_dtype()))
        try:
            load_arrays(network, before.weights)
        except RuntimeError:
            changed = [
                f"{self._parameter_names.get(name, name)}={value!r}, not {before.architecture[name]!r}"
                for name, value in architecture.items()
                if value != before.architecture[name]
            ]
            raise ValueError(
                f"The network has another shape than the fitted one ({'; '.join(changed)}): set it back, or fit "
                "anew with warm_start=False."
            ) from None
        return network

    def _make_trainer(
        self, network: nn.Module, setup: Setup, seeds: Iterable[int], n: int, one_of_many: bool
    ) -> Trainer:
        settings = setup.settings
        batch_size = min(settings.batch_size, n)
        n_steps = settings.n_epochs * (len(batch_starts(n, batch_size)) - 1)
        run = Run(setup, None if one_of_many else n_steps)
        return self._trainer(
            network,
            self._objective(run),
            seeds,
            batch_size=batch_size,
            learning_rate=settings.learning_rate,
            gradient=self._gradient(run),
            update=self._update(run),
            schedule=self._schedule(run),
            memory=run.memory,
        )

    # Prediction -----------------------------------------------------------------------------------------------------

    @own_modes()
    def to_torch(self) -> nn.Module:
        """Return the fitted model as a module of torch, in float64 and evaluation mode.

        Returns
        -------
        module : torch.nn.Module
            It maps rows as `predict` takes them, a float64 tensor of shape (n, n_features), to what `predict` decides
            by, scaling included: log-odds of the second class, of shape (n,); for more classes logits of shape (n,
            n_classes); for regression predictions of shape (n,) or (n, n_outputs). The probabilities of these logits
            are those of `predict_proba`. An ensemble's probabilities are the means of its members', and its predictions
            are means. The module is a copy: training it leaves the estimator alone.
        """
        check_is_fitted(self)
        return self._module_of(self._fitted)

    def _module_of(self, fitted: FittedNetwork) -> Predictor:
        """Return what maps flat raw rows to outputs, in float64 and evaluation mode."""
        return fitted.setup.predictor(self._network_of(fitted.architecture, fitted.weights)).eval()

    def _outputs(self, X: Any) -> NDArray:
        check_is_fitted(self)
        X = self._flat_rows(self._fitted.setup.inputs, X)
        return self._outputs_of(self._fitted, X)

    def _outputs_of(self, fitted: FittedNetwork, X: NDArray) -> NDArray:
        """Return the outputs of a model that may not be this estimator's own."""
        with own_modes():
            module = self._module_of(fitted)
        return outputs_in_chunks(module, module.network, X)

    @own_modes()
    def _problem(self, X: Any, y: Any, sample_weight: Any) -> tuple[nn.Module, Objective, Rows[Tensor]]:
        """Return network, objective and rows in float64 of the training objective without what is random in it."""
        check_is_fitted(self)
        setup, rows = self._read(self, self._fitted, self._target(), Given(X, y, sample_weight))
        weight = setup.target.weigh(rows.y, rows.weight)
        cpu = torch.device("cpu")
        made = network_inputs(setup.scaling_layer(), cpu, torch.float64)(rows.X)
        w = None if weight is None else torch.from_numpy(weight / mean_weight(weight))
        tensors = Rows(made.reshape(-1, *setup.inputs.known_shape), setup.target.tensor(rows.y, cpu, torch.float64), w)
        network = self._network_of(self._fitted.architecture, self._fitted.weights).eval()
        return network, supervised(setup.target.loss()), tensors


@torch.no_grad()
def _current_outputs(network: nn.Module, setup: Setup, X: Tensor) -> NDArray:
    """Return the outputs of scaled rows during training, in the units of training."""
    predictor = Predictor(None, network, setup.target.combine, single=setup.target.output_shape == (1,)).eval()
    parts = [predictor(rows) for rows in torch.split(X, chunk_length(network))]
    return torch.cat(parts).double().cpu().numpy()
