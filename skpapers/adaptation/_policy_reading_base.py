"""Reading transitions and actions, and the setup that knows how a self-supervised head uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor, nn

from skpapers._labels import label_values, missing_labels
from skpapers._torch.chunks import chunk_length, network_inputs
from skpapers._torch.inputs import Inputs
from skpapers._torch.rows import Rows
from skpapers._torch.setup import Setup
from skpapers._torch.state import number_tensor, own_precision
from skpapers._torch.steps import Batch
from skpapers._torch.targets import LARGEST_TARGET, Classes, Numbers, Target
from skpapers._warnings import warn_user
from skpapers.adaptation._policy_adaptation_during_deployment import (
    TURNS,
    Auxiliary,
    inverse_losses,
    n_turns,
    rotation_losses,
)


@dataclass(frozen=True, eq=False)
class PolicySetup(Setup):
    """A setup with the self-supervised task.

    Parameters
    ----------
    auxiliary : {"inverse", "rotation"}
        The task.

    actions : Target or None
        How actions become targets of inverse dynamics. None: no transition was seen.
    """

    auxiliary: str
    actions: Target | None

    def losses(self) -> Auxiliary:
        """Return the self-supervised loss of each row."""
        if self.auxiliary == "rotation":
            return rotation_losses
        if self.actions is None:
            return lambda network, batch: batch.X.new_zeros(len(batch.X))
        return inverse_losses(self.actions.loss())

    def n_auxiliary(self) -> int:
        """Return the width of the output of the self-supervised head."""
        if self.auxiliary == "rotation":
            return n_turns(self.inputs.known_shape)
        return 1 if self.actions is None else self.actions.output_shape[0]

    def extra_tensors(self, rows: Rows[NDArray], inputs: Callable[[NDArray], Tensor], X: Tensor) -> dict[str, Tensor]:
        """Return successors as the network takes them and actions as their loss does; nothing for rotations."""
        if self.actions is None:
            return {}
        return {
            "X_next": inputs(rows.extra["X_next"]).reshape(X.shape),
            "action": _action_tensor(self.actions, rows.extra["action"], X),
            "linked": torch.from_numpy(rows.extra["linked"]).to(X),
        }

    @own_precision()
    def mean_loss(self, network: nn.Module, rows: Rows[NDArray]) -> float:
        """Return the mean self-supervised loss of a network in float64, a part of the rows at a time."""
        inputs = network_inputs(self.scaling_layer(), torch.device("cpu"), torch.float64)
        length = max(1, chunk_length(network) // TURNS)
        total = 0.0
        with torch.no_grad():
            for start in range(0, len(rows), length):
                part = rows.take(np.arange(start, min(start + length, len(rows))))
                X = inputs(part.X).reshape(-1, *self.inputs.known_shape)
                batch = Batch(X, X, None, X, (), self.extra_tensors(part, inputs, X))
                total += self.losses()(network, batch).sum().item()
        return total / len(rows)


def with_transitions(
    blank: BaseEstimator, setup: Setup, rows: Rows[NDArray], auxiliary: str, given: Mapping[str, Any]
) -> tuple[PolicySetup, Rows[NDArray]]:
    """Return a setup with the self-supervised task, and training rows with their transitions.

    Parameters
    ----------
    blank : estimator
        It has validated X.

    setup, rows : Setup, Rows
        Without the self-supervised task.

    auxiliary : {"inverse", "rotation"}
        The task.

    given : mapping of str to array-like or None
        `X_next`, `action` and `episode`.
    """
    shape = setup.inputs.known_shape
    if auxiliary == "rotation" and len(shape) == 3 and shape[1] not in (1, shape[2]):
        raise ValueError(f'auxiliary="rotation" needs square images; those of image_shape={shape} are not.')
    without = PolicySetup(setup.inputs, setup.target, setup.scaling, setup.mean_weight, setup.settings, auxiliary, None)
    if auxiliary == "rotation":
        return without, rows
    found = _transitions(blank, setup.inputs, rows.X, given)
    action = given["action"]
    if found is None:
        if action is not None:
            raise ValueError("action belongs to a transition: give X_next or episode as well.")
        return without, rows
    X_next, linked = found
    actions, codes = _expert(setup.target, rows.y) if action is None else _read(setup.target, None, action, len(rows))
    counted = linked if rows.weight is None else linked & (rows.weight > 0)
    if not counted.any():
        warn_user(
            "No row is followed by another one of its episode, or none with a weight above 0: inverse dynamics are not "
            "learned, and the policy cannot adapt."
        )
        return without, rows
    actions = actions.fitted(codes[counted], None if rows.weight is None else rows.weight[counted], 0)
    codes = np.where(linked.reshape(-1, *[1] * (codes.ndim - 1)), codes, codes[linked][:1])  # the others are not used
    extra = {"X_next": X_next, "action": codes, "linked": linked.astype(np.float64)}
    return replace(without, actions=actions), replace(rows, extra=extra)


def deployed_rows(fitted: BaseEstimator, setup: PolicySetup, X: Any, given: Mapping[str, Any]) -> Rows[NDArray]:
    """Return the transitions among rows seen after the fit, whose y is not known."""
    flat = validate_data(fitted, setup.inputs.read(X)[1], dtype=np.float64, order="C", reset=False)
    nothing = np.zeros(len(flat))
    if setup.auxiliary == "rotation":
        return Rows(flat, nothing)
    if setup.actions is None:
        raise ValueError("fit saw no transitions, so that inverse dynamics are unknown: give it X_next or episode.")
    found = _transitions(fitted, setup.inputs, flat, given)
    if found is None or given["action"] is None:
        raise ValueError('auxiliary="inverse" needs action, and X_next or episode, with the rows of each call.')
    X_next, linked = found
    if not linked.any():
        raise ValueError("No row is followed by another one of its episode; give X_next, or more rows.")
    codes = _read(setup.target, setup.actions, given["action"], len(flat))[1]
    extra = {"X_next": X_next, "action": codes, "linked": linked.astype(np.float64)}
    return Rows(flat, nothing, None, extra).where(linked)


def next_rows(episode: Any, n: int) -> NDArray[np.int_]:
    """Return the number of the next row of the same episode for each of n rows; the last one of an episode is its own.

    Rows of several episodes may take turns, as in a table sorted by time.

    Parameters
    ----------
    episode : object or array-like of shape (n,)
        Id of each row's episode, or one id for all rows: numbers, strings or dates.

    n : int
        Number of rows, in the order of time within each episode.

    Raises
    ------
    ValueError
        If there is not one id for each row, or if one is missing.
    """
    ids = label_values(episode)
    if ids.ndim == 0:
        ids = np.repeat(ids[np.newaxis], n)
    if ids.shape != (n,):
        raise ValueError(f"episode has shape {ids.shape}; it must hold one id for each of the {n} rows, or be one id.")
    if missing_labels(ids).any():
        raise ValueError("episode has a missing id; each row needs one.")
    following = np.arange(n)
    first: dict[Any, int] = {}  # of each episode, among the rows from i on
    for i, row_id in reversed(list(enumerate(ids.tolist()))):
        following[i] = first.get(row_id, i)
        first[row_id] = i
    return following


def _transitions(
    estimator: BaseEstimator, inputs: Inputs, X: NDArray, given: Mapping[str, Any]
) -> tuple[NDArray, NDArray[np.bool_]] | None:
    """Return the row after each row, and whether there is one; None if nothing says which rows follow."""
    following = None if given["episode"] is None else next_rows(given["episode"], len(X))
    if given["X_next"] is not None:
        return _read_next(estimator, inputs, given["X_next"], X), np.ones(len(X), dtype=bool)
    return None if following is None else (X[following], following > np.arange(len(X)))


def _read_next(estimator: BaseEstimator, inputs: Inputs, X_next: Any, X: NDArray) -> NDArray:
    flat = inputs.read(X_next)[1]
    if hasattr(flat, "columns") and len(flat.columns) == X.shape[1]:  # their names are compared with those of X
        flat = validate_data(estimator, flat, dtype=np.float64, order="C", reset=False)
    else:
        flat = check_array(flat, dtype=np.float64, order="C", input_name="X_next")
    if flat.shape != X.shape:
        raise ValueError(f"X_next has {len(flat)} rows of {flat.shape[1]} values, and X {len(X)} of {X.shape[1]}.")
    return flat


def as_tensors(rows: Rows[NDArray], device: torch.device, dtype: torch.dtype) -> Rows[Tensor]:
    """Return rows on a device: numbers in the network's dtype, and codes of classes as integers."""
    extra = {name: number_tensor(values, device, dtype) for name, values in rows.extra.items()}
    return Rows(number_tensor(rows.X, device, dtype), number_tensor(rows.y, device, dtype), None, extra)


def _expert(target: Target, y: NDArray) -> tuple[Target, NDArray]:
    """Return the expert's actions as those that were taken."""
    return (Classes(classes=target.known) if isinstance(target, Classes) else Numbers(n_outputs=y.shape[1])), y


def _read(target: Target, known: Target | None, action: Any, n: int) -> tuple[Target, NDArray]:
    """Return how actions become targets, and the actions as numbers."""
    if isinstance(target, Classes):
        values = _action_labels(action)
        if known is None:
            check_classification_targets(values)
        classes = known.known if isinstance(known, Classes) else np.unique(values)
        unknown = np.setdiff1d(values, classes).tolist()
        if unknown:
            raise ValueError(f"action holds {unknown[0]!r}, and fit saw the actions {classes.tolist()}.")
        found: Target = Classes(classes=classes)
        codes = np.searchsorted(classes, values)
    else:
        codes = check_array(action, ensure_2d=False, dtype=np.float64, input_name="action")
        codes = codes[:, None] if codes.ndim == 1 else codes
        width = known.n_outputs if isinstance(known, Numbers) else codes.shape[1]
        if codes.shape[1] != width:
            raise ValueError(f"action has {codes.shape[1]} columns, and fit saw {width}.")
        if len(codes) and np.abs(codes).max() > LARGEST_TARGET:
            raise ValueError(f"action holds values above {LARGEST_TARGET:.0e}.")
        found = Numbers(n_outputs=width)
    if len(codes) != n:
        raise ValueError(f"action has {len(codes)} entries, and X has {n} rows.")
    return found, codes


def _action_labels(action: Any) -> NDArray:
    """Return actions as an array of labels."""
    if missing_labels(label_values(action)).any():
        raise ValueError("Input action contains NaN: each row needs the action that led to the next one.")
    shape = np.shape(action)
    if len(shape) != 1 and shape[1:] != (1,):
        raise ValueError(f"action has shape {shape}; it must hold one label for each row.")
    return column_or_1d(action)


def _action_tensor(actions: Target, codes: NDArray, X: Tensor) -> Tensor:
    """Return actions as their loss takes them, in the dtype of X and on its device."""
    try:
        return actions.tensor(codes, X.device, X.dtype)
    except ValueError:
        largest = np.abs(codes).max()
        raise ValueError(f"action holds values as large as {largest:.3g}, too many times their scale in fit.") from None
