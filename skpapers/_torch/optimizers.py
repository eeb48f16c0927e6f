"""Fused optimisers of a few large blocks.

They are the ones of `torch.optim` with ``fused=True``, to the last bit, without what a step of those spends on lists of
parameters, hooks and profiling: with small networks that is a quarter of a training step.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Optimizer:
    """What both have in common: groups with options of their own, and a state for each block.

    Parameters
    ----------
    groups : list of dict
        Each with one block as `params`, and with `weight_decay`.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {group["params"][0]: {} for group in groups}

    def step(self) -> None:
        """Apply the gradients."""
        for group in self.param_groups:
            (block,) = group["params"]
            state = self.state[block]
            if not state:
                state |= self.start(block)
            self._apply(block.data, block.grad, state, group)

    def start(self, block: Tensor) -> dict[str, Tensor]:
        """Return the state of a block before the first step."""
        raise NotImplementedError

    def _apply(self, block: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        raise NotImplementedError


class Adam(Optimizer):
    """Adam with an L2 penalty, or `decoupled` weight decay (AdamW)."""

    def __init__(
        self, groups: list[dict[str, Any]], *, decoupled: bool, betas: tuple[float, float], eps: float
    ) -> None:
        super().__init__(groups)
        self.fused = torch._fused_adamw_ if decoupled else torch._fused_adam_
        self.options: dict[str, Any] = {
            "beta1": betas[0],
            "beta2": betas[1],
            "eps": eps,
            "amsgrad": False,
            "maximize": False,
        }

    def start(self, block: Tensor) -> dict[str, Tensor]:
        first = torch.zeros_like(block)
        second = torch.zeros_like(block)
        return {
            "step": torch.zeros((), dtype=torch.float32, device=block.device),
            "exp_avg": first,
            "exp_avg_sq": second,
        }

    def _apply(self, block: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        step = state["step"]
        first = state["exp_avg"]
        second = state["exp_avg_sq"]
        step += 1
        decay = group["weight_decay"]
        self.fused(
            [block], [gradient], [first], [second], [], [step], lr=group["lr"], weight_decay=decay, **self.options
        )


class SGD(Optimizer):
    """Gradient descent with momentum and an L2 penalty."""

    def __init__(self, groups: list[dict[str, Any]], *, momentum: float, nesterov: bool) -> None:
        super().__init__(groups)
        self.options = {
            "momentum": momentum,
            "nesterov": nesterov and momentum > 0,
            "dampening": 0.0,
            "maximize": False,
        }

    def start(self, block: Tensor) -> dict[str, Tensor]:
        return {"momentum_buffer": torch.zeros_like(block)}

    def _apply(self, block: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        buffer = state["momentum_buffer"]
        options = self.options
        torch._fused_sgd_(
            [block],
            [gradient],
            [buffer] if options["momentum"] else [],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            is_first_step=False,  # a buffer of zeros becomes the first gradient
            **options,  # type: ignore[call-overload]
        )


def make_optimizer(
    groups: list[dict[str, Any]],
    solver: str,
    *,
    alpha: float = 0.0,
    momentum: float = 0.9,
    nesterov: bool = True,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> Optimizer:
    """Return the optimiser of the groups; `alpha` is decoupled weight decay for "adamw", an L2 penalty otherwise."""
    groups = [{**group, "weight_decay": alpha * group.get("decay", 1.0)} for group in groups]
    if solver == "sgd":
        return SGD(groups, momentum=momentum, nesterov=nesterov)
    return Adam(groups, decoupled=solver == "adamw", betas=betas, eps=eps)
