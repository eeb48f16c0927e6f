"""Columns that quartiles do not describe: flags, zeros with a heavy tail. Their values are scaled by rank.

A value goes to the normal quantile of its mid-rank,

    x -> Phi^-1(F(x)),    F(x) = (W(rows <= x) - W(rows = x) / 2) / W,

W being the sum of the row weights. The map is piecewise linear between at most `MAX_KNOTS` of the values seen, and
constant beyond the first and the last of them: an outlier is one rank above its neighbour, however large it is.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

MAX_KNOTS = 256
SMALLEST = 1e-290
LARGEST = 1e290
NEXT_TO_ONE = 1.0 - 2.0**-53  # rows of hardly any weight have ranks that round to 1, whose normal quantile is infinite
HEAVY = 10.0  # q99 - q1 in interquartile ranges from which a tail counts as heavy; 3.4 for a normal variable


def needs_ranks(first: NDArray, low: NDArray, high: NDArray, last: NDArray) -> NDArray:
    """Return the columns of equal quartiles or heavy tails, from their percentiles 1, 25, 75 and 99.

    Ranks serve too where the interquartile range is too small or too large to be divided by.
    """
    with np.errstate(over="ignore"):
        spread = high - low
        heavy = last / HEAVY - first / HEAVY > spread
    return heavy | ~((spread > SMALLEST) & (spread < LARGEST))


def rank_knots(x: NDArray, weight: NDArray | None) -> tuple[NDArray, NDArray]:
    """Return values of the column in increasing order, and what each is mapped to.

    Weights are repeated rows, and a common factor changes nothing.
    """
    knots, group = np.unique(x, return_inverse=True)
    mass = np.bincount(group, weights=None if weight is None else weight / weight.max())
    counts = mass > 0
    knots = knots[counts]
    mass = mass[counts]
    ranks = (np.cumsum(mass) - mass / 2.0) / mass.sum()
    if len(knots) > MAX_KNOTS:
        levels = np.linspace(ranks[0], ranks[-1], MAX_KNOTS)
        # the margin is far above the rounding of the ranks: weights choose the values that repeated rows choose
        chosen = np.unique(np.searchsorted(ranks, levels - 1e-9))
        knots = knots[chosen]
        ranks = ranks[chosen]
    return knots, ndtri(np.clip(ranks, 1.0 - NEXT_TO_ONE, NEXT_TO_ONE))
