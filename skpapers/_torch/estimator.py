"""Bases of the estimators whose model is a network: validation, scaling, the epochs, prediction in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from itertools import repeat
from math import ceil
from numbers import Integral, Real
from time import perf_counter
from typing import Any, ClassVar
from warnings import warn

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.callback import CallbackContext, CallbackSupportMixin, with_callbacks
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from torch import Tensor, nn

from skpapers._callbacks import begin_fit, begin_step, end_fit, end_step, is_watched
from skpapers._labels import check_labels
from skpapers._torch import losses
from skpapers._torch.automatic import Settings, automatic_settings
from skpapers._torch.chunks import NUMBERS, chunk_length, in_chunks, network_inputs
from skpapers._torch.mixup import mixed
from skpapers._torch.modules import ACTIVATIONS, MLP
from skpapers._torch.predictor import Predictor
from skpapers._torch.rows import Rows
from skpapers._torch.running import ENOUGH, MeanWeight, mean_weight, no_statistics, update
from skpapers._torch.scaling import fit_scaling, fit_target
from skpapers._torch.scaling_layers import FixedScaling, PatchedScaling
from skpapers._torch.schedules import constant, cosine
from skpapers._torch.state import choose_device, load_arrays, own_modes, own_precision, to_arrays
from skpapers._torch.steps import Gradient, Objective, Update, apply_step, backward, supervised
from skpapers._torch.stopping import EarlyStopping
from skpapers._torch.temperature import FEWEST_HELD, MANY_ROWS, fit_temperature, rows_held_back
from skpapers._torch.training import Trainer, batch_starts
from skpapers._validation import Interval, StrOptions, check_sample_weight, fit_context
from skpapers._weights import weigh_classes
from skpapers.base import DocLinkMixin


class NetworkEstimator(DocLinkMixin, CallbackSupportMixin, BaseEstimator):
    """What classifiers and regressors share.

    A subclass with another step overrides `_objective`, `_gradient` or `_update`; with another model `_architecture`
    and `_build`, whose network says by ``row_size()`` how much memory a row needs. The state of a fitted model is numpy
    only: the arrays of the network, of the optimiser and of the generators.
    """

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"adamw", "adam", "sgd"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "sam_fraction": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "shuffle": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_split": [StrOptions({"last", "random"})],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "scaling": [StrOptions({"robust", "standard"}), None],
        "numeric_embedding": [StrOptions({"none", "periodic"})],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_ensemble": [Interval(Integral, 1, None, closed="left")],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _architecture(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of `_build`; a fitted model keeps them, whatever its parameters are set to later."""
        sizes = self.hidden_layer_sizes if np.ndim(self.hidden_layer_sizes) else (self.hidden_layer_sizes,)
        if not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must hold integers from 1, got {self.hidden_layer_sizes!r}.")
        return {
            "n_inputs": told["n_features_in_"],
            "hidden_layer_sizes": tuple(int(size) for size in sizes),
            "n_outputs": told["_n_units"],
            "activation": self.activation,
            "n_members": self.n_ensemble,
            "batch_norm": self.batch_norm,
            "dropout": self.dropout,
            "numeric_embedding": self.numeric_embedding,
        }

    def _build(self, architecture: dict[str, Any], dtype: torch.dtype) -> nn.Module:
        """Return the network with its parameters undrawn; ``draw(generators)`` of it draws them."""
        return MLP(**architecture, dtype=dtype)

    def _loss(self, told: dict[str, Any]) -> losses.Loss:
        """Return the loss of each row, as a function of outputs and encoded targets."""
        raise NotImplementedError

    def _objective(self, told: dict[str, Any]) -> Objective:
        return mixed(supervised(self._loss(told)), self.mixup_alpha)

    def _gradient(self, settings: Settings, n_steps: int | None) -> Gradient:
        """Return the gradient of a fit of `n_steps` steps, or of one call of `partial_fit`."""
        return backward

    def _update(self) -> Update:
        return apply_step

    def _read_target(self, y: Any, told: dict[str, Any], weight: NDArray | None) -> NDArray:
        """Return y as numbers, one row each, and put what is learned of it into `told`, if not there yet."""
        raise NotImplementedError

    def _encode(self, y: NDArray, told: dict[str, Any]) -> NDArray:
        """Return the targets as the loss takes them."""
        raise NotImplementedError

    def _weigh(
        self, y: NDArray, told: dict[str, Any], weight: NDArray | None, allow_all_zero: bool = False
    ) -> NDArray | None:
        """Return the row weights times those of the classes."""
        return weight

    def _validation_score(self, outputs: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any]) -> float:
        raise NotImplementedError

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
        going_on = self.warm_start and hasattr(self, "_network_state")
        self._check_scaling(going_on)
        given = X, y  # callbacks score the estimator: they need labels and column names
        told, X, y, weight = self._read(X, y, sample_weight, going_on)
        held = self._read_validation(X_val, y_val, told)
        rng = check_random_state(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=(2, self.n_ensemble))
        told["_settings"] = self._training_settings(len(X) if weight is None else int(np.count_nonzero(weight)))
        n_epochs = told["_settings"]["n_epochs"]
        context = begin_fit(self, n_epochs, *given)
        holds_out = self.early_stopping and held is None
        if holds_out:
            X, y, weight, held = self._hold_out(X, y, weight, told, rng)
        X, y, weight = self._without_weightless(X, y, self._weigh(y, told, weight), told)
        if holds_out:
            self._warn_of_held(held[1], held[2], told)  # type: ignore[index]
        untrained = dict(told)
        self._fit_statistics(X, y, weight, told, 0)
        told["_mean_weight"] = MeanWeight(mean_weight(weight), ENOUGH)
        if weight is not None:
            weight = None if weight.min() == weight.max() else weight / told["_mean_weight"].value
        report = self._report(context, n_epochs, *given)
        fitted = self._run(X, y, weight, held, told, seeds, n_epochs, report)
        if not going_on:
            fitted |= self._fit_calibration(X, y, weight, held, untrained, fitted, seeds, rng)
        end_fit(self, context, *given, lambda: fitted)
        self.__dict__.update(fitted)
        if "feature_names_in_" not in fitted:
            self.__dict__.pop("feature_names_in_", None)
        return self

    def _training_settings(self, n: int) -> dict[str, Any]:
        """Return the fields of `Settings` for n rows: the parameters, and what "auto" means."""
        given = {
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate_init,
            "n_epochs": self.max_iter,
            "sam_fraction": self.sam_fraction,
        }
        return asdict(automatic_settings(n)) | {field: value for field, value in given.items() if value != "auto"}

    def _fit_calibration(
        self,
        X: NDArray,
        y: NDArray,
        weight: NDArray | None,
        held: tuple | None,
        told: dict[str, Any],
        fitted: dict[str, Any],
        seeds: NDArray,
        rng: np.random.RandomState,
    ) -> dict[str, Any]:
        """Return attributes fitted on rows that a network has not seen; a regressor has none."""
        return {}

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, first: dict[str, Any]) -> Any:
        """Visit the rows once; `first` is what a first call has to be told."""
        if self.early_stopping:
            raise ValueError("partial_fit sees no validation rows: early_stopping=True is for fit.")
        going_on = hasattr(self, "_network_state")
        self._check_scaling(going_on)
        told, X, y, weight = self._read(X, y, sample_weight, going_on, first)
        weight = self._weigh(y, told, weight, allow_all_zero=going_on)
        if weight is not None and not weight.any():
            return self
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=(2, self.n_ensemble))
        X, y, weight = self._without_weightless(X, y, weight, told, complete=False)
        self._fit_statistics(X, y, weight, told, ENOUGH)
        told["_mean_weight"] = mean = told.get("_mean_weight", MeanWeight()).after(weight, len(X))
        if weight is not None or mean.value != 1.0:
            weight = (np.ones(len(X)) if weight is None else weight) / mean.value
        told["_settings"] = self._training_settings(1)
        self.__dict__.update(self._run(X, y, weight, None, told, seeds, 1, None))
        return self

    def _read(
        self, X: Any, y: Any, sample_weight: Any, going_on: bool, first: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], NDArray, NDArray, NDArray | None]:
        """Validate without touching the estimator: what is learned goes into `told`."""
        blank = type(self).__new__(type(self))
        target = self if going_on else blank
        y = check_labels(y) if is_classifier(self) else y
        X, y = validate_data(target, X, y, reset=not going_on, validate_separately=self._checks())
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, X, allow_all_zero=going_on and first is not None)
        told = (
            {key: vars(self)[key] for key in vars(self) if key.endswith("_") or key in STATE}
            if going_on
            else vars(blank)
        )
        told |= first or {}
        return told, X, self._read_target(y, told, weight), weight

    def _checks(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return how X and y are validated: in C order, since sums of columns round by the layout."""
        return {"dtype": np.float64, "order": "C"}, {"ensure_2d": False, "dtype": self._y_dtype, "order": "C"}

    def _read_validation(self, X_val: Any, y_val: Any, told: dict[str, Any]) -> tuple | None:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: only one of them was given.")
        if X_val is None:
            return None
        if not self.early_stopping:
            raise ValueError("X_val and y_val are for early_stopping=True; it is False.")
        blank = type(self).__new__(type(self))
        blank.__dict__.update({k: told[k] for k in ("n_features_in_", "feature_names_in_") if k in told})
        y_val = check_labels(y_val) if is_classifier(self) else y_val
        X, y = validate_data(blank, X_val, y_val, reset=False, validate_separately=self._checks())
        check_consistent_length(X, y)
        return X, self._read_target(y, dict(told), None), None

    def _hold_out(
        self, X: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any], rng: np.random.RandomState
    ) -> tuple[NDArray, NDArray, NDArray | None, tuple]:
        """Split off the last rows, or random ones."""
        n_held = ceil(self.validation_fraction * len(X))
        if n_held >= len(X):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(X)} rows leaves none to train on; give more "
                "rows, X_val and y_val, or early_stopping=False."
            )
        order = np.arange(len(X)) if self.validation_split == "last" else rng.permutation(len(X))
        train, held = np.sort(order[:-n_held]), np.sort(order[-n_held:])
        of = (lambda rows: None) if weight is None else (lambda rows: weight[rows])
        if weight is not None and not weight[held].any():
            raise ValueError("All rows held back for early_stopping have weight 0; give X_val and y_val.")
        return X[train], y[train], of(train), (X[held], y[held], of(held))

    def _warn_of_held(self, y: NDArray, weight: NDArray | None, told: dict[str, Any]) -> None:
        """Warn if the rows held back cannot judge the epochs."""

    def _without_weightless(
        self, X: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any], complete: bool = True
    ) -> tuple[NDArray, NDArray, NDArray | None]:
        """Leave out rows of weight 0."""
        if weight is not None:
            if not weight.any():
                raise ValueError("No row left to train on has a weight above 0.")
            kept = weight > 0
            X, y, weight = X[kept], y[kept], weight[kept]
        if complete and "classes_" in told and len(np.unique(y)) < len(told["classes_"]):
            lacking = told["classes_"][np.setdiff1d(np.arange(len(told["classes_"])), y)].tolist()
            raise ValueError(
                f"No row left to train on has class {lacking[0]!r}; use validation_split='random' or a smaller "
                "validation_fraction, give X_val and y_val, or set early_stopping=False."
                if self.early_stopping
                else f"No row of class {lacking[0]!r} has a weight above 0."
            )
        return X, y, weight

    def _check_scaling(self, going_on: bool) -> None:
        """Refuse another scaling than that of the network: its weights mean nothing under it."""
        if going_on and self.scaling != vars(self)["_scaling_kind"]:
            raise ValueError(
                f"The network was fitted with scaling={vars(self)['_scaling_kind']!r} and cannot go on with "
                f"{self.scaling!r}: set it back, or fit anew with warm_start=False."
            )

    def _fit_statistics(
        self, X: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any], enough: int
    ) -> None:
        """Fit what can still change of the statistics of X and y; they stand after `enough` rows."""
        told["_scaling_kind"] = self.scaling
        old = told.get("_scaling") or no_statistics(X.shape[1])
        told["_scaling"] = None if self.scaling is None else update(old, X, weight, self._scaling_of, enough)

    def _scaling_of(self, X: NDArray, weight: NDArray | None) -> dict[str, Any]:
        scaling = fit_scaling(X, weight, self.scaling)
        return to_arrays(scaling) | {"limit": scaling.limit}  # type: ignore[union-attr, arg-type]

    @own_precision()
    def _run(
        self,
        X: NDArray,
        y: NDArray,
        weight: NDArray | None,
        held: tuple | None,
        told: dict[str, Any],
        seeds: NDArray,
        n_epochs: int,
        report: Callable[[Callable[[], dict[str, Any]]], Iterator[bool]] | None,
        silent: bool = False,
    ) -> dict[str, Any]:
        """Train, and return the attributes of the fitted estimator; without `report` it is one call of many."""
        dtype, device = getattr(torch, self.dtype), choose_device(self.device)
        rows = network_inputs(_scaling(told), device, dtype)
        X_t, y_t = rows(X), torch.from_numpy(self._encode(y, told)).to(device)
        y_t = y_t.to(dtype) if y_t.is_floating_point() else y_t
        if not bool(torch.isfinite(y_t).all()):
            raise ValueError(
                f"y holds values as large as {np.abs(y).max():.3g}, which is too many times the scale of the targets, "
                f"{told['y_scale_'].max():.3g}, for training in dtype={self.dtype!r}."
            )
        w_t = None if weight is None else torch.from_numpy(weight).to(device, dtype)
        network = self._started(told, dtype, seeds[0]).to(device)
        trainer = self._trainer(network, told, seeds[1], len(X), None if report is None else n_epochs)
        stopper = None if held is None else EarlyStopping(network, self.n_iter_no_change, self.tol)
        X_held = None if held is None else rows(held[0])
        curve: list[float] = list(told.get("loss_curve_", ())) if report is None else []
        scores: list[float] = []

        def fitted() -> dict[str, Any]:
            arrays = {"_network_state": to_arrays(network), "_training_state": trainer.state()}
            history = {"loss_curve_": list(curve), "loss_": curve[-1], "n_iter_": len(curve)}
            watched = {
                "validation_scores_": list(scores) if stopper else None,
                "best_validation_score_": stopper.best_score if stopper else None,
                "best_iter_": stopper.best_epoch if stopper else None,
            }
            return told | arrays | history | watched

        start = perf_counter()
        for _ in range(n_epochs) if report is None else report(fitted):
            try:
                curve.append(trainer.run_epoch(Rows(X_t, y_t, w_t)).mean().item())
            except FloatingPointError:
                raise ValueError(
                    f"{type(self).__name__}: the loss became NaN or infinite in epoch {len(curve) + 1}; lower "
                    f"learning_rate_init={told['_settings']['learning_rate']:g}, or scale X (scaling={self.scaling!r})."
                ) from None
            if stopper:
                outputs = self._outputs_now(network, X_held)  # type: ignore[arg-type]
                scores.append(self._validation_score(outputs, held[1], held[2], told))  # type: ignore[index]
            if self.verbose and not silent:
                score = f", validation score {scores[-1]:.6g}" if scores else ""
                told_so = f"epoch {len(curve)}, loss {curve[-1]:.6g}{score}, {perf_counter() - start:.1f} s"
                print(f"{type(self).__name__}: {told_so}")
            if stopper and stopper.update(scores[-1]):
                break
        if stopper:
            stopper.restore()
        return fitted()

    @torch.no_grad()
    def _outputs_now(self, network: nn.Module, X: Tensor) -> NDArray:
        """Return the outputs of scaled rows in training, in the units of training."""
        predictor = Predictor(None, network, self._combine).eval()
        parts = [predictor(rows) for rows in torch.split(X, chunk_length(network))]
        return torch.cat(parts).double().cpu().numpy()

    def _report(
        self, context: CallbackContext, n_epochs: int, X: Any, y: Any
    ) -> Callable[[Callable[[], dict[str, Any]]], Iterator[bool]]:
        """Return what counts the epochs, and tells the callbacks of each; one of them may end the fit."""

        def epochs(fitted: Callable[[], dict[str, Any]]) -> Iterator[bool]:
            for _ in range(n_epochs):
                if not is_watched(self):
                    yield True
                    continue
                step = begin_step(self, context, "epoch")
                yield True
                if end_step(self, step, X, y, fitted):
                    break

        return epochs

    @own_modes()
    def _started(self, told: dict[str, Any], dtype: torch.dtype, seeds: NDArray) -> nn.Module:
        """Return the network as it stands, or drawn from the seeds."""
        before, now = told.get("_fitted_architecture", {}), self._architecture(told)
        told["_fitted_architecture"] = now
        network = self._build(now, dtype)
        if "_network_state" not in told:
            return network.draw(tuple(torch.Generator().manual_seed(int(seed)) for seed in seeds))  # type: ignore[operator]
        try:
            load_arrays(network, told["_network_state"])
        except RuntimeError:
            changed = [
                f"{NAMES.get(name, name)}={now[name]!r}, not {before[name]!r}"
                for name in now
                if now[name] != before[name]
            ]
            raise ValueError(
                f"The network has another shape than the one to go on with ({'; '.join(changed)}): set it back, or fit "
                "anew with warm_start=False."
            ) from None
        return network

    def _trainer(
        self, network: nn.Module, told: dict[str, Any], seeds: NDArray, n: int, n_epochs: int | None
    ) -> Trainer:
        """Return the trainer of n rows; without a number of epochs it goes on where the last one stood."""
        device = next(network.parameters()).device
        settings = Settings(**told["_settings"])
        batch_size = min(settings.batch_size, n)
        n_steps = None if n_epochs is None else n_epochs * (len(batch_starts(n, batch_size)) - 1)
        trainer = Trainer(
            network,
            self._objective(told),
            gradient=self._gradient(settings, n_steps),
            update=self._update(),
            solver=self.solver,
            learning_rate=settings.learning_rate,
            schedule=constant if n_steps is None else cosine(n_steps),
            batch_size=batch_size,
            shuffle=self.shuffle,
            generators=tuple(torch.Generator(device).manual_seed(int(seed)) for seed in seeds),
            alpha=self.alpha,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
            betas=(self.beta_1, self.beta_2),
            eps=self.epsilon,
        )
        if n_epochs is None and "_training_state" in told:
            trainer.load_state(told["_training_state"])
        return trainer

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
        return self._predictor(_scaling(vars(self)), self._fitted_network()).eval()

    def _fitted_network(self) -> nn.Module:
        network = self._build(self._fitted_architecture, torch.float64)
        load_arrays(network, self._network_state)
        return network

    def _predictor(self, scaling: nn.Module | None, network: nn.Module) -> nn.Module:
        return Predictor(scaling, network, self._combine)

    def _outputs(self, X: Any) -> NDArray:
        check_is_fitted(self)
        return self._outputs_of(validate_data(self, X, dtype=NUMBERS, reset=False))

    @own_precision()
    def _outputs_of(self, X: NDArray) -> NDArray:
        module = self.to_torch()
        with torch.no_grad():
            return in_chunks(module, X, chunk_length(module.network)).numpy()  # type: ignore[arg-type]

    @own_modes()
    def _problem(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[nn.Module, Objective, Tensor, Tensor, Tensor | None]:
        """Return network, objective and tensors in float64 of the training objective without what is random in it."""
        check_is_fitted(self)
        told = dict(vars(self))
        X, y = validate_data(self, X, y, reset=False, validate_separately=self._checks())
        check_consistent_length(X, y)
        weight = check_sample_weight(sample_weight, X)
        y = self._read_target(y, told, weight)
        weight = self._weigh(y, told, weight)
        X_t = network_inputs(_scaling(told), torch.device("cpu"), torch.float64)(X)
        w_t = None if weight is None else torch.from_numpy(weight / mean_weight(weight))
        y_t = torch.from_numpy(self._encode(y, told))
        return self._fitted_network().eval(), supervised(self._loss(told)), X_t, y_t, w_t


LARGEST_TARGET = 1e300  # the differences of larger ones may be infinite


NAMES = {"n_members": "n_ensemble"}  # arguments of the network whose parameter has another name
# What the next call of partial_fit, or a warm start, goes on with.
STATE = {
    "_n_units",
    "_scaling",
    "_scaling_kind",
    "_target",
    "_mean_weight",
    "_fitted_architecture",
    "_network_state",
    "_training_state",
}


def _scaling(told: Mapping[str, Any]) -> FixedScaling | PatchedScaling | None:
    if told["_scaling"] is None:
        return None
    first, *later = told["_scaling"].groups
    module = FixedScaling(**first.fitted)
    if not later:
        return module
    return PatchedScaling(module, [(FixedScaling(**group.fitted), group.columns, group.origin) for group in later])


class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """Classification by one logit, or one for each of three classes or more."""

    _parameter_constraints: ClassVar[dict] = {
        **NetworkEstimator._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "calibration": [StrOptions({"auto", "temperature"}), None],
    }
    _y_dtype = None

    @property
    def _combine(self) -> str:
        return "probabilities"

    def _read_target(self, y: Any, told: dict[str, Any], weight: NDArray | None) -> NDArray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if "classes_" not in told:
            classes = np.unique(y)
            if len(classes) < 2:
                one = classes.tolist()[0]
                raise ValueError(f"{type(self).__name__} needs two classes or more; y holds one class, {one!r}.")
            told["classes_"] = classes
        classes = told["classes_"]
        told["_n_units"] = 1 if len(classes) == 2 else len(classes)
        unknown = np.setdiff1d(y, classes).tolist()
        if unknown:
            raise ValueError(f"y holds class {unknown[0]!r}, which is not among the classes known: {classes.tolist()}.")
        return np.searchsorted(classes, y)

    def _weigh(
        self, y: NDArray, told: dict[str, Any], weight: NDArray | None, allow_all_zero: bool = False
    ) -> NDArray | None:
        return weigh_classes(self.class_weight, told["classes_"], y, weight, allow_all_zero=allow_all_zero)

    def _warn_of_held(self, y: NDArray, weight: NDArray | None, told: dict[str, Any]) -> None:
        lacking = np.delete(told["classes_"], np.unique(y if weight is None else y[weight > 0])).tolist()
        if not lacking:
            return
        named = ", ".join(map(repr, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
        ways = ["validation_split='random'"] if self.validation_split == "last" else ["a larger validation_fraction"]
        warn(
            f"The rows held back for early_stopping lack class {named}: their accuracy is a poor judge of the epochs. "
            f"Use {ways[0]}, shuffle the rows, give X_val and y_val, or set early_stopping=False.",
            UserWarning,
            stacklevel=2,
        )

    def _fit_statistics(
        self, X: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any], enough: int
    ) -> None:
        super()._fit_statistics(X, y, weight, told, enough)
        if self.calibration is None:
            told["temperature_"] = 1.0  # also where the model to go on with has another
        told.setdefault("temperature_", 1.0)

    def _fit_calibration(
        self,
        X: NDArray,
        y: NDArray,
        weight: NDArray | None,
        held: tuple | None,
        told: dict[str, Any],
        fitted: dict[str, Any],
        seeds: NDArray,
        rng: np.random.RandomState,
    ) -> dict[str, Any]:
        """Return the temperature, of the network itself with `early_stopping`, otherwise of a second network."""
        if self.calibration is None:
            return {}
        if held is None:
            if self.calibration == "auto" and len(X) >= MANY_ROWS:
                return {}
            order = np.arange(len(X)) if self.validation_split == "last" else rng.permutation(len(X))
            train, kept = rows_held_back(y, weight, order)
            if len(kept) == 0:
                return {}
            w_train, w_kept = (None, None) if weight is None else (weight[train], weight[kept])
            self._fit_statistics(X[train], y[train], w_train, told, 0)
            w_train = None if w_train is None else w_train / w_train.mean()
            of_epochs = repeat(True, fitted["n_iter_"])  # as many as the network had, on the same schedule
            n_epochs = told["_settings"]["n_epochs"]
            fitted = self._run(
                X[train], y[train], w_train, None, told, seeds, n_epochs, lambda _: of_epochs, silent=True
            )
            held = X[kept], y[kept], w_kept
        elif len(held[0]) < FEWEST_HELD:
            return {}
        else:
            held = held[0], held[1], self._weigh(held[1], fitted, held[2])
        scratch = type(self).__new__(type(self))
        scratch.__dict__.update(fitted)
        return {"temperature_": fit_temperature(scratch._outputs_of(held[0]), *held[1:])}

    def _encode(self, y: NDArray, told: dict[str, Any]) -> NDArray:
        if told["_n_units"] == 1:
            return y * (1.0 - self.label_smoothing) + self.label_smoothing / 2.0
        return np.eye(told["_n_units"])[y] if self.mixup_alpha > 0 else y

    def _loss(self, told: dict[str, Any]) -> losses.Loss:
        return losses.log_odds if told["_n_units"] == 1 else losses.cross_entropy(self.label_smoothing)

    def _validation_score(self, outputs: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any]) -> float:
        decided = outputs > 0 if outputs.ndim == 1 else outputs.argmax(axis=1)
        return float(accuracy_score(y, decided, sample_weight=weight))

    def partial_fit(self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: Any = None) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling is refitted during the first 512 rows, and then fixed. A column that was constant until then is
        scaled by the rows from its first other value on. Weights count against those of earlier calls: what counts as
        1 is the mean weight of `fit`, or of the first 512 rows. A call in which all weights are 0 changes nothing; as
        the first call it is an error.

        Parameters may be set to other values between calls, `solver`, `dtype` and `device` among them. A change
        of `scaling`, or of the shape of the network, raises an error. `temperature_` is not refitted: it stays that of
        the last `fit`, or 1 without one. `calibration=None` sets it to 1.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.
        """
        self._validate_params()
        if self.class_weight == "balanced":
            raise ValueError('partial_fit does not see all rows: class_weight="balanced" is for fit; give a dict.')
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("The first call of partial_fit needs classes, all labels that will ever come.")
        if classes is not None:
            classes = np.unique(np.asarray(classes))
            if len(classes) < 2:
                raise ValueError(f"{type(self).__name__} needs two classes or more; classes={classes.tolist()}.")
            if known is not None and not np.array_equal(known, classes):
                raise ValueError(f"classes={classes.tolist()} are not those of the first call, {known.tolist()}.")
        return self._partial_fit(X, y, sample_weight, {} if classes is None else {"classes_": classes})

    def predict_proba(self, X: Any) -> NDArray:
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        logits = torch.from_numpy(self._outputs(X)) / self.temperature_
        if logits.ndim == 2:
            return torch.softmax(logits, dim=1).numpy()
        return torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], dim=1).numpy()

    def predict(self, X: Any) -> NDArray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Input rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        outputs = self._outputs(X)
        return self.classes_[(outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(axis=1)]


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """Regression; the network sees each output with location 0 and scale 1."""

    _parameter_constraints: ClassVar[dict] = {
        **NetworkEstimator._parameter_constraints,
        "loss": [StrOptions(set(losses.REGRESSION))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _y_dtype = np.float64

    @property
    def _combine(self) -> str:
        return "mean"

    def _read_target(self, y: Any, told: dict[str, Any], weight: NDArray | None) -> NDArray:
        y = column_or_1d(y, warn=True)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        if told.setdefault("n_outputs_", y.shape[1]) != y.shape[1]:
            raise ValueError(f"y has {y.shape[1]} outputs, the model {told['n_outputs_']}.")
        if np.abs(y).max() > LARGEST_TARGET:
            raise ValueError(
                f"y holds values as large as {np.abs(y).max():.3g}; at most {LARGEST_TARGET:.0e} is possible."
            )
        told["_n_units"] = y.shape[1]
        return y

    def _fit_statistics(
        self, X: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any], enough: int
    ) -> None:
        super()._fit_statistics(X, y, weight, told, enough)
        old = told.get("_target") or no_statistics(y.shape[1])
        told["_target"] = update(old, y, weight, self._location_and_scale, enough)
        location_and_scale = np.zeros((2, y.shape[1]))
        for group in told["_target"].groups:
            location_and_scale[:, group.columns] = group.fitted["location_and_scale"]
        told["y_center_"], told["y_scale_"] = location_and_scale

    def _location_and_scale(self, y: NDArray, weight: NDArray | None) -> dict[str, Any]:
        return {"location_and_scale": np.stack(fit_target(y, weight, robust=self.loss == "huber"))}

    def _encode(self, y: NDArray, told: dict[str, Any]) -> NDArray:
        scale = told["y_scale_"]
        return (y - told["y_center_"]) / np.where(scale > 0, scale, 1.0)

    def _loss(self, told: dict[str, Any]) -> losses.Loss:
        return losses.REGRESSION[self.loss](self.quantile)

    def _predictor(self, scaling: nn.Module | None, network: nn.Module) -> nn.Module:
        return Predictor(scaling, network, self._combine, self.y_center_, self.y_scale_)

    def _validation_score(self, outputs: NDArray, y: NDArray, weight: NDArray | None, told: dict[str, Any]) -> float:
        of_rows = torch.from_numpy(outputs.reshape(len(y), -1) * (told["y_scale_"] > 0))
        loss = self._loss(told)(of_rows, torch.from_numpy(self._encode(y, told)))
        return -float(np.average(loss.numpy(), weights=weight))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Visit rows once, at the learning rate `learning_rate_init`.

        The scaling of X and y is refitted during the first 512 rows, and then fixed. A column or target that was
        constant until then is scaled by the rows from its first other value on. Weights count against those of
        earlier calls: what counts as 1 is the mean weight of `fit`, or of the first 512 rows. A call in which all
        weights are 0 changes nothing; as the first call it is an error.

        Parameters may be set to other values between calls, `solver`, `dtype` and `device` among them. A change
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
        return self._partial_fit(X, y, sample_weight, {})

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
