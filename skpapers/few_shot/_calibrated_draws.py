"""The number of rows drawn for each rare class, and the draws (Algorithm 1, line 6) with their weights."""

import numpy as np
from numpy.typing import NDArray

from skpapers.few_shot._distribution_calibration import Calibration, Classes, draw, share_out

Floats = NDArray[np.float64]

# Most rows that "balance" draws for a class if rows can carry weights. Beyond, a drawn row stands for several.
MAX_DRAWN = 10_000


def missing_rows(base: Classes, support: Classes, n_generate: int | str) -> Floats:
    """Return how many rows each rare class lacks: a given number, or up to the median size of a base class."""
    if n_generate != "balance":
        return np.full(len(support.total), float(n_generate))
    if not len(support.total):
        return support.total
    size = np.median(base.total) if len(base.total) else support.total.max()
    return np.maximum(size - support.total, 0.0)


def draw_missing(
    rng: np.random.RandomState, support: Classes, found: Calibration, missing: Floats, at_most: float
) -> tuple[Floats, NDArray, Floats]:
    """Return rows drawn for the rare classes, their labels and weights; no more than `at_most` rows for a class."""
    n_drawn = np.minimum(np.ceil(missing - 1e-9), at_most).astype(np.intp)
    counts = share_out(n_drawn, support.weight, support.codes)
    drawn = draw(rng, found, counts)
    codes = np.repeat(np.arange(len(n_drawn)), n_drawn)
    each = np.divide(missing, n_drawn, out=np.ones(len(missing)), where=n_drawn > 0)
    return drawn, support.labels[codes], each[codes]
