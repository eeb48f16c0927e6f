"""The models that the claims about linear-time attention compare, and one fit of one of them."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers.attention import (
    FLASHClassifier,
    FLASHRegressor,
    PerformerClassifier,
    PerformerRegressor,
    RFAClassifier,
    RFARegressor,
)

METHODS = {"performer": "Performer", "rfa": "RFA", "flash": "FLASH"}
PERFORMERS = (PerformerClassifier, PerformerRegressor)
CLASSES: dict[str, tuple[Any, Any]] = {
    "performer": PERFORMERS,
    "rfa": (RFAClassifier, RFARegressor),
    "flash": (FLASHClassifier, FLASHRegressor),
    "softmax": PERFORMERS,
}


class Nothing(nn.Module):
    """In the place of attention: positions do not see one another."""

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        return torch.zeros_like(x)

    def last(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        return torch.zeros_like(x[:, 0])

    def draw(self, generator: torch.Generator) -> None:
        """Draw nothing."""

    def row_size(self, length: int) -> int:
        return 0


class PooledClassifier(PerformerClassifier):
    """The same network without attention."""

    def _linear_attention(self, *_: Any) -> nn.Module:
        return Nothing()


class PooledRegressor(PerformerRegressor):
    """The same network without attention."""

    def _linear_attention(self, *_: Any) -> nn.Module:
        return Nothing()


def model(method: str, task: str, seed: int, **settings: Any) -> Any:
    """Return an estimator with its own defaults, but for `settings`.

    Parameters
    ----------
    method : {"performer", "rfa", "flash", "softmax", "no attention"}
        The first two have linear attention at any length. "softmax" is the Performer's network with exact attention,
        and "no attention" that network without any.

    task : {"classification", "regression"}

    seed : int

    **settings
        Parameters of the estimator.
    """
    pair = {**CLASSES, "no attention": (PooledClassifier, PooledRegressor)}[method]
    if method != "flash":
        settings = {"attention": "softmax" if method == "softmax" else "linear", **settings}
    return pair[task == "regression"](**settings, random_state=seed, device="cpu")


@dataclass(frozen=True)
class Run:
    """One fit: accuracy or R² on test rows, and CPU seconds of the fit on one thread."""

    score: float
    spent: float


def run(fitted: Any, X: NDArray, y: NDArray, X_test: NDArray, y_test: NDArray) -> Run:
    """Fit a model on one thread, and score it."""
    torch.set_num_threads(1)
    start = time.process_time()
    fitted.fit(X, y)
    spent = time.process_time() - start
    return Run(float(fitted.score(X_test, y_test)), spent)


def scores(runs: list[Run]) -> NDArray[np.float64]:
    return np.array([one.score for one in runs])


def score_cell(runs: list[Run], digits: int = 3) -> str:
    """Return mean and range of the scores."""
    found = scores(runs)
    if len(found) == 1:
        return f"{found[0]:.{digits}f}"
    return f"{found.mean():.{digits}f} ({found.min():.{digits}f} to {found.max():.{digits}f})"


def seconds_cell(runs: list[Run]) -> str:
    return f"{np.median([one.spent for one in runs]):.1f} s"
