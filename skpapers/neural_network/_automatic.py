"""What "auto" means for the training of a network, as a function of the number of rows.

Up to `FEW` rows a network is trained in small batches, for many epochs, with two passes in each step. From `MANY` rows
on, larger batches at a higher rate reach the same score in a fraction of the time. Between the two every setting moves
geometrically with the number of rows.
"""

from dataclasses import dataclass
from math import log

from skpapers._torch.settings import Settings

FEW = 4000
MANY = 8000


@dataclass(frozen=True)
class SAMSettings(Settings):
    """Settings of a training.

    Parameters
    ----------
    sam_fraction : float
        Share of the steps, the last ones, that take the second pass.
    """

    sam_fraction: float


def automatic_settings(n: int) -> SAMSettings:
    """Return the settings for n rows: 64, 0.005, 60 and 1 for few of them, 256, 0.015, 36 and 0.1 for many."""
    t = min(max(log(n / FEW) / log(MANY / FEW), 0.0), 1.0)
    return SAMSettings(round(64 * 4.0**t), 0.005 * 3.0**t, round(60 * 0.6**t), 0.1**t)
