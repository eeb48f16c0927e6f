"""Networks that are trained on rows with targets: `fit`, `partial_fit`, early stopping, warm starts, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data
from torch import Tensor, nn

from skpapers._fitting import Fitting
from skpapers._torch.chunks import chunk_length, network_inputs, outputs_in_chunks
from skpapers._torch.fitted import Architecture, FittedNetwork, History, Run, Setup
from skpapers._torch.mixup import mixed
from skpapers._torch.network_base import NetworkEstimator, draw_seeds
from skpapers._torch.networks import check_network, draw
from skpapers._torch.predictor import Predictor
from skpapers._torch.rows import Rows
from skpapers._torch.running import ENOUGH, MeanWeight, mean_weight
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.schedules import Schedule, constant, cosine
from skpapers._torch.settings import Settings
from skpapers._torch.state import load_arrays, own_modes, own_precision, to_arrays
from skpapers._torch.steps import Gradient, Objective, Update, apply_step, backward, supervised
from skpapers._torch.stopping import EarlyStopping, hold_out
from skpapers._torch.targets import Target
from skpapers._torch.training import Trainer, batch_starts
from skpapers._validation import Interval, StrOptions, check_sample_weight, fit_context

Extra = Mapping[str, Any]


class SupervisedNetwork(NetworkEstimator):
    """What classifiers and regressors share.

    A method overrides `_objective`, `_gradient`, `_update` or `_schedule` for another step, `_build` for another
    network, `_inputs` for other rows. A `fit` of its own with more arrays for each row gives them to `_fit` as `extra`.
    """

    STOPPING: ClassVar[dict] = {
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
        """Return the arguments of `_build`; a fitted model keeps them, whatever its parameters are set to later."""
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
            Training rows, dense, without missing values.

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
        return self._fit(X, y, sample_weight, X_val=X_val, y_val=y_val)

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, *, extra: Extra | None = None, X_val: Any = None, y_val: Any = None
    ) -> Any:
        before = self._model_to_continue() if self.warm_start else None
        fitting = Fitting(self, resume=before is not None)
        setup, rows = self._read(fitting.blank, before, self._target(), X, y, sample_weight, extra or {})
        held = self._read_validation(fitting.blank, setup, X_val, y_val)
        rng = check_random_state(self.random_state)
        seeds = draw_seeds(rng, 2, self.n_ensemble)
        fitting.begin(X, y, setup.settings.n_epochs)
        if self.early_stopping and held is None:
            rows, held = hold_out(rows, self.validation_fraction, self._order(len(rows), rng))
            rows = self._training_rows(rows, setup.target)
            self._check_held(held, setup.target)
        else:
            rows = self._training_rows(rows, setup.target)
        setup, rows = fit_statistics(setup, rows)
        numbers = range(1, setup.settings.n_epochs + 1)
        fitted = self._train(setup, rows, held, seeds, numbers, before, fitting)
        if before is None:
            fitted = self._calibrated(fitted, rows, held, seeds, rng)
        return fitting.publish(fitted.attributes())

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, target: Target, extra: Extra | None = None) -> Any:
        """Visit the rows once; `target` has what a first call has to be told."""
        if self.early_stopping:
            raise ValueError("partial_fit sees no validation rows: early_stopping=True is for fit.")
        before = self._model_to_continue()
        resumes = before is not None
        fitting = Fitting(self, resume=resumes)
        setup, rows = self._read(
            fitting.blank, before, target, X, y, sample_weight, extra or {}, allow_all_zero=resumes
        )
        rows = replace(rows, weight=setup.target.weigh(rows.y, rows.weight, allow_all_zero=resumes))
        if rows.weight is not None and not rows.weight.any():
            return self
        seeds = draw_seeds(check_random_state(self.random_state), 2, self.n_ensemble)
        setup, rows = update_statistics(setup, rows.with_weight())
        n_before = 0 if before is None else len(before.history.losses)
        fitted = self._train(setup, rows, None, seeds, [n_before + 1], before, fitting, one_of_many=True)
        return fitting.publish(fitted.attributes())

    def _model_to_continue(self) -> FittedNetwork | None:
        """Return the fitted model, if there is one. Under another scaling its weights would mean nothing."""
        before: FittedNetwork | None = getattr(self, "_fitted", None)
        if before is not None and self.scaling != before.setup.scaling.kind:
            raise ValueError(
                f"The network was fitted with scaling={before.setup.scaling.kind!r} and cannot go on with "
                f"{self.scaling!r}: set it back, or fit anew with warm_start=False."
            )
        return before

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        X: Any,
        y: Any,
        sample_weight: Any,
        extra: Extra,
        *,
        allow_all_zero: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        """Return validated rows, and the setup without the statistics of these rows."""
        inputs = self._inputs() if before is None else before.setup.inputs
        inputs, X = inputs.read(X)
        y = target.check(y)
        X, y = validate_data(blank, X, y, reset=before is None, validate_separately=_checks(target))
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, X, allow_all_zero=allow_all_zero)
        scaling = Scaling(self.scaling)
        mean = MeanWeight()
        if before is not None:
            target = target.continued(before.setup.target)
            scaling = before.setup.scaling
            mean = before.setup.mean_weight
        target, y = target.read(y, type(self).__name__)
        rows = Rows(X, y, weight, {name: _per_row(name, values, X) for name, values in extra.items()})
        settings = self._settings(len(rows) if weight is None else int(np.count_nonzero(weight)))
        return Setup(inputs.completed(X.shape[1]), target, scaling, mean, settings), rows

    def _read_validation(self, blank: BaseEstimator, setup: Setup, X_val: Any, y_val: Any) -> Rows[NDArray] | None:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: only one of them was given.")
        if X_val is None:
            return None
        if not self.early_stopping:
            raise ValueError("X_val and y_val are for early_stopping=True; it is False.")
        y_val = setup.target.check(y_val)
        X_val = setup.inputs.read(X_val)[1]
        X, y = validate_data(blank, X_val, y_val, reset=False, validate_separately=_checks(setup.target))
        check_consistent_length(X, y)
        return Rows(X, setup.target.read(y, type(self).__name__)[1])

    def _order(self, n: int, rng: np.random.RandomState) -> NDArray[np.integer]:
        """Return the order of rows whose last ones are held back."""
        return np.arange(n) if self.validation_split == "last" else rng.permutation(n)

    def _training_rows(self, rows: Rows[NDArray], target: Target) -> Rows[NDArray]:
        """Return the rows that weigh anything, with the weights that the loss uses."""
        rows = replace(rows, weight=target.weigh(rows.y, rows.weight))
        if rows.weight is not None and not rows.weight.any():
            raise ValueError("No row left to train on has a weight above 0.")
        rows = rows.with_weight()
        lacking = target.lacking(rows.y)
        if lacking and self.early_stopping:
            raise ValueError(
                f"No row left to train on has class {lacking[0]!r}; use validation_split='random' or a smaller "
                "validation_fraction, give X_val and y_val, or set early_stopping=False."
            )
        if lacking:
            raise ValueError(f"No row of class {lacking[0]!r} has a weight above 0.")
        return rows

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
                    score = setup.target.score(_current_outputs(network, setup, X_held), held.y, held.weight)
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
        network = check_network(self._build(architecture, self._torch_dtype()))
        if before is None:
            return draw(network, tuple(torch.Generator().manual_seed(int(seed)) for seed in seeds))
        try:
            load_arrays(network, before.weights)
        except RuntimeError:
            changed = [
                f"{self._parameter_names.get(name, name)}={value!r}, not {before.architecture[name]!r}"
                for name, value in architecture.items()
                if value != before.architecture[name]
            ]
            raise ValueError(
                f"The network has another shape than the one to go on with ({'; '.join(changed)}): set it back, or fit "
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
            n_classes); for regression predictions of shape (n,) or (n, n_outputs). `predict_proba` divides the logits
            by `temperature_`. An ensemble's probabilities are the means of its members', and these logits their
            logarithms; its predictions are means. The module is a copy: training it leaves the estimator alone.
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
        setup, rows = self._read(self, self._fitted, self._target(), X, y, sample_weight, {})
        weight = setup.target.weigh(rows.y, rows.weight)
        cpu = torch.device("cpu")
        made = network_inputs(setup.scaling_layer(), cpu, torch.float64)(rows.X)
        w = None if weight is None else torch.from_numpy(weight / mean_weight(weight))
        tensors = Rows(made.reshape(-1, *setup.inputs.known_shape), setup.target.tensor(rows.y, cpu, torch.float64), w)
        network = self._network_of(self._fitted.architecture, self._fitted.weights).eval()
        return network, supervised(setup.target.loss()), tensors


def _checks(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how X and y are validated: in C order, since sums of columns round by the layout."""
    return {"dtype": np.float64, "order": "C"}, {"ensure_2d": False, "dtype": target.dtype, "order": "C"}


def _per_row(name: str, values: Any, X: NDArray) -> NDArray:
    """Return an array that has an entry for each row."""
    values = check_array(values, ensure_2d=False, allow_nd=True, dtype="numeric", input_name=name)
    if len(values) != len(X):
        raise ValueError(f"{name} has {len(values)} entries, and X has {len(X)} rows.")
    return values


@torch.no_grad()
def _current_outputs(network: nn.Module, setup: Setup, X: Tensor) -> NDArray:
    """Return the outputs of scaled rows during training, in the units of training."""
    predictor = Predictor(None, network, setup.target.combine, single=setup.target.output_shape == (1,)).eval()
    parts = [predictor(rows) for rows in torch.split(X, chunk_length(network))]
    return torch.cat(parts).double().cpu().numpy()


def fit_statistics(setup: Setup, rows: Rows[NDArray]) -> tuple[Setup, Rows[NDArray]]:
    """Return the setup with the statistics of all rows of a fit, and the rows with weights of mean 1."""
    setup = _with_statistics(setup, rows, 0, MeanWeight(mean_weight(rows.weight), ENOUGH))
    weight = rows.weight
    if weight is not None:
        weight = None if weight.min() == weight.max() else weight / setup.mean_weight.value
    return setup, replace(rows, weight=weight)


def update_statistics(setup: Setup, rows: Rows[NDArray]) -> tuple[Setup, Rows[NDArray]]:
    """Return the setup after the rows of one call of `partial_fit`, and the rows with weights in its unit."""
    setup = _with_statistics(setup, rows, ENOUGH, setup.mean_weight.after(rows.weight, len(rows)))
    unit = setup.mean_weight.value
    if rows.weight is None and unit == 1.0:
        return setup, rows
    return setup, replace(rows, weight=(np.ones(len(rows)) if rows.weight is None else rows.weight) / unit)


def _with_statistics(setup: Setup, rows: Rows[NDArray], enough: int, mean: MeanWeight) -> Setup:
    table = setup.inputs.by_channel(rows.X)
    per_row = len(table) // len(rows)
    weight = rows.weight if rows.weight is None or per_row == 1 else np.repeat(rows.weight, per_row)
    scaling = setup.scaling.fitted(table, weight, enough)
    return replace(setup, scaling=scaling, target=setup.target.fitted(rows.y, rows.weight, enough), mean_weight=mean)
