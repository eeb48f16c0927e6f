"""A fitted network in numpy: what prediction needs, and what the next call of `partial_fit` starts from."""

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from skpapers._torch.setup import Setup
from skpapers._torch.stopping import EarlyStopping
from skpapers._torch.targets import Target

Architecture = dict[str, Any]  # keyword arguments of the network
Arrays = dict[str, NDArray]


@dataclass(frozen=True)
class History:
    """What was measured after each epoch.

    Parameters
    ----------
    losses : tuple of float
        Mean training loss, over rows and members.

    scores : tuple of float or None
        Of the validation rows; None without early stopping.

    best_score : float or None
        The best of them.

    best_epoch : int or None
        Its epoch, from 1.
    """

    losses: tuple[float, ...] = ()
    scores: tuple[float, ...] | None = None
    best_score: float | None = None
    best_epoch: int | None = None

    def after(self, loss: float, score: float | None) -> "History":
        """Return the history after one more epoch."""
        scores = self.scores if score is None else (*(self.scores or ()), score)
        return replace(self, losses=(*self.losses, loss), scores=scores)

    def judged_by(self, stopper: EarlyStopping | None) -> "History":
        """Return the history with the best epoch, if one was chosen."""
        if stopper is None:
            return self
        return replace(self, best_score=stopper.best_score, best_epoch=stopper.best_epoch)

    def figures(self) -> dict[str, float]:
        """Return what the last epoch measured."""
        loss = {"loss": self.losses[-1]}
        return loss if self.scores is None else {**loss, "validation_score": self.scores[-1]}

    def attributes(self) -> dict[str, Any]:
        """Return the public attributes."""
        return {
            "loss_curve_": list(self.losses),
            "loss_": self.losses[-1],
            "n_iter_": len(self.losses),
            "validation_scores_": None if self.scores is None else list(self.scores),
            "best_validation_score_": self.best_score,
            "best_iter_": self.best_epoch,
        }


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network after training.

    Parameters
    ----------
    setup : Setup
        What was known before the first step.

    architecture : dict
        What the network is built from; parameters of the estimator may have changed since.

    weights : dict of str to ndarray
        Parameters and buffers by name.

    training : dict of str to ndarray
        The state of the optimiser, of the generators, and of what the steps remember.

    history : History
        What was measured.
    """

    setup: Setup
    architecture: Architecture
    weights: Arrays
    training: Arrays
    history: History

    def with_target(self, target: Target) -> "FittedNetwork":
        """Return the same network with another meaning of its outputs."""
        return replace(self, setup=replace(self.setup, target=target))

    def attributes(self) -> dict[str, Any]:
        """Return the attributes of the fitted estimator."""
        return {**self.setup.target.attributes(), **self.history.attributes(), "_fitted": self}
