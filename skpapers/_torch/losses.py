"""Losses of each row: outputs (..., b, units) and targets to (..., b)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
HUBER_DELTA = 1.35  # scales of the target: 95 % as efficient as least squares for normal errors


def log_odds(outputs: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of one logit and a probability."""
    return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), y, reduction="none")


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Return the cross-entropy of logits, with targets that are classes or rows of probabilities."""

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        y_flat = y.flatten(0, -2) if y.ndim == outputs.ndim else y.flatten()
        losses = F.cross_entropy(outputs.flatten(0, -2), y_flat, reduction="none", label_smoothing=label_smoothing)
        return losses.view(outputs.shape[:-1])

    return loss


def _squared_error(quantile: float) -> Loss:
    return lambda outputs, y: 0.5 * (outputs - y).square().mean(dim=-1)


def _absolute_error(quantile: float) -> Loss:
    return lambda outputs, y: (outputs - y).abs().mean(dim=-1)


def _huber(quantile: float) -> Loss:
    return lambda outputs, y: F.huber_loss(outputs, y, reduction="none", delta=HUBER_DELTA).mean(dim=-1)


def quantiles(levels: tuple[float, ...]) -> Loss:
    """Return the mean pinball loss of outputs (..., b, horizon, n_levels) and targets (..., b, horizon)."""

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        over = y.unsqueeze(-1) - outputs
        level = torch.tensor(levels, dtype=outputs.dtype, device=outputs.device)
        return torch.maximum(level * over, (level - 1.0) * over).mean(dim=(-1, -2))

    return loss


def _quantile(quantile: float) -> Loss:
    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        over = y - outputs
        return torch.maximum(quantile * over, (quantile - 1.0) * over).mean(dim=-1)

    return loss


REGRESSION: dict[str, Callable[[float], Loss]] = {
    "squared_error": _squared_error,
    "absolute_error": _absolute_error,
    "huber": _huber,
    "quantile": _quantile,
}
