"""The three places where a method takes part in the training loop: objective, gradient and update.

An **objective** ``(network, batch) -> losses`` is what is minimised: the mean loss of a batch, of shape () for one
network, of shape (K,) for K stacked members. A **gradient** ``(network, objective, batch) -> losses`` overwrites
``.grad`` and returns the losses; :func:`backward` is the plain one. An **update**
``(network, optimizer) -> None`` applies what the gradient left. Each is a function, and wraps another:

- sharpness-aware minimisation is a gradient that calls an inner gradient twice (`sam.py`);
- mixing inside the batch is an objective around an objective (`mixup.py`), so is a self-supervised loss added to one;
- gradient surgery calls the inner gradient once for each task, with ``batch.replace(weight=...)``, and combines;
- adversarial pairs fill the ``.grad`` of each parameter group from its own loss;
- gradient projection projects the step that is applied, which differs from the gradient if the optimiser has momentum.

What such a function has to remember is in one dictionary of tensors, `memory`. The estimator creates it, and gives it
to the function and to the trainer. It is saved with the optimiser, and the next `partial_fit` continues with it.

``network.parameter_groups()`` returns the parameters that learn. Everything random inside a step comes from
`batch.generators`, one for each member: :meth:`Batch.random_state` and :meth:`Batch.rewind` let a gradient evaluate the
same batch twice with the same masks and partners. `tests/_torch/test_seams.py` has a small example of each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from skpapers._torch.networks import Generators
from skpapers._torch.optimizers import Optimizer


@dataclass(slots=True)
class Batch:
    """Rows of one step; K stacked members have rows of their own, and a leading axis of length K.

    Parameters
    ----------
    X, y : Tensor of shape (b, ...) or (K, b, ...)
        Inputs as the network takes them, and targets as the objective takes them.

    weight : Tensor of shape (b,) or (K, b), or None
        Row weights of mean 1 over the training rows; None where all are 1.

    indices : Tensor of shape (b,) or (K, b)
        Row numbers in the training data.

    generators : tuple of torch.Generator
        One for each member.

    extra : dict of str to Tensor of shape (b, ...) or (K, b, ...), default={}
        What else the rows have: see :class:`skpapers._torch.rows.Rows`.
    """

    X: Tensor
    y: Tensor
    weight: Tensor | None
    indices: Tensor
    generators: Generators
    extra: Mapping[str, Tensor] = field(default_factory=dict)

    def replace(self, **changes: Any) -> "Batch":
        """Return a copy with other tensors."""
        return replace(self, **changes)

    def random_state(self) -> list[Tensor]:
        """Return the state of the generators."""
        return [generator.get_state() for generator in self.generators]

    def rewind(self, state: list[Tensor]) -> None:
        """Let the generators draw again what they drew since `state`."""
        for generator, value in zip(self.generators, state, strict=True):
            generator.set_state(value)


Objective = Callable[[nn.Module, Batch], Tensor]
Gradient = Callable[[nn.Module, Objective, Batch], Tensor]
Update = Callable[[nn.Module, Optimizer], None]


def supervised(loss: Callable[[Tensor, Tensor], Tensor]) -> Objective:
    """Return the weighted mean of a loss of each row, ``loss(output, y)``."""

    def objective(network: nn.Module, batch: Batch) -> Tensor:
        losses = loss(network(batch.X), batch.y)
        return (losses if batch.weight is None else losses * batch.weight).mean(dim=-1)

    return objective


def backward(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
    """Put the plain gradient into ``.grad``, and return the losses."""
    losses = objective(network, batch)
    parameters = network._learning
    total = losses.sum() if losses.ndim else losses  # members share nothing: the sum has the gradient of each
    found = torch.autograd.grad(total, parameters, materialize_grads=True)  # type: ignore[arg-type]
    for parameter, gradient in zip(parameters, found, strict=True):  # type: ignore[arg-type]
        parameter.grad.copy_(gradient)
    return losses.detach()


def switched(first: Gradient, then: Gradient, n_first: int) -> Gradient:
    """Return a gradient that is `first` in its first `n_first` steps, and `then` afterwards."""
    step = count()

    def gradient(network: nn.Module, objective: Objective, batch: Batch) -> Tensor:
        return (first if next(step) < n_first else then)(network, objective, batch)

    return gradient


def apply_step(network: nn.Module, optimizer: Optimizer) -> None:
    """Let the optimiser apply the gradient."""
    optimizer.step()
