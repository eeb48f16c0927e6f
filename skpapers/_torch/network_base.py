"""The base of every estimator whose model is a network: its parameters, its inputs, its trainer, its module."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from skpapers._torch.chunks import NUMBERS, network_inputs
from skpapers._torch.fitted import Architecture, Arrays
from skpapers._torch.inputs import Columns, Inputs
from skpapers._torch.modes import Modes
from skpapers._torch.networks import check_network, draw
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Setup
from skpapers._torch.state import choose_device, load_arrays, number_tensor, own_modes
from skpapers._torch.steps import Objective
from skpapers._torch.training import Trainer
from skpapers._validation import Interval, StrOptions
from skpapers.base import DocLinkMixin


class NetworkEstimator(DocLinkMixin, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators whose model is a network.

    Only the parameters that every network has are constrained here. The class attributes are settings that a method
    turns into parameters by giving them in its constructor, with constraints such as `_optimizer_constraints`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "dtype": [StrOptions({"float32", "float64"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }
    _optimizer_constraints: ClassVar[dict] = {
        "solver": [StrOptions({"adamw", "adam", "sgd"})],
        "shuffle": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }
    _scaling_constraints: ClassVar[dict] = {"scaling": [StrOptions({"robust", "standard"}), None]}

    alpha: float
    batch_size: int | str
    learning_rate_init: float | str
    max_iter: int | str
    random_state: Any
    verbose: bool | int
    dtype: str
    device: str

    solver: str = "adamw"
    shuffle: bool = True
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    scaling: str | None = None

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _inputs(self) -> Inputs:
        """Return what a row is."""
        return Columns()

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> nn.Module:
        """Return a :class:`skpapers._torch.networks.Network` with its parameters undrawn."""
        raise NotImplementedError

    def _modes(self) -> Modes:
        """Return the modes of batch normalisation and dropout in training."""
        return Modes()

    # What the fits are made of --------------------------------------------------------------------------------------

    def _torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    def _tensors(self, setup: Setup, rows: Rows[NDArray]) -> Rows[Tensor]:
        """Return rows as the network takes them in training: scaled in float64, in its dtype, on its device."""
        device = choose_device(self.device)
        dtype = self._torch_dtype()
        weight = None if rows.weight is None else torch.from_numpy(rows.weight).to(device, dtype)
        extra = {name: number_tensor(values, device, dtype) for name, values in rows.extra.items()}
        return Rows(self._input_tensor(setup, rows.X), setup.target.tensor(rows.y, device, dtype), weight, extra)

    def _input_tensor(self, setup: Setup, X: NDArray) -> Tensor:
        """Return raw rows as the network takes them in training."""
        made = network_inputs(setup.scaling_layer(), choose_device(self.device), self._torch_dtype())(X)
        return made.reshape(-1, *setup.inputs.known_shape)

    def _trainer(
        self, network: nn.Module, objective: Objective, seeds: Iterable[int], *, batch_size: int, **options: Any
    ) -> Trainer:
        """Return the trainer of a network on its device; `options` go to :class:`Trainer`."""
        device = next(network.parameters()).device
        options = {"modes": self._modes(), **options}
        return Trainer(
            network,
            objective,
            solver=self.solver,
            batch_size=batch_size,
            shuffle=self.shuffle,
            generators=tuple(torch.Generator(device).manual_seed(int(seed)) for seed in seeds),
            alpha=self.alpha,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
            betas=(self.beta_1, self.beta_2),
            eps=self.epsilon,
            **options,
        )

    def _raise_diverged(self, when: str, learning_rate: float, more: str = "") -> NoReturn:
        """Raise the error of a loss that is not finite."""
        raise ValueError(
            f"{type(self).__name__}: the loss became NaN or infinite in {when}; lower "
            f"learning_rate_init={learning_rate:g}{more}, or scale X (scaling={self.scaling!r})."
        ) from None

    @own_modes()
    def _new_network(self, architecture: Architecture, seeds: Iterable[int]) -> nn.Module:
        """Return a network with new weights, one seed for each member, in the dtype of training and on the CPU."""
        generators = tuple(torch.Generator().manual_seed(int(seed)) for seed in seeds)
        return draw(check_network(self._build(architecture, self._torch_dtype()), len(generators)), generators)

    def _network_of(self, architecture: Architecture, weights: Arrays) -> nn.Module:
        """Return a fitted network in float64."""
        network = check_network(self._build(architecture, torch.float64))
        load_arrays(network, weights)
        return network

    def _flat_rows(self, inputs: Inputs, X: Any) -> NDArray:
        """Return validated rows for a prediction: of any dtype, since they are converted some at a time."""
        flat = inputs.read(X)[1]
        return validate_data(self, flat, dtype=NUMBERS, ensure_all_finite=inputs.finite, reset=False)


def draw_seeds(rng: np.random.RandomState, *shape: int) -> NDArray[np.integer]:
    """Return seeds for generators of torch."""
    return rng.randint(np.iinfo(np.int32).max, size=shape)
