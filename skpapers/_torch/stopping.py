"""Early stopping: when to end training, and which weights to keep."""

from math import ceil

import numpy as np
from numpy.typing import NDArray
from torch import nn

from skpapers._torch.flat import restore, snapshot
from skpapers._torch.rows import Rows


class EarlyStopping:
    """Keep the best weights, and stop when `patience` epochs in a row did not improve on them by `tol`.

    Parameters
    ----------
    network : nn.Module
        A flattened network.

    patience : int
        Epochs without improvement to wait for.

    tol : float
        An improvement is larger than this; the weights kept are the best ones all the same.
    """

    def __init__(self, network: nn.Module, patience: int, tol: float) -> None:
        self.network = network
        self.patience = patience
        self.tol = tol
        self.best_score = -np.inf
        self.best_epoch = 0
        self.epoch = 0
        self.waited = 0
        self.reference = -np.inf
        self.saved = snapshot(network)

    def update(self, score: float) -> bool:
        """Take the score of an epoch, greater is better, and return whether to stop."""
        self.epoch += 1
        if score > self.best_score:
            self.best_score = score
            self.best_epoch = self.epoch
            self.saved = snapshot(self.network)
        improved = score > self.reference + self.tol
        self.waited = 0 if improved else self.waited + 1
        self.reference = max(self.reference, score) if improved else self.reference
        return self.waited >= self.patience

    def restore(self) -> None:
        """Bring the best weights back."""
        restore(self.network, self.saved)


def hold_out(rows: Rows[NDArray], fraction: float, order: NDArray) -> tuple[Rows[NDArray], Rows[NDArray]]:
    """Split off the last rows of an order, and return the other rows and these.

    Raises
    ------
    ValueError
        If no row is left to train on, or if all rows held back have weight 0.
    """
    n_held = ceil(fraction * len(rows))
    if n_held >= len(rows):
        raise ValueError(
            f"validation_fraction={fraction} of {len(rows)} rows leaves none to train on; give more rows, X_val and "
            "y_val, or early_stopping=False."
        )
    held = rows.take(np.sort(order[-n_held:]))
    if held.weight is not None and not held.weight.any():
        raise ValueError("All rows held back for early_stopping have weight 0; give X_val and y_val.")
    return rows.take(np.sort(order[:-n_held])), held
