"""What the policies that adapt during deployment share: training, adaptation, and the way back."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from skpapers._fitting import Fitting
from skpapers._torch.fitted import Architecture, FittedNetwork
from skpapers._torch.image_rows import ImageRows, checked_shape, checked_strides
from skpapers._torch.inputs import Columns, Inputs
from skpapers._torch.modules import ACTIVATIONS, layer_sizes
from skpapers._torch.network_base import draw_seeds
from skpapers._torch.reading import Given, rows_to_train_on
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Run, Setup, fit_statistics
from skpapers._torch.state import choose_device, own_modes, own_precision, to_arrays
from skpapers._torch.steps import Objective
from skpapers._torch.supervised_base import SupervisedNetwork
from skpapers._validation import Interval, StrOptions, fit_context
from skpapers.adaptation._policy_adaptation_during_deployment import (
    adapt,
    adaptation_objective,
    joint_objective,
)
from skpapers.adaptation._policy_network import LEARNING, TRAINING, PolicyNetwork
from skpapers.adaptation._policy_reading_base import PolicySetup, as_tensors, deployed_rows, with_transitions
from skpapers.adaptation._policy_transitions import LONGEST, Adaptation, joined, last_rows

METADATA = {"X_next": True, "action": True, "episode": True}


class PADPolicyEstimator(SupervisedNetwork):
    """A policy cloned from an expert, with a self-supervised head by which it goes on learning."""

    # requested by default: with routing there is no need to call set_fit_request and the like
    __metadata_request__fit: ClassVar[dict] = METADATA
    __metadata_request__partial_fit: ClassVar[dict] = METADATA

    _parameter_constraints: ClassVar[dict] = {
        **SupervisedNetwork._parameter_constraints,
        **SupervisedNetwork._scaling_constraints,
        "shuffle": ["boolean"],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "head_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "auxiliary": [StrOptions({"inverse", "rotation"})],
        "auxiliary_weight": [Interval(Real, 0, None, closed="left")],
        "hidden_channels": ["array-like", Interval(Integral, 1, None, closed="left")],
        "image_shape": ["array-like", None],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "strides": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "adapt_scope": [StrOptions(set(LEARNING) - {TRAINING})],
        "adapt_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "adapt_steps": [Interval(Integral, 1, None, closed="left")],
        "adapt_batch_size": [Interval(Integral, 1, None, closed="left")],
        "adapt_window": [Interval(Integral, 1, None, closed="left")],
    }

    hidden_layer_sizes: ArrayLike
    head_layer_sizes: ArrayLike
    auxiliary: str
    auxiliary_weight: float
    hidden_channels: ArrayLike
    image_shape: ArrayLike | None
    kernel_size: int
    strides: ArrayLike
    activation: str
    adapt_scope: str
    adapt_learning_rate: float
    adapt_steps: int
    adapt_batch_size: int
    adapt_window: int
    _adaptation: Adaptation

    @property
    def _setup(self) -> PolicySetup:
        setup = self._fitted.setup
        assert isinstance(setup, PolicySetup)
        return setup

    # The replaceable parts ------------------------------------------------------------------------------------------

    def _inputs(self) -> Inputs:
        shape = checked_shape(self.image_shape)
        if self._channels() or shape is not None:
            return ImageRows(shape)
        return Columns()

    def _channels(self) -> tuple[int, ...]:
        given = np.ravel(np.asarray(self.hidden_channels, dtype=object)).tolist()
        if not all(isinstance(size, Integral) and int(size) >= 1 for size in given):
            raise ValueError(f"hidden_channels must hold integers from 1, got {self.hidden_channels!r}.")
        return tuple(int(size) for size in given)

    def _architecture(self, setup: Setup) -> Architecture:
        assert isinstance(setup, PolicySetup)
        channels = self._channels()
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} is even and has no centre; use an odd one.")
        return {
            "row_shape": setup.inputs.known_shape,
            "n_outputs": setup.target.output_shape[0],
            "n_auxiliary": setup.n_auxiliary(),
            "n_rows": 2 if setup.auxiliary == "inverse" else 1,
            "hidden_channels": channels,
            "strides": checked_strides(self.strides, len(channels)),
            "kernel_size": int(self.kernel_size),
            "hidden_layer_sizes": layer_sizes(self.hidden_layer_sizes, fewest=1),
            "head_layer_sizes": layer_sizes(self.head_layer_sizes),
            "activation": self.activation,
        }

    def _build(self, architecture: Architecture, dtype: torch.dtype) -> PolicyNetwork:
        return PolicyNetwork(**architecture, dtype=dtype)

    def _objective(self, run: Run) -> Objective:
        assert isinstance(run.setup, PolicySetup)
        return joint_objective(run.setup.target.loss(), run.setup.losses(), self.auxiliary_weight)

    def _tensors(self, setup: Setup, rows: Rows[NDArray]) -> Rows[Tensor]:
        """Return rows and their successors as the network takes them, and actions as their loss does."""
        assert isinstance(setup, PolicySetup)
        tensors = super()._tensors(setup, replace(rows, extra={}))
        return replace(tensors, extra=setup.extra_tensors(rows, partial(self._input_tensor, setup), tensors.X))

    # Fitting --------------------------------------------------------------------------------------------------------

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_next: Any = None, action: Any = None, episode: Any = None
    ) -> Any:
        """Learn the expert's actions, and the self-supervised task beside them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations, dense, without missing values; also images (n_samples, C, H, W) or series (n_samples, C, L).

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The expert's actions: labels, or numbers.

        sample_weight : array-like of shape (n_samples,), default=None
            Row weights, none negative. Rows of weight 0 are left out.

        X_next : array-like of the shape of X, default=None
            The observation after each row, for `auxiliary="inverse"`. Earlier steps of a Pipeline do not transform it:
            leave the scaling to `scaling`, give `episode`, or use the Pipeline's `transform_input=["X_next"]`.

        action : array-like of shape (n_samples,) or (n_samples, n_actions), default=None
            The action that led from each row of X to that of `X_next`, if it was another one than the expert's. None:
            `y`.

        episode : object or array-like of shape (n_samples,), default=None
            Id of each row's episode, or one id for all rows. Without `X_next` each row and the next one of its episode
            are a transition; rows of several episodes may take turns. Without both, inverse dynamics are not learned,
            and the policy cannot adapt by them.

        Returns
        -------
        self : object
            The fitted estimator. Where `fit` raises or is interrupted, it is what it was before.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite, if weights are negative or all 0, if there are fewer than two classes,
            if `X_next`, `action` or `episode` do not fit X, or if images that are to be turned are not square.
        """
        fitting = Fitting(self)
        setup, rows = self._read(fitting.blank, None, self._target(), Given(X, y, sample_weight))
        extra = {"X_next": X_next, "action": action, "episode": episode}
        policy, rows = with_transitions(fitting.blank, setup, rows, self.auxiliary, extra)
        seeds = draw_seeds(check_random_state(self.random_state), 2, 1)
        fitting.begin(X, y, setup.settings.n_epochs)
        trained, rows = fit_statistics(policy, rows_to_train_on(rows, policy.target, early_stopping=False))
        fitted = self._train(trained, rows, None, seeds, range(1, setup.settings.n_epochs + 1), None, fitting)
        return fitting.publish(_attributes(fitted))

    def partial_fit(self, X: Any, y: Any = None, *, X_next: Any = None, action: Any = None, episode: Any = None) -> Any:
        """Adapt to transitions just seen, without rewards and without the expert.

        Each transition is followed by `adapt_steps` steps on a batch of the latest `adapt_window` ones: rows in one
        call have the same effect as one by one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations, in the order of time.

        y : None
            Not used.

        X_next : array-like of the shape of X, default=None
            The observation after each row, for `auxiliary="inverse"`.

        action : array-like of shape (n_samples,) or (n_samples, n_actions), default=None
            The action that led from each row of X to that of `X_next`; needed for `auxiliary="inverse"`.

        episode : object or array-like of shape (n_samples,), default=None
            Id of each row's episode, or one id for all rows. Without `X_next` each row and the next one of its episode
            are a transition.

        Returns
        -------
        self : object
            The estimator. Where `partial_fit` raises, it is what it was before.

        Raises
        ------
        NotFittedError
            If there is no policy yet.

        ValueError
            If the rows do not fit those of `fit`, if inverse dynamics lack transitions or actions, or if the loss
            becomes NaN or infinite.
        """
        check_is_fitted(self)
        self._validate_params()
        fitting = Fitting(self, resume=True)
        rows = deployed_rows(self, self._setup, X, {"X_next": X_next, "action": action, "episode": episode})
        fitted, adaptation = self._adapted(rows)
        return fitting.publish({"_fitted": fitted, "_adaptation": adaptation, **adaptation.attributes()})

    @own_precision()
    def _adapted(self, rows: Rows[NDArray]) -> tuple[FittedNetwork, Adaptation]:
        """Return the model after the steps that new transitions bring."""
        before = self._fitted
        past = self._adaptation
        seen = joined(past.window, self._scaled(rows))
        device = choose_device(self.device)
        network = self._start(before.architecture, [0], before)
        assert isinstance(network, PolicyNetwork)
        trainer = self._trainer(
            network.learn(self.adapt_scope).to(device),
            adaptation_objective(self._setup.losses()),
            [0],
            batch_size=int(self.adapt_batch_size),
            learning_rate=float(self.adapt_learning_rate),
        )
        trainer.load_state(past.training_for(self.adapt_scope))
        tensors = as_tensors(seen, device, self._torch_dtype())
        try:
            losses = adapt(trainer, tensors, len(rows), n_steps=int(self.adapt_steps), window=int(self.adapt_window))
            weights = to_arrays(network)
            if not all(np.isfinite(values).all() for values in weights.values()):
                raise FloatingPointError
        except FloatingPointError:
            raise ValueError(
                f"{type(self).__name__}: the self-supervised loss became NaN or infinite; lower "
                f"adapt_learning_rate={self.adapt_learning_rate:g}."
            ) from None
        adaptation = replace(
            past,
            scope=self.adapt_scope,
            training=trainer.state(),
            window=last_rows(seen, int(self.adapt_window)),
            n_transitions=past.n_transitions + len(rows),
            losses=np.append(past.losses, losses)[-LONGEST:],
        )
        return replace(before, weights=weights), adaptation

    def _scaled(self, rows: Rows[NDArray]) -> Rows[NDArray]:
        """Return transitions as the network takes them in training, as arrays."""
        setup = self._setup
        X = self._input_tensor(setup, rows.X)
        extra = setup.extra_tensors(rows, partial(self._input_tensor, setup), X)
        arrays = {name: values.cpu().numpy() for name, values in extra.items()}
        return Rows(X.cpu().numpy(), rows.y, None, arrays)

    def reset(self) -> Self:
        """Return to the policy as `fit` left it, and forget the transitions since then.

        Returns
        -------
        self : object
            The estimator.
        """
        check_is_fitted(self)
        source = replace(self._fitted, weights=dict(self._adaptation.source))
        return Fitting(self, resume=True).publish(_attributes(source))

    def clone_episode(self) -> Self:
        """Return a fitted copy without any adaptation, which adapts by itself: one for each episode, as in the paper.

        Returns
        -------
        policy : object
            Of the same class and parameters. The arrays of the fitted policy are shared, since none is ever written to.
        """
        check_is_fitted(self)
        return copy(self).reset()

    def auxiliary_loss(self, X: Any, *, X_next: Any = None, action: Any = None, episode: Any = None) -> float:
        """Return the mean self-supervised loss of transitions, which needs neither rewards nor the expert.

        The adaptation lowers it. On the rows of training it says what is usual, and a high value after deployment that
        something has changed. Nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Observations.

        X_next, action, episode : array-like, default=None
            As in `partial_fit`.

        Returns
        -------
        loss : float
            For "inverse" half the mean squared error of the standardised actions, or the log loss of their labels; for
            "rotation" the log loss of the turns.
        """
        check_is_fitted(self)
        setup = self._setup
        rows = deployed_rows(self, setup, X, {"X_next": X_next, "action": action, "episode": episode})
        with own_modes():
            network = self._network_of(self._fitted.architecture, self._fitted.weights).eval()
        return setup.mean_loss(network, rows)


def _attributes(fitted: FittedNetwork) -> dict[str, Any]:
    """Return the attributes of an estimator that has not adapted."""
    adaptation = Adaptation.before_the_first(fitted.weights, fitted.training)
    of_target = {name: v for name, v in fitted.setup.target.attributes().items() if name != "temperature_"}
    return {
        **of_target,
        "loss_curve_": list(fitted.history.losses),
        "loss_": fitted.history.losses[-1],
        "n_iter_": len(fitted.history.losses),
        **adaptation.attributes(),
        "_adaptation": adaptation,
        "_fitted": fitted,
    }
