"""Random panels, and the definition of overlapping labels, pair by pair."""

import numpy as np


def panel(rng, n_times, most):
    """Return the ranks of a panel with 1 to `most` rows per timestamp, in time order."""
    return np.repeat(np.arange(n_times), rng.integers(1, most + 1, n_times))


def overlap(i, j, ranks, ends):
    """Whether the labels of two rows share a timestamp."""
    return ranks[i] <= ends[j] and ranks[j] <= ends[i]


def embargoed(i, j, ranks, ends, embargo):
    """Whether row i starts after row j, and no later than the embargo after its label."""
    return ranks[j] < ranks[i] <= ends[j] + embargo


def blocks(ranks, numbers, n_blocks=6):
    """Return the rows of some of equally long blocks of timestamps."""
    return np.flatnonzero(np.isin(ranks * n_blocks // (ranks.max() + 1), numbers))
