"""What the fits of convex networks hand from function to function: rows, the search for patterns, and its progress."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from skpapers._fitting import Fitting
from skpapers.convex._convex_relu_data import Data
from skpapers.convex._duality import Certificate
from skpapers.convex._program import Point, Program
from skpapers.convex._sampled_program import alpha_max

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSet:
    """Validated rows, the targets as the loss takes them, the weights of rows, and the name of the loss."""

    X: Array
    Y: Array
    weight: Array | None
    loss: str


@dataclass
class Search:
    """A sampled program, which grows from fit to fit, and the point that the next fit of it starts from.

    Parameters
    ----------
    data : Data

    program : Program

    gates : ndarray of shape (d, P)
        The gates of its patterns, for rows as they came.

    random_state : RandomState
        Draws the starts of searches for missing patterns.

    point : Point, default=None
        None starts from the empty model.
    """

    data: Data
    program: Program
    gates: Array
    random_state: np.random.RandomState
    point: Point | None = None

    def __post_init__(self) -> None:
        self.alpha_max = alpha_max(self.program)  # of the patterns drawn, before more are added


class Progress:
    """Keeps what the solver reports of each look at all patterns.

    Parameters
    ----------
    fitting : Fitting, default=None
        Each look is reported as a step of this fit; None reports nothing.
    """

    def __init__(self, fitting: Fitting | None = None) -> None:
        self.fitting = fitting
        self.start = perf_counter()
        self.history: list[dict[str, float]] = []

    def __call__(self, certificate: Certificate, n_iter: int, n_patterns: int) -> None:
        figures = {
            "objective": certificate.objective,
            "lower_bound": certificate.lower_bound,
            "gap": certificate.gap,
            "n_iter": n_iter,
            "n_patterns": n_patterns,
        }
        self.history.append(figures | {"seconds": perf_counter() - self.start})
        if self.fitting is not None:
            with self.fitting.step("round", len(self.history)) as step:
                step.figures = figures
