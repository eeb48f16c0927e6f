"""Transitions from one observation to the next, and what an adaptation keeps of them between two calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skpapers._torch.rows import Rows

Arrays = Mapping[str, NDArray]
LONGEST = 1000  # losses that are kept


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What a policy in adaptation remembers.

    Parameters
    ----------
    source : dict of str to ndarray
        Weights at the end of the training.

    scope : str
        Which weights adapted last.

    training : dict of str to ndarray
        State of optimiser and generator.

    window : Rows
        The latest transitions, as the network takes them.

    n_transitions : int
        How many there were.

    losses : ndarray
        Self-supervised loss before each of the latest steps.
    """

    source: Arrays
    scope: str
    training: Arrays
    window: Rows[NDArray]
    n_transitions: int = 0
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def before_the_first(cls, weights: Arrays, training: Arrays) -> "Adaptation":
        """Return the state before the first transition: no moments, and the generator of the training draws on."""
        drawing = {name: value for name, value in training.items() if name.startswith("generator.")}
        nothing = np.zeros((0, 0))
        return cls(weights, "", {**drawing, "step": np.array(0)}, Rows(nothing, nothing))

    def training_for(self, scope: str) -> dict[str, NDArray]:
        """Return the state for a scope: the moments of the optimiser restart if it is another one."""
        kept = scope == self.scope
        return {name: value for name, value in self.training.items() if kept or not name.startswith("optimizer.")}

    def attributes(self) -> dict[str, Any]:
        """Return the public attributes."""
        return {"n_adapted_": self.n_transitions, "adaptation_curve_": self.losses}


def last_rows(rows: Rows[NDArray], n: int) -> Rows[NDArray]:
    """Return copies of the last n rows."""
    return rows.apply(lambda values: values[-n:].copy())


def joined(old: Rows[NDArray], new: Rows[NDArray]) -> Rows[NDArray]:
    """Return old rows, if there are any, followed by new ones, without weights."""
    if not len(old):
        return new
    extra = {name: np.concatenate([old.extra[name], values]) for name, values in new.extra.items()}
    return Rows(np.concatenate([old.X, new.X]), np.concatenate([old.y, new.y]), None, extra)
