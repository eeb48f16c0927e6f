"""Early stopping: when to end training, and which weights to keep."""

import numpy as np
from torch import nn

from skpapers._torch.flat import restore, snapshot


class EarlyStopping:
    """Keep the best weights, and say when `patience` epochs in a row did not improve on them by `tol`.

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
        self.network, self.patience, self.tol = network, patience, tol
        self.best_score, self.best_epoch, self.epoch, self.waited = -np.inf, 0, 0, 0
        self.reference, self.saved = -np.inf, snapshot(network)

    def update(self, score: float) -> bool:
        """Take the score of an epoch, greater is better, and return whether to stop."""
        self.epoch += 1
        if score > self.best_score:
            self.best_score, self.best_epoch, self.saved = score, self.epoch, snapshot(self.network)
        improved = score > self.reference + self.tol
        self.waited = 0 if improved else self.waited + 1
        self.reference = max(self.reference, score) if improved else self.reference
        return self.waited >= self.patience

    def restore(self) -> None:
        """Bring the best weights back."""
        restore(self.network, self.saved)
