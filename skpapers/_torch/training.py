"""The one mini-batch loop, and the three places where a method takes part in it.

An **objective** ``(network, batch) -> losses`` is what is minimised: the mean loss of a batch, of shape () for one
network, of shape (K,) for K stacked members. A **gradient** ``(network, objective, batch) -> losses`` is how a step
comes about: it overwrites ``.grad`` and returns the losses; :func:`backward` is the plain one. An **update**
``(network, optimizer) -> None`` applies what the gradient left. Each is a function, and wraps another:

- sharpness-aware minimisation is a gradient that calls an inner gradient twice (`neural_network/_sam.py`);
- mixing inside the batch is an objective around an objective (`mixup.py`), so is a self-supervised loss added to one;
- gradient surgery calls the inner gradient once for each task, with ``batch.replace(weight=...)``, and combines;
- adversarial pairs fill the ``.grad`` of each parameter group from its own loss;
- gradient projection projects the step applied, which for optimisers with a memory is another thing than the gradient.

Which parameters learn, in which groups, says ``network.parameter_groups()``. Everything random inside a step comes from
`batch.generators`, one for each member: :meth:`Batch.random_state` and :meth:`Batch.rewind` let a gradient evaluate the
same batch twice with the same masks and partners. `tests/_torch/test_seams.py` has a small example of each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, pairwise
from math import cos, pi
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skpapers._torch.optimizers import SGD, Adam, Optimizer

BLOCK_BYTES = 2**23  # rows are gathered in pieces of about this size: they stay in the cache until their steps are done


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
    """

    X: Tensor
    y: Tensor
    weight: Tensor | None
    indices: Tensor
    generators: tuple[torch.Generator, ...]

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


def n_members(network: nn.Module) -> int:
    """Return the number of stacked members, 1 for a network that knows no members."""
    return getattr(network, "n_members", 1)


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters that learn: matrices with weight decay, vectors without, unless the network has a say."""
    if hasattr(network, "parameter_groups"):
        return network.parameter_groups()  # type: ignore[operator]
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in learning if parameter.ndim > 1], "decay": 1.0},
        {"params": [parameter for parameter in learning if parameter.ndim <= 1], "decay": 0.0},
    ]


def flatten(network: nn.Module) -> list[dict[str, Any]]:
    """Lay each group of parameters, and its gradients, into one block of memory of shape (K, P).

    The parameters become views of the blocks. A norm, a perturbation, a copy of the weights, a step of the optimiser is
    then one operation for a group rather than one for each parameter: at small sizes most of a step's time is the
    number of operations. `blocks(network)` returns the blocks afterwards.
    """
    members = n_members(network)
    groups, learning = [], []
    for group in parameter_groups(network):
        if not group["params"]:
            continue
        block = nn.Parameter(torch.cat([p.detach().reshape(members, -1) for p in group["params"]], dim=1))
        block.grad = torch.zeros_like(block)
        start = 0
        for parameter in group["params"]:
            stop = start + parameter.numel() // members
            parameter.data = block.data[:, start:stop].view(parameter.shape)
            parameter.grad = block.grad[:, start:stop].view(parameter.shape)
            start = stop
        groups.append({**group, "params": [block]})
        learning += group["params"]
    object.__setattr__(network, "_blocks", [group["params"][0] for group in groups])  # beside the module's own state
    object.__setattr__(network, "_learning", learning)
    return groups


def blocks(network: nn.Module) -> list[nn.Parameter]:
    """Return the blocks of a flattened network; ``block.grad`` holds the gradients."""
    return network._blocks  # type: ignore[return-value]


def snapshot(network: nn.Module) -> list[Tensor]:
    """Return copies of all weights and buffers."""
    return [tensor.detach().clone() for tensor in (*blocks(network), *network.buffers())]


@torch.no_grad()
def restore(network: nn.Module, saved: list[Tensor]) -> None:
    """Bring a snapshot back, bit for bit."""
    for tensor, value in zip((*blocks(network), *network.buffers()), saved, strict=True):
        tensor.copy_(value)


@torch.no_grad()
def clip_gradient(network: nn.Module, max_norm: float) -> None:
    """Scale the gradient of each member whose norm exceeds `max_norm` down to it."""
    squares = [torch.linalg.vector_norm(block.grad, dim=1, keepdim=True).square() for block in blocks(network)]
    factor = (max_norm / (sum(squares).sqrt() + 1e-12)).clamp(max=1.0)
    for block in blocks(network):
        block.grad.mul_(factor)  # type: ignore[union-attr]


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


class Trainer:
    """A network, what it minimises and how, and where it stands; it can be saved after any epoch and continued.

    Parameters
    ----------
    network : nn.Module
        It is flattened here, and its `generators` attributes (dropout) are set.

    objective, gradient, update : callable
        The replaceable parts: see the head of this module.

    solver : {"adamw", "adam", "sgd"}
        Optimiser; `options` go to :func:`make_optimizer`.

    learning_rate : float
        Before the schedule, and before each group's `rate` (default 1).

    n_steps : int or None
        Length of the cosine schedule; None keeps the learning rate.

    batch_size : int
        Rows of a step.

    shuffle : bool
        Whether each member visits the rows in an order of its own, drawn anew for every epoch.

    max_norm : float or None
        Clips the gradient of each member.

    generators : tuple of torch.Generator
        One for each member, on the network's device.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        *,
        gradient: Gradient = backward,
        update: Update = apply_step,
        solver: str = "adamw",
        learning_rate: float = 1e-3,
        n_steps: int | None = None,
        batch_size: int = 128,
        shuffle: bool = True,
        max_norm: float | None = None,
        generators: tuple[torch.Generator, ...],
        **options: Any,
    ) -> None:
        self.network, self.objective, self.gradient, self.update = network, objective, gradient, update
        self.learning_rate, self.n_steps, self.batch_size, self.shuffle = learning_rate, n_steps, batch_size, shuffle
        self.max_norm, self.generators = max_norm, generators
        self.optimizer = make_optimizer(flatten(network), solver, **options)
        self.step = 0
        for module in network.modules():
            if hasattr(module, "generators"):
                module.generators = generators  # type: ignore[assignment]

    def run_epoch(self, X: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Visit every row once, and return the mean loss of each member, of shape (K,).

        Raises
        ------
        FloatingPointError
            If a loss was NaN or infinite.
        """
        self.network.train()
        total = torch.zeros((), dtype=X.dtype, device=X.device)
        for batch in self._batches(X, y, weight):
            self._set_learning_rate()
            losses = self.gradient(self.network, self.objective, batch)
            if self.max_norm is not None:
                clip_gradient(self.network, self.max_norm)
            self.update(self.network, self.optimizer)
            self.step += 1
            total = total + losses * batch.indices.shape[-1]
        if not bool(torch.isfinite(total).all()):
            raise FloatingPointError("the loss is NaN or infinite")
        return total.reshape(-1) / len(X)

    def _set_learning_rate(self) -> None:
        rate = self.learning_rate
        if self.n_steps is not None:
            rate *= 0.5 * (1.0 + cos(pi * min(self.step / self.n_steps, 1.0)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate", 1.0)

    def _order(self, n: int, device: torch.device) -> Tensor:
        if not self.shuffle:
            order = torch.arange(n, device=device)
            return order if len(self.generators) == 1 else order.expand(len(self.generators), n)
        orders = [torch.randperm(n, generator=generator, device=device) for generator in self.generators]
        return orders[0] if len(orders) == 1 else torch.stack(orders)

    def _batches(self, X: Tensor, y: Tensor, weight: Tensor | None) -> Iterator[Batch]:
        """Gather a few batches' rows at a time, and slice them."""
        order = self._order(len(X), X.device)
        axis = order.ndim - 1
        row_bytes = max(1, X[:1].numel() * X.element_size() * len(self.generators))
        starts = batch_starts(len(X), self.batch_size)
        piece = max(1, BLOCK_BYTES // (row_bytes * self.batch_size))
        for first in range(0, len(starts) - 1, piece):
            bounds = starts[first : first + piece + 1]
            rows = order.narrow(axis, bounds[0], bounds[-1] - bounds[0])
            parts = [rows, X[rows], y[rows], None if weight is None else weight[rows]]
            for start, stop in pairwise(bounds):
                indices, X_b, y_b, w_b = (
                    None if part is None else part.narrow(axis, start - bounds[0], stop - start) for part in parts
                )
                yield Batch(X_b, y_b, w_b, indices, self.generators)  # type: ignore[arg-type]

    def state(self) -> dict[str, NDArray]:
        """Return the optimizer and generator state, which the weights do not contain, as arrays."""
        told = {"step": np.array(self.step)}
        for k, generator in enumerate(self.generators):
            told[f"generator.{k}"] = generator.get_state().cpu().numpy()
        for i, block in enumerate(blocks(self.network)):
            for key, value in self.optimizer.state[block].items():
                told[f"optimizer.{i}.{key}"] = value.detach().cpu().numpy().copy()
        return told

    def load_state(self, told: dict[str, NDArray]) -> None:
        """Continue from a state that a trainer of the same network returned.

        The moments restart if the saved ones belong to another optimiser. The generators restart if theirs belong to
        another kind of device.
        """
        self.step = int(told["step"])
        for k, generator in enumerate(self.generators):
            value = torch.from_numpy(told[f"generator.{k}"].copy())
            if value.shape == generator.get_state().shape:
                generator.set_state(value)
        for i, block in enumerate(blocks(self.network)):
            prefix = f"optimizer.{i}."
            moments = {name.removeprefix(prefix): told[name] for name in told if name.startswith(prefix)}
            start = self.optimizer.start(block)
            if moments.keys() == start.keys():
                self.optimizer.state[block] = {
                    key: torch.from_numpy(moments[key]).to(start[key], copy=True) for key in start
                }


def batch_starts(n: int, batch_size: int) -> list[int]:
    """Return where batches begin, and n: a single last row joins the batch before it, as it has no variance alone."""
    starts = list(range(0, n, batch_size))
    if len(starts) > 1 and n - starts[-1] == 1:
        starts.pop()
    return [*starts, n]


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
