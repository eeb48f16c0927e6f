"""The interface of the solvers of a working set's program.

Every solver is a function with the signature of `Method`: `newton`, `fista`, `newton_squared`, `block_descent` and
`interior_point`, each in the file of its name.
"""

from dataclasses import dataclass
from typing import Protocol

from skpapers.convex._clock import Clock
from skpapers.convex._program import Point, Program


@dataclass(frozen=True)
class Outcome:
    """What a solver returns.

    Parameters
    ----------
    n_iter : int
        Iterations that it took.

    useful : bool
        False if another method should continue, because iterations ran out or no longer lower the objective.
    """

    n_iter: int
    useful: bool


class Method(Protocol):
    """A solver of the program of the pool.

    Parameters
    ----------
    program : Program

    point : Point
        Where to start. The solver replaces its neurons and intercepts.

    alpha : float

    goal : float
        Absolute duality gap over the patterns of the pool at which to stop.

    max_iter : int
        Most iterations, at least 1.

    clock : Clock
        When its time is over, the solver returns after the iteration that it is in.
    """

    def __call__(
        self, program: Program, point: Point, alpha: float, goal: float, max_iter: int, clock: Clock
    ) -> Outcome: ...
