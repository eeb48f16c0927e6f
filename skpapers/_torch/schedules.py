"""Learning-rate schedules: functions of the step, from 0, that return a factor of the learning rate."""

from collections.abc import Callable
from math import cos, pi

Schedule = Callable[[int], float]


def constant(step: int) -> float:
    """Keep the learning rate."""
    return 1.0


def cosine(n_steps: int) -> Schedule:
    """Fall from 1 to 0 over `n_steps` steps along half a period of the cosine, and stay there."""

    def factor(step: int) -> float:
        return 0.5 * (1.0 + cos(pi * min(step / n_steps, 1.0)))

    return factor


def warm_up(n_warm: int, then: Schedule = constant) -> Schedule:
    """Rise linearly over the first `n_warm` steps, the last of which has factor 1, and then follow another schedule."""

    def factor(step: int) -> float:
        return (step + 1) / n_warm if step < n_warm else then(step - n_warm)

    return factor
