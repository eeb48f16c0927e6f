"""What a training starts from: shape of the rows, target, statistics, settings."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.inputs import Inputs
from skpapers._torch.predictor import Predictor
from skpapers._torch.rows import Rows
from skpapers._torch.running import ENOUGH, MeanWeight, mean_weight
from skpapers._torch.scaled_columns import Scaling
from skpapers._torch.settings import Settings
from skpapers._torch.targets import Target


@dataclass(frozen=True, eq=False)
class Setup:
    """What is known before the first step.

    Parameters
    ----------
    inputs : Inputs
        The shape of a row.

    target : Target
        What the outputs mean.

    scaling : Scaling
        Of the inputs.

    mean_weight : MeanWeight
        What counts as a weight of 1.

    settings : Settings
        Of this training.
    """

    inputs: Inputs
    target: Target
    scaling: Scaling
    mean_weight: MeanWeight
    settings: Settings

    def scaling_layer(self) -> nn.Module | None:
        """Return the first, fixed layer, which takes flat rows."""
        return self.inputs.scaled(self.scaling.layer())

    def predictor(self, network: nn.Module) -> Predictor:
        """Return what maps flat raw rows to outputs in the units of the target."""
        shape = self.inputs.known_shape
        return Predictor(
            self.scaling_layer(),
            network,
            self.target.combine,
            self.target.units(),
            single=self.target.output_shape == (1,),
            row_shape=shape if len(shape) > 1 else None,
        )


@dataclass(frozen=True, eq=False)
class Run:
    """One training of a network, as its objective, gradient, update and schedule see it.

    Parameters
    ----------
    setup : Setup
        What is known before the first step.

    n_steps : int or None
        Number of steps; None in a call of `partial_fit`.

    memory : dict of str to Tensor
        What they remember from step to step. It is saved with the model, and the next `partial_fit` starts with it.
    """

    setup: Setup
    n_steps: int | None
    memory: dict[str, Tensor] = field(default_factory=dict)


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
    inputs = setup.inputs.fitted(rows.X)
    table = inputs.by_channel(rows.X)
    per_row = len(table) // len(rows)
    weight = rows.weight if rows.weight is None or per_row == 1 else np.repeat(rows.weight, per_row)
    scaling = setup.scaling.fitted(table, weight, enough, missing=inputs.allow_nan)
    target = setup.target.fitted(rows.y, rows.weight, enough)
    return replace(setup, inputs=inputs, scaling=scaling, target=target, mean_weight=mean)
