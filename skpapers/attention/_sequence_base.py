"""What the estimators on windows and tables share: inputs, network, schedule, and predictions step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil
from numbers import Integral, Real
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted
from torch import nn

from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.inputs import Inputs, Windows
from skpapers._torch.reading import Given
from skpapers._torch.rows import Rows
from skpapers._torch.schedules import Schedule, constant, cosine, warm_up
from skpapers._torch.settings import Settings
from skpapers._torch.setup import Run, Setup
from skpapers._torch.state import own_modes
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._torch.targets import Target
from skpapers._torch.training import Trainer, batch_starts
from skpapers._validation import Interval, StrOptions
from skpapers.attention._categories import CodedColumns, categorical_places
from skpapers.attention._sequence_network import SequenceNetwork
from skpapers.attention._stream_state import StreamState
from skpapers.attention._streams import Stream

FEWEST_STEPS = 600  # fewer leave a network in the middle of a plateau, however small the table
FEWEST_EPOCHS = 5
WARM_UP = 60  # steps, at most a tenth of all
MAX_NORM = 1.0  # of the gradient

# What a network may be built with anew: it is of training only, or follows from other parameters.
OF_TRAINING = ("dropout", "redraw_interval", "sigma", "n_gates")

_STREAMS: WeakKeyDictionary[FittedNetwork, Stream] = WeakKeyDictionary()  # a module takes longer to make than a step


class SequenceEstimator(SupervisedNetwork):
    """An estimator whose network is a stack of attention layers over the steps of a window or the columns of a row.

    A method gives `_block`, and names its parameters that decide the shape of a layer in `_layer_parameters`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **SupervisedNetwork._parameter_constraints,
        **SupervisedNetwork._stopping_constraints,
        **SupervisedNetwork._scaling_constraints,
        "d_model": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "causal": ["boolean"],
        "pool": [StrOptions({"mean", "last", "cls"})],
        "positions": [StrOptions({"learned", "sinusoidal"}), None],
        "tokenize": [StrOptions({"steps", "features"})],
        "categorical_features": ["array-like", None],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "mask_nan": ["boolean"],
        "first_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }
    _layer_parameters: ClassVar[tuple[str, ...]] = ("causal", "first_norm")

    d_model: int
    n_layers: int
    causal: bool
    pool: str
    positions: str | None
    tokenize: str
    categorical_features: ArrayLike | None
    n_channels: int
    mask_nan: bool
    first_norm: bool
    dropout: float

    def _block(self, architecture: Architecture, *, first: bool, dtype: torch.dtype) -> nn.Module:
        """Return a block of the network with undrawn weights."""
        raise NotImplementedError

    # Rows -----------------------------------------------------------------------------------------------------------

    def _inputs(self) -> Inputs:
        if self.tokenize == "features":
            if self.n_channels != 1:
                raise ValueError(f'n_channels={self.n_channels} is for tokenize="steps": a column is one number.')
            return CodedColumns(allow_nan=self.mask_nan)
        if self.categorical_features is not None:
            raise ValueError('categorical_features is for tokenize="features"; the steps of a window are numbers.')
        return Windows(n_channels=self.n_channels, allow_nan=self.mask_nan)

    def _model_to_continue(self) -> FittedNetwork | None:
        """Return the fitted model, if there is one and its rows are read as the parameters say."""
        before = super()._model_to_continue()
        if before is None:
            return None
        inputs = before.setup.inputs
        was: dict[str, Any] = {
            "tokenize": "steps" if isinstance(inputs, Windows) else "features",
            "mask_nan": inputs.allow_nan,
        }
        now = {name: getattr(self, name) for name in was}
        if isinstance(inputs, Windows):
            known = (inputs.n_channels, inputs.known_shape[1])
            was["n_channels"] = inputs.n_channels
            now["n_channels"] = inputs.n_channels if self.n_channels in known else self.n_channels
        elif isinstance(inputs, CodedColumns):
            names = getattr(self, "feature_names_in_", None)
            was["categorical_features"] = list(inputs.categorical)
            places = categorical_places(self.categorical_features, inputs.known_shape[0], names)
            now["categorical_features"] = list(places)
        _check_unchanged(was, now)
        return before

    def _start(self, architecture: Architecture, seeds: Iterable[int], before: FittedNetwork | None) -> nn.Module:
        """Return the network with the weights of a fitted model of the same structure, or with new ones."""
        if before is not None:
            now = {name: value for name, value in architecture.items() if name not in OF_TRAINING}
            _check_unchanged(before.architecture, now)
        return super()._start(architecture, seeds, before)

    def _read(
        self,
        blank: BaseEstimator,
        before: FittedNetwork | None,
        target: Target,
        given: Given,
        *,
        one_of_many: bool = False,
    ) -> tuple[Setup, Rows[NDArray]]:
        """Return rows and setup; its inputs have the places of the categorical columns."""
        setup, rows = super()._read(blank, before, target, given, one_of_many=one_of_many)
        inputs = setup.inputs
        if before is None and isinstance(inputs, CodedColumns):
            names = getattr(blank, "feature_names_in_", None)
            places = categorical_places(self.categorical_features, inputs.known_shape[0], names)
            setup = replace(setup, inputs=replace(inputs, categorical=places))
        return setup, rows

    # Network and training -------------------------------------------------------------------------------------------

    def _architecture(self, setup: Setup) -> Architecture:
        own = ("d_model", "n_layers", "pool", "dropout", *self._layer_parameters)
        inputs = setup.inputs
        return {
            **super()._architecture(setup),
            **{name: getattr(self, name) for name in own},
            "positions": self.positions if isinstance(inputs, Windows) else None,  # a column has its own embedding
            "n_codes": inputs.n_codes if isinstance(inputs, CodedColumns) else (),
            "n_gates": 0,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> SequenceNetwork:
        names = ("d_model", "n_layers", "pool", "positions", "dropout", "n_codes", "n_gates")
        return SequenceNetwork(
            architecture["row_shape"],
            architecture["output_shape"],
            lambda first: self._block(architecture, first=first, dtype=dtype),
            **{name: architecture[name] for name in names},
            dtype=dtype,
        )

    def _settings(self, n: int) -> Settings:
        batch_size = int(self.batch_size)
        if self.max_iter != "auto":
            return Settings(batch_size, float(self.learning_rate_init), int(self.max_iter))
        steps = len(batch_starts(n, min(batch_size, n))) - 1
        return Settings(batch_size, float(self.learning_rate_init), max(ceil(FEWEST_STEPS / steps), FEWEST_EPOCHS))

    def _schedule(self, run: Run) -> Schedule:
        if run.n_steps is None:
            return constant
        n_warm = min(WARM_UP, run.n_steps // 10)
        return warm_up(n_warm, cosine(run.n_steps - n_warm))

    def _trainer(self, *args: Any, **options: Any) -> Trainer:
        return super()._trainer(*args, **{"max_norm": MAX_NORM, **options})

    # Step by step ---------------------------------------------------------------------------------------------------

    def init_state(self, n_rows: int) -> StreamState:
        """Return the state of series before their first step, for :meth:`partial_predict`.

        Parameters
        ----------
        n_rows : int
            Number of series.

        Returns
        -------
        state : object
            It can be pickled.

        Raises
        ------
        ValueError
            If the model was fitted with `causal=False`, or on columns, or if `n_rows` is below 1.
        """
        return self._stream().init_state(n_rows)

    def partial_predict(self, x_t: ArrayLike, state: StreamState | None = None) -> tuple[NDArray, StreamState]:
        """Predict after one more step of each series, at a cost that does not grow with the steps so far.

        The prediction is that of `predict` for the window of all steps so far. Exact softmax attention is an exception
        to the cost: its state holds all steps.

        Parameters
        ----------
        x_t : array-like of shape (n_rows, n_channels)
            The next step of each series.

        state : object, default=None
            What the call for the step before returned, or `init_state`; None before the first step. It is not changed.

        Returns
        -------
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            What `predict` returns.

        state : object
            The state after the step.

        Raises
        ------
        ValueError
            If the model was fitted with `causal=False`, or on columns, if the shape is wrong, if the state is that of
            another network, or if there are no learned positions for the step.
        """
        outputs, state = self._partial_outputs(x_t, state)
        return self._predicted(outputs), state

    def _predicted(self, outputs: NDArray) -> NDArray:
        """Return predictions for outputs in the units of the target."""
        return outputs

    def _partial_outputs(self, x_t: ArrayLike, state: StreamState | None) -> tuple[NDArray, StreamState]:
        stream = self._stream()
        finite = self._fitted.setup.inputs.finite
        steps = check_array(x_t, dtype=np.float64, ensure_all_finite=finite, input_name="x_t")
        return stream.step(steps, stream.init_state(len(steps)) if state is None else state)

    @own_modes()
    def _stream(self) -> Stream:
        check_is_fitted(self)
        fitted = self._fitted
        if fitted not in _STREAMS:
            if not fitted.architecture["causal"] or not isinstance(fitted.setup.inputs, Windows):
                raise ValueError('Predictions step by step need a model fitted with causal=True and tokenize="steps".')
            network = self._network_of(fitted.architecture, fitted.weights).eval()
            assert isinstance(network, SequenceNetwork)
            _STREAMS[fitted] = Stream(fitted.setup, network)
        return _STREAMS[fitted]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.mask_nan
        return tags


def _check_unchanged(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise a ValueError for the first parameter that a fitted network has another value of."""
    for name, value in now.items():
        if value != was[name]:
            raise ValueError(
                f"The network was fitted with {name}={was[name]!r} and cannot continue with {value!r}: set it back, "
                "or fit anew with warm_start=False."
            )
