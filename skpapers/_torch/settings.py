"""What governs one training of a network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What governs one training.

    Parameters
    ----------
    batch_size : int
        Rows of a step.

    learning_rate : float
        Before the schedule.

    n_epochs : int
        Visits of every row.
    """

    batch_size: int
    learning_rate: float
    n_epochs: int
